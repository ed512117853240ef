"""Convolution layers: torch.nn's names, arguments and state_dict, computed by this kit's core."""

from __future__ import annotations

import torch

from .core.conv import conv, conv_transpose

__all__ = ["Conv1d", "Conv2d", "ConvTranspose1d"]


class _Conv:
    """What Conv1d and Conv2d share: torch.nn's parameters, our forward."""

    def __init__(
        self,
        in_channels,
        out_channels,
        kernel_size,
        stride=1,
        padding=0,
        dilation=1,
        groups=1,
        bias=True,
        padding_mode="zeros",
        device=None,
        dtype=None,
    ):
        super().__init__(in_channels, out_channels, kernel_size, stride, 0, dilation, groups, bias,
                         device=device, dtype=dtype)  # fmt: skip
        self.padding, self.padding_mode = padding, padding_mode

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return conv(x, self.weight, self.bias, stride=self.stride, padding=self.padding,
                    padding_mode=self.padding_mode, dilation=self.dilation, groups=self.groups)  # fmt: skip


class Conv1d(_Conv, torch.nn.Conv1d):
    """(B, C_in, T) → (B, C_out, L); arguments and state_dict of torch.nn.Conv1d, `padding` also "causal"."""


class Conv2d(_Conv, torch.nn.Conv2d):
    """(B, C_in, H, W) → (B, C_out, H', W'); arguments and state_dict of torch.nn.Conv2d."""


class ConvTranspose1d(torch.nn.ConvTranspose1d):
    """(B, C_in, T) → (B, C_out, L); arguments and state_dict of torch.nn.ConvTranspose1d."""

    def forward(self, x: torch.Tensor, output_size=None) -> torch.Tensor:
        return conv_transpose(x, self.weight, self.bias, stride=self.stride, padding=self.padding,
                              output_padding=self.output_padding, dilation=self.dilation, groups=self.groups)  # fmt: skip

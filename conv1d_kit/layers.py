"""Convolution layers: torch.nn's names, arguments and state_dict, computed by this kit's core.

They take what `core.conv` takes beyond torch: `padding` by name ("same" with any stride, "causal", …) or as
(low, high) pairs, and every padding mode at any length.
"""

from __future__ import annotations

from typing import Any

import torch

from .core.conv import conv
from .core.transpose import conv_transpose
from .errors import InputError

__all__ = ["Conv1d", "Conv2d", "ConvTranspose1d"]


class _ConvForward:
    """The forward that Conv1d and Conv2d share; parameters and their initial values are torch.nn's."""

    def __init__(
        self: Any,
        in_channels: int,
        out_channels: int,
        kernel_size: Any,
        stride: Any = 1,
        padding: Any = 0,
        dilation: Any = 1,
        groups: int = 1,
        bias: bool = True,
        padding_mode: Any = "zeros",
        device: Any = None,
        dtype: Any = None,
    ):
        super().__init__(  # type: ignore[call-arg]
            in_channels, out_channels, kernel_size, stride, 0, dilation, groups, bias, "zeros", device, dtype
        )
        self.padding, self.padding_mode = padding, padding_mode

    def forward(self: Any, x: torch.Tensor) -> torch.Tensor:
        return conv(
            x,
            self.weight,
            self.bias,
            stride=self.stride,
            padding=self.padding,
            padding_mode=self.padding_mode,
            dilation=self.dilation,
            groups=self.groups,
        )

    def extra_repr(self: Any) -> str:
        text = (
            f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}, stride={self.stride}, "
            f"padding={self.padding!r}"
        )
        for name, plain in (("padding_mode", "zeros"), ("groups", 1)):
            if getattr(self, name) != plain:
                text += f", {name}={getattr(self, name)!r}"
        if any(d != 1 for d in self.dilation):
            text += f", dilation={self.dilation}"
        return text if self.bias is not None else text + ", bias=False"


class Conv1d(_ConvForward, torch.nn.Conv1d):
    """1-D convolution layer, (B, C_in, T) → (B, C_out, L).

    Arguments, parameters and state_dict of torch.nn.Conv1d; `padding` and `padding_mode` of `core.conv`.

    Examples
    --------
    >>> layer = Conv1d(1, 2, 5, padding="causal")
    >>> layer(torch.zeros(3, 1, 16)).shape
    torch.Size([3, 2, 16])
    """


class Conv2d(_ConvForward, torch.nn.Conv2d):
    """2-D convolution layer, (B, C_in, H, W) → (B, C_out, H', W').

    Arguments, parameters and state_dict of torch.nn.Conv2d; `padding` and `padding_mode` of `core.conv`.

    Examples
    --------
    >>> Conv2d(1, 2, 3, stride=2, padding="same")(torch.zeros(3, 1, 9, 16)).shape
    torch.Size([3, 2, 5, 8])
    """


class ConvTranspose1d(torch.nn.ConvTranspose1d):
    """Transposed 1-D convolution layer, (B, C_in, T) → (B, C_out, L).

    Arguments, parameters and state_dict of torch.nn.ConvTranspose1d.

    Raises
    ------
    InputError
        If `padding` is a name: how many samples an output loses is to be said in numbers.

    Examples
    --------
    >>> ConvTranspose1d(2, 1, 4, stride=2, padding=1)(torch.zeros(3, 2, 8)).shape
    torch.Size([3, 1, 16])
    """

    def __init__(self, in_channels, out_channels, kernel_size, stride=1, padding=0, *rest, **options):
        if isinstance(padding, str):
            raise InputError(
                f"padding of a transposed layer must be an int >= 0, got {padding!r}; "
                "try (kernel_size - stride) // 2 for an output of stride times the input's length"
            )
        super().__init__(in_channels, out_channels, kernel_size, stride, padding, *rest, **options)

    def forward(self, x: torch.Tensor, output_size: Any = None) -> torch.Tensor:
        return conv_transpose(
            x,
            self.weight,
            self.bias,
            stride=self.stride,
            padding=self.padding,  # type: ignore[arg-type]
            output_padding=self.output_padding,
            dilation=self.dilation,
            groups=self.groups,
            output_size=None if output_size is None else tuple(output_size)[-1:],
        )

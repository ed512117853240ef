"""The multi-channel convolution (first slice)."""

from __future__ import annotations

import torch.nn.functional as F

__all__ = ["conv", "conv_transpose"]


def conv(x, w, bias=None, *, stride=1, padding=0, padding_mode="zeros", dilation=1, groups=1, flip=False):
    if isinstance(padding, str) and padding == "causal":
        d = dilation if isinstance(dilation, int) else dilation[0]
        x, padding = F.pad(x, ((w.shape[-1] - 1) * d, 0)), 0
    elif padding_mode != "zeros":
        x = F.pad(x, (padding, padding), mode=padding_mode)
        padding = 0
    run = {3: F.conv1d, 4: F.conv2d}[w.ndim]
    return run(x, w.flip(-1) if flip else w, bias, stride, padding, dilation, groups)


def conv_transpose(x, w, bias=None, *, stride=1, padding=0, output_padding=0, dilation=1, groups=1):
    return F.conv_transpose1d(x, w, bias, stride, padding, output_padding, groups, dilation)

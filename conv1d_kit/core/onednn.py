"""Where oneDNN's quick kernels end on processors with 512-bit registers.

torch sums float32 convolutions by kernels that oneDNN writes for each shape. They keep a stretch of the last
axis in registers and refuse taps and pads that reach too far beyond it; then torch lays windows out for a
matrix product, which takes two to five times as long, on one thread for each row of the batch. What is beyond
the bounds here is brought back within them: pads as numbers, taps some at a time. The bounds are read off from
times by taps, dilations, pads and channels; oneDNN's own rule is `jit_avx512_common_conv_kernel.cpp`.
"""

from __future__ import annotations

from functools import cache

import torch

__all__ = [
    "MOST_DEPTHWISE_TAPS",
    "MOST_TAPS",
    "MOST_WEIGHT_TAPS",
    "SMALL",
    "depthwise_reaches_far",
    "has_wide_registers",
    "reaches_far",
]

SMALL = 20_480  # numbers of x up to which torch does not call oneDNN
MOST_TAPS = 36  # of a sum
MOST_WEIGHT_TAPS = 14  # whose gradients are summed
NEAR, FAR = 8, 18  # zeros at a side that no kernel, and that every kernel, finds too many
LONG_TAPS = 14  # of which NEAR zeros are too many
MOST_DEPTHWISE_TAPS = 3  # of a depthwise layer's last axis, not dilated, whose gradients are summed


@cache
def has_wide_registers() -> bool:
    """Whether torch uses 512-bit registers here."""
    return torch.backends.cpu.get_cpu_capability().startswith("AVX512")


def reaches_far(n_out: int, n_taps: int, zeros: int) -> bool:
    """Whether so many zeros beside the input (for x's gradient: beside y's) are too many for the quick kernel.

    Parameters
    ----------
    n_out : int
        Channels of the result, of one group.

    Examples
    --------
    >>> reaches_far(64, 3, 4), reaches_far(64, 3, 8), reaches_far(64, 9, 16), reaches_far(64, 25, 12)
    (False, True, False, True)
    """
    if not NEAR <= zeros <= FAR:
        return zeros > FAR
    if n_taps <= 3:  # more channels at a time leave registers for fewer outputs
        return n_out > 32 or zeros >= 12
    return n_taps >= LONG_TAPS and n_out >= 16  # groups of fewer channels have another kernel


def depthwise_reaches_far(span: int, zeros: int) -> bool:
    """The same of a depthwise kernel, which sees `span` inputs of the last axis: it keeps so few outputs.

    Examples
    --------
    >>> depthwise_reaches_far(9, 4), depthwise_reaches_far(31, 15), depthwise_reaches_far(3, 3)
    (False, True, True)
    """
    return zeros > (6 if has_wide_registers() else 4) or zeros >= span

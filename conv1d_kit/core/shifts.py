"""The direct sum of one signal and a few taps: its moved copies, weighed and added up, a stretch at a time.

What a stretch adds to stays near the cores, and all threads share it. A NaN or Inf reaches its own outputs.
"""

from __future__ import annotations

import torch

from .array import new_result
from .short import STRETCH

__all__ = ["shifted_line"]


def shifted_line(x: torch.Tensor, w: torch.Tensor, start: int, size: int) -> torch.Tensor:
    """y[l] = sum_m w[m]·x[start + l − m], l below `size`, from one row x (N,) and w (K,), floating.

    Examples
    --------
    >>> shifted_line(torch.tensor([1.0, 2.0, 3.0]), torch.tensor([10.0, 1.0]), 0, 4)
    tensor([10., 21., 32.,  3.])
    """
    y, taps = new_result(x, (size,)), w.tolist()
    for first in range(0, size, STRETCH):
        out = y[first : first + STRETCH]
        begin, n = start + first, len(out)
        is_inside = begin - len(taps) + 1 >= 0 and begin + n <= len(x)
        if not is_inside:
            out.zero_()
        for m, tap in enumerate(taps):
            low, high = max(0, m - begin), min(n, len(x) + m - begin)
            if is_inside and not m:
                torch.mul(x[begin : begin + n], tap, out=out)
            elif low < high:
                out[low:high].add_(x[begin + low - m : begin + high - m], alpha=tap)
    return y

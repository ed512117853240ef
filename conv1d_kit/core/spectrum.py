"""How long an FFT should be: fast lengths, and the block of overlap-add."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache, wraps
from typing import ParamSpec, TypeVar

import torch

__all__ = ["fast_length", "overlap_add_length", "remembered"]

P = ParamSpec("P")
R = TypeVar("R")
LARGEST_BLOCK = 1 << 15  # points; beyond it a block leaves the second-level cache and the gain is lost


def remembered(function: Callable[P, R]) -> Callable[P, R]:
    """The function with a memory of its last 4,096 answers, which torch.compile looks past."""
    cached = lru_cache(maxsize=4096, typed=True)(function)

    @wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        return function(*args, **kwargs) if torch.compiler.is_compiling() else cached(*args, **kwargs)  # type: ignore[arg-type]

    return call


@remembered
def fast_length(n: int) -> int:
    """The smallest 2^a·3^b·5^c >= n: an FFT at a prime length is up to 50 times slower.

    Examples
    --------
    >>> fast_length(1021), fast_length(1024)
    (1024, 1024)
    """
    best = 1 << max(0, n - 1).bit_length()
    five = 1
    while five < best:
        three = five
        while three < best:
            rest = -(-n // three)
            best = min(best, three << max(0, rest - 1).bit_length())
            three *= 3
        five *= 5
    return best


@remembered
def overlap_add_length(span: int, size: int) -> int:
    """FFT points of a block: the power of two with the least N·log2(2N) / (N − K + 1).

    Parameters
    ----------
    span : int
        Kernel length K, dilation included.
    size : int
        Signal length; one block is enough when all fits.

    Examples
    --------
    >>> overlap_add_length(255, 10_000)
    2048
    """
    whole = fast_length(size + span - 1)
    first = (2 * span - 1).bit_length()
    last = max(first, LARGEST_BLOCK.bit_length() - 1)
    best, least = whole, math.inf
    for bits in range(first, last + 1):
        n = 1 << bits
        work = n * math.log2(2 * n) / (n - span + 1)
        if work < least:
            best, least = n, work
    return min(best, whole)

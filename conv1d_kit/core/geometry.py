"""How a kernel walks over a signal: stride, zero pads, dilation, groups, and the sizes that follow."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from .padding import Pads

__all__ = ["Geometry"]


class Geometry(NamedTuple):
    """One entry a spatial axis, and the number of channel groups; pads are zeros, negative ones cut off.

    Examples
    --------
    >>> g = Geometry((2,), ((1, 1),), (3,), 1)
    >>> g.spans([4]), g.out_sizes([20], [4])
    ((10,), (7,))
    """

    stride: tuple[int, ...]
    pads: Pads
    dilation: tuple[int, ...]
    groups: int

    def spans(self, kernel: Sequence[int]) -> tuple[int, ...]:
        """Length of a kernel of this shape with its dilation."""
        return tuple((k - 1) * d + 1 for k, d in zip(kernel, self.dilation, strict=True))

    def out_sizes(self, sizes: Sequence[int], kernel: Sequence[int]) -> tuple[int, ...]:
        """Spatial shape of the output; at most 0 where the kernel does not fit."""
        axes = zip(sizes, self.pads, self.spans(kernel), self.stride, strict=True)
        return tuple((size + low + high - span) // stride + 1 for size, (low, high), span, stride in axes)

    def adjoint_pads(self, sizes: Sequence[int], kernel: Sequence[int], stuffed: Sequence[int]) -> Pads:
        """Pads of the output, `stuffed` with zeros between its strides, for the adjoint to give `sizes`.

        Negative where more was padded than the kernel reaches.

        Examples
        --------
        >>> Geometry((2,), ((1, 1),), (1,), 1).adjoint_pads([10], [4], [9])
        ((2, 2),)
        """
        axes = zip(sizes, self.spans(kernel), self.pads, stuffed, strict=True)
        return tuple((span - 1 - low, size - given + low) for size, span, (low, _), given in axes)

    def stretch(self, first: int, last: int, span: int, size: int) -> tuple[slice, tuple[int, int]]:
        """What outputs first to last of the last axis see: a slice of its `size` inputs and the pads beside it.

        Examples
        --------
        >>> Geometry((2,), ((3, 9),), (1,), 1).stretch(0, 2, 4, 100)
        (slice(0, 5, None), (3, 0))
        """
        start = first * self.stride[-1] - self.pads[-1][0]
        stop = last * self.stride[-1] - self.pads[-1][0] + span
        inside = slice(max(0, min(start, size)), max(0, min(stop, size)))
        return inside, (min(max(0, -start), stop - start), max(0, stop - max(start, size)))

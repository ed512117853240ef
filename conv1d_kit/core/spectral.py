"""Convolution through short FFTs, and the two products that are its gradients.

For real or complex tensors; three products of one trilinear form sum gy·w·x, each the derivative of the others:

    forward_product(x, w)   y[o, l]  = sum_c,k  w[o, c, k] · x[c, l·stride + k·dilation − low]
    input_product(gy, w)    gx[c, t] = sum_o,k  w[o, c, k] · gy[o, l]   where l·stride + k·dilation − low = t
    weight_product(gy, x)   gw[o, c, k] = sum_l gy[o, l] · x[c, l·stride + k·dilation − low]
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import torch

from .array import new_result
from .geometry import Geometry
from .padding import pad, window
from .spectral_line import spectral_line, transforms
from .spectrum import (
    blocks_a_round,
    cut,
    fft_points,
    gradient_points,
    groups_a_round,
    of_groups,
    remembered,
    rows_a_round,
    whole_length,
)

SHORT_ROW = 1 << 13  # numbers of one sum, below which many are multiplied in one call

__all__ = [
    "as_convolution",
    "forward_product",
    "input_product",
    "kernel_spectra",
    "round_elements",
    "weight_product",
]


def kernel_spectra(w: torch.Tensor, g: Geometry, size: int, n_fft: int) -> list[torch.Tensor]:
    """Spectra that turn a product into a correlation with x of last size `size`, as `_mix` wants them.

    One for each part of each tap of the leading axes: (O, C/groups, F) where C/groups or O/groups is 1, else
    (F, groups, O/groups, C/groups).
    """
    transform, _ = transforms(w)
    line = _stuffed(w, g.dilation[-1])
    n_parts, _ = cut(g, w.shape[2:], size, n_fft)
    if n_parts > 1:
        line = window(line, 0, n_parts * (n_fft // 2)).unflatten(-1, (n_parts, n_fft // 2))
    spectra = transform(line.conj_physical() if w.is_complex() else line, n_fft).conj_physical_()
    parts = spectra.flatten(2, -2).unbind(2) if spectra.ndim > 3 else [spectra]
    if w.shape[1] == 1 or w.shape[0] == g.groups:
        return list(parts)
    return [part.unflatten(0, (g.groups, -1)).permute(3, 0, 1, 2).contiguous() for part in parts]


def forward_product(
    x: torch.Tensor,
    w: torch.Tensor,
    g: Geometry,
    n_fft: int,
    spectra_w: list[torch.Tensor] | None = None,
    y: torch.Tensor | None = None,
) -> torch.Tensor:
    """y, into its memory where it is given, from x and w in rounds of groups, rows, blocks that fit the cache.

    Each block of n_fft inputs gives the outputs whose windows lie inside it (overlap-save): blocks are read
    where they lie in x, and nothing is added up afterwards. With a stride that divides n_fft the spectrum is
    folded, so that only every stride-th output is transformed back.
    """
    if len(g.pads) > 1:
        x = pad(x, (*g.pads[:-1], (0, 0)))
        g = g._replace(pads=(*((0, 0),) * (len(g.pads) - 1), g.pads[-1]))
    if spectra_w is None and _is_line(x, w, g):
        (size,) = g.out_sizes(x.shape[2:], w.shape[2:])
        return spectral_line(x[0, 0], w[0, 0].flip(0), w.shape[2] - 1 - g.pads[0][0], size, n_fft)[None, None]
    n_groups = groups_a_round(w.shape, g, x.shape[-1], n_fft)
    if spectra_w is None and n_groups < g.groups:
        y = new_result(x, (len(x), w.shape[0], *g.out_sizes(x.shape[2:], w.shape[2:])))
        for part_g, inputs, outputs in _group_rounds(n_groups, x.shape[1], w.shape[0], g):
            forward_product(x[:, inputs], w[outputs], part_g, n_fft, y=y[:, outputs])
        return y
    layout = _layout(x.shape, w.shape, g, n_fft)
    if spectra_w is None:
        spectra_w = kernel_spectra(w, g, x.shape[-1], n_fft)
    if layout.rows >= len(x):
        return _round_of_rows(x, g, n_fft, spectra_w, layout, y)
    y = new_result(x, layout.out_shape) if y is None else y
    for first in range(0, len(x), layout.rows):
        part = slice(first, first + layout.rows)
        few = _layout((len(x[part]), *x.shape[1:]), w.shape, g, n_fft)
        _round_of_rows(x[part], g, n_fft, spectra_w, few, y[part])
    return y


def _round_of_rows(
    x: torch.Tensor,
    g: Geometry,
    n_fft: int,
    spectra_w: list[torch.Tensor],
    layout: _Layout,
    y: torch.Tensor | None,
) -> torch.Tensor:
    """As many rows as go at a time, into y where it is given."""
    transform, inverse = transforms(x)

    def convolved(frames: torch.Tensor) -> torch.Tensor:
        """(B, C, *lead, N, n_fft) → (B, O, *lead, N, positions)"""
        spectra = transform(frames, n_fft)
        if len(spectra_w) == 1:
            y = _mix(spectra[layout.taps[0]], spectra_w[0], g.groups, may_overwrite=True)
        else:
            count = frames.shape[-2] - n_parts + 1
            met = [spectra[at][..., part : part + count, :] for at in layout.taps for part in range(n_parts)]
            y = _mix(met[0], spectra_w[0], g.groups)
            for other, weights in zip(met[1:], spectra_w[1:], strict=True):
                _mix_in(y, other, weights, g.groups)
        if layout.folds > 1:
            return inverse(_folded(y, n_fft, layout.folds, x.is_complex()), n_fft // layout.folds)
        z = inverse(y, n_fft)
        return z if layout.step == 1 else z[..., :: layout.step]

    low, size, per, hop, n_parts = g.pads[-1][0], layout.out_shape[-1], layout.per, layout.hop, layout.parts
    if layout.rounds is None:
        frame = x if layout.is_bare else window(x, -low, layout.reach)
        z = convolved(frame.unsqueeze(-2)).squeeze(-2)[..., :size]
        return z.contiguous() if y is None else y.copy_(z)
    if y is None:
        y = new_result(x, layout.out_shape)
    for first, count, whole in layout.rounds:  # the last block may give fewer outputs than the others
        frames = window(x, first * hop - low, (count + n_parts - 2) * hop + n_fft).unfold(-1, n_fft, hop)
        z = convolved(frames)
        done = (first + whole) * per
        if whole:
            y[..., first * per : done].view(*y.shape[:-1], whole, per).copy_(z[..., :whole, :per])
        if whole < count:
            y[..., done:] = z[..., whole, : size - done]
    return y


def _is_line(x: torch.Tensor, w: torch.Tensor, g: Geometry) -> bool:
    """One row and one kernel that reaches every pad, step by step."""
    if x.ndim != 3 or x.shape[0] * x.shape[1] * w.shape[0] != 1 or g.stride[0] * g.dilation[0] != 1:
        return False
    return max(g.pads[0]) < w.shape[2]


class _Layout(NamedTuple):
    """What forward_product reads off shapes."""

    out_shape: tuple[int, ...]
    taps: list[Any]  # what each tap of the leading axes meets
    parts: int  # of the kernel
    rows: int  # of the batch at a time
    per: int  # outputs a block
    hop: int  # inputs from block to block
    reach: int  # inputs that one block over everything reads
    is_bare: bool  # and it needs no pads but those of the transform
    folds: int  # aliases of the spectrum to be averaged
    step: int  # stride left for the outputs
    rounds: list[tuple[int, int, int]] | None  # (first block, blocks, blocks full of outputs); None: one block


@remembered
def _layout(x_shape: tuple[int, ...], w_shape: tuple[int, ...], g: Geometry, n_fft: int) -> _Layout:
    *lead_sizes, size = g.out_sizes(x_shape[2:], w_shape[2:])
    span, stride, low = g.spans(w_shape[2:])[-1], g.stride[-1], g.pads[-1][0]
    taps = list(_lead_taps(w_shape[2:-1], lead_sizes, g))
    n_parts, per = cut(g, w_shape[2:], x_shape[-1], n_fft)
    folds = stride if n_fft % stride == 0 else 1
    out_shape = (x_shape[0], w_shape[0], *lead_sizes, size)
    a_row = math.prod(x_shape[1:-1]) + w_shape[0] * math.prod(lead_sizes)  # transforms a row of the batch takes
    rows = rows_a_round(x_shape[0], a_row, n_fft)
    if n_fft >= whole_length(g, span, x_shape[-1]):
        reach = min((size - 1) * stride + span, n_fft)
        is_bare = low == 0 and x_shape[-1] <= reach
        return _Layout(out_shape, taps, 1, rows, size, 0, reach, is_bare, folds, stride // folds, None)
    rounds = [
        (first, count, min(count, size // per - first))
        for first, count in _rounds(rows * a_row, -(-size // per), n_fft, n_parts)
    ]
    return _Layout(out_shape, taps, n_parts, rows, per, per * stride, 0, False, folds, stride // folds, rounds)


def input_product(gy: torch.Tensor, w: torch.Tensor, g: Geometry, sizes: Sequence[int]) -> torch.Tensor:
    """gx [spatial shape `sizes`] from gy and w."""
    stuffed, turned, adjoint = as_convolution(gy, w, g, sizes)
    n_fft = fft_points("overlap_add", adjoint, stuffed.shape, turned.shape, gy.dtype.itemsize)
    return forward_product(stuffed, turned, adjoint, n_fft)


def as_convolution(
    gy: torch.Tensor, w: torch.Tensor, g: Geometry, sizes: Sequence[int]
) -> tuple[torch.Tensor, torch.Tensor, Geometry]:
    """The adjoint [spatial shape `sizes`] of a convolution as one: gy with zeros between, w turned round."""
    stuffed = gy
    for axis, stride in enumerate(g.stride, start=2):
        stuffed = _stuffed(stuffed.movedim(axis, -1), stride).movedim(-1, axis)
    turned = w.unflatten(0, (g.groups, -1)).transpose(1, 2).flatten(0, 1).flip(tuple(range(2, w.ndim)))
    needed = g.adjoint_pads(sizes, w.shape[2:], stuffed.shape[2:])
    for axis, (low, high) in enumerate(needed, start=2):
        if low < 0 or high < 0:  # more was padded than the kernel reaches
            stuffed = stuffed.narrow(axis, max(0, -low), stuffed.shape[axis] + min(0, low) + min(0, high))
    pads = tuple((max(0, low), max(0, high)) for low, high in needed)
    return stuffed, turned, Geometry((1,) * len(pads), pads, g.dilation, g.groups)


def weight_product(gy: torch.Tensor, x: torch.Tensor, g: Geometry, kernel: Sequence[int]) -> torch.Tensor:
    """gw [kernel shape `kernel`] from gy and x: both in blocks, their spectra multiplied and summed."""
    shape = (gy.shape[1], x.shape[1] // g.groups, *kernel)
    if not len(x):
        return x.new_zeros(shape)
    n_fft = gradient_points(g, x.shape, shape, x.dtype.itemsize)
    x = pad(x, (*g.pads[:-1], (0, 0)))
    n_groups = groups_a_round(shape, g, x.shape[-1], n_fft)
    return torch.cat([
        _weights(gy[:, outputs], x[:, inputs], few, kernel, n_fft)
        for few, inputs, outputs in _group_rounds(n_groups, x.shape[1], gy.shape[1], g)
    ])  # fmt: skip


def _weights(gy: torch.Tensor, x: torch.Tensor, g: Geometry, kernel: Sequence[int], n_fft: int) -> torch.Tensor:
    """weight_product of groups that go at a time; x has its pads on the leading axes."""
    lead_sizes = gy.shape[2:-1]
    span, low = g.spans(kernel)[-1], g.pads[-1][0]
    stuffed = _stuffed(gy, g.stride[-1])
    transform, inverse = transforms(x)
    shape = (gy.shape[1], x.shape[1] // g.groups, *kernel)
    taps = list(_lead_taps(kernel[:-1], lead_sizes, g))
    totals: list[Any] = [None] * len(taps)
    a_row = math.prod(x.shape[1:-1]) + gy.shape[1] * math.prod(lead_sizes)
    hop = n_fft - span + 1
    rows = rows_a_round(len(x), a_row, n_fft)
    for row in range(0, len(x), rows):
        part, over = stuffed[row : row + rows], x[row : row + rows]
        for first, count in _rounds(len(part) * a_row, -(-stuffed.shape[-1] // hop), n_fft):
            blocks = window(part, first * hop, count * hop).unflatten(-1, (count, hop))
            spectra_gy = transform(blocks.conj_physical() if x.is_complex() else blocks, n_fft).conj_physical_()
            frames = window(over, first * hop - low, (count - 1) * hop + n_fft).unfold(-1, n_fft, hop)
            spectra_x = transform(frames, n_fft)
            for i, at in enumerate(taps):
                totals[i] = _contract(spectra_gy, spectra_x[at], g.groups, totals[i])
    cut = slice(None, span, g.dilation[-1])
    if shape[1] > 1:
        totals = [t.unflatten(0, (-1, g.groups)).permute(1, 2, 3, 0).flatten(0, 1) for t in totals]
    found = [inverse(total, n_fft)[..., cut] for total in totals]
    return found[0].reshape(shape) if len(found) == 1 else torch.stack(found, 2).reshape(shape)


def _group_rounds(
    n_groups: int, channels: int, n_out: int, g: Geometry
) -> Iterator[tuple[Geometry, slice, slice]]:
    """n_groups at a time: their geometry, input channels and output channels."""
    for first in range(0, g.groups, n_groups):
        count = min(n_groups, g.groups - first)
        inputs, outputs = (
            slice(first * n // g.groups, (first + count) * n // g.groups) for n in (channels, n_out)
        )
        yield g._replace(groups=count), inputs, outputs


def _stuffed(t: torch.Tensor, step: int) -> torch.Tensor:
    """step − 1 zeros between neighbours of the last axis."""
    if step == 1 or t.shape[-1] == 0:
        return t
    out = t.new_zeros((*t.shape[:-1], (t.shape[-1] - 1) * step + 1))
    out[..., ::step] = t
    return out


def round_elements(x_shape: Sequence[int], w_shape: Sequence[int], g: Geometry, n_fft: int) -> int:
    """Numbers that one round of blocks holds, inputs and outputs together."""
    n_groups = groups_a_round(w_shape, g, x_shape[-1], n_fft)
    if n_groups < g.groups:
        g, x_shape, w_shape = of_groups(n_groups, g, x_shape, w_shape)
    *lead_sizes, size = g.out_sizes(x_shape[2:], w_shape[2:])
    lead_in = math.prod(s + low + high for s, (low, high) in zip(x_shape[2:-1], g.pads, strict=False))
    a_row = x_shape[1] * lead_in + w_shape[0] * math.prod(lead_sizes)
    rows = rows_a_round(x_shape[0], a_row, n_fft)
    n_parts, per = cut(g, w_shape[2:], x_shape[-1], n_fft)
    count = blocks_a_round(rows * a_row, -(-size // per), n_fft, n_parts)
    return rows * a_row * n_fft * (count + n_parts - 1)


def _rounds(rows: int, n_blocks: int, n_fft: int, n_parts: int = 1) -> Iterator[tuple[int, int]]:
    """(first block, number of blocks) of each round."""
    count = blocks_a_round(rows, n_blocks, n_fft, n_parts)
    for first in range(0, n_blocks, count):
        yield first, min(count, n_blocks - first)


def _folded(y: torch.Tensor, n_fft: int, stride: int, is_complex: bool) -> torch.Tensor:
    """The spectrum of every stride-th sample: the mean of the stride aliases of y (..., F)."""
    n = n_fft // stride
    if is_complex:
        return y.unflatten(-1, (stride, n)).mean(-2)
    half = n // 2 + 1
    parts = [y[..., i * n : i * n + half] for i in range(stride) if i * n + half <= y.shape[-1]]
    for i in range(stride):  # of a real signal the upper half is the lower half's mirror image
        if i * n + half > y.shape[-1]:
            end = n_fft - i * n  # index of the mirror of the first, going down
            parts.append(y[..., end - half + 1 : end + 1].flip(-1).conj_physical())
    return torch.stack(parts).mean(0)


def _lead_taps(kernel: Sequence[int], lead_sizes: Sequence[int], g: Geometry) -> Iterator[Any]:
    """What each tap of the kernel's leading axes meets of an input (B, C, *lead, …), as an index."""
    for tap in itertools.product(*(range(k) for k in kernel)):
        met = (
            slice(t * d, t * d + (n - 1) * s + 1, s)
            for t, d, n, s in zip(tap, g.dilation, lead_sizes, g.stride, strict=False)
        )
        yield (slice(None), slice(None), *met)


def _mix(x: torch.Tensor, w: torch.Tensor, groups: int, may_overwrite: bool = False) -> torch.Tensor:
    """Products in the spectrum: x (B, C, *lead, N, F), w of `kernel_spectra` → (B, O, *lead, N, F)."""
    batch, channels, *middle, n_freq = x.shape
    if channels == groups:
        n_out = w.shape[0]
        if n_out == groups:
            weights = w if n_out == 1 else w.reshape(groups, *(1,) * len(middle), n_freq)
            return x.mul_(weights) if may_overwrite else x * weights
        weights = w.reshape(1, groups, n_out // groups, *(1,) * len(middle), n_freq)
        return (x.unsqueeze(2) * weights).flatten(1, 2)
    if w.ndim == 3:  # one output channel a group
        xg = x.unflatten(1, (groups, -1))
        weights = w.reshape(groups, -1, *(1,) * len(middle), n_freq)
        y = xg[:, :, 0] * weights[:, 0]
        for c in range(1, w.shape[1]):
            y.addcmul_(xg[:, :, c], weights[:, c])
        return y
    xf = x.reshape(batch, groups, channels // groups, -1, n_freq).permute(4, 1, 2, 0, 3).flatten(3)
    xf = xf.contiguous()  # as a view, if it is one still, the product would take eight times as long
    y = torch.matmul(w, xf).unflatten(-1, (batch, -1))  # (F, G, O/G, B, N)
    return y.permute(3, 1, 2, 4, 0).reshape(batch, -1, *middle, n_freq)


def _mix_in(y: torch.Tensor, x: torch.Tensor, w: torch.Tensor, groups: int) -> None:
    """y += _mix(x, w, groups)"""
    if x.shape[1] == groups == w.shape[0]:
        y.addcmul_(x, w.reshape(groups, *(1,) * (x.ndim - 3), w.shape[-1]))
    else:
        y += _mix(x, w, groups)


def _contract(gy: torch.Tensor, x: torch.Tensor, groups: int, total: torch.Tensor | None) -> torch.Tensor:
    """gy (B, O, *lead, N, F), x (B, C, *lead, N, F) → (O, 1, F) or (F, G, O/G, C/G), summed over all else."""
    batch, n_freq = x.shape[0], x.shape[-1]
    gyf = gy.reshape(batch, groups, gy.shape[1] // groups, -1, n_freq)
    xf = x.reshape(batch, groups, x.shape[1] // groups, -1, n_freq)
    if xf.shape[2] == 1:
        return _add_up(gyf, xf, total)
    left = gyf.permute(4, 1, 2, 0, 3).reshape(n_freq * groups, gyf.shape[2], -1).contiguous()  # (F·G, O/G, B·N)
    right = xf.permute(4, 1, 0, 3, 2).reshape(n_freq * groups, -1, xf.shape[2]).contiguous()  # (F·G, B·N, C/G)
    return torch.bmm(left, right) if total is None else total.baddbmm_(left, right)


def _add_up(gy: torch.Tensor, x: torch.Tensor, total: torch.Tensor | None) -> torch.Tensor:
    """gy (B, G, O/G, N, F) · x (B, G, 1, N, F) → (O, 1, F), summed over B and N; long rows one by one."""
    batch, groups, n_out, count, n_freq = gy.shape
    if groups * n_out * n_freq < SHORT_ROW:
        part = (gy * x).sum((0, 3)).flatten(0, 1)[:, None]
        return part if total is None else total.add_(part)
    if total is None:
        total = gy.new_zeros((groups * n_out, 1, n_freq))
    held = total.view(groups, n_out, n_freq)
    for b in range(batch):
        for n in range(count):
            held.addcmul_(gy[b, :, :, n], x[b, :, :, n])
    return total

"""Convolution through short FFTs: overlap-add, its gradients, and the exactness that FFT loses by itself.

For real or complex tensors; three products of one trilinear form sum gy·w·x, each the derivative of the others:

    forward_product(x, w)   y[o, l]  = sum_c,k  w[o, c, k] · x[c, l·stride + k·dilation − low]
    input_product(gy, w)    gx[c, t] = sum_o,k  w[o, c, k] · gy[o, l]   where l·stride + k·dilation − low = t
    weight_product(gy, x)   gw[o, c, k] = sum_l gy[o, l] · x[c, l·stride + k·dilation − low]
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from typing import Any

import torch

from .geometry import Geometry
from .padding import pad
from .spectrum import fast_length, overlap_add_length

__all__ = [
    "exact_in_double",
    "forward_product",
    "inside_transform",
    "kernel_spectra",
    "round_elements",
    "spectral_conv",
]

CACHE_ELEMENTS = 1 << 18  # numbers that one round of blocks may hold, so that it stays in the cache


def spectral_conv(
    x: torch.Tensor, w: torch.Tensor, g: Geometry, n_fft: int, spectra_w: torch.Tensor | None = None
) -> torch.Tensor:
    """Differentiable overlap-add; one block that holds everything is the plain FFT method."""
    if torch.compiler.is_compiling() or not (_needs_grad(x, w) or inside_transform(x) or inside_transform(w)):
        return forward_product(x, w, g, n_fft, spectra_w)
    return _Forward.apply(x, w, g, n_fft)


def inside_transform(t: torch.Tensor) -> bool:
    """True for what torch.func hands a function: its values cannot be looked at, nor written into."""
    return torch._C._functorch.is_functorch_wrapped_tensor(t)


def kernel_spectra(w: torch.Tensor, g: Geometry, n_fft: int) -> torch.Tensor:
    """Spectra of w turned round, since a correlation is a convolution with the flip."""
    transform, _ = _transforms(w)
    return transform(_stuffed(w.flip(-1), g.dilation[-1]), n_fft)


def forward_product(
    x: torch.Tensor, w: torch.Tensor, g: Geometry, n_fft: int, spectra_w: torch.Tensor | None = None
) -> torch.Tensor:
    """y from x and w, in rounds of blocks that fit the cache."""
    *lead_sizes, size = g.out_sizes(x.shape[2:], w.shape[2:])
    x = pad(x, (*g.pads[:-1], (0, 0)))
    span, stride = g.spans(w.shape[2:])[-1], g.stride[-1]
    transform, inverse = _transforms(x)
    if spectra_w is None:
        spectra_w = kernel_spectra(w, g, n_fft)
    hop, length = n_fft - span + 1, x.shape[-1]
    start = span - 1 - g.pads[-1][0]  # output j is the full convolution at start + j·stride
    taps = list(_lead_taps(w.shape[2:-1], lead_sizes, g))

    def convolved(blocks: torch.Tensor) -> torch.Tensor:
        spectra = transform(blocks, n_fft)
        parts = [_mix(spectra[at], spectra_w[tap], g.groups) for tap, at in taps]
        return inverse(sum(parts[1:], parts[0]), n_fft)

    if length <= hop:
        return _taken(convolved(x), start, size, stride)
    y = x.new_zeros((x.shape[0], w.shape[0], *lead_sizes, size))
    carry: Any = 0
    for first, count in _rounds(x, w, lead_sizes, length, hop, n_fft):
        z = convolved(_blocks(x, first * hop, count, hop))  # (B, O, *lead, count, n_fft)
        whole, tail = z[..., :hop], z[..., hop:]  # a tail is span − 1 <= hop long: it falls into the next block
        if count > 1:
            whole[..., 1:, : span - 1] += tail[..., :-1, :]
        whole[..., 0, : span - 1] += carry
        carry = tail[..., -1, :]
        _store(y, whole.flatten(-2), start, stride, first * hop)
    _store(y, carry, start, stride, -(-length // hop) * hop)
    return y


def input_product(gy: torch.Tensor, w: torch.Tensor, g: Geometry, sizes: Sequence[int]) -> torch.Tensor:
    """gx [spatial shape `sizes`] from gy and w: a convolution of gy, zeros between, with w turned round."""
    stuffed = gy
    for axis, stride in enumerate(g.stride, start=2):
        stuffed = _stuffed(stuffed.movedim(axis, -1), stride).movedim(-1, axis)
    swapped = w.unflatten(0, (g.groups, -1)).transpose(1, 2).flatten(0, 1).flip(tuple(range(2, w.ndim)))
    lows = [span - 1 - low for span, (low, _) in zip(g.spans(w.shape[2:]), g.pads, strict=True)]
    highs = [
        size + span - 1 - given - low
        for size, span, given, low in zip(sizes, g.spans(w.shape[2:]), stuffed.shape[2:], lows, strict=True)
    ]
    turned = Geometry((1,) * len(lows), tuple(zip(lows, highs, strict=True)), g.dilation, g.groups)
    return forward_product(stuffed, swapped, turned, _block_length(w, g, stuffed.shape[-1]))


def weight_product(gy: torch.Tensor, x: torch.Tensor, g: Geometry, kernel: Sequence[int]) -> torch.Tensor:
    """gw [kernel shape `kernel`] from gy and x: both in blocks, their spectra multiplied and summed."""
    lead_sizes = gy.shape[2:-1]
    x = pad(x, (*g.pads[:-1], (0, 0)))
    span, low = g.spans(kernel)[-1], g.pads[-1][0]
    stuffed = _stuffed(gy, g.stride[-1])
    transform, inverse = _transforms(x)
    n_fft = min(overlap_add_length(span, stuffed.shape[-1]), fast_length(stuffed.shape[-1] + span - 1))
    hop = n_fft - span + 1
    n_groups = g.groups
    gw = x.new_zeros((gy.shape[1], x.shape[1] // n_groups, *kernel))
    taps = list(_lead_taps(kernel[:-1], lead_sizes, g))
    totals: list[Any] = [0] * len(taps)
    for first, count in _rounds(x, gw, lead_sizes, stuffed.shape[-1], hop, n_fft):
        spectra_gy = transform(_blocks(stuffed, first * hop, count, hop).conj(), n_fft).conj()
        frames = _window(x, first * hop - low, (count - 1) * hop + n_fft).unfold(-1, n_fft, hop)
        spectra_x = transform(frames, n_fft)
        for i, (_, met) in enumerate(taps):
            totals[i] = totals[i] + _contract(spectra_gy, spectra_x[met], n_groups)
    for (tap, _), total in zip(taps, totals, strict=True):
        gw[tap] = inverse(total, n_fft)[..., : span : g.dilation[-1]]
    return gw


def exact_in_double(x: torch.Tensor, w: torch.Tensor, n_fft: int) -> bool:
    """True if rounding a float64 FFT of these integers is sure to give the exact sums.

    |error| <= c·eps·log2(n_fft)·|x|₂·|w|₂ with c < 4 (Higham, Accuracy and Stability, thm 24.2); the norms here
    are of the whole input, a bound for each block's.
    """
    norms = float(x.double().norm()) * float(w.double().norm())
    return 4 * torch.finfo(torch.float64).eps * math.log2(2 * n_fft) * norms < 0.25


class _Forward(torch.autograd.Function):
    @staticmethod
    def forward(x, w, g, n_fft):
        return forward_product(x, w, g, n_fft)

    @staticmethod
    def setup_context(ctx, inputs, output):
        x, w, ctx.g, ctx.n_fft = inputs
        ctx.save_for_backward(x, w)
        ctx.save_for_forward(x, w)

    @staticmethod
    def backward(ctx, gy):
        x, w = ctx.saved_tensors
        gx = _Input.apply(gy, w.conj(), ctx.g, tuple(x.shape[2:])) if ctx.needs_input_grad[0] else None
        gw = _Weight.apply(gy, x.conj(), ctx.g, tuple(w.shape[2:])) if ctx.needs_input_grad[1] else None
        return gx, gw, None, None

    @staticmethod
    def jvp(ctx, dx, dw, _g, _n_fft):
        x, w = ctx.saved_tensors
        parts = [] if dx is None else [forward_product(dx, w, ctx.g, ctx.n_fft)]
        parts += [] if dw is None else [forward_product(x, dw, ctx.g, ctx.n_fft)]
        return sum(parts[1:], parts[0])

    @staticmethod
    def vmap(info, in_dims, x, w, g, n_fft):
        return _one_by_one(_Forward, info, in_dims, x, w, g, n_fft)


class _Input(torch.autograd.Function):
    @staticmethod
    def forward(gy, w, g, sizes):
        return input_product(gy, w, g, sizes)

    @staticmethod
    def setup_context(ctx, inputs, output):
        gy, w, ctx.g, _ = inputs
        ctx.save_for_backward(gy, w)

    @staticmethod
    def backward(ctx, v):
        gy, w = ctx.saved_tensors
        n_fft = _block_length(w, ctx.g, v.shape[-1])
        ggy = _Forward.apply(v, w.conj(), ctx.g, n_fft) if ctx.needs_input_grad[0] else None
        gw = _Weight.apply(gy.conj(), v, ctx.g, tuple(w.shape[2:])) if ctx.needs_input_grad[1] else None
        return ggy, gw, None, None

    @staticmethod
    def vmap(info, in_dims, gy, w, g, sizes):
        return _one_by_one(_Input, info, in_dims, gy, w, g, sizes)


class _Weight(torch.autograd.Function):
    @staticmethod
    def forward(gy, x, g, kernel):
        return weight_product(gy, x, g, kernel)

    @staticmethod
    def setup_context(ctx, inputs, output):
        gy, x, ctx.g, _ = inputs
        ctx.save_for_backward(gy, x)

    @staticmethod
    def backward(ctx, v):
        gy, x = ctx.saved_tensors
        n_fft = _block_length(v, ctx.g, x.shape[-1])
        ggy = _Forward.apply(x.conj(), v, ctx.g, n_fft) if ctx.needs_input_grad[0] else None
        gx = _Input.apply(gy.conj(), v, ctx.g, tuple(x.shape[2:])) if ctx.needs_input_grad[1] else None
        return ggy, gx, None, None

    @staticmethod
    def vmap(info, in_dims, gy, x, g, kernel):
        return _one_by_one(_Weight, info, in_dims, gy, x, g, kernel)


def _one_by_one(function, info, in_dims, a, b, g, extra):
    rows = []
    for i in range(info.batch_size):
        ai = a if in_dims[0] is None else a.select(in_dims[0], i)
        bi = b if in_dims[1] is None else b.select(in_dims[1], i)
        rows.append(function.apply(ai, bi, g, extra))
    return torch.stack(rows), 0


def _needs_grad(*tensors: torch.Tensor) -> bool:
    return torch.is_grad_enabled() and any(t.requires_grad for t in tensors)


def _transforms(x: torch.Tensor):
    return (torch.fft.fft, torch.fft.ifft) if x.is_complex() else (torch.fft.rfft, torch.fft.irfft)


def _block_length(w: torch.Tensor, g: Geometry, size: int) -> int:
    return overlap_add_length(g.spans(w.shape[2:])[-1], size)


def _stuffed(t: torch.Tensor, step: int) -> torch.Tensor:
    """step − 1 zeros between neighbours of the last axis."""
    if step == 1 or t.shape[-1] == 0:
        return t
    out = t.new_zeros((*t.shape[:-1], (t.shape[-1] - 1) * step + 1))
    out[..., ::step] = t
    return out


def round_elements(x_shape: Sequence[int], n_out: int, g: Geometry, kernel: Sequence[int], n_fft: int) -> int:
    """Numbers that one round of blocks holds, inputs and outputs together."""
    lead_sizes = g.out_sizes(x_shape[2:], kernel)[:-1]
    lead_in = math.prod(s + low + high for s, (low, high) in zip(x_shape[2:-1], g.pads, strict=False))
    rows = x_shape[0] * (x_shape[1] * lead_in + n_out * math.prod(lead_sizes))
    n_blocks = -(-x_shape[-1] // (n_fft - g.spans(kernel)[-1] + 1))
    return rows * n_fft * max(1, min(n_blocks, CACHE_ELEMENTS // max(1, rows * n_fft)))


def _rounds(x, w, lead_sizes, length: int, hop: int, n_fft: int) -> Iterator[tuple[int, int]]:
    """(first block, number of blocks) of each round."""
    rows = x.shape[0] * (math.prod(x.shape[1:-1]) + w.shape[0] * math.prod(lead_sizes))
    n_blocks = -(-length // hop)
    count = max(1, min(n_blocks, CACHE_ELEMENTS // max(1, rows * n_fft)))
    for first in range(0, n_blocks, count):
        yield first, min(count, n_blocks - first)


def _window(x: torch.Tensor, start: int, length: int) -> torch.Tensor:
    """x[..., start : start + length] with zeros where that is outside."""
    low, high = max(0, -start), max(0, start + length - x.shape[-1])
    inside = x[..., max(0, start) : max(0, start + length)]
    return pad(inside, ((min(low, length), min(high, length - inside.shape[-1] - min(low, length))),))


def _blocks(x: torch.Tensor, start: int, count: int, hop: int) -> torch.Tensor:
    return _window(x, start, count * hop).unflatten(-1, (count, hop))


def _lead_taps(kernel: Sequence[int], lead_sizes: Sequence[int], g: Geometry) -> Iterator[tuple[Any, Any]]:
    """Each tap of the kernel's leading axes as an index into w, and as one into the input it meets."""
    whole = slice(None)
    for tap in itertools.product(*(range(k) for k in kernel)):
        met = (
            slice(t * d, t * d + (n - 1) * s + 1, s)
            for t, d, n, s in zip(tap, g.dilation, lead_sizes, g.stride, strict=False)
        )
        yield (..., *tap, whole), (whole, whole, *met)


def _taken(z: torch.Tensor, start: int, size: int, stride: int) -> torch.Tensor:
    """z[..., start + j·stride] for j < size, zeros where that is outside."""
    last = start + (size - 1) * stride
    if start < 0 or last >= z.shape[-1]:
        z = pad(z, ((max(0, -start), max(0, last + 1 - z.shape[-1])),))
        start = max(0, start)
        last = start + (size - 1) * stride
    return z[..., start : last + 1 : stride]


def _store(y: torch.Tensor, z: torch.Tensor, start: int, stride: int, at: int) -> None:
    """Put z, the full convolution from `at` on, where it belongs in the output."""
    j = max(0, -(-(at - start) // stride))
    offset = start + j * stride - at
    if offset < z.shape[-1] and j < y.shape[-1]:
        part = z[..., offset::stride][..., : y.shape[-1] - j]
        y[..., j : j + part.shape[-1]] = part


def _mix(x: torch.Tensor, w: torch.Tensor, groups: int) -> torch.Tensor:
    """Products in the spectrum: x (B, C, *lead, N, F), w (O, C/groups, F) → (B, O, *lead, N, F)."""
    batch, channels, *middle, n_freq = x.shape
    per_group, per_out = channels // groups, w.shape[0] // groups
    if per_group == 1:
        weights = w.reshape(1, groups, per_out, *(1,) * len(middle), n_freq)
        return (x.unsqueeze(2) * weights).flatten(1, 2)
    xf = x.reshape(batch, groups, per_group, -1, n_freq).permute(4, 1, 2, 0, 3).flatten(3)  # (F, G, C/G, B·N)
    wf = w.reshape(groups, per_out, per_group, n_freq).permute(3, 0, 1, 2)  # (F, G, O/G, C/G)
    y = torch.matmul(wf, xf).unflatten(-1, (batch, -1))  # (F, G, O/G, B, N)
    return y.permute(3, 1, 2, 4, 0).reshape(batch, w.shape[0], *middle, n_freq)


def _contract(gy: torch.Tensor, x: torch.Tensor, groups: int) -> torch.Tensor:
    """gy (B, O, *lead, N, F), x (B, C, *lead, N, F) → (O, C/groups, F), summed over all else."""
    batch, n_freq = x.shape[0], x.shape[-1]
    gyf = gy.reshape(batch, groups, gy.shape[1] // groups, -1, n_freq)
    xf = x.reshape(batch, groups, x.shape[1] // groups, -1, n_freq)
    if xf.shape[2] == 1:
        return (gyf * xf).sum((0, 3)).flatten(0, 1)[:, None]
    left = gyf.permute(4, 1, 2, 0, 3).flatten(3)  # (F, G, O/G, B·N)
    right = xf.permute(4, 1, 0, 3, 2).flatten(2, 3)  # (F, G, B·N, C/G)
    return torch.matmul(left, right).permute(1, 2, 3, 0).flatten(0, 1)

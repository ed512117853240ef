"""What an error may be: small beside the whole (normwise), beside each output (componentwise) or none."""

from __future__ import annotations

import math

import torch

from ..errors import InputError
from .geometry import Geometry
from .kernels import METHODS, direct
from .spectral import forward_product
from .spectrum import cut, fft_points, whole_length

__all__ = ["ERROR_CONSTANT", "PRECISIONS", "normwise_bound", "refuse_inexact", "with_precision"]

PRECISIONS = ("normwise", "componentwise", "exact")
ERROR_CONSTANT = (
    1.0  # c of the normwise bound; the largest measured is below 0.5 (tests/core/test_precision.py)
)
CLOSE = 256  # two stretches to redo that lie nearer than this are redone as one


def normwise_bound(method: str, dtype: torch.dtype, n_terms: int, n_fft: int) -> float:
    """b in |error| <= b·|x|₂·|w|₂, norms over what one output (direct) or one block (FFT) sees.

    direct: n·eps (Higham, Accuracy and Stability, eq. 3.5). FFT: c·eps·log2(2N) with c = ERROR_CONSTANT.
    """
    if not (dtype.is_floating_point or dtype.is_complex):
        return 0.0
    eps = torch.finfo(dtype).eps
    return n_terms * eps if method == "direct" else ERROR_CONSTANT * eps * math.log2(2 * n_fft)


def refuse_inexact(dtype: torch.dtype) -> None:
    """precision="exact" is for integers and bool."""
    if dtype.is_floating_point or dtype.is_complex:
        raise InputError(f"precision 'exact' is for integers, got {dtype}; use 'componentwise'")


def with_precision(
    x: torch.Tensor, w: torch.Tensor, g: Geometry, method: str, precision: str, dtype: torch.dtype
) -> torch.Tensor:
    """The method's result, mended or refused where it is not as precise as asked; `dtype` is the caller's."""
    y = METHODS[method](x, w, g)
    if precision == "exact":
        _refuse_overflow(y, x, w, g, dtype)
    elif precision == "componentwise" and method != "direct" and y.numel() and x.numel():
        return _redo_imprecise(y, x, w, g, method)
    return y


def _refuse_overflow(y, x, w, g: Geometry, dtype: torch.dtype) -> None:
    if dtype == torch.bool or y.numel() == 0 or x.numel() == 0:
        return
    info = torch.iinfo(dtype)
    about = direct(x.double(), w.double(), g)  # its own error is far below the 2^64 that a wrapped sum is off
    wrapped = (about - y.double()).abs() > 2.0 ** (8 * x.element_size() - 1)
    beyond = (y < info.min) | (y > info.max) if info.bits < 64 else torch.zeros_like(wrapped)
    if dtype == torch.uint64:
        beyond, wrapped = about < 0, about >= 2.0**64
    if bool((wrapped | beyond).any()):
        raise InputError(
            f"every sum must fit into {dtype}, got about {about.abs().max():.4g}; convert x to a wider dtype "
            "or use precision='normwise' to wrap"
        )


def _redo_imprecise(
    y: torch.Tensor, x: torch.Tensor, w: torch.Tensor, g: Geometry, method: str
) -> torch.Tensor:
    span = g.spans(w.shape[2:])[-1]
    length = x.shape[-1]
    n_fft = fft_points(method, g, w.shape[2:], length)
    real = torch.float64 if x.dtype in (torch.float64, torch.complex128) else torch.float32
    xa, wa = x.detach().abs().to(real), w.detach().abs().to(real)
    if not bool(torch.isfinite(xa).all()) or not bool(torch.isfinite(wa).all()):
        return direct(x, w, g)  # not finite: no bound to hold the result to
    magnitude = forward_product(xa, wa, g, n_fft)  # sum |w·x|, itself within `error`
    error = (
        normwise_bound(method, real, 0, n_fft)
        * _block_norm(xa, g, n_fft, w.shape[2:], y)
        * wa.flatten(1).norm(dim=1).reshape(1, -1, *(1,) * (y.ndim - 2))
    )
    n_terms = wa[0].numel()
    bad = error > n_terms * torch.finfo(real).eps * (magnitude - error)
    positions = bad.flatten(0, -2).any(0).nonzero().flatten()
    if len(positions) > y.shape[-1] // 2:
        return direct(x, w, g)
    if len(positions) == 0:
        return y
    breaks = ((positions[1:] - positions[:-1]) > CLOSE).nonzero().flatten() + 1
    result, low, stride = y.clone(), g.pads[-1][0], g.stride[-1]
    for stretch in torch.tensor_split(positions, breaks.cpu()):
        first, last = int(stretch[0]), int(stretch[-1])
        start, stop = first * stride - low, last * stride - low + span
        inside = x[..., max(0, start) : min(length, stop)]
        sides = (max(0, -start), max(0, stop - length))
        result[..., first : last + 1] = direct(inside, w, g._replace(pads=(*g.pads[:-1], sides)))
    return result


def _block_norm(xa: torch.Tensor, g: Geometry, n_fft: int, kernel: torch.Size, y: torch.Tensor) -> torch.Tensor:
    """The norm of what shares an FFT block with each output."""
    (low, _), stride, size, span = g.pads[-1], g.stride[-1], y.shape[-1], g.spans(kernel)[-1]
    n_parts, per = cut(g, kernel, xa.shape[-1], n_fft)
    is_whole = n_fft >= whole_length(g, span, xa.shape[-1])
    reach = (size - 1) * stride + span if is_whole else n_fft + (n_parts - 1) * (n_fft // 2)
    first = torch.arange(-(-size // per), device=y.device) * per * stride - low  # of each block, in xa
    energy = xa.square().reshape(xa.shape[0], g.groups, -1, xa.shape[-1]).sum(2).double()
    upto = torch.nn.functional.pad(energy.cumsum(-1), (1, 0))
    ends = [edge.clamp(0, xa.shape[-1]) for edge in (first, first + reach)]
    norm = (upto[..., ends[1]] - upto[..., ends[0]]).clamp(min=0).sqrt().to(xa.dtype)  # (B, G, blocks)
    norm = norm.repeat_interleave(per, -1)[..., :size].repeat_interleave(y.shape[1] // g.groups, 1)
    return norm.reshape(y.shape[0], y.shape[1], *(1,) * (y.ndim - 3), size)

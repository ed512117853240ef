"""What an error may be: small beside the whole (normwise), beside each output (componentwise) or none."""

from __future__ import annotations

import math
from typing import Any

import torch

from ..errors import InputError
from .compute import add_bias, sum_by
from .geometry import Geometry
from .kernels import direct
from .spectral import forward_product
from .spectrum import cut, fft_points, whole_length

__all__ = [
    "ERROR_CONSTANT",
    "PRECISIONS",
    "normwise_bound",
    "refuse_inexact",
    "refuse_overflow",
    "with_precision",
]

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


def with_precision(x: torch.Tensor, w: torch.Tensor, g: Geometry, method: str, precision: str) -> torch.Tensor:
    """The method's sum, redone directly where it is not as precise as asked."""
    y = sum_by(method, x, w, g)
    inexact = y.dtype.is_floating_point or y.dtype.is_complex
    if precision == "componentwise" and method != "direct" and inexact and y.numel() and x.numel():
        return _redo_imprecise(y, x, w, g, method)
    return y


def refuse_overflow(
    y: torch.Tensor,
    x: torch.Tensor,
    w: torch.Tensor,
    bias: torch.Tensor | None,
    g: Geometry,
    dtype: torch.dtype,
) -> None:
    """InputError where y = w ∗ x + bias, in the integers that `widen` gives, is not the sum itself in `dtype`.

    The sum is off by a multiple of 2^bits, which sums in float64 show unless they are themselves that far off;
    then the sum is made of 16-bit digits, in full.
    """
    if dtype == torch.bool or y.numel() == 0:
        return
    info, unsigned = torch.iinfo(dtype), dtype == torch.uint64
    width = 8 * y.element_size()  # bits that the sum wrapped at
    xd, wd = _as_double(x, unsigned), _as_double(w, unsigned)
    about = direct(xd, wd, g) if w.numel() and x.numel() else y.double() * 0
    most = float(xd.abs().max()) * float(wd.abs().max()) * w[:1].numel() if w.numel() and x.numel() else 0.0
    del xd, wd
    if bias is not None:
        about += _as_double(bias, unsigned).reshape(-1, *(1,) * (y.ndim - 2))
    if (w[:1].numel() + 2) * 2.0**-52 * (most + 2.0**width) < 2.0 ** (width - 2):
        beyond = (about - _as_double(y, unsigned)).abs() > 2.0 ** (width - 1)
    elif width < 32:
        total = add_bias(direct(x.long(), w.long(), g), bias)
        beyond = (total < info.min) | (total > info.max)
    else:
        beyond = _carries(x, w, bias, g, width, unsigned)
    if info.bits < width:  # summed in a wider integer
        beyond |= (y < info.min) | (y > info.max)
    if bool(beyond.any()):
        raise InputError(
            f"every sum must fit into {dtype}, got about {about.abs().max():.4g}; convert x to a wider dtype "
            "or use precision='normwise' to wrap"
        )


def _as_double(t: torch.Tensor, unsigned: bool) -> torch.Tensor:
    """Integers as float64; `unsigned` ones above 2^63 stand as negative int64."""
    t = t.double()
    return torch.where(t < 0, t + 2.0**64, t) if unsigned else t


def _carries(x, w, bias, g: Geometry, width: int, unsigned: bool) -> torch.Tensor:
    """True where w ∗ x + bias needs more bits than `width`, 32 or 64.

    Long multiplication in base 2^16, whose products are exact in float64.
    """
    digits: list[Any] = [0] * 8
    parts = [[_digit(t, i, unsigned).double() for i in range(4)] for t in (x, w)]
    for i, a in enumerate(parts[0]):
        for j, b in enumerate(parts[1]):
            digits[i + j] = digits[i + j] + direct(a, b, g).long()
    if bias is not None:
        for i in range(4):
            digits[i] = digits[i] + _digit(bias, i, unsigned).reshape(-1, *(1,) * (x.ndim - 2))
    carry: Any = 0
    for i in range(8):
        value = digits[i] + carry
        digits[i], carry = value & 0xFFFF, value >> 16
    kept, rest = digits[: width // 16], digits[width // 16 :]
    sign = kept[-1] * 0 if unsigned else kept[-1] >> 15  # repeated in all digits above
    beyond = carry != -sign
    for digit in rest:
        beyond |= digit != sign * 0xFFFF
    return beyond


def _digit(t: torch.Tensor, i: int, unsigned: bool) -> torch.Tensor:
    """Digit i of int64 in base 2^16, least first; the last carries the sign."""
    shifted = t.long() >> (16 * i)
    return shifted if i == 3 and not unsigned else shifted & 0xFFFF


def _redo_imprecise(
    y: torch.Tensor, x: torch.Tensor, w: torch.Tensor, g: Geometry, method: str
) -> torch.Tensor:
    """y with the stretches summed directly whose error bound is above 2·n·eps·sum|w·x|, or says nothing."""
    span, length = g.spans(w.shape[2:])[-1], x.shape[-1]
    n_fft = fft_points(method, g, x.shape, w.shape, x.dtype.itemsize)
    real = torch.float64 if x.dtype in (torch.float64, torch.complex128) else torch.float32
    xa, wa = _magnitudes(x), _magnitudes(w)  # float64, so that float32's squares neither vanish nor overflow
    if xa is None or wa is None:
        return direct(x, w, g)  # not finite, or of so wide a range that norms say nothing
    n_terms = wa[0].numel()
    magnitude = forward_product(xa, wa, g, n_fft)  # sum |w·x|, itself within `error`
    error = _block_norm(xa, g, n_fft, w.shape[2:], y)
    error = error * wa.flatten(1).norm(dim=1).reshape(1, -1, *(1,) * (y.ndim - 2))
    error *= normwise_bound(method, real, 0, n_fft)
    del xa, wa
    magnitude -= error
    magnitude *= n_terms * torch.finfo(real).eps
    bad = ~((error <= magnitude) & y.detach().isfinite())  # a bound that is NaN is none
    positions = bad.flatten(0, -2).any(0).nonzero().flatten()
    if len(positions) == 0:
        return y
    if len(positions) > y.shape[-1] // 2:
        return direct(x, w, g)
    breaks = ((positions[1:] - positions[:-1]) > CLOSE).nonzero().flatten() + 1
    result = y.clone()
    for part in torch.tensor_split(positions, breaks.cpu()):
        first, last = int(part[0]), int(part[-1])
        inside, sides = g.stretch(first, last, span, length)
        result[..., first : last + 1] = direct(x[..., inside], w, g._replace(pads=(*g.pads[:-1], sides)))
    return result


def _magnitudes(t: torch.Tensor) -> torch.Tensor | None:
    """|t| in float64, scaled so that its squares can be summed; None where no scale does."""
    a = t.detach().abs().double()
    top = a.amax()
    if not bool(top.isfinite()):
        return None
    if float(top) == 0:
        return a
    least = torch.where(a > 0, a, top).amin()
    if float(top) < 2.0**400 and float(least) > 2.0**-400:
        return a
    if math.log2(float(top)) - math.log2(float(least)) > 800:
        return None
    power = round(400 - math.log2(float(top)))
    return a * 2.0 ** (power // 2) * 2.0 ** (power - power // 2)  # one factor alone may overflow


def _block_norm(xa: torch.Tensor, g: Geometry, n_fft: int, kernel: torch.Size, y: torch.Tensor) -> torch.Tensor:
    """The norm of what shares an FFT block with each output."""
    (low, _), stride, size, span = g.pads[-1], g.stride[-1], y.shape[-1], g.spans(kernel)[-1]
    n_parts, per = cut(g, kernel, xa.shape[-1], n_fft)
    is_whole = n_fft >= whole_length(g, span, xa.shape[-1])
    reach = (size - 1) * stride + span if is_whole else n_fft + (n_parts - 1) * (n_fft // 2)
    hop = per * stride
    norms = []
    for block in range(-(-size // per)):  # each by itself: differences of one running sum lose the soft ones
        start = block * hop - low
        seen = xa[..., max(0, start) : max(0, start + reach)].unflatten(1, (g.groups, -1))
        norms.append(torch.linalg.vector_norm(seen, dim=tuple(range(2, seen.ndim))))
    norm = torch.stack(norms, -1)  # (B, G, blocks)
    norm = norm.repeat_interleave(per, -1)[..., :size].repeat_interleave(y.shape[1] // g.groups, 1)
    return norm.reshape(y.shape[0], y.shape[1], *(1,) * (y.ndim - 3), size)

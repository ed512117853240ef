"""NaN on purpose: left out with the weights of the rest scaled up, or refused by its index."""

from __future__ import annotations

from collections.abc import Callable

import torch

from ..errors import InputError
from .geometry import Geometry
from .padding import pad

__all__ = ["NAN_RULES", "has_nan", "omit_nan", "refuse_nan"]

NAN_RULES = ("propagate", "omit", "raise")

Run = Callable[[torch.Tensor, torch.Tensor, Geometry], torch.Tensor]


def refuse_nan(name: str, t: torch.Tensor, lengths: list[int] | None = None, *, batched: bool = True) -> None:
    """InputError with the index of the first NaN.

    Parameters
    ----------
    name : str
    t : Tensor
    lengths : list of int, optional
        How much of each row's last axis counts.
    batched : bool
        False: the first axis was put there by us, and the index is said without it.
    """
    if not has_nan(t):
        return
    rows = [t[i, ..., :n] for i, n in enumerate(lengths)] if lengths is not None else t.unbind(0)
    count, first = 0, None
    for i, row in enumerate(rows):
        if has_nan(row):
            places = row.isnan().nonzero()
            count += len(places)
            first = first or (i, *places[0].tolist())
    if first is not None:
        index = first if batched else first[1:]
        raise InputError(f"{name} must hold no NaN, got {count}, the first at {index}; try nan='omit'")


def omit_nan(x: torch.Tensor, w: torch.Tensor, g: Geometry, run: Run) -> torch.Tensor:
    """sum(w·x)·sum(w)/sum(w), the first and last sum over what is not NaN; NaN where nothing is left.

    Weights are summed in float64, half-precision signals in float32. Source: astropy.convolution,
    nan_treatment="interpolate" with normalize_kernel=False. Zeros beyond the border count as valid, as
    astropy's boundary="fill" does.

    Raises
    ------
    InputError
        If the weights of an output channel sum to 0: nothing then says how to scale.
    """
    if not (x.dtype.is_floating_point or x.dtype.is_complex) or not has_nan(x):
        return run(x, w, g)
    dtype, precise = x.dtype, torch.complex128 if x.is_complex() else torch.float64
    x = pad(x, g.pads)
    g = g._replace(pads=((0, 0),) * len(g.pads))
    missing, weights = x.isnan(), w.to(precise)
    total, whole = weights.flatten(1).sum(1), weights.flatten(1).abs().sum(1)
    least = (w[:1].numel() + 64) * torch.finfo(precise).eps * whole  # what rounding alone may leave of a sum
    if bool((total.abs() <= 10 * torch.finfo(dtype).eps * whole).any()):
        raise InputError(
            "w must not sum to 0 in any output channel where nan='omit', since weights are scaled by it"
        )
    channel = (-1, *(1,) * (x.ndim - 2))
    left = run((~missing).to(precise), weights, g)
    nothing = left.abs() <= least.reshape(channel)
    scale = total.reshape(channel) / left.masked_fill(nothing, 1)
    wide = torch.promote_types(dtype, torch.float32)  # a half would round the sum before it is scaled
    y = run(x.masked_fill(missing, 0).to(wide), w.to(wide), g) * scale.to(wide)
    return y.masked_fill(nothing, torch.nan).to(dtype)


def has_nan(t: torch.Tensor) -> bool:
    """Looked for without memory: the largest of numbers is NaN where one of them is."""
    if t.is_complex():
        t = torch.view_as_real(t.detach().resolve_conj())
    if t.numel() == 0 or not t.dtype.is_floating_point:
        return False
    return bool(t.detach().amax().isnan())

"""NaN on purpose: left out with the weights of the rest scaled up, or refused by its index."""

from __future__ import annotations

from collections.abc import Callable

import torch

from ..errors import InputError

__all__ = ["NAN_RULES", "omit_nan", "refuse_nan"]

NAN_RULES = ("propagate", "omit", "raise")


def refuse_nan(**arrays: torch.Tensor) -> None:
    """InputError with the index of the first NaN."""
    for name, t in arrays.items():
        if (t.dtype.is_floating_point or t.dtype.is_complex) and bool(t.isnan().any()):
            index = tuple(t.isnan().nonzero()[0].tolist())
            count = int(t.isnan().sum())
            raise InputError(f"{name} must hold no NaN, got {count}, the first at {index}; try nan='omit'")


def omit_nan(
    x: torch.Tensor, w: torch.Tensor, run: Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
) -> torch.Tensor:
    """sum(w·x)·sum(w)/sum(w), the first and last sum over what is not NaN; NaN where nothing is left.

    Source: astropy.convolution, nan_treatment="interpolate" with normalize_kernel=False. Zeros beyond the
    border count as valid, as astropy's boundary="fill" does.

    Raises
    ------
    InputError
        If the weights of an output channel sum to 0: nothing then says how to scale.
    """
    if not (x.dtype.is_floating_point or x.dtype.is_complex):
        return run(x, w)
    missing = x.isnan()
    if not bool(missing.any()):
        return run(x, w)
    total = w.flatten(1).sum(1)
    if bool((total.abs() <= 10 * torch.finfo(w.dtype).eps * w.flatten(1).abs().sum(1)).any()):
        raise InputError(
            "w must not sum to 0 in any output channel where nan='omit', since weights are scaled by it"
        )
    lost = run(missing.to(x.dtype), w)  # the weight that fell on NaN
    total = total.reshape(-1, *(1,) * (x.ndim - 2))
    left = total - lost
    nothing = left.abs() <= 1e3 * torch.finfo(w.dtype).eps * total.abs()
    y = run(x.masked_fill(missing, 0), w) * total / torch.where(nothing, torch.ones_like(left), left)
    return y.masked_fill(nothing, torch.nan)

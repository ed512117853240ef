"""A sum of products in which some factors are NaN or Inf: finite terms are computed, the others counted."""

from __future__ import annotations

from collections.abc import Callable

import torch

__all__ = ["sum_with_non_finite"]

Run = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


def sum_with_non_finite(x: torch.Tensor, w: torch.Tensor, run: Run) -> torch.Tensor:
    """run(x, w), each output what the plain sum of its own terms gives.

    An output is NaN where a term is NaN (NaN · anything, Inf · 0) or Infs of both signs meet, ±Inf where only
    one sign does. Zeros that `run` pads with, and FFT, would otherwise spread NaN further.

    Parameters
    ----------
    x, w : Tensor
        Floating or complex, of one dtype.
    run : function(Tensor, Tensor) → Tensor
        Bilinear, each output a sum of products x[i]·w[j]; called with finite float tensors.

    Examples
    --------
    >>> x, w = torch.tensor([1.0, torch.inf, 2.0]), torch.tensor([1.0, -1.0, 0.0])
    >>> sum_with_non_finite(x, w, lambda p, q: p * q)
    tensor([1., -inf, 0.])
    """
    if x.is_complex():
        rr, ii, ri, ir = (
            sum_with_non_finite(p, q, run)
            for p, q in ((x.real, w.real), (x.imag, w.imag), (x.real, w.imag), (x.imag, w.real))
        )
        return torch.complex(rr - ii, ri + ir)
    clean = run(x.masked_fill(~x.isfinite(), 0), w.masked_fill(~w.isfinite(), 0))
    x, w = x.detach(), w.detach()

    def meets(marks: torch.Tensor, others: torch.Tensor) -> torch.Tensor:
        if not bool(marks.any()) or not bool(others.any()):
            return torch.zeros((), dtype=torch.bool, device=x.device)
        return run(marks.double(), others.double()) > 0.5

    any_x, any_w = torch.ones_like(x, dtype=torch.bool), torch.ones_like(w, dtype=torch.bool)
    x_up, x_down, w_up, w_down = x.isposinf(), x.isneginf(), w.isposinf(), w.isneginf()
    x_plus, x_minus = (x > 0) & x.isfinite(), (x < 0) & x.isfinite()
    up = meets(x_up, w > 0) | meets(x_down, w < 0) | meets(x_plus, w_up) | meets(x_minus, w_down)
    down = meets(x_up, w < 0) | meets(x_down, w > 0) | meets(x_plus, w_down) | meets(x_minus, w_up)
    nan = meets(x.isnan(), any_w) | meets(any_x, w.isnan()) | (up & down)
    nan = nan | meets(x.isinf(), w == 0) | meets(x == 0, w.isinf())
    return clean.masked_fill(up, torch.inf).masked_fill(down, -torch.inf).masked_fill(nan, torch.nan)

"""A plan carried out on tensors of one dtype: pad, sum by the method, add the bias."""

from __future__ import annotations

import torch

from .geometry import Geometry
from .gradients import direct_in_training, trains
from .kernels import METHODS, direct, through_spectrum
from .padding import pad
from .plan import Plan

__all__ = ["add_bias", "compute", "sum_by"]


def compute(
    x: torch.Tensor,
    w: torch.Tensor,
    bias: torch.Tensor | None,
    plan: Plan,
    spectra: list[torch.Tensor] | None = None,
) -> torch.Tensor:
    """y (B, C_out, *out) from x (B, C_in, *spatial), w and bias (C_out,), all of one dtype.

    `spectra` are w's (`spectral.kernel_spectra`) where they are at hand.
    """
    if plan.mode_pads is not None:
        x = pad(x, plan.mode_pads, plan.mode)
    if plan.gradients is not None and trains(x, w, bias):
        return direct_in_training(x, w, bias, plan.geometry, plan.gradients)
    if plan.fused:
        return direct(x, w, plan.geometry, bias)
    if spectra is not None:
        return add_bias(through_spectrum(x, w, plan.geometry, plan.method, spectra), bias)
    return add_bias(sum_by(plan.method, x, w, plan.geometry), bias)


def sum_by(method: str, x: torch.Tensor, w: torch.Tensor, g: Geometry) -> torch.Tensor:
    """The method's sum, also where there is no channel to sum over or to give."""
    if w.numel():
        return METHODS[method](x, w, g)
    y = x.new_zeros((x.shape[0], w.shape[0], *g.out_sizes(x.shape[2:], w.shape[2:])))
    return y + (w.sum() + x[:0].sum())  # zero, and the graph that gradients flow along


def add_bias(y: torch.Tensor, bias: torch.Tensor | None) -> torch.Tensor:
    """y (B, C, *spatial) + bias (C,)."""
    return y if bias is None else y + bias.reshape(-1, *(1,) * (y.ndim - 2))

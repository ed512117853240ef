"""Integrated gradients: the change of a function along a straight line, shared out among what moved."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch

from ..errors import InputError

__all__ = ["PathIntegral", "integrate_gradients"]

_FIRST, _BATCH, _SHORTEST = 8, 8, 2.0**-14  # pieces to begin with, evaluated at once, and the shortest one
_SPREAD = 0.05  # of the ups and downs of f: errors of pieces may cancel only where all of them are this small
_BEND = 4  # a piece of u stands for one of u^4 of the way: a logarithm of power changes most near silence
_NOISE = 1e-6  # of float32


class PathIntegral(NamedTuple):
    """What integrate_gradients gives.

    values : Tensor, shaped as x
        The share of each element; their sum is `change` but for `gap`.
    change : float
        f(x) − f(baseline).
    gap : float
        sum(values) − change.
    n_steps : int
        Gradients that were taken.
    """

    values: torch.Tensor
    change: float
    gap: float
    n_steps: int


def integrate_gradients(
    f: Callable[[torch.Tensor], torch.Tensor],
    x: torch.Tensor,
    baseline: torch.Tensor,
    *,
    tolerance: float = 1e-2,
    max_steps: int = 1024,
) -> PathIntegral:
    """(x − baseline) · ∫₀¹ ∂f/∂x at baseline + α (x − baseline) dα, in as many steps as completeness asks for.

    The way is cut into pieces. A piece whose gradient at its middle does not say how much f changes along it,
    to its share of `tolerance`, is halved, until the sum holds: so the steps gather where f is bent.

    Parameters
    ----------
    f : callable
        (B, …) → (B,), row by row.
    x, baseline : Tensor, one shape
    tolerance : float
        |sum of the shares − change| is at most this part of |change|.
    max_steps : int
        Gradients after which pieces are no longer halved; then `gap` tells how well it holds.

    Raises
    ------
    InputError
        If the shapes differ or tolerance is not > 0.

    Source: Sundararajan, Taly & Yan, Axiomatic Attribution for Deep Networks (2017), eq. 1 and 3.

    Examples
    --------
    >>> found = integrate_gradients(lambda x: x[:, 0] * x[:, 1], torch.tensor([2.0, 3.0]), torch.zeros(2))
    >>> found.values.numpy().round(2), found.change  # what is symmetric in two gives each one half
    (array([3., 3.], dtype=float32), 6.0)
    """
    if x.shape != baseline.shape:
        raise InputError(f"baseline must have the shape of x, {tuple(x.shape)}, got {tuple(baseline.shape)}")
    if not tolerance > 0:
        raise InputError(f"tolerance must be > 0, got {tolerance}")
    way = (x - baseline).detach()
    u = torch.linspace(0, 1, _FIRST + 1, dtype=torch.float64)
    heights = _values(f, baseline, way, u)
    change = float(heights[-1] - heights[0])
    pieces = list(
        zip(u[:-1].tolist(), u[1:].tolist(), heights[:-1].tolist(), heights[1:].tolist(), strict=True)
    )
    total, n_steps, error, spread = torch.zeros_like(x), 0, 0.0, 0.0  # of the pieces that are done
    while pieces:
        doubtful, pending = [], torch.zeros_like(x)
        pending_error = pending_spread = 0.0
        for i in range(0, len(pieces), _BATCH):
            batch = pieces[i : i + _BATCH]
            low, high, f_low, f_high = torch.tensor(batch, dtype=torch.float64).T
            a, b = low**_BEND, high**_BEND
            slopes = _gradients(f, baseline, way, (a + b) / 2)
            wrong_by = (slopes * way).double().flatten(1).sum(1) * (b - a) - (f_high - f_low)
            wrong = wrong_by.abs() > tolerance * abs(change) * (high - low) + _NOISE
            wrong &= high - low > _SHORTEST
            total += _weighted(slopes, torch.where(wrong, 0.0, b - a))
            pending += _weighted(slopes, torch.where(wrong, b - a, 0.0))
            error += float(wrong_by[~wrong].sum())
            spread += float(wrong_by[~wrong].abs().sum())
            pending_error += float(wrong_by[wrong].sum())
            pending_spread += float(wrong_by[wrong].abs().sum())
            doubtful += [piece for piece, more in zip(batch, wrong.tolist(), strict=True) if more]
        n_steps += len(pieces)
        holds = abs(error + pending_error) <= tolerance / 2 * abs(change)
        holds &= spread + pending_spread <= _SPREAD * _variation(heights)
        if holds or n_steps + 2 * len(doubtful) > max_steps:
            total += pending
            break
        middles = torch.tensor([(p[0] + p[1]) / 2 for p in doubtful], dtype=torch.float64)
        f_middles = _values(f, baseline, way, middles).tolist()
        pieces = []
        for (low_u, high_u, f_a, f_b), m, f_m in zip(doubtful, middles.tolist(), f_middles, strict=True):
            pieces += [(low_u, m, f_a, f_m), (m, high_u, f_m, f_b)]
    values = total * way
    return PathIntegral(values, change, float(values.double().sum()) - change, n_steps)


def _variation(heights: torch.Tensor) -> float:
    """How far f goes up and down from end to end of the first pieces."""
    return float(heights.diff().abs().sum())


def _weighted(slopes: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    return torch.einsum("b,b...->...", weights.to(slopes.dtype), slopes)


def _values(f, baseline, way, u: torch.Tensor) -> torch.Tensor:
    """f at u^_BEND of the way [shape=(n,), float64]."""
    with torch.no_grad():
        rows = [f(_points(baseline, way, part**_BEND)) for part in u.split(_BATCH)] if len(u) else []
    return torch.cat(rows).double() if rows else u


def _gradients(f, baseline, way, alphas: torch.Tensor) -> torch.Tensor:
    points = _points(baseline, way, alphas).requires_grad_()
    (slopes,) = torch.autograd.grad(f(points).sum(), points)
    return slopes


def _points(baseline: torch.Tensor, way: torch.Tensor, alphas: torch.Tensor) -> torch.Tensor:
    return baseline + alphas.to(way.dtype).reshape(-1, *[1] * way.ndim) * way

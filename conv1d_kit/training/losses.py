"""Losses on logits for one class a row or several labels a row, and the weights that balance rare classes."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch

from ..errors import InputError

__all__ = ["LOSSES", "balanced_weights", "make_loss"]

Loss = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


def make_loss(
    kind: str = "single", *, class_weights: Sequence[float] | None = None, label_smoothing: float = 0.0
) -> Loss:
    """A function (logits [shape=(B, n_classes)], targets) → scalar, the mean over rows.

    Parameters
    ----------
    kind : a key of LOSSES
        "single": one class a row; targets (B,) int classes or (B, n_classes) shares that sum to 1. "multi": any
        number of labels a row; targets (B, n_classes) from 0 to 1.
    class_weights : n_classes numbers > 0, optional
        Factor on what a row's share of each class adds (in "multi": the label's presence, not its absence).
    label_smoothing : float in [0, 1)
        This share of every target is spread evenly: over the classes, or in "multi" over present and absent.

    Raises
    ------
    InputError
        If an option cannot be used, or there is not one weight a class.

    Notes
    -----
    With weights the sum is divided by B, not by the sum of weights as torch does for int targets, so that a
    class and its one-hot row give one value.

    Source: Szegedy et al. (2016), Rethinking the Inception architecture, section 7 (label smoothing).

    Examples
    --------
    >>> loss = make_loss(label_smoothing=0.1)
    >>> round(float(loss(torch.tensor([[2.0, 0.0]]), torch.tensor([0]))), 4)
    0.2269
    """
    if kind not in LOSSES:
        raise InputError(f"kind must be one of {', '.join(LOSSES)}, got {kind!r}")
    if not 0 <= label_smoothing < 1:
        raise InputError(f"label_smoothing must be in [0, 1), got {label_smoothing!r}")
    weights = None
    if class_weights is not None:
        weights = torch.as_tensor(np.asarray(class_weights, dtype=np.float64))
        if weights.ndim != 1 or not bool((weights.isfinite() & (weights > 0)).all()):
            raise InputError(f"class_weights must be finite numbers > 0, one a class, got {class_weights!r}")
    value = LOSSES[kind]

    def loss(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        if weights is None:
            return value(logits, targets, None, label_smoothing)
        if len(weights) != logits.shape[1]:
            raise InputError(
                f"class_weights must hold one number a class ({logits.shape[1]}), got {len(weights)}"
            )
        return value(logits, targets, weights.to(logits), label_smoothing)

    return loss


def balanced_weights(targets) -> np.ndarray:
    """Weights n / (n_classes · n_c) [shape=(n_classes,), float64]: every class then weighs alike in all.

    Parameters
    ----------
    targets : (N,) int classes from 0, or (N, n_classes) shares

    Raises
    ------
    InputError
        If a class has no row.

    Examples
    --------
    >>> balanced_weights([0, 0, 0, 1])
    array([0.66666667, 2.        ])
    """
    t = np.asarray(targets)
    if t.ndim not in (1, 2) or len(t) == 0 or (t.ndim == 1 and t.dtype.kind not in "iu"):
        raise InputError(
            f"targets must be (N,) int or (N, n_classes), N >= 1, got {t.dtype} of shape {t.shape}"
        )
    if t.ndim == 1 and t.min() < 0:
        raise InputError(f"targets must be classes from 0, got {t.min()}")
    counts = (np.bincount(t) if t.ndim == 1 else t.sum(0)).astype(np.float64)
    if not (counts > 0).all():
        raise InputError(f"targets must hold every class, got no row of class {int(np.argmax(~(counts > 0)))}")
    return len(t) / (len(counts) * counts)


def _single(logits, targets, weights, smoothing: float) -> torch.Tensor:
    if targets.ndim == 1 and weights is not None:
        targets = torch.nn.functional.one_hot(targets, logits.shape[1]).to(logits)
    return torch.nn.functional.cross_entropy(logits, targets, weight=weights, label_smoothing=smoothing)


def _multi(logits, targets, weights, smoothing: float) -> torch.Tensor:
    soft = targets.to(logits) * (1 - smoothing) + smoothing / 2
    return torch.nn.functional.binary_cross_entropy_with_logits(logits, soft, pos_weight=weights)


LOSSES: dict[str, Callable] = {"single": _single, "multi": _multi}

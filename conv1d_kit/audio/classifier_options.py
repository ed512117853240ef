"""Whether an AudioClassifier's parameters can be used: each said by its name, before anything is read."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..errors import InputError, check_whole, is_number, is_whole
from ..training.devices import PRECISIONS
from .augment import check_augments
from .frontends import FRONTENDS
from .members import NETS

__all__ = ["MAX_SEED", "check_options"]

MAX_SEED = 2**32 - 1  # scikit-learn's folds take no larger one


def check_options(o: Mapping[str, Any]) -> None:
    """The first parameter that cannot be used, as an InputError.

    Parameters
    ----------
    o : mapping
        `AudioClassifier.get_params()`.
    """
    _one_of("net", o["net"], NETS)
    if o["frontend"] is not None:
        _one_of("frontend", o["frontend"], tuple(FRONTENDS))
    _one_of("precision", o["precision"], tuple(PRECISIONS))
    if not isinstance(o["frontend_options"], Mapping | None):
        raise InputError(f"frontend_options must be a dict or None, got {o['frontend_options']!r}")
    if o["class_weight"] not in (None, "balanced"):
        raise InputError(f"class_weight must be 'balanced' or None, got {o['class_weight']!r}")
    for name, allowed, kinds in (
        ("multi_label", "True or False", bool | np.bool_),
        ("trim", "True, False or None", bool | np.bool_ | None),
        ("centred", "True, False or None", bool | np.bool_ | None),
    ):
        if not isinstance(o[name], kinds):
            raise InputError(f"{name} must be {allowed}, got {o[name]!r}")
    for name in ("batch_size", "n_seeds", "n_threads", "width", "epochs", "patience"):
        check_whole(name, o[name], or_none=name in ("epochs", "patience"))
    if not is_whole(o["seed"]) or not 0 <= o["seed"] <= MAX_SEED:
        raise InputError(f"seed must be an int from 0 to {MAX_SEED}, got {o['seed']!r}")
    for name, allowed, fits in (
        ("dropout", "in [0, 1)", lambda v: 0 <= v < 1),
        ("average_decay", "in [0, 1)", lambda v: 0 <= v < 1),
        ("label_smoothing", "in [0, 1)", lambda v: 0 <= v < 1),
        ("learning_rate", "> 0 and finite", lambda v: 0 < v < math.inf),
        ("weight_decay", ">= 0 and finite", lambda v: 0 <= v < math.inf),
        ("validation_share", "> 0 and at most 0.5", lambda v: 0 < v <= 0.5),
        ("calibration_share", "> 0 and at most 0.5", lambda v: 0 < v <= 0.5),
        ("min_accuracy", "> 0 and at most 1", lambda v: 0 < v <= 1),
    ):
        value = o[name]
        if name in ("calibration_share", "min_accuracy") and value is None:
            continue
        if not is_number(value) or not fits(value):
            raise InputError(f"{name} must be a number {allowed}, got {value!r}")
    if o["multi_label"] and o["calibration_share"] is not None:
        raise InputError(
            "calibration_share must be None with multi_label: one temperature fits one class a clip"
        )
    if o["min_accuracy"] is not None and o["calibration_share"] is None:
        raise InputError(
            "min_accuracy must go with calibration_share, the share of clips that the threshold is found on; "
            "try calibration_share=0.2"
        )
    if o["augment"] is not None:
        check_augments(o["augment"])


def _one_of(name: str, value: Any, allowed: Sequence[str]) -> None:
    if value not in allowed:
        raise InputError(f"{name} must be one of {', '.join(allowed)}, got {value!r}")

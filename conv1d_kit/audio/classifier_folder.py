"""The folder of a trained AudioClassifier: its weights (safetensors), and JSON that builds it again."""

from __future__ import annotations

import os
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import ModelError
from ..training.model_folder import load_model_folder, save_model_folder
from ..training.rejection import Threshold
from .composite_nets import Ensemble, HeardNet
from .frontends import FRONTENDS, Frontend
from .net_training import plain

if TYPE_CHECKING:
    from .classifier import AudioClassifier

__all__ = ["read_classifier", "write_classifier"]


def write_classifier(model: AudioClassifier, path) -> None:
    """`AudioClassifier.save`."""
    config = {
        "classes": model.classes_.tolist(),
        "sample_rate": model.sample_rate_,
        "frontend": _described(model.frontend_),
        "net": {"name": model.net, "epochs": model.epochs_, "fronts": [_described(f) for f in _fronts(model)]},
        "window_s": model.window_s_,
        "temperature": model.temperature_,
        "threshold": None if model.threshold_ is None else asdict(model.threshold_),
        "parameters": {k: plain(v) for k, v in model.get_params().items()},
    }
    save_model_folder(path, "audio", config, model.net_.state_dict())


def read_classifier(kind: type[AudioClassifier], path) -> AudioClassifier:
    """`AudioClassifier.load`: a `kind` as the folder describes it."""
    config, tensors = load_model_folder(path, "audio")
    try:
        parameters = dict(config["parameters"])
        if parameters.get("augment") is not None:
            parameters["augment"] = tuple(parameters["augment"])
        model = kind(**parameters)
        model.check_options()
        frontend = _built(config["frontend"])
        net = model.make_net([_built(f) for f in config["net"]["fronts"]], len(config["classes"]))
        net.load_state_dict(tensors)
        epochs, window_s = int(config["net"]["epochs"]), float(config.get("window_s", 3.0))
        model.temperature_, kept = float(config.get("temperature", 1.0)), config.get("threshold")
        model.threshold_ = None if kept is None else Threshold(**kept)
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        reason = "; ".join(line.strip() for line in str(error).splitlines())[:400]
        raise ModelError(
            f"{os.fspath(path)}: config.json and weights do not fit together ({reason})"
        ) from error
    model.net_, model.frontend_, model.classes_ = net.eval(), frontend, np.asarray(config["classes"])
    model.sample_rate_, model.epochs_, model.window_s_ = frontend.sample_rate, epochs, window_s
    model.skipped_, model.n_skipped_, model.silent_, model.short_ = [], 0, [], []
    model.choices_, model.frames_ = None, {}
    return model


def _fronts(model: AudioClassifier) -> list[Frontend]:
    """The front-ends of the trained net, as `make_net` takes them."""
    net = model.net_
    pairs = net.members if isinstance(net, Ensemble) else [(model.frontend_, net)]
    return [net.front if isinstance(net, HeardNet) else front for front, net in pairs]


def _described(frontend: Frontend) -> dict[str, Any]:
    """What builds it again, for JSON."""
    name = next(name for name, row in FRONTENDS.items() if row is type(frontend))
    return {"name": name, "options": frontend.options()}


def _built(described: dict[str, Any]) -> Frontend:
    return FRONTENDS[described["name"]](**described["options"])

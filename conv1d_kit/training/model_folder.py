"""The model folder: `weights.safetensors` + `config.json`; opening one never runs code from it."""

from __future__ import annotations

import json
import os
import platform
import re
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ..errors import ModelError
from .model_files import CONFIG, WEIGHTS
from .whole_file import give_plain_mode

__all__ = ["FORMAT", "check_model_target", "load_model_folder", "save_model_folder"]

FORMAT = 1  # raised when an older reader could no longer understand config.json
KINDS = ("audio", "text")


def check_model_target(path) -> None:
    """Refuse a place where a model must not or cannot be written, before hours are spent on training it.

    A name that is free is good, and so is a model folder of this package, or a link to one, that holds nothing
    else: it would be replaced. `save_model_folder` applies the same rule.

    Parameters
    ----------
    path : str or Path

    Raises
    ------
    ModelError
        If `path` is a file, lies under one, is a folder that holds anything but a model, is a link to nothing,
        or cannot be written.
    """
    target = _target(path)
    try:
        place = target.parent
        while not os.path.lexists(place):
            place = place.parent
        os.rmdir(tempfile.mkdtemp(prefix=f".{target.name}.", dir=place))
    except (OSError, ValueError) as error:
        raise _unwritable(path, error) from error


def save_model_folder(path, kind: str, config: dict, tensors: dict[str, torch.Tensor]) -> Path:
    """Write a model folder whole or not at all.

    Parameters
    ----------
    path : str or Path
        The folder to make. A model folder that stands there, or that a link there leads to, is replaced;
        anything else is refused (`check_model_target`).
    kind : str
        What may open it: "audio" or "text".
    config : dict
        JSON-able: classes in order, front-end, vocabulary, options.
    tensors : dict of name → tensor
        A state_dict.

    Returns
    -------
    Path

    Raises
    ------
    ModelError
        If `path` holds something that is not a model folder, or cannot be written; then all is as it was.
    """
    from safetensors import SafetensorError
    from safetensors.torch import save_file

    check_model_target(path)
    target = _target(path)
    document = _document({"format": FORMAT, "kind": kind, "versions": _versions(), **config})
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        part = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    except (OSError, ValueError) as error:
        raise _unwritable(path, error) from error
    try:
        save_file({k: v.detach().cpu().contiguous() for k, v in tensors.items()}, part / WEIGHTS)
        (part / CONFIG).write_text(document, "utf-8")
        for place in (part / WEIGHTS, part):
            give_plain_mode(place)
        _move(part, target)
    except (OSError, SafetensorError) as error:
        raise _unwritable(path, error) from error
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return Path(path)


def load_model_folder(path, kind: str) -> tuple[dict, dict[str, torch.Tensor]]:
    """Read a model folder.

    Returns
    -------
    config, tensors : dict, dict of name → CPU tensor

    Raises
    ------
    ModelError
        If the folder is missing, damaged, of another kind or written by a newer format, or holds weights that
        are not finite.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    folder = Path(path)
    if not ((folder / CONFIG).is_file() and (folder / WEIGHTS).is_file()):
        raise ModelError(f"{folder} is not a model folder ({WEIGHTS} and {CONFIG})")
    try:
        config = json.loads((folder / CONFIG).read_text("utf-8"))
        tensors = load_file(folder / WEIGHTS)
    except (OSError, ValueError, RecursionError, SafetensorError) as error:
        raise ModelError(f"{folder} is damaged and cannot be read: {error}; train it again") from error
    version = config.get("format") if isinstance(config, dict) else None
    if isinstance(version, bool) or not isinstance(version, int) or version < 1:
        raise ModelError(
            f"{folder}/{CONFIG} must say its format, an int >= 1, got {version!r}; did conv1d_kit write it?"
        )
    if version > FORMAT:
        raise ModelError(
            f"{folder} has format {version}, this version reads up to {FORMAT}; upgrade conv1d_kit"
        )
    if config.get("kind") != kind:
        raise ModelError(f"{folder} holds a model of kind {config.get('kind')!r}, asked for {kind!r}")
    for name, tensor in tensors.items():
        if not torch.isfinite(tensor).all():
            raise ModelError(f"{folder} has weights that are NaN or infinite ({name}); train it again")
    return config, tensors


def _target(path) -> Path:
    """Where a model at `path` is written: the place itself, or where its links lead."""
    try:
        target = Path(os.path.realpath(path))
    except (OSError, ValueError) as error:
        raise _unwritable(path, error) from error
    if not os.path.lexists(target):
        if os.path.lexists(path):
            raise ModelError(f"{path} is a link to {target}, which is not there; remove the link")
        return target
    reason = _not_replaceable(target)
    if reason is not None:
        raise ModelError(f"{path} is not a model folder that may be replaced: {reason}; choose another name")
    return target


def _not_replaceable(target: Path) -> str | None:
    """Why what stands at `target` must stay, or None if it is a model of this package and nothing else."""
    if not target.is_dir():
        return "it is a file"
    try:
        names = sorted(os.listdir(target))
        config = json.loads((target / CONFIG).read_text("utf-8")) if CONFIG in names else {}
    except (OSError, ValueError, RecursionError):
        return f"its {CONFIG} cannot be read"
    said = (config.get("format"), config.get("kind")) if isinstance(config, dict) else (None, None)
    ours = said[0] in range(1, FORMAT + 1) and said[1] in KINDS
    if not ours or not (target / WEIGHTS).is_file():
        return f"it holds no {WEIGHTS} with a {CONFIG} that conv1d_kit has written"
    foreign = [name for name in names if name not in (CONFIG, WEIGHTS)]
    return f"it holds {foreign[0]!r} beside the model" if foreign else None


def _move(part: Path, target: Path) -> None:
    """Put the new folder in the target's place; whatever interrupts it, the old one stands there again."""
    old = part.with_name(part.name + ".old")
    try:
        if target.exists():
            os.replace(target, old)
        os.replace(part, target)
    finally:
        if old.exists() and not target.exists():
            os.replace(old, target)
        with suppress(OSError):
            for name in (CONFIG, WEIGHTS):  # by name: what was put there meanwhile is not ours to delete
                (old / name).unlink(missing_ok=True)
            old.rmdir()


def _unwritable(path, error: Exception) -> ModelError:
    reason = getattr(error, "strerror", None) or error
    return ModelError(f"cannot write the model folder {path}: {reason}; choose another place")


def _document(config: dict) -> str:
    """The JSON text of config.json; half characters (lone surrogates), which UTF-8 cannot hold, are escaped."""
    try:
        text = json.dumps(config, indent=2, ensure_ascii=False, default=_plain) + "\n"
    except (TypeError, ValueError) as error:
        raise ModelError(f"the model's classes and options must be numbers and strings: {error}") from error
    return re.sub("[\ud800-\udfff]", lambda half: f"\\u{ord(half.group()):04x}", text)


def _plain(value: Any) -> Any:
    if isinstance(value, np.generic | np.ndarray):
        return value.tolist()
    raise TypeError(f"{type(value).__name__} is neither")


def _versions() -> dict[str, str]:
    from .. import __version__

    return {
        "conv1d_kit": __version__,
        "python": platform.python_version(),
        "numpy": np.__version__,
        "torch": torch.__version__,
    }

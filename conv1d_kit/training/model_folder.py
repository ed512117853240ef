"""The model folder: `weights.safetensors` + `config.json`; opening one never runs code from it."""

from __future__ import annotations

import json
import os
import platform
import shutil
import tempfile
from pathlib import Path

import numpy as np
import torch

from ..errors import ModelError

__all__ = ["FORMAT", "load_model_folder", "save_model_folder"]

FORMAT = 1  # raised when an older reader could no longer understand config.json


def save_model_folder(path, kind: str, config: dict, tensors: dict[str, torch.Tensor]) -> Path:
    """Write a model folder whole or not at all.

    Parameters
    ----------
    path : str or Path
        The folder to make. A model folder that stands there is replaced; anything else is refused.
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
        If `path` holds something that is not a model folder, or cannot be written.
    """
    from safetensors.torch import save_file

    target = Path(path)
    if target.exists() and not _is_model_folder(target):
        raise ModelError(f"{target} exists and is not a model folder; choose another name")
    document = {"format": FORMAT, "kind": kind, "versions": _versions(), **config}
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        part = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    except OSError as error:
        raise ModelError(f"cannot write the model folder {target}: {error.strerror}") from error
    old = part.with_name(part.name + ".old")
    try:
        part.chmod(0o755)
        save_file({k: v.detach().cpu().contiguous() for k, v in tensors.items()}, part / "weights.safetensors")
        (part / "config.json").write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n", "utf-8")
        if target.exists():
            os.replace(target, old)
        os.replace(part, target)
    except OSError as error:
        if old.exists() and not target.exists():
            os.replace(old, target)
        raise ModelError(f"cannot write the model folder {target}: {error.strerror}") from error
    finally:
        shutil.rmtree(part, ignore_errors=True)
        shutil.rmtree(old, ignore_errors=True)
    return target


def load_model_folder(path, kind: str) -> tuple[dict, dict[str, torch.Tensor]]:
    """Read a model folder.

    Returns
    -------
    config, tensors : dict, dict of name → CPU tensor

    Raises
    ------
    ModelError
        If the folder is missing, damaged, of another kind, or written by a newer format.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    folder = Path(path)
    if not _is_model_folder(folder):
        raise ModelError(f"{folder} is not a model folder (weights.safetensors and config.json)")
    try:
        config = json.loads((folder / "config.json").read_text("utf-8"))
        tensors = load_file(folder / "weights.safetensors")
    except (OSError, ValueError, SafetensorError) as error:
        raise ModelError(f"{folder} is damaged and cannot be read: {error}") from error
    if not isinstance(config, dict) or "format" not in config:
        raise ModelError(f"{folder}/config.json does not say its format; was it written by conv1d_kit?")
    if config["format"] > FORMAT:
        raise ModelError(
            f"{folder} has format {config['format']}, this version reads up to {FORMAT}; upgrade conv1d_kit"
        )
    if config.get("kind") != kind:
        raise ModelError(f"{folder} holds a model of kind {config.get('kind')!r}, asked for {kind!r}")
    return config, tensors


def _is_model_folder(path: Path) -> bool:
    return (path / "config.json").is_file() and (path / "weights.safetensors").is_file()


def _versions() -> dict[str, str]:
    from .. import __version__

    return {
        "conv1d_kit": __version__,
        "python": platform.python_version(),
        "numpy": np.__version__,
        "torch": torch.__version__,
    }

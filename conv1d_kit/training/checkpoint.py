"""A checkpoint: all that a killed training run needs to go on, in one file that never runs code when opened.

The tensors stand in a safetensors file under readable names ("net.0.weight", "optimizer.state.0.exp_avg"), the
rest as JSON in its header with a checksum over both. It is written under a temporary name and then moved, so
that a kill in the middle of writing leaves the one before.
"""

from __future__ import annotations

import glob
import json
import os
import re
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ..errors import DataError, InputError, one_line

__all__ = ["read_checkpoint", "remove_checkpoints", "write_checkpoint"]

_FORMAT = 1  # raised when an older reader could no longer understand the file
_PLAIN = (bool, int, float, str, type(None))


def write_checkpoint(path: str | os.PathLike, run: dict, state: dict) -> None:
    """Put `state` at `path`, whole or not at all.

    Parameters
    ----------
    path : str or Path
        Its folder is made where it is missing; what stands there is replaced (`read_checkpoint` looked at it).
    run : dict of str → number, str or None
        What decides the run: only a run with the same values goes on from this file.
    state : nested dict, list or tuple of tensors, numbers, strings and None

    Raises
    ------
    InputError
        If `state` holds anything else.
    DataError
        If the file cannot be written.
    """
    from safetensors.torch import save

    tensors: dict[str, torch.Tensor] = {}
    packed = json.dumps({"run": run, "state": _packed(state, (), tensors)})
    header = {"format": str(_FORMAT), "checkpoint": packed, "checksum": _checksum(packed, tensors)}
    target = Path(path)
    part = target.with_name(f".{target.name}.part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with open(part, "wb") as file:
            file.write(save(tensors, header))
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, target)
    except (OSError, ValueError) as error:  # a NUL in the name, say
        reason = getattr(error, "strerror", None) or error
        raise DataError(f"cannot write the checkpoint {path}: {reason}; choose another place") from error


def read_checkpoint(path: str | os.PathLike, run: dict) -> dict | None:
    """The state that `write_checkpoint` put at `path`, or None if nothing stands there.

    Raises
    ------
    DataError
        If what stands there is damaged, no checkpoint, of a newer format or of another run.

    Examples
    --------
    >>> import tempfile
    >>> place = Path(tempfile.mkdtemp(), "training.safetensors")
    >>> read_checkpoint(place, {"seed": 0}) is None
    True
    >>> write_checkpoint(place, {"seed": 0}, {"step": 3, "betas": (0.9, 0.99), "w": torch.zeros(2)})
    >>> read_checkpoint(place, {"seed": 0})
    {'step': 3, 'betas': (0.9, 0.99), 'w': tensor([0., 0.])}
    >>> read_checkpoint(place, {"seed": 1})
    Traceback (most recent call last):
    conv1d_kit.errors.DataError: ... is of another run (seed: 0 there, 1 here); remove it to start anew, ...
    """
    from safetensors import SafetensorError, safe_open

    if not os.path.lexists(path):
        return None
    cure = "remove it to start anew, or choose another place"
    try:
        with safe_open(os.fspath(path), framework="pt") as file:
            header = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - no mapping
    except (OSError, ValueError, SafetensorError) as error:
        raise DataError(
            f"the checkpoint {path} is damaged or no checkpoint ({one_line(str(error))}); {cure}"
        ) from error
    if not header.keys() >= {"format", "checkpoint", "checksum"}:
        raise DataError(f"{path} is not a checkpoint of conv1d_kit; choose another place")
    if header["format"] != str(_FORMAT):
        raise DataError(
            f"the checkpoint {path} has format {one_line(header['format'])}, this version reads {_FORMAT}; "
            f"go on with the version that wrote it, or {cure}"
        )
    if header["checksum"] != _checksum(header["checkpoint"], tensors):
        raise DataError(f"the checkpoint {path} is damaged (its checksum does not fit); {cure}")
    document = json.loads(header["checkpoint"])
    here = json.loads(json.dumps(run))
    for name in [*here, *document["run"]]:
        if document["run"].get(name) != here.get(name):
            there = f"{one_line(document['run'].get(name))} there, {one_line(here.get(name))} here"
            raise DataError(f"the checkpoint {path} is of another run ({name}: {there}); {cure}")
    return _unpacked(document["state"], tensors)


def remove_checkpoints(path: Path) -> None:
    """Remove the checkpoint of a training and those of its parts, PATH.0, PATH.1, PATH.0.2 …

    Those that are not there are no fault.
    """
    parts = path.parent.glob(f"{glob.escape(path.name)}.*") if path.parent.is_dir() else ()
    for file in [path, *(p for p in parts if re.fullmatch(r"(\.\d+)+", p.name[len(path.name) :]))]:
        file.unlink(missing_ok=True)


def _packed(value: Any, at: tuple[str, ...], tensors: dict[str, torch.Tensor]) -> Any:
    """`value` as JSON takes it; tensors go into `tensors` and leave their names."""
    if isinstance(value, torch.Tensor):
        name = ".".join(at)
        while name in tensors:
            name += "'"
        tensors[name] = value.detach().cpu().contiguous().clone()  # shared memory is refused by the format
        return {"tensor": name}
    if isinstance(value, dict):
        return {"dict": [[key, _packed(v, (*at, str(key)), tensors)] for key, v in value.items()]}
    if isinstance(value, list | tuple):
        kind = "list" if isinstance(value, list) else "tuple"
        return {kind: [_packed(v, (*at, str(i)), tensors) for i, v in enumerate(value)]}
    if isinstance(value, np.generic):
        value = value.item()
    if type(value) in _PLAIN:
        return value
    raise InputError(
        f"what a checkpoint keeps must be tensors, numbers and strings, got {type(value).__name__} as "
        f"{'.'.join(at)}; train without a checkpoint"
    )


def _unpacked(value: Any, tensors: dict[str, torch.Tensor]) -> Any:
    if not isinstance(value, dict):
        return value
    ((kind, content),) = value.items()
    if kind == "tensor":
        return tensors[content]
    if kind == "dict":
        return {key: _unpacked(v, tensors) for key, v in content}
    return (list if kind == "list" else tuple)(_unpacked(v, tensors) for v in content)


def _checksum(document: str, tensors: dict[str, torch.Tensor]) -> str:
    """CRC-32 of the document and of every tensor's bytes: safetensors itself does not see a flipped bit."""
    crc = zlib.crc32(document.encode())
    for name in sorted(tensors):
        crc = zlib.crc32(tensors[name].reshape(-1).view(torch.uint8).numpy(), crc)
    return f"{crc:08x}"

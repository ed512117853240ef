"""The ONNX file of an audio model: what its metadata says, where it may be written, what it needs installed."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from typing import Any

from .. import __version__
from ..errors import InputError, ModelError

__all__ = ["Description", "check_onnx_target", "describe", "extra", "read_model", "written_whole"]

FORMAT = 1  # raised when an older reader could no longer understand the metadata


@dataclass(frozen=True)
class Description:
    """What a file says of itself in its metadata_props, each value a string.

    Attributes
    ----------
    classes : list
        Columns of the probabilities, in order.
    sample_rate : int, Hz
        Of the samples it takes.
    frontend : dict
        name, options, hop_length (samples a frame) and first_frames: n samples make
        first_frames + n // hop_length frames.
    version : str
        Of this package, when it was written.
    quantized : str
        "" for float weights, else how they were made int8.
    """

    classes: list
    sample_rate: int
    frontend: dict
    version: str = __version__
    quantized: str = ""

    def frames(self, n_samples: int) -> int:
        """Frames of a clip of `n_samples` samples."""
        return self.frontend["first_frames"] + n_samples // self.frontend["hop_length"]

    def metadata(self) -> dict[str, str]:
        """As the file holds it.

        Examples
        --------
        >>> said = Description(["cat", "dog"], 16000, {"name": "Raw", "hop_length": 1, "first_frames": 0})
        >>> said.metadata()["classes"], Description.read(said.metadata(), "model.onnx") == said
        ('["cat", "dog"]', True)
        """
        return {
            "format": str(FORMAT), "classes": json.dumps(self.classes), "sample_rate": str(self.sample_rate),
            "frontend": json.dumps(self.frontend), "version": self.version, "quantized": self.quantized,
        }  # fmt: skip

    @classmethod
    def read(cls, metadata: Mapping[str, str], name) -> Description:
        """From the metadata of the file `name`.

        Raises
        ------
        ModelError
            If this package has not written them, or a newer version has.
        """
        try:
            version = int(metadata["format"])
            if version > FORMAT:
                raise ModelError(
                    f"{name} has format {version}, this version reads up to {FORMAT}; upgrade conv1d_kit"
                )
            said = cls(
                list(json.loads(metadata["classes"])), int(metadata["sample_rate"]),
                dict(json.loads(metadata["frontend"])), metadata["version"], metadata["quantized"],
            )  # fmt: skip
            said.frames(int(said.frontend["hop_length"] * said.frontend["first_frames"]))
        except (KeyError, ValueError, TypeError, ArithmeticError) as error:
            if isinstance(error, ModelError):
                raise
            raise ModelError(
                f"{name} does not say its classes, sample rate and front-end; "
                "give a file that conv1d-kit audio export has written"
            ) from error
        return said

    def as_quantized(self, how: str) -> Description:
        """The same with int8 weights."""
        return replace(self, quantized=how)


def extra(name: str) -> Any:
    """The module `name` of the export extra.

    Raises
    ------
    InputError
        If it is not installed.
    """
    try:
        return import_module(name)
    except ImportError as error:
        package = name.partition(".")[0]
        raise InputError(
            f'ONNX models need the package {package}, which is not installed; pip install "conv1d_kit[export]"'
        ) from error


def check_onnx_target(path) -> None:
    """Refuse a place where an ONNX file must not or cannot be written; one that stands there is replaced.

    Raises
    ------
    ModelError
        If `path` is a folder, a file that is not an ONNX model, or cannot be written.
    """
    target = Path(path)
    if os.path.isdir(target):
        raise ModelError(f"{target} is a folder; give the name of a file in it, {target / 'model.onnx'} say")
    if os.path.lexists(target):
        try:
            read_model(target)
        except ModelError as error:
            raise ModelError(
                f"{target} is not an ONNX model, it is not replaced; choose another name"
            ) from error
    place = Path(os.path.abspath(target)).parent
    while not os.path.lexists(place):
        place = place.parent
    try:
        os.rmdir(tempfile.mkdtemp(prefix=".onnx.", dir=place))
    except (OSError, ValueError) as error:
        raise _unwritable(target, error) from error


def read_model(path) -> Any:
    """The onnx.ModelProto in a file.

    Raises
    ------
    ModelError
        If the file cannot be read or holds no ONNX graph.
    """
    onnx = extra("onnx")
    from google.protobuf.message import DecodeError

    try:
        model = onnx.load(os.fspath(path), load_external_data=False)
    except (OSError, DecodeError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "not an ONNX model"
        raise ModelError(f"{path} cannot be read ({reason})") from error
    if not model.graph.output:
        raise ModelError(f"{path} cannot be read (not an ONNX model)")
    return model


def describe(document: Any, said: Description) -> None:
    """Give an onnx.ModelProto its metadata, in place of any, and its producer's name."""
    document.producer_name, document.producer_version = "conv1d_kit", said.version
    del document.metadata_props[:]
    extra("onnx").helper.set_model_props(document, said.metadata())


@contextmanager
def written_whole(path) -> Iterator[Path]:
    """A temporary name beside `path` that takes its place when the block ends without an error.

    Raises
    ------
    ModelError
        As check_onnx_target.
    """
    check_onnx_target(path)
    target = Path(os.path.abspath(path))
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    except (OSError, ValueError) as error:
        raise _unwritable(path, error) from error
    try:
        yield folder / target.name
        os.chmod(folder / target.name, 0o644)
        os.replace(folder / target.name, target)
    except OSError as error:
        raise _unwritable(path, error) from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _unwritable(path, error: Exception) -> ModelError:
    reason = getattr(error, "strerror", None) or error
    return ModelError(f"cannot write {path}: {reason}; choose another place")

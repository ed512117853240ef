"""ONNX files, without torch: where one may be written, what it needs installed, how it opens, its int8 form."""

from __future__ import annotations

import logging
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

from .. import __version__
from ..errors import InputError, ModelError, check_whole
from .model_files import holds_model
from .whole_file import give_plain_mode

__all__ = [
    "check_onnx_target",
    "dynamic_int8",
    "extra",
    "open_session",
    "quiet_quantizer",
    "read_model",
    "set_metadata",
    "written_whole",
]


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
        If `path` is a folder, in a model's folder, a file that is not an ONNX model, or cannot be written.
    """
    target = Path(path)
    if os.path.isdir(target):
        raise ModelError(f"{target} is a folder; give the name of a file in it, {target / 'model.onnx'} say")
    if holds_model(target.parent):
        raise ModelError(
            f"{target} would stand in a model's folder, which holds nothing else; choose a place beside it"
        )
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
        give_plain_mode(folder / target.name)
        os.replace(folder / target.name, target)
    except OSError as error:
        raise _unwritable(path, error) from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def set_metadata(document: Any, metadata: Mapping[str, str], version: str = __version__) -> None:
    """Give an onnx.ModelProto these metadata, in place of any, and its producer's name."""
    document.producer_name, document.producer_version = "conv1d_kit", version
    del document.metadata_props[:]
    extra("onnx").helper.set_model_props(document, dict(metadata))


def open_session(path, n_threads: int | None = None) -> Any:
    """The onnxruntime session of a file, on the CPU.

    Parameters
    ----------
    path : str or path
    n_threads : int, optional
        Of onnxruntime; default as many as it likes.

    Raises
    ------
    InputError
        If n_threads is no int >= 1 or onnxruntime is not installed.
    ModelError
        If the file is missing or not an ONNX model.
    """
    check_whole("n_threads", n_threads, or_none=True)
    runtime = extra("onnxruntime")
    if not os.path.isfile(path):
        raise ModelError(f"{os.fspath(path)}: {'is a folder' if os.path.isdir(path) else 'no such file'}")
    options = runtime.SessionOptions()
    options.log_severity_level = 3  # errors only
    if n_threads is not None:
        options.intra_op_num_threads, options.inter_op_num_threads = n_threads, 1
    try:
        return runtime.InferenceSession(os.fspath(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's errors have no common class
        reason = str(error).strip().splitlines()[0][:200]
        raise ModelError(f"{os.fspath(path)} is not a model that onnxruntime opens ({reason})") from error


def dynamic_int8(document: Any, path, nodes: Sequence[str], op_types: Sequence[str]) -> str:
    """Write the graph with uint8 weights in the nodes named, each activation scaled by its own batch.

    Unsigned, since ConvInteger multiplies bytes of one kind; that needs no bit less.

    Returns
    -------
    str
        How the weights were made, for the metadata.
    """
    quantization = extra("onnxruntime.quantization")
    with quiet_quantizer():
        quantization.quantize_dynamic(
            document, path, per_channel=True, weight_type=quantization.QuantType.QUInt8,
            nodes_to_quantize=list(nodes), op_types_to_quantize=list(op_types),
        )  # fmt: skip
    return "dynamic, uint8 weights, one scale a channel"


@contextmanager
def quiet_quantizer() -> Iterator[None]:
    """Without onnxruntime's advice to optimise the graph first, which the exporter has done."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(before)


def _unwritable(path, error: Exception) -> ModelError:
    reason = getattr(error, "strerror", None) or error
    return ModelError(f"cannot write {path}: {reason}; choose another place")

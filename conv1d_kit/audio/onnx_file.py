"""The ONNX file of an audio model: what its metadata says of it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from .. import __version__
from ..errors import ModelError
from ..training.onnx_file import check_onnx_target, extra, read_model, set_metadata, written_whole

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
        (n + first_frames) / hop_length frames, rounded up.
    version : str
        Of this package, when it was written.
    quantized : str
        "" for float weights, else how they were made int8.
    multi_label : bool
        Every class has a probability of its own.
    threshold : float or None
        A clip whose largest probability is below it is none of the classes.
    trim : bool
        Clips are heard without the silence at their ends (`audio.trim`); the graph hears what it is given.
    """

    classes: list
    sample_rate: int
    frontend: dict
    version: str = __version__
    quantized: str = ""
    multi_label: bool = False
    threshold: float | None = None
    trim: bool = False

    def frames(self, n_samples: int) -> int:
        """Frames of a clip of `n_samples` samples."""
        return -(-(n_samples + self.frontend["first_frames"]) // self.frontend["hop_length"])

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
            "multi_label": json.dumps(self.multi_label), "threshold": json.dumps(self.threshold),
            "trim": json.dumps(self.trim),
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
                bool(json.loads(metadata["multi_label"])), json.loads(metadata["threshold"]),
                bool(json.loads(metadata.get("trim", "false"))),
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


def describe(document: Any, said: Description) -> None:
    """Give an onnx.ModelProto its metadata, in place of any, and its producer's name."""
    set_metadata(document, said.metadata(), said.version)

"""Sound files written block by block: in which format and subtype, and equal samples always as equal bytes."""

from __future__ import annotations

import errno
import io
import os
import re
import shutil
import zlib
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ..errors import DataError, InputError
from .ogg import set_serial
from .sound_file import LINEAR, file_argument, open_sound, reason, shown_path

__all__ = ["FORMATS", "SoundTarget", "SoundWriter", "choose_target"]

WAV_BYTES = 2**32 - 2**16  # what a WAV, AIFF or AU can hold beside its header
_ADD_PEAK_CHUNK = 0x1050  # libsndfile's SFC_SET_ADD_PEAK_CHUNK; the chunk holds the time of day


class SoundTarget(NamedTuple):
    """What a file will be: names of format and subtype as libsndfile has them, rate (Hz), channels."""

    format: str
    subtype: str
    sample_rate: int
    channels: int

    @property
    def bits(self) -> int | None:
        """Of an integer subtype; None for floats and lossy ones."""
        found = re.fullmatch(r"(?:PCM_[SU]?|ALAC_)(\d+)", self.subtype)
        return int(found[1]) if found else None

    @property
    def frame_bytes(self) -> int:
        """Of one frame on disk; 0 where the format compresses."""
        if self.format == "FLAC" or self.subtype.startswith("ALAC"):
            return 0
        size = {"FLOAT": 4, "DOUBLE": 8, "ULAW": 1, "ALAW": 1}.get(self.subtype)
        return self.channels * (size or (self.bits or 0) // 8)


class SoundWriter:
    """A sound file written block by block; the same samples give the same bytes.

    Parameters
    ----------
    path : str or path
        Written anew.
    target : SoundTarget

    Attributes
    ----------
    clipped : int
        Samples so far that the integer subtype (or, for a lossy one, −1…1) cannot hold; they were limited.

    Raises
    ------
    DataError
        When the disk is full or the format can hold no more.
    """

    def __init__(self, path, target: SoundTarget):
        self.path, self.target, self.clipped, self.frames = path, target, 0, 0
        self._hash = 0  # of an Ogg stream's samples
        self._file = _created(file_argument(path), target)
        lossy = not target.frame_bytes and target.bits is None
        # soundfile ends the process at a minute of Ogg Vorbis in one call
        self._most = target.sample_rate if lossy else 1 << 20
        # how frames are portioned changes a lossy encoder's bytes: such get always so many, and the rest waits
        self._held: np.ndarray | None = np.zeros((0, target.channels), np.float32) if lossy else None
        bits = target.bits
        self._full = None if bits is None else 2.0 ** (bits - 1)  # steps from 0 to full scale
        self._is_bounded = bits is None and target.subtype not in ("FLOAT", "DOUBLE", "VORBIS")

    @property
    def dtype(self) -> np.dtype | None:
        """What `rounded` gives: int16 or int32; None where the subtype takes floats."""
        return None if self._full is None else np.dtype(np.int16 if self._full == 2**15 else np.int32)

    def write(self, y: np.ndarray, largest: float | None = None) -> None:
        """Frames [shape=(n, C)]: floats, for integers rounded to nearest without dither; or `rounded` already.

        `largest` is their largest magnitude where it is known, which saves a look.
        """
        if (self.frames + len(y)) * self.target.frame_bytes > WAV_BYTES and self.target.format in _SMALL:
            raise DataError(
                f"dst: {self.target.format} holds at most 4 GB, got more; name it .w64 or give format='RF64'"
            )
        if self._full is not None and y.dtype.kind == "f":
            y = self.rounded(y, largest)
        elif self._is_bounded and _magnitude(y, largest) > 1:
            self.clipped += int(np.count_nonzero(np.abs(y) > 1))
        self.frames += len(y)
        if self.target.format == "OGG":
            self._hash = zlib.crc32(y, self._hash)
        if self._held is not None:
            y = np.concatenate([self._held, y]) if len(self._held) else y
            ready = len(y) // self._most * self._most
            y, self._held = y[:ready], y[ready:].copy()
        self._put(y)

    def rounded(self, y: np.ndarray, largest: float | None = None) -> np.ndarray:
        """Integers whose upper bits the subtype takes: libsndfile rounds floats down where it limits them."""
        full = self._full
        assert full is not None
        steps = y * np.float64(full) if full == 2**31 else y * y.dtype.type(full)
        np.rint(steps, out=steps)
        if _magnitude(y, largest) * full >= full - 0.5:
            self.clipped += int(np.count_nonzero(steps >= full) + np.count_nonzero(steps < -full))
            np.clip(steps, -full, full - 1, out=steps)
        whole = steps.astype(self.dtype)
        if full != 2**15:
            whole *= np.int32(2**31 // int(full))
        return whole

    def close(self) -> None:
        """Write the header's sizes, then look whether all is there: libsndfile does not say so."""
        if self._held is not None:
            self._put(self._held)
        self._file.close()
        if self.target.format == "MP3":
            return
        if self.target.format == "OGG":
            set_serial(self.path, self._hash)
        try:
            with open_sound(self.path) as file:
                there = int(file.frames)
        except DataError as error:
            if self.frames == 0:
                return
            raise OSError(*_write_error(self.path, error)) from error
        if there < self.frames and self.target.subtype in (*LINEAR, "VORBIS"):
            raise OSError(*_write_error(self.path, f"{there} of {self.frames} frames"))

    def abort(self) -> None:
        self._file.close()

    def _put(self, y: np.ndarray) -> None:
        for start in range(0, len(y), self._most):
            try:
                self._file.write(y[start : start + self._most])
            except (RuntimeError, AssertionError) as error:  # soundfile asserts that all went out
                raise OSError(*_write_error(self.path, error)) from error


def choose_target(
    dst,
    format: str | None,
    subtype: str | None,
    *,
    src_subtype: str | None,
    dtype: np.dtype,
    sample_rate: int,
    channels: int,
    frames: int | None,
) -> SoundTarget:
    """The format by dst's ending, the subtype by the source's: nothing the source holds is lost without a word.

    A `.wav` that would pass 4 GB becomes RF64, which holds more. Of a lossy source, or one whose subtype the
    format lacks, floats are kept where the format has them, then 24 bits, else its default.

    Raises
    ------
    InputError
        For an ending, format, subtype, rate or number of channels that cannot be written.
    """
    import soundfile as sf

    name = shown_path(dst)
    if format is None:
        format = FORMATS.get(Path(os.fsdecode(dst)).suffix.lower())
        if format is None:
            raise InputError(
                f"dst must end in {', '.join(FORMATS)} or .npy, got {name}; or give format=, 'WAV' say"
            )
    if not isinstance(format, str) or format.upper() not in {*FORMATS.values(), "WAVEX"}:
        raise InputError(f"format must be one of {', '.join(dict.fromkeys(FORMATS.values()))}, got {format!r}")
    format = format.upper()
    # libsndfile writes DWVW that it cannot read
    offered = [s for s in sf.available_subtypes(format) if not s.startswith("DWVW")]
    if subtype is None:
        wide = ("DOUBLE", "FLOAT", "PCM_24") if dtype == np.float64 else ("FLOAT", "PCM_24")
        kept = (src_subtype,) if src_subtype in LINEAR else ()
        default = "OPUS" if name.lower().endswith(".opus") else sf.default_subtype(format)
        subtype = next((s for s in (*kept, *wide) if s in offered), default)
    elif not isinstance(subtype, str) or subtype.upper() not in offered:
        raise InputError(f"subtype must be one of {', '.join(offered)} for {format}, got {subtype!r}")
    target = SoundTarget(format, subtype.upper(), sample_rate, channels)
    size = (frames or 0) * target.frame_bytes
    if size > WAV_BYTES and format in _SMALL:
        if format in ("WAV", "WAVEX") and target.subtype in sf.available_subtypes("RF64"):
            target = target._replace(format="RF64")
        else:
            raise InputError(
                f"{name}: {format} holds at most 4 GB, got {size / 1e9:.1f} GB to write; "
                "name it .wav (which becomes RF64), .w64 or .flac"
            )
    try:
        _created(io.BytesIO(), target).close()
    except (sf.LibsndfileError, ValueError, TypeError) as error:
        raise InputError(
            f"{name}: {target.format} {target.subtype} cannot hold {channels} channel"
            f"{'s' * (channels != 1)} at {sample_rate} Hz ({reason(error)}); choose another format or subtype"
        ) from error
    return target


def _created(file: Any, target: SoundTarget) -> Any:
    import soundfile as sf

    sound = sf.SoundFile(file, "w", target.sample_rate, target.channels, target.subtype, format=target.format)
    sf._snd.sf_command(sound._file, _ADD_PEAK_CHUNK, sf._ffi.NULL, 0)
    return sound


def _magnitude(y: np.ndarray, known: float | None) -> float:
    return known if known is not None else float(np.abs(y).max()) if len(y) else 0.0


def _write_error(path, error: Any) -> tuple[int, str]:
    """libsndfile knows only that a write fell short; whether the disk is full can be asked."""
    if shutil.disk_usage(os.path.dirname(os.fsdecode(path)) or ".").free < 2**20:
        return errno.ENOSPC, os.strerror(errno.ENOSPC)
    return errno.EIO, f"the encoder could not write ({error})" if str(error) else os.strerror(errno.EIO)


_SMALL = ("WAV", "WAVEX", "AIFF", "AU")  # formats that count their bytes in 32 bits

# ending → format
FORMATS = {
    ".wav": "WAV",
    ".flac": "FLAC",
    ".ogg": "OGG",
    ".oga": "OGG",
    ".opus": "OGG",
    ".mp3": "MP3",
    ".aiff": "AIFF",
    ".aif": "AIFF",
    ".aifc": "AIFF",
    ".w64": "W64",
    ".rf64": "RF64",
    ".au": "AU",
    ".caf": "CAF",
}

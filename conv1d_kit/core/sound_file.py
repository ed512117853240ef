"""Sound files read in sequence, block by block; a fault says the file, the place and the cure."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator
from typing import Any

import numpy as np

from ..errors import DataError
from .ogg import has_last_page

__all__ = [
    "LINEAR",
    "MAX_RATE",
    "SoundReader",
    "file_argument",
    "open_sound",
    "promised",
    "reason",
    "shown_path",
]

MAX_RATE = 10_000_000  # Hz; a header that says more is damaged
_UNKNOWN = 2**62  # libsndfile's "no idea" is the largest int64
# subtypes in which each sample stands by itself
LINEAR = ("PCM_S8", "PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE", "ULAW", "ALAW")


def open_sound(path) -> Any:
    """A SoundFile that never seeks: soundfile seeks after each read, and in an MP3 that misses its place.

    Raises
    ------
    DataError
        If the file is missing, no regular file, empty, no sound or says an impossible rate.
    """
    import soundfile as sf

    class InSequence(sf.SoundFile):
        def seekable(self) -> bool:
            return False

    argument = os.fspath(path)
    name = shown_path(argument)
    try:
        status = os.stat(argument)
    except (FileNotFoundError, NotADirectoryError):
        raise DataError(f"{name}: no such file") from None
    except OSError as error:
        raise DataError(f"{name}: cannot be opened ({error.strerror})") from error
    except ValueError as error:  # a NUL in the name
        raise DataError(f"{name!r}: not the name of a file ({error})") from error
    if stat.S_ISDIR(status.st_mode):
        raise DataError(f"{name}: a folder, not an audio file")
    if not stat.S_ISREG(status.st_mode):
        raise DataError(f"{name}: not a regular file; copy its sound into one")
    if status.st_size == 0:
        raise DataError(f"{name}: zero-length file (0 bytes)")
    try:
        file = InSequence(file_argument(argument))
    except (sf.LibsndfileError, TypeError) as error:
        raise DataError(f"{name}: not a readable audio file ({reason(error)})") from error
    if not 0 < file.samplerate <= MAX_RATE:
        rate = int(file.samplerate)
        file.close()
        raise DataError(
            f"{name}: its header says {rate} Hz, a rate must be 1 to {MAX_RATE} Hz; write the file again"
        )
    return file


def promised(file: Any) -> tuple[int, int] | None:
    """(data bytes the header promises, data bytes there) where the header promises more, else None.

    0, −1 and 2 GB mean "unknown": what cannot seek back to its header writes them.
    """
    patterns = {
        "WAV": r"data\s*:\s*(\d+) \(should be (\d+)\)",
        "AIFF": r"SSND\s*:\s*(\d+) \(should be (\d+)\)",
        "W64": r"riff\s*:\s*(\d+) \(should be (\d+)\)",
        "RF64": r"Riff size\s*:\s*(\d+) \(should be (\d+)\)",
        "AU": r"Data Size\s*:\s*(\d+) \(should be (\d+)\)",
    }
    patterns["WAVEX"] = patterns["WAV"]
    found = re.search(patterns.get(file.format, "(?!)"), file.extra_info)
    if found is None:
        return None
    says, there = int(found[1]), int(found[2])
    unknown = says >= 2**31 - 64 and file.format not in ("W64", "RF64")
    return None if there >= says or unknown else (says, there)


class SoundReader:
    """A sound file as arrays (C, n) in order; `fault` says afterwards what stopped it early.

    Parameters
    ----------
    path : str or path

    Attributes
    ----------
    channels, sample_rate : int
    frames : int or None
        What the header says.
    dtype : numpy dtype
        float32, which holds every sample of up to 24 bits; float64 for 32-bit integers and doubles.
    subtype : str
    fault : str or None
        Set when the blocks have ended before the file should have.

    Raises
    ------
    DataError
        As `open_sound`; NaN or infinite samples when their block is asked for.
    """

    def __init__(self, path):
        self.path, self.name = path, shown_path(path)
        self._file = open_sound(path)
        self.channels, self.sample_rate = int(self._file.channels), int(self._file.samplerate)
        self.subtype = self._file.subtype
        self.dtype = np.dtype(np.float64 if self.subtype in ("PCM_32", "DOUBLE", "ALAC_32") else np.float32)
        self.frames = int(self._file.frames) if 0 <= self._file.frames < _UNKNOWN else None
        self.fault: str | None = None
        self.is_vector = False

    def blocks(self, n: int, skip: int = 0) -> Iterator[np.ndarray]:
        """Arrays [shape=(C, n)], the last one shorter, from frame `skip` on."""
        done = self._skip(skip, n)
        while True:
            x, error = self._read(n)
            if error is not None:
                x, self.fault = self._up_to_fault(done, n), reason(error) or "damaged data"
            if len(x):
                self._refuse_not_finite(x, done)
                done += len(x)
                yield np.ascontiguousarray(x.T)
            if self.fault is not None:
                return
            if len(x) == 0:
                self.fault = self._shortfall(done)
                return

    def close(self) -> None:
        self._file.close()

    def _read(self, n: int) -> tuple[np.ndarray, Exception | None]:
        import soundfile as sf

        try:
            return self._file.read(n, dtype=self.dtype.name, always_2d=True), None
        except sf.LibsndfileError as error:
            return np.zeros((0, self.channels), self.dtype), error

    def _skip(self, skip: int, n: int) -> int:
        if skip and self._file.format not in ("MP3", "OGG", "FLAC") and self.subtype in LINEAR:
            return int(self._file.seek(skip))  # arithmetic on bytes
        done = 0
        while done < skip:  # a compressed file's seek need not be exact
            x, error = self._read(min(n, skip - done))
            if error is not None or len(x) == 0:
                raise DataError(f"{self.name}: ends before sample {skip}, where the journal goes on")
            done += len(x)
        return done

    def _up_to_fault(self, start: int, n: int) -> np.ndarray:
        """What can be decoded of a block that cannot be read in one go: soundfile drops all of such a read."""
        self._file.close()
        self._file = open_sound(self.path)
        self._skip(start, n)
        parts: list[np.ndarray] = []
        while len(parts) < n:
            x, error = self._read(1)
            if error is not None or len(x) == 0:
                break
            parts.append(x)
        return np.concatenate(parts) if parts else np.zeros((0, self.channels), self.dtype)

    def _shortfall(self, done: int) -> str | None:
        found = promised(self._file)
        if found is not None:
            return f"truncated, {found[1]} of the {found[0]} bytes its header promises"
        tolerance = 0.98 if self._file.format == "MP3" else 1.0  # whose header may only estimate
        if self.frames is not None and done < tolerance * self.frames:
            return f"truncated, {done} of the {self.frames} samples its header promises"
        if self._file.format == "OGG" and not has_last_page(self.path):
            return "truncated, the page that ends the stream is missing or cut"
        return None

    def _refuse_not_finite(self, x: np.ndarray, offset: int) -> None:
        if np.isfinite(x.sum(dtype=np.float64)):
            return
        bad = np.argwhere(~np.isfinite(x))
        if len(bad):
            t, c = (int(v) for v in bad[0])
            raise DataError(
                f"{self.name}: holds {x[t, c]} (NaN or infinite samples) first at sample {offset + t} "
                f"({(offset + t) / self.sample_rate:.3f} s), channel {c}; repair it or leave it out"
            )


def file_argument(path) -> Any:
    """The path as soundfile takes it: bytes where the system's names are bytes, which need not be UTF-8."""
    return os.fspath(path) if os.name == "nt" else os.fsencode(path)


def shown_path(path) -> str:
    """The path for a message, not too long."""
    name = os.fsdecode(path)
    return name if len(name) <= 400 else f"{name[:200]}…{name[-100:]}"


def reason(error: Exception) -> str:
    """libsndfile's words without what it puts around them."""
    text = getattr(error, "error_string", None) or str(error)
    return text.removeprefix("Error : ").rstrip(".")

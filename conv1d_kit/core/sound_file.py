"""Sound files read and written in sequence, block by block; a fault says the file, the place and the cure."""

from __future__ import annotations

import os
import re
import stat
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ..errors import DataError, InputError
from .ogg import has_last_page, set_serial

__all__ = [
    "FORMATS",
    "MAX_RATE",
    "SoundReader",
    "SoundTarget",
    "SoundWriter",
    "choose_target",
    "file_argument",
    "open_sound",
    "promised",
    "reason",
    "shown_path",
]

MAX_RATE = 10_000_000  # Hz; a header that says more is damaged
WAV_BYTES = 2**32 - 2**16  # what a WAV, AIFF or AU can hold beside its header
_UNKNOWN = 2**62  # libsndfile's "no idea" is the largest int64
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
        if skip and self._file.format not in ("MP3", "OGG", "FLAC") and self.subtype in _LINEAR:
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
            return "truncated, the page that ends the stream is missing"
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
        bits = target.bits
        self._full = None if bits is None else 2.0 ** (bits - 1)  # steps from 0 to full scale
        self._is_bounded = bits is None and target.subtype not in ("FLOAT", "DOUBLE", "VORBIS")

    def write(self, y: np.ndarray, largest: float | None = None) -> None:
        """Frames [shape=(n, C)], float; integers are rounded to the nearest, without dither.

        `largest` is their largest magnitude where it is known, which saves a look.
        """
        if largest is None:
            largest = float(np.abs(y).max()) if len(y) else 0.0
        if (self.frames + len(y)) * self.target.frame_bytes > WAV_BYTES and self.target.format in _SMALL:
            raise DataError(
                f"dst: {self.target.format} holds at most 4 GB, got more; name it .w64 or give format='RF64'"
            )
        if self._full is not None:
            y = self._rounded(y, self._full, largest)
        elif self._is_bounded and largest > 1:
            self.clipped += int(np.count_nonzero(np.abs(y) > 1))
        for start in range(0, len(y), self._most):
            try:
                self._file.write(y[start : start + self._most])
            except (RuntimeError, AssertionError) as error:  # soundfile asserts that all went out
                raise OSError(*_write_error(self.path, error)) from error
        self.frames += len(y)
        if self.target.format == "OGG":
            self._hash = zlib.crc32(y, self._hash)

    def _rounded(self, y: np.ndarray, full: float, largest: float) -> np.ndarray:
        """Integers whose upper bits the subtype takes: libsndfile rounds floats down where it limits them."""
        steps = y * np.float64(full) if full == 2**31 else y * y.dtype.type(full)
        np.rint(steps, out=steps)
        if largest * full >= full - 0.5:
            self.clipped += int(np.count_nonzero(steps >= full) + np.count_nonzero(steps < -full))
            np.clip(steps, -full, full - 1, out=steps)
        if full == 2**15:
            return steps.astype(np.int16)
        whole = steps.astype(np.int32)
        whole *= np.int32(2**31 // int(full))
        return whole

    def close(self) -> None:
        """Write the header's sizes, then look whether all is there: libsndfile does not say so."""
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
        if there < self.frames and self.target.subtype in (*_LINEAR, "VORBIS"):
            raise OSError(*_write_error(self.path, f"{there} of {self.frames} frames"))

    def abort(self) -> None:
        self._file.close()


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
    import io

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
        kept = (src_subtype,) if src_subtype in _LINEAR else ()
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


def _created(file: Any, target: SoundTarget) -> Any:
    import soundfile as sf

    sound = sf.SoundFile(file, "w", target.sample_rate, target.channels, target.subtype, format=target.format)
    sf._snd.sf_command(sound._file, _ADD_PEAK_CHUNK, sf._ffi.NULL, 0)
    return sound


def _write_error(path, error: Any) -> tuple[int, str]:
    """libsndfile knows only that a write fell short; whether the disk is full can be asked."""
    import errno
    import shutil

    if shutil.disk_usage(os.path.dirname(os.fsdecode(path)) or ".").free < 2**20:
        return errno.ENOSPC, os.strerror(errno.ENOSPC)
    return errno.EIO, f"the encoder could not write ({error})" if str(error) else os.strerror(errno.EIO)


_LINEAR = ("PCM_S8", "PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE", "ULAW", "ALAW")
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

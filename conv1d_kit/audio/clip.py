"""A sound with its sample rate: the two never part, so a rate is never guessed."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..core.sound_file import MAX_RATE, file_argument, open_sound, promised, reason, shown_path
from ..errors import DataError, InputError, InputTypeError, is_number
from ..training.targets import as_rows

__all__ = ["AUDIO_ENDINGS", "MAX_RATE", "Clip", "as_item", "as_items", "file_argument", "pieces", "read_blocks"]

_MAX_BLOCK = 2**24  # values of one block over all channels, whatever rate the header says

AUDIO_ENDINGS = (
    ".wav",
    ".flac",
    ".ogg",
    ".oga",
    ".mp3",
    ".aiff",
    ".aif",
    ".aifc",
    ".w64",
    ".rf64",
    ".au",
    ".opus",
)


@dataclass(frozen=True, eq=False)
class Clip:
    """Samples and their rate, read-only.

    Parameters
    ----------
    samples : array [shape=(C, T) or (T,)], real
        float values as they are, integers scaled to −1…1 (int16 / 32768). Copied to float32.
    sample_rate : int, Hz
        Required: an array alone does not say how fast it plays.

    Raises
    ------
    InputError
        If the rate is missing, or the samples are empty, not finite or not (C, T).
    InputTypeError
        If the samples are not real numbers.

    Examples
    --------
    >>> clip = Clip(np.zeros((2, 8000), np.float32), 16000)
    >>> clip.n_channels, clip.duration_s
    (2, 0.5)
    >>> clip.mono().resample(8000).samples.shape
    (1, 4000)
    """

    samples: np.ndarray
    sample_rate: int = None  # type: ignore[assignment]  # a missing rate gets our own message

    def __post_init__(self):
        object.__setattr__(self, "sample_rate", check_rate(self.sample_rate))
        object.__setattr__(self, "samples", _checked(self.samples, self.sample_rate))

    @property
    def n_channels(self) -> int:
        return self.samples.shape[0]

    @property
    def n_samples(self) -> int:
        return self.samples.shape[1]

    @property
    def duration_s(self) -> float:
        """Length in seconds."""
        return self.n_samples / self.sample_rate

    def __repr__(self) -> str:
        channels = f"{self.n_channels} channel{'s' * (self.n_channels != 1)}"
        return f"Clip({channels}, {self.n_samples} samples, {self.sample_rate} Hz, {self.duration_s:.3f} s)"

    @classmethod
    def read(cls, path, *, max_duration_s: float | None = None) -> Clip:
        """Read a file (WAV, FLAC, OGG, MP3, AIFF…) at its own rate, in blocks.

        Parameters
        ----------
        path : str or path
        max_duration_s : float, optional
            Read only this much from the start.

        Raises
        ------
        DataError
            If the file is missing, unreadable, empty, cut short, or holds NaN; the message names it.
        """
        blocks = list(read_blocks(path, max_duration_s=max_duration_s))
        return blocks[0] if len(blocks) == 1 else _joined(blocks)

    def mono(self) -> Clip:
        """The mean of the channels as one channel."""
        if self.n_channels == 1:
            return self
        weights = np.full(self.n_channels, 1 / self.n_channels, np.float32)
        return _fresh((weights @ self.samples)[None], self.sample_rate)

    def resample(self, rate: int) -> Clip:
        """The same sound at another rate (soxr, high quality)."""
        rate = check_rate(rate)
        if rate == self.sample_rate:
            return self
        import soxr

        y = soxr.resample(self.samples.T, self.sample_rate, rate).T  # (C, T')
        if y.shape[1] == 0:  # shorter than one sample at the new rate
            y = self.samples[:, :1]
        return _fresh(np.array(y, np.float32, order="C"), rate)


def read_blocks(path, *, block_s: float = 60.0, max_duration_s: float | None = None) -> Iterator[Clip]:
    """The file as Clips of at most `block_s` seconds, in order, so that an hour never stands in memory.

    Raises
    ------
    DataError
        As Clip.read; a fault late in the file is raised when its block is asked for.
    """
    import soundfile as sf

    name = shown_path(path)
    with open_sound(path) as file:
        rate = int(file.samplerate)
        _refuse_truncated(file, name)
        limit = None if max_duration_s is None else max(1, round(max_duration_s * rate))
        expected, done = file.frames, 0
        n = max(1, min(round(block_s * rate), _MAX_BLOCK // file.channels))
        while limit is None or done < limit:
            # libsndfile fills with zeros what was asked for beyond the end: no more than the header says, then
            # a second at a time, since a header may say too little
            left = expected - done if done < expected else rate
            size = min(n, left) if limit is None else min(n, left, limit - done)
            try:
                x = file.read(size, dtype="float32", always_2d=True)
            except sf.LibsndfileError as error:
                where = done / rate
                raise DataError(f"{name}: damaged after {where:.2f} s ({reason(error)})") from error
            if len(x) == 0:
                break
            _refuse_not_finite(x, name, done, rate)
            done += len(x)
            yield _fresh(np.ascontiguousarray(x.T), rate)
        if done == 0:
            raise DataError(f"{name}: zero-length file (a header without samples)")
        if limit is None and 0 < expected < 2**62 and done < 0.98 * expected:
            raise DataError(
                f"{name}: truncated file ({done / rate:.2f} s of the {expected / rate:.2f} s in its header)"
            )


def pieces(item, *, piece_s: float = 30.0) -> Iterator[Clip]:
    """A Clip or a file as Clips of at most `piece_s` seconds, in order.

    Raises
    ------
    DataError
        As read_blocks.

    Examples
    --------
    >>> [piece.n_samples for piece in pieces(Clip(np.zeros(250), 100), piece_s=1)]
    [100, 100, 50]
    """
    if not isinstance(item, Clip):
        yield from read_blocks(item, block_s=piece_s)
        return
    step = max(1, round(piece_s * item.sample_rate))
    for i in range(0, item.n_samples, step):
        yield _fresh(item.samples[:, i : i + step], item.sample_rate)


def as_items(X) -> list:
    """X as a list of Clips and paths.

    Raises
    ------
    InputTypeError
        If X is one clip or path instead of a sequence of them, or holds anything else.
    """
    if isinstance(X, str | os.PathLike | Clip):
        raise InputTypeError(f"X must be a sequence of Clips or paths, got one {type(X).__name__}; try [X]")
    cure = "try Clip(samples, sample_rate), or a table's column of paths"
    return list(map(as_item, as_rows(X, of="Clips or paths", cure=cure)))


def as_item(item):
    """A Clip or a path as it is; InputTypeError for anything else."""
    if not isinstance(item, str | os.PathLike | Clip):
        raise InputTypeError(
            f"X must hold Clips or paths, got {type(item).__name__}; try Clip(samples, sample_rate)"
        )
    return item


def check_rate(rate: Any) -> int:
    """`rate` as an int > 0 Hz, or an InputError that says the cure."""
    if rate is None:
        raise InputError(
            "sample_rate (Hz) must be given, an array alone does not say it; try Clip(samples, 16000)"
        )
    if not is_number(rate):
        raise InputTypeError(f"sample_rate must be a number of Hz, got {type(rate).__name__}")
    if not 0 < rate <= MAX_RATE or rate != int(rate):  # NaN fails every comparison
        raise InputError(f"sample_rate must be an int from 1 to {MAX_RATE} (Hz), got {rate}")
    return int(rate)


def _checked(samples: Any, rate: int) -> np.ndarray:
    x = np.asarray(samples)
    if x.dtype.kind not in "fiu":
        raise InputTypeError(f"samples must be real numbers, got dtype {x.dtype}")
    if x.ndim == 1:
        x = x[None]
    if x.ndim != 2:
        raise InputError(f"samples must be (C, T), got shape {x.shape}")
    if x.shape[0] > x.shape[1] and x.shape[0] > 64:
        raise InputError(f"samples must be (C, T), got shape {x.shape}; try samples.T")
    if x.size == 0:
        raise InputError(f"samples must hold at least one sample, got shape {x.shape}")
    if x.dtype.kind == "u":
        half = 2.0 ** (8 * x.dtype.itemsize - 1)
        y = ((x.astype(np.float64) - half) / half).astype(np.float32)
    elif x.dtype.kind == "i":
        y = (x / 2.0 ** (8 * x.dtype.itemsize - 1)).astype(np.float32)
    else:
        y = np.array(x, np.float32, order="C")
    bad = ~np.isfinite(y)
    if bad.any():
        c, t = (int(v) for v in np.argwhere(bad)[0])
        raise InputError(
            f"samples must be finite, got {y[c, t]} at channel {c}, sample {t} ({t / rate:.3f} s), "
            f"{int(bad.sum())} in all; try numpy.nan_to_num(samples)"
        )
    y.flags.writeable = False
    return y


def _fresh(samples: np.ndarray, rate: int) -> Clip:
    """A Clip over an array of our own: no copy, no second check."""
    samples.flags.writeable = False
    clip = object.__new__(Clip)
    object.__setattr__(clip, "samples", samples)
    object.__setattr__(clip, "sample_rate", rate)
    return clip


def _joined(blocks: list[Clip]) -> Clip:
    return _fresh(np.concatenate([b.samples for b in blocks], 1), blocks[0].sample_rate)


def _refuse_truncated(file: Any, name: str) -> None:
    cut = promised(file)
    if cut is not None:
        raise DataError(
            f"{name}: truncated file ({cut[1]} of the {cut[0]} data bytes its header promises); "
            "fetch or write it again"
        )


def _refuse_not_finite(x: np.ndarray, name: str, offset: int, rate: int) -> None:
    bad = ~np.isfinite(x)  # (T, C)
    if bad.any():
        t, c = (int(v) for v in np.argwhere(bad)[0])
        raise DataError(
            f"{name}: holds {x[t, c]} (NaN or infinite samples) first at sample {offset + t} "
            f"({(offset + t) / rate:.3f} s), channel {c}; repair it or leave it out"
        )

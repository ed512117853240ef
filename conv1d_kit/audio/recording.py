"""A recording of any length as one channel at the rate a model hears, block by block; a fault ends it, told."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

import numpy as np

from ..errors import DataError
from .clip import Clip, check_rate, read_blocks

__all__ = ["RateStream", "Recording"]

BLOCK_S = 10.0  # decoded at a time


class RateStream:
    """Samples at one rate in, at another out (soxr, high quality); bit for bit the same however they are cut.

    Parameters
    ----------
    source_rate, sample_rate : int, Hz

    Examples
    --------
    >>> x = np.sin(np.arange(1000, dtype=np.float32))
    >>> stream = RateStream(48000, 16000)
    >>> y = np.concatenate([stream.push(x[:7]), stream.push(x[7:]), stream.flush()])
    >>> np.array_equal(y, Clip(x, 48000).resample(16000).samples[0])
    True
    """

    def __init__(self, source_rate: int, sample_rate: int):
        import soxr

        self._first, self._n_out = np.zeros(0, np.float32), 0
        self._soxr = None
        if source_rate != sample_rate:
            self._soxr = soxr.ResampleStream(source_rate, sample_rate, 1, "float32")

    def push(self, x: np.ndarray) -> np.ndarray:
        """What of the result is ready [shape=(m,)] with these samples [shape=(n,), float32] more."""
        if self._soxr is None:
            return x
        if len(self._first) == 0:
            self._first = x[:1].copy()
        return self._counted(self._soxr.resample_chunk(x))

    def flush(self) -> np.ndarray:
        """The rest; the first sample where all was shorter than one of the new rate, as in Clip.resample."""
        if self._soxr is None:
            return np.zeros(0, np.float32)
        rest = self._counted(self._soxr.resample_chunk(np.zeros(0, np.float32), last=True))
        return rest if self._n_out else self._first

    def _counted(self, y: np.ndarray) -> np.ndarray:
        self._n_out += len(y)
        return y


class Recording:
    """A sound file heard once, from its start to its end or to where it is damaged.

    Parameters
    ----------
    path : str or path
    sample_rate : int, Hz
        Of the samples that `blocks` gives.
    block_s : float
        Decoded at a time; the samples do not depend on it.

    Attributes
    ----------
    duration : Fraction, s
        Of what was decoded, by the file's own rate.
    error : str
        Why it ended early; empty where it did not.
    """

    def __init__(self, path, sample_rate: int, *, block_s: float = BLOCK_S):
        self.path, self.sample_rate, self.block_s = path, check_rate(sample_rate), block_s
        self.duration, self.error = Fraction(0), ""

    def blocks(self) -> Iterator[np.ndarray]:
        """The mean of the channels [shape=(n,), float32], resampled."""
        stream: RateStream | None = None
        for part in self._parts():
            if stream is None:
                stream = RateStream(part.sample_rate, self.sample_rate)
            self.duration += Fraction(part.n_samples, part.sample_rate)
            yield stream.push(part.mono().samples[0])
        if stream is not None:
            yield stream.flush()

    def _parts(self) -> Iterator[Clip]:
        try:
            yield from read_blocks(self.path, block_s=self.block_s)
        except DataError as error:
            self.error = str(error)

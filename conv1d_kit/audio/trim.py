"""Silence at the ends of clips is cut off: how much of it was left tells of a set's making, not of a sound."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

__all__ = ["LEFT_S", "LEVEL_DB", "heard_of", "is_silence", "sounding", "trimmed"]

LEVEL_DB = -80.0  # of full scale: samples below it are silence
LEFT_S = 0.1  # of silence that stays at an end


def trimmed(wave: np.ndarray, sample_rate: int) -> np.ndarray:
    """A view of samples (T,) without the silence at both ends, of which LEFT_S stay; nothing but silence: all.

    Sets pad some sounds with zeros and others not, and a net that hears the padding learns which: of ESC-10's
    helicopters the padded ones are taken for roosters.

    Examples
    --------
    >>> x = np.zeros(1000)
    >>> x[400:600] = 0.5
    >>> trimmed(x, 1000).shape, trimmed(np.zeros(1000), 1000).shape
    ((400,), (1000,))
    """
    first = _first_sound(wave)
    if first is None:
        return wave
    last = len(wave) - 1 - (_first_sound(wave[::-1]) or 0)
    left = round(LEFT_S * sample_rate)
    return wave[max(0, first - left) : last + 1 + left]


def sounding(waves: Iterable[np.ndarray], sample_rate: int) -> Iterator[np.ndarray]:
    """The stretches of one sound, each trimmed, without those of silence; where all are, the first one.

    Examples
    --------
    >>> quiet, loud = np.zeros(300), np.ones(400)
    >>> [len(w) for w in sounding([quiet, loud, quiet], 1000)], [len(w) for w in sounding([quiet] * 2, 1000)]
    ([400], [300])
    """
    kept, found = None, False
    for wave in waves:
        if is_silence(wave):
            kept = wave if kept is None else kept
            continue
        found = True
        yield trimmed(wave, sample_rate)
    if not found and kept is not None:
        yield kept


def heard_of(waves: Iterable[np.ndarray], sample_rate: int, *, trim: bool) -> Iterator[np.ndarray]:
    """The stretches of one sound as a model hears them: as they are, or `sounding` where it trims.

    Examples
    --------
    >>> [len(w) for trim in (False, True) for w in heard_of([np.zeros(300), np.ones(400)], 1000, trim=trim)]
    [300, 400, 400]
    """
    return sounding(waves, sample_rate) if trim else iter(waves)


def is_silence(wave: np.ndarray) -> bool:
    """Whether no sample is as loud as LEVEL_DB."""
    return _first_sound(wave) is None


def _first_sound(wave: np.ndarray) -> int | None:
    """Index of the first sample that is no silence; looked for in blocks, since it is near, mostly."""
    level, block = 10 ** (LEVEL_DB / 20), 4096
    for start in range(0, len(wave), block):
        loud = np.abs(wave[start : start + block]) > level
        i = int(loud.argmax())
        if loud[i]:
            return start + i
    return None

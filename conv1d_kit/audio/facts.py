"""What one sound file is like, measured block by block: rate, codec, level, silence, bandwidth and faults."""

from __future__ import annotations

import hashlib
import math
import os
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.fft

from ..errors import DataError
from .clip import Clip, file_argument, read_blocks
from .fingerprint import fingerprint

__all__ = ["FileFacts", "bandwidth_hz", "measure_file"]

_BLOCK_S = 60.0
_WINDOW, _MAX_WINDOWS, _AT_ONCE = 2048, 400, 16  # of the long-term spectrum
_BANDWIDTH_DB = 70.0  # below the strongest bin the spectrum counts as empty
_FLAT_FROM = 0.5  # a stuck value below this is no clipping


@dataclass(frozen=True, eq=False)
class FileFacts:
    """The facts of a file; where `error` is not empty, only those up to the fault.

    Attributes
    ----------
    path, error, fault : str
        `fault` is "", "permission", "link", "missing", "not_finite" or "unreadable".
    sample_rate : int, Hz;  n_channels : int;  codec : str
        The codec as "WAV PCM_16".
    duration_s, peak, level_db, dc_offset : float
        Peak 1 is full scale; level is the RMS in dB of full scale; dc_offset the largest mean of a channel.
    bandwidth_hz : float
        The highest frequency within 70 dB of the strongest in the long-term spectrum of the first minute.
    leading_s, trailing_s : float
        Digital silence (exact zeros) at both ends; NaN where all is.
    clipped : float
        Share of samples stuck at the top (three equal ones or more) or beyond full scale.
    digest : str
        The same for the same decoded samples and rate, whatever the file's format.
    print : array or None
        What `fingerprint` gives.
    """

    path: str
    error: str = ""
    fault: str = ""
    sample_rate: int = 0
    n_channels: int = 0
    codec: str = ""
    duration_s: float = math.nan
    peak: float = math.nan
    level_db: float = math.nan
    dc_offset: float = math.nan
    bandwidth_hz: float = math.nan
    leading_s: float = math.nan
    trailing_s: float = math.nan
    clipped: float = math.nan
    digest: str = ""
    print: np.ndarray | None = None

    @property
    def silent(self) -> bool:
        """Whether every sample is 0."""
        return self.peak == 0


def measure_file(path: Any) -> FileFacts:
    """Read a file once, a minute at a time, and measure it; what cannot be read comes back with its error.

    Examples
    --------
    >>> measure_file("no/such.wav").error
    'no/such.wav: no such file'
    """
    name = os.fspath(path)
    measure = _Measure()
    try:
        for block in read_blocks(path, block_s=_BLOCK_S):
            measure.add(block)
    except DataError as error:
        return FileFacts(name, str(error), _fault(name, str(error)))
    return measure.facts(name, _codec(path))


def bandwidth_hz(clip: Clip) -> float:
    """The highest frequency within 70 dB of the strongest in the long-term spectrum; NaN of digital silence.

    Examples
    --------
    >>> tone = Clip(np.sin(2 * np.pi * 0.125 * np.arange(8000)), 8000)
    >>> abs(bandwidth_hz(tone) - 1000) < 20
    True
    """
    x = clip.mono().samples[0]
    n = min(_WINDOW, len(x))
    starts = np.linspace(0, len(x) - n, min(_MAX_WINDOWS, max(1, 2 * len(x) // n))).astype(int)
    window = np.blackman(n + 2)[1:-1].astype(np.float32)  # its side lobes lie below the 70 dB
    windows, power = np.lib.stride_tricks.sliding_window_view(x, n), np.zeros(n // 2 + 1)
    for some in np.array_split(starts, -(-len(starts) // _AT_ONCE)):
        spectra = scipy.fft.rfft(windows[some] * window)  # in single precision
        power += (spectra.real**2).sum(0) + (spectra.imag**2).sum(0)
    if power.max() <= 0:
        return math.nan
    top = np.flatnonzero(power >= power.max() * 10 ** (-_BANDWIDTH_DB / 10))[-1]
    return float(top) * clip.sample_rate / n


class _Measure:
    """Sums over blocks."""

    def __init__(self) -> None:
        self.n = self.flat = 0
        self.peak = self.power = 0.0
        self.lead: int | None = None  # samples before the first that is not 0
        self.last = -1  # the last that is not 0
        self.hash = hashlib.blake2b(digest_size=16)

    def add(self, block: Clip) -> None:
        x = block.samples  # (C, T)
        if self.n == 0:
            self.rate, self.channels = block.sample_rate, block.n_channels
            self.sum = np.zeros(block.n_channels)
            self.hash.update(f"{self.rate} {self.channels}".encode())
            self.print, self.bandwidth = fingerprint(block), bandwidth_hz(block)
        self.hash.update(np.ascontiguousarray(x.T).tobytes())
        size = np.abs(x)
        peak = float(size.max())
        self.peak = max(self.peak, peak)
        self.sum += x.sum(1, dtype=np.float64)
        self.power += float(np.einsum("ct,ct->", x, x, dtype=np.float64))
        heard = np.flatnonzero(size.max(0))
        if len(heard):
            self.lead = self.n + int(heard[0]) if self.lead is None else self.lead
            self.last = self.n + int(heard[-1])
        if peak >= _FLAT_FROM:
            stuck = (x[:, 2:] == x[:, 1:-1]) & (x[:, 1:-1] == x[:, :-2]) & (size[:, 2:] >= 0.98 * peak)
            self.flat += int((stuck.any(0)).sum()) + int((size > 1).any(0).sum())
        self.n += x.shape[1]

    def facts(self, name: str, codec: str) -> FileFacts:
        mean_power = self.power / (self.n * self.channels)
        return FileFacts(
            name,
            sample_rate=self.rate,
            n_channels=self.channels,
            codec=codec,
            duration_s=self.n / self.rate,
            peak=self.peak,
            level_db=10 * math.log10(mean_power) if mean_power > 0 else math.nan,
            dc_offset=float(np.abs(self.sum / self.n).max()),
            bandwidth_hz=self.bandwidth,
            leading_s=math.nan if self.lead is None else self.lead / self.rate,
            trailing_s=math.nan if self.lead is None else (self.n - 1 - self.last) / self.rate,
            clipped=self.flat / self.n,
            digest=self.hash.hexdigest(),
            print=self.print,
        )


def _codec(path: Any) -> str:
    import soundfile as sf

    info = sf.info(file_argument(path))
    return f"{info.format} {info.subtype}"


def _fault(name: str, message: str) -> str:
    if "NaN or infinite" in message:
        return "not_finite"
    try:
        os.stat(name)
    except OSError as error:
        return {"FileNotFoundError": "missing", "PermissionError": "permission"}.get(
            type(error).__name__, "link"
        )
    except ValueError:  # a NUL in the name
        return "unreadable"
    return "unreadable" if os.access(name, os.R_OK) else "permission"

"""What to train with, decided from what a data set is: rate, frames, crop, epochs; each with its reason."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from ..core.sound_file import shown_path
from ..errors import DataError, InputError
from .clip import Clip, as_items, file_argument
from .facts import bandwidth_hz
from .frontends.mel import mel_filters

__all__ = ["Choices", "SetFacts", "choose", "choose_for", "epochs_for", "look"]

_RATES = (8000, 16000, 22050, 32000)  # Hz
_EDGE = 1.05  # what an upsampled file leaks beyond its old band, in the transition of the resampler's filter
_MOST_CLIPS, _LISTEN_S = 200, 10.0  # looked at
_MOST_OF_CLIPS = 95  # percentile of bandwidths and lengths that is kept
_SHORT_S = 1.0
_CROP_S = (0.5, 10.0)
_HEARD, _EPOCHS = 32000, (20, 100)
_BATCH = 16


@dataclass(frozen=True)
class SetFacts:
    """A data set at a glance.

    Attributes
    ----------
    clips_per_class : mapping of label to int
        Of the whole set.
    rates : tuple of int, Hz
    durations_s : tuple of float
    bandwidths_hz : tuple of float
        As `audio.facts.bandwidth_hz`; NaN where a clip is silent; none where they were not asked for.
    n_unreadable : int
        Of the clips looked at; the tuples hold the rest.
    """

    clips_per_class: Mapping
    rates: tuple[int, ...]
    durations_s: tuple[float, ...]
    bandwidths_hz: tuple[float, ...]
    n_unreadable: int = 0

    @property
    def n_clips(self) -> int:
        """Clips of the whole set."""
        return sum(self.clips_per_class.values())


@dataclass(frozen=True)
class Choices:
    """What to train with.

    Attributes
    ----------
    sample_rate : int, Hz
    n_fft, hop_length : int, samples
    n_mels : int
    window_s : float
        Longest stretch of a clip that is heard at once in training.
    epochs, batch_size : int
    net : a key of AUDIO_NETS
    reasons : dict of str
        Why, by the name of the choice; `n_fft` speaks for `hop_length` too.
    """

    sample_rate: int
    n_fft: int
    hop_length: int
    n_mels: int
    window_s: float
    epochs: int
    batch_size: int
    net: str
    reasons: dict[str, str]

    @property
    def frontend_options(self) -> dict[str, int]:
        """What FRONTENDS["log_mel"](sample_rate, **options) takes."""
        return {"n_fft": self.n_fft, "hop_length": self.hop_length, "n_mels": self.n_mels}

    def lines(self, names: Sequence[str] | None = None) -> list[str]:
        """One line a choice (or those of `names` only), for a person: what, and why."""
        window, hop = (1000 * n / self.sample_rate for n in (self.n_fft, self.hop_length))
        shown = {
            "sample_rate": f"{self.sample_rate:,} Hz",
            "n_fft": f"window of {window:.0f} ms every {hop:.0f} ms",
            "n_mels": f"{self.n_mels} mel bands",
            "window_s": f"at most {self.window_s:g} s heard at once",
            "epochs": f"{self.epochs} epochs",
            "batch_size": f"batches of {self.batch_size}",
            "net": f"net {self.net}",
        }
        return [
            f"{words}: {self.reasons[name]}" for name, words in shown.items() if names is None or name in names
        ]


def choose_for(
    items: Sequence,
    labels: Sequence,
    *,
    sample_rate: int | None = None,
    least_epochs: int = 0,
    n_threads: int = 2,
) -> Choices:
    """Look at a sample of the clips or files, then `choose`; with a rate given their headers are enough.

    Raises
    ------
    InputError
        If there is not one label a clip.
    DataError
        If none of the sample can be read.

    Examples
    --------
    >>> r = np.random.default_rng(0)
    >>> clips = [Clip(0.1 * r.standard_normal(4000), 8000) for _ in range(4)]
    >>> for line in choose_for(clips, ["a", "b", "a", "b"]).lines()[:2]:
    ...     print(line)
    8,000 Hz: the files' own rate; 95 % of the clips hold nothing above 4.0 kHz
    window of 32 ms every 10 ms: the median clip lasts 0.50 s, less than 1 s
    """
    facts = look(items, labels, bandwidths=sample_rate is None, n_threads=n_threads)
    return choose(facts, sample_rate=sample_rate, least_epochs=least_epochs)


def look(
    items: Sequence, labels: Sequence, *, most: int = _MOST_CLIPS, bandwidths: bool = True, n_threads: int = 2
) -> SetFacts:
    """Rates, lengths and bandwidths of at most `most` clips or files, spread evenly over the classes.

    Of each the first 10 s are decoded, one after the other in each thread, so that memory does not grow with
    the set. Without `bandwidths` a file is decoded only where its header promises no length.

    Raises
    ------
    InputError, DataError
        As `choose_for`.
    """
    clips, names = as_items(items), [str(label) for label in labels]
    if len(names) != len(clips):
        raise InputError(f"labels must be one a clip ({len(clips)}), got {len(names)}")
    if not clips:
        raise InputError("items must hold at least one clip, got none")
    by_class = sorted(range(len(clips)), key=names.__getitem__)
    chosen = np.unique(np.linspace(0, len(clips) - 1, min(most, len(clips))).round().astype(int))
    with ThreadPoolExecutor(max(1, n_threads)) as pool:
        found = list(pool.map(_glance if bandwidths else _peek, (clips[by_class[i]] for i in chosen)))
    errors = [str(f) for f in found if isinstance(f, DataError)]
    if len(errors) == len(found):
        raise DataError(f"none of the {len(errors)} files can be read; the first: {errors[0]}")
    rates, durations, *heard = zip(*(f for f in found if not isinstance(f, DataError)), strict=True)
    by_label = dict(sorted(Counter(names).items()))
    return SetFacts(by_label, rates, durations, heard[0] if heard else (), len(errors))


def choose(facts: SetFacts, *, sample_rate: int | None = None, least_epochs: int = 0) -> Choices:
    """The choices for a set of these facts; the same facts, the same choices.

    Notes
    -----
    sample_rate   the smallest of 8, 16, 22.05 and 32 kHz that holds all of 95 % of the clips, down to 70 dB
                  below their strongest frequency; never above the most common rate of the files. A share of the
                  power would not do: wind and rumble have nearly all of it, and the bird is above
    n_fft, hop    the power of two nearest to 30 ms every 10 ms where half of the clips are shorter than 1 s, so
                  that these have frames enough; else 60 ms every 20 ms
    n_mels        40 up to 8 kHz, else 64; fewer where a band would hold no FFT bin
    window_s      the length that 95 % of the clips do not exceed, within 0.5 … 10 s
    epochs        as many as let the net hear about 32,000 clips, 20 to 100; some nets ask for more at least
    batch_size    16; an eighth of the clips where these are few
    """
    reasons: dict[str, str] = {}
    if sample_rate is None:
        rate, reasons["sample_rate"] = _rate(facts.rates, facts.bandwidths_hz)
    else:
        rate, reasons["sample_rate"] = sample_rate, "as asked for"
    n_fft, hop, reasons["n_fft"] = _frames(rate, facts.durations_s)
    n_mels, reasons["n_mels"] = _mels(rate, n_fft)
    window_s, reasons["window_s"] = _window(facts.durations_s)
    epochs, reasons["epochs"] = epochs_for(facts.n_clips, least=least_epochs)
    batch, reasons["batch_size"] = _batch(facts.n_clips)
    reasons["net"] = "the default; `audio nets` shows the others"
    return Choices(rate, n_fft, hop, n_mels, window_s, epochs, batch, "spectrogram", reasons)


def _rate(rates: Iterable[int], bandwidths: Iterable[float]) -> tuple[int, str]:
    counts = Counter(rates)
    own = max(counts, key=lambda r: (counts[r], r))
    heard = [b for b in bandwidths if not math.isnan(b)]
    if not heard:
        return min(own, _RATES[-1]), f"the files' own rate, at most {_RATES[-1]:,} Hz; all looked at are silent"
    top = float(np.percentile(heard, _MOST_OF_CLIPS, method="inverted_cdf"))
    needed = next((r for r in _RATES if r / 2 * _EDGE >= top), _RATES[-1])
    holds = f"95 % of the clips hold nothing above {top / 1000:.1f} kHz"
    if own <= needed:
        if top > own / 2 * _EDGE:
            return (
                own,
                f"the most common rate; some clips have a higher one and reach up to {top / 1000:.1f} kHz",
            )
        return own, f"the files' own rate; {holds}"
    if top <= needed / 2 * _EDGE:
        return needed, f"{holds}, so that the files' own {own:,} Hz would add nothing"
    return needed, f"the most that is used; clips at {own:,} Hz reach up to {top / 1000:.1f} kHz"


def _frames(rate: int, durations: Sequence[float]) -> tuple[int, int, str]:
    median = float(np.median(durations))
    short = median < _SHORT_S
    window_s, hop_s = (0.03, 0.01) if short else (0.06, 0.02)
    n_fft = 2 ** max(5, round(math.log2(window_s * rate)))
    why = f"the median clip lasts {median:.2f} s, {'less than' if short else 'not less than'} 1 s"
    return n_fft, max(1, round(hop_s * rate)), why


def _mels(rate: int, n_fft: int) -> tuple[int, str]:
    wanted = 40 if rate <= 8000 else 64
    n = wanted
    while n > 1 and not _bands_hold_bins(rate, n_fft, n):
        n -= 1
    if n < wanted:
        return n, f"with more, a band would hold no bin of {rate / n_fft:.0f} Hz"
    return n, "40 up to 8,000 Hz, 64 above"


def _bands_hold_bins(rate: int, n_fft: int, n_mels: int) -> bool:
    try:
        mel_filters(rate, n_fft, n_mels)
    except InputError:
        return False
    return True


def _window(durations: Sequence[float]) -> tuple[float, str]:
    most = float(np.percentile(durations, _MOST_OF_CLIPS, method="inverted_cdf"))
    low, high = _CROP_S
    if most > high:
        return high, f"clips last up to {most:.1f} s (95 %); a longer stretch costs time and memory"
    if most < low:
        return low, f"95 % of the clips last no longer than {most:.2f} s"
    return math.ceil(most * 100 - 1e-6) / 100, "95 % of the clips last no longer"


def epochs_for(n_clips: int, *, least: int = 0) -> tuple[int, str]:
    """As many epochs as let the net hear about 32,000 clips, 20 (or `least`) to 100, and why."""
    low, high = max(_EPOCHS[0], least), _EPOCHS[1]
    n = max(low, min(high, round(_HEARD / n_clips)))
    why = f"{n_clips:,} clips, about {_HEARD:,} to be heard in all"
    return n, why + (f", {high} at most" if n == high else f", {low} at least" if n == low else "")


def _batch(n_clips: int) -> tuple[int, str]:
    most = max(2, n_clips // 8)
    if most < _BATCH:
        return most, f"an eighth of the {n_clips} clips, so that an epoch has several steps"
    return _BATCH, f"the default; an eighth of the clips where these are fewer than {8 * _BATCH}"


def _glance(item) -> tuple[int, float, float] | DataError:
    """Rate, length in s and bandwidth in Hz of a clip or file, or why it cannot be read."""
    try:
        if isinstance(item, Clip):
            n = min(item.n_samples, max(1, round(_LISTEN_S * item.sample_rate)))
            start = Clip(item.samples[:, :n], item.sample_rate)
            return item.sample_rate, item.duration_s, bandwidth_hz(start)
        start = Clip.read(item, max_duration_s=_LISTEN_S)
        return start.sample_rate, max(start.duration_s, _promised(item)[1]), bandwidth_hz(start)
    except DataError as error:
        return error


def _peek(item) -> tuple[int, float] | DataError:
    """Rate and length in s of a clip, or those that a file's header promises."""
    try:
        rate, duration_s = (item.sample_rate, item.duration_s) if isinstance(item, Clip) else _promised(item)
    except DataError as error:
        return error
    if duration_s > 0:
        return rate, duration_s
    found = _glance(item)
    return found if isinstance(found, DataError) else found[:2]


def _promised(path) -> tuple[int, float]:
    """The rate and the length in s that a file's header promises; 0 s where it promises none."""
    import soundfile as sf

    try:
        info = sf.info(file_argument(path))
    except (sf.LibsndfileError, TypeError, ValueError) as error:
        raise DataError(f"{shown_path(path)}: cannot be read ({error})") from error
    return info.samplerate, info.frames / info.samplerate if 0 < info.frames < 2**62 else 0.0

"""Real time: what each block of a stream takes, beside pedalboard's Convolution, second by second in turn.

python -m benchmarks.streams full|quick    as JSON, in a process that does nothing else
"""

from __future__ import annotations

import gc
import json
import sys
import time
from collections.abc import Callable

import numpy as np

from conv1d_kit import ConvStream

__all__ = ["MEDIAN_S", "SHARE", "THROUGHPUT_BLOCK", "long_stream", "stream_rows"]

RATE = 48_000  # Hz
RESPONSE_S = 2.0
BLOCKS = (64, 256, 1_024, 4_096)
QUICK_BLOCKS = (64, 1_024)
STRETCH_S = 1.0  # of the signal through one, then through the other
LONG_S, QUICK_LONG_S = 600.0, 30.0
MEDIAN_S, SHARE = 150e-6, 0.25  # of blocks of 64 at most; 99th percentile, of what a block lasts, at most
THROUGHPUT_BLOCK = 1_024  # from here on the mean is to be no more than the peer's


def stream_rows(quick: bool) -> list[dict]:
    """Seconds a block for each length of blocks, ours and the peer's, and how far the two outputs differ."""
    return [_row(block, seconds=4.0 if quick else 20.0) for block in (QUICK_BLOCKS if quick else BLOCKS)]


def long_stream(quick: bool, block: int = 64) -> dict:
    """Ten minutes through our stream alone: how many blocks took longer than they last."""
    seconds = QUICK_LONG_S if quick else LONG_S
    response, x = _response(), np.random.default_rng(1).standard_normal((1, block)).astype(np.float32)
    stream = _stream(response, block)
    times, work = (np.empty(round(seconds * RATE / block)) for _ in range(2))
    gc.collect()
    gc.disable()
    for i in range(len(times)):
        start, spent = time.perf_counter(), time.thread_time()
        stream.push(x)
        work[i] = time.thread_time() - spent
        times[i] = time.perf_counter() - start
    gc.enable()
    own = _spread(work, block)  # without what passes while another process has the core
    return {
        "block": block, "seconds": seconds, **_spread(times, block), "blocks": len(times),
        "own_late": own["late"], "own_longest": own["longest"],
    }  # fmt: skip


def _row(block: int, seconds: float) -> dict:
    response, rng = _response(), np.random.default_rng(1)
    signal = rng.standard_normal(round(seconds * RATE / block) * block).astype(np.float32)
    stream, runs = _stream(response, block), dict[str, Callable[[np.ndarray], np.ndarray]]()
    runs["conv1d_kit"] = stream.push
    peer = _pedalboard(response, block)
    if peer is not None:
        runs["pedalboard"] = peer
    times: dict[str, list[float]] = {name: [] for name in runs}
    outputs: dict[str, list[np.ndarray]] = {name: [] for name in runs}
    gc.collect()
    gc.disable()  # as a host of real time does
    stretch = round(STRETCH_S * RATE / block) * block  # what runs alone keeps its spectra in the cache
    for first in range(0, len(signal), stretch):
        for name, run in runs.items():
            for at in range(first, min(first + stretch, len(signal)), block):
                x = signal[None, at : at + block]
                start = time.perf_counter()
                y = run(x)
                times[name].append(time.perf_counter() - start)
                outputs[name].append(y)
    gc.enable()
    found = {name: np.concatenate(parts, -1)[0] for name, parts in outputs.items()}
    row = {"block": block, **_spread(np.array(times["conv1d_kit"]), block)}
    if peer is not None:
        theirs = np.array(times["pedalboard"])
        ours, given = found["conv1d_kit"], found["pedalboard"]
        row["gain"] = float(given @ ours / (ours @ ours))  # it scales responses to an energy of its own
        row["peer_median"], row["peer_mean"] = float(np.median(theirs)), float(theirs.mean())
        row["ratio"] = row["peer_mean"] / row["mean"]
        row["difference"] = float(np.abs(given / row["gain"] - ours).max() / np.abs(ours).max())
    return row


def _spread(times: np.ndarray, block: int) -> dict:
    """What matters of the times of a stream's blocks."""
    lasts = block / RATE
    return {
        "lasts": lasts,
        "median": float(np.median(times)),
        "mean": float(times.mean()),
        "p99": float(np.percentile(times, 99)),
        "longest": float(times.max()),
        "late": int((times > lasts).sum()),
    }


def _response() -> np.ndarray:
    """Noise that dies away by 60 dB within two seconds, of unit energy."""
    t = np.arange(round(RESPONSE_S * RATE)) / RATE
    h = np.random.default_rng(0).standard_normal(len(t)) * 10 ** (-3 * t / RESPONSE_S)
    return (h / np.linalg.norm(h)).astype(np.float32)


def _stream(response: np.ndarray, block: int) -> ConvStream:
    stream = ConvStream(response[None, None], padding="causal", flip=True)
    stream.prepare(np.zeros((1, block), np.float32))
    return stream


def _pedalboard(response: np.ndarray, block: int) -> Callable[[np.ndarray], np.ndarray] | None:
    """None where it is not installed."""
    try:
        from pedalboard import Convolution
    except ImportError:
        return None
    effect = Convolution(response, mix=1.0, sample_rate=RATE)
    effect.process(np.zeros((1, block), np.float32), RATE, buffer_size=block)  # sets itself up
    return lambda x: effect.process(x, RATE, buffer_size=block, reset=False)


if __name__ == "__main__":
    quick = sys.argv[1] == "quick"
    print(json.dumps({"rows": stream_rows(quick), "long": long_stream(quick)}))

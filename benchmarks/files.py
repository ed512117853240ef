"""Files longer than memory: how much faster than they play, with how much memory, each in a fresh process.

python -m benchmarks.files CASE SECONDS    one case, as JSON
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import soundfile

import conv1d_kit

from .memory import resident, start_watching
from .process import in_fresh_process

__all__ = ["file_rows"]

RATE, CHANNELS, RESPONSE_S = 48_000, 2, 2.0
MAPPED = 100_000_000  # samples of the memory map
FORMATS = {"WAV": "PCM_16", "FLAC": "PCM_16"}
CASES = {"WAV": 36_000.0, "FLAC": 3_600.0, "map": MAPPED / RATE}  # seconds of sound
QUICK = {"WAV": 600.0, "map": 10_000_000 / RATE}
LIMIT_S = 500.0
SPEED, MOST_BYTES = 200.0, 250e6  # times real time at least, resident bytes at most
MAP_BYTES, MAP_RATIO = 100e6, 1.3  # extra bytes, and times the time in memory, at most


def file_rows(quick: bool) -> list[dict]:
    """What each case took, or why it did not end."""
    found = []
    for case, seconds in (QUICK if quick else CASES).items():
        found.append(
            {"case": case, **in_fresh_process("benchmarks.files", case, str(seconds), limit_s=LIMIT_S)}
        )
    return found


def watch(case: str, seconds: float) -> dict:
    """One case in this process."""
    with tempfile.TemporaryDirectory() as folder:
        return (
            _mapped(Path(folder), round(seconds * RATE))
            if case == "map"
            else _sound(Path(folder), case, seconds)
        )


def _sound(folder: Path, kind: str, seconds: float) -> dict:
    src, dst = folder / f"in.{kind.lower()}", folder / f"out.{kind.lower()}"
    rng = np.random.default_rng(0)
    minute = (rng.standard_normal((60 * RATE, CHANNELS)) * 3_000).astype(np.int16)
    form = "RF64" if kind == "WAV" else kind
    with soundfile.SoundFile(src, "w", RATE, CHANNELS, FORMATS[kind], format=form) as file:
        for _ in range(max(1, round(seconds / 60))):
            file.write(minute)
    del minute
    size = src.stat().st_size
    start_watching()
    found = conv1d_kit.conv_file(src, dst, _response()[None], kernel_rate="source", gain_db=-20.0)
    return {
        "sound_s": found.frames / RATE, "seconds": found.seconds, "speed": found.frames / RATE / found.seconds,
        "read": found.seconds_read, "convolve": found.seconds_convolve, "write": found.seconds_write,
        "resident": resident("VmHWM"), "bytes": size,
    }  # fmt: skip


def _mapped(folder: Path, n: int) -> dict:
    src, dst, other = (folder / name for name in ("in.npy", "out.npy", "whole.npy"))
    np.save(src, np.random.default_rng(0).standard_normal(n, np.float32))
    response = _response()
    conv1d_kit.convolve(np.load(src)[:1_000_000], response)  # starts threads and loads libraries
    start = time.perf_counter()
    x = np.load(src)
    loaded = time.perf_counter()
    y = conv1d_kit.convolve(x, response)
    convolved = time.perf_counter()
    np.save(other, y)
    whole = time.perf_counter() - start
    del x, y
    before = start_watching()
    found = conv1d_kit.conv_file(src, dst, response)
    extra = resident("VmHWM") - before
    given, wanted = (np.load(path, mmap_mode="r").reshape(-1) for path in (dst, other))
    return {
        "samples": n, "seconds": found.seconds, "in_memory": whole, "ratio": found.seconds / whole,
        "in_memory_convolve": convolved - loaded,
        "read": found.seconds_read, "convolve": found.seconds_convolve, "write": found.seconds_write,
        "extra": extra, "difference": _difference(given, wanted), "bytes": os.stat(src).st_size,
    }  # fmt: skip


def _difference(a: np.ndarray, b: np.ndarray) -> float:
    """The largest, beside the largest value; piece by piece, for neither fits."""
    if a.shape != b.shape:
        raise ValueError(f"{a.shape} samples where {b.shape} are wanted")
    pieces = [slice(i, i + 10_000_000) for i in range(0, len(a), 10_000_000)]
    largest = max(float(np.abs(b[piece]).max()) for piece in pieces)
    return max(float(np.abs(a[piece] - b[piece]).max()) for piece in pieces) / largest


def _response() -> np.ndarray:
    t = np.arange(round(RESPONSE_S * RATE)) / RATE
    h = np.random.default_rng(0).standard_normal(len(t)) * 10 ** (-3 * t / RESPONSE_S)
    return (h / np.linalg.norm(h)).astype(np.float32)


if __name__ == "__main__":
    print(json.dumps(watch(sys.argv[1], float(sys.argv[2]))))

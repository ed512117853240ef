"""Events in a long recording: what decoding alone takes, what the net alone takes, and both side by side.

Wall time says something where two cores are free; processor time also where they are not: `work_beyond` is what
the two side by side take beyond the sum of both alone.

python -m benchmarks.events [SECONDS]    a made stereo 44.1 kHz FLAC, 3600 s by default; prints one JSON object
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import soundfile
import torch
from threadpoolctl import threadpool_limits

from conv1d_kit import AudioClassifier
from conv1d_kit.audio.event_job import write_events
from conv1d_kit.audio.event_options import EventOptions
from conv1d_kit.audio.events import EventSearch
from conv1d_kit.audio.recording import Recording
from conv1d_kit.audio.synth import make_sounds
from conv1d_kit.audio.windows import cut_windows

__all__ = ["measure"]

FILE_RATE, WINDOW_S = 44_100, 3.0


def measure(seconds: int, folder: Path) -> dict:
    """Wall and processor seconds of each, and how near both come to the slower of the two."""
    model = _model()
    path = _recording(folder / "long.flac", seconds)
    options = EventOptions(window_s=WINDOW_S)
    search = EventSearch(model, options)
    grid = search.grid

    def windows():
        return cut_windows(Recording(path, grid.sample_rate).blocks(), grid, search.batch_size)

    kept = [batch for _, batch in zip(range(8), windows(), strict=False)]
    decode_s, decode_cpu_s = _seconds(lambda: [None for _ in windows()])
    n_batches = -(-grid.count(seconds * grid.sample_rate) // search.batch_size)
    net_s, net_cpu_s = _seconds(lambda: [search.scorer.scores(kept[i % len(kept)]) for i in range(n_batches)])
    out = folder / "events.csv"
    both_s, both_cpu_s = _seconds(lambda: write_events(model, [path], out, options))
    return {
        "seconds_of_sound": seconds, "windows": grid.count(seconds * grid.sample_rate),
        "torch_threads": torch.get_num_threads(), "decode_alone_s": decode_s, "net_alone_s": net_s,
        "both_s": both_s, "share_of_the_slower": max(decode_s, net_s) / both_s,
        "decode_alone_cpu_s": decode_cpu_s, "net_alone_cpu_s": net_cpu_s, "both_cpu_s": both_cpu_s,
        "work_beyond": both_cpu_s / (decode_cpu_s + net_cpu_s) - 1, "real_time_factor": seconds / both_s,
    }  # fmt: skip


def _model() -> AudioClassifier:
    """The default net, hardly trained: speed does not depend on what it learned."""
    torch.set_num_threads(max(1, torch.get_num_threads() - 1))  # as the verb: decoding has a core too
    threadpool_limits(1, "blas")
    clips, labels = make_sounds(2, seed=0)
    return AudioClassifier(epochs=1).fit(clips, labels)


def _recording(path: Path, seconds: int) -> Path:
    """Sounds of every class in noise, a minute of them over and over."""
    clips, _ = make_sounds(6, seed=1, sample_rate=FILE_RATE)
    minute = 0.01 * np.random.default_rng(0).standard_normal((60 * FILE_RATE, 2))
    for i, clip in enumerate(clips[:24]):
        x = clip.samples[0]
        start = round(2.5 * i * FILE_RATE)
        part = minute[start : start + len(x)]
        part += x[: len(part), None]
    minute = np.clip(minute, -1, 1).astype(np.float32)
    with soundfile.SoundFile(path, "w", FILE_RATE, 2, "PCM_16") as file:
        for start in range(0, seconds, 60):
            file.write(minute[: (min(60, seconds - start)) * FILE_RATE])
    return path


def _seconds(call) -> tuple[float, float]:
    """Wall and processor time."""
    start, start_cpu = time.perf_counter(), time.process_time()
    call()
    return time.perf_counter() - start, time.process_time() - start_cpu


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as place:
        found = measure(int(sys.argv[1]) if len(sys.argv) > 1 else 3600, Path(place))
    print(json.dumps({k: round(v, 3) if isinstance(v, float) else v for k, v in found.items()}))

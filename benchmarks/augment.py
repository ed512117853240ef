"""Clips a second of every augmentation, on waveforms and log-mels: a Markdown table on standard output.

Run from the repository's root: `python benchmarks/augment.py`. Where audiomentations is installed, its nearest
transform stands beside, clip by clip, as it works.
"""

from __future__ import annotations

import importlib.util
import statistics
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import torch

from conv1d_kit.audio.augment import AUGMENTS
from conv1d_kit.audio.batch import Batch, kind_of
from conv1d_kit.audio.frontends import LogMel, Raw

RATE, SECONDS, ROUNDS = 32_000, 5, 5
PEERS: dict[str, tuple[str, dict[str, Any]]] = {
    "speed": ("TimeStretch", {"leave_length_unchanged": False}),
    "roll": ("Shift", {"rollover": True}),
    "gain": ("Gain", {}),
    "shift": ("Shift", {"rollover": False}),
    "masks": ("TimeMask", {}),
    "pitch": ("PitchShift", {"min_semitones": -2, "max_semitones": 2}),
    "tempo": ("TimeStretch", {"leave_length_unchanged": False}),
    "noise": ("AddColorNoise", {}),
    "filtering": ("LowPassFilter", {}),
    "polarity": ("PolarityInversion", {}),
}


def main() -> None:
    waves = _batch(Raw(RATE), 16, RATE * SECONDS)
    mels = _batch(LogMel(RATE, 64), 64, 250)
    peers = _peers(waves[0].x[:, 0].numpy())
    print(
        f"Clips a second, median of {ROUNDS} batches, {torch.get_num_threads()} thread(s), each row changed.\n"
    )
    heads = ["augmentation", f"waveform, 16 × {SECONDS} s at {RATE // 1000} kHz", "log-mel, 64 × 250"]
    print(f"| {' | '.join(heads + ['audiomentations'] * bool(peers))} |")
    print("|---|---|---|" + ("---|" if peers else ""))
    for name in AUGMENTS:
        cells = [_clips_a_second(name, batch, frontend) for batch, frontend in (waves, mels)]
        print(f"| {name} | {cells[0]} | {cells[1]} |" + (f" {peers.get(name, '–')} |" if peers else ""))


def _batch(frontend, n: int, length: int) -> tuple[Batch, Raw | LogMel]:
    x = 0.1 * torch.randn(n, frontend.n_features, length, generator=torch.Generator().manual_seed(0))
    return Batch(x, torch.full((n,), length), torch.eye(10)[torch.arange(n) % 10]), frontend


def _clips_a_second(name: str, batch: Batch, frontend) -> str:
    row = AUGMENTS[name]
    if kind_of(frontend) not in row.kinds:
        return "–"
    options = {"share": 1.0} if row.options().get("share") == 0.5 else {}
    generator = torch.Generator().manual_seed(0)
    seconds = _median(lambda: row.function(batch, frontend, generator, **options))
    return f"{len(batch.x) / seconds:,.0f} ({1000 * seconds:.1f} ms)"


def _peers(waves: np.ndarray) -> dict[str, str]:
    if importlib.util.find_spec("audiomentations") is None:
        return {}
    audiomentations = importlib.import_module("audiomentations")
    found = {}
    for name, (transform, options) in PEERS.items():
        apply = getattr(audiomentations, transform)(p=1.0, **options)
        seconds = _median(partial(_each_clip, apply, waves))
        found[name] = f"{len(waves) / seconds:,.0f} ({transform})"
    return found


def _each_clip(apply: Callable, waves: np.ndarray) -> None:
    for wave in waves:
        apply(wave, RATE)


def _median(call: Callable[[], object]) -> float:
    times = []
    for _ in range(1 + ROUNDS):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return statistics.median(times[1:])


if __name__ == "__main__":
    main()

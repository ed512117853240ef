"""A model that tells low tones, high tones and noise apart, trained in seconds, and recordings of these."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from conv1d_kit import AudioClassifier, Clip

RATE = 8000


def sound(kind: str, seconds: float, rate: int = RATE, *, seed: int = 0) -> np.ndarray:
    """Samples [shape=(T,)] of "low", "high", "noise" or "silence"."""
    r = np.random.default_rng(seed)
    t = np.arange(round(seconds * rate)) / rate
    if kind == "silence":
        return np.zeros(len(t))
    if kind == "noise":
        return 0.2 * r.standard_normal(len(t))
    hz = {"low": 300, "high": 2000}[kind] * r.uniform(0.9, 1.1)
    return 0.3 * np.sin(2 * np.pi * hz * t + r.uniform(0, 6)) + 0.003 * r.standard_normal(len(t))


def recording(parts: list[tuple[str, float]], rate: int = RATE) -> np.ndarray:
    """One sound after the other."""
    return np.concatenate([sound(kind, s, rate, seed=i) for i, (kind, s) in enumerate(parts)])


@lru_cache
def tone_model() -> AudioClassifier:
    """Trained on clips of about 1 s at 8 kHz that are partly silent, as windows of a recording are."""
    r = np.random.default_rng(0)
    labels = ["low", "high", "noise"] * 32
    clips = []
    for i, kind in enumerate(labels):
        before, after = r.uniform(0, 0.8, 2) * r.integers(0, 2, 2)
        parts = [("silence", before), (kind, r.uniform(0.2, 1.0)), ("silence", after)]
        clips.append(Clip(np.concatenate([sound(k, s, seed=i) for k, s in parts]), RATE))
    return AudioClassifier(epochs=16, width=8, n_mels=32, augment=("gain",)).fit(clips, labels)

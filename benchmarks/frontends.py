"""How long each front-end takes for a second of sound, beside librosa: python -m benchmarks.frontends."""

from __future__ import annotations

import time
from collections.abc import Callable

import librosa
import numpy as np
import torch

from conv1d_kit.audio.frontends import FRONTENDS

RATE, SECONDS, REPEATS = 16000, 10, 5
HOP, N_FFT = 320, 1024


def milliseconds(run: Callable[[], object]) -> float:
    """The shortest of a few runs, a second of sound; one run before them warms up."""
    run()
    times = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return 1000 * min(times) / SECONDS


def peers(x: np.ndarray) -> dict[str, Callable[[], object]]:
    """librosa's call with the row's own settings."""

    def mel():
        return librosa.feature.melspectrogram(
            y=x, sr=RATE, n_fft=N_FFT, hop_length=HOP, n_mels=64, pad_mode="constant"
        )

    return {
        "stft": lambda: np.log(np.abs(librosa.stft(x, n_fft=N_FFT, hop_length=HOP)) ** 2 + 1e-5),
        "log_mel": lambda: np.log(mel() + 1e-5),
        "pcen": lambda: librosa.pcen(mel(), sr=RATE, hop_length=HOP),
        "mfcc": lambda: librosa.feature.mfcc(S=librosa.power_to_db(mel()), n_mfcc=20),
        "cqt": lambda: np.abs(librosa.cqt(x, sr=RATE, hop_length=HOP, n_bins=84)),
    }


def main() -> None:
    """Print the table as Markdown, measured on one thread."""
    torch.set_num_threads(1)
    x = (0.1 * np.random.default_rng(0).standard_normal(RATE * SECONDS)).astype(np.float32)
    theirs = peers(x)
    print(f"Milliseconds for a second of sound at {RATE} Hz, one thread, hop {HOP}\n")
    print("| front-end | features | fft | conv | librosa |\n|---|---:|---:|---:|---:|")
    for name, build in FRONTENDS.items():
        frontend = build(RATE).eval()
        cells = []
        for method in ("fft", "conv"):
            with torch.no_grad():
                cells.append(
                    f"{milliseconds(lambda f=frontend, m=method: f(torch.from_numpy(x)[None], method=m)):.2f}"
                    if method in frontend.methods
                    else ""
                )
        cells.append(f"{milliseconds(theirs[name]):.2f}" if name in theirs else "")
        print(f"| {name} | {frontend.n_features} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()

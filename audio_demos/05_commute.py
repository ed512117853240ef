"""f ∗ g = g ∗ f (exercise 6): a string in a room is a room in a string; cross-correlation is not so.

python audio_demos/05_commute.py [FOLDER]   writes commute.png there, ./out by default
"""

import sys
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from conv1d_kit import convolve, correlate
from conv1d_kit.audio.synth import pluck, room_response

folder = Path(sys.argv[1] if len(sys.argv) > 1 else "out")
folder.mkdir(parents=True, exist_ok=True)
RATE = 16_000  # Hz

f = pluck(np.random.default_rng(1), 0.3, RATE, pitch_hz=110.0)
g = room_response(np.random.default_rng(4), RATE, reverberation_s=0.2)
pairs = {
    "f ∗ g against g ∗ f": (convolve(f, g), convolve(g, f)),
    "f ⋆ g against g ⋆ f": (correlate(f, g), correlate(g, f)),
    "f ⋆ g against g ⋆ f, reversed": (correlate(f, g), correlate(g, f)[::-1]),
}
print(f"{'':32}largest difference (of the largest value)")
for name, (a, b) in pairs.items():
    print(f"{name:32}{abs(a - b).max() / abs(a).max():.1e}")

figure, axes = plt.subplots(2, 2, figsize=(11, 6), layout="constrained", dpi=120)
for ax, signal, title in zip(axes[0], (f, g), ("f: a plucked string", "g: the echoes of a room"), strict=True):
    ax.plot(np.arange(len(signal)) / RATE * 1000, signal, "k", lw=0.7)
    ax.set(title=title, xlabel="time (ms)", ylabel="amplitude")
start = {"∗": 0, "⋆": -(len(g) - 1)}  # of the lags, in samples
for ax, (name, (a, b)), sign in zip(axes[1], pairs.items(), start, strict=False):
    ms = (np.arange(len(a)) + start[sign]) / RATE * 1000
    ax.plot(ms, a, "C0", lw=2.5, alpha=0.5, label=f"f {sign} g")
    ax.plot(
        (np.arange(len(b)) - (len(f) - 1 if sign == "⋆" else 0)) / RATE * 1000,
        b,
        "C3",
        lw=0.7,
        label=f"g {sign} f",
    )
    equal = np.allclose(a, b, atol=1e-9)
    ax.set(title=name.replace("against", "=" if equal else "≠"), ylabel="amplitude")
    ax.set_xlabel("time (ms)" if sign == "∗" else "lag (ms)")
    ax.legend(loc="upper right")
figure.savefig(folder / "commute.png")
print(folder / "commute.png")

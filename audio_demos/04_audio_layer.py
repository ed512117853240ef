"""The layer for audio (exercise 4): time is equivariant, frequency only on a logarithmic axis, causal or not.

python audio_demos/04_audio_layer.py [FOLDER]   writes audio_layer.png there, ./out by default
"""

import sys
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import torch

from conv1d_kit import conv
from conv1d_kit.audio.frontends import LogMel
from conv1d_kit.audio.synth import siren

folder = Path(sys.argv[1] if len(sys.argv) > 1 else "out")
folder.mkdir(parents=True, exist_ok=True)
RATE = 16_000  # Hz
figure, axes = plt.subplots(2, 2, figsize=(11, 7), layout="constrained", dpi=120)

# Time: a siren, and the same siren 0.5 s later (25 hops of 20 ms); log-mel is itself a strided convolution
sound = siren(np.random.default_rng(3), 1.5)
later = np.concatenate([np.zeros(RATE // 2), sound])
frontend = LogMel(RATE, n_mels=64, n_fft=512, hop_length=320)
now, then = (frontend(torch.tensor(x[None]).float())[0].numpy() for x in (sound, later))
print(
    f"time: 25 frames later the spectrogram differs by {abs(then[:, 27:] - now[:, 2:]).max():.1e} (log power)"
)
titles = ("a siren", "the same 0.5 s later: shifted frames")
for ax, picture, title in zip(axes[0], (now, then), titles, strict=True):
    drawn = ax.imshow(10 / np.log(10) * picture, origin="lower", aspect="auto", cmap="magma",
                      extent=(0, picture.shape[1] * 0.02, 0, 64), vmin=-50)  # fmt: skip
    ax.set(title=title, xlabel="time (s)", ylabel="mel band", xlim=(0, 2), facecolor="0.85")
figure.colorbar(drawn, ax=axes[0], label="power (dB)")


# Frequency: a tone of six harmonics and the same four semitones up, on two axes
def tone(f0):
    t = np.arange(RATE) / RATE
    return sum(0.5**h * np.sin(2 * np.pi * f0 * (h + 1) * t) for h in range(6))


def bands(x, centres_hz, width_s):
    """Magnitude in each band: the filters are Gaussian-windowed cosines and sines."""
    t = (np.arange(RATE // 2) - RATE // 4) / RATE
    wave, phase = np.exp(-0.5 * (t / width_s) ** 2) / width_s, 2 * np.pi * centres_hz[:, None] * t
    filters = np.concatenate([wave * np.cos(phase), wave * np.sin(phase)])[:, None]
    return np.hypot(*np.split(conv(x[None], filters, stride=RATE)[:, 0], 2))


log_hz, linear_hz = 100 * 2 ** (np.arange(120) / 24), np.linspace(100, 3100, 120)
grids = {"logarithmic": (log_hz, 8 / log_hz[:, None]), "linear": (linear_hz, np.full((120, 1), 0.02))}
ax = axes[1, 0]
for row, (name, (centres, width)) in enumerate(grids.items()):
    low, high = (bands(tone(f0), centres, width) for f0 in (200, 200 * 2 ** (4 / 12)))
    low, high = low / low.max(), high / high.max()
    fits = [low[: 120 - s] @ high[s:] / np.linalg.norm(low) / np.linalg.norm(high) for s in range(40)]
    best = int(np.argmax(fits))
    print(f"frequency: four semitones up, {name} axis: best shift {best} bands, match {max(fits):.4f}")
    ax.plot(low[: 120 - best] - 1.2 * row, "0.7", lw=2.5, label=None if row else "200 Hz, shifted to fit")
    ax.plot(high[best:] - 1.2 * row, f"C{row}", lw=1.4, label=f"252 Hz, {name} axis: match {max(fits):.2f}")
ax.set(title="a pitch shift is a shift on a logarithmic axis only", xlabel="band (after the shift)")
ax.set(ylabel="magnitude (of its maximum)", ylim=(-1.3, 1.9), yticks=[])
ax.legend(loc="upper right", fontsize=8)

# Causality: the same 32-tap smoother, looking back only or both ways
step, smoother = (np.arange(200) >= 100).astype(float)[None], np.hanning(34)[None, None, 1:-1]
ms = (np.arange(200) - 100) * 1000 / RATE
ax = axes[1, 1]
ax.plot(ms, step[0], "k", lw=1, label="input")
for padding, colour in (("causal", "C0"), ("same", "C3")):
    y = conv(step, smoother / smoother.sum(), padding=padding)[0]
    print(f"causality: padding={padding!r:9} reacts {ms[np.flatnonzero(y > 1e-9)[0]]:+.2f} ms from the step")
    ax.plot(ms, y, colour, lw=2, label=f'padding="{padding}"')
ax.set(title="only a causal layer waits for its input", xlim=(-3, 4))
ax.set(xlabel="time from the step (ms)", ylabel="amplitude")
ax.legend(loc="lower right")
figure.savefig(folder / "audio_layer.png")
print(folder / "audio_layer.png")

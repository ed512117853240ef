"""What arises at the border (exercise 3): five ways to go on beyond the end of a recording, and their price.

python audio_demos/02_borders.py [FOLDER]   writes borders.png there, ./out by default
"""

import sys
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from conv1d_kit import conv
from conv1d_kit.core.toeplitz import toeplitz_matrix

folder = Path(sys.argv[1] if len(sys.argv) > 1 else "out")
folder.mkdir(parents=True, exist_ok=True)
MODES = ["zeros", "reflect", "symmetric", "replicate", "circular"]
K = 17  # taps of a moving average, 8 beyond each border

# 20 ms of a 120 Hz tone at 4 kHz that the cut found in the middle of a swing
time_ms = np.arange(80) / 4
x = (1 + 0.8 * np.cos(2 * np.pi * 0.12 * time_ms + 0.6))[None]
mean = np.full((1, 1, K), 1 / K)
one = np.ones((1, 1, 1))

print(f"{'padding_mode':14}{'1 2 3 4 5 becomes':22}{'weights of the first of 5 outputs':36}{'shift error':>12}")
figure, axes = plt.subplots(len(MODES), 2, figsize=(11, 9), sharex="col", layout="constrained", dpi=120)
for (left, right), mode in zip(axes, MODES, strict=True):
    padded = conv(np.arange(1, 6)[None], one.astype(int), padding=2, padding_mode=mode)[0]
    first = toeplitz_matrix(np.ones((1, 1, 3), int), 5, padding=1, padding_mode=mode)[0]
    y = conv(x, mean, padding=K // 2, padding_mode=mode)
    of_rolled = conv(np.roll(x, 20, -1), mean, padding=K // 2, padding_mode=mode)
    error = abs(np.roll(y, 20, -1) - of_rolled)[0]  # 0 wherever shifting the input only shifts the output
    picture = f"{padded[0]} {padded[1]} | 1 2 3 4 5 | {padded[-2]} {padded[-1]}"
    print(f"{mode:14}{picture:22}{' '.join(map(str, first)) + '  / 3':36}{error.max():12.1e}")

    seen = conv(x, one, padding=20, padding_mode=mode)[0]
    around_ms = np.arange(-20, 100) / 4
    left.plot(around_ms, seen, "C3--", lw=1.2, label="invented")
    left.plot(time_ms, x[0], "k", lw=1.4, label="recorded")
    left.plot(time_ms, y[0], "C0", lw=2, label=f"mean of {K} samples")
    left.axvspan(-5, 0, color="0.93")
    left.axvspan(time_ms[-1], 25, color="0.93")
    left.set(ylabel=f"{mode}\namplitude", ylim=(-0.15, 2.0), xlim=(-5, 25))
    right.plot(time_ms, error, "C1", lw=1.6)
    right.set(ylabel="amplitude", ylim=(-0.03, 0.9), xlim=(0, 20))
figure.legend(*axes[0, 0].get_legend_handles_labels(), ncols=3, loc="outside lower center")
axes[0, 0].set_title("what the layer sees and gives")
axes[0, 1].set_title("|convolve the shifted − shift the convolved|, shift 5 ms")
axes[-1, 0].set_xlabel("time (ms)")
axes[-1, 1].set_xlabel("time (ms)")
figure.savefig(folder / "borders.png")
print("\nOnly circular padding keeps equivariance: it closes the time axis to a ring.")
print(folder / "borders.png")

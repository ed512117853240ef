"""From a dense layer to a convolution: 12 samples in and out, fewer and fewer weights (and exercise 1: Δ = 0).

python audio_demos/01_dense_to_convolution.py [FOLDER]   writes dense_to_convolution.png there, ./out by default
"""

import sys
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from conv1d_kit import conv
from conv1d_kit.core.toeplitz import parameter_counts, toeplitz_matrix

folder = Path(sys.argv[1] if len(sys.argv) > 1 else "out")
folder.mkdir(parents=True, exist_ok=True)
rng = np.random.default_rng(7)
T, DELTA = 12, 2

# A dense layer, then what each assumption leaves of it
dense = rng.standard_normal((T, T))
distance = np.subtract.outer(np.arange(T), np.arange(T))  # row i (output) minus column k (input)
local = np.where(abs(distance) <= DELTA, dense, 0)
kernel = rng.standard_normal((1, 1, 2 * DELTA + 1))
shared = toeplitz_matrix(kernel, T, padding=DELTA)
one_tap = toeplitz_matrix(np.full((1, 1, 1), -1.5), T)

x = rng.standard_normal((1, T))
gap = abs(shared @ x[0] - conv(x, kernel, padding=DELTA)[0]).max()
print(f"dense layer with the Toeplitz matrix against the convolution: largest difference {gap:.1e}\n")

sizes = {"1 s of sound, 16 kHz": (16000,), "one megapixel": (1000, 1000)}
steps = {
    "dense": "every cell on every cell",
    "shared": "translation invariance",
    "local": "locality",
    "convolution": "both",
}
counts = {name: parameter_counts(size, DELTA) for name, size in sizes.items()}
print(f"{'weights, Δ = 2':38}" + "".join(f"{name:>24}" for name in sizes))
for step, why in steps.items():
    print(f"{step + ': ' + why:38}" + "".join(f"{counts[name][step]:>24,}" for name in sizes))

figure, axes = plt.subplot_mosaic("abcd;eeee", figsize=(11, 6), layout="constrained", dpi=120)
matrices = {
    f"dense W[i, k]\n{T * T} weights": dense,
    f"local V[i, a], |a| ≤ {DELTA}\n{np.count_nonzero(local)} weights": local,
    f"convolution V[a]\n{2 * DELTA + 1} weights": shared,
    "convolution, Δ = 0\n1 weight": one_tap,
}
for ax, (title, matrix) in zip([axes[k] for k in "abcd"], matrices.items(), strict=True):
    picture = ax.imshow(np.where(matrix == 0, np.nan, matrix), cmap="RdBu_r", vmin=-2.5, vmax=2.5)
    ax.set(title=title, xlabel="input sample k", xticks=range(0, T, 2), yticks=range(0, T, 2))
axes["a"].set_ylabel("output sample i")
figure.colorbar(picture, ax=[axes[k] for k in "abcd"], label="weight", shrink=0.8)

bars = axes["e"]
for offset, (name, column) in zip((-0.2, 0.2), counts.items(), strict=True):
    drawn = bars.barh(np.arange(4) + offset, list(column.values()), 0.38, label=name)
    bars.bar_label(drawn, [f"{n:,}" for n in column.values()], padding=4)
bars.set(xscale="log", xlim=(1, 1e15), xlabel="number of weights (one channel in, one out, Δ = 2)")
bars.set_yticks(range(4), [f"{step}\n{why}" for step, why in steps.items()])
bars.invert_yaxis()
bars.legend(loc="lower right")
figure.savefig(folder / "dense_to_convolution.png")
print(f"\n{folder / 'dense_to_convolution.png'}")

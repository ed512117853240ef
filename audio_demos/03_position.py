"""Where translation invariance hurts and where it helps (exercise 2): "when is the beep?" and "which beep?".

python audio_demos/03_position.py [FOLDER]   writes position.png there, ./out by default
"""

import sys
from functools import partial
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import torch

from conv1d_kit.core.pooling import max_pool
from conv1d_kit.layers import Conv1d

folder = Path(sys.argv[1] if len(sys.argv) > 1 else "out")
folder.mkdir(parents=True, exist_ok=True)
T, SIZES = 32, [8, 32, 128, 512]


class Shared(torch.nn.Module):
    """One filter bank for all positions, then the maximum; blind to the place unless it is one more channel."""

    def __init__(self, position=False):
        super().__init__()
        self.place = torch.linspace(-1, 1, T)[None, None] if position else torch.zeros(1, 1, T)
        self.conv, self.line = Conv1d(2, 8, 5, padding=2, padding_mode="circular"), torch.nn.Linear(8, 2)

    def forward(self, x):
        return self.line(max_pool(self.conv(torch.cat([x, self.place.expand_as(x)], 1)).relu()))


class Untied(torch.nn.Module):
    """Local too, but with a filter bank of its own at each position: V[i, a] for V[a]."""

    def __init__(self):
        super().__init__()
        self.weight, self.line = torch.nn.Parameter(torch.randn(8, T, 5) * 0.4), torch.nn.Linear(8, 2)

    def forward(self, x):
        windows = torch.cat([x[..., -2:], x, x[..., :2]], -1)[:, 0].unfold(-1, 5, 1)  # (B, T, 5)
        return self.line(torch.einsum("bta,dta->bdt", windows, self.weight).relu().mean(-1))


def beeps(n, rng, question):
    """A pulse up-down or down-up somewhere; the label says its half of the clip, or which of the two it is."""
    x, kind, place = rng.normal(0, 0.3, (n, 1, T)), rng.integers(0, 2, n), rng.integers(0, T - 1, n)
    x[np.arange(n), 0, place] += 2 - 4 * kind
    x[np.arange(n), 0, place + 1] -= 2 - 4 * kind
    return torch.tensor(x).float(), torch.tensor(kind if question == "which" else place >= T // 2).long()


def accuracy(make_net, question, n):
    torch.manual_seed(0)
    (x, y), (x_test, y_test) = (beeps(m, np.random.default_rng(m), question) for m in (n, 2000))
    optimizer = torch.optim.Adam((net := make_net()).parameters(), lr=0.02)
    for _ in range(150):
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(net(x), y).backward()
        optimizer.step()
    return 100 * (net(x_test).argmax(1) == y_test).double().mean().item()


figure, axes = plt.subplots(1, 2, figsize=(10, 4), sharey=True, layout="constrained", dpi=120)
NETS = {"shared weights": Shared, "shared, told the position": partial(Shared, True), "untied, local": Untied}
for ax, question in zip(axes, ["when", "which"], strict=True):
    print(f"{question + ' is the beep?':28}" + "".join(f"{n:>8}" for n in SIZES) + "  training clips")
    for name, make_net in NETS.items():
        scores = [accuracy(make_net, question, n) for n in SIZES]
        print(f"{name:28}" + "".join(f"{s:7.1f}%" for s in scores))
        ax.plot(SIZES, scores, "o-", label=name, ms=11 if make_net is Shared else 5)
    ax.axhline(50, color="0.6", ls=":", label="chance")
    ax.set(xscale="log", xticks=SIZES, xticklabels=SIZES, xlabel="training clips")
    ax.minorticks_off()
axes[0].set(title="when: first or second half?", ylabel="accuracy on 2,000 new clips (%)")
axes[1].set_title("which: up-down or down-up?")
axes[1].legend(loc="center right")
figure.savefig(folder / "position.png")
print(folder / "position.png")

"""Where the layer fails on text (exercise 5): a short filter cannot hear what two words far apart say together.

python text_demos/02_long_dependencies.py [FOLDER]   writes long_dependencies.png there, ./out by default
"""

import sys
from pathlib import Path

import matplotlib.pyplot as plt
import torch

from conv1d_kit.core.pooling import max_pool
from conv1d_kit.layers import Conv1d

folder = Path(sys.argv[1] if len(sys.argv) > 1 else "out")
folder.mkdir(parents=True, exist_ok=True)
L, DISTANCES = 32, [1, 2, 4, 8, 12]
# name → layers of (width, dilation); they see 1 + Σ (width − 1) · dilation words
NETS = {f"width {width}": [(width, 1)] for width in (2, 3, 5, 9)} | {
    "widths 3 and 3, dilated": [(3, 1), (3, 3)]
}


class Net(torch.nn.Module):
    """Embedding → convolutions with ReLU → maximum over the places → line."""

    def __init__(self, layers):
        super().__init__()
        self.embed, self.line = torch.nn.Embedding(3, 8), torch.nn.Linear(32, 2)
        sizes = [8] + [32] * len(layers)
        self.convs = torch.nn.ModuleList(
            Conv1d(size, 32, width, dilation=dilation)
            for size, (width, dilation) in zip(sizes, layers, strict=False)
        )

    def forward(self, ids):
        x = self.embed(ids).transpose(1, 2)  # (B, E, L)
        for layer in self.convs:
            x = layer(x).relu()
        return self.line(max_pool(x))


def texts(n, distance, seed):
    """Word 1 `distance` words before word 2 (class 0) or after it (class 1), among fillers, anywhere inside."""
    y, rows = torch.arange(n) % 2, torch.arange(n)
    place = torch.randint(9, L - 9 - distance, (n,), generator=torch.Generator().manual_seed(seed))
    ids = torch.zeros(n, L, dtype=torch.long)
    ids[rows, place], ids[rows, place + distance] = 1 + y, 2 - y
    return ids, y


def accuracy(layers, distance):
    torch.manual_seed(0)
    net, (ids, y), (new_ids, new_y) = Net(layers), texts(100, distance, 1), texts(1000, distance, 2)
    optimizer = torch.optim.Adam(net.parameters(), lr=0.01)
    for _ in range(80):
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(net(ids), y).backward()
        optimizer.step()
    return 100 * (net(new_ids).argmax(1) == new_y).double().mean().item()


print(f"{'words apart':40}" + "".join(f"{d:>9}" for d in DISTANCES))
table, names = [], []
for name, layers in NETS.items():
    names.append(f"{name}: sees {1 + sum((width - 1) * dilation for width, dilation in layers)} words")
    table.append([accuracy(layers, d) for d in DISTANCES])
    print(f"{names[-1]:40}" + "".join(f"{score:8.1f}%" for score in table[-1]))

figure, ax = plt.subplots(figsize=(8, 4), layout="constrained", dpi=120)
drawn = ax.imshow(table, vmin=50, vmax=100, aspect="auto")
for row, scores in enumerate(table):
    for column, score in enumerate(scores):
        ax.text(column, row, f"{score:.0f}", ha="center", va="center", color="k" if score > 75 else "w")
ax.set_xticks(range(len(DISTANCES)), DISTANCES)
ax.set_yticks(range(len(names)), names)
ax.set(xlabel="distance of the two words that decide (words)", title="beyond its reach a net stays at chance")
figure.colorbar(drawn, label="accuracy on 1,000 new texts (%)")
figure.savefig(folder / "long_dependencies.png")
print(f"\n{folder / 'long_dependencies.png'}")

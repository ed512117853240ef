"""The n-gram CNN as mostly written with torch alone: what text_speed times the kit against."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch

__all__ = ["PlainCNN", "epoch", "predict"]


class PlainCNN(torch.nn.Module):
    """Kim's net: a dense embedding, an nn.Conv1d a width, ReLU, maximum, dropout, linear."""

    def __init__(self, n_words: int, n_classes: int, *, dim: int, widths: Sequence[int], filters: int):
        super().__init__()
        self.embedding = torch.nn.Embedding(n_words, dim, padding_idx=0)
        torch.nn.init.uniform_(self.embedding.weight, -0.25, 0.25)
        self.convs = torch.nn.ModuleList(torch.nn.Conv1d(dim, filters, k, padding=k - 1) for k in widths)
        self.dropout = torch.nn.Dropout(0.5)
        self.out = torch.nn.Linear(filters * len(widths), n_classes)

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        x = self.embedding(ids).transpose(1, 2)  # (B, E, L)
        return self.out(self.dropout(torch.cat([torch.relu(conv(x)).amax(2) for conv in self.convs], 1)))

    @torch.no_grad()
    def clip(self, bound: float = 3.0) -> None:
        """Max-norm of each class's output weights."""
        self.out.weight.copy_(torch.renorm(self.out.weight, 2, 0, bound))


def epoch(
    net: PlainCNN,
    optimizer: torch.optim.Optimizer,
    ids: Sequence[np.ndarray],
    targets: torch.Tensor,
    order: np.ndarray,
    batch_size: int = 50,
) -> int:
    """One pass in the given order; the number of sentences seen."""
    net.train()
    for rows in _parts(order, batch_size):
        optimizer.zero_grad()
        loss = torch.nn.functional.cross_entropy(net(_padded([ids[i] for i in rows])), targets[rows])
        loss.backward()
        optimizer.step()
        net.clip()
    return len(order)


@torch.inference_mode()
def predict(net: PlainCNN, ids: Sequence[np.ndarray], batch_size: int = 50) -> np.ndarray:
    """Probabilities [shape=(N, n_classes)], batch after batch in the order of the file."""
    net.eval()
    parts = _parts(np.arange(len(ids)), batch_size)
    return torch.cat([torch.softmax(net(_padded([ids[i] for i in rows])), 1) for rows in parts]).numpy()


def _parts(order: np.ndarray, batch_size: int) -> Iterator[np.ndarray]:
    for i in range(0, len(order), batch_size):
        yield order[i : i + batch_size]


def _padded(rows: list[np.ndarray]) -> torch.Tensor:
    return torch.nn.utils.rnn.pad_sequence([torch.from_numpy(r) for r in rows], batch_first=True)

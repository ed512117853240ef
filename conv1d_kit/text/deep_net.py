"""What the deep text nets share: embeddings as channels → maps → pooling → hidden layers."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn
from torch.nn import functional

from ..core.pooling import masked
from ..layers import Conv1d
from .net import TextNet
from .net_options import ACTIVATIONS
from .poolings import Pooling, make_pooling

__all__ = ["DeepNet", "Residual", "same"]

_COMMON = frozenset(
    {
        "dim",
        "filters",
        "pooling",
        "embedding",
        "embedding_scale",
        "dropout",
        "embedding_dropout",
        "word_dropout",
        "max_norm",
    }
)


class DeepNet(TextNet):
    """A text net that writes `maps`; each text has the borders that it has alone.

    Every layer gives zeros beyond a text, so the next one sees there what its padding would have given it.
    """

    reads = _COMMON | {"depth", "activation"}
    pool: Pooling

    @property
    def activation(self) -> Callable[[torch.Tensor], torch.Tensor]:
        """The function behind each layer."""
        return ACTIVATIONS[self.options.activation]

    def maps(
        self, x: torch.Tensor, lengths: torch.Tensor | None = None
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Embeddings (B, E, L), zeros beyond each text → the last maps (B, C, L') and their lengths."""
        raise NotImplementedError

    def features(self, ids: torch.Tensor, lengths: torch.Tensor | None = None) -> torch.Tensor:
        maps, lengths = self.maps(self._embedded(self.tokens(ids, lengths)), lengths)
        return self.hidden(self.pool(maps, lengths))

    def hidden(self, pooled: torch.Tensor) -> torch.Tensor:
        """The hidden layers between the pooling and the last dropout, where the net has any."""
        if self.first is None or self.second is None:
            return pooled
        return self.activation(self.second(self.hidden_dropout(self.activation(self.first(pooled)))))

    def _embedded(self, ids: torch.Tensor) -> torch.Tensor:
        if not (self.training and self.options.embedding_dropout):
            return self.embedding(ids).transpose(1, 2)  # (B, E, L)
        used, places = ids.unique(return_inverse=True)
        rows = self.embedding_dropout(self.embedding(used))  # each word loses its entries once
        return functional.embedding(places, rows).transpose(1, 2)

    def _finish(self, channels: int, n_classes: int, *, units: int | None = None) -> None:
        """Pooling over `channels` channels, two hidden layers of `units` units or none, and `out`."""
        self.pool = make_pooling(self.options.pooling, channels)
        n_features = channels * self.pool.k
        self.first: nn.Linear | None = None
        self.second: nn.Linear | None = None
        if units is not None:
            self.first, self.second = nn.Linear(n_features, units), nn.Linear(units, units)
            n_features = units
        self.hidden_dropout = nn.Dropout(self.options.dropout)
        self.out = nn.Linear(n_features, n_classes)

    @torch.no_grad()
    def start(self, generator: torch.Generator | None = None) -> None:
        """Draw new weights: uniform, of the variance that a ReLU keeps; the last layer as torch's own.

        Source: He et al. (2015), Delving Deep into Rectifiers, eq. 10.
        """
        self.embedding.start(generator, self.options.embedding_scale)
        for layer in self.modules():
            if isinstance(layer, Conv1d | nn.Linear):
                fan_in = layer.weight[0].numel()
                bound = ((1.0 if layer is self.out else 6.0) / fan_in) ** 0.5
                layer.weight.uniform_(-bound, bound, generator=generator)
                if layer.bias is not None:
                    layer.bias.zero_()


def same(
    channels_in: int, channels_out: int, width: int = 3, *, dilation: int = 1, bias: bool = True
) -> Conv1d:
    """A convolution that keeps the length: zeros on both sides of the text."""
    return Conv1d(channels_in, channels_out, width, padding="same", dilation=dilation, bias=bias)


class Residual(nn.Module):
    """x + second(f(first(f(x)))): activation before each convolution, zeros beyond each text."""

    def __init__(self, channels: int, activation, *, scale: float = 1.0):
        super().__init__()
        self.first, self.second = same(channels, channels), same(channels, channels)
        self.activation, self.scale = activation, scale

    def forward(self, x: torch.Tensor, lengths: torch.Tensor | None = None) -> torch.Tensor:
        y = masked(self.first(masked(self.activation(x), lengths)), lengths)
        return x + self.scale * masked(self.second(masked(self.activation(y), lengths)), lengths)

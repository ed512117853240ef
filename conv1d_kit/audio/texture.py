"""A net that hears a sound as a texture: statistics of its bands' envelopes, and two dense layers."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import nn

from ..core.pooling import masked, mean_pool
from .net import AudioNet
from .norms import Standardize

__all__ = ["TextureNet", "correlations", "modulations", "recurrences", "texture_statistics"]

N_OCTAVES = 8  # of modulation, from changes between two frames to changes over 256
SPANS = (1, 8)  # frames between the two whose difference is correlated between bands
N_LAGS, MOST_LAG = 24, 500  # ranges of lags, and frames in the longest lag
EPS, FAR = 1e-4, 6.0  # power of features that counts as none; standard deviations beyond which nothing counts


class TextureNet(AudioNet):
    """Statistics of log-mel envelopes, standardised, and two dense layers: rain from fire by how it fluctuates.

    Nothing before the dense layers is learned but the statistics' scale, so that a few clips are enough and the
    errors are others than those of a CNN.

    Source of the statistics: McDermott & Simoncelli, Sound Texture Perception via Statistics of the Auditory
    Periphery (Neuron 2011): envelopes' moments, modulation power and correlations between bands.

    Parameters
    ----------
    n_features, n_classes : int
    width : int
        An eighth of the units of the hidden layer.
    dropout : float in [0, 1)

    Shape
    -----
    x (B, n_features, L), lengths (B,) or None → (B, n_classes)

    Examples
    --------
    >>> net = TextureNet(64, 10).eval()
    >>> net(torch.zeros(2, 64, 100), torch.tensor([100, 7])).shape
    torch.Size([2, 10])
    """

    augments = ("speed", "crop", "gain")  # two sounds mixed have the statistics of neither
    centre: torch.Tensor
    spread: torch.Tensor

    def __init__(self, n_features: int, n_classes: int, *, width: int = 32, dropout: float = 0.3):
        super().__init__()
        self.input = Standardize(n_features)
        n = texture_statistics(torch.zeros(1, n_features, 1)).shape[1]
        self.register_buffer("centre", torch.zeros(n))
        self.register_buffer("spread", torch.ones(n))
        self.hidden = nn.Linear(n, 8 * width)
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(8 * width, n_classes)

    def fit_input(self, features: Sequence[torch.Tensor]) -> None:
        """Standardise the input, then each statistic, on training features (F, L)."""
        super().fit_input(features)
        with torch.no_grad():
            found = torch.cat([texture_statistics(self.maps(f.float()[None])[0][:, 0]) for f in features])
        self.centre = found.mean(0)
        self.spread = found.std(0, correction=0).clamp(min=1e-3)

    def maps(self, x, lengths=None):
        x = self.input(x)
        return masked(x, lengths)[:, None], lengths

    def summary(self, maps, lengths=None):
        found = (texture_statistics(maps[:, 0], lengths) - self.centre) / self.spread
        return self.hidden(found.clamp(-FAR, FAR)).relu()


def texture_statistics(x: torch.Tensor, lengths: torch.Tensor | None = None) -> torch.Tensor:
    """Mean, spread, modulation, correlations and recurrences of envelopes (B, F, L) → (B, D)."""
    if lengths is None:
        lengths = torch.full((x.shape[0],), x.shape[-1], device=x.device)
    mean = mean_pool(x, lengths)
    bands = _grouping(x.shape[1], 16).to(x)
    d = _centred(x, lengths)
    g = bands @ d
    found = [mean, _power(d, lengths).log(), (modulations(d, lengths).transpose(1, 2) @ bands.T).flatten(1)]
    found.append(correlations(g, lengths))
    for span in SPANS:
        found.append(correlations(*_change(g, lengths, span)))
    rise, left = _change(x, lengths, 1)
    found.append(recurrences(_grouping(x.shape[1], 4).to(x) @ rise.relu(), left).flatten(1))
    return torch.cat(found, 1)


def modulations(x: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
    """Log power of each octave of the fluctuations of (B, F, L), fastest first → (B, F, N_OCTAVES).

    Haar wavelets: differences and means of neighbours, over and over.
    """
    x = nn.functional.pad(x, (0, -x.shape[-1] % 2**N_OCTAVES))
    found = []
    for _ in range(N_OCTAVES):
        first, second = x.unflatten(-1, (-1, 2)).unbind(-1)
        lengths = lengths // 2
        found.append(_power((first - second) / 2, lengths).log())
        x = (first + second) / 2
    return torch.stack(found, -1)


def correlations(x: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
    """Correlation of every two bands of (B, F, L) over the valid frames → (B, F · (F − 1) / 2)."""
    x = _centred(x, lengths)
    x = x * torch.rsqrt(_power(x, lengths))[..., None]
    matrix = x @ x.transpose(1, 2) / lengths.clamp(min=1)[:, None, None]
    i, j = torch.triu_indices(x.shape[1], x.shape[1], 1, device=x.device)
    return matrix[:, i, j]


def recurrences(x: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
    """Highest autocorrelation of (B, F, L) in each of N_LAGS ranges of lags → (B, F, N_LAGS)."""
    x = _centred(x, lengths)
    windows = nn.functional.pad(x, (0, MOST_LAG)).unfold(-1, MOST_LAG + 1, 1)  # (B, F, L, lags)
    found = (x[..., None, :] @ windows)[..., 0, :]
    found = found / (found[..., :1] + 1e-3)
    edges = [round(2 * (MOST_LAG / 2) ** (i / N_LAGS)) for i in range(N_LAGS + 1)]
    return torch.stack([found[..., a : max(b, a + 1)].amax(-1) for a, b in pairwise(edges)], -1)


def _grouping(n_features: int, n_groups: int) -> torch.Tensor:
    """Means of neighbouring bands as a matrix [shape=(n_groups, n_features)]."""
    return nn.functional.adaptive_avg_pool1d(torch.eye(n_features), n_groups).T


def _centred(x: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
    return masked(x - mean_pool(x, lengths)[..., None], lengths)


def _power(x: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
    return mean_pool(x.square(), lengths) + EPS


def _change(x: torch.Tensor, lengths: torch.Tensor, span: int) -> tuple[torch.Tensor, torch.Tensor]:
    """x[t + span] − x[t] and its valid frames."""
    later = nn.functional.pad(x, (0, span))[..., span:]
    lengths = (lengths - span).clamp(min=0)
    return masked(later - x, lengths), lengths

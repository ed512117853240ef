"""A net so small that what it looks at can be written down: one cell of its maps is 4 frames of a few bands."""

from types import SimpleNamespace

import numpy as np
import torch
from torch import nn

from conv1d_kit.audio.frontends import LogMel
from conv1d_kit.audio.net import AudioNet
from conv1d_kit.core.pooling import length_mask, pool

RATE, N_MELS = 8000, 32


class TinyNet(AudioNet):
    """Three classes by the mean of `rows` × `columns` of the features, of all features, and of none."""

    def __init__(self, rows=slice(0, N_MELS), columns=slice(0, None), n_features=N_MELS):
        super().__init__()
        self.rows, self.columns = rows, columns
        self.head = nn.Linear(4, 3)
        with torch.no_grad():
            self.head.weight.copy_(torch.tensor([[1.0, 0, 0, 0], [0, 1, 0, 0], [-1, 0, 0, 0]]))
            self.head.bias.zero_()

    def maps(self, x, lengths=None):
        x = (x + 12).relu()  # a logarithm of power is negative
        if lengths is not None:
            x = x * length_mask(lengths, x.shape[-1])[:, None]
        x = nn.functional.pad(x, (0, -x.shape[-1] % 4))
        one = torch.zeros_like(x)
        one[:, self.rows, self.columns] = x[:, self.rows, self.columns]
        both = torch.stack([one, x], 1)
        size = (4 if x.shape[1] > 1 else 1, 4)
        lengths = None if lengths is None else (lengths + 3) // 4
        return nn.functional.avg_pool2d(both, size), lengths

    def embed(self, x, lengths=None):
        maps, lengths = self.maps(x, lengths)
        return pool(maps.mean(2), lengths, kind="mean_max")

    def forward(self, x, lengths=None):
        return self.head(self.embed(x, lengths))


class TinyEnsemble(AudioNet):
    """Takes samples; the mean of its members' probabilities."""

    def __init__(self, *members):
        super().__init__()
        self.members = list(members)

    def _heard(self, x, lengths):
        return [(net, frontend(x[:, 0]), frontend.lengths(lengths)) for frontend, net in self.members]

    def embed(self, x, lengths):
        vectors = [net.embed(f, n) for net, f, n in self._heard(x, lengths)]
        return torch.cat([nn.functional.normalize(v) for v in vectors], 1)

    def forward(self, x, lengths):
        return torch.stack([net(f, n).softmax(1) for net, f, n in self._heard(x, lengths)]).mean(0).log()


def tiny_model(net=None, frontend=None):
    """What explanations and embeddings need of a trained AudioClassifier."""
    frontend = LogMel(RATE, n_mels=N_MELS, n_fft=512, hop_length=160) if frontend is None else frontend
    return SimpleNamespace(
        net_=(TinyNet() if net is None else net).eval(), frontend_=frontend, sample_rate_=RATE,
        classes_=np.array(["a", "b", "c"]), trims=False,
    )  # fmt: skip


def tone(hz, start_s, end_s, duration_s=1.0):
    """A tone that sounds from start_s to end_s in silence [shape=(T,), float32]."""
    t = np.arange(round(duration_s * RATE)) / RATE
    return (0.5 * np.sin(2 * np.pi * hz * t) * ((t >= start_s) & (t < end_s))).astype(np.float32)

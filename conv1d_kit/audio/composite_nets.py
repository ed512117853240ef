"""Nets made of nets: a front-end that learns with its net, features about their mean, an ensemble of views."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import nn

from ..core.pooling import max_pool, mean_pool
from .frontends import Frontend
from .net import AudioNet, WrappedNet

__all__ = ["CentredNet", "Ensemble", "HeardNet"]

_NEPERS = math.log(10) / 10  # a dB of power


class HeardNet(WrappedNet):
    """A front-end before a net, (B, 1, T) samples → (B, n_classes): the front-end's weights learn too.

    Parameters
    ----------
    front : Frontend
        With weights of its own: learned, sinc, gabor, or a trainable pcen.
    net : AudioNet
        Takes the front-end's features.

    Examples
    --------
    >>> from .frontends import FRONTENDS
    >>> from .nets import AUDIO_NETS
    >>> net = HeardNet(FRONTENDS["gabor"](8000), AUDIO_NETS["residual"](64, 10, width=8)).eval()
    >>> net(torch.zeros(2, 1, 4000), torch.tensor([4000, 3])).shape
    torch.Size([2, 10])
    """

    frontend = "raw"

    def __init__(self, front: Frontend, net: AudioNet):
        super().__init__()
        self.front = front
        self.net = net

    def kernels(self) -> torch.Tensor:
        """The filters of the front-end as they are now."""
        return self.front.kernels()

    def fit_input(self, waves: Sequence[torch.Tensor]) -> None:
        """Standardise the net's input on what the untrained front-end makes of the clips (1, T)."""
        with torch.no_grad():
            self.net.fit_input([self.front(w.float())[0] for w in waves])

    def maps(self, x, lengths=None):
        return self.net.maps(*self._heard(x, lengths))

    def _heard(self, x, lengths):
        return self.front(x[:, 0]), None if lengths is None else self.front.lengths(lengths)


class CentredNet(WrappedNet):
    """A net that hears each feature relative to its mean over the clip: a microphone or a voice is taken out.

    On log-mels this is cepstral mean normalisation; padding has no part in the mean. It needs the whole clip: a
    stream would have to wait for the end.

    With `range_db` the features are log powers, and how deep a clip's silence is has no say either: what lies
    more than `range_db` below its strongest cell is raised to there.

    Source: Atal, Effectiveness of linear prediction characteristics of the speech wave for automatic speaker
    identification and verification (1974).

    Parameters
    ----------
    net : AudioNet
        Takes features.
    range_db : float > 0, dB, optional

    Examples
    --------
    >>> from .nets import AUDIO_NETS
    >>> net = CentredNet(AUDIO_NETS["spectrogram"](40, 10, width=8)).eval()
    >>> x, n = torch.randn(2, 40, 90), torch.tensor([90, 33])
    >>> torch.allclose(net(x, n), net(x + torch.randn(2, 40, 1), n), atol=1e-5)
    True
    """

    def __init__(self, net: AudioNet, *, range_db: float | None = None):
        super().__init__()
        self.net = net
        self.range = None if range_db is None else range_db * _NEPERS

    def fit_input(self, features: Sequence[torch.Tensor]) -> None:
        self.net.fit_input([self._centred(f.float()[None], None)[0] for f in features])

    def maps(self, x, lengths=None):
        return self.net.maps(self._centred(x, lengths), lengths)

    def _centred(self, x: torch.Tensor, lengths: torch.Tensor | None) -> torch.Tensor:
        if self.range is not None:
            top = max_pool(x, lengths).amax(1)[:, None, None]
            x = torch.maximum(x, top - self.range)
        return x - mean_pool(x, lengths)[..., None]


class Ensemble(AudioNet):
    """The mean of its members' probabilities; each member hears the samples through a front-end of its own.

    Source of the idea for sounds: Zhu et al., WaveMsNet (2018): waveform and log-mel see different things.

    Parameters
    ----------
    fronts, nets : sequences of equal length
        Trained on their own.

    Attributes
    ----------
    members : list of (front-end, net)

    Shape
    -----
    samples (B, 1, T), lengths (B,) or None → (B, n_classes): what the mean probabilities are the
    softmax of (with `multi_label` the sigmoid).
    """

    frontend = "raw"

    temperature: torch.Tensor

    def __init__(self, fronts: Sequence[Frontend], nets: Sequence[AudioNet]):
        super().__init__()
        self.fronts, self.nets = nn.ModuleList(fronts), nn.ModuleList(nets)
        self.multi_label = nets[0].multi_label
        self.register_buffer("temperature", torch.ones(()))

    @property
    def members(self) -> list[tuple[Frontend, AudioNet]]:
        """Front-end and net of each member."""
        return list(zip(self.fronts, self.nets, strict=True))  # type: ignore[arg-type]

    def embed(self, x, lengths=None):
        """The members' embeddings, each of length 1, side by side [shape=(B, D)]."""
        return torch.cat([nn.functional.normalize(n.embed(*f)) for n, f in self._heard(x, lengths)], 1)

    def forward(self, x, lengths=None):
        shares = torch.stack([self.probabilities(n(*f)) for n, f in self._heard(x, lengths)]).mean(0)
        least = shares.clamp(min=1e-12)
        logits = least.log() - (1 - shares).clamp(min=1e-12).log() if self.multi_label else least.log()
        return logits / self.temperature

    def temper(self, temperature: float) -> None:
        self.temperature *= temperature

    def _heard(self, x, lengths):
        """Each net and what it hears; front-ends alike are heard through once."""
        heard: dict[str, tuple] = {}
        for i, (front, net) in enumerate(self.members):
            has_weights = any(True for _ in front.parameters())
            key = f"{i}" if has_weights else f"{type(front).__name__} {front.options()}"
            if key not in heard:
                heard[key] = front(x[:, 0]), None if lengths is None else front.lengths(lengths)
            yield net, heard[key]

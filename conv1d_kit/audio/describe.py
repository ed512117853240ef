"""What a net costs and hears, measured on it: weights, multiply-adds, receptive field, look-ahead."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import nn

from ..errors import InputError, check_whole
from ..layers import Conv1d, Conv2d
from .clip import check_rate
from .filterbank import Convolution
from .frontends import FRONTENDS, Frontend, Raw
from .frontends.base import positive_number
from .frontends.filters import FilterBank
from .net import AudioNet
from .nets import AUDIO_NETS

__all__ = ["NetDescription", "Reach", "describe", "describe_nets", "multiply_adds", "reach"]

_FIRST_S, _LONGEST_S = 0.5, 60.0  # clips on which the receptive field is sought
_LONGEST = 2**17  # samples, where that is more than a minute
_COUNTED = (Conv1d, Conv2d, nn.Linear, Convolution)


@dataclass(frozen=True)
class Reach:
    """Which samples one frame of the last maps depends on; frame l stands for l·stride … (l + 1)·stride − 1.

    Attributes
    ----------
    stride : int, samples
        Between two frames of the maps.
    receptive_field : int, samples
        From the first to the last sample that a frame depends on.
    look_ahead : int, samples
        How far the last of them lies beyond the frame's own.
    """

    stride: int
    receptive_field: int
    look_ahead: int


@dataclass(frozen=True)
class NetDescription:
    """One row of `audio nets`.

    Attributes
    ----------
    name, frontend : str
    weights : int
        Trained numbers of the net and of the front-end; log_mel and raw have none.
    multiply_adds, frontend_multiply_adds : int
        Of one clip; the front-end's as the convolution it is (by FFT it takes far fewer).
    frame_ms, receptive_field_ms, look_ahead_ms : float
        `Reach` in milliseconds, the front-end included.
    """

    name: str
    frontend: str
    weights: int
    multiply_adds: int
    frontend_multiply_adds: int
    frame_ms: float
    receptive_field_ms: float
    look_ahead_ms: float


def describe_nets(
    *, sample_rate: int = 16000, n_classes: int = 10, duration_s: float = 1.0
) -> list[NetDescription]:
    """Each row of AUDIO_NETS at its defaults behind its own front-end, which is causal where the net is.

    Raises
    ------
    InputError
        If a value cannot be used.

    Examples
    --------
    >>> rows = {row.name: row for row in describe_nets(sample_rate=2000)}
    >>> rows["m5"].weights, rows["m5"].receptive_field_ms, rows["dilated"].look_ahead_ms
    (39434, 886.0, 0.0)
    """
    rate, n_classes = check_rate(sample_rate), check_whole("n_classes", n_classes)
    rows = []
    for name, row in AUDIO_NETS.items():
        options = {"causal": True} if row.causal and row.frontend != "raw" else {}
        front = FRONTENDS[row.frontend](rate, **options)
        net = row(front.n_features, n_classes)
        rows.append(describe(net.eval(), front.eval(), duration_s=duration_s, name=name))
    return rows


def describe(net: AudioNet, frontend: Frontend, *, duration_s: float = 1.0, name: str = "") -> NetDescription:
    """Measure a net in eval mode behind a front-end.

    Parameters
    ----------
    net : AudioNet
    frontend : Frontend
    duration_s : float
        Of the clip whose multiply-adds are counted.
    name : str
        Of the row; default the net's class.

    Raises
    ------
    InputError
        If the duration is no number > 0, or a map frame hears as far as `reach` looks.
    """
    rate = frontend.sample_rate
    n_samples = max(1, round(positive_number("duration_s", duration_s) * rate))
    n_frames = int(frontend.lengths(torch.tensor(n_samples)))

    def maps(x: torch.Tensor) -> torch.Tensor:
        return net.maps(frontend(x))[0]

    found = reach(maps, sample_rate=rate)
    ms = 1000 / rate
    return NetDescription(
        name or type(net).__name__,
        next(key for key, row in FRONTENDS.items() if row is type(frontend)),
        sum(p.numel() for p in nn.ModuleList([frontend, net]).parameters()),
        multiply_adds(net, torch.zeros(1, frontend.n_features, n_frames)),
        _frontend_multiply_adds(frontend, n_frames),
        found.stride * ms,
        found.receptive_field * ms,
        found.look_ahead * ms,
    )


def multiply_adds(net: nn.Module, x: torch.Tensor) -> int:
    """Multiply-adds of this kit's convolutions and of linear layers while `net(x)` runs.

    Biases, norms and activations are left out. Each output of such a layer takes as many as one row of its
    weight has numbers; pads count as samples.

    Examples
    --------
    >>> from ..layers import Conv1d
    >>> multiply_adds(Conv1d(4, 6, 5, groups=2), torch.zeros(1, 4, 14))  # 6 · 10 outputs of 2 · 5 taps
    600
    """
    total = 0

    def count(layer: nn.Module, inputs: tuple[torch.Tensor, ...], output: torch.Tensor) -> None:
        nonlocal total
        weight = inputs[1] if isinstance(layer, Convolution) else layer.weight
        total += output.numel() * weight[0].numel()  # type: ignore[index]

    hooks = [layer.register_forward_hook(count) for layer in net.modules() if isinstance(layer, _COUNTED)]
    try:
        with torch.no_grad():
            net(x)
    finally:
        for hook in hooks:
            hook.remove()
    return total


def reach(maps: Callable[[torch.Tensor], torch.Tensor], *, sample_rate: int) -> Reach:
    """Find which samples a frame of `maps` depends on, by where a NaN among the samples reaches it.

    A NaN goes through every sum, maximum and logarithm, so this is exact where a gradient is not: a maximum
    hands its gradient to one of its inputs only.

    Parameters
    ----------
    maps : function of samples (1, T) → maps (1, …, L)
        Whose frames lie a fixed number of samples apart.
    sample_rate : int, Hz
        Half a second of samples is tried first, then twice as much, up to a minute (at least 2¹⁷ samples).

    Raises
    ------
    InputError
        If a frame in the middle of the longest still hears one of its ends.

    Examples
    --------
    >>> reach(lambda x: nn.functional.max_pool1d(x, 4), sample_rate=8000)
    Reach(stride=4, receptive_field=4, look_ahead=0)
    """
    n = max(1, round(_FIRST_S * sample_rate))
    longest = max(_LONGEST, round(_LONGEST_S * sample_rate))
    while n <= longest:
        heard = _Heard(maps, torch.zeros(1, n))
        middle = heard.n_frames // 2
        ends = middle < 2 or heard.in_part(middle - 1, 0, 1) or heard.in_part(middle, n - 1, n)
        if not ends:
            before, first, last = heard.first(middle - 1), heard.first(middle), heard.last(middle)
            stride = first - before
            return Reach(stride, last - first + 1, max(0, last - ((middle + 1) * stride - 1)))
        n *= 2
    raise InputError(f"a frame of the maps must hear less than {longest / sample_rate:.0f} s; no end in sight")


class _Heard:
    """Which samples reach which frame."""

    def __init__(self, maps: Callable[[torch.Tensor], torch.Tensor], x: torch.Tensor):
        self.maps, self.x, self.n_samples = maps, x, x.shape[1]
        with torch.no_grad():
            self.n_frames = maps(x).shape[-1]

    def in_part(self, frame: int, start: int, stop: int) -> bool:
        """Whether the frame depends on one of the samples start … stop − 1."""
        spoilt = self.x.clone()
        spoilt[:, start:stop] = torch.nan
        with torch.no_grad():
            return bool(self.maps(spoilt)[..., frame].isnan().any())

    def first(self, frame: int) -> int:
        return _smallest(self.n_samples, lambda k: self.in_part(frame, 0, k + 1))

    def last(self, frame: int) -> int:
        return _smallest(self.n_samples, lambda k: not self.in_part(frame, k + 1, self.n_samples))


def _smallest(n: int, holds: Callable[[int], bool]) -> int:
    """The smallest k < n for which `holds`, which stays true from there on; n − 1 where none is."""
    low, high = 0, n - 1
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if holds(middle) else (middle + 1, high)
    return low


def _frontend_multiply_adds(frontend: Frontend, n_frames: int) -> int:
    """Kernels at each of their steps, and the matrices that each frame is multiplied by."""
    if isinstance(frontend, Raw):
        return 0
    if isinstance(frontend, FilterBank):
        energy = frontend.energy
        steps = energy.hop_length // energy.stride
        return n_frames * (energy.kernels().numel() * steps + energy.lowpass.kernels().numel())
    matrices = sum(b.numel() for name, b in frontend.named_buffers() if name.endswith(("mel", "dct")))
    return n_frames * (frontend.kernels().numel() + matrices)

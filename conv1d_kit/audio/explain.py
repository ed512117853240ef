"""Where in a sound a trained net found its answer: Grad-CAM, integrated gradients and occlusion.

What each can say and cannot:

- `grad_cam` says at which cells of its last maps the net saw what speaks for a class. It is as coarse as those
  maps, shows nothing that speaks against the class, and is no share of anything: maps of two clips do not
  compare. In a causal net a cell stands for what came before it.
- `integrated_gradients` shares the rise of the logit over silence out among the cells or samples; the shares
  add up to it. They depend on the baseline: a cell as quiet as silence gets none, though a pause may be what
  gives a word away. Neighbouring shares of opposite sign are common; sums over a region say more.
- `occlusion` replaces one block after another by silence and looks how far the logit falls. It needs no
  gradient and so checks the other two, but where two blocks say the same, hiding either changes nothing.

None of them says whether the net is right, nor why it learned what it learned.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn

from ..errors import InputError, InputTypeError
from ..training.path_integral import integrate_gradients as _integrate
from .frontends import Frontend, LogMel, hz_to_mel, mel_to_hz

__all__ = ["Attribution", "View", "feature_hz", "grad_cam", "integrated_gradients", "occlusion", "views"]


@dataclass(frozen=True)
class View:
    """One way into a model: a front-end and the net that hears through it."""

    name: str
    frontend: Frontend
    net: Any

    def features(self, samples) -> torch.Tensor:
        """Features (1, F, L) of samples (T,)."""
        return self.frontend(_wave(samples)[None])


@dataclass(frozen=True)
class Attribution:
    """How much each cell of a picture, or each sample, has to do with the logit of a class.

    Attributes
    ----------
    values : array [shape=(F, L), float32]
        F = 1 where the answer is about time alone.
    column_s : float
        Seconds from one column to the next; column i is centred on i · column_s.
    hz : array [shape=(F,)] or None
        Centre frequency of each row, where rows are bands.
    target : int
        The class, an index of `classes_`.
    change, gap : float
        Integrated gradients: logit less that of silence, and how far the sum of the values is from it.
    n_steps : int
        Gradients taken for integrated gradients; 0 otherwise.
    """

    values: np.ndarray
    column_s: float
    hz: np.ndarray | None
    target: int
    change: float = float("nan")
    gap: float = float("nan")
    n_steps: int = 0


def views(model) -> list[View]:
    """The (front-end, net) pairs of a trained model: one, or one a member of an ensemble."""
    pairs = list(getattr(model.net_, "members", None) or [(model.frontend_, model.net_)])
    names = [type(net).__name__ for _, net in pairs]
    numbered = [f"{n} {names[: i + 1].count(n)}" if names.count(n) > 1 else n for i, n in enumerate(names)]
    return [View(name, frontend, net) for name, (frontend, net) in zip(numbered, pairs, strict=True)]


def grad_cam(view: View, samples, target: int | None = None) -> Attribution:
    """Grad-CAM on the grid of the features: max(0, Σ_k α_k A^k), α_k the mean of ∂logit/∂A^k over the map.

    Parameters
    ----------
    view : View
    samples : array or Tensor [shape=(T,)]
        At the front-end's rate.
    target : int, optional
        Class; default the one with the highest logit.

    Returns
    -------
    Attribution
        values >= 0, in logits per cell of the map; over time alone if the features are samples or the maps are
        one-dimensional. Between the centres of the cells, linear.

    Raises
    ------
    InputError
        If there are no samples or no such class.

    Source: Selvaraju et al., Grad-CAM (2017), eq. 1 and 2.

    Examples
    --------
    >>> from conv1d_kit.audio.nets import SpectrogramCNN
    >>> view = View("net", LogMel(8000, n_mels=32), SpectrogramCNN(32, 3, width=4).eval())
    >>> grad_cam(view, torch.randn(4000), target=1).values.shape
    (32, 26)
    """
    x = view.features(samples).detach()
    n_features, n_frames = x.shape[1:]
    with torch.enable_grad(), _maps_kept(view.net) as kept:
        logits = view.net(x, torch.tensor([n_frames]))[0]
        target = _class(target, logits)
        maps, lengths = kept[-1]
        (slopes,) = torch.autograd.grad(logits[target], maps)
    n = maps.shape[-1] if lengths is None else int(lengths[0])
    maps, slopes = maps[0, :, :, :n].detach(), slopes[0, :, :, :n]  # (C, F', L')
    cam = (slopes.mean((1, 2), keepdim=True) * maps).sum(0).relu().numpy()
    if n_features == 1 or len(cam) == 1:
        cam = cam.mean(0, keepdims=True)
    else:
        cam = _resized(cam.T, n_features, _halvings(n_features, len(cam))).T
    cam = _resized(cam, n_frames, _frames_per_cell(view.net, n_features))
    hz = feature_hz(view.frontend) if len(cam) > 1 else None
    return Attribution(cam.astype(np.float32), _column_s(view.frontend), hz, target)


def integrated_gradients(
    view: View,
    samples,
    target: int | None = None,
    *,
    on: str = "features",
    tolerance: float = 1e-2,
    max_steps: int = 1024,
) -> Attribution:
    """The logit's rise over silence, shared out among features or samples; the shares add up to it.

    Parameters
    ----------
    view : View
    samples : array or Tensor [shape=(T,)]
        At the front-end's rate.
    target : int, optional
        Class; default the one with the highest logit.
    on : {"features", "samples"}
        "features": from the features of silence (the front-end's floor) to those of the clip. "samples": from
        silence to the clip, through the front-end.
    tolerance : float
        |sum − change| / |change|, reached by as many steps as it takes, at most max_steps.

    Returns
    -------
    Attribution
        values (F, L), or (1, T) on samples.

    Raises
    ------
    InputError
        If there are no samples or no such class, or on is neither.

    Source: Sundararajan, Taly & Yan (2017), eq. 1; completeness is their proposition 1.

    Examples
    --------
    >>> from conv1d_kit.audio.nets import SpectrogramCNN
    >>> view = View("net", LogMel(8000, n_mels=32), SpectrogramCNN(32, 3, width=4).eval())
    >>> found = integrated_gradients(view, torch.sin(torch.arange(4000.0)), target=1)
    >>> bool(abs(found.values.sum() - found.change) <= 1e-2 * abs(found.change) + 1e-4)
    True
    """
    if on not in ("features", "samples"):
        raise InputError(f"on must be 'features' or 'samples', got {on!r}")
    wave = _wave(samples)
    silence = torch.zeros_like(wave)
    prepare: Callable[[torch.Tensor], torch.Tensor]
    with torch.no_grad():
        if on == "features":
            x, baseline = view.frontend(wave[None])[0], view.frontend(silence[None])[0]
            prepare, hz, column_s = _same, feature_hz(view.frontend), _column_s(view.frontend)
        else:
            x, baseline = wave, silence
            prepare, hz, column_s = view.frontend, None, 1 / view.frontend.sample_rate
        target = _class(target, _logits(view.net, prepare(x[None]))[0])
    found = _integrate(
        lambda rows: _logits(view.net, prepare(rows))[:, target], x, baseline,
        tolerance=tolerance, max_steps=max_steps,
    )  # fmt: skip
    values = found.values.numpy().reshape(-1, x.shape[-1])
    return Attribution(
        values, column_s, hz if len(values) > 1 else None, target, found.change, found.gap, found.n_steps
    )


def occlusion(
    view: View, samples, target: int | None = None, *, n_bands: int = 8, n_times: int = 16
) -> Attribution:
    """How far the logit falls when a block of features is replaced by silence; each block shows its own fall.

    Parameters
    ----------
    view : View
    samples : array or Tensor [shape=(T,)]
    target : int, optional
        Class; default the one with the highest logit.
    n_bands, n_times : int
        Blocks over the features and over time, as equal as can be; at most one a feature and one a frame.

    Raises
    ------
    InputError
        If there are no samples or no such class, or a number of blocks is not >= 1.

    Source: Zeiler & Fergus, Visualizing and Understanding Convolutional Networks (2014), section 4.2.

    Examples
    --------
    >>> from conv1d_kit.audio.nets import SpectrogramCNN
    >>> view = View("net", LogMel(8000, n_mels=32), SpectrogramCNN(32, 3, width=4).eval())
    >>> len(np.unique(occlusion(view, torch.randn(4000), n_bands=2, n_times=2).values)) <= 4
    True
    """
    if n_bands < 1 or n_times < 1:
        raise InputError(f"n_bands and n_times must be >= 1, got {n_bands} and {n_times}")
    wave = _wave(samples)
    with torch.no_grad():
        x, baseline = view.frontend(wave[None])[0], view.frontend(torch.zeros_like(wave)[None])[0]
        logits = _logits(view.net, x[None])[0]
        target = _class(target, logits)
        values = np.zeros(x.shape, np.float32)
        for rows in np.array_split(np.arange(x.shape[0]), min(n_bands, x.shape[0])):
            for columns in np.array_split(np.arange(x.shape[1]), min(n_times, x.shape[1])):
                block = (slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1))
                hidden = x.clone()
                hidden[block] = baseline[block]
                values[block] = float(logits[target] - _logits(view.net, hidden[None])[0, target])
    hz = feature_hz(view.frontend) if len(values) > 1 else None
    return Attribution(values, _column_s(view.frontend), hz, target)


def feature_hz(frontend: Frontend) -> np.ndarray | None:
    """Centre frequency (Hz) of each feature, or None where features are no bands.

    A front-end of bands says it in `feature_hz()`; for LogMel it is where each triangle is highest.

    Examples
    --------
    >>> feature_hz(LogMel(8000, n_mels=3, n_fft=512)).round()
    array([ 586., 1194., 2186.])
    """
    own: Any = getattr(frontend, "feature_hz", None)
    if own is not None:
        return np.asarray(own(), dtype=np.float64)
    if not isinstance(frontend, LogMel):
        return None
    low, high = hz_to_mel(frontend.f_min), hz_to_mel(frontend.f_max)
    return mel_to_hz(np.linspace(low, high, frontend.n_features + 2))[1:-1]


@contextmanager
def _maps_kept(net) -> Iterator[list]:
    """A list that gets what `net.maps` gives while the net runs, as leaves whose gradient can be asked for."""
    kept: list = []
    maps = net.maps

    def keep(x, lengths=None):
        found, found_lengths = maps(x, lengths)
        found = found.detach().requires_grad_()
        kept.append((found, found_lengths))
        return found, found_lengths

    net.maps = keep
    try:
        yield kept
    finally:
        del net.maps


def _frames_per_cell(net: nn.Module, n_features: int) -> float:
    """Input frames from one column of the maps to the next, from shapes alone: nothing is computed."""
    shadow: Any = copy.deepcopy(net).to("meta")
    sizes = [2**16, 2**17]
    columns = [shadow.maps(torch.empty(1, n_features, n, device="meta"), None)[0].shape[-1] for n in sizes]
    return (sizes[1] - sizes[0]) / (columns[1] - columns[0])


def _halvings(n: int, n_left: int) -> int:
    """2^k, the step of k halvings (rounded up) that leave n_left of n."""
    step = 1
    while -(-n // step) > n_left:
        step *= 2
    return step


def _resized(cells: np.ndarray, n: int, step: float) -> np.ndarray:
    """Rows of cells (R, m) at n columns: cell i is centred on (i + 1/2) · step − 1/2, linear in between."""
    centres = (np.arange(cells.shape[1]) + 0.5) * step - 0.5
    return np.stack([np.interp(np.arange(n), centres, row) for row in cells])


def _logits(net, x: torch.Tensor) -> torch.Tensor:
    return net(x, torch.full((len(x),), x.shape[-1]))


def _same(x: torch.Tensor) -> torch.Tensor:
    return x


def _column_s(frontend: Frontend) -> float:
    return frontend.hop_length / frontend.sample_rate


def _wave(samples) -> torch.Tensor:
    x = torch.as_tensor(np.array(samples, np.float32) if isinstance(samples, np.ndarray) else samples)
    if not x.is_floating_point():
        raise InputTypeError(f"samples must be real numbers of one channel, got dtype {x.dtype}")
    if x.ndim != 1 or len(x) == 0:
        raise InputError(
            f"samples must be (T,) with T >= 1, got shape {tuple(x.shape)}; try clip.mono().samples[0]"
        )
    return x.detach().float()


def _class(target: int | None, logits: torch.Tensor) -> int:
    if target is None:
        return int(logits.argmax())
    if isinstance(target, bool) or not isinstance(target, int | np.integer) or not 0 <= target < len(logits):
        raise InputError(f"target must be an int from 0 to {len(logits) - 1}, got {target!r}")
    return int(target)

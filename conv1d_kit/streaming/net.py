"""stream(net): chunks in, and out come the frames or the logits that the whole signal would have given."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import fx

from ..core.array import dtype_name
from ..core.rate import checked_rate
from ..errors import InputError, InputTypeError
from .chunks import as_arrays, as_input_errors, check_chunk, entered
from .export import export_step
from .frames import Frames, State
from .plan import Plan, begin_plan, run_plan
from .tracing import plan_net

__all__ = ["NetStream", "stream"]


def stream(net: torch.nn.Module, *, latency: int | str = 0, sample_rate: int | None = None) -> NetStream:
    """Make a stream of a net: it takes chunks of any length and gives what the net gives for the whole.

    Parameters
    ----------
    net : torch.nn.Module in eval mode
        Called with one tensor whose last axis is time, (B, C, T), (B, C, F, L), (B, T) samples or (B, L) ids;
        arguments beyond the first take their defaults. The stream uses the net's own weights.
    latency : int >= 0 (samples) or "any"
        How far the net may look ahead. 0: it must be causal.
    sample_rate : int, optional (Hz)
        What `push(chunk, sample_rate=…)` is held to; a front-end in the net says it itself.

    Returns
    -------
    NetStream

    Raises
    ------
    InputError
        A layer that looks ahead further than `latency`, one that cannot be streamed, a net in training mode, or
        one that torch.fx cannot trace; the message names the layer and the cure.
    InputTypeError
        If net is not a torch.nn.Module.

    Notes
    -----
    Output frame l of a net of total stride S stands for the input samples l·S to (l + 1)·S − 1, and the net is
    causal if no frame needs a sample beyond these: then n·S samples give n frames at once. `latency` counts
    the samples beyond them that must come first, along the worst path.

    Examples
    --------
    >>> from conv1d_kit import Conv1d
    >>> net = torch.nn.Sequential(Conv1d(1, 2, 5, padding="causal"), Conv1d(2, 1, 3, padding=1))
    >>> stream(net.eval())
    Traceback (most recent call last):
        ...
    conv1d_kit.errors.InputError: latency must be >= 1 for this net, got 0: 1 (Conv1d) looks 1 frame of its
    input ahead, 1 sample of the net's; use stream(net, latency=1), or pad it causally
    """
    if not isinstance(net, torch.nn.Module):
        raise InputTypeError(f"net must be a torch.nn.Module, got {type(net).__name__}")
    for name, module in net.named_modules():
        if module.training:
            where = f" at {name}" if name else ""
            raise InputError(f"net must be in eval mode, got training mode{where}; call net.eval()")
    if latency != "any" and (isinstance(latency, bool) or not isinstance(latency, int) or latency < 0):
        raise InputError(f"latency must be an int >= 0 (samples) or 'any', got {latency!r}")
    if sample_rate is not None:
        checked_rate(sample_rate)
    plans = plan_net(net)
    needed = plans[0].latency
    if latency != "any" and needed > int(latency):
        raise _too_late(plans[0], needed, int(latency))
    plans = [plan for plan in plans if plan.latency == needed]
    fronts: list[Any] = [m for m in net.modules() if hasattr(m, "stream_window")]
    own = next((m.sample_rate for m in fronts if hasattr(m, "sample_rate")), None)
    if own is not None and sample_rate not in (None, own):
        raise InputError(f"sample_rate must be the front-end's {own} Hz, got {sample_rate}; leave it away")
    return NetStream(plans, needed, sample_rate if own is None else int(own))


class NetStream:
    """A net that hears its input chunk by chunk; made by `stream`.

    Attributes
    ----------
    latency : int
        Samples beyond a frame's own that the net waits for.
    state : dict of str to Tensor
        All that the stream remembers, flat and by name; settable with tensors or NumPy arrays.

    Examples
    --------
    >>> from conv1d_kit import Conv1d, stream
    >>> net = torch.nn.Sequential(Conv1d(1, 2, 5, padding="causal"), torch.nn.AvgPool1d(2)).eval()
    >>> s, x = stream(net), torch.randn(1, 1, 9)
    >>> parts = [s.push(x[..., :4]), s.push(x[..., 4:]), s.flush()]
    >>> [p.shape[-1] for p in parts], torch.allclose(torch.cat(parts, -1), net(x), atol=1e-6)
    ([2, 2, 0], True)
    """

    def __init__(self, plans: list[Plan], latency: int, sample_rate: int | None = None):
        self._plans, self.latency, self._own_rate = plans, latency, sample_rate
        self.reset()

    def reset(self) -> None:
        """Forget all that was heard; the next chunk begins another stream."""
        self._states: dict[fx.Node, State] = {}
        self._plan = self._plans[0]  # the first chunk's axes choose
        self._like: torch.Tensor | None = None  # a chunk of no samples: batch, channels and dtype
        self._numpy = self._flushed = False
        self._rate = self._own_rate

    def push(self, chunk: Any, *, sample_rate: int | None = None) -> Any:
        """What the chunk makes ready.

        Parameters
        ----------
        chunk : array or Tensor [shape=(B, C, T), as the net's input], the net's dtype
            Any length, 0 too; not kept and not changed.
        sample_rate : int, optional (Hz)
            Checked against the stream's.

        Returns
        -------
        array of the kind that came
            The frames that became ready, maybe none; or, of a net that pools over time, the logits of all
            frames that are ready so far (before the first, what the net makes of none: maybe NaN).

        Raises
        ------
        InputError, InputTypeError
            A chunk of another dtype, shape or rate, or one after `flush`; the stream goes on as if it had
            not come.
        """
        if self._flushed:
            raise InputError("push must come before flush; call reset() to begin another stream")
        is_numpy = isinstance(chunk, np.ndarray)
        rate = self._rate if sample_rate is None else checked_rate(sample_rate, self._rate)
        x = entered(chunk)
        plan = self._plan_for(x)
        check_chunk(x, plan, self._like)
        with torch.no_grad(), as_input_errors(x):
            states = self._states if self._like is not None else begin_plan(plan, x)
            out, states = run_plan(plan, states, x, last=False)
        self._plan, self._states, self._rate, self._numpy = plan, states, rate, is_numpy
        self._like = x[..., :0].clone() if self._like is None else self._like
        return self._left(out)

    def flush(self) -> Any:
        """The end of the signal: the frames that waited for it, or the logits of the whole.

        Raises
        ------
        InputError
            Before the first chunk (one of no samples says the shape), after another flush, or where a layer
            heard fewer frames than its kernel is long; then more may be pushed.
        """
        if self._flushed:
            raise InputError("flush must come once; call reset() to begin another stream")
        if self._like is None:
            raise InputError(
                "flush must come after push, got no chunk yet; push one of 0 samples to say the shape"
            )
        with torch.no_grad():
            out, states = run_plan(self._plan, self._states, self._like, last=True)
        self._states, self._flushed = states, True
        return self._left(out)

    @property
    def state(self) -> dict[str, torch.Tensor]:
        """All that the stream remembers: tensors by "layer.field", counters as int64 of no axes."""
        flat = {
            f"{self._plan.keys[node]}.{field}": _as_tensor(value)
            for node, state in self._states.items()
            for field, value in state.items()
        }
        flat["stream.flushed"] = torch.tensor(int(self._flushed))
        flat["stream.numpy"] = torch.tensor(int(self._numpy))
        flat["stream.sample_rate"] = torch.tensor(self._rate or 0)
        if self._like is not None:
            flat["stream.chunk"] = self._like.clone()
        return flat

    @state.setter
    def state(self, saved: Mapping[str, Any]) -> None:
        flat = {name: _from_saved(name, value) for name, value in dict(saved or {}).items()}
        fresh = NetStream(self._plans, self.latency, self._own_rate)
        if "stream.chunk" in flat:
            like = flat["stream.chunk"].clone()
            fresh._plan = fresh._plan_for(like)
            check_chunk(like, fresh._plan, None)
            fresh._like = like
            with torch.no_grad(), as_input_errors(like):
                fresh._states = begin_plan(fresh._plan, like)
        expected = fresh.state
        if set(flat) != set(expected):
            odd = sorted(set(flat) ^ set(expected))[0]
            raise InputError(
                f"state must be that of a stream of the same net, got other names, as {odd!r}; save it anew"
            )
        for name, value in expected.items():
            given = flat[name]
            # only time's length may differ from the beginning's
            differ = sum(a != b for a, b in zip(given.shape, value.shape, strict=False))
            if given.ndim != value.ndim or given.dtype != value.dtype or differ > 1:
                raise InputError(
                    f"state {name!r} must be {dtype_name(value.dtype)} like {tuple(value.shape)} but for time, "
                    f"got {dtype_name(given.dtype)} {tuple(given.shape)}; save it anew"
                )
        for node, state in fresh._states.items():
            key = fresh._plan.keys[node]
            fresh._states[node] = {
                field: int(flat[f"{key}.{field}"]) if isinstance(value, int) else flat[f"{key}.{field}"].clone()
                for field, value in state.items()
            }
        self._plan, self._states, self._like = fresh._plan, fresh._states, fresh._like
        self._flushed, self._numpy = bool(flat["stream.flushed"]), bool(flat["stream.numpy"])
        self._rate = int(flat["stream.sample_rate"]) or None

    def export(self, path: str | os.PathLike, *, chunk: int, batch: int = 1) -> dict[str, np.ndarray]:
        """Write one step of the stream as ONNX: ("chunk", "state.…") → ("output", "state.….next").

        Parameters
        ----------
        path : str or path of the file to write
        chunk : int >= 1 (samples)
            Length of every chunk, a multiple of the net's total stride.
        batch : int >= 1

        Returns
        -------
        dict of str to array
            The states to begin with, by input name: zeros for a convolution, −inf for a maximum.

        Raises
        ------
        InputError
            A net that looks ahead, a layer whose state changes its size from step to step, or a chunk length
            that is no multiple of the stride. Needs the packages of the extra "export".

        Notes
        -----
        A chunk of zeros says the number of channels where the first layer does not: push one chunk before.
        In onnxruntime: `y, *new = session.run(None, {"chunk": x, **states})`, `new` in the order of `states`.
        """
        if isinstance(chunk, bool) or not isinstance(chunk, int) or chunk < 1:
            raise InputError(f"chunk must be an int >= 1 (samples), got {chunk!r}")
        folder = os.path.dirname(os.path.abspath(path))
        if not os.path.isdir(folder):
            raise InputError(
                f"path must be in a folder that exists, got {os.fspath(path)!r}; make {folder} first"
            )
        if self.latency:
            raise InputError(f"export takes causal nets, got a latency of {self.latency} samples; pad causally")
        example = self._example(chunk, batch)
        with torch.no_grad():
            return export_step(self._plan, begin_plan(self._plan, example), example, path)

    def _example(self, chunk: int, batch: int) -> torch.Tensor:
        if self._like is not None:
            shape = (batch, *self._like.shape[1:-1], chunk)
            return torch.zeros(shape, dtype=self._like.dtype)
        channels = [] if self._plan.chunk.ndim == 2 else [self._plan.channels]
        if None in channels or self._plan.chunk.ndim == 4:
            raise InputError("export must know the number of channels; push one chunk (of 0 samples) before it")
        return torch.zeros([batch, *channels, chunk], dtype=self._plan.dtype or torch.float32)  # type: ignore[list-item]

    def _plan_for(self, x: torch.Tensor) -> Plan:
        """The plan for a chunk of so many axes; the first one where none fits."""
        if self._like is not None:
            return self._plan
        return next((plan for plan in self._plans if plan.chunk.ndim == x.ndim), self._plan)

    def _left(self, out: Any) -> Any:
        return as_arrays(out) if self._numpy else out


def _too_late(plan: Plan, needed: int, allowed: int) -> InputError:
    """Names the first layer that looks ahead, and how far in frames of its input and samples of the net's."""
    node = next((n for n in plan.order if plan.forms[n].ahead), None)
    if (
        node is None
    ):  # no layer by itself: one gives several frames where another had waited for the whole of one
        node = next(n for n in plan.order if getattr(plan.forms[n].out, "latency", 0))
        how = f"{_count(plan.forms[node].out.latency, 'sample')} of the net's input ahead"  # type: ignore[union-attr]
    else:
        before = [plan.forms[n].out if n in plan.forms else plan.chunk for n in node.all_input_nodes]
        frames = plan.forms[node].ahead
        samples = math.ceil(frames * max(x.rate for x in before if isinstance(x, Frames)))
        how = f"{_count(frames, 'frame')} of its input ahead, {_count(samples, 'sample')} of the net's"
    return InputError(
        f"latency must be >= {needed} for this net, got {allowed}: {plan.forms[node].label} looks {how}; "
        f"use stream(net, latency={needed}), or pad it causally"
    )


def _count(n: int, thing: str) -> str:
    return f"{n} {thing}" if n == 1 else f"{n} {thing}s"


def _from_saved(name: str, value: Any) -> torch.Tensor:
    """A tensor of our own from what was saved."""
    if not isinstance(value, np.ndarray | np.generic | torch.Tensor):
        raise InputTypeError(f"state {name!r} must be a tensor or an array, got {type(value).__name__}")
    return value.clone() if isinstance(value, torch.Tensor) else torch.from_numpy(np.array(value))


def _as_tensor(value: Any) -> torch.Tensor:
    return torch.tensor(value) if isinstance(value, int) else value.clone().contiguous()

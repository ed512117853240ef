"""Convolution of a signal that never ends: chunk in, chunk out, and all of it equal to `conv` on the whole."""

from __future__ import annotations

import json
import math
from collections import deque
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from ..errors import InputError, is_whole
from .array import common_dtype, dtype_name, enter, flipped, narrow, shown, to_numpy, widen
from .autocast import full_precision
from .border import Border
from .conv import conv
from .geometry import Geometry
from .history import History
from .nonfinite import NAN_RULES, refuse_nan
from .padding import resolve_padding
from .plan import check_bias, check_flip, check_option, make_plan, per_axis
from .precision import PRECISIONS
from .rate import checked_rate
from .track import PARTITIONS, Setting, Track

__all__ = ["ConvStream"]

MOVING = ("same", "same_lower")  # with a stride, how much is padded before the signal depends on its length


class ConvStream:
    """`conv(x, w, ...)` for x in chunks along its last axis: the outputs joined are what `conv` gives.

    Parameters
    ----------
    w : array or Tensor [shape=(C_out, C_in / groups, *kernel)]
        Copied. An impulse response wants `flip=True`; as w of shape (M, N, K) it is a matrix of N × M responses
        (true stereo: 2 × 2), as (C, 1, K) with groups=C one for each channel.
    bias, stride, padding, padding_mode, dilation, groups, flip, nan, precision, method, max_bytes
        As in `conv`. Where the first output depends on the end of the signal (padding "same" with a stride,
        circular pads before the signal) nothing can come out before `flush`.
    block : int >= 1, optional
        Samples of the grid on which the work is done, a multiple of the stride. However the signal is cut along
        the grid, not a bit of the output differs; off it, no more than `conv`'s bound on the error. By default
        what suits the length of the chunks.
    latency : int >= 0, samples
        0: an output comes with the last sample it sees. Else outputs come in whole blocks of the grid, at most
        so many samples later; not a bit depends on how the signal is cut.
    partition : "auto", "none", "uniform" or "nonuniform"
        How a long kernel is cut for short chunks: into parts of one block each, or short ones first and longer
        ones later, whose work is spread over many blocks. "none": `conv` over what each chunk's outputs see.
        "auto" takes what is predicted to be quickest.

    Notes
    -----
    No gradients. Signals on other devices, of integers or half precision, and of more than one spatial axis go
    by "none". Memory is bounded by the kernel and the longest chunk. One stream serves one thread, `set_kernel`
    aside. A copy, or what pickle gives back, goes on by itself from where the stream stood.

    Raises
    ------
    InputError, InputTypeError
        As `conv`.

    Examples
    --------
    >>> import numpy as np
    >>> stream = ConvStream(np.array([[[1.0, 10.0, 100.0]]]), padding="full", flip=True)
    >>> stream.push(np.array([[1.0, 2.0]])), stream.push(np.array([[3.0]])), stream.flush()
    (array([[ 1., 12.]]), array([[123.]]), array([[230., 300.]]))
    """

    def __init__(
        self,
        w: Any,
        bias: Any = None,
        *,
        block: int | None = None,
        latency: int = 0,
        partition: str = "auto",
        stride: int | tuple[int, ...] = 1,
        padding: int | str | tuple = 0,
        padding_mode: str | float = "zeros",
        dilation: int | tuple[int, ...] = 1,
        groups: int = 1,
        flip: bool = False,
        nan: str = "propagate",
        precision: str = "normwise",
        method: str = "auto",
        max_bytes: int | None = None,
    ):
        (w, bias), self._leave = enter(w=w, bias=bias)
        check_flip(flip)
        check_option("partition", partition, PARTITIONS)
        check_option("nan", nan, NAN_RULES)
        check_option("precision", precision, PRECISIONS)
        if not 3 <= w.ndim <= 5:
            raise InputError(
                f"w must be (C_out, C_in/groups, *kernel) with 1 to 3 kernel axes, got {tuple(w.shape)}"
            )
        self._axes = w.ndim - 2
        self._spans = _spans(w, dilation)
        self._flip = bool(flip)
        with torch.inference_mode(False):  # what is kept must serve in any mode
            self._w = self._oriented(w.detach().clone())
            self._bias = None if bias is None else bias.detach().clone()
        self._given: dict[str, Any] = {
            "stride": stride, "padding": padding, "padding_mode": padding_mode, "dilation": dilation,
            "groups": groups, "nan": nan, "precision": precision, "method": method, "max_bytes": max_bytes,
        }  # fmt: skip
        fits = (1, w.shape[1] * groups if is_whole(groups) else 1, *self._spans)
        plan = make_plan(fits, w.shape, w.dtype, stride, padding, padding_mode, dilation, groups, method)
        check_bias(bias, w.shape[0], w.dtype)
        self._strides, self._groups = plan.geometry.stride, plan.geometry.groups
        self._stride, self._span = self._strides[-1], self._spans[-1]
        self._partition = partition
        self._block = self._checked_block(block)
        self._asked_latency = self._checked_latency(latency)
        # of the signal: shape but for the last axis, dtype, device
        self._kind: tuple[tuple[int, ...], torch.dtype, torch.device] | None = None
        self._spare: tuple[Track, Any] | None = None
        self._rate: int | None = None  # Hz, where a chunk said it
        self.reset()

    @property
    def block(self) -> int:
        """Samples of the grid; what suits endless chunks where none was asked for."""
        if self._block is not None:
            return self._block
        return (self._tracks[0].grid if self._tracks else 1) * self._stride

    @property
    def latency(self) -> float:
        """Samples that may come after the last one an output sees before it does; inf: all wait for the end."""
        if self._waits_for_end:
            return math.inf
        assert self._block is not None or not self._asked_latency
        return self._block - self._stride if self._block is not None and self._asked_latency else 0

    @full_precision
    def push(self, chunk: Any, *, sample_rate: int | None = None) -> Any:
        """The outputs that are ready with this chunk.

        Parameters
        ----------
        chunk : array or Tensor [shape=(B, C_in, *spatial) or (C_in, *spatial)]
            Of w's library, of the first chunk's dtype, and of its shape but for the last axis, which may be of
            any length >= 0. Never kept: it may be written to afterwards.
        sample_rate : int, optional (Hz)
            Of the chunk; refused if it is not that of the chunks before it. Nothing is resampled.

        Returns
        -------
        array of the kind that came in [shape=(B, C_out, *out) or (C_out, *out)]
            Memory of its own.

        Raises
        ------
        InputError, InputTypeError
            A chunk of another dtype, shape or rate, or after `flush`. The stream is as it was before.
        """
        rate = self._rate if sample_rate is None else checked_rate(sample_rate, self._rate)
        if self._quick is not None:
            found = self._at_once(chunk)
            if found is not None:
                self._rate = rate
                return found
        undo = self._undo()
        try:
            with torch.no_grad():
                y = self._taken(self._entered(chunk))
        except BaseException:  # an option of `conv` refuses what has come, or Ctrl-C
            undo()
            raise
        self._rate = rate
        return self._leave(y if self._batched else y[0])

    @full_precision
    def prepare(self, chunk: Any) -> None:
        """Do now what a first chunk like this one would have to wait for; its numbers do not count.

        For real time: after that no push takes longer than those that follow it. Chunks of another length may
        still come. Nothing happens where the stream has begun.

        Raises
        ------
        InputError, InputTypeError
            As `push`.
        """
        undo = self._undo()
        try:
            with torch.no_grad():
                self._prepare(self._entered(chunk))
        except BaseException:
            undo()
            raise

    @full_precision
    def flush(self) -> Any:
        """The outputs that are left: the signal has ended, and what stands behind it is padding.

        A signal shorter than its kernel, where `conv` would refuse it, gives no output.

        Raises
        ------
        InputError
            If the stream was flushed before, or its signal is too short for its padding mode; then more may be
            pushed.
        """
        self._refuse_ended("flush")
        undo = self._undo()
        try:
            with torch.no_grad():
                if self._kind is None:
                    nothing = self._w.new_zeros((self._w.shape[1] * self._groups, *self._spans[:-1], 0))
                    self._begin(nothing)
                    self._taken(nothing[None])
                y = self._rest() if self._history is not None else self._whole()
        except BaseException:
            undo()
            raise
        self._ended = True
        return self._leave(y if self._batched else y[0])

    def reset(self) -> None:
        """Ready for another signal, of any kind, with the kernel that was set last."""
        if self._kind is not None and self._tracks:
            self._spare = (self._tracks[-1], self._kind)  # its spectra serve once more
        self._quick: tuple[tuple[int, ...], np.dtype] | None = None  # chunks that may take the short way
        self._kind = None
        self._batched = self._ended = self._waits_for_end = False
        self._rate = None
        self._pending: list[torch.Tensor] = []  # samples that came before the first output could be made
        self._history: History | None = None  # of the padded signal
        self._received = self._emitted = 0  # samples, outputs
        self._tracks: list[Track] = []  # more than one while kernels fade into each other
        # the next one, and its `_share`; a deque, since another thread may put it there at any moment
        self._incoming: deque[tuple[Track, torch.Tensor]] = deque(maxlen=1)
        self._fades: list[tuple[int, torch.Tensor]] = []  # outputs a track has faded in for, its `_share`

    def set_kernel(self, w: Any, *, crossfade: int = 0) -> None:
        """Another kernel from the next output on, as if it had been there from the start.

        Another thread may call it while this one pushes: nearly all of its time goes into the kernel's spectra.

        Parameters
        ----------
        w : array or Tensor [shape=(C_out, C_in / groups, *kernel)]
            At most as long as the first one; a shorter last axis counts as zeros at its far end.
        crossfade : int >= 0, outputs
            How long both are heard, the old one fading by cos², the new one coming by sin²; 0: a sudden change,
            as before the first chunk, when nothing has been heard.

        Raises
        ------
        InputError, InputTypeError
            As `conv`, or if w has other channels or more taps.
        """
        (given, _), _ = enter(w=w, like=self._leave(self._w[:0]))
        if not is_whole(crossfade) or crossfade < 0:
            raise InputError(f"crossfade must be an int >= 0, got {shown(crossfade)}")
        if crossfade and not (self._w.is_floating_point() or self._w.is_complex()):
            raise InputError(
                f"crossfade must be 0 for {dtype_name(self._w.dtype)}, got {crossfade}; make w floating point"
            )
        missing = self._w.shape[-1] - given.shape[-1] if given.ndim == self._w.ndim else -1
        if missing < 0 or given.shape[:-1] != self._w.shape[:-1] or given.dtype != self._w.dtype:
            raise InputError(
                f"w must be {_named(self._w)} or shorter, as the stream's kernel, got {_named(given)}; "
                "begin with the longest, padded with zeros"
            )
        with torch.inference_mode(False), torch.no_grad():
            line = self._oriented(given.detach())
            self._w = torch.nn.functional.pad(line, (missing, 0)) if missing else line.clone()
            if not self._tracks:
                return
            track = self._new_track(self._w)
            track.cut_like(self._tracks[-1])
            self._incoming.append((track, self._share(int(crossfade))))

    @property
    def state(self) -> dict[str, Any]:
        """All that the rest of the signal needs, as arrays of w's library; assign it to go on from there.

        Another stream, in another process, that was made with the same arguments, gives the same outputs.
        """
        self._take_incoming()
        known = self._kind is not None
        flags = (self._received, self._emitted, known, self._batched, self._ended, self._rate or 0)
        tensors = {
            "position": torch.tensor([int(v) for v in flags]),
            "options": torch.tensor(list(self._options.encode()), dtype=torch.uint8),
        }
        if self._kind is not None:
            if self._history is None:
                tensors["pending"] = torch.cat(self._pending, -1)
            else:
                tensors["history"] = self._history.read(self._history.first, self._history.last).clone()
                tensors["first"] = torch.tensor([self._history.first])
            if self._border.state is not None:
                tensors["border"] = self._border.state.clone()
            for i, (track, fade) in enumerate(zip(self._tracks, self._fades, strict=True)):
                tensors[f"kernel{i}"] = track.w.clone()
                tensors[f"fade{i}"] = torch.tensor([fade[0], len(fade[1])])
                tensors[f"engine{i}"] = torch.tensor(track.state, dtype=torch.int64)
        return {name: self._leave(t) for name, t in tensors.items()}

    @state.setter
    def state(self, saved: dict[str, Any]) -> None:
        tensors, before = self._checked_state(saved), dict(self.__dict__)
        try:
            self._restore(tensors)
        except BaseException as error:
            self.__dict__ = before
            if isinstance(error, KeyError):
                raise InputError(
                    f"state must be what another stream's state gave, got one without {error}"
                ) from None
            raise

    def __repr__(self) -> str:
        return f"ConvStream(w {_named(self._w)}, {self._received} samples in, {self._emitted} outputs out)"

    def __reduce__(self) -> tuple[Any, ...]:
        """A copy, or what pickle keeps: the arguments and the state."""
        bias = None if self._bias is None else self._leave(self._bias)
        options = {
            **self._given, "flip": self._flip, "block": self._block, "latency": self._asked_latency,
            "partition": self._partition,
        }  # fmt: skip
        return _made, (type(self), self._leave(self._oriented(self._w)), bias, options, self.state)

    def _restore(self, t: dict[str, torch.Tensor]) -> None:
        """Stand as a state says."""
        self.reset()
        self._spare = None  # stays as it is, should this fail
        self._received, self._emitted, known, batched, ended, rate = t["position"].tolist()
        self._batched, self._ended, self._rate = bool(batched), bool(ended), rate or None
        if not known:
            return
        with torch.inference_mode(False), torch.no_grad():
            x = t["pending"] if "pending" in t else t["history"]
            self._begin(x if self._batched else x[0])
            self._border.state = t.get("border")
            self._pending = [t["pending"].clone()] if "pending" in t else []
            if "history" in t:
                self._history = History(t["history"].clone(), int(t["first"]))
            count = sum(name.startswith("kernel") for name in t)
            self._tracks = [self._new_track(t[f"kernel{i}"].clone()) for i in range(count)]
            fades = [t[f"fade{i}"].tolist() for i in range(count)]
            self._fades = [(done, self._share(total)) for done, total in fades]
            self._w = self._tracks[-1].w
            for i, track in enumerate(self._tracks):
                if self._history is not None:
                    track.restore(t[f"engine{i}"].tolist(), self._history)

    def _at_once(self, chunk: Any) -> np.ndarray | None:
        """What `push` gives where nothing is left to ask: the short way of real time."""
        assert self._quick is not None
        (shape, dtype), history = self._quick, self._history
        if type(chunk) is not np.ndarray or chunk.dtype != dtype or chunk.shape[:-1] != shape:
            return None
        if history is None or self._ended or self._incoming or len(self._tracks) > 1:
            return None
        n = chunk.shape[-1]
        if not history.has_room(n):
            self._forget()
        last = history.last
        try:
            y = self._tracks[0].at_once(history, chunk if self._batched else chunk[None], self._emitted)
        except BaseException:
            history.last = last
            raise
        if y is None:
            return None
        self._received += n
        self._emitted += n
        return y if self._batched else y[0]

    def _prepare(self, x: torch.Tensor) -> None:
        if self._received:
            return
        self._hear(x[..., :0])
        if not x.shape[-1]:
            return
        if self._history is not None:
            self._history.reserve(x.shape[-1])
        for track in self._tracks:
            track.prepare(-(-x.shape[-1] // self._stride), self._history)

    def _taken(self, x: torch.Tensor) -> torch.Tensor:
        """Outputs that are ready with the next samples x (B, C, *lead, n)."""
        self._hear(x)
        return self._nothing if self._history is None else self._ready(gated=bool(self._asked_latency))

    def _hear(self, x: torch.Tensor) -> None:
        """Keep the next samples, behind what is padded before the first as soon as that is known."""
        self._received += x.shape[-1]
        self._border.see(x)
        if self._history is None:
            self._pending = [*self._pending, x.clone()]
            if self._waits_for_end:
                return
            seen = self._pending[0] if len(self._pending) == 1 else torch.cat(self._pending, -1)
            before = self._border.before(seen)
            if before is None:
                return
            self._history, self._pending = History(before), []
            x = seen
        self._history.append(x)

    def _take_incoming(self) -> None:
        """The kernel that `set_kernel` left."""
        while self._incoming:
            track, share = self._incoming.pop()
            track.follow(self._tracks[-1])
            if len(share):
                self._tracks, self._fades = [*self._tracks, track], [*self._fades, (0, share)]
            else:
                self._tracks, self._fades = [track], [(0, share)]

    def _undo(self) -> Callable[[], None]:
        """What brings the stream back to where it stands now."""
        if self._kind is None:
            return self.reset
        history, pending, first, received = self._history, self._pending, self._border.state, self._received
        last = 0 if history is None else history.last

        def undo() -> None:
            self._history, self._pending, self._border.state, self._received = history, pending, first, received
            if history is not None:
                history.last = last

        return undo

    def _ready(self, *, gated: bool = False, is_end: bool = False) -> torch.Tensor:
        self._take_incoming()
        history, first = self._history, self._emitted
        assert history is not None
        last = max(first, (history.last - self._span) // self._stride + 1)
        if gated:
            last -= last % self._tracks[0].grid
        if last <= first:
            return self._nothing
        y = self._mixed([t.outputs(history, first, last, is_end=is_end) for t in self._tracks])
        self._emitted = last
        self._forget()
        return y

    def _forget(self) -> None:
        """What no output to come, no engine and no pad will read."""
        assert self._history is not None
        older = max(0, max(t.reach for t in self._tracks) - self._span)
        kept = self._history.last - self._border.kept
        self._history.forget(min(self._emitted * self._stride - older, kept))

    def _rest(self) -> torch.Tensor:
        """What the end of the signal leaves."""
        history, border = self._history, self._border
        assert history is not None
        if border.high and border.low + self._received + border.high >= self._span:
            kept = min(border.kept, self._received)
            history.append(border.after(history.read(history.last - kept, history.last), self._received))
        return self._ready(is_end=True)

    def _whole(self) -> torch.Tensor:
        """All at once: the signal has ended before its first output could be made."""
        self._take_incoming()
        x = torch.cat(self._pending, -1)
        pads = resolve_padding(self._given["padding"], x.shape[2:], self._spans, self._strides)[-1]
        if x.shape[-1] + sum(pads) < self._span:
            return self._nothing
        ys = [conv(x, t.w, self._bias, **self._given) for t in self._tracks]
        return self._mixed(ys)

    def _mixed(self, ys: list[torch.Tensor]) -> torch.Tensor:
        """The tracks' outputs, each faded over those before it; tracks that are heard no more are dropped."""
        y = ys[0]
        for i, (new, (done, share)) in enumerate(zip(ys, self._fades, strict=True)):
            if i:
                part = share[done : done + new.shape[-1]]
                n = len(part)
                mixed = y[..., :n] + part * (new[..., :n] - y[..., :n])
                y = mixed if n == new.shape[-1] else torch.cat([mixed, new[..., n:]], -1)
                self._fades[i] = (done + n, share)
        heard = max((i for i, (done, share) in enumerate(self._fades) if done == len(share)), default=0)
        if heard:
            self._tracks, self._fades = self._tracks[heard:], self._fades[heard:]
        return y

    def _share(self, n: int) -> torch.Tensor:
        """How much of a new track is heard in each of the n outputs of a crossfade: sin² from 0 to 1."""
        assert self._kind is not None
        angle = torch.arange(1, n + 1, dtype=torch.float64) * (math.pi / 2 / (n + 1))
        dtype = self._nothing.real.dtype if self._nothing.is_complex() else self._nothing.dtype
        return (angle.sin() ** 2).to(dtype).to(self._kind[2])

    def _begin(self, x: torch.Tensor) -> None:
        """The first chunk says of what kind the signal is; or an error that changes nothing."""
        given, dtype = self._given, common_dtype(x, self._w)
        sizes = (*x.shape[:-1], max(x.shape[-1], self._span)) if x.ndim else ()
        plan = make_plan(sizes, self._w.shape, dtype, given["stride"], given["padding"], given["padding_mode"],
                         given["dilation"], given["groups"], given["method"])  # fmt: skip
        check_bias(self._bias, self._w.shape[0], dtype)
        self._batched = plan.batched
        shape = tuple(x.shape[:-1]) if plan.batched else (1, *x.shape[:-1])
        self._kind = (shape, x.dtype, x.device)
        pads = resolve_padding(given["padding"], (*shape[2:], sizes[-1]), self._spans, self._strides)
        self._border = Border(*pads[-1], plan.mode)
        self._waits_for_end = self._border.needs_end or (self._stride > 1 and given["padding"] in MOVING)
        geometry = Geometry(self._strides, (*pads[:-1], (0, 0)), plan.geometry.dilation, self._groups)
        options = {name: given[name] for name in ("nan", "precision", "max_bytes", "method")}
        grid = None if self._block is None else self._block // self._stride
        self._setting = Setting(geometry, plan.mode, options, self._partition, grid)
        lead = geometry.out_sizes((*shape[2:], self._span), self._w.shape[2:])[:-1]
        self._nothing = narrow(widen(x.new_zeros((shape[0], self._w.shape[0], *lead, 0)), dtype), dtype)
        spare = self._spare
        if (
            spare is None
            or spare[0].w is not self._w
            or (spare[0].setting, spare[1]) != (self._setting, self._kind)
        ):
            spare = (self._new_track(self._w), self._kind)
        spare[0].rest()
        self._tracks, self._fades = [spare[0]], [(0, self._share(0))]
        at_once = grid is None and self._stride == 1 and self._axes == 1 and x.dtype == dtype
        if at_once and self._leave is to_numpy and not self._border.wants_first:
            self._quick = (shape if plan.batched else shape[1:], to_numpy(x).dtype)

    def _entered(self, chunk: Any) -> torch.Tensor:
        """The chunk as a tensor with its batch axis, if it is of the stream's kind."""
        self._refuse_ended("push")
        (x, _), _ = enter(chunk=chunk, w=self._leave(self._w[:0]))
        x = x.detach()
        if self._kind is None:
            self._begin(x)
        assert self._kind is not None
        shape, dtype, device = self._kind
        if not self._batched:
            x = x[None]
        if tuple(x.shape[:-1]) == shape and x.dtype == dtype and x.device == device:
            if self._given["nan"] == "raise":
                refuse_nan("chunk", x, batched=self._batched)
            return x
        wanted, got = ", ".join(map(str, shape if self._batched else shape[1:])), x if self._batched else x[0]
        raise InputError(
            f"chunk must be ({wanted}, n) {dtype_name(dtype)} as the first one was, got {_named(got)}; "
            "convert it, or begin anew with reset()"
        )

    def _new_track(self, w: torch.Tensor) -> Track:
        assert self._kind is not None
        shape, dtype, device = self._kind
        return Track(w, self._bias, self._setting, torch.empty((*shape, 0), dtype=dtype, device=device))

    @property
    def _options(self) -> str:
        """What a state must agree with, beside the kernel's shape."""
        made = {
            **self._given,
            "block": self._block,
            "latency": self._asked_latency,
            "partition": self._partition,
        }
        return ", ".join(f"{name}={json.dumps(value, default=_plain)}" for name, value in made.items())

    def _oriented(self, w: torch.Tensor) -> torch.Tensor:
        """For cross-correlation."""
        return flipped(w, tuple(range(2, w.ndim))) if self._flip else w

    def _refuse_ended(self, what: str) -> None:
        if self._ended:
            raise InputError(
                f"{what} must come before flush, and this stream has ended; begin anew with reset()"
            )

    def _checked_block(self, block: Any) -> int | None:
        if block is None:
            return None
        if not is_whole(block) or block < 1 or block % self._stride:
            step = f"a multiple of the stride {self._stride}" if self._stride > 1 else "an int >= 1"
            raise InputError(f"block must be {step}, got {shown(block)}")
        return int(block)

    def _checked_latency(self, latency: Any) -> int:
        """latency as an int; without a block, the longest one that keeps it becomes the block."""
        if not is_whole(latency) or latency < 0:
            raise InputError(f"latency must be an int >= 0, got {shown(latency)}")
        if self._block is None and latency >= self._stride:
            self._block = (int(latency) // self._stride + 1) * self._stride
        if latency and self._block is not None and latency < self._block - self._stride:
            raise InputError(
                f"latency must be 0 or at least block − stride = {self._block - self._stride}, got {latency}"
            )
        return int(latency) if self._block is not None else 0

    def _checked_state(self, saved: Any) -> dict[str, torch.Tensor]:
        if not isinstance(saved, dict) or "position" not in saved:
            raise InputError(f"state must be what another stream's state gave, got {shown(saved)}")
        tensors = {
            name: torch.as_tensor(np.asarray(v)) if not isinstance(v, torch.Tensor) else v
            for name, v in saved.items()
        }
        made = bytes(tensors["options"].tolist()).decode(errors="replace") if "options" in tensors else "none"
        if made != self._options:
            raise InputError(f"state must be of a stream with {self._options}, got one with {made}")
        kernel = tensors.get("kernel0")
        if kernel is not None and (kernel.shape != self._w.shape or kernel.dtype != self._w.dtype):
            raise InputError(
                f"state must be of a stream with w {_named(self._w)}, got one with w {_named(kernel)}"
            )
        return tensors


def _made(kind: type[ConvStream], w: Any, bias: Any, options: dict[str, Any], state: dict) -> ConvStream:
    stream = kind(w, bias, **options)
    stream.state = state
    return stream


def _spans(w: torch.Tensor, dilation: Any) -> tuple[int, ...]:
    """Lengths of the kernel with its dilation."""
    steps = per_axis("dilation", dilation, w.ndim - 2)
    return tuple((k - 1) * d + 1 for k, d in zip(w.shape[2:], steps, strict=True))


def _named(t: torch.Tensor) -> str:
    return f"{tuple(t.shape)} {dtype_name(t.dtype)}"


def _plain(value: Any) -> Any:
    """NumPy's numbers as Python's, and what else JSON lacks as words."""
    return value.tolist() if isinstance(value, np.ndarray | np.generic) else str(value)

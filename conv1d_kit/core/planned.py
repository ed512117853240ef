"""A convolution prepared once for many signals of one shape: plan in the open, spectrum of the kernel kept."""

from __future__ import annotations

import math
from numbers import Integral
from typing import Any

import numpy as np
import torch

from ..errors import InputError
from .array import check_dtype, common_dtype, enter, narrow, shown, widen
from .autocast import full_precision
from .compute import compute
from .cost import DIRECT_WAYS, direct_way, predicted_seconds, rows_at_once
from .machine import MACHINE, shipped, wisdom_path
from .plan import check_bias, check_flip, make_plan
from .precision import normwise_bound
from .spectral import kernel_spectra
from .spectrum import cut, fft_points, threads_in_use

__all__ = ["ConvPlan", "plan_conv"]


def plan_conv(
    x_shape: tuple[int, ...],
    w: Any,
    dtype: Any = None,
    *,
    bias: Any = None,
    stride: int | tuple[int, ...] = 1,
    padding: int | str | tuple = 0,
    padding_mode: str | float = "zeros",
    dilation: int | tuple[int, ...] = 1,
    groups: int = 1,
    flip: bool = False,
    method: str = "auto",
) -> ConvPlan:
    """Prepare `conv(x, w, ...)` for every x of one shape and dtype.

    Parameters
    ----------
    x_shape : ints (B, C_in, *spatial) or (C_in, *spatial)
    w : array or Tensor [shape=(C_out, C_in / groups, *kernel)]
        The result's library is w's; w is copied, so that changing it later changes nothing here.
    dtype : of x, a NumPy or torch dtype or its name; w's own by default
    bias, stride, padding, padding_mode, dilation, groups, flip, method
        As in `conv`.

    Returns
    -------
    ConvPlan

    Raises
    ------
    InputError, InputTypeError
        As `conv`.

    Examples
    --------
    >>> import numpy as np
    >>> plan = plan_conv((1, 1, 100_000), np.ones((1, 1, 1023)), padding="full", flip=True)
    >>> plan.method, plan(np.ones((1, 1, 100_000))).shape
    ('overlap_add', (1, 1, 101022))
    """
    return ConvPlan(x_shape, w, dtype, bias, stride, padding, padding_mode, dilation, groups, flip, method)


class ConvPlan:
    """What `plan_conv` gives: call it with x.

    Attributes
    ----------
    method : str
        "direct", "overlap_add" or "fft".
    n_fft : int or None
        FFT points of a block.
    error_bound : float
        |error| <= error_bound·|x|₂·|w|₂ for each output, norms over what that output (direct) or its block
        (FFT) sees; 0.0 for integers.
    out_shape : tuple of int
    """

    def __init__(self, x_shape, w, dtype, bias, stride, padding, padding_mode, dilation, groups, flip, method):
        (w, bias), self._leave = enter(w=w, bias=bias)
        x_dtype = w.dtype if dtype is None else _torch_dtype(dtype)
        self._dtype = common_dtype(torch.empty(0, dtype=x_dtype), w)
        self._given = (_shape(x_shape), x_dtype)
        self._plan = make_plan(
            self._given[0], w.shape, self._dtype, stride, padding, padding_mode, dilation, groups, method
        )
        check_bias(bias, w.shape[0], self._dtype)
        check_flip(flip)
        with torch.inference_mode(False):  # what is kept must serve where gradients are wanted
            w = widen(w.detach().clone(), self._dtype)
            self._w = w.flip(tuple(range(2, w.ndim))) if flip else w
            self._bias = None if bias is None else widen(bias.detach().clone(), self._dtype)
        work, g = self._plan.work, self._plan.geometry
        self.method = self._plan.method
        self.n_fft = (
            None
            if self.method == "direct"
            else fft_points(self.method, g, work.x_shape, w.shape, self._dtype.itemsize)
        )
        out = (work.x_shape[0], w.shape[0], *g.out_sizes(work.x_shape[2:], w.shape[2:]))
        self.out_shape = out if self._plan.batched else out[1:]
        self.error_bound = normwise_bound(self.method, self._dtype, math.prod(w.shape[1:]), self.n_fft or 1)
        self._spectra = None
        if self.n_fft is not None and self._dtype in (torch.float32, torch.float64):
            with torch.inference_mode(False):
                self._spectra = kernel_spectra(self._w, g, work.x_shape[-1], self.n_fft)

    @full_precision
    def __call__(self, x: Any) -> Any:
        """conv(x, w, ...) as planned; x as it was announced.

        Raises
        ------
        InputError
            If x has another shape or dtype.
        """
        (x, _), leave = enter(x=x, w=self._leave(self._w[:0]))
        shape, dtype = self._given
        if tuple(x.shape) != shape or x.dtype != dtype:
            raise InputError(
                f"x must be {shape} {dtype} as planned, got {tuple(x.shape)} {x.dtype}; make another plan"
            )
        plan = self._plan
        x = widen(x if plan.batched else x[None], self._dtype)
        y = narrow(compute(x, self._w, self._bias, plan, self._spectra), self._dtype)
        return leave(y if plan.batched else y[0])

    def predicted(self) -> dict[str, float]:
        """Seconds that each method is predicted to take."""
        work = self._plan.work
        return dict(predicted_seconds(work)) if 0 not in work.x_shape + work.w_shape else {"direct": 0.0}

    def explain(self) -> str:
        """Why this method: predicted times, block, error bound, in a few lines."""
        seconds = self.predicted()
        lines = [f"x {self._given[0]} {self._given[1]}, w {tuple(self._w.shape)} → {self.out_shape}"]
        for name, value in sorted(seconds.items(), key=lambda item: item[1]):
            mark = "→" if name == self.method else " "
            lines.append(f"{mark} {name:<12} predicted {value * 1e3:10.3f} ms")
        work = self._plan.work
        if self.method == "direct" and self._plan.fused and work.itemsize in (4, 8):
            way, rows, batch = direct_way(work), rows_at_once(work), work.x_shape[0]
            share = (
                f", {rows} of {batch} rows at a time" if way in ("torch", "few_taps") and rows < batch else ""
            )
            lines.append(f"on the CPU by {DIRECT_WAYS[way]}{share}")
        if self.n_fft is not None:
            parts, per = cut(work.geometry, work.w_shape[2:], work.x_shape[-1], self.n_fft)
            cuts = f"; the kernel in {parts} parts" if parts > 1 else ""
            kept = "" if self._spectra is None else "; spectrum of w kept"
            lines.append(f"blocks of {self.n_fft} points, {per} outputs each{cuts}{kept}")
        source = "as shipped" if shipped() == MACHINE else f"measured on this machine: {wisdom_path()}"
        lines.append(f"constants {source}; {threads_in_use()} threads")
        lines.append(f"|error| <= {self.error_bound:.2g}·|x|·|w|")
        return "\n".join(lines)

    def __repr__(self) -> str:
        return f"ConvPlan({self._given[0]} → {self.out_shape}, method={self.method!r}, n_fft={self.n_fft})"


def _shape(x_shape: Any) -> tuple[int, ...]:
    whole = isinstance(x_shape, tuple | list) and all(
        isinstance(n, Integral) and not isinstance(n, bool) and int(n) >= 0 for n in x_shape
    )
    if not whole:
        raise InputError(
            f"x_shape must be ints >= 0 (B, C_in, *spatial) or (C_in, *spatial), got {shown(x_shape)}"
        )
    return tuple(int(n) for n in x_shape)


def _torch_dtype(dtype: Any) -> torch.dtype:
    named = getattr(torch, dtype, None) if isinstance(dtype, str) else dtype
    if not isinstance(named, torch.dtype):
        try:
            named = torch.from_numpy(np.zeros(0, np.dtype(dtype).newbyteorder("="))).dtype
        except (TypeError, ValueError) as error:
            raise InputError(f"dtype must be a NumPy or torch dtype, got {shown(dtype)}") from error
    return check_dtype(named)

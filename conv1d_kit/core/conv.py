"""The multi-channel convolution, written once for samples, time-frequency cells and token embeddings.

H[i, d] = sum_a sum_c V[a, c, d] · X[i + a, c]  (Dive into Deep Learning, eq. 6.7, here with 1 to 3 axes i).
"""

from __future__ import annotations

from numbers import Integral
from typing import Any

import numpy as np
import torch

from ..errors import InputError
from .array import common_dtype, enter, narrow, needs_copy, shown, widen
from .autocast import full_precision, in_autocast_dtype, is_autocast_on
from .compute import compute
from .gradients import direct_in_training, trains
from .lengths import own_rows, row_lengths
from .nonfinite import NAN_RULES, refuse_nan
from .padding import PADDINGS, pad
from .pieces import Rules, Signal, conv_in_pieces
from .plan import Plan, check_bias, check_flip, check_option, make_plan
from .precision import PRECISIONS, refuse_inexact

TENSORS = (torch.Tensor, torch.nn.Parameter)

__all__ = ["conv", "conv_vjp", "depthwise_conv", "time_varying_conv"]


def conv(
    x: Any,
    w: Any,
    bias: Any = None,
    *,
    stride: int | tuple[int, ...] = 1,
    padding: int | str | tuple = 0,
    padding_mode: str | float = "zeros",
    dilation: int | tuple[int, ...] = 1,
    groups: int = 1,
    flip: bool = False,
    lengths: Any = None,
    nan: str = "propagate",
    precision: str = "normwise",
    method: str = "auto",
    max_bytes: int | None = None,
) -> Any:
    """Multi-channel convolution over one to three axes.

    Parameters
    ----------
    x : array or Tensor [shape=(B, C_in, *spatial) or (C_in, *spatial)]
        NumPy, torch or any DLPack array; one to three spatial axes.
    w : array or Tensor [shape=(C_out, C_in / groups, *kernel)]
    bias : array or Tensor [shape=(C_out,)], optional
    stride, dilation : int >= 1, or one a spatial axis
    padding : int, one int an axis, one (low, high) pair an axis, or a name
        valid       nothing
        same        L_out = ceil(L / stride); the odd element goes to the high side (torch, ONNX SAME_UPPER)
        same_lower  the same with the odd element on the low side (scipy, numpy, ONNX SAME_LOWER)
        full        every position where kernel and signal meet
        causal      all on the low side: output t sees inputs up to t·stride
        anticausal  all on the high side: output t sees inputs from t·stride on
    padding_mode : what stands there, at any pad length, longer than the signal too
        zeros      0 0 0 | 1 2 3 4 | 0 0 0
        5.0        5 5 5 | 1 2 3 4 | 5 5 5
        reflect    4 3 2 | 1 2 3 4 | 3 2 1
        symmetric  3 2 1 | 1 2 3 4 | 4 3 2
        replicate  1 1 1 | 1 2 3 4 | 4 4 4
        circular   2 3 4 | 1 2 3 4 | 1 2 3
    groups : int
        Input and output channels are cut into this many groups that do not see each other.
    flip : bool
        False: cross-correlation, as deep learning has it. True: the kernel is turned round on every spatial
        axis, as mathematics has it.
    lengths : ints 0 to T [shape=(B,)], optional
        How much (samples) of each row's last axis is signal. A row gives what it gives alone, whatever stands
        behind it, and zeros after that; `output_lengths` says how many outputs are its own.
    nan : "propagate", "omit" or "raise"
        "propagate": a NaN reaches exactly the outputs whose window holds it. "omit": it is left out and the
        weights of the rest scaled up, sum(w·x over the rest)·sum(w)/sum(w over the rest), as astropy does.
        "raise": an InputError names the first one's index in what `lengths` count.
    precision : "normwise", "componentwise" or "exact"
        "normwise": |error| <= c·eps·log2(2N)·|x|₂·|w|₂ for FFT blocks of N points. "componentwise": every
        output keeps its digits, |error| <= 2·n·eps·sum|w·x| over its n terms; blocks that cannot are summed
        directly. "exact": integers only; a sum, bias included, that its dtype cannot hold raises.
    method : "auto", "direct", "overlap_add" or "fft"
        All give the same result within rounding; integers are exact by each.
    max_bytes : int, optional
        Memory (bytes) needed beside input and output stays below it in the forward pass, whatever the other
        options ask for.

    Returns
    -------
    array of the kind that came in [shape=(B, C_out, *out) or (C_out, *out)]
        out = (size + low + high − (K − 1)·dilation − 1) // stride + 1; dtype by torch's promotion.

    Raises
    ------
    InputError
        A shape, an option or a kernel that does not fit; NaN or overflow where asked; too small a max_bytes.
    InputTypeError
        Object or masked arrays; sparse, nested or quantised tensors; a mix of libraries or devices.

    Notes
    -----
    By "auto" each gradient of a direct sum goes another way where that is predicted to be clearly quicker. A
    gradient takes no more memory than torch's own beyond a working set of 16 MB, which does not grow with x.
    Where values cannot be looked at (torch.func, torch.compile, torch.export) a NaN in w meets the zeros of the
    pads by the direct sum. torch.export fixes the length of x for the FFT methods; "auto" takes the direct sum
    there, which takes any length. Under torch.autocast float32 and half tensors are summed in its dtype, as by
    torch's layers; NumPy arrays are not.

    Examples
    --------
    >>> import numpy as np
    >>> x = np.array([[1.0, 2.0, 3.0, 4.0]])
    >>> conv(x, np.array([[[1.0, 0.0, -1.0]]]), padding="same")
    array([[-2., -2., -2.,  3.]])
    >>> conv(x, np.array([[[1.0, 0.0, -1.0]]]), padding="full", flip=True)
    array([[ 1.,  2.,  2.,  2., -3., -4.]])
    """
    if is_autocast_on():
        return in_autocast_dtype(
            conv, x, w, bias, stride=stride, padding=padding, padding_mode=padding_mode, dilation=dilation,
            groups=groups, flip=flip, lengths=lengths, nan=nan, precision=precision, method=method,
            max_bytes=max_bytes,
        )  # fmt: skip
    bare = lengths is None and max_bytes is None and _is_plain(nan, precision)
    if bare and flip is False:
        y = _straight(x, w, bias, stride, padding, padding_mode, dilation, groups, method)
        if y is not None:
            return y
    foreign = x if max_bytes is not None and needs_copy(x) else None
    if foreign is not None:  # read piece by piece; here stands an array of its shape that takes no memory
        x = np.broadcast_to(np.zeros((), x.dtype.newbyteorder("=")), x.shape)
    (x, w, bias), leave = enter(x=x, w=w, bias=bias)
    dtype = x.dtype if x.dtype == w.dtype else common_dtype(x, w)
    plan = make_plan(x.shape, w.shape, dtype, stride, padding, padding_mode, dilation, groups, method)
    given_w, given_bias = w, bias
    if bias is not None:
        check_bias(bias, w.shape[0], dtype)
        bias = bias if bias.dtype == dtype else widen(bias, dtype)
    if w.dtype != dtype or not (dtype.is_floating_point or dtype.is_complex):
        w, bias = widen(w, dtype), None if bias is None else widen(bias, dtype)
    if flip is not False:
        check_flip(flip)
        w = w.flip(tuple(range(2, w.ndim))) if flip else w
    if not plan.batched:
        x, foreign = x[None], None if foreign is None else foreign[None]
    if bare:
        y = narrow(compute(widen(x, dtype) if x.dtype != w.dtype else x, w, bias, plan), dtype)
    else:
        rules = _checked(x, w, plan, padding, lengths, nan, precision, max_bytes, dtype)
        if x.device.type == "meta":  # values decide nothing about a shape
            y = narrow(compute(widen(x, dtype), w, bias, plan), dtype)
        else:
            signal = Signal(x if foreign is None else foreign, x)
            if nan == "raise":
                signal.refuse_nan(None if rules.rows is None else rules.rows.lengths, plan.batched)
                refuse_nan("w", given_w)
                if given_bias is not None:
                    refuse_nan("bias", given_bias)
            y = conv_in_pieces(signal, w, bias, plan, rules, dtype)
    return leave(y if plan.batched else y[0])


@full_precision
def conv_vjp(
    gy: Any,
    x: Any,
    w: Any,
    bias: Any = None,
    *,
    stride: int | tuple[int, ...] = 1,
    padding: int | str | tuple = 0,
    padding_mode: str | float = "zeros",
    dilation: int | tuple[int, ...] = 1,
    groups: int = 1,
    flip: bool = False,
    lengths: Any = None,
    nan: str = "propagate",
    precision: str = "normwise",
    method: str = "auto",
) -> tuple[Any, Any, Any]:
    """Gradients of sum(gy · conv(x, w, bias)) for x, w and bias: NumPy users' way to train.

    Parameters
    ----------
    gy : array or Tensor of the shape of `conv(x, w, bias, ...)`
        For complex outputs the gradient in torch's convention (conjugate Wirtinger); real for real outputs.
    x, w, bias, stride, padding, padding_mode, dilation, groups, flip, lengths, nan, precision, method
        As in `conv`; floating or complex. `max_bytes` bounds the forward pass alone and is not offered here.

    Returns
    -------
    gx, gw, gb : arrays of the shapes and dtypes of x, w and bias
        A real array beside a complex one gets the real gradient, an integer one that of its floating values. gb
        is the gradient a bias would have, also where none was given.

    Raises
    ------
    InputError, InputTypeError
        As `conv`; also if gy has not the output's shape or is complex where the output is real, or the arrays
        are integers.

    Examples
    --------
    >>> import numpy as np
    >>> gx, gw, gb = conv_vjp(np.ones((1, 3)), np.array([[1.0, 2.0, 3.0, 4.0]]), np.array([[[5.0, 6.0]]]))
    >>> gx, gw, gb
    (array([[ 5., 11., 11.,  6.]]), array([[[6., 9.]]]), array([3.]))
    """
    (gy, x, w, bias), leave = enter(gy=gy, x=x, w=w, bias=bias)
    dtype = common_dtype(x, w)
    if not (dtype.is_floating_point or dtype.is_complex):
        raise InputError(
            f"x and w must be floating or complex to have gradients, got {dtype}; try x.astype(float)"
        )
    with torch.inference_mode(False), torch.enable_grad():
        zeros = torch.zeros(w.shape[:1], dtype=dtype, device=w.device)
        leaves = [_leaf(t, dtype) for t in (x, w, zeros if bias is None else bias)]
        y = conv(
            *leaves,
            stride=stride,
            padding=padding,
            padding_mode=padding_mode,
            dilation=dilation,
            groups=groups,
            flip=flip,
            lengths=lengths,
            nan=nan,
            precision=precision,
            method=method,
        )
        if gy.shape != y.shape:
            raise InputError(f"gy must have the output's shape {tuple(y.shape)}, got {tuple(gy.shape)}")
        if gy.is_complex() and not y.is_complex():
            raise InputError(f"gy must be real as the output is, got {gy.dtype}; try gy.real")
        gradients = torch.autograd.grad(y, leaves, gy.detach().clone().to(y.dtype), materialize_grads=True)
    gx, gw, gb = (leave(g) for g in gradients)
    return gx, gw, gb


def depthwise_conv(
    x: Any,
    w: Any,
    bias: Any = None,
    *,
    stride: int | tuple[int, ...] = 1,
    padding: int | str | tuple = 0,
    padding_mode: str | float = "zeros",
    dilation: int | tuple[int, ...] = 1,
    flip: bool = False,
    lengths: Any = None,
    nan: str = "propagate",
    precision: str = "normwise",
    method: str = "auto",
    max_bytes: int | None = None,
) -> Any:
    """Each channel with a kernel of its own.

    Parameters
    ----------
    x : array or Tensor [shape=(B, C, *spatial) or (C, *spatial)]
    w : array or Tensor [shape=(C, *kernel)]
    bias : array or Tensor [shape=(C,)], optional
    stride, padding, padding_mode, dilation, flip, lengths, nan, precision, method, max_bytes
        As in `conv`.

    Returns
    -------
    array of the kind that came in [shape=(B, C, *out) or (C, *out)]

    Raises
    ------
    InputError, InputTypeError
        As `conv`.

    Examples
    --------
    >>> import numpy as np
    >>> depthwise_conv(np.array([[1.0, 2.0, 3.0], [1.0, 1.0, 1.0]]), np.array([[1.0, 1.0], [2.0, -2.0]]))
    array([[3., 5.],
           [0., 0.]])
    """
    (kernel,), leave = enter(w=w)
    if not 2 <= kernel.ndim <= 4:
        raise InputError(f"w must be (C, *kernel) with 1 to 3 kernel axes, got shape {tuple(kernel.shape)}")
    channels = int(kernel.shape[0])
    kernel = kernel[:, None] if channels else kernel[:, None][:, :0]
    return conv(
        x,
        leave(kernel),
        bias,
        stride=stride,
        padding=padding,
        padding_mode=padding_mode,
        dilation=dilation,
        groups=max(1, channels),
        flip=flip,
        lengths=lengths,
        nan=nan,
        precision=precision,
        method=method,
        max_bytes=max_bytes,
    )


def time_varying_conv(x: Any, w: Any, *, stride: int = 1, padding: int | str | tuple = 0,
                      padding_mode: str | float = "zeros", dilation: int = 1) -> Any:  # fmt: skip
    """A kernel of its own for every output position.

    y[b, c, l] = sum_k w[b, c, k, l] · x[b, c, l·stride + k·dilation]

    Parameters
    ----------
    x : array or Tensor [shape=(B, C, T)]
    w : array or Tensor [shape=(B, C, K, L_out)]
        B or C may be 1: one kernel for all rows or channels.
    stride, padding, padding_mode, dilation
        As in `conv`.

    Returns
    -------
    array of the kind that came in [shape=(B, C, L_out)]

    Raises
    ------
    InputError
        If L_out is not the number of outputs, or B and C do not fit.
    InputTypeError
        As `conv`.

    Examples
    --------
    >>> import numpy as np
    >>> x = np.array([[[1.0, 2.0, 3.0]]])
    >>> time_varying_conv(x, np.array([[[[1.0, 0.0], [0.0, 10.0]]]]))
    array([[[ 1., 30.]]])
    """
    (x, w), leave = enter(x=x, w=w)
    if x.ndim != 3 or w.ndim != 4:
        raise InputError(
            f"x must be (B, C, T) and w (B, C, K, L_out), got {tuple(x.shape)} and {tuple(w.shape)}"
        )
    dtype = common_dtype(x, w)
    x, w = widen(x, dtype), widen(w, dtype)
    taps = w.shape[2]
    plan = make_plan(tuple(x.shape), (1, x.shape[1], taps), dtype, stride, padding, padding_mode, dilation, 1,
                     "direct")  # fmt: skip
    (size,) = plan.geometry.out_sizes(plan.work.x_shape[2:], (taps,))
    fits = all(given in (1, wanted) for given, wanted in zip(w.shape[:2], x.shape[:2], strict=True))
    if w.shape[3] != size or not fits:
        raise InputError(
            f"w must be (B, C, K, L_out) with B = {x.shape[0]}, C = {x.shape[1]} (or 1) and L_out = {size}, "
            f"got {tuple(w.shape)}"
        )
    (step,), (spread,) = plan.geometry.stride, plan.geometry.dilation
    x = pad(pad(x, plan.mode_pads or ((0, 0),), plan.mode), plan.geometry.pads)
    windows = x.unfold(-1, (taps - 1) * spread + 1, step)[..., :size, ::spread]  # (B, C, L_out, K), a view
    return leave(narrow((windows * w.transpose(2, 3)).sum(-1, dtype=w.dtype), dtype))


def _straight(x, w, bias, stride, padding, padding_mode, dilation, groups, method) -> torch.Tensor | None:
    """Tensors that torch's own kernel takes as they are: most of what a short call takes is the asking."""
    if type(x) is not torch.Tensor or torch.compiler.is_compiling():
        return None
    dtype, device = x.dtype, x.device
    for t in (x, w) if bias is None else (x, w, bias):
        if type(t) not in TENSORS or t.dtype is not dtype or t.device != device:
            return None
        if t.layout is not torch.strided or t.is_nested:
            return None
    if bias is not None and bias.shape != w.shape[:1]:
        return None
    plan = make_plan(x.shape, w.shape, dtype, stride, padding, padding_mode, dilation, groups, method)
    if plan.straight is None:
        return None
    if plan.gradients is not None and trains(x, w, bias):
        return direct_in_training(x, w, bias, plan.geometry, plan.gradients)
    run, pads = plan.straight
    g = plan.geometry
    return run(x, w, bias, g.stride, pads, g.dilation, g.groups)


def _is_plain(nan: Any, precision: Any) -> bool:
    return (
        isinstance(nan, str) and nan == "propagate" and isinstance(precision, str) and precision == "normwise"
    )


def _checked(x, w, plan: Plan, padding, lengths, nan, precision, max_bytes, dtype) -> Rules:
    """The options beyond the bare sum, or InputError."""
    check_option("nan", nan, NAN_RULES)
    check_option("precision", precision, PRECISIONS)
    if precision == "exact":
        refuse_inexact(dtype)
    if max_bytes is not None:
        if not isinstance(max_bytes, Integral) or isinstance(max_bytes, bool) or int(max_bytes) < 1:
            raise InputError(f"max_bytes must be an int >= 1, got {shown(max_bytes)}")
        max_bytes = int(max_bytes)
    rows = None
    if lengths is not None:
        spans = plan.geometry.spans(w.shape[2:])
        rows = own_rows(
            row_lengths(lengths, x.shape[0], x.shape[-1]), padding, spans, plan.geometry.stride, x.shape[2:-1]
        )
        if plan.mode in PADDINGS and any(
            n == 0 and any(p) for n, p in zip(rows.lengths, rows.pads, strict=True)
        ):
            raise InputError(
                f"padding_mode {plan.mode!r} has nothing to copy from a row of length 0; use zeros"
            )
    return Rules(nan, precision, rows, max_bytes)


def _leaf(t: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    """A tensor to be differentiated for; integers as `dtype`."""
    t = t.detach().clone() if t.is_inference() else t.detach()
    return (t if t.dtype.is_floating_point or t.dtype.is_complex else t.to(dtype)).requires_grad_()

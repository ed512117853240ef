"""The multi-channel convolution, written once for samples, time-frequency cells and token embeddings.

H[i, d] = sum_a sum_c V[a, c, d] · X[i + a, c]  (Dive into Deep Learning, eq. 6.7, here with 1 to 3 axes i).
"""

from __future__ import annotations

from typing import Any

import torch

from ..errors import InputError
from .array import common_dtype, enter, narrow, widen
from .kernels import METHODS, direct
from .lengths import lengths_tensor, mask_beyond, pad_rows
from .nonfinite import NAN_RULES, omit_nan, refuse_nan
from .padding import pad
from .pieces import conv_in_pieces
from .plan import Plan, check_bias, make_plan
from .precision import PRECISIONS, refuse_inexact, with_precision

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
        "valid", "same", "same_lower", "full", "causal", "anticausal": see `core.padding.resolve_padding`.
    padding_mode : "zeros", "reflect", "symmetric", "replicate", "circular", or a number to fill with
        Drawn in `core.padding.pad`; any pad length, longer than the signal too.
    groups : int
        Input and output channels are cut into this many groups that do not see each other.
    flip : bool
        False: cross-correlation, as deep learning has it. True: the kernel is turned round on every spatial
        axis, as mathematics has it.
    lengths : ints [shape=(B,)], optional
        How much of each row's last axis is signal. A row gives what it gives alone, whatever stands behind it,
        and zeros after that; `output_lengths` says how many outputs are its own.
    nan : "propagate", "omit" or "raise"
        "propagate": a NaN reaches exactly the outputs whose window holds it. "omit": it is left out and the
        weights of the rest scaled up, sum(w·x over the rest)·sum(w)/sum(w over the rest), as astropy does.
        "raise": an InputError names the first one's index.
    precision : "normwise", "componentwise" or "exact"
        "normwise": |error| <= c·eps·log2(2N)·|x|₂·|w|₂ for FFT blocks of N points. "componentwise": every
        output keeps its digits, |error| <= 2·n·eps·sum|w·x| over its n terms; blocks that cannot are summed
        directly. "exact": integers only; a sum that its dtype cannot hold raises.
    method : "auto", "direct", "overlap_add" or "fft"
        All give the same result within rounding; integers are exact by each.
    max_bytes : int, optional
        Memory needed beside input and output stays below it, in the forward pass.

    Returns
    -------
    array of the kind that came in [shape=(B, C_out, *out) or (C_out, *out)]
        out = (size + low + high − (K − 1)·dilation − 1) // stride + 1; dtype by torch's promotion.

    Raises
    ------
    InputError
        A shape, an option or a kernel that does not fit; NaN or overflow where asked; too small a max_bytes.
    InputTypeError
        Object arrays, masked arrays, or NumPy mixed with torch.

    Examples
    --------
    >>> import numpy as np
    >>> x = np.array([[1.0, 2.0, 3.0, 4.0]])
    >>> conv(x, np.array([[[1.0, 0.0, -1.0]]]), padding="same")
    array([[-2., -2., -2.,  3.]])
    >>> conv(x, np.array([[[1.0, 0.0, -1.0]]]), padding="full", flip=True)
    array([[ 1.,  2.,  2.,  2., -3., -4.]])
    """
    (x, w, bias), leave = enter(x=x, w=w, bias=bias)
    dtype = x.dtype if x.dtype == w.dtype else common_dtype(x, w)
    plan = make_plan(x.shape, w.shape, dtype, stride, padding, padding_mode, dilation, groups, method)
    if bias is not None:
        check_bias(bias, w.shape[0], dtype)
        bias = bias if bias.dtype == dtype else widen(bias, dtype)
    if x.dtype != dtype or w.dtype != dtype or not (dtype.is_floating_point or dtype.is_complex):
        x, w, bias = widen(x, dtype), widen(w, dtype), None if bias is None else widen(bias, dtype)
    if flip:
        w = w.flip(tuple(range(2, w.ndim)))
    if not plan.batched:
        x = x[None]
    if nan == "propagate" and precision == "normwise" and lengths is None and max_bytes is None:
        y = _compute(x, w, bias, plan)
    else:
        y = _with_rules(x, w, bias, plan, padding, lengths, nan, precision, max_bytes, dtype)
    return leave(narrow(y if plan.batched else y[0], dtype))


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
    method: str = "auto",
) -> tuple[Any, Any, Any]:
    """Gradients of sum(gy · conv(x, w, bias)) for x, w and bias: NumPy users' way to train.

    Parameters
    ----------
    gy : array or Tensor of the shape of `conv(x, w, bias, ...)`
        For complex outputs the gradient in torch's convention (conjugate Wirtinger).
    x, w, bias, stride, padding, padding_mode, dilation, groups, flip, lengths, method
        As in `conv`; floating or complex.

    Returns
    -------
    gx, gw, gb : arrays of the shapes of x, w and bias
        gb is the gradient a bias would have, also where none was given.

    Raises
    ------
    InputError, InputTypeError
        As `conv`; also if gy has not the output's shape, or the arrays are integers.

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
    with torch.enable_grad():
        inputs = [t.detach().to(dtype).requires_grad_() for t in (x, w)]
        inputs.append(
            (x.new_zeros(w.shape[0], dtype=dtype) if bias is None else bias.detach().to(dtype)).requires_grad_()
        )
        y = conv(*inputs, stride=stride, padding=padding, padding_mode=padding_mode, dilation=dilation,
                 groups=groups, flip=flip, lengths=lengths, method=method)  # fmt: skip
        if gy.shape != y.shape:
            raise InputError(f"gy must have the output's shape {tuple(y.shape)}, got {tuple(gy.shape)}")
        gradients = torch.autograd.grad(y, inputs, gy.to(y.dtype))
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
    method: str = "auto",
) -> Any:
    """Each channel with a kernel of its own.

    Parameters
    ----------
    x : array or Tensor [shape=(B, C, *spatial) or (C, *spatial)]
    w : array or Tensor [shape=(C, *kernel)]
    bias : array or Tensor [shape=(C,)], optional
    stride, padding, padding_mode, dilation, flip, method
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
    if not hasattr(w, "ndim") or not hasattr(x, "ndim") or not 2 <= w.ndim <= 4:
        enter(x=x, w=w)  # says what a list or another object lacks
        raise InputError(f"w must be (C, *kernel) with 1 to 3 kernel axes, got shape {tuple(w.shape)}")
    return conv(
        x,
        w[:, None],
        bias,
        stride=stride,
        padding=padding,
        padding_mode=padding_mode,
        dilation=dilation,
        groups=w.shape[0],
        flip=flip,
        method=method,
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
    plan = make_plan((*x.shape[:2], x.shape[2]), (x.shape[1], 1, taps), dtype, stride, padding, padding_mode,
                     dilation, x.shape[1], "direct")  # fmt: skip
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


def _compute(x: torch.Tensor, w: torch.Tensor, bias: torch.Tensor | None, plan: Plan) -> torch.Tensor:
    """The plan carried out on tensors of one dtype."""
    if plan.mode_pads is not None:
        x = pad(x, plan.mode_pads, plan.mode)
    if plan.method == "direct":
        return direct(x, w, plan.geometry, bias)
    return add_bias(METHODS[plan.method](x, w, plan.geometry), bias)


def _with_rules(x, w, bias, plan: Plan, padding, lengths, nan, precision, max_bytes, dtype) -> torch.Tensor:
    """What the options ask for beyond the bare sum; bias is added last."""
    for name, value, allowed in (("nan", nan, NAN_RULES), ("precision", precision, PRECISIONS)):
        if value not in allowed:
            raise InputError(f"{name} must be {', '.join(allowed)}, got {value!r}")
    if nan == "raise":
        refuse_nan(x=x, w=w)
    if precision == "exact":
        refuse_inexact(dtype)
    sizes = None
    if lengths is not None:
        rows = lengths_tensor(lengths, x)
        x, sizes = pad_rows(x, rows, w.shape[2:], plan, padding)
        flat = ((0, 0),) * len(plan.geometry.stride)
        plan = plan._replace(mode_pads=None, geometry=plan.geometry._replace(pads=flat))
    elif plan.mode_pads is not None:
        x, plan = pad(x, plan.mode_pads, plan.mode), plan._replace(mode_pads=None)

    def run(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        return conv_in_pieces(
            a, b, plan, max_bytes, lambda c, d, g: with_precision(c, d, g, plan.method, precision, dtype)
        )

    y = add_bias(omit_nan(x, w, run) if nan == "omit" else run(x, w), bias)
    return y if sizes is None else mask_beyond(y, sizes)


def add_bias(y: torch.Tensor, bias: torch.Tensor | None) -> torch.Tensor:
    """y (B, C, *spatial) + bias (C,)."""
    return y if bias is None else y + bias.reshape(-1, *(1,) * (y.ndim - 2))

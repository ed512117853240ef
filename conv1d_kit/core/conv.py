"""The multi-channel convolution, written once for samples, time-frequency cells and token embeddings.

H[i, d] = sum_a sum_c V[a, c, d] · X[i + a, c]  (Dive into Deep Learning, eq. 6.7, here with 1 to 3 axes i).
"""

from __future__ import annotations

import math
from typing import Any

import torch

from ..errors import InputError
from .array import common_dtype, enter, narrow, widen
from .geometry import Geometry
from .kernels import METHODS, library
from .padding import check_mode, pad, resolve_padding
from .plan import choose_method

__all__ = ["conv", "conv_transpose"]


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
    method: str = "auto",
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
    method : "auto", "direct", "overlap_add" or "fft"
        All give the same result within rounding; integers are always summed directly, and are exact.

    Returns
    -------
    array of the kind that came in [shape=(B, C_out, *out) or (C_out, *out)]
        out = (size + low + high − (K − 1)·dilation − 1) // stride + 1; dtype by torch's promotion.

    Raises
    ------
    InputError
        A shape, an option or a kernel that does not fit.
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
    if w.ndim not in (3, 4, 5):
        raise InputError(
            f"w must be (C_out, C_in/groups, *kernel) with 1 to 3 kernel axes, got {tuple(w.shape)}"
        )
    n = w.ndim - 2
    x, batched = _batched(x, n, "w")
    stride, dilation = per_axis("stride", stride, n), per_axis("dilation", dilation, n)
    _check_channels(x, w, groups)
    _check_bias(bias, w.shape[0])
    mode = check_mode(padding_mode)
    spans = [(k - 1) * d + 1 for k, d in zip(w.shape[2:], dilation, strict=True)]
    pads = resolve_padding(padding, x.shape[2:], spans, stride)
    for axis, (size, (low, high), span) in enumerate(zip(x.shape[2:], pads, spans, strict=True)):
        if size + low + high < span:
            raise InputError(
                f"the kernel must fit into the padded input, got {span} taps (dilation counted) on "
                f"{size} + {low} + {high} positions of spatial axis {axis}; try padding='full'"
            )
    if method != "auto" and method not in METHODS:
        raise InputError(f"method must be auto, {', '.join(METHODS)}, got {method!r}")

    dtype = common_dtype(x, w) if bias is None else common_dtype(x, w, bias)
    x, w, bias = widen(x, dtype), widen(w, dtype), None if bias is None else widen(bias, dtype)
    if flip:
        w = w.flip(tuple(range(2, w.ndim)))
    if mode != "zeros":
        x, pads = pad(x, pads, mode), ((0, 0),) * n
    g = Geometry(stride, pads, dilation, groups)

    if method == "auto":
        method = choose_method(x, w, g)
    if method == "direct" and dtype.is_floating_point and x.shape[1]:
        y = library(x, w, g, bias)
    else:
        y = METHODS[method](x, w, g)
        if bias is not None:
            y = y + bias.reshape(-1, *(1,) * n)
    return leave(narrow(y if batched else y[0], dtype))


def conv_transpose(
    x: Any,
    w: Any,
    bias: Any = None,
    *,
    stride: int | tuple[int, ...] = 1,
    padding: int | tuple[int, ...] = 0,
    output_padding: int | tuple[int, ...] = 0,
    dilation: int | tuple[int, ...] = 1,
    groups: int = 1,
    output_size: int | tuple[int, ...] | None = None,
) -> Any:
    """The adjoint of `conv` with the same stride, padding, dilation and groups: it spreads each input out.

    Parameters
    ----------
    x : array or Tensor [shape=(B, C_in, *spatial) or (C_in, *spatial)]
    w : array or Tensor [shape=(C_in, C_out / groups, *kernel)]
    bias : array or Tensor [shape=(C_out,)], optional
    stride, dilation : int >= 1, or one a spatial axis
    padding : int >= 0, or one a spatial axis
        How much `conv` had padded; so much is cut off here.
    output_padding : int >= 0 and < max(stride, dilation), or one a spatial axis
        Chooses among the lengths that `conv` maps to the length of x.
    output_size : int or one a spatial axis, optional
        The wanted spatial size instead of `output_padding`.

    Returns
    -------
    array of the kind that came in [shape=(B, C_out, *out) or (C_out, *out)]
        out = (size − 1)·stride − 2·padding + (K − 1)·dilation + 1 + output_padding.

    Raises
    ------
    InputError
        A shape or option that does not fit.

    Examples
    --------
    >>> import numpy as np
    >>> conv_transpose(np.array([[1.0, 2.0]]), np.array([[[1.0, 1.0, 1.0]]]), stride=2)
    array([[1., 1., 3., 2., 2.]])
    """
    (x, w, bias), leave = enter(x=x, w=w, bias=bias)
    if w.ndim not in (3, 4, 5):
        raise InputError(
            f"w must be (C_in, C_out/groups, *kernel) with 1 to 3 kernel axes, got {tuple(w.shape)}"
        )
    n = w.ndim - 2
    x, batched = _batched(x, n, "w")
    stride, dilation = per_axis("stride", stride, n), per_axis("dilation", dilation, n)
    padding, extra = (
        per_axis("padding", padding, n, least=0),
        per_axis("output_padding", output_padding, n, least=0),
    )
    _check_groups(groups)
    if x.shape[1] != w.shape[0] or x.shape[1] % groups:
        raise InputError(
            f"w must be (C_in, C_out/groups, *kernel) with C_in = {x.shape[1]} divisible by groups = {groups}, "
            f"got {tuple(w.shape)}"
        )
    _check_bias(bias, w.shape[1] * groups)
    spans = [(k - 1) * d + 1 for k, d in zip(w.shape[2:], dilation, strict=True)]
    least = [
        (size - 1) * s - 2 * p + span
        for size, s, p, span in zip(x.shape[2:], stride, padding, spans, strict=True)
    ]
    if output_size is not None:
        wanted = per_axis("output_size", output_size, n, least=0)
        extra = tuple(a - b for a, b in zip(wanted, least, strict=True))
    for e, s, d, size in zip(extra, stride, dilation, least, strict=True):
        if not 0 <= e < max(s, d):
            raise InputError(
                f"output_padding must be >= 0 and < max(stride, dilation) = {max(s, d)}, got {e}"
                + ("" if output_size is None else f": output_size may be {size} to {size + max(s, d) - 1}")
            )
        if size + e < 1:
            raise InputError(f"the output must have at least one position, got {size + e}; use less padding")

    dtype = common_dtype(x, w) if bias is None else common_dtype(x, w, bias)
    x, w, bias = widen(x, dtype), widen(w, dtype), None if bias is None else widen(bias, dtype)
    if dtype.is_floating_point:
        run = (torch.nn.functional.conv_transpose1d, torch.nn.functional.conv_transpose2d,
               torch.nn.functional.conv_transpose3d)[n - 1]  # fmt: skip
        y = run(x, w, bias, stride, padding, extra, groups, dilation)
    else:
        y = _transpose_by_conv(x, w, stride, padding, extra, dilation, groups, spans)
        y = y if bias is None else y + bias.reshape(-1, *(1,) * n)
    return leave(narrow(y if batched else y[0], dtype))


def per_axis(name: str, value: Any, n: int, *, least: int = 1) -> tuple[int, ...]:
    """`value` as n ints >= least, or InputError."""
    values = (value,) * n if isinstance(value, int) else tuple(value) if isinstance(value, tuple | list) else ()
    if len(values) == 1:
        values = values * n
    if len(values) != n or any(isinstance(v, bool) or not isinstance(v, int) or v < least for v in values):
        raise InputError(
            f"{name} must be an int >= {least}" + (f" or {n} of them" if n > 1 else "") + f", got {value!r}"
        )
    return values


def _transpose_by_conv(x, w, stride, padding, extra, dilation, groups, spans) -> torch.Tensor:
    """Zeros between the inputs, then the flipped kernel with its channels swapped: for dtypes torch lacks."""
    stuffed = x.new_zeros(
        (*x.shape[:2], *((size - 1) * s + 1 for size, s in zip(x.shape[2:], stride, strict=True)))
    )
    stuffed[(..., *(slice(None, None, s) for s in stride))] = x
    swapped = w.unflatten(0, (groups, -1)).transpose(1, 2).flatten(0, 1).flip(tuple(range(2, w.ndim)))
    full = METHODS["direct"](
        stuffed,
        swapped,
        Geometry(
            (1,) * len(stride),
            tuple((s - 1, s - 1 + e) for s, e in zip(spans, extra, strict=True)),
            dilation,
            groups,
        ),
    )
    return full[(..., *(slice(p, size - p) for p, size in zip(padding, full.shape[2:], strict=True)))]


def _batched(x: torch.Tensor, n: int, kernel: str) -> tuple[torch.Tensor, bool]:
    if x.ndim == n + 2:
        return x, True
    if x.ndim == n + 1:
        return x[None], False
    axes = "T" if n == 1 else "H, W" if n == 2 else "D, H, W"
    cure = f"; try x[{'None, ' * (n + 2 - x.ndim)}...]" if x.ndim <= n else f"; {kernel} has {n} kernel axes"
    raise InputError(f"x must be (B, C, {axes}) or (C, {axes}), got shape {tuple(x.shape)}{cure}")


def _check_channels(x: torch.Tensor, w: torch.Tensor, groups: int) -> None:
    _check_groups(groups)
    if x.shape[1] != w.shape[1] * groups:
        raise InputError(
            f"w must be (C_out, C_in/groups, *kernel) with C_in = {x.shape[1]} and groups = {groups}, "
            f"got {tuple(w.shape)}"
        )
    if w.shape[0] % groups:
        raise InputError(f"groups must divide the {w.shape[0]} output channels, got {groups}")
    if math.prod(w.shape[2:]) == 0:
        raise InputError(f"the kernel must have at least one tap an axis, got {tuple(w.shape[2:])}")


def _check_groups(groups: int) -> None:
    if isinstance(groups, bool) or not isinstance(groups, int) or groups < 1:
        raise InputError(f"groups must be an int >= 1, got {groups!r}")


def _check_bias(bias: torch.Tensor | None, n_out: int) -> None:
    if bias is not None and tuple(bias.shape) != (n_out,):
        raise InputError(f"bias must be (C_out,) = ({n_out},), got shape {tuple(bias.shape)}")

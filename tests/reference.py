"""A loop oracle for the convolution; shares no code with conv1d_kit.core."""

from __future__ import annotations

import itertools

import numpy as np


def source_index(position: int, size: int, mode: str) -> int | None:
    """Which element stands at `position`, walking the border step by step; None = zero."""
    if 0 <= position < size:
        return position
    if mode == "zeros":
        return None
    if mode == "replicate":
        return 0 if position < 0 else size - 1
    if mode == "circular":
        while position < 0:
            position += size
        while position >= size:
            position -= size
        return position
    if size == 1:
        return 0
    while not 0 <= position < size:  # fold at the edge it has crossed
        if mode == "reflect":
            position = -position if position < 0 else 2 * (size - 1) - position
        else:  # symmetric
            position = -1 - position if position < 0 else 2 * size - 1 - position
    return position


def pad_loop(x: np.ndarray, pads, mode: str) -> np.ndarray:
    """Pad the last len(pads) axes, element by element."""
    for axis, (low, high) in enumerate(pads, start=x.ndim - len(pads)):
        size = x.shape[axis]
        slices = []
        for position in range(-low, size + high):
            index = source_index(position, size, mode)
            one = np.zeros_like(x.take([0], axis)) if index is None else x.take([index], axis)
            slices.append(one)
        x = np.concatenate(slices, axis)
    return x


def conv_loop(x, w, bias=None, *, stride=1, pads=0, mode="zeros", dilation=1, groups=1, flip=False):
    """Cross-correlation of x (B, C, *S) with w (O, C/groups, *K), every sum written out."""
    n = w.ndim - 2
    stride = (stride,) * n if isinstance(stride, int) else stride
    dilation = (dilation,) * n if isinstance(dilation, int) else dilation
    pads = ((pads, pads),) * n if isinstance(pads, int) else pads
    x = pad_loop(x, pads, mode)
    spans = [(k - 1) * d + 1 for k, d in zip(w.shape[2:], dilation, strict=True)]
    sizes = [(s - span) // st + 1 for s, span, st in zip(x.shape[2:], spans, stride, strict=True)]
    dtype = np.result_type(x, w) if bias is None else np.result_type(x, w, bias)
    y = np.zeros((x.shape[0], w.shape[0], *sizes), dtype)
    n_out, n_in = w.shape[0] // groups, w.shape[1]
    for b, o in itertools.product(range(y.shape[0]), range(y.shape[1])):
        for out in itertools.product(*(range(s) for s in sizes)):
            total = dtype.type(0)
            for c in range(n_in):
                for tap in itertools.product(*(range(k) for k in w.shape[2:])):
                    at = tuple(i * s + t * d for i, s, t, d in zip(out, stride, tap, dilation, strict=True))
                    weight = (
                        w[(o, c, *(k - 1 - t for k, t in zip(w.shape[2:], tap, strict=True)))]
                        if flip
                        else w[(o, c, *tap)]
                    )
                    total = total + x[(b, o // n_out * n_in + c, *at)] * weight
            y[(b, o, *out)] = total if bias is None else total + bias[o]
    return y


def conv_transpose_loop(x, w, bias=None, *, stride=1, padding=0, output_padding=0, dilation=1, groups=1):
    """1-D transposed convolution: every input spreads its kernel over the output."""
    n_in, n_out, taps = x.shape[1] // groups, w.shape[1], w.shape[2]
    full = (x.shape[2] - 1) * stride + (taps - 1) * dilation + 1 + output_padding
    y = np.zeros((x.shape[0], n_out * groups, full), np.result_type(x, w))
    for b, c, o, i, k in itertools.product(
        range(x.shape[0]), range(x.shape[1]), range(n_out), range(x.shape[2]), range(taps)
    ):
        y[b, c // n_in * n_out + o, i * stride + k * dilation] += x[b, c, i] * w[c, o, k]
    y = y[..., padding : full - padding]
    return y if bias is None else y + bias[:, None]

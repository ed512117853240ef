"""The grids of layers: Conv1d shapes from audio and text nets, forward and forward + backward."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import torch

import conv1d_kit

from .cell import Cell, Contest
from .peers import layer_peers, whole_fft

__all__ = ["BACKWARD", "FORWARD", "layer_cells"]

FORWARD, BACKWARD = "layers, forward", "layers, forward + backward"
SHAPES = [  # (B, C, T), (C_out, K), (stride, dilation, groups[, padding]), what
    ((16, 64, 4000), (64, 3), (1, 1, 1), "short kernel"),
    ((50, 300, 60), (100, 5), (1, 1, 1), "text n-grams"),
    ((16, 1, 16000), (32, 80), (4, 1, 1), "waveform front"),
    ((8, 16, 8000), (32, 64), (1, 1, 1), "middle kernel"),
    ((1, 1, 160000), (1, 16000), (1, 1, 1), "reverb"),
    ((8, 32, 16000), (32, 255), (1, 1, 1), "long kernel"),
    ((4, 16, 16000), (16, 2048), (1, 1, 1), "very long kernel"),
    ((4, 64, 8191), (64, 4096), (1, 1, 64), "depthwise, as long as its output"),
    ((8, 64, 4000), (64, 9), (1, 1, 64), "depthwise, short"),
    ((8, 32, 4000), (32, 3), (1, 16, 1), "dilated"),
    ((1, 1, 32000), (64, 1024), (1, 1, 1), "gammatone bank"),
    ((4, 1, 16000), (402, 400), (160, 1, 1), "short-time Fourier"),
    ((8, 1, 16000), (80, 251), (1, 1, 1), "SincNet"),
    ((8, 256, 500), (256, 31), (1, 1, 256), "conformer"),
    ((2, 768, 400), (768, 128), (1, 1, 16), "wav2vec 2.0 positions"),
    ((4, 1, 48000), (512, 10), (5, 1, 1), "wav2vec 2.0, first layer"),
    ((32, 64, 250), (64, 5), (1, 1, 1), "frames"),
    ((16, 64, 1000), (128, 8), (4, 1, 1), "downsampling"),
    ((1, 16, 48000), (16, 33), (1, 1, 1), "one long clip"),
    ((2, 8, 96000), (8, 512), (2, 1, 1), "long, strided"),
    ((32, 64, 8000), (64, 3), (1, 1, 1), "a large batch"),
    ((50, 300, 60), (100, 3), (1, 1, 1), "text trigrams"),
    ((64, 128, 40), (128, 4), (1, 1, 1), "characters"),
    ((16, 32, 8000), (32, 15), (1, 4, 1), "dilated, middle"),
    ((1, 64, 48000), (1, 7), (1, 1, 1), "a vocoder's last layer"),
    ((8, 256, 1000), (4, 3), (1, 1, 1), "a head over frames"),
    ((16, 96, 100), (96, 1), (1, 1, 1), "pointwise, of a separable net"),
    ((8, 256, 500), (256, 31), (1, 1, 256, 15), "conformer, as the net pads it"),
    ((4, 512, 1000), (512, 3), (1, 8, 512, 8), "Conv-TasNet"),
]
OPTIONS = {"stride": 1, "dilation": 1, "groups": 1, "padding": 0}
QUICK = 5  # of them


def layer_cells(quick: bool) -> list[Cell]:
    """All shapes forward, then all forward + backward."""
    shapes = SHAPES[:QUICK] if quick else SHAPES
    return [
        Cell(BACKWARD if backward else FORWARD, _name(*shape), partial(_contest, *shape, backward))
        for backward in (False, True)
        for shape in shapes
    ]


def _name(x_shape, kernel, options, what: str) -> str:
    named = zip(OPTIONS, options, strict=False)
    return f"{x_shape} → {kernel[0]}, K {kernel[1]}" + "".join(
        [f", {name} {value}" for name, value in named if value != OPTIONS[name]] + [f" ({what})"]
    )


def _contest(x_shape, kernel, options, what: str, backward: bool) -> Contest:
    named = OPTIONS | dict(zip(OPTIONS, options, strict=False))
    stride, dilation, groups, padding = named.values()
    n_out, k = kernel
    g = torch.Generator().manual_seed(0)
    x = torch.randn(x_shape, generator=g, requires_grad=backward)
    w = (torch.randn(n_out, x_shape[1] // groups, k, generator=g) / k**0.5).requires_grad_(backward)
    n_frames = (x_shape[2] + 2 * padding - (k - 1) * dilation - 1) // stride + 1
    multiply_adds = x_shape[0] * n_frames * w.numel()
    wrap = partial(_with_gradients, inputs=(x, w)) if backward else lambda run: run
    peers = layer_peers(x, w, named, multiply_adds * (3 if backward else 1))

    def truth() -> list[np.ndarray]:
        wide = [t.detach().double().requires_grad_(backward) for t in (x, w)]
        run = partial(whole_fft, *wide, **named)
        results = _with_gradients(run, tuple(wide))() if backward else [run()]
        return [t.detach().numpy() for t in results]

    return Contest(
        {BACKWARD if backward else FORWARD: wrap(lambda: conv1d_kit.conv(x, w, **named))},
        {name: run if isinstance(run, str) else wrap(run) for name, run in peers.items()},
        truth,
        conv1d_kit.plan_conv(x_shape, w.detach(), **named).method,
        None if backward else lambda method: conv1d_kit.conv(x, w, method=method, **named),
        multiply_adds,
    )


def _with_gradients(
    run: Callable[[], Any], inputs: tuple[torch.Tensor, ...]
) -> Callable[[], tuple[torch.Tensor, ...]]:
    """The run, and the gradients of its sum by `inputs`."""

    def forward_backward() -> tuple[torch.Tensor, ...]:
        y = run()
        return (y.detach(), *torch.autograd.grad(y, inputs, torch.ones_like(y)))

    return forward_backward

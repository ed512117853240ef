"""The grid of 2-D layers, as spectrograms have them, and of transposed ones."""

from __future__ import annotations

import math
from functools import partial

import torch

import conv1d_kit

from .cell import Cell, Contest, Run
from .peers import fft_conv

__all__ = ["GRID", "picture_cells"]

F = torch.nn.functional
GRID = "2-D and transposed layers"
LONG = 33  # taps from which an FFT may be the quicker one
PICTURES = [  # x, w, options
    ((16, 1, 64, 400), (16, 1, 5, 5), {"stride": 2, "padding": 2}),
    ((16, 16, 32, 200), (64, 16, 3, 3), {"padding": 1}),
    ((16, 64, 16, 100), (64, 64, 3, 3), {"padding": 1}),
    ((8, 16, 64, 200), (16, 16, 1, 33), {}),
    ((4, 4, 64, 400), (4, 4, 9, 33), {}),
    ((8, 1, 80, 300), (32, 1, 3, 3), {"stride": (2, 1)}),
    ((4, 32, 40, 150), (32, 32, 5, 5), {}),
    ((16, 64, 16, 100), (128, 64, 1, 1), {"stride": 2}),  # past a residual block
    ((16, 32, 20, 100), (32, 1, 1, 3), {"padding": (0, 8), "dilation": (1, 8), "groups": 32}),  # BC-ResNet
]
TRANSPOSED = [
    ((8, 64, 500), (64, 32, 16), {"stride": 8, "padding": 4}),
    ((16, 32, 1000), (32, 16, 4), {"stride": 2, "padding": 1}),
    ((4, 16, 2000), (16, 16, 64), {"stride": 4}),
    ((8, 16, 4000), (16, 8, 32), {"stride": 16}),
    ((1, 64, 8000), (64, 32, 8), {"stride": 4, "padding": 2}),  # a vocoder's stage, one utterance
    ((1, 402, 100), (402, 1, 400), {"stride": 160}),  # synthesis from a spectrogram
]


def picture_cells(quick: bool) -> list[Cell]:
    """Pictures first."""
    pictures, transposed = (PICTURES[:2], TRANSPOSED[:1]) if quick else (PICTURES, TRANSPOSED)
    return [Cell(GRID, _name(*shape), partial(_picture, *shape)) for shape in pictures] + [
        Cell(GRID, f"{_name(*shape)} (transposed)", partial(_transposed, *shape)) for shape in transposed
    ]


def _name(x_shape, w_shape, options) -> str:
    return f"{x_shape}, kernel {w_shape}" + "".join(f", {key} {value}" for key, value in options.items())


def _arrays(x_shape, w_shape) -> tuple[torch.Tensor, torch.Tensor]:
    g = torch.Generator().manual_seed(0)
    return torch.randn(x_shape, generator=g), torch.randn(w_shape, generator=g) / math.prod(w_shape[1:]) ** 0.5


def _picture(x_shape, w_shape, options) -> Contest:
    x, w = _arrays(x_shape, w_shape)
    peers: dict[str, Run | str] = {"torch conv2d": lambda: F.conv2d(x, w, **options)}
    if math.prod(w_shape[2:]) >= LONG:
        peers["fft-conv-pytorch"] = fft_conv(x, w, **options)
    return Contest(
        {GRID: lambda: conv1d_kit.conv(x, w, **options)},
        peers,
        lambda: [F.conv2d(x.double(), w.double(), **options).numpy()],
        conv1d_kit.plan_conv(x_shape, w, **options).method,
    )


def _transposed(x_shape, w_shape, options) -> Contest:
    x, w = _arrays(x_shape, w_shape)
    return Contest(
        {GRID: lambda: conv1d_kit.conv_transpose(x, w, **options)},
        {"torch conv_transpose1d": lambda: F.conv_transpose1d(x, w, **options)},
        lambda: [F.conv_transpose1d(x.double(), w.double(), **options).numpy()],
        "–",  # not the planner's
    )

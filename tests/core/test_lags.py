"""The weight's gradient of depthwise layers by matrix products: torch's own, in every geometry."""

import numpy as np
import pytest
import torch
from memory import peak_bytes

from conv1d_kit import conv
from conv1d_kit.core import gradients, lags
from conv1d_kit.core.adjoint_cost import gradient_ways, weight_gradient_seconds
from conv1d_kit.core.cost import Work
from conv1d_kit.core.geometry import Geometry
from conv1d_kit.core.lags import weight_by_lags
from conv1d_kit.core.library import library

D = torch.float64
LAYERS = [  # x, channels out for each in, kernel, stride, pads, dilation
    ((2, 4, 50), 1, (7,), (1,), ((3, 3),), (1,)),
    ((3, 5, 64), 1, (3,), (1,), ((0, 0),), (1,)),
    ((3, 2, 51), 3, (5,), (1,), ((4, 0),), (2,)),
    ((2, 3, 203), 2, (4,), (3,), ((1, 2),), (5,)),
    ((1, 2, 97), 1, (31,), (1,), ((15, 15),), (1,)),
    ((1, 2, 300), 1, (70,), (2,), ((80, 0),), (1,)),
    ((2, 3, 20), 1, (20,), (1,), ((0, 0),), (1,)),
    ((4, 2, 5), 1, (1,), (2,), ((0, 0),), (1,)),
    ((2, 3, 9, 20), 1, (3, 3), (1, 1), ((1, 1), (1, 1)), (1, 1)),
    ((2, 3, 9, 20), 2, (2, 5), (2, 3), ((1, 0), (2, 4)), (2, 1)),
    ((1, 2, 12, 33), 1, (1, 9), (3, 1), ((0, 2), (4, 4)), (1, 3)),
    ((2, 2, 40, 7), 1, (31, 1), (1, 1), ((15, 15), (0, 0)), (1, 1)),
]


def a_layer(x_shape, many, kernel, stride, pads, dilation, dtype=D, seed=0):
    """x, w, gy and the geometry."""
    g = Geometry(stride, pads, dilation, x_shape[1])
    draw = torch.Generator().manual_seed(seed)
    x, w = (torch.randn(s, dtype=dtype, generator=draw) for s in (x_shape, (many * x_shape[1], 1, *kernel)))
    gy = torch.randn((x_shape[0], len(w), *g.out_sizes(x_shape[2:], kernel)), dtype=dtype, generator=draw)
    return x, w, gy, g


def by_loops(gy, x, w, g):
    """The sum as it is written, a tap at a time."""
    flat = [side for low_high in reversed(g.pads) for side in low_high]
    x = torch.nn.functional.pad(x, flat).repeat_interleave(len(w) // x.shape[1], 1)
    gw = torch.zeros_like(w)
    for tap in np.ndindex(*w.shape[2:]):
        at = tuple(
            slice(t * d, t * d + (n - 1) * s + 1, s)
            for t, d, n, s in zip(tap, g.dilation, gy.shape[2:], g.stride, strict=True)
        )
        gw[(slice(None), 0, *tap)] = (gy * x[(..., *at)]).sum((0, *range(2, gy.ndim)))
    return gw


@pytest.mark.parametrize("round_", [1 << 19, 200, 1])
@pytest.mark.parametrize("layer", LAYERS, ids=str)
def test_it_is_the_sum_over_all_positions(monkeypatch, layer, round_):
    monkeypatch.setattr(lags, "ROUND", round_)
    x, w, gy, g = a_layer(*layer)
    torch.testing.assert_close(weight_by_lags(gy, x, g, layer[2]), by_loops(gy, x, w, g))


@pytest.mark.parametrize("layer", LAYERS, ids=str)
def test_it_is_torchs_in_any_layout(layer):
    x, w, gy, g = a_layer(*layer)
    w.requires_grad_()
    (expected,) = torch.autograd.grad(library(x, w, g), w, gy)
    last = lambda t: t.movedim(1, -1).contiguous().movedim(-1, 1)  # noqa: E731
    torch.testing.assert_close(weight_by_lags(last(gy), last(x), g, layer[2]), expected)
    torch.testing.assert_close(weight_by_lags(gy, x[:, :, None][:, :, 0], g, layer[2]), expected)


def test_float32_is_as_exact_as_torchs():
    x, w, gy, g = a_layer((8, 64, 4000), 1, (31,), (1,), ((15, 15),), (1,), torch.float32)
    truth = by_loops(gy.double(), x.double(), w.double(), g)
    w.requires_grad_()
    (torchs,) = torch.autograd.grad(library(x, w, g), w, gy)
    ours, theirs = ((a - truth).abs().max() for a in (weight_by_lags(gy, x, g, (31,)), torchs))
    assert ours <= max(2 * theirs, 1e-6 * truth.abs().max())


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("bad", ["x", "gy"])
@pytest.mark.parametrize("layer", [LAYERS[0], LAYERS[3], LAYERS[8]], ids=str)
def test_not_finite_reaches_the_taps_that_torch_gives_it(layer, bad, value):
    """Pads are no numbers to torch: in training what is not finite is left to it."""
    x, w, gy, g = a_layer(*layer)
    (x if bad == "x" else gy)[(0, 1, *(n // 2 for n in gy.shape[2:]))] = value
    leaves = [x.requires_grad_(), w.requires_grad_()]
    found = [
        torch.autograd.grad(y, leaves, gy)
        for y in (gradients.direct_in_training(*leaves, None, g, ("torch", "lags")), library(*leaves, g))
    ]
    for ours, theirs in zip(*found, strict=True):
        torch.testing.assert_close(ours, theirs, equal_nan=True)


@pytest.mark.parametrize(
    ("x_shape", "kernel", "stride", "pads", "dilation", "is_other"),
    [
        ((8, 256, 500), (31,), (1,), ((15, 15),), (1,), True),
        ((8, 64, 4000), (9,), (1,), ((0, 0),), (1,), True),
        ((8, 64, 4000), (9,), (2,), ((4, 4),), (1,), True),
        ((8, 64, 4000), (5,), (1,), ((8, 8),), (4,), True),
        ((8, 64, 4000), (3,), (1,), ((1, 1),), (1,), False),  # of three taps torch has a quick kernel
        ((16, 32, 32, 100), (7, 7), (1, 1), ((3, 3), (3, 3)), (1, 1), True),
        ((16, 32, 32, 100), (3, 3), (1, 1), ((1, 1), (1, 1)), (1, 1), False),
        ((16, 32, 32, 100), (15, 1), (1, 1), ((7, 7), (0, 0)), (1, 1), False),  # the last axis alone counts
        ((2, 8, 40), (9,), (1,), ((4, 4),), (1,), False),  # too little to be worth a thought
    ],
)
def test_it_is_taken_where_torchs_kernel_goes_tap_by_tap(x_shape, kernel, stride, pads, dilation, is_other):
    work = Work(x_shape, (x_shape[1], 1, *kernel), Geometry(stride, pads, dilation, x_shape[1]), 4, True)
    ways = gradient_ways(work)
    assert (ways is not None and ways[1] == "lags") == is_other, (ways, weight_gradient_seconds(work))


@pytest.mark.parametrize("layer", LAYERS, ids=str)
def test_a_layer_in_training_gives_torchs_gradients(layer):
    x, w, gy, g = a_layer(*layer)
    leaves = [x.requires_grad_(), w.requires_grad_(), torch.zeros(len(w), dtype=D, requires_grad=True)]
    options = {"stride": g.stride, "padding": g.pads, "dilation": g.dilation, "groups": g.groups}
    run = gradients.direct_in_training(*leaves, g, ("torch", "lags"))
    by_conv = conv(*leaves, **options, method="direct")
    torch.testing.assert_close(run, by_conv)
    for ours, theirs in zip(
        torch.autograd.grad(run, leaves, gy), torch.autograd.grad(by_conv, leaves, gy), strict=True
    ):
        torch.testing.assert_close(ours, theirs)


@pytest.mark.parametrize(
    ("x_shape", "kernel", "pads", "dilation"),
    [
        ((8, 64, 64, 96), (7, 7), (3, 3), (1, 1)),
        ((1, 64, 64, 512), (63, 7), (31, 3), (1, 1)),
        ((1, 64, 500, 400), (3, 3), (4, 4), (4, 4)),  # x's gradient is a sum turned round
        ((2, 2048, 500), (101,), (50,), (1,)),
    ],
)
@pytest.mark.parametrize("last", [False, True])
def test_gradients_take_no_more_memory_than_torchs_and_a_working_set(x_shape, kernel, pads, dilation, last):
    draw, groups, peaks = torch.Generator().manual_seed(0), x_shape[1], []
    torchs = (torch.nn.functional.conv1d, torch.nn.functional.conv2d)[len(kernel) - 1]
    x, w = (torch.randn(s, generator=draw) for s in (x_shape, (groups, 1, *kernel)))
    if last and x.ndim == 4:
        x = x.to(memory_format=torch.channels_last)
    g = Geometry((1,) * len(kernel), tuple((p, p) for p in pads), dilation, groups)
    leaves, ways = [x.requires_grad_(), w.requires_grad_()], ("turned" if dilation[0] > 1 else "torch", "lags")
    for y in (
        gradients.direct_in_training(*leaves, None, g, ways), torchs(*leaves, None, 1, pads, dilation, groups)
    ):  # fmt: skip
        gy = torch.ones_like(y)
        peaks.append(peak_bytes(lambda: torch.autograd.grad(y, leaves, gy, retain_graph=True)))  # noqa: B023
    assert peaks[0] <= peaks[1] + 16_000_000

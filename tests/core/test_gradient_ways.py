"""Gradients of the direct sum that go through FFT: torch's own within rounding, in every order."""

import numpy as np
import pytest
import torch

from conv1d_kit import conv
from conv1d_kit.core.adjoint_cost import gradient_ways
from conv1d_kit.core.cost import Work
from conv1d_kit.core.geometry import Geometry
from conv1d_kit.core.gradients import direct_in_training
from conv1d_kit.core.plan import make_plan

D = torch.float64
WAYS = [
    ("fft", "fft"),
    ("fft", "torch"),
    ("torch", "fft"),
    ("phases", "torch"),
    ("phases", "fft"),
    ("diagonals", "torch"),
    ("torch", "diagonals"),
    ("turned", "torch"),
    ("torch", "few_taps"),
    ("turned", "few_taps"),
]
AT_STRIDE_1 = {"diagonals", "turned", "few_taps"}
EACH = ("turned", "lags")  # for kernels that see one channel each
LAYERS = [  # x, w, geometry
    ((2, 4, 50), (4, 1, 7), Geometry((1,), ((3, 3),), (1,), 4)),
    ((2, 1, 50), (3, 1, 7), Geometry((2,), ((2, 2),), (1,), 1)),
    ((2, 4, 50), (6, 2, 5), Geometry((3,), ((4, 1),), (2,), 2)),
    ((1, 1, 3000), (1, 1, 20), Geometry((1,), ((0, 19),), (1,), 1)),
    ((2, 6, 50), (2, 3, 5), Geometry((1,), ((9, 1),), (2,), 2)),
    ((2, 3, 9, 20), (4, 3, 2, 5), Geometry((1, 2), ((1, 1), (2, 2)), (2, 1), 1)),
    ((3, 4, 9, 20), (4, 1, 3, 3), Geometry((1, 1), ((1, 1), (4, 4)), (1, 4), 4)),
]


def tensors(*shapes, dtype=D, seed=0):
    g = torch.Generator().manual_seed(seed)
    return [torch.randn(shape, dtype=dtype, generator=g) for shape in shapes]


def plain(x, w, bias, g: Geometry):
    run = {3: torch.nn.functional.conv1d, 4: torch.nn.functional.conv2d}[x.ndim]
    flat = [side for low_high in reversed(g.pads) for side in low_high]
    return run(torch.nn.functional.pad(x, flat), w, bias, g.stride, 0, g.dilation, g.groups)


@pytest.mark.parametrize(
    ("x_shape", "w_shape", "g", "ways"),
    [(*layer, ways) for layer in LAYERS for ways in [*WAYS, EACH]
     if ("phases" not in ways or (len(layer[2].stride) == 1 == layer[2].dilation[0]))
     and (not AT_STRIDE_1 & {*ways} or layer[2].stride == (1,) or ways == EACH)
     and (ways != EACH or (layer[1][1] == 1 < layer[2].groups and set(layer[2].stride) == {1}))],
    ids=str,
)  # fmt: skip
def test_output_and_gradients_are_torchs(x_shape, w_shape, g, ways):
    leaves = [t.requires_grad_() for t in tensors(x_shape, w_shape, w_shape[:1])]
    ours, theirs = direct_in_training(*leaves, g, ways), plain(*leaves, g)
    torch.testing.assert_close(ours, theirs)
    (gy,) = tensors(ours.shape, seed=1)
    for a, b in zip(*(torch.autograd.grad(y, leaves, gy) for y in (ours, theirs)), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("ways", WAYS)
def test_second_derivatives_and_batches_of_gradients(ways):
    g = Geometry((1 if AT_STRIDE_1 & {*ways} else 2,), ((1, 1),), (1,), 2)
    leaves = [t.requires_grad_() for t in tensors((2, 4, 12), (4, 2, 3), (4,))]
    run = lambda *leaves: direct_in_training(*leaves, g, ways)  # noqa: E731
    assert torch.autograd.gradcheck(run, leaves, check_batched_grad=True)
    assert torch.autograd.gradgradcheck(run, leaves)


@pytest.mark.parametrize("wanted", ["x", "w", "bias"])
@pytest.mark.parametrize("ways", WAYS)
def test_what_is_not_asked_for_is_not_computed(wanted, ways):
    x, w, bias = tensors((2, 4, 50), (4, 1, 7), (4,))
    leaf = {"x": x, "w": w, "bias": bias}[wanted].requires_grad_()
    g = Geometry((1,), ((0, 0),), (1,), 4)
    ours, theirs = (
        torch.autograd.grad(y.square().sum(), leaf)[0]
        for y in (direct_in_training(x, w, bias, g, ways), plain(x, w, bias, g))
    )
    torch.testing.assert_close(ours, theirs, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize(
    "ways", [("fft", "fft"), ("phases", "fft"), ("diagonals", "diagonals"), ("turned", "few_taps")]
)
def test_not_finite_reaches_the_gradients_that_torch_gives_it(value, ways):
    g = Geometry((3,) if "phases" in ways else (1,), ((0, 0),), (1,), 4)
    for bad in ("x", "gy"):
        x, w, gy = tensors((2, 4, 50), (4, 1, 7), (2, 4, 15 if "phases" in ways else 44))
        (x if bad == "x" else gy)[0, 1, 10] = value
        leaves = [x.requires_grad_(), w.requires_grad_()]
        found = [
            torch.autograd.grad(y, leaves, gy)
            for y in (direct_in_training(*leaves, None, g, ways), plain(*leaves, None, g))
        ]
        for ours, theirs in zip(*found, strict=True):
            torch.testing.assert_close(ours, theirs, rtol=1e-9, atol=1e-9, equal_nan=True)


def planned(x_shape, w_shape, groups=1, method="auto", dtype=torch.float32):
    return make_plan(x_shape, w_shape, dtype, 1, 0, "zeros", 1, groups, method)


def test_a_depthwise_kernel_of_some_taps_gets_its_gradient_by_products_at_all_lags():
    """torch sums it on one thread, one multiply-add at a time."""
    plan = planned((8, 256, 500), (256, 1, 31), groups=256)
    assert (plan.method, plan.gradients) == ("direct", ("torch", "lags"))


def test_a_layer_on_samples_spreads_its_gradient_by_phases():
    """torch's kernel works on as many lanes for one channel as for sixteen."""
    plan = make_plan((16, 1, 16000), (32, 1, 80), torch.float32, 4, 0, "zeros", 1, 1, "auto")
    assert (plan.method, plan.gradients[0]) == ("direct", "phases")


def test_who_asks_for_the_direct_sum_gets_direct_gradients():
    assert planned((8, 256, 500), (256, 1, 31), groups=256, method="direct").gradients is None
    assert planned((8, 256, 500), (256, 1, 31), groups=256, dtype=torch.float16).gradients is None


@pytest.mark.parametrize(
    ("x_shape", "w_shape", "dilation", "pads", "expected"),
    [
        ((8, 64, 4000), (64, 64, 3), 16, (0, 0), ("turned", "torch")),
        ((8, 64, 4000), (64, 64, 3), 16, (16, 16), ("turned", "torch")),
        ((8, 64, 4000), (64, 64, 3), 4, (4, 4), None),
        ((8, 64, 4000), (64, 64, 5), 4, (0, 0), None),  # 16 zeros beside y are not too many for five taps
        ((8, 64, 4000), (64, 64, 9), 1, (4, 4), None),
        ((16, 512, 100), (512, 512, 15), 1, (0, 0), ("turned", "few_taps")),
        ((8, 64, 4000), (64, 1, 5), 4, (8, 8), ("turned", "lags")),
        ((8, 64, 4000), (64, 1, 31), 1, (15, 15), ("torch", "lags")),
        ((8, 64, 4000), (64, 1, 3), 1, (3, 3), ("torch", "lags")),  # as many zeros as taps
        ((8, 64, 4000), (64, 1, 3), 1, (1, 1), None),
    ],
)
def test_beyond_onednns_quick_kernels_gradients_go_round_them(
    monkeypatch, x_shape, w_shape, dilation, pads, expected
):
    monkeypatch.setattr("conv1d_kit.core.cost.has_wide_registers", lambda: True)
    g = Geometry((1,), (pads,), (dilation,), x_shape[1] // w_shape[1])
    assert gradient_ways(Work(x_shape, w_shape, g, 4, True)) == expected


@pytest.mark.parametrize(
    ("w_shape", "dilation", "pads", "expected"),
    [
        ((16, 16, 3, 3), (1, 16), ((1, 1), (16, 16)), ("turned", "torch")),
        ((16, 16, 3, 3), (1, 4), ((1, 1), (4, 4)), None),
        ((16, 16, 5, 5), (1, 1), ((2, 2), (2, 2)), None),  # through FFT they take three times as long
        ((32, 8, 3, 3), (1, 16), ((1, 1), (0, 0)), None),
    ],
)
def test_gradients_on_pictures(monkeypatch, w_shape, dilation, pads, expected):
    monkeypatch.setattr("conv1d_kit.core.cost.has_wide_registers", lambda: True)
    g = Geometry((1, 1), pads, dilation, 1)
    ways = gradient_ways(Work((8, w_shape[1], 64, 201), w_shape, g, 4, True))
    assert ways == expected


def test_one_channel_of_many_in_a_group_is_no_depthwise_sum():
    """Its gradient by phases would go through such a sum, which torch takes on one thread."""
    ways = gradient_ways(Work((16, 2, 8000), (32, 1, 31), Geometry((1,), ((15, 15),), (1,), 2), 4, True))
    assert ways is None or ways[0] != "phases"


def test_short_kernels_of_many_channels_keep_torchs_own():
    for x_shape, w_shape in (
        ((8, 64, 4000), (64, 64, 3)),
        ((50, 300, 60), (100, 300, 5)),
        ((32, 64, 250), (64, 64, 5)),
    ):
        assert planned(x_shape, w_shape).gradients is None


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("padding", [0, "same", "causal", (3, 40)])
def test_a_layer_in_training_gives_torchs_gradients(padding, bias):
    x, w, b = (t.requires_grad_() for t in tensors((8, 64, 400), (64, 1, 32), (64,), dtype=torch.float32))
    padding = padding if isinstance(padding, int | str) else (padding,)
    results = []
    for method in ("auto", "direct"):
        y = conv(x, w, b if bias else None, padding=padding, groups=64, method=method)
        leaves = (x, w, b) if bias else (x, w)
        results.append((y, *torch.autograd.grad(y.square().sum(), leaves)))
    for ours, direct in zip(*results, strict=True):
        torch.testing.assert_close(ours, direct, rtol=1e-3, atol=1e-3)


@pytest.mark.filterwarnings("ignore:.torch.jit.script. is deprecated")  # torch's own, from forward mode
def test_autocast_transforms_and_no_grad_keep_torchs_kernel():
    x, w = tensors((8, 64, 400), (64, 1, 32), dtype=torch.float32)
    w.requires_grad_()
    run = lambda w: conv(x, w, groups=64)  # noqa: E731
    assert "_Direct" in type(run(w).grad_fn).__name__
    with torch.no_grad():
        assert run(w).grad_fn is None
    with torch.autocast("cpu"):
        assert run(w).dtype == torch.bfloat16
    tangent = torch.func.jvp(run, (w.detach(),), (w.detach(),))[1]
    torch.testing.assert_close(tangent, run(w).detach(), rtol=1e-4, atol=1e-4)


def test_groups_whose_kernels_go_a_few_at_a_time_give_the_same():
    """Their spectra together would not stay near the cores."""
    g = Geometry((1,), ((3, 0),), (1,), 8)
    leaves = [t.requires_grad_() for t in tensors((2, 512, 40), (512, 64, 32))]
    ours, theirs = conv(*leaves, padding=((3, 0),), groups=8, method="overlap_add"), plain(*leaves, None, g)
    torch.testing.assert_close(ours, theirs, rtol=1e-9, atol=1e-9)
    for a, b in zip(*(torch.autograd.grad(y.square().sum(), leaves) for y in (ours, theirs)), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-8, atol=1e-8)

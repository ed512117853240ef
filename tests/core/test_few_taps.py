"""Beyond oneDNN's quick kernels: taps some at a time, and pads as numbers; the same sums all the same."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from memory import peak_bytes
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.fx.experimental.proxy_tensor import make_fx

from conv1d_kit import conv
from conv1d_kit.core import cost, few_taps, kernels, library
from conv1d_kit.core.cost import Work, direct_way, pads_reach_far
from conv1d_kit.core.few_taps import by_few_taps, weight_by_few_taps
from conv1d_kit.core.geometry import Geometry
from conv1d_kit.core.onednn import FAR, MOST_TAPS, reaches_far


def tensors(*shapes, dtype=torch.float64):
    g = torch.Generator().manual_seed(0)
    return [torch.randn(shape, dtype=dtype, generator=g) for shape in shapes]


@settings(deadline=None, max_examples=60)
@given(
    taps=st.integers(1, 40), most=st.integers(1, 9), stride=st.integers(1, 3), dilation=st.integers(1, 3),
    low=st.integers(0, 5), high=st.integers(0, 5), groups=st.sampled_from([1, 2]), with_bias=st.booleans(),
)  # fmt: skip
def test_parts_add_up(taps, most, stride, dilation, low, high, groups, with_bias):
    x, w, bias = tensors((2, 4, 150), (6, 4 // groups, taps), (6,))
    g = Geometry((stride,), ((low, high),), (dilation,), groups)
    padded = torch.nn.functional.pad(x, (low, high))
    expected = torch.nn.functional.conv1d(padded, w, bias if with_bias else None, stride, 0, dilation, groups)
    torch.testing.assert_close(by_few_taps(x, w, g, bias if with_bias else None, most), expected)
    (gy,) = tensors(expected.shape)
    _, gw, _ = torch.ops.aten.convolution_backward(
        gy, padded, w, None, (stride,), (0,), (dilation,), False, (0,), groups, [False, True, False]
    )
    torch.testing.assert_close(weight_by_few_taps(gy, x, w, g, most), gw)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_what_is_not_finite_reaches_its_own_outputs(value):
    x, w = tensors((2, 16, 3000), (16, 16, 50), dtype=torch.float32)
    x[1, 3, 1000] = value
    y = by_few_taps(x, w, Geometry((1,), ((0, 0),), (1,), 1))
    bad = (~y.isfinite()).nonzero()
    assert set(bad[:, 0].tolist()) == {1}
    assert (bad[:, 2].min(), bad[:, 2].max(), len(bad)) == (951, 1000, 16 * 50)


def test_many_taps_of_many_channels_go_this_way(monkeypatch):
    monkeypatch.setattr(cost, "has_wide_registers", lambda: True)
    asked = []
    monkeypatch.setattr(kernels, "by_few_taps", lambda *a: asked.append(a) or few_taps.by_few_taps(*a))
    x, w = tensors((4, 256, 331), (256, 256, 77), dtype=torch.float32)  # shapes that no other test asks about
    work = Work(tuple(x.shape), tuple(w.shape), Geometry((1,), ((0, 0),), (1,), 1), 4, True)
    assert direct_way(work) == "few_taps"
    y = conv(x, w, method="direct")
    assert len(asked) == 1
    expected = torch.nn.functional.conv1d(x.double(), w.double()).float()
    torch.testing.assert_close(y, expected, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize(
    ("x_shape", "w_shape", "itemsize"),
    [
        ((4, 256, 332), (256, 256, MOST_TAPS), 4),
        ((4, 256, 332), (256, 256, 77), 8),
        ((4, 8, 9000), (64, 8, 77), 4),  # few channels have another kernel
        ((4, 64, 332), (64, 1, 77), 4),
        ((1, 16, 100), (16, 16, 77), 4),  # too small for oneDNN
    ],
)
def test_others_do_not(monkeypatch, x_shape, w_shape, itemsize):
    monkeypatch.setattr(cost, "has_wide_registers", lambda: True)
    g = Geometry((1,), ((0, 0),), (1,), 64 if w_shape[1] == 1 else 1)
    assert direct_way(Work(x_shape, w_shape, g, itemsize, True)) != "few_taps"


def test_narrow_registers_know_nothing_of_it(monkeypatch):
    monkeypatch.setattr(cost, "has_wide_registers", lambda: False)
    g = Geometry((1,), ((32, 32),), (16,), 1)
    assert direct_way(Work((4, 256, 333), (256, 256, 77), g._replace(dilation=(1,)), 4, True)) != "few_taps"
    assert not pads_reach_far(Work((8, 64, 4007), (64, 64, 3), g, 4, True))


@pytest.mark.parametrize(
    ("n_out", "taps", "dilation", "pad", "is_number"),
    [(64, 3, 8, 8, True), (64, 3, 4, 4, False), (32, 3, 8, 8, False), (32, 3, 16, 16, True),
     (64, 9, 4, 16, False), (64, 25, 1, 12, True), (64, 5, 16, FAR + 14, True)],
)  # fmt: skip
@pytest.mark.parametrize("rows", [8, 3])
def test_wide_pads_come_as_numbers(monkeypatch, n_out, taps, dilation, pad, is_number, rows):
    monkeypatch.setattr(cost, "has_wide_registers", lambda: True)
    monkeypatch.setattr(kernels, "rows_here", lambda work, x: rows)
    seen = []
    real = torch.nn.functional.conv1d
    monkeypatch.setattr(library, "RUNS", (lambda x, *a: seen.append((x.shape[2], a[3])) or real(x, *a),))
    x, w = tensors((8, 32, 1003), (n_out, 32, taps), dtype=torch.float32)  # as no other test has it
    y = kernels.direct(x, w, Geometry((1,), ((pad, pad),), (dilation,), 1))
    assert set(seen) == {(1003 + 2 * pad, 0) if is_number else (1003, (pad,))}
    assert len(seen) == -(-8 // rows)
    torch.testing.assert_close(y, real(x, w, padding=pad, dilation=dilation), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("x_shape", "kernel", "dilation", "pads", "wide", "narrow"),
    [
        ((8, 32, 1003), (31,), (1,), (15,), True, True),
        ((8, 32, 1003), (13,), (1,), (6,), False, True),
        ((8, 32, 1003), (9,), (1,), (4,), False, False),
        ((8, 32, 1003), (3,), (1,), (3,), True, True),  # as many zeros as taps
        ((8, 32, 1003), (3,), (8,), (8,), True, True),
        ((2, 32, 40, 103), (1, 15), (1, 1), (0, 7), True, True),
        ((2, 32, 40, 103), (15, 1), (1, 1), (7, 0), False, False),  # the last axis alone counts
    ],
)
def test_a_depthwise_kernel_gets_pads_as_numbers_sooner(
    monkeypatch, x_shape, kernel, dilation, pads, wide, narrow
):
    real, n = (torch.nn.functional.conv1d, torch.nn.functional.conv2d)[len(kernel) - 1], len(kernel)
    for has_wide, is_number in ((True, wide), (False, narrow)):
        monkeypatch.setattr("conv1d_kit.core.onednn.has_wide_registers", lambda: has_wide)  # noqa: B023
        x, w = tensors(x_shape, (32, 1, *kernel), dtype=torch.float32)
        g = Geometry((1,) * n, tuple((p, p) for p in pads), dilation, 32)
        work = Work(x_shape, tuple(w.shape), g, 4, True)
        assert cost.pads_reach_far.__wrapped__(work) == is_number
        monkeypatch.setattr(kernels, "pads_reach_far", cost.pads_reach_far.__wrapped__)
        y = kernels.direct(x, w, g)
        torch.testing.assert_close(y, real(x, w, None, 1, pads, dilation, 32), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("bad", ["x", "w", "gy"])
def test_zeros_beside_the_signal_make_nothing_of_what_is_not_finite(monkeypatch, bad):
    monkeypatch.setattr(cost, "has_wide_registers", lambda: True)
    found = []
    for f in (conv, torch.nn.functional.conv1d):
        x, w, gy = tensors((2, 32, 1501), (32, 32, 3), (2, 32, 1501), dtype=torch.float32)
        {"x": x, "w": w, "gy": gy}[bad][0, 0, 0] = torch.inf
        x, w = x.requires_grad_(), w.requires_grad_()
        y = f(x, w, padding=16, dilation=16)
        with torch.no_grad():
            alone = f(x, w, padding=16, dilation=16)
        found.append((y.detach(), alone, *torch.autograd.grad(y, (x, w), gy)))
    for ours, theirs in zip(*found, strict=True):
        assert torch.equal(ours.isfinite(), theirs.isfinite())


@pytest.mark.parametrize(
    ("x_shape", "w_shape", "options"),
    [
        ((1, 16, 400_001), (32, 16, 3), {"dilation": 64}),
        ((8, 16, 40_001), (64, 16, 5), {"dilation": 16}),
        ((1, 64, 100_001), (16, 64, 20), {}),
    ],
)
def test_gradients_take_no_more_memory_than_torchs_and_a_working_set(monkeypatch, x_shape, w_shape, options):
    monkeypatch.setattr(cost, "has_wide_registers", lambda: True)
    peaks = []
    for f in (conv, torch.nn.functional.conv1d):
        x, w = (t.requires_grad_() for t in tensors(x_shape, w_shape, dtype=torch.float32))
        y = f(x, w, **options)
        gy = torch.ones_like(y)
        peaks.append(peak_bytes(lambda: torch.autograd.grad(y, (x, w), gy, retain_graph=True)))  # noqa: B023
    assert peaks[0] <= peaks[1] + 16_000_000


def test_what_is_kept_for_gradients_is_the_signal_itself(monkeypatch):
    monkeypatch.setattr(cost, "has_wide_registers", lambda: True)
    x, w = (t.requires_grad_() for t in tensors((2, 64, 4001), (16, 64, 3), dtype=torch.float32))
    saved = []
    with torch.autograd.graph.saved_tensors_hooks(lambda t: saved.append(t) or t, lambda t: t):
        conv(x, w, padding=16, dilation=16)
    assert sorted(t.numel() for t in saved) == [w.numel(), x.numel()]


def test_bounds_as_measured():
    """x's gradient on a processor with 512-bit registers: torch's time beside that of the sum turned round."""
    quick = [(16, 7, 18), (32, 5, 16), (64, 15, 7), (48, 3, 6), (32, 3, 8), (256, 9, 16)]
    slow = [(64, 3, 8), (48, 3, 12), (32, 3, 12), (64, 24, 23), (24, 9, 64), (32, 5, 64), (100, 15, 14)]
    assert not any(reaches_far(*shape) for shape in quick)
    assert all(reaches_far(*shape) for shape in slow)


@pytest.mark.parametrize(
    ("n_out", "kernel", "dilation", "pads", "is_number"),
    [(16, (1, 15), (1, 1), (0, 8), True), (16, (3, 3), (1, 16), (1, 16), True),
     (64, (3, 3), (1, 8), (1, 8), True), (16, (3, 3), (1, 8), (1, 8), False),
     (16, (15, 1), (1, 1), (12, 0), False)],
)  # fmt: skip
def test_pictures_have_the_bounds_of_lines_on_their_last_axis(
    monkeypatch, n_out, kernel, dilation, pads, is_number
):
    monkeypatch.setattr(cost, "has_wide_registers", lambda: True)
    seen = []
    real = torch.nn.functional.conv2d
    monkeypatch.setattr(library, "RUNS", (None, lambda x, *a: seen.append((x.shape[3], a[3])) or real(x, *a)))
    x, w = tensors((3, 16, 21, 73), (n_out, 16, *kernel), dtype=torch.float32)  # as no other test has it
    y = kernels.direct(x, w, Geometry((1, 1), tuple((p, p) for p in pads), dilation, 1))
    assert seen[0][0] == 73 + 2 * pads[1] * is_number
    torch.testing.assert_close(y, real(x, w, None, 1, pads, dilation), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(("x_shape", "w_shape", "options"), [
    ((4, 8, 3000), (8, 1, 31), {"padding": 15, "groups": 8}),
    ((2, 8, 40, 90), (8, 1, 7, 7), {"padding": 9, "groups": 8}),
    ((2, 16, 40, 90), (16, 16, 3, 3), {"padding": 20, "dilation": 20}),
])  # fmt: skip
def test_fake_tensors_and_traces_by_torch_fx_have_no_values_to_look_at(x_shape, w_shape, options):
    run = lambda x, w: conv(x, w, **options)  # noqa: E731
    x, w = tensors(x_shape, w_shape, dtype=torch.float32)
    traced = make_fx(run)(x, w)
    expected = run(2 * x, w)
    torch.testing.assert_close(traced(2 * x, w), expected, rtol=1e-4, atol=1e-4)
    with FakeTensorMode():
        assert run(torch.empty(x_shape), torch.empty(w_shape)).shape == expected.shape

"""Large batches some rows at a time through torch's kernels: the same results, gradients and layouts."""

import pytest
import torch

from conv1d_kit import conv
from conv1d_kit.core import gradients, kernels
from conv1d_kit.core.cost import Work, rows_at_once
from conv1d_kit.core.geometry import Geometry
from conv1d_kit.core.heap import _glibc, kept_heap
from conv1d_kit.core.library import library

CELLS = {
    "1d": ((20, 16, 8000), (64, 16, 3), {"padding": 1}),
    "strided": ((33, 8, 16_001), (32, 8, 5), {"stride": 2}),
    "grouped": ((20, 64, 8000), (64, 8, 3), {"groups": 8, "padding": 1}),
    "depthwise": ((20, 64, 8000), (64, 1, 5), {"groups": 64, "padding": ((4, 0),)}),
    "2d": ((10, 8, 64, 400), (32, 8, 3, 3), {"padding": 1}),
}


def leaves(name, bias=True):
    x_shape, w_shape, options = CELLS[name]
    generator = torch.Generator().manual_seed(0)
    sizes = [x_shape, w_shape, *([w_shape[:1]] if bias else [])]
    return [torch.randn(s, generator=generator) for s in sizes], options


def torchs(x, w, bias=None, *, padding=0, **options):
    if isinstance(padding, tuple):
        x, padding = torch.nn.functional.pad(x, padding[0]), 0
    run = torch.nn.functional.conv1d if x.ndim == 3 else torch.nn.functional.conv2d
    return run(x, w, bias, padding=padding, **options)


@pytest.fixture
def handed(monkeypatch):
    """Rows that went to torch's kernel, call by call."""
    rows = []
    monkeypatch.setattr(kernels, "library", lambda x, *rest: rows.append(len(x)) or library(x, *rest))
    return rows


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("name", CELLS)
def test_the_whole_is_torchs(handed, name, bias):
    tensors, options = leaves(name, bias)
    torch.testing.assert_close(conv(*tensors, **options, method="direct"), torchs(*tensors, **options))
    assert len(handed) > 1
    assert sum(handed) == len(tensors[0])


@pytest.mark.parametrize("name", ["1d", "strided", "2d"])
@pytest.mark.parametrize("wanted", ["x", "w", "both"])
def test_gradients_are_torchs(monkeypatch, name, wanted):
    tensors, options = leaves(name)
    calls = []
    run = gradients._by_torch
    monkeypatch.setattr(gradients, "_by_torch", lambda *a: calls.append(a) or run(*a))
    tensors[0].requires_grad_(wanted != "w")
    for t in tensors[1:]:
        t.requires_grad_(wanted != "x")
    asked = [t for t in tensors if t.requires_grad]
    found = []
    for f in (conv, torchs):
        y = f(*tensors, **options)
        gy = torch.randn(y.shape, generator=torch.Generator().manual_seed(1))
        found.append([y.detach(), *torch.autograd.grad(y, asked, gy)])
    assert calls
    for a, b in zip(*found, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-3, atol=1e-3 * float(b.abs().max()))


def test_second_derivatives_pass():
    (x, w, _), options = leaves("1d")
    found = []
    for f in (conv, torchs):
        v = w.clone().requires_grad_()
        (gw,) = torch.autograd.grad(f(x, v, **options).square().mean(), v, create_graph=True)
        found += torch.autograd.grad(gw.square().sum(), v)
    torch.testing.assert_close(*found, rtol=1e-3, atol=1e-5)


@pytest.mark.skipif(_glibc() is None, reason="the C library is not glibc")
def test_memory_that_stays_at_hand_needs_no_parts(handed):
    tensors, options = leaves("1d")
    with kept_heap():
        y = conv(*tensors, **options)
    torch.testing.assert_close(y, torchs(*tensors, **options))
    assert handed == [20]


def test_channels_last_stay_so_and_whole(handed):
    (x, w, bias), options = leaves("2d")
    x = x.contiguous(memory_format=torch.channels_last)
    y = conv(x, w, bias, **options)
    assert y.is_contiguous(memory_format=torch.channels_last)
    assert handed in ([], [10])


@pytest.mark.parametrize(
    ("x_shape", "itemsize", "inexact", "rows"),
    [((20, 16, 8000), 4, True, 2), ((20, 16, 8000), 8, True, 20), ((20, 16, 8000), 4, False, 20),
     ((5, 16, 8000), 4, True, 5), ((2, 16, 300_000), 4, True, 1), ((1, 16, 300_000), 4, True, 1)],
)  # fmt: skip
def test_rows_keep_to_their_share(x_shape, itemsize, inexact, rows):
    work = Work(x_shape, (64, 16, 3), Geometry((1,), ((1, 1),), (1,), 1), itemsize, inexact)
    assert rows_at_once(work) == rows

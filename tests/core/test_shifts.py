"""Short kernels as moved copies: NumPy's own sums in every window, and no NaN beyond its outputs."""

import numpy as np
import pytest
import torch

import conv1d_kit
from conv1d_kit.core import line, shifts
from conv1d_kit.core.shifts import shifted_line


@pytest.fixture(autouse=True)
def _fresh_choices():
    line._way.cache_clear()
    yield
    line._way.cache_clear()


@pytest.mark.parametrize("stretch", [1 << 18, 16, 1])
@pytest.mark.parametrize(("n", "k"), [(50, 3), (50, 1), (7, 7), (33, 8), (64, 2)])
def test_every_window_of_the_full_sum(monkeypatch, n, k, stretch):
    monkeypatch.setattr(shifts, "STRETCH", stretch)
    rng = np.random.default_rng(0)
    x, w = rng.standard_normal(n), rng.standard_normal(k)
    full = np.convolve(x, w)
    for start in range(k):
        for size in (1, n // 2 + 1, n + k - 1 - start):
            found = shifted_line(torch.from_numpy(x), torch.from_numpy(w), start, size)
            np.testing.assert_allclose(found.numpy(), full[start : start + size], rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("mode", ["full", "same", "valid"])
@pytest.mark.parametrize("is_numpy", [True, False])
def test_long_signals_go_this_way(monkeypatch, mode, is_numpy):
    asked = []
    monkeypatch.setattr(line, "shifted_line", lambda *a: asked.append(a) or shifted_line(*a))
    rng = np.random.default_rng(0)
    a, b = rng.standard_normal(600_000).astype(np.float32), rng.standard_normal(3).astype(np.float32)
    given = (a, b) if is_numpy else (torch.from_numpy(a), torch.from_numpy(b))
    y = np.asarray(conv1d_kit.convolve(*given, mode=mode))
    assert len(asked) == 1
    assert y.dtype == np.float32
    np.testing.assert_allclose(y, np.convolve(a.astype(float), b.astype(float), mode), rtol=1e-5, atol=1e-5)
    assert len(conv1d_kit.convolve(*(t[::2] for t in given), mode=mode)) > 0  # any stride


def test_other_lines_go_other_ways(monkeypatch):
    monkeypatch.setattr(line, "shifted_line", None)
    for n, k, dtype in ((600_000, 40, "float32"), (600_000, 3, "float64"), (600_000, 3, "complex64"),
                        (2_000, 3, "float32")):  # fmt: skip
        x, w = np.ones(n, dtype), np.ones(k, dtype)
        assert conv1d_kit.convolve(x, w)[n // 2] == pytest.approx(k)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_what_is_not_finite_reaches_its_outputs_alone(value):
    a, b = np.ones(600_000, np.float32), np.ones(3, np.float32)
    a[300_000] = value
    assert (~np.isfinite(conv1d_kit.convolve(a, b))).nonzero()[0].tolist() == [300_000, 300_001, 300_002]
    a[300_000], b[1] = 1, value
    assert np.array_equal(np.isfinite(conv1d_kit.convolve(a, b)), np.isfinite(np.convolve(a, b)))


def test_gradients_are_left_to_the_graph():
    x, w = torch.ones(600_000, requires_grad=True), torch.ones(3)
    conv1d_kit.convolve(x, w).sum().backward()
    assert x.grad.sum() == 1_800_000

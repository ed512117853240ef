"""plan_conv gives what conv gives, says why, and keeps its promise about errors."""

import copy
import pickle

import numpy as np
import pytest
import torch

from conv1d_kit import conv, plan_conv
from conv1d_kit.errors import InputError, InputTypeError


@pytest.mark.parametrize("method", ["auto", "direct", "overlap_add", "fft"])
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "complex64", "int32", "bool"])
def test_a_plan_gives_what_conv_gives_time_after_time(method, dtype):
    rng = np.random.default_rng(0)
    x, w, b = (rng.integers(-3, 4, s).astype(dtype) for s in ((2, 4, 500), (6, 2, 40), 6))
    options = {
        "stride": 2,
        "padding": 9,
        "padding_mode": "reflect",
        "groups": 2,
        "flip": True,
        "method": method,
    }
    plan = plan_conv(x.shape, w, bias=b, **options)
    for _ in range(2):
        y = plan(x)
        np.testing.assert_allclose(y, conv(x, w, b, **options), atol=1e-4)
        assert y.dtype == x.dtype
        assert y.shape == plan.out_shape
        x = x[:, ::-1].copy()


def test_changing_the_kernel_later_changes_nothing():
    w = torch.ones(1, 1, 300)
    plan = plan_conv((1, 1, 9000), w)
    before = plan(torch.ones(1, 1, 9000))
    w.zero_()
    assert torch.equal(plan(torch.ones(1, 1, 9000)), before)


@pytest.mark.parametrize("method", ["direct", "overlap_add", "fft"])
def test_the_error_bound_holds(method):
    rng = np.random.default_rng(1)
    x, w = rng.standard_normal((1, 3000)).astype("f4"), rng.standard_normal((1, 1, 500)).astype("f4")
    plan = plan_conv(x.shape, w, method=method)
    error = np.abs(plan(x) - conv(x.astype(float), w.astype(float), method="direct")).max()
    assert 0 < error <= plan.error_bound * np.linalg.norm(x) * np.linalg.norm(w)


def test_explain_names_each_method_and_marks_the_chosen():
    plan = plan_conv((1, 1, 1_000_000), np.ones((1, 1, 1023), "f4"))
    text = plan.explain()
    assert "→ overlap_add" in text
    assert all(name in text for name in ("direct", "fft", "predicted", "blocks of", "|error| <="))
    assert plan_conv((1, 8, 100), np.ones((8, 8, 3))).method == "direct"


def test_a_plan_takes_only_what_was_planned():
    plan = plan_conv((1, 2, 90), np.ones((1, 2, 3)), "float32")
    with pytest.raises(InputError, match=r"x must be \(1, 2, 90\) torch.float32 as planned, got \(1, 2, 91\)"):
        plan(np.ones((1, 2, 91), "f4"))
    with pytest.raises(InputError, match=r"torch\.float64"):
        plan(np.ones((1, 2, 90)))
    with pytest.raises(InputTypeError, match="one library"):
        plan(torch.ones(1, 2, 90))
    with pytest.raises(InputError, match="dtype must be"):
        plan_conv((1, 2, 90), np.ones((1, 2, 3)), "float99")


@pytest.mark.parametrize("method", ["direct", "overlap_add", "fft"])
def test_a_plan_copied_or_pickled_serves_nan_and_gradients(method):
    w = torch.randn(2, 1, 40, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    plan = plan_conv((1, 1, 500), w, stride=3, method=method)
    for again in (plan, copy.deepcopy(plan), pickle.loads(pickle.dumps(plan))):
        x = torch.ones(1, 1, 500, dtype=torch.float64)
        x[0, 0, 250] = torch.nan
        assert torch.equal(again(x).isnan(), conv(x, w, stride=3, method="direct").isnan())
        x = torch.randn(1, 1, 500, dtype=torch.float64, requires_grad=True)
        ours = torch.autograd.grad(again(x).square().sum(), x)[0]
        torch.testing.assert_close(ours, torch.autograd.grad(conv(x, w, stride=3).square().sum(), x)[0])

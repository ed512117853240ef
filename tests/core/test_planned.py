"""plan_conv gives what conv gives, says why, and keeps its promise about errors."""

import copy
import pickle

import numpy as np
import pytest
import torch

from conv1d_kit import conv, plan_conv
from conv1d_kit.errors import ConvKitError, InputError, InputTypeError


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


@pytest.mark.parametrize(
    ("x_shape", "w_shape", "options", "words"),
    [
        ((4, 1, 64_000), (512, 1, 10), {"stride": 5}, "by a product with windows laid out\n"),
        ((1, 64, 48_000), (1, 64, 7), {}, "by a product summed along its diagonals\n"),
        ((1, 1, 100_000), (1, 1, 9), {}, "by products with a small Toeplitz matrix\n"),
        ((8, 32, 1000), (32, 32, 3), {}, "by torch's kernel\n"),
        ((20, 16, 8000), (64, 16, 3), {"padding": 1}, "by torch's kernel, 2 of 20 rows at a time\n"),
    ],
)
def test_explain_says_how_the_direct_sum_goes(x_shape, w_shape, options, words):
    text = plan_conv(x_shape, np.ones(w_shape, "f4"), method="direct", **options).explain()
    assert f"on the CPU {words}" in text


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


def test_a_plan_leaves_nan_where_conv_does_and_passes_gradients():
    rng = np.random.default_rng(2)
    x, w = rng.standard_normal((1, 2, 900)), rng.standard_normal((3, 2, 300))
    x[0, 1, 450] = np.nan
    for method in ("direct", "overlap_add", "fft"):
        np.testing.assert_allclose(
            plan_conv(x.shape, w, method=method)(x), conv(x, w, method="direct"), atol=1e-10
        )
        t = torch.from_numpy(np.nan_to_num(x)).requires_grad_()
        got = torch.autograd.grad(plan_conv(x.shape, torch.from_numpy(w), method=method)(t).square().sum(), t)
        expected = torch.autograd.grad(torch.nn.functional.conv1d(t, torch.from_numpy(w)).square().sum(), t)
        torch.testing.assert_close(got, expected)


@pytest.mark.parametrize("twin", [copy.deepcopy, lambda plan: pickle.loads(pickle.dumps(plan))])
@pytest.mark.parametrize("make", [np.asarray, torch.from_numpy])
def test_a_plan_can_be_copied_and_pickled(twin, make):
    x, w = np.random.default_rng(3).standard_normal((1, 1, 900)), np.ones((1, 1, 300))
    plan = plan_conv(x.shape, make(w), method="fft", padding="same", padding_mode="reflect")
    y = twin(plan)(make(x))
    assert type(y) is type(make(x))
    np.testing.assert_array_equal(np.asarray(y), np.asarray(plan(make(x))))


def test_a_plan_made_where_torch_records_nothing_serves_where_it_does():
    with torch.inference_mode():
        w = torch.ones(1, 1, 300)
        plans = [plan_conv((1, 1, 900), w, bias=torch.ones(1), method=m, flip=f)
                 for m in ("direct", "fft") for f in (False, True)]  # fmt: skip
    for plan in plans:
        x = torch.ones(1, 1, 900, requires_grad=True)
        (gradient,) = torch.autograd.grad(plan(x).sum(), x)
        expected = torch.autograd.grad(torch.nn.functional.conv1d(x, torch.ones(1, 1, 300)).sum(), x)[0]
        torch.testing.assert_close(gradient, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "complex64", "int32"])
def test_explain_says_that_the_spectrum_is_kept_only_where_it_is(dtype):
    plan = plan_conv((1, 1, 900), np.ones((1, 1, 300), dtype), method="fft")
    assert ("spectrum of w kept" in plan.explain()) == (dtype in ("float32", "float64"))


@pytest.mark.parametrize("shape", [(2, 2, 0), (0, 2, 9)])
@pytest.mark.parametrize("method", ["auto", "direct", "overlap_add", "fft"])
def test_nothing_can_be_planned_too(shape, method):
    plan = plan_conv(shape, np.ones((3, 2, 3)), padding="full", method=method)
    assert plan.out_shape == plan(np.ones(shape)).shape == (shape[0], 3, shape[2] + 2)
    assert "direct" in plan.explain()


@pytest.mark.parametrize(
    "shape", [5, None, "abc", (-1, 1, 9), (1, 1.5, 9), (1, True, 9), (1, 1, 2**70), {}, ()]
)
def test_a_shape_of_another_kind_is_refused(shape):
    with pytest.raises(InputError, match=r"x(_shape| with its padding)? must"):
        plan_conv(shape, np.ones((1, 1, 3)))


@pytest.mark.parametrize("dtype", [">f8", "float64", float, np.float64, torch.float64, np.dtype(">f8")])
def test_a_dtype_may_be_said_in_any_way(dtype):
    w = np.ones((1, 1, 3))
    assert plan_conv((1, 1, 9), w, dtype)(np.ones((1, 1, 9), ">f8")).tolist() == [[[3.0] * 7]]
    for bad in ("float8_e4m3fn", "O", "U3", 5, [], "nn", np.longdouble):
        with pytest.raises(ConvKitError, match=r"must be"):
            plan_conv((1, 1, 9), w, bad)

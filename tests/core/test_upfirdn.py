"""upfirdn against scipy's, and against zeros, np.convolve and a slice."""

import numpy as np
import pytest
import scipy.signal
import torch
from foreign import Foreign
from hypothesis import given, settings
from hypothesis import strategies as st

from conv1d_kit import upfirdn
from conv1d_kit.core.upfirdn import EXTENSIONS, extend, output_length
from conv1d_kit.errors import InputError, InputTypeError


def random(rng, dtype, *shape):
    a = rng.standard_normal(shape)
    return (a + 1j * rng.standard_normal(shape) if dtype[0] == "c" else 9 * a).astype(dtype)


@settings(max_examples=500, deadline=None)
@given(
    st.integers(1, 40),
    st.lists(st.integers(1, 9), min_size=1, max_size=3),
    st.integers(1, 50),
    st.integers(1, 50),
    st.sampled_from(sorted(EXTENSIONS)),
    st.sampled_from(["float32", "float64", "complex64", "complex128", "int64", "int16"]),
    st.integers(0, 2**32 - 1),
)
def test_equal_to_scipy_in_any_geometry_mode_and_dtype(k, shape, up, down, mode, dtype, seed):
    rng = np.random.default_rng(seed)
    axis = int(rng.integers(-len(shape), len(shape)))
    shape[axis] = max(shape[axis], 2)  # scipy reads beyond a lone sample for a slope or a reflection
    h, x = random(rng, dtype, k), random(rng, dtype, *shape)
    expected = scipy.signal.upfirdn(h, x, up, down, axis, mode, 0)
    got = upfirdn(h, x, up, down, axis, mode)
    assert got.dtype == expected.dtype
    assert got.shape == expected.shape
    scale = max(1.0, np.abs(expected).max(initial=0), np.abs(h).sum() * np.abs(x).max())
    tolerance = 1e-12 if got.dtype in (np.float64, np.complex128) else 1e-5
    np.testing.assert_allclose(got, expected, rtol=0, atol=tolerance * scale)


@pytest.mark.parametrize(
    ("n", "k", "up", "down"),
    [
        (48_000, 8_820, 441, 480),
        (44_100, 9_601, 160, 147),
        (100_000, 201, 1, 10),
        (3_000, 40, 1_000, 999),
        (5, 3, 7, 100),
    ],
)
def test_resampling_sizes_equal_scipy(n, k, up, down):
    rng = np.random.default_rng(k)
    h, x = rng.standard_normal(k), rng.standard_normal((2, n))
    np.testing.assert_allclose(upfirdn(h, x, up, down), scipy.signal.upfirdn(h, x, up, down), atol=1e-10)


@settings(max_examples=200, deadline=None)
@given(st.integers(1, 20), st.integers(1, 20), st.integers(1, 9), st.integers(1, 9), st.integers(0, 2**32 - 1))
def test_equal_to_zeros_between_then_np_convolve_then_a_slice(n, k, up, down, seed):
    rng = np.random.default_rng(seed)
    h, x = rng.standard_normal(k), rng.standard_normal(n)
    stuffed = np.zeros((n - 1) * up + 1)
    stuffed[::up] = x
    expected = np.convolve(stuffed, h)[::down]
    assert len(expected) == output_length(k, n, up, down)
    np.testing.assert_allclose(upfirdn(h, x, up, down), expected, atol=1e-12)


@pytest.mark.parametrize("value", [2.5, -1.0])
def test_cval_fills_beyond_the_ends(value):
    h, x = np.array([1.0, 2.0, 3.0, 4.0]), np.array([5.0, 6.0])
    np.testing.assert_allclose(
        upfirdn(h, x, 2, 3, mode="constant", cval=value),
        scipy.signal.upfirdn(h, x, 2, 3, mode="constant", cval=value),
    )


@pytest.mark.parametrize("mode", sorted(EXTENSIONS))
def test_one_sample_is_extended_without_reading_beyond_it(mode):
    x = torch.tensor([3.0], dtype=torch.float64)
    expected = {"constant": 0.0, "antisymmetric": None}.get(mode, 3.0)
    got = extend(x, 4, 4, mode)
    if expected is None:
        assert got.tolist() == [3, -3, 3, -3, 3, -3, 3, -3, 3]
    else:
        assert got.tolist() == [expected] * 4 + [3.0] + [expected] * 4


@pytest.mark.parametrize("mode", sorted(EXTENSIONS))
@pytest.mark.parametrize(("up", "down"), [(1, 1), (3, 2), (2, 5)])
def test_torch_equals_numpy_and_gradients_flow(mode, up, down):
    rng = np.random.default_rng(up)
    h, x = rng.standard_normal(5), rng.standard_normal((2, 6))
    th, tx = (torch.from_numpy(a).requires_grad_() for a in (h, x))
    got = upfirdn(th, tx, up, down, mode=mode)
    np.testing.assert_allclose(got.detach().numpy(), upfirdn(h, x, up, down, mode=mode), atol=1e-12)
    assert torch.autograd.gradcheck(lambda a, b: upfirdn(a, b, up, down, mode=mode), (th, tx))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize(("up", "down"), [(1, 1), (3, 2), (7, 40)])
def test_what_is_not_finite_reaches_only_the_outputs_that_multiply_it(bad, up, down):
    rng = np.random.default_rng(0)
    h, x = rng.standard_normal(50), rng.standard_normal(400)
    clean = upfirdn(h, x, up, down)
    x[200] = bad
    got = upfirdn(h, x, up, down)
    position = np.arange(len(got)) * down - 200 * up  # which tap of h meets the sample
    hit = (position >= 0) & (position < 50)
    with np.errstate(invalid="ignore"):
        expected = bad * h[position[hit]]
    np.testing.assert_array_equal(got[hit], expected)
    np.testing.assert_allclose(got[~hit], clean[~hit], atol=1e-12)


@pytest.mark.parametrize(
    ("dtype", "out"),
    [
        ("int64", torch.float64),
        ("int16", torch.float32),
        ("float16", torch.float32),
        ("bfloat16", torch.float32),
    ],
)
def test_torch_dtypes_follow_scipy_s_rule(dtype, out):
    x = torch.ones(4, dtype=getattr(torch, dtype))
    assert upfirdn(x, x, 2).dtype == out


def test_a_batch_of_nothing_gives_a_batch_of_nothing():
    assert upfirdn(np.ones(3), np.ones((0, 5)), 2, 3).shape == (0, output_length(3, 5, 2, 3))


def test_the_caller_s_arrays_stay_as_they_were():
    h, x = np.arange(3.0), np.arange(12.0)[::-2]
    x.flags.writeable = h.flags.writeable = False
    np.testing.assert_allclose(upfirdn(h, x, 2), scipy.signal.upfirdn(h, x, 2))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([[1]], [1]), "h must be 1-D with non-zero length"),
        (([], [1]), "h must be 1-D with non-zero length"),
        (([1], [1], 0), "up must be an int >= 1 .*, got 0"),
        (([1], [1], 1, 2.5), "down must be an int >= 1 .*, got 2.5"),
        (([1], []), "at least one sample"),
        (([1], 3.0), "axis must be an axis of x"),
        (([1], [1], 1, 1, 1), "axis must be an axis of x"),
        (([1], [1], 1, 1, 0, "mirror"), "mode must be constant, wrap"),
        (([1], [1.0], 1, 1, 0, "constant", 1j), "cval must be a number that torch.float64 can hold, got 1j"),
        (([1], [1.0], 1, 1, 0, "constant", "a"), "cval must be a number"),
        (([1], [1.0], 1, 1, 0, "constant", [1, 2]), "cval. must be scalar or an array with one element"),
        (([1], [1.0], np.nan), "up must be an int"),
        (([1], [1.0], 1, np.inf), "down must be an int"),
        (([1], [1.0], 10**30), "up must be an int"),
        (([1], [1.0], 1, 1, 1.0), "axis must be an axis of x"),
        (([1], [1.0], 1, 1, True), "axis must be an axis of x"),
        (([1], [1.0], 1, 1, 0, np.array(["wrap"])), "mode must be constant, wrap"),
        (([[1], [2, 3]], [1.0]), "h must be an array"),
    ],
)
def test_bad_arguments_are_said(arguments, message):
    with pytest.raises(InputError, match=message):
        upfirdn(*arguments)


def test_numpy_s_integers_are_integers():
    h, x = np.ones(2), np.ones((3, 4))
    got = upfirdn(h, x, np.int64(2), np.uint8(3), np.int64(0))
    np.testing.assert_array_equal(got, upfirdn(h, x, 2, 3, 0))


@pytest.mark.parametrize(("dtype", "value"), [("float32", 1e300), ("float32", 1j), ("float64", 10**400)])
def test_a_cval_that_the_dtype_cannot_hold_is_refused(dtype, value):
    with pytest.raises(InputError, match="cval must be a number that torch"):
        upfirdn(np.ones(2, dtype), np.ones(3, dtype), cval=value)


@pytest.mark.parametrize(
    ("k", "up", "down", "mode"),
    [(5, 1, 1, "constant"), (90, 5, 3, "edge"), *((7, 3, 2, mode) for mode in sorted(EXTENSIONS))],
)
def test_transforms_compile_and_meta_give_the_eager_result(k, up, down, mode):
    generator = torch.Generator().manual_seed(0)
    h = torch.randn(k, dtype=torch.float64, generator=generator)
    xs = torch.randn(3, 2, 200, dtype=torch.float64, generator=generator)
    run = lambda h, x: upfirdn(h, x, up, down, mode=mode)  # noqa: E731
    loss = lambda h, x: run(h, x).square().sum()  # noqa: E731
    close = torch.testing.assert_close
    close(torch.func.vmap(run, (None, 0))(h, xs), run(h, xs))
    per_sample = torch.func.vmap(torch.func.grad(loss), (None, 0))(h, xs)
    leaf = h.clone().requires_grad_()
    close(per_sample[1], torch.autograd.grad(loss(leaf, xs[1]), leaf)[0])
    torch.compiler.reset()
    compiled = torch.compile(run, backend="aot_eager", fullgraph=True)
    close(compiled(h, xs), run(h, xs))
    close(torch.autograd.grad(compiled(leaf, xs[1]).square().sum(), leaf)[0], per_sample[1])
    assert run(h.to("meta"), xs.to("meta")).shape == run(h, xs).shape


def test_dlpack_arrays_come_back_as_their_own_kind():
    got = upfirdn(Foreign(torch.ones(2)), Foreign(torch.arange(3.0)), 2)
    assert isinstance(got, Foreign)
    assert got.t.tolist() == [0, 0, 1, 1, 2, 2]


def test_what_no_tensor_holds_is_refused():
    for h in (
        None,
        {},
        np.ones(2, np.longdouble),
        np.array([1, 2], object),
        np.ma.masked_array([1.0, 2.0], [0, 1]),
    ):
        with pytest.raises(InputTypeError):
            upfirdn(h, np.ones(3))
    with pytest.raises(InputTypeError, match="one library"):
        upfirdn(np.ones(2), torch.ones(3))

"""convolve and correlate against scipy.signal's."""

import subprocess
import sys
from contextlib import nullcontext
from fractions import Fraction

import numpy as np
import pytest
import scipy.signal
import torch
from foreign import Foreign
from hypothesis import given, settings
from hypothesis import strategies as st

from conv1d_kit import convolve, correlate, fftconvolve, oaconvolve
from conv1d_kit.core.signal import convolve2d, correlate2d
from conv1d_kit.errors import InputError, InputTypeError

METHODS = ("auto", "direct", "overlap_add", "fft")
MODES = ("full", "same", "valid")
OURS = {"convolve": convolve, "correlate": correlate}
ALONG_AXES = {"fftconvolve": fftconvolve, "oaconvolve": oaconvolve}
MATRICES = {"convolve2d": convolve2d, "correlate2d": correlate2d}


def arrays(seed, dtype, *shapes):
    rng = np.random.default_rng(seed)
    for shape in shapes:
        a = rng.integers(-9, 10, shape) if dtype[0] in "iu" else rng.standard_normal(shape)
        yield (a + 1j * rng.standard_normal(shape) if dtype[0] == "c" else a).astype(dtype)


def agree(got, expected, *factors):
    """Equal shape, dtype and, within what the dtype can do, numbers."""
    assert got.dtype == expected.dtype
    assert got.shape == expected.shape
    scale = max(1.0, np.prod([np.linalg.norm(f.astype(complex)) for f in factors]))
    eps = np.finfo(got.dtype).eps if got.dtype.kind in "fc" else 0
    np.testing.assert_allclose(got, expected, rtol=0, atol=20 * eps * scale)


@st.composite
def geometries(draw):
    """Two shapes, a quarter of the axes with the second one longer."""
    sizes = st.integers(1, draw(st.sampled_from([5, 40])) if (rank := draw(st.integers(1, 4))) < 3 else 6)
    one, two = (draw(st.lists(sizes, min_size=rank, max_size=rank)) for _ in range(2))
    longer = draw(st.lists(st.sampled_from([False, False, False, True]), min_size=rank, max_size=rank))
    pairs = [sorted((n, k), reverse=not turned) for n, k, turned in zip(one, two, longer, strict=True)]
    return tuple(zip(*pairs, strict=True))


DTYPES = ["float32", "float64", "complex64", "complex128", "int64", "int16", "uint8"]


@settings(max_examples=500, deadline=None)
@given(
    st.sampled_from(sorted(OURS)),
    geometries(),
    st.sampled_from(MODES),
    st.sampled_from(METHODS),
    st.sampled_from(DTYPES),
    st.integers(0, 2**32 - 1),
)
def test_equal_to_scipy_in_any_rank_mode_method_and_dtype(name, shapes, mode, method, dtype, seed):
    a, b = arrays(seed, dtype, *shapes)
    try:
        expected = getattr(scipy.signal, name)(a, b, mode, "direct")
    except ValueError:
        with pytest.raises(InputError, match="'valid'"):
            OURS[name](a, b, mode, method)
        return
    agree(OURS[name](a, b, mode, method), expected, a, b)


@settings(max_examples=500, deadline=None)
@given(
    st.sampled_from(sorted(ALONG_AXES)),
    geometries(),
    st.data(),
    st.sampled_from(MODES),
    st.sampled_from(DTYPES),
    st.integers(0, 2**32 - 1),
)
def test_along_axes_equal_to_scipy_with_broadcasting(name, shapes, data, mode, dtype, seed):
    one, two = (list(shape) for shape in shapes)
    axes = data.draw(st.lists(st.integers(0, len(one) - 1), min_size=1, unique=True))
    for axis in set(range(len(one))) - set(axes):
        changed, size = data.draw(st.sampled_from([(one, 1), (two, 1), (one, two[axis])]))
        changed[axis] = size
    a, b = arrays(seed, dtype, one, two)
    try:
        expected = getattr(scipy.signal, name)(a, b, mode, axes)
    except ValueError:
        with pytest.raises(InputError, match="'valid'"):
            ALONG_AXES[name](a, b, mode, axes)
        return
    agree(ALONG_AXES[name](a, b, mode, axes), expected, a, b)


@pytest.mark.parametrize("name", [*OURS, *ALONG_AXES])
@pytest.mark.parametrize(
    ("one", "two"),
    [
        ((4, 10), (12, 2)),
        ((39, 10), (10, 28)),
        ((3, 3, 7), (7, 4, 2)),
        ((5, 300), (40, 3)),
        ((9, 1, 8), (2, 50, 9)),
    ],
)
def test_same_keeps_in1_s_shape_where_in2_is_longer_on_one_axis(name, one, two):
    a, b = arrays(0, "float64", one, two)
    agree((OURS | ALONG_AXES)[name](a, b, "same"), getattr(scipy.signal, name)(a, b, "same"), a, b)


@pytest.mark.parametrize("dtype", ["float32", "float64", "complex64", "complex128"])
@pytest.mark.parametrize("shapes", [((300,), (40,)), ((3000,), (40,)), ((30, 20), (7, 6))])
@pytest.mark.parametrize("name", ["convolve", *ALONG_AXES])
def test_finite_results_near_the_largest_number_stay_finite(name, shapes, dtype):
    a, b = arrays(2, dtype, *shapes)
    huge, tiny = (1e37, 1e-5) if dtype in ("float32", "complex64") else (1e307, 1e-10)
    run = (lambda a, b: convolve(a, b, method="fft")) if name == "convolve" else ALONG_AXES[name]
    agree(run(a * a.dtype.type(huge), b * b.dtype.type(tiny)) / huge / tiny, run(a, b), a, b)


def gradients(run, a, b, gy):
    a, b = (torch.from_numpy(t).requires_grad_() for t in (a, b))
    return [g.numpy() for g in torch.autograd.grad(run(a, b), (a, b), torch.from_numpy(gy))]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("method", ["overlap_add", "fft"])
@pytest.mark.parametrize(
    "shapes", [((30, 20), (7, 6)), ((4, 10), (12, 2)), ((2000,), (20,)), ((3, 4, 5), (2, 1, 3))]
)
@pytest.mark.parametrize("bad", ["in1", "gy"])
def test_a_nan_in_the_signal_or_the_incoming_gradient_stays_in_its_windows(bad, shapes, method, mode):
    a, b = arrays(3, "float64", *shapes)
    try:
        (gy,) = arrays(4, "float64", convolve(a, b, mode).shape)
    except InputError:
        return  # 'valid' of two that do not fit
    expected = gradients(lambda a, b: convolve(a, b, mode, method), a, b, gy)
    (a if bad == "in1" else gy)[(1,) * a.ndim if a.ndim > 1 else 700] = np.nan
    marks = [np.isnan(a), np.isnan(gy)]
    # which sums hold it: the same gradients of 0s and 1s
    ones = np.ones_like(b)
    ga, gb = gradients(lambda a, b: convolve(a, b, mode, method), np.ones_like(a), ones, marks[1] * 1.0)
    _, held = gradients(lambda a, b: convolve(a, b, mode, method), marks[0] * 1.0, ones, np.ones_like(gy))
    hit = [ga > 0.5, (gb > 0.5) | (held > 0.5)]
    got = gradients(lambda a, b: convolve(a, b, mode, method), a, b, gy)
    for found, wanted, reached in zip(got, expected, hit, strict=True):
        np.testing.assert_array_equal(np.isnan(found), reached)
        np.testing.assert_allclose(found[~reached], wanted[~reached], atol=1e-10)


@pytest.mark.filterwarnings("ignore:.torch.jit.script. is deprecated")  # torch's own, from forward mode
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("dtype", [torch.float64, torch.complex128])
@pytest.mark.parametrize("shapes", [((5, 6), (2, 3)), ((3, 4), (1, 6)), ((17,), (2,)), ((2, 1, 3), (2, 2, 2))])
def test_first_and_second_derivatives(shapes, dtype, mode, method):
    generator = torch.Generator().manual_seed(0)
    a, b = (torch.randn(s, dtype=dtype, generator=generator).requires_grad_() for s in shapes)
    try:
        convolve(a, b, mode, method)
    except InputError:
        return
    assert torch.autograd.gradcheck(lambda a, b: convolve(a, b, mode, method), (a, b), check_forward_ad=True)
    assert torch.autograd.gradgradcheck(lambda a, b: convolve(a, b, mode, method), (a, b))


@pytest.mark.filterwarnings("ignore:.torch.jit.script. is deprecated")  # torch's own, from forward mode
@pytest.mark.parametrize("shapes", [((40, 30), (6, 5)), ((900,), (60,))])
@pytest.mark.parametrize("method", METHODS)
def test_transforms_and_compile_give_the_eager_result(method, shapes):
    generator = torch.Generator().manual_seed(1)
    xs = torch.randn(3, *shapes[0], dtype=torch.float64, generator=generator)
    w = torch.randn(shapes[1], dtype=torch.float64, generator=generator)
    run = lambda x, w: convolve(x, w, "same", method)  # noqa: E731
    loss = lambda w, x: run(x, w).square().sum()  # noqa: E731
    close = torch.testing.assert_close
    close(torch.func.vmap(run, (0, None))(xs, w), torch.stack([run(x, w) for x in xs]))
    per_sample = torch.func.vmap(torch.func.grad(loss), (None, 0))(w, xs)
    leaf = w.clone().requires_grad_()
    for x, got in zip(xs, per_sample, strict=True):
        close(got, torch.autograd.grad(loss(leaf, x), leaf)[0])
    _, tangent = torch.func.jvp(lambda w: run(xs[0], w), (w,), (torch.ones_like(w),))
    close(tangent, run(xs[0], torch.ones_like(w)))
    torch.compiler.reset()
    compiled = torch.compile(run, backend="aot_eager", fullgraph=True)
    close(compiled(xs[0], w), run(xs[0], w))
    close(torch.autograd.grad(compiled(xs[0], leaf).square().sum(), leaf)[0], per_sample[0])
    xs[0].view(-1)[7] = torch.nan
    close(compiled(xs[0], w), run(xs[0], w), equal_nan=True)
    close(torch.func.vmap(run, (0, None))(xs, w)[0], run(xs[0], w), equal_nan=True)


@pytest.mark.parametrize("name", [*OURS, *ALONG_AXES])
def test_meta_tensors_give_the_shape(name):
    a, b = torch.empty(2000, 3, device="meta"), torch.empty(90, 2, device="meta")
    y = (OURS | ALONG_AXES)[name](a, b)
    assert (y.device.type, y.dtype, y.shape) == ("meta", torch.float32, (2089, 4))


@pytest.mark.parametrize("dtype", ["float32", "float64", "complex128", "int32"])
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(("n", "k"), [(100_000, 63), (20_000, 4_001), (300, 30_000), (4096, 4096), (4097, 1)])
@pytest.mark.parametrize("name", sorted(OURS))
def test_equal_to_scipy_on_long_signals(name, n, k, mode, dtype):
    a, b = arrays(n + k, dtype, n, k)
    expected = getattr(scipy.signal, name)(a, b, mode)
    got = OURS[name](a, b, mode)
    assert got.dtype == expected.dtype
    atol = 0 if dtype == "int32" else (2e-5 if dtype == "float32" else 1e-12) * np.abs(expected).max()
    np.testing.assert_allclose(got, expected, rtol=0, atol=atol)


@settings(max_examples=200, deadline=None)
@given(st.integers(1, 60), st.integers(1, 60), st.sampled_from(METHODS), st.integers(0, 2**32 - 1))
def test_torch_gives_what_numpy_gives(n, k, method, seed):
    a, b = arrays(seed, "float64", n, k)
    for ours in OURS.values():
        got = ours(torch.from_numpy(a), torch.from_numpy(b), method=method)
        assert isinstance(got, torch.Tensor)
        np.testing.assert_allclose(got.numpy(), ours(a, b, method=method), atol=1e-12)


@settings(max_examples=500, deadline=None)
@given(st.integers(1, 40), st.integers(1, 40), st.sampled_from(["int64", "float64", "complex128"]),
       st.sampled_from(METHODS), st.integers(0, 2**32 - 1))  # fmt: skip
def test_convolution_commutes(n, k, dtype, method, seed):
    f, g = arrays(seed, dtype, n, k)
    left, right = convolve(f, g, method=method), convolve(g, f, method=method)
    np.testing.assert_allclose(left, right, atol=0 if dtype == "int64" else 1e-12)


def test_correlation_turns_round_instead_of_commuting():
    f, g = arrays(0, "complex128", 9, 5)
    np.testing.assert_allclose(correlate(f, g), correlate(g, f)[::-1].conj(), atol=1e-12)
    assert np.abs(correlate(f, g) - correlate(g, f)).max() > 0.1


@pytest.mark.parametrize("method", METHODS)
def test_integer_sums_beyond_float64_stay_exact(method):
    a = np.array([2**61, 3, -5] * 100)
    b = np.array([3, 2**40 + 1, 7] * 9)
    np.testing.assert_array_equal(convolve(a, b, method=method), np.convolve(a, b))


def test_unlike_dtypes_promote_as_scipy_does():
    for one, two in [("int32", "float32"), ("uint8", "int8"), ("float32", "complex64"), ("int64", "float16")]:
        a, b = np.ones(5, one), np.ones(3, two)
        assert convolve(a, b).dtype == np.result_type(a, b)


def test_lists_scalars_and_empty_arrays_answer_as_scipy():
    assert convolve([1, 2], [3]).tolist() == [3, 6]
    assert convolve(3, 4) == 12
    assert convolve([], [1.0]).shape == (0,)


@pytest.mark.parametrize("method", ["auto", "overlap_add", "fft"])
def test_a_nan_in_a_long_signal_touches_only_its_windows(method):
    a, b = arrays(1, "float64", 20_000, 500)
    a[7000] = np.nan
    with (
        pytest.warns(RuntimeWarning, match="Use of fft convolution on NaN")
        if method == "fft"
        else nullcontext()
    ):
        y = convolve(a, b, method=method)
    bad = np.flatnonzero(np.isnan(y))
    np.testing.assert_array_equal(bad, np.arange(7000, 7500))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([1.0], [1.0], "half"), "acceptable mode flags are .*got .half."),
        (([1.0], [1.0], "full", "magic"), "method flags are auto"),
        (([1.0], [[1.0]]), "same dimensionality"),
        ((np.ones((3, 9)), np.ones((9, 3)), "valid"), "at least as large"),
    ],
)
def test_bad_arguments_are_said(arguments, message):
    with pytest.raises(InputError, match=message):
        convolve(*arguments)


BAD_ARRAYS = [None, {}, "ab", [[1], [2, 3]], [None, 1.0], [{}, {}], object(), np.array(["a"])]


@pytest.mark.parametrize("name", [*OURS, *ALONG_AXES])
@pytest.mark.parametrize("bad", BAD_ARRAYS, ids=lambda bad: type(bad).__name__)
def test_what_is_no_array_of_numbers_is_said(bad, name):
    for one, two in ((bad, bad), (bad, [1.0]), ([1.0], bad)):
        with pytest.raises((InputError, InputTypeError), match=r"in[12] .*(must|should)"):
            (OURS | ALONG_AXES)[name](one, two)


@pytest.mark.parametrize("name", [*OURS, *ALONG_AXES, *MATRICES])
def test_options_of_another_kind_are_said(name):
    run, one = (OURS | ALONG_AXES | MATRICES)[name], [[1.0]]
    for bad in (np.array(["full", "same"]), None, 3, ["full"]):
        with pytest.raises(InputError, match="mode flags are"):
            run(one, one, bad)
        if name in MATRICES:
            with pytest.raises(InputError, match="boundary flags are"):
                run(one, one, "full", bad)
        elif name in OURS:
            with pytest.raises(InputError, match="method flags are"):
                run(one, one, "full", bad)


def test_lone_objects_multiply():
    half = Fraction(1, 2)
    assert convolve(half, Fraction(2, 3)) == correlate(half, Fraction(2, 3)) == Fraction(1, 3)


@pytest.mark.parametrize("name", [*OURS, *ALONG_AXES, *MATRICES])
def test_dlpack_arrays_without_a_shape_work_and_come_back(name):
    run = (OURS | ALONG_AXES | MATRICES)[name]
    a, b = torch.arange(12.0).reshape(3, 4), torch.ones(2, 2)
    got = run(Foreign(a), Foreign(b))
    assert isinstance(got, Foreign)
    torch.testing.assert_close(got.t, run(a, b))


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("boundary", ["fill", "wrap", "symm"])
@pytest.mark.parametrize("dtype", [*DTYPES, "int8", "uint16", "uint32", "uint64", "int32"])
@pytest.mark.parametrize("name", MATRICES)
def test_matrices_equal_scipy_in_every_dtype(name, dtype, boundary, mode):
    a, b = arrays(5, dtype, (7, 6), (3, 4))
    expected = getattr(scipy.signal, name)(a, b, mode, boundary)
    agree(MATRICES[name](a, b, mode, boundary), expected, a, b)
    agree(MATRICES[name](torch.from_numpy(a), torch.from_numpy(b), mode, boundary).numpy(), expected, a, b)


@pytest.mark.parametrize("dtype", [torch.uint16, torch.uint32, torch.uint64, torch.bool])
def test_tensors_that_torch_cannot_turn_round_correlate(dtype):
    a, b = torch.tensor([1, 0, 3, 1]).to(dtype), torch.tensor([0, 1, 1]).to(dtype)
    got = correlate(a, b)
    assert got.dtype == dtype
    np.testing.assert_array_equal(got.numpy(), correlate(a.numpy(), b.numpy()))


@pytest.mark.parametrize(
    ("dtype", "value"),
    [("uint8", 255), ("int8", 2.0), ("uint64", 2**64 - 1), ("int64", 2**60 + 1), ("float32", np.nan),
     ("float64", 1e300), ("complex64", 1 + 2j), ("float32", np.array([[3]])), ("uint8", True)],
)  # fmt: skip
@pytest.mark.parametrize("name", MATRICES)
def test_a_fillvalue_that_the_dtype_holds_fills_in_every_digit(name, dtype, value):
    shift = np.array([[0, 0, 1]], dtype)  # brings the border in
    got = MATRICES[name](np.ones((1, 1), dtype), shift, "same", fillvalue=value)
    assert got.dtype == dtype
    np.testing.assert_array_equal(got.ravel(), np.asarray(value).astype(dtype).ravel())


@pytest.mark.parametrize(
    ("dtype", "value"),
    [("uint8", -1), ("uint8", 300), ("int64", 0.5), ("int64", np.nan), ("int32", np.inf), ("int64", 2**70),
     ("float32", 1e300), ("float64", 10**400), ("float64", 1j), ("float32", Fraction(1, 2)), ("int8", "1"),
     ("float64", None), ("float64", [1, 2]), ("float64", []), ("float64", [[1], [2, 3]])],
)  # fmt: skip
@pytest.mark.parametrize("name", MATRICES)
def test_a_fillvalue_that_the_dtype_cannot_hold_is_refused(name, dtype, value):
    with pytest.raises(InputError, match=r"fillvalue`? must be"):
        MATRICES[name](np.ones((2, 2), dtype), np.ones((1, 2), dtype), fillvalue=value)


def test_object_arrays_and_mixed_libraries_are_refused():
    with pytest.raises(InputTypeError, match="in1 must hold numbers"):
        convolve(np.array(["a"]), [1.0])
    with pytest.raises(InputTypeError, match="one library"):
        convolve(torch.ones(3), np.ones(2))


def test_short_numpy_calls_never_import_torch():
    code = (
        "import sys, numpy as np, conv1d_kit as c; c.convolve(np.ones(100), np.ones(5)); "
        "c.correlate([1, 2], [3.0]); assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)

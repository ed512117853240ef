"""conv and conv_transpose against a loop, scipy and torch, by every method."""

import numpy as np
import pytest
import scipy.signal
import torch
from foreign import Foreign
from hypothesis import given, settings
from hypothesis import strategies as st
from memory import peak_bytes
from reference import conv_loop, conv_transpose_loop

from conv1d_kit import conv, conv_transpose
from conv1d_kit.core.kernels import METHODS
from conv1d_kit.core.padding import NAMED_PADDINGS, PADDINGS
from conv1d_kit.errors import ConvKitError, InputError, InputTypeError

METHOD_NAMES = ("auto", *METHODS)
MODES = ("zeros", *PADDINGS)


def tolerance(dtype) -> float:
    return 1e-11 if np.dtype(dtype).itemsize >= 8 and np.dtype(dtype) != np.complex64 else 2e-4


@st.composite
def problems(draw, dtypes=("float64", "float32", "complex128", "int64", "int8", "bool")):
    """A random geometry with small integer-valued data, exact in every dtype."""
    n = draw(st.integers(1, 3))
    groups = draw(st.integers(1, 3))
    c_in, c_out = groups * draw(st.integers(1, 2)), groups * draw(st.integers(1, 2))
    top = (9, 5, 3)[n - 1]
    kernel = tuple(draw(st.integers(1, (5, 3, 2)[n - 1])) for _ in range(n))
    stride = tuple(draw(st.integers(1, 3)) for _ in range(n))
    dilation = tuple(draw(st.integers(1, 2)) for _ in range(n))
    size = tuple(draw(st.integers(1, top)) for _ in range(n))
    pads = tuple(
        (draw(st.integers(max(0, (k - 1) * d + 1 - s), 8)), draw(st.integers(0, 8)))
        for k, d, s in zip(kernel, dilation, size, strict=True)
    )
    if n == 3:
        pads = tuple((low, min(high, 2)) for low, high in pads)
    mode = draw(st.sampled_from(MODES))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    dtype = draw(st.sampled_from(dtypes))
    batch = draw(st.integers(0, 2))

    def array(*shape):
        a = rng.integers(-3, 4, shape)
        return (a + 1j * rng.integers(-3, 4, shape) if dtype.startswith("complex") else a).astype(dtype)

    options = {"stride": stride, "dilation": dilation, "groups": groups, "flip": draw(st.booleans())}
    bias = array(c_out) if draw(st.booleans()) else None
    return array(batch, c_in, *size), array(c_out, c_in // groups, *kernel), bias, pads, mode, options


@settings(max_examples=150, deadline=None)
@given(problems(), st.sampled_from(METHOD_NAMES))
def test_conv_equals_the_loop_for_any_geometry_dtype_and_method(problem, method):
    x, w, bias, pads, mode, options = problem
    expected = conv_loop(x, w, bias, pads=pads, mode=mode, **options)
    got = conv(x, w, bias, padding=pads, padding_mode=mode, method=method, **options)
    assert got.dtype == expected.dtype
    assert got.shape == expected.shape
    np.testing.assert_allclose(got, expected, rtol=0, atol=0 if x.dtype.kind in "ib" else tolerance(x.dtype))


@settings(max_examples=40, deadline=None)
@given(problems(dtypes=("float64", "int64", "complex64")))
def test_numpy_and_torch_give_the_same(problem):
    x, w, bias, pads, mode, options = problem
    options |= {"padding": pads, "padding_mode": mode}
    b = None if bias is None else torch.from_numpy(bias)
    ours = conv(torch.from_numpy(x), torch.from_numpy(w), b, **options)
    assert isinstance(ours, torch.Tensor)
    np.testing.assert_array_equal(ours.numpy(), conv(x, w, bias, **options))


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("dtype", ["float32", "float64", "complex64", "complex128"])
@pytest.mark.parametrize(
    ("size", "taps"), [(1, 1), (5000, 1), (5000, 2), (5000, 777), (3000, 2999), (100, 100)]
)
def test_one_channel_conv_equals_scipy_convolve(method, dtype, size, taps):
    rng = np.random.default_rng(size + taps)
    x, w = rng.standard_normal(size), rng.standard_normal(taps)
    if dtype.startswith("complex"):
        x, w = x + 1j * rng.standard_normal(size), w + 1j * rng.standard_normal(taps)
    expected = scipy.signal.convolve(x, w, method="direct")
    got = conv(x.astype(dtype)[None], w.astype(dtype)[None, None], padding="full", flip=True, method=method)
    assert got.dtype == dtype
    assert np.abs(got[0] - expected).max() <= tolerance(dtype) * np.abs(expected).max()


@pytest.mark.parametrize("method", METHODS)
def test_two_axes_equal_scipy_convolve2d(method):
    rng = np.random.default_rng(0)
    x, w = rng.standard_normal((40, 50)), rng.standard_normal((7, 12))
    got = conv(x[None], w[None, None], padding="full", flip=True, method=method)[0]
    np.testing.assert_allclose(got, scipy.signal.convolve2d(x, w), atol=1e-12)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("name", NAMED_PADDINGS)
@pytest.mark.parametrize("stride", [1, 2, 3, 7])
@pytest.mark.parametrize("taps", [1, 2, 5, 8])
def test_named_paddings_give_the_promised_length(method, name, stride, taps):
    x, w = np.ones((1, 20)), np.ones((1, 1, taps))
    length = conv(x, w, padding=name, stride=stride, method=method).shape[-1]
    if name in ("same", "same_lower", "causal", "anticausal"):
        assert length == -(-20 // stride)
    elif name == "full":
        assert length == -(-(20 + taps - 1) // stride)
    else:
        assert length == (20 - taps) // stride + 1


@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel")  # torch's own
def test_same_is_torchs_and_same_lower_is_scipys_for_even_kernels():
    rng = np.random.default_rng(1)
    x, w = rng.standard_normal(11), rng.standard_normal(4)
    torchs = torch.nn.functional.conv1d(*(torch.from_numpy(a)[None, None] for a in (x, w)), padding="same")
    np.testing.assert_allclose(conv(x[None], w[None, None], padding="same"), torchs[0].numpy(), atol=1e-13)
    scipys = scipy.signal.correlate(x, w, mode="same")
    np.testing.assert_allclose(conv(x[None], w[None, None], padding="same_lower")[0], scipys, atol=1e-13)


@pytest.mark.parametrize("method", METHODS)
def test_causal_output_never_sees_the_future(method):
    rng = np.random.default_rng(2)
    x, w = rng.standard_normal((1, 400)), rng.standard_normal((1, 1, 65))
    later = x.copy()
    later[:, 200:] += 10
    a, b = (conv(v, w, padding="causal", method=method) for v in (x, later))
    np.testing.assert_allclose(a[:, :200], b[:, :200], atol=1e-12)
    assert np.abs(a[:, 200:] - b[:, 200:]).max() > 1


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
@pytest.mark.parametrize("method", METHODS)
def test_half_precision_stays_half_and_is_as_good_as_its_rounding(dtype, method):
    g = torch.Generator().manual_seed(0)
    x, w = torch.randn(2, 3, 300, generator=g), torch.randn(4, 3, 31, generator=g)
    half = getattr(torch, dtype)
    got = conv(x.to(half), w.to(half), method=method)
    exact = conv(x.to(half).double(), w.to(half).double())
    assert got.dtype == half
    assert (got.double() - exact).abs().max() <= 2 * torch.finfo(half).eps * exact.abs().max()


@pytest.mark.parametrize("dtype", ["uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64"])
@pytest.mark.parametrize("method", METHODS)
def test_integers_are_exact_and_wrap_as_numpy_does(dtype, method):
    rng = np.random.default_rng(3)
    info = np.iinfo(dtype)
    x = rng.integers(info.min, info.max, 200, dtype=dtype, endpoint=True)
    w = rng.integers(info.min, info.max, 40, dtype=dtype, endpoint=True)
    got = conv(x[None], w[None, None], padding="full", flip=True, method=method)[0]
    assert got.dtype == dtype
    np.testing.assert_array_equal(got, np.convolve(x, w))


def test_mixed_dtypes_promote_as_torch_does():
    x = torch.ones(1, 1, 8, dtype=torch.float32)
    for dtype in (torch.float64, torch.int64, torch.complex64, torch.float16):
        y = conv(x, torch.ones(1, 1, 3, dtype=dtype))
        assert y.dtype == torch.promote_types(torch.float32, dtype)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("kinds", [("nan",), ("inf",), ("-inf",), ("inf", "-inf"), ("nan", "inf", "-inf")])
def test_not_finite_reaches_exactly_the_windows_that_hold_it(method, kinds):
    rng = np.random.default_rng(4)
    x, w = rng.standard_normal((2, 2, 900)), rng.standard_normal((3, 2, 40))
    w[1, 0, 5] = 0
    for i, kind in enumerate(kinds):
        x[0, i % 2, 300 + 25 * i] = float(kind)
    got = conv(x, w, padding=7, dilation=2, method=method)
    windows = np.lib.stride_tricks.sliding_window_view(np.pad(x, ((0, 0), (0, 0), (7, 7))), 79, -1)[..., ::2]
    with np.errstate(invalid="ignore"):
        expected = (windows[:, None] * w[:, :, None]).sum((2, 4))
    np.testing.assert_allclose(got, expected, atol=1e-11)
    assert np.isfinite(got[1]).all()


@pytest.mark.parametrize("method", ["overlap_add"])
def test_overlap_add_keeps_small_outputs_beside_loud_ones(method):
    x = np.zeros(100_000)
    x[:1000] = 1e8
    x[90_000:] = 1e-8
    w = np.ones(33)
    got = conv(x[None], w[None, None], method=method)[0]
    assert np.abs(got[90_100:] / 33e-8 - 1).max() < 1e-12


@pytest.mark.parametrize("method", METHODS)
def test_gradients_of_first_and_second_order(method):
    g = torch.Generator().manual_seed(5)
    for dtype in (torch.float64, torch.complex128):
        x = torch.randn(2, 4, 12, dtype=dtype, generator=g, requires_grad=True)
        w = torch.randn(6, 2, 3, dtype=dtype, generator=g, requires_grad=True)
        b = torch.randn(6, dtype=dtype, generator=g, requires_grad=True)

        def run(x, w, b):
            return conv(x, w, b, stride=2, padding=((2, 1),), dilation=2, groups=2, method=method)

        assert torch.autograd.gradcheck(run, (x, w, b))
        assert torch.autograd.gradgradcheck(run, (x, w, b))


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("mode", PADDINGS)
def test_gradients_pass_through_every_padding_mode(method, mode):
    g = torch.Generator().manual_seed(6)
    x = torch.randn(1, 1, 5, dtype=torch.float64, generator=g, requires_grad=True)
    w = torch.randn(1, 1, 3, dtype=torch.float64, generator=g, requires_grad=True)
    assert torch.autograd.gradcheck(
        lambda x, w: conv(x, w, padding=7, padding_mode=mode, method=method), (x, w)
    )


def test_a_constant_can_stand_beyond_the_border():
    x, w = np.arange(4.0)[None], np.ones((1, 1, 3))
    expected = conv(np.pad(x, ((0, 0), (1, 1)), constant_values=5.0), w)
    np.testing.assert_array_equal(conv(x, w, padding=1, padding_mode=5.0), expected)


@pytest.mark.parametrize(
    "layout", ["read-only", "reversed", "strided", "transposed", "byte-swapped", "memory map", "float order"]
)
def test_any_layout_of_memory_gives_the_same_and_stays_as_it_was(layout, tmp_path):
    rng = np.random.default_rng(7)
    x, w = rng.standard_normal((2, 3, 50)), rng.standard_normal((4, 3, 5))
    expected = conv(x, w)
    if layout == "read-only":
        x.flags.writeable = False
    elif layout == "reversed":
        x = x[..., ::-1].copy()[..., ::-1]
    elif layout == "strided":
        x = np.repeat(x, 2, -1)[..., ::2]
    elif layout == "transposed":
        x = x.transpose(2, 0, 1).copy().transpose(1, 2, 0)
    elif layout == "byte-swapped":
        x = x.astype(">f8")
    elif layout == "memory map":
        np.save(tmp_path / "x.npy", x)
        x = np.load(tmp_path / "x.npy", mmap_mode="r")
    else:
        x = np.asfortranarray(x)
    before = x.copy()
    np.testing.assert_allclose(conv(x, w), expected, atol=1e-14)
    np.testing.assert_array_equal(x, before)


def test_a_dlpack_array_comes_back_as_its_own_kind():
    x, w = torch.arange(6.0).reshape(1, 1, 6), torch.ones(1, 1, 2)
    y = conv(Foreign(x), Foreign(w))
    assert isinstance(y, Foreign)
    assert torch.equal(y.t, conv(x, w))
    backwards = Foreign(np.arange(6.0, dtype=np.float32).reshape(1, 1, 6)[..., ::-1])  # torch ends the process
    assert torch.equal(conv(backwards, Foreign(w)).t, conv(x.flip(-1), w))
    with_lengths = conv(Foreign(x), Foreign(w), lengths=Foreign(torch.tensor([4])))
    assert torch.equal(with_lengths.t, conv(x, w, lengths=[4]))


@settings(max_examples=60, deadline=None)
@given(
    st.integers(1, 3),
    st.integers(0, 3),
    st.integers(1, 3),
    st.integers(1, 2),
    st.integers(1, 6),
    st.integers(1, 4),
    st.sampled_from(["float64", "complex128", "int64"]),
    st.integers(0, 2**32 - 1),
)
def test_conv_transpose_equals_the_loop(stride, padding, dilation, groups, size, taps, dtype, seed):
    rng = np.random.default_rng(seed)
    x = rng.integers(-3, 4, (2, 2 * groups, size)).astype(dtype)
    w = rng.integers(-3, 4, (2 * groups, 3, taps)).astype(dtype)
    bias = rng.integers(-3, 4, 3 * groups).astype(dtype)
    options = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
    extra = max(stride, dilation) - 1
    expected = conv_transpose_loop(x, w, bias, output_padding=extra, **options)
    if expected.shape[-1] < 1:
        with pytest.raises(InputError, match="less padding"):
            conv_transpose(x, w, bias, output_padding=extra, **options)
        return
    got = conv_transpose(x, w, bias, output_padding=extra, **options)
    np.testing.assert_allclose(got, expected, atol=1e-12)
    by_size = conv_transpose(x, w, bias, output_size=expected.shape[-1], **options)
    np.testing.assert_array_equal(by_size, got)


@pytest.mark.parametrize("dtype", ["float32", "int64", "complex128"])
def test_conv_transpose_of_nothing_is_zeros_and_bias(dtype):
    bias = np.ones(3, dtype)
    for x, w in (((2, 0, 5), (0, 3, 4)), ((0, 2, 5), (2, 3, 4)), ((2, 2, 0), (2, 3, 4))):
        got = conv_transpose(np.ones(x, dtype), np.ones(w, dtype), bias, stride=2)
        assert (got.dtype, got.shape) == (dtype, (x[0], 3, max(0, x[2] - 1) * 2 + 4 - 2 * (x[2] == 0)))
        assert (got == 1).all()
    assert conv_transpose(np.ones((1, 1, 9), dtype), np.ones((1, 0, 3), dtype)).shape == (1, 0, 11)
    with pytest.raises(InputError, match=r"at least one tap an axis, got \(0,\)"):
        conv_transpose(np.ones((1, 1, 9), dtype), np.ones((1, 1, 0), dtype))


def test_conv_transpose_is_the_adjoint_of_conv():
    rng = np.random.default_rng(8)
    x, w = rng.standard_normal((1, 2, 20)), rng.standard_normal((3, 2, 5))
    y = conv(x, w, stride=2, padding=2)
    z = rng.standard_normal(y.shape)
    back = conv_transpose(z, w, stride=2, padding=2, output_size=20)
    assert np.isclose((y * z).sum(), (x * back).sum())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"x": np.zeros(5)}, r"x must be \(B, C, T\) or \(C, T\), got shape \(5,\); try x\[None"),
        ({"x": np.zeros((1, 1, 1, 9))}, r"got shape \(1, 1, 1, 9\); w has 1 kernel axes"),
        ({"w": np.zeros((1, 3))}, r"w must be \(C_out, C_in/groups, \*kernel\)"),
        ({"w": np.zeros((1, 2, 3))}, r"C_in = 1 and groups = 1, got \(1, 2, 3\)"),
        ({"w": np.zeros((1, 1, 0))}, "at least one tap"),
        ({"w": np.zeros((1, 1, 99))}, "must fit into the padded input, got 99 taps"),
        ({"bias": np.zeros(2)}, r"bias must be \(C_out,\) = \(1,\), got shape \(2,\)"),
        ({"bias": np.zeros(1, complex)}, "bias must not be wider than x and w, got torch.complex128"),
        ({"stride": 0}, "stride must be an int >= 1, got 0"),
        ({"stride": -1}, "stride must be an int >= 1, got -1"),
        ({"stride": 1.5}, "stride must be an int >= 1, got 1.5"),
        ({"dilation": 0}, "dilation must be an int >= 1, got 0"),
        ({"padding": -1}, "padding must be an int >= 0"),
        ({"padding": "some"}, "padding must be ints or one of valid, same"),
        ({"padding": ((1, 2), (3, 4))}, "padding must be an int >= 0"),
        ({"padding_mode": "mirror"}, "padding_mode must be zeros, reflect"),
        ({"padding_mode": True}, "padding_mode must be zeros, reflect"),
        ({"groups": 2}, "groups = 2"),
        ({"groups": 0}, "groups must be an int >= 1, got 0"),
        ({"method": "winograd"}, "method must be auto, direct"),
    ],
)
def test_what_does_not_fit_is_said_in_one_line(change, message):
    given_ = {"x": np.zeros((1, 1, 9)), "w": np.zeros((1, 1, 3))} | change
    with pytest.raises(InputError, match=message) as caught:
        conv(given_.pop("x"), given_.pop("w"), given_.pop("bias", None), **given_)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("x", "message"),
    [
        ([[1.0, 2.0]], "x must be a NumPy array, a torch tensor"),
        (np.array([[None]]), "got dtype object"),
        (np.ma.zeros((1, 4)), "got a masked one"),
        (np.zeros((1, 4), np.longdouble), "got dtype (longdouble|float128)"),
        (torch.zeros(1, 4), "from one library, got x: torch, w: numpy"),
    ],
)
def test_kinds_that_do_not_pass_the_door(x, message):
    with pytest.raises(InputTypeError, match=message):
        conv(x, np.zeros((1, 1, 2)))


def test_every_refusal_is_a_conv_kit_error_and_a_builtin_one():
    assert issubclass(InputError, (ConvKitError, ValueError))
    assert issubclass(InputTypeError, (ConvKitError, TypeError))


@pytest.mark.parametrize("method", METHODS)
def test_an_empty_signal_is_defined_where_the_padding_makes_it_so(method):
    assert conv(np.zeros((0, 2, 9)), np.zeros((3, 2, 3)), method=method).shape == (0, 3, 7)
    got = conv(np.zeros((2, 1, 0)), np.ones((3, 1, 3)), np.ones(3), padding="full", method=method)
    np.testing.assert_array_equal(got, np.ones((2, 3, 2)))


@pytest.mark.parametrize("method", ["auto", *METHODS])
@pytest.mark.parametrize("dtype", ["float32", "float64", "complex128", "int64", "bool", "uint16"])
@pytest.mark.parametrize("max_bytes", [None, 10**6])
@pytest.mark.parametrize("has_lengths", [False, True])
@pytest.mark.parametrize(
    ("x_shape", "w_shape"),
    [((2, 1, 0), (3, 1, 3)), ((0, 1, 9), (3, 1, 3)), ((2, 1, 9), (0, 1, 3)), ((2, 0, 9), (3, 0, 3)),
     ((0, 0, 0), (0, 0, 3))],
)  # fmt: skip
def test_sizes_of_zero_are_defined(method, dtype, max_bytes, has_lengths, x_shape, w_shape):
    lengths = [min(4, x_shape[2])] * x_shape[0] if has_lengths else None
    bias = np.ones(w_shape[0], dtype)
    y = conv(np.ones(x_shape, dtype), np.ones(w_shape, dtype), bias, padding="full", method=method,
             max_bytes=max_bytes, lengths=lengths)  # fmt: skip
    assert (y.dtype, y.shape) == (dtype, (x_shape[0], w_shape[0], x_shape[2] + 2))
    if 0 in x_shape[1:]:
        own = x_shape[2] + 2 if lengths is None else min(4, x_shape[2]) + 2
        assert (y[..., :own] == 1).all()
        assert (y[..., own:] == 0).all()


OPTIONS = ("nan", "flip", "method", "precision", "padding_mode", "padding", "stride", "dilation", "groups",
           "max_bytes", "lengths")  # fmt: skip
ODD = [np.array(["a", "b"]), np.array([1.5, 2]), np.ones((9, 9)), "no", object(), b"x", {}, {1: 2}, -1, 1.5j,
       torch.tensor([1, 2]), float("nan"), (1, (2, 3, 4)), [None], lambda: 1]  # fmt: skip


@pytest.mark.parametrize("option", OPTIONS)
@pytest.mark.parametrize("value", ODD, ids=lambda v: str(v)[:12])
def test_any_object_as_an_option_is_one_line(option, value):
    if option == "padding_mode" and isinstance(value, int | float):
        value = str(value)  # a number can be filled with
    with pytest.raises(ConvKitError) as caught:
        conv(np.ones((1, 1, 9)), np.ones((1, 1, 3)), **{option: value})
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("option", ["stride", "dilation", "padding", "output_padding", "groups", "output_size"])
@pytest.mark.parametrize("value", [*ODD, 2**40, 2**70], ids=lambda v: str(v)[:12])
def test_any_object_as_an_option_of_the_adjoint_is_one_line(option, value):
    with pytest.raises(ConvKitError) as caught:
        conv_transpose(np.ones((1, 1, 9)), np.ones((1, 1, 3)), **{option: value})
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "change", [{"stride": 2**70}, {"dilation": 2**40}, {"padding": 2**62}, {"padding": 2**70}]
)
def test_sizes_beyond_counting_are_refused(change):
    with pytest.raises(InputError, match="must"):
        conv(np.ones((1, 1, 9)), np.ones((1, 1, 3)), **change)


@pytest.mark.parametrize("kind", [np.int8, np.int64, np.uint16])
def test_numpys_integers_are_integers(kind):
    x, w = np.random.default_rng(9).standard_normal((1, 4, 30)), np.ones((2, 2, 3))
    options = {"stride": 2, "dilation": 3, "padding": 1, "groups": 2}
    expected = conv(x, w, **options)
    got = conv(x, w, max_bytes=np.int64(10**7), **{k: kind(v) for k, v in options.items()})
    np.testing.assert_array_equal(got, expected)
    np.testing.assert_array_equal(conv(x, w, **options | {"stride": np.array([2])}), expected)


@pytest.mark.parametrize("method", METHODS)
def test_complex_sums_that_fit_do_not_overflow_on_the_way(method):
    x, half = np.full((1, 3), 1.2e308 + 1.2e308j), np.full((1, 1, 1), 0.5 + 0j)
    expected = np.full((1, 3), 0.6e308 + 0.6e308j)
    if method == "direct":
        np.testing.assert_allclose(conv(x, half, method=method), expected)
    np.testing.assert_allclose(conv_transpose(x, half), expected)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_the_direct_sum_lays_out_few_windows_at_a_time(dtype):
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(3, 2, 3001, dtype=dtype, generator=generator).requires_grad_()
    w = torch.randn(3, 2, 900, dtype=dtype, generator=generator).requires_grad_()
    bias, options = torch.ones(3, dtype=dtype), {"padding": 20, "stride": 2}
    y = conv(x, w, bias, method="direct", **options)
    expected = torch.nn.functional.conv1d(x, w, bias, **options)
    gradients = torch.autograd.grad(y.square().sum(), (x, w))
    wanted = torch.autograd.grad(expected.square().sum(), (x, w))
    for ours, theirs in zip((y, *gradients), (expected, *wanted), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-3)
    with torch.no_grad():
        wide = torch.randn(2, 1, 20_000, dtype=torch.float64)
        taps = torch.randn(4, 1, 4_000, dtype=torch.float64)
        peak = peak_bytes(lambda: conv(wide, taps, method="direct"))
    assert peak < 3 * 8 * (wide.numel() + 8 * 16_001) + 64e6  # all windows at once would be a gigabyte

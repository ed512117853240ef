"""max_bytes: the same result, and a peak of memory that torch's own profiler measures below it."""

import tracemalloc

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from memory import peak_bytes

from conv1d_kit import conv
from conv1d_kit.core import pieces
from conv1d_kit.errors import InputError

CASES = [
    ("direct", torch.float32, (2, 32, 20_000), (32, 32, 50), {"padding": "same"}),
    ("direct", torch.float32, (2, 32, 20_000), (32, 32, 3), {"padding": "same", "dilation": 32}),
    ("direct", torch.float32, (1, 64, 80_000), (8, 64, 3), {"padding": 16, "dilation": 16}),
    ("direct", torch.float32, (1, 64, 80_000), (8, 64, 3), {"padding": "causal", "dilation": 16}),
    ("direct", torch.float32, (2, 3, 60_000), (4, 3, 15), {"padding": 7}),
    ("direct", torch.float64, (2, 3, 20_000), (4, 3, 101), {"stride": 3}),
    ("direct", torch.float64, (1, 2, 40, 500), (4, 2, 3, 31), {"padding": "same"}),
    ("overlap_add", torch.float32, (2, 3, 100_000), (4, 3, 255), {"padding": "causal"}),
    ("overlap_add", torch.float64, (1, 1, 300_000), (1, 1, 1023), {"padding": "full"}),
    ("overlap_add", torch.float16, (2, 3, 100_000), (4, 3, 255), {"padding": "same"}),
    ("fft", torch.float32, (2, 3, 100_000), (4, 3, 255), {"stride": 2, "dilation": 3, "padding": 5}),
    ("direct", torch.int64, (2, 3, 50_000), (4, 3, 15), {}),
]


@pytest.mark.parametrize(("method", "dtype", "x_shape", "w_shape", "options"), CASES)
@pytest.mark.parametrize("share", [1, 2, 6])
def test_peak_memory_stays_below_and_the_result_is_the_same(method, dtype, x_shape, w_shape, options, share):
    g = torch.Generator().manual_seed(0)
    x, w = (torch.randint(-9, 10, s, generator=g).to(dtype) for s in (x_shape, w_shape))
    max_bytes = 24_000_000 // share
    run = lambda: conv(x, w, method=method, max_bytes=max_bytes, **options)  # noqa: E731
    y = run()
    expected = conv(x.double(), w.double(), method="direct", **options)
    atol = 0 if dtype == torch.int64 else 8 * torch.finfo(dtype).eps * expected.abs().max()
    assert (y.double() - expected).abs().max() <= atol
    output = y.numel() * y.element_size()
    assert peak_bytes(run) - output <= max_bytes


def test_too_little_memory_says_the_least_that_would_do():
    x, w = torch.zeros(1, 1, 3000), torch.zeros(1, 1, 2000)
    with pytest.raises(
        InputError, match=r"max_bytes must be at least \d+ for this convolution, got 1000"
    ) as caught:
        conv(x, w, max_bytes=1000, method="overlap_add")
    least = int(str(caught.value).split("at least ")[1].split()[0])
    assert conv(x, w, max_bytes=least, method="overlap_add").shape == (1, 1, 1001)
    for bad in (0, -5, 1.5, True):
        with pytest.raises(InputError, match="max_bytes must be an int >= 1"):
            conv(x, w, max_bytes=bad)


OPTIONS = {
    "zeros": {"padding": 40},
    "reflect": {"padding": 40, "padding_mode": "reflect"},
    "symmetric, longer than the signal": {"padding": ((70_000, 3),), "padding_mode": "symmetric"},
    "replicate": {"padding": "full", "padding_mode": "replicate"},
    "circular": {"padding": "same", "padding_mode": "circular", "stride": 3},
    "a constant": {"padding": 40, "padding_mode": 2.0},
    "lengths": {"lengths": [50_000, 7, 31_000], "padding": "same"},
    "lengths, circular": {"lengths": [50_000, 7, 31_000], "padding": "full", "padding_mode": "circular"},
    "lengths, a constant": {"lengths": [50_000, 7, 31_000], "padding": 5, "padding_mode": 3.0, "stride": 2},
    "bias": {"bias": True},
    "omit": {"nan": "omit", "padding": 9},
    "omit, reflect, lengths": {
        "nan": "omit",
        "padding": 9,
        "padding_mode": "reflect",
        "lengths": [50_000, 9, 31_000],
    },
    "raise": {"nan": "raise"},
    "componentwise": {"precision": "componentwise"},
    "componentwise, omit": {"precision": "componentwise", "nan": "omit", "padding": "same"},
    "everything": {
        "bias": True,
        "lengths": [50_000, 60, 31_000],
        "nan": "omit",
        "precision": "componentwise",
        "padding": "same",
        "padding_mode": "reflect",
        "stride": 2,
        "dilation": 2,
        "flip": True,
    },
}


def data(x_dtype, w_dtype, options, shape=(3, 2, 50_000), taps=60):
    g = torch.Generator().manual_seed(1)
    x = torch.randint(0, 10, shape, generator=g).to(x_dtype)
    w = torch.randint(1, 10, (3, 2, taps), generator=g).to(w_dtype)
    if options.get("nan") == "omit" and x.dtype.is_floating_point:
        x[:, :, ::501] = torch.nan
    bias = torch.randint(0, 10, (3,), generator=g).to(w_dtype) if options.get("bias") else None
    return x, w, bias, {k: v for k, v in options.items() if k != "bias"}


def check(x, w, bias, options, max_bytes, tolerance):
    expected = conv(x, w, bias, **options)
    run = lambda: conv(x, w, bias, max_bytes=max_bytes, **options)  # noqa: E731
    y = run()
    torch.testing.assert_close(y, expected, rtol=tolerance, atol=tolerance * 1e4, equal_nan=True)
    assert peak_bytes(run) - y.numel() * y.element_size() <= max_bytes


@pytest.mark.parametrize("name", OPTIONS)
@pytest.mark.parametrize("method", ["direct", "overlap_add", "fft"])
@pytest.mark.parametrize("max_bytes", [1_500_000, 9_000_000])
def test_every_option_stays_below(name, method, max_bytes):
    x, w, bias, options = data(torch.float32, torch.float32, OPTIONS[name])
    check(x, w, bias, options | {"method": method}, max_bytes, 1e-4)


@pytest.mark.parametrize("method", ["direct", "overlap_add"])
@pytest.mark.parametrize(
    ("x_dtype", "w_dtype"),
    [
        ("float32", "float64"),
        ("int16", "float32"),
        ("uint16", "uint16"),
        ("bool", "bool"),
        ("uint64", "uint8"),
        ("int8", "int8"),
        ("float16", "float16"),
        ("bfloat16", "bfloat16"),
        ("float64", "complex128"),
        ("complex64", "complex64"),
    ],
)
@pytest.mark.parametrize("options", [{}, {"padding": "same", "padding_mode": "reflect", "bias": True}])
def test_every_dtype_stays_below(x_dtype, w_dtype, method, options):
    x, w, bias, options = data(getattr(torch, x_dtype), getattr(torch, w_dtype), options, (3, 2, 9000), 20)
    check(x, w, bias, options | {"method": method}, 600_000, 1e-2 if "float16" in x_dtype else 1e-4)


@pytest.mark.parametrize("method", ["direct", "overlap_add"])
@pytest.mark.parametrize("dtype", [torch.int16, torch.int32, torch.int64, torch.uint32, torch.uint64])
def test_exact_sums_stay_below(dtype, method):
    x, w, bias, options = data(
        dtype, dtype, {"precision": "exact", "bias": True, "padding": 3}, (2, 2, 6000), 9
    )
    check(x, w, bias, options | {"method": method}, 1_000_000, 0)


def test_sums_made_of_digits_stay_below():
    x = torch.full((1, 1, 20_000), 2**61)
    w = torch.tensor([[[2**61, -(2**61), 1]]])
    check(x, w, None, {"precision": "exact"}, 1_000_000, 0)


@pytest.mark.parametrize("kind", ["byte-swapped", "reversed"])
@pytest.mark.parametrize("options", [{}, {"padding": 9, "padding_mode": "reflect"}, {"nan": "raise"},
                                     {"lengths": [50_000, 7, 31_000], "padding": "same"}])  # fmt: skip
def test_arrays_that_torch_cannot_look_at_are_converted_in_pieces(kind, options):
    x = np.random.default_rng(0).standard_normal((3, 2, 50_000))
    w = np.random.default_rng(1).standard_normal((3, 2, 60))
    expected = conv(x, w, method="direct", **options)
    x = x.astype(">f8") if kind == "byte-swapped" else x[..., ::-1].copy()[..., ::-1]
    run = lambda: conv(x, w, method="overlap_add", max_bytes=1_500_000, **options)  # noqa: E731
    np.testing.assert_allclose(run(), expected, atol=1e-10)
    tracemalloc.start()
    torchs = peak_bytes(run) - expected.nbytes
    numpys = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert torchs + numpys <= 1_500_000 + 300_000  # the profiler's own list of events is NumPy's neighbour


@st.composite
def calls(draw):
    """A random call of conv with every option that a piece has to carry out, over one to three axes."""
    n, groups = draw(st.integers(1, 3)), draw(st.integers(1, 2))
    small = lambda low, high: tuple(draw(st.integers(low, high)) for _ in range(n))  # noqa: E731
    size, kernel, stride, dilation = small(1, 7), small(1, 3), small(1, 4), small(1, 2)
    pads = tuple(
        (draw(st.integers(max(0, (k - 1) * d + 1 - s), 6)), draw(st.integers(0, 6)))
        for k, d, s in zip(kernel, dilation, size, strict=True)
    )
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    dtype = draw(st.sampled_from(["float64", "complex128", "int64", "uint16", ">f8"]))
    batch = draw(st.integers(1, 3))
    options = {
        "stride": stride,
        "dilation": dilation,
        "groups": groups,
        "padding": draw(st.sampled_from([pads, "full", "same", "same_lower"])),
        "padding_mode": draw(st.sampled_from(["zeros", "reflect", "symmetric", "replicate", "circular", 2])),
        "flip": draw(st.booleans()),
        "nan": draw(st.sampled_from(["propagate", "omit", "raise"])),
        "precision": draw(st.sampled_from(["normwise", "componentwise"])),
        "method": draw(st.sampled_from(["direct", "overlap_add", "fft"])),
    }
    if draw(st.booleans()):
        options["lengths"] = [draw(st.integers(1, size[-1])) for _ in range(batch)]
    x = rng.integers(1, 5, (batch, 2 * groups, *size)).astype(dtype)
    if options["nan"] == "omit" and dtype == "float64":
        x[rng.random(x.shape) < 0.1] = np.nan
    w = rng.integers(1, 5, (2 * groups, 2, *kernel)).astype(dtype)
    bias = rng.integers(1, 5, 2 * groups).astype(dtype) if draw(st.booleans()) else None
    return x, w, bias, options


@settings(max_examples=300, deadline=None)
@given(calls())
def test_pieces_as_small_as_can_be_give_the_same(call):
    x, w, bias, options = call
    try:
        expected = conv(x, w, bias, **options)
    except InputError:  # the kernel does not fit
        return
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pieces, "SLACK", 0)
        with pytest.raises(InputError, match="max_bytes must be at least") as caught:
            conv(x, w, bias, max_bytes=1, **options)
        least = int(str(caught.value).split("at least ")[1].split()[0])
        y = conv(x, w, bias, max_bytes=least, **options)
    assert y.dtype == expected.dtype
    np.testing.assert_allclose(y, expected, rtol=1e-9, atol=1e-9)

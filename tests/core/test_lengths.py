"""lengths: each row of a padded batch gives what it gives alone, whatever lies behind it."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from conv1d_kit import conv, output_lengths
from conv1d_kit.core.padding import NAMED_PADDINGS, PADDINGS, resolve_padding
from conv1d_kit.errors import InputError


@settings(max_examples=300, deadline=None)
@given(
    st.lists(st.integers(0, 12), min_size=1, max_size=4),
    st.integers(1, 5),
    st.integers(1, 4),
    st.integers(1, 3),
    st.one_of(
        st.sampled_from(sorted(NAMED_PADDINGS)), st.tuples(st.tuples(st.integers(0, 9), st.integers(0, 9)))
    ),
    st.sampled_from(["zeros", *PADDINGS, 2.5]),
    st.sampled_from(["auto", "direct", "overlap_add", "fft"]),
    st.integers(0, 2**32 - 1),
)
def test_a_row_gives_what_it_gives_alone(lengths, taps, stride, dilation, padding, mode, method, seed):
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((len(lengths), 2, 14))
    for row, length in enumerate(lengths):
        x[row, :, length:] = np.nan
    w, b = rng.standard_normal((3, 2, taps)), rng.standard_normal(3)
    options = {
        "stride": stride,
        "dilation": dilation,
        "padding": padding,
        "padding_mode": mode,
        "method": method,
    }
    pads = resolve_padding(padding, [0], [(taps - 1) * dilation + 1], [stride])
    if mode in PADDINGS and 0 in lengths and sum(pads[0]):
        with pytest.raises(InputError, match="nothing to copy"):
            conv(x, w, b, lengths=lengths, **options)
        return
    y = conv(x, w, b, lengths=lengths, **options)
    own = output_lengths(lengths, taps, stride=stride, dilation=dilation, padding=padding)
    for row, (length, size) in enumerate(zip(lengths, own, strict=True)):
        assert np.all(y[row, :, size:] == 0)
        if size:
            alone = conv(x[row : row + 1, :, :length], w, b, **options)
            np.testing.assert_allclose(y[row : row + 1, :, :size], alone, atol=1e-12)


def test_lengths_count_on_the_last_axis_of_an_image():
    rng = np.random.default_rng(0)
    x, w = rng.standard_normal((2, 1, 6, 9)), rng.standard_normal((1, 1, 3, 3))
    y = conv(x, w, padding="same", padding_mode="reflect", lengths=[9, 5])
    np.testing.assert_allclose(
        y[1:, :, :, :5], conv(x[1:, :, :, :5], w, padding="same", padding_mode="reflect")
    )
    assert np.all(y[1, :, :, 5:] == 0)


def test_gradients_reach_only_what_is_signal():
    g = torch.Generator().manual_seed(0)
    x = torch.randn(2, 1, 7, dtype=torch.float64, generator=g, requires_grad=True)
    w = torch.randn(1, 1, 3, dtype=torch.float64, generator=g, requires_grad=True)

    def run(x, w):
        return conv(x, w, padding=4, padding_mode="symmetric", lengths=[3, 7])

    assert torch.autograd.gradcheck(run, (x, w))
    run(x, w).sum().backward()
    assert x.grad is not None
    assert torch.all(x.grad[0, 0, 3:] == 0)


@pytest.mark.parametrize(
    ("lengths", "message"),
    [
        ([3], r"shape \(B,\) = \(2,\)"),
        ([3.0, 4.0], "must be ints"),
        ([3, 9], "0 to 8, got 3 to 9"),
        ([-1, 2], "0 to 8"),
    ],
)
def test_bad_lengths_are_said(lengths, message):
    with pytest.raises(InputError, match=message):
        conv(np.ones((2, 1, 8)), np.ones((1, 1, 3)), lengths=lengths)


def test_output_lengths_come_back_as_their_kind():
    assert output_lengths(10, 3) == 8
    assert torch.equal(output_lengths(torch.tensor([10, 1]), 3), torch.tensor([8, 0]))
    assert output_lengths(np.array([10, 1]), 3).tolist() == [8, 0]


def test_no_rows_give_no_rows():
    for lengths in ([], np.zeros(0, int), torch.zeros(0, dtype=torch.int64)):
        assert conv(np.zeros((0, 1, 5)), np.ones((2, 1, 3)), lengths=lengths).shape == (0, 2, 3)


@pytest.mark.parametrize(
    "dtype", ["bool", "uint8", "uint16", "uint32", "uint64", "int16", "float16", "complex64"]
)
def test_rows_of_any_dtype_end_where_they_end(dtype):
    x, w = np.ones((2, 1, 9), dtype), np.ones((1, 1, 3), dtype)
    y = conv(x, w, lengths=[9, 5])
    assert y.dtype == dtype
    expected = (np.arange(7) < np.array([[7], [3]])) * (1 if dtype == "bool" else 3)
    np.testing.assert_array_equal(y[:, 0], expected.astype(dtype))


@pytest.mark.parametrize(
    "lengths",
    [[None, None], "34", {}, [[1], [2, 3]], [[1, 2]], [1j, 2], [1.5, 2], 3, True, [True, 2], [2**70, 1], b"3",
     np.ones((2, 1), int), np.array(3), torch.tensor([1.0, 2.0]), np.array([True, False])],
    ids=str,
)  # fmt: skip
def test_lengths_of_another_kind_are_refused_in_one_line(lengths):
    with pytest.raises(InputError, match="lengths must be") as caught:
        conv(np.ones((2, 1, 8)), np.ones((1, 1, 3)), lengths=lengths)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "lengths", [[None], "3", {}, [[1, 2], [3, 4]], [1.5], 1.5, True, -1, [2**70], np.ones((2, 2), int)]
)
def test_output_lengths_of_another_kind_are_refused(lengths):
    with pytest.raises(InputError, match="lengths must be an int >= 0 or ints"):
        output_lengths(lengths, 3)


@pytest.mark.parametrize("size", [0, -1, 1.5, "3", None, True])
def test_a_kernel_size_of_another_kind_is_refused(size):
    with pytest.raises(InputError, match="kernel_size must be an int >= 1"):
        output_lengths([5], size)


@pytest.mark.parametrize(
    "dtype", ["uint8", "uint16", "uint32", "uint64", "bool", "int8", "float16", "complex64"]
)
@pytest.mark.parametrize("mode", ["zeros", "circular", 1])
def test_every_dtype_takes_lengths(dtype, mode):
    x = np.random.default_rng(3).integers(0, 5, (3, 2, 9)).astype(dtype)
    w = np.ones((1, 2, 3), dtype)
    for lengths in ([9, 4, 6], torch.tensor([9, 4, 6]), np.array([9, 4, 6], ">i2"), (np.int8(9), 4, 6)):
        y = conv(x, w, padding="same", padding_mode=mode, lengths=lengths)
        assert y.dtype == x.dtype
        for row, n in enumerate((9, 4, 6)):
            alone = conv(x[row : row + 1, :, :n], w, padding="same", padding_mode=mode)
            np.testing.assert_array_equal(y[row : row + 1, :, :n], alone)
            assert not y[row, :, n:].any()

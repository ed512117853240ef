"""core/toeplitz.py: the matrix equals the convolution for every option, and refuses what cannot be one."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.linalg
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from conv1d_kit import conv
from conv1d_kit.core.toeplitz import parameter_counts, toeplitz_matrix
from conv1d_kit.errors import InputError, InputTypeError


def test_one_channel_is_scipy_toeplitz():
    w = np.array([2.0, 3.0, 5.0])
    expected = scipy.linalg.toeplitz(np.r_[2.0, np.zeros(4)], np.r_[w, np.zeros(4)])
    assert np.array_equal(toeplitz_matrix(w[None, None], 7), expected)


@settings(deadline=None, max_examples=60, derandomize=True)
@given(
    st.integers(1, 2), st.integers(1, 3), st.integers(1, 3), st.integers(1, 3), st.integers(1, 2),
    st.sampled_from(["zeros", "reflect", "symmetric", "replicate", "circular"]),
    st.sampled_from([0, 2, ((1, 3),), "valid", "same", "same_lower", "full", "causal", "anticausal"]),
    st.integers(0, 2**32 - 1),
)  # fmt: skip
def test_matrix_times_input_is_the_convolution(rank, kernel, stride, dilation, groups, mode, padding, seed):
    rng = np.random.default_rng(seed)
    if padding == ((1, 3),):
        padding = padding * rank
    size = tuple(int(n) for n in rng.integers(7, 10, rank))
    x = rng.integers(-9, 10, (1, 2 * groups, *size))
    w = rng.integers(-9, 10, (3 * groups, 2, *(kernel,) * rank))
    options = {
        "stride": stride,
        "padding": padding,
        "padding_mode": mode,
        "dilation": dilation,
        "groups": groups,
    }
    y = conv(x, w, **options)
    assert np.array_equal(toeplitz_matrix(w, size, **options) @ x.ravel(), y.ravel())


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.complex128, np.int32])
def test_kind_and_dtype_stay(dtype):
    w = np.ones((1, 1, 2), dtype)
    assert toeplitz_matrix(w, 3).dtype == dtype
    assert isinstance(toeplitz_matrix(torch.from_numpy(w), 3), torch.Tensor)


def test_gradients_reach_the_kernel():
    w = torch.ones(1, 1, 2, requires_grad=True)
    toeplitz_matrix(w, 5).sum().backward()
    assert w.grad.tolist() == [[[4.0, 4.0]]]  # each tap is used by four outputs


@pytest.mark.parametrize("shape", [(3,), (1, 3), (1, 1, 0), (1, 1, 1, 1, 1, 1)])
def test_a_kernel_of_another_shape_is_refused(shape):
    with pytest.raises(InputError, match="w must be"):
        toeplitz_matrix(np.ones(shape), 5)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"stride": 0}, "stride must be an int >= 1"),
        ({"dilation": (1, 1)}, "dilation must be an int >= 1"),
        ({"groups": 2}, "groups must divide C_out = 1"),
        ({"groups": 1.0}, "groups must be an int >= 1, got 1.0"),
        ({"groups": True}, "groups must be an int >= 1, got True"),
        ({"padding_mode": None}, "padding_mode must be"),
        ({"padding_mode": 3.0}, "padding_mode must be linear"),
        ({"padding_mode": "mirror"}, "padding_mode must be"),
        ({"padding": "half"}, "padding must be"),
    ],
)
def test_options_that_fit_nothing_are_refused(options, words):
    with pytest.raises(InputError, match=words):
        toeplitz_matrix(np.ones((1, 1, 3)), 5, **options)


def test_a_kernel_longer_than_the_signal_is_refused_with_the_cure():
    with pytest.raises(InputError, match="spans 9 cells but the padded axis has 5; pad more"):
        toeplitz_matrix(np.ones((1, 1, 9)), 5)
    with pytest.raises(InputTypeError):
        toeplitz_matrix([[[1.0]]], 5)


def test_parameter_counts_refuse_a_reach_beyond_every_cell():
    assert parameter_counts(16, 15)["convolution"] == parameter_counts(16, 15)["shared"] == 31
    with pytest.raises(InputError, match="delta must be an int from 0 to 15"):
        parameter_counts(16, 16)
    with pytest.raises(InputError, match="delta"):
        parameter_counts((16, 4), -1)

"""Padding modes against numpy.pad, the loop and torch."""

from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from reference import pad_loop

from conv1d_kit import conv
from conv1d_kit.core.padding import PADDINGS, pad
from conv1d_kit.errors import InputError

NUMPYS = {"reflect": "reflect", "symmetric": "symmetric", "replicate": "edge", "circular": "wrap"}


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(sorted(PADDINGS)), st.integers(1, 6), st.integers(0, 20), st.integers(0, 20))
def test_every_mode_equals_numpy_pad_for_any_length(mode, size, low, high):
    x = np.arange(1.0, size + 1)
    got = pad(torch.from_numpy(x), ((low, high),), mode).numpy()
    np.testing.assert_array_equal(got, np.pad(x, (low, high), mode=NUMPYS[mode]))


@pytest.mark.parametrize("mode", ["zeros", *PADDINGS])
def test_several_axes_equal_the_loop(mode):
    x = np.arange(24.0).reshape(2, 3, 4)
    pads = ((4, 1), (0, 9))
    np.testing.assert_array_equal(pad(torch.from_numpy(x), pads, mode).numpy(), pad_loop(x, pads, mode))


def test_nothing_to_copy_is_said():
    with pytest.raises(InputError, match="nothing to copy from an axis of length 0"):
        pad(torch.zeros(1, 0), ((1, 1),), "reflect")


@pytest.mark.parametrize(
    ("value", "dtype"),
    [(1.5, "int32"), (-1, "uint8"), (300, "uint8"), (-1, "uint64"), (2**64, "uint64"), (float("nan"), "int32"),
     (float("inf"), "int64"), (2**70, "int32"), (1e300, "float32"), (7e4, "float16"), (10**400, "float64"),
     (Fraction(1, 2), "float32"), (Decimal(1), "float32"), (1j, "float64"), (1e300j, "complex64"), (2, "bool"),
     (True, "float32"), (np.ones(1), "float32"), (np.ones((9, 9)), "float32"), (torch.tensor(1.0), "float32"),
     (None, "float32"), ([1.0], "float32")],
    ids=lambda v: str(v).split()[0][:20],
)  # fmt: skip
def test_a_fill_that_the_signal_cannot_hold_is_refused(value, dtype):
    x = torch.zeros(1, 1, 5, dtype=getattr(torch, dtype))
    for lengths in (None, [3]):
        with pytest.raises(InputError, match="padding_mode must be") as caught:
            conv(x, torch.ones_like(x[..., :1]), padding=1, padding_mode=value, lengths=lengths)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("value", "dtype"),
    [(2.0, "int32"), (255, "uint8"), (2**64 - 1, "uint64"), (2**53 + 1, "int64"), (-(2**63), "int64"),
     (float("inf"), "float16"), (0.1, "float32"), (2**70, "float64"), (1 + 2j, "complex64"), (1, "bool"),
     (3 + 0j, "float32"), (np.float32(1.5), "float64"), (np.int8(-3), "int16"),
     (np.longdouble(1.5), "float64")],
)  # fmt: skip
@pytest.mark.parametrize("options", [{}, {"lengths": [5]}, {"max_bytes": 10**6}])
def test_a_fill_that_it_can_hold_stands_there(value, dtype, options):
    x, one = np.zeros((1, 1, 5), dtype), np.ones((1, 1, 1), dtype)
    y = conv(x, one, padding=((1, 2),), padding_mode=value, **options)
    expected = np.pad(
        x,
        ((0, 0), (0, 0), (1, 2)),
        constant_values=np.array(value if dtype == "complex64" else np.real(value), dtype),
    )
    assert y.dtype == x.dtype
    np.testing.assert_array_equal(y, expected)


def test_an_integer_signal_beside_a_float_kernel_takes_a_float_fill():
    y = conv(np.zeros((1, 3), int), np.ones((1, 1, 1)), padding=1, padding_mode=1.5)
    assert y.tolist() == [[1.5, 0, 0, 0, 1.5]]

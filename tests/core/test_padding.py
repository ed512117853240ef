"""Padding modes against numpy.pad, the loop and torch."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from reference import pad_loop

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

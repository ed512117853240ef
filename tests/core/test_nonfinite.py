"""nan="omit" against its written-out formula, nan="raise" by its index."""

import numpy as np
import pytest
import torch

from conv1d_kit import conv
from conv1d_kit.errors import InputError


def omit_loop(x, w):
    """sum(w·x)·sum(w)/sum(w) over what is not NaN, window by window; one channel, padding 'same'."""
    k = len(w)
    padded = np.concatenate([np.zeros((k - 1) // 2), x, np.zeros(k // 2)])
    y = np.empty(len(x))
    for i in range(len(x)):
        window = padded[i : i + k]
        good = ~np.isnan(window)
        y[i] = (w[good] * window[good]).sum() * w.sum() / w[good].sum() if good.any() else np.nan
    return y


@pytest.mark.parametrize("method", ["direct", "overlap_add", "fft"])
def test_omit_rescales_what_is_left(method):
    rng = np.random.default_rng(0)
    x, w = rng.standard_normal(400), rng.random(9)
    x[rng.random(400) < 0.2] = np.nan
    x[100:120] = np.nan
    got = conv(x[None], w[None, None], padding="same", nan="omit", method=method)[0]
    np.testing.assert_allclose(got, omit_loop(x, w), atol=1e-12)
    assert np.isnan(got[105:115]).all()


def test_omit_leaves_a_constant_signal_constant():
    x = np.full((1, 50), 3.0)
    x[0, ::7] = np.nan
    got = conv(x, np.ones((1, 1, 5)), nan="omit")
    np.testing.assert_allclose(got, 15.0)


def test_omit_without_nan_is_the_plain_sum_for_any_kernel():
    x = np.arange(9.0)[None]
    w = np.array([[[1.0, 0.0, -1.0]]])
    np.testing.assert_array_equal(conv(x, w, nan="omit"), conv(x, w))
    x[0, 3] = np.nan
    with pytest.raises(InputError, match="must not sum to 0"):
        conv(x, w, nan="omit")


def test_raise_names_the_first_index():
    x = torch.zeros(2, 1, 9)
    x[1, 0, 4] = x[1, 0, 7] = torch.nan
    with pytest.raises(InputError, match=r"x must hold no NaN, got 2, the first at \(1, 0, 4\)"):
        conv(x, torch.ones(1, 1, 3), nan="raise")
    with pytest.raises(InputError, match=r"w must hold no NaN, got 1, the first at \(0, 0, 1\)"):
        conv(torch.zeros(1, 9), torch.tensor([[[1.0, torch.nan]]]), nan="raise")
    with pytest.raises(InputError, match="nan must be propagate, omit, raise, got 'drop'"):
        conv(torch.zeros(1, 9), torch.ones(1, 1, 3), nan="drop")

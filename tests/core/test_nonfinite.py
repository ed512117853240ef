"""nan="omit" against its written-out formula, nan="raise" by its index."""

import numpy as np
import pytest
import torch

from conv1d_kit import conv
from conv1d_kit.errors import InputError


def omit_channels(x, w, groups, pads, mode):
    """The same sum over channels, groups and taps in float64, term by term, x padded by numpy.pad."""
    x = np.pad(x, ((0, 0), (0, 0), pads), **mode)
    batch, size, n_out, n_in = len(x), x.shape[-1] - w.shape[-1] + 1, w.shape[0] // groups, w.shape[1]
    y = np.full((batch, w.shape[0], size), np.nan, np.result_type(x, w))
    for b, o, i in np.ndindex(y.shape):
        first = o // n_out * n_in
        window = x[b, first : first + n_in, i : i + w.shape[-1]]
        good = ~np.isnan(window)
        if good.any():
            y[b, o, i] = (w[o][good] * window[good]).sum() * w[o].sum() / w[o][good].sum()
    return y


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


MODES = {
    "zeros": {"mode": "constant"},
    "reflect": {"mode": "reflect"},
    "circular": {"mode": "wrap"},
    2.5: {"mode": "constant", "constant_values": 2.5},
}


@pytest.mark.parametrize("method", ["direct", "overlap_add", "fft"])
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "complex64", "complex128"])
def test_omit_in_every_dtype_with_groups_modes_and_lengths(dtype, mode, method):
    rng = np.random.default_rng(1)
    x, w = rng.standard_normal((2, 4, 40)), rng.uniform(0.2, 1, (6, 2, 5))
    if dtype.startswith("complex"):
        x, w = x + 1j * rng.standard_normal(x.shape), w + 1j * rng.uniform(0.2, 1, w.shape)
    x, w = x.astype(dtype), w.astype(dtype)
    x[rng.random(x.shape) < 0.2] = np.nan
    x[0, :, 20:30] = np.nan
    wide = np.complex128 if dtype.startswith("complex") else np.float64
    lengths = [40, 33]
    y = conv(x, w, groups=2, padding=3, padding_mode=mode, nan="omit", method=method, lengths=lengths)
    assert y.dtype == x.dtype
    rtol = 4 * np.finfo(dtype).eps * 40
    for row, n in enumerate(lengths):
        own = x[row : row + 1, :, :n].astype(wide)
        expected = omit_channels(own, w.astype(wide), 2, (3, 3), MODES[mode])
        np.testing.assert_allclose(y[row, :, : n + 2], expected[0], rtol=rtol, atol=rtol)
        assert np.isnan(expected).any() == (row == 0)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_omit_in_half_precision_fills_a_constant(dtype):
    x = torch.full((1, 1, 200), 3.0, dtype=dtype)
    x[..., ::7] = torch.nan
    y = conv(x, torch.full((1, 1, 9), 0.125, dtype=dtype), nan="omit")
    assert y.dtype == dtype
    torch.testing.assert_close(y, torch.full_like(y, 3.375))


def test_omit_keeps_what_the_kernels_tail_still_sees():
    w = np.exp(-0.5 * (np.arange(-6, 7) / 1.2) ** 2).astype("f4")
    x = np.full(40, np.nan, "f4")
    x[:10] = 5.0
    y = conv(x[None], w[None, None], padding="same", nan="omit")[0]
    np.testing.assert_allclose(y[:16], omit_loop(x.astype(float), w.astype(float))[:16], rtol=1e-4)
    assert np.isnan(y[16:34]).all()  # nothing is left there; further on the border's zeros are


def test_gradients_pass_through_omit():
    x = torch.randn(1, 2, 12, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    x[0, 0, 4] = torch.nan
    w = torch.rand(2, 2, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(1), requires_grad=True)
    assert torch.autograd.gradcheck(lambda w: conv(x, w, nan="omit", padding=1, padding_mode="reflect"), (w,))


def test_raise_counts_what_lies_within_lengths_and_looks_at_the_bias():
    x = np.zeros((2, 1, 9))
    x[0, 0, 5:] = np.nan
    ones = np.ones((1, 1, 3))
    assert np.isfinite(conv(x, ones, nan="raise", lengths=[5, 9])).all()
    with pytest.raises(InputError, match=r"x must hold no NaN, got 1, the first at \(0, 0, 5\)"):
        conv(x, ones, nan="raise", lengths=[6, 9])
    with pytest.raises(InputError, match=r"x must hold no NaN, got 4, the first at \(0, 5\)"):
        conv(x[0], ones, nan="raise")
    with pytest.raises(InputError, match=r"bias must hold no NaN, got 1, the first at \(0,\)"):
        conv(np.zeros((1, 9)), ones, np.array([np.nan]), nan="raise")
    z = np.zeros((2, 1, 9), ">c16")
    z[1, 0, 3] = complex(0, np.nan)
    with pytest.raises(InputError, match=r"x must hold no NaN, got 1, the first at \(1, 0, 3\)"):
        conv(z, ones, nan="raise", max_bytes=10**6)

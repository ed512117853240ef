"""Blocks are transformed as scipy's public functions do, by whichever way."""

import numpy as np
import pytest
import scipy.fft

from conv1d_kit.core import block_fft
from conv1d_kit.core.block_fft import block_transforms


@pytest.mark.parametrize("way", ["direct", "another scipy", "other arguments"])
@pytest.mark.parametrize("n", [2, 14, 64, 882, 4_096])
@pytest.mark.parametrize("dtype", ["float32", "float64", "complex64", "complex128"])
def test_agrees_with_scipy(way, n, dtype, monkeypatch):
    if way == "another scipy":
        monkeypatch.setattr(block_fft, "pypocketfft", None)
    if way == "other arguments":
        monkeypatch.setattr(block_fft, "pypocketfft", object())
    rng, is_complex = np.random.default_rng(n), dtype[0] == "c"
    x = (rng.standard_normal((2, 3, n)) + (1j * rng.standard_normal((2, 3, n)) if is_complex else 0)).astype(
        dtype
    )
    forward, inverse = block_transforms(n, is_complex)
    spectrum = forward(x)
    wanted = scipy.fft.fft(x) if is_complex else scipy.fft.rfft(x)
    assert spectrum.dtype == wanted.dtype
    np.testing.assert_array_equal(spectrum, wanted)
    back = inverse(spectrum)
    assert back.dtype == dtype
    np.testing.assert_allclose(back, x, atol=1e-5 if dtype in ("float32", "complex64") else 1e-13)


def test_views_are_transformed_as_they_stand():
    line = np.random.default_rng(0).standard_normal((3, 40))
    forward, _ = block_transforms(16, False)
    np.testing.assert_array_equal(forward(line[:, 5:21]), scipy.fft.rfft(line[:, 5:21]))
    np.testing.assert_array_equal(forward(line[:, 5:37:2]), scipy.fft.rfft(line[:, 5:37:2]))

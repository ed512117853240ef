"""The way from W[i, j, k, l] over V[i, j, a, b] and V[a, b] to the convolution: same output, fewer weights."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from conv1d_kit import conv
from conv1d_kit.core.toeplitz import parameter_counts, toeplitz_matrix

H, W, DELTA = 5, 6, 1


@pytest.fixture
def image_and_kernel():
    rng = np.random.default_rng(0)
    return rng.integers(-9, 10, (H, W)), rng.integers(-9, 10, (2 * DELTA + 1, 2 * DELTA + 1))


def test_reindexing_a_dense_layer_loses_nothing():
    """H[i,j] = Σ_k Σ_l W[i,j,k,l] X[k,l] = Σ_a Σ_b V[i,j,a,b] X[i+a,j+b] with V[i,j,a,b] = W[i,j,i+a,j+b]."""
    rng = np.random.default_rng(1)
    x, w = rng.integers(-9, 10, (H, W)), rng.integers(-9, 10, (H, W, H, W))
    hidden = np.zeros((H, W), int)
    for i, j in np.ndindex(H, W):
        for a in range(-i, H - i):
            for b in range(-j, W - j):
                hidden[i, j] += w[i, j, i + a, j + b] * x[i + a, j + b]
    assert np.array_equal(hidden, np.einsum("ijkl,kl->ij", w, x))


def test_the_four_index_weight_of_a_convolution_holds_v_on_its_diagonals(image_and_kernel):
    _, v = image_and_kernel
    four = toeplitz_matrix(v[None, None], (H, W), padding=DELTA).reshape(H, W, H, W)
    for i, j, k, m in np.ndindex(H, W, H, W):
        a, b = k - i, m - j
        expected = v[a + DELTA, b + DELTA] if max(abs(a), abs(b)) <= DELTA else 0
        assert four[i, j, k, m] == expected


def test_a_dense_layer_with_that_weight_gives_the_convolution_output(image_and_kernel):
    x, v = image_and_kernel
    four = toeplitz_matrix(v[None, None], (H, W), padding=DELTA).reshape(H, W, H, W)
    dense = np.einsum("ijkl,kl->ij", four, x)
    assert np.array_equal(dense, conv(x[None, None], v[None, None], padding=DELTA)[0, 0])


def test_torch_linear_with_the_toeplitz_matrix_is_the_convolution_with_channels():
    torch.manual_seed(0)
    w, x = torch.randn(4, 2, 3, 3, dtype=torch.float64), torch.randn(8, 2, H, W, dtype=torch.float64)
    linear = torch.nn.Linear(2 * H * W, 4 * H * W, bias=False, dtype=torch.float64)
    linear.weight.data = toeplitz_matrix(w, (H, W), padding=1)
    dense = linear(x.flatten(1)).reshape(8, 4, H, W)
    torch.testing.assert_close(dense, conv(x, w, padding=1), rtol=1e-12, atol=1e-12)


def test_a_shifted_image_only_shifts_the_output_exactly_when_v_does_not_depend_on_the_place():
    rng = np.random.default_rng(2)
    x = rng.integers(-9, 10, 12)
    tied = toeplitz_matrix(rng.integers(1, 9, (1, 1, 3)), 12, padding=1, padding_mode="circular")
    untied = tied * rng.integers(1, 9, tied.shape)  # the same zeros, another weight at each place
    assert np.array_equal(tied @ np.roll(x, 1), np.roll(tied @ x, 1))
    assert not np.array_equal(untied @ np.roll(x, 1), np.roll(untied @ x, 1))


def test_parameter_counts_of_the_megapixel_image():
    counts = parameter_counts((1000, 1000), 10)
    assert counts["dense"] == 10**12
    assert counts["shared"] == 1999**2  # "4 × 10⁶" in the book
    assert counts["local"] == 10**6 * 21**2
    assert counts["convolution"] == (2 * 10 + 1) ** 2


def test_parameter_counts_are_the_weights_the_layers_really_have():
    counts = parameter_counts((4, 5), 1, channels_in=2, channels_out=3)
    assert counts["dense"] == torch.nn.Linear(2 * 20, 3 * 20, bias=False).weight.numel()
    assert counts["convolution"] == torch.nn.Conv2d(2, 3, 3, bias=False).weight.numel()
    distinct = {(a, b) for a in range(-3, 4) for b in range(-4, 5)}  # offsets between two cells of 4 × 5
    assert counts["shared"] == 2 * 3 * len(distinct)
    assert counts["local"] == counts["convolution"] * 20

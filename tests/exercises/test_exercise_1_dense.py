"""Exercise 1: with Δ = 0 a convolution is a dense layer on the channels, applied to each position by itself."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch

from conv1d_kit import conv

SHAPES = {1: (9,), 2: (4, 5), 3: (2, 3, 4)}


@pytest.mark.parametrize("groups", [1, 2, 3, 6])
@pytest.mark.parametrize("rank", [1, 2, 3])
def test_one_tap_convolution_is_a_matrix_product_at_every_position(rank, groups):
    rng = np.random.default_rng(rank * 10 + groups)
    c_in, c_out, size = 6, 12, SHAPES[rank]
    x = rng.integers(-9, 10, (2, c_in, *size))
    w = rng.integers(-9, 10, (c_out, c_in // groups, *(1,) * rank))
    bias = rng.integers(-9, 10, c_out)
    y = conv(x, w, bias, groups=groups)
    assert y.shape == (2, c_out, *size)
    matrices = w.reshape(groups, c_out // groups, c_in // groups)
    for b, cell in itertools.product(range(2), np.ndindex(size)):
        column = x[(b, slice(None), *cell)].reshape(groups, c_in // groups)  # the channels at this position
        dense = np.concatenate([m @ v for m, v in zip(matrices, column, strict=True)]) + bias
        assert np.array_equal(y[(b, slice(None), *cell)], dense), (b, cell)


@pytest.mark.parametrize("rank", [1, 2, 3])
def test_it_is_torch_linear_with_the_same_weights(rank):
    torch.manual_seed(rank)
    linear = torch.nn.Linear(5, 7, dtype=torch.float64)
    x = torch.randn(3, 5, *SHAPES[rank], dtype=torch.float64)
    y = conv(x, linear.weight.reshape(7, 5, *(1,) * rank), linear.bias)
    torch.testing.assert_close(y, linear(x.movedim(1, -1)).movedim(-1, 1), rtol=1e-13, atol=1e-13)


def test_only_delta_zero_keeps_positions_apart():
    x = np.random.default_rng(0).standard_normal((1, 2, 11))
    changed = x.copy()
    changed[..., 5] += 1.0
    for delta in (0, 1, 2):
        w = np.random.default_rng(1).standard_normal((3, 2, 2 * delta + 1))
        moved = np.any(conv(x, w, padding=delta) != conv(changed, w, padding=delta), axis=(0, 1))
        assert np.flatnonzero(moved).tolist() == list(range(5 - delta, 6 + delta))

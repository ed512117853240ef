"""Exercise 3: at the border the layer must see what is not there; each padding mode invents something else."""

from __future__ import annotations

import numpy as np
import pytest

from conv1d_kit import conv
from conv1d_kit.core.padding import PADDINGS
from conv1d_kit.core.toeplitz import toeplitz_matrix

# mode → its name in numpy.pad, what stands left and right of 1 2 3 4 5, what a mean of three makes of the
# first output (its weights on inputs 0, 1 and the last, in thirds), whether shifting the input only shifts it
BORDERS = {
    "zeros": ("constant", [0, 0], [0, 0], (1, 1, 0), False),
    "reflect": ("reflect", [3, 2], [4, 3], (1, 2, 0), False),
    "symmetric": ("symmetric", [2, 1], [5, 4], (2, 1, 0), False),
    "replicate": ("edge", [1, 1], [5, 5], (2, 1, 0), False),
    "circular": ("wrap", [4, 5], [1, 2], (1, 1, 1), True),
}
SIGNAL = np.array([[1, 2, 3, 4, 5]])


def test_the_table_names_every_mode():
    assert set(BORDERS) == {"zeros", *PADDINGS}


@pytest.mark.parametrize("mode", BORDERS)
def test_what_is_invented_beyond_the_border(mode):
    oracle, left, right, _, _ = BORDERS[mode]
    seen = conv(SIGNAL, np.array([[[1]]]), padding=2, padding_mode=mode)[0]  # one tap shows the padded signal
    assert seen.tolist() == [*left, 1, 2, 3, 4, 5, *right]
    assert seen.tolist() == np.pad(SIGNAL[0], 2, mode=oracle).tolist()


@pytest.mark.parametrize("mode", BORDERS)
def test_what_the_first_and_the_last_output_see(mode):
    first = BORDERS[mode][3]
    matrix = toeplitz_matrix(np.ones((1, 1, 3), int), 5, padding=1, padding_mode=mode)
    assert tuple(matrix[0, [0, 1, 4]]) == first
    assert np.array_equal(matrix[-1], matrix[0, ::-1])  # the last sees the mirror image of it
    impulses = conv(np.eye(5, dtype=int)[:, None], np.ones((1, 1, 3), int), padding=1, padding_mode=mode)[:, 0]
    assert np.array_equal(matrix, impulses.T)  # column p is the answer to an impulse at p


@pytest.mark.parametrize("mode", BORDERS)
def test_only_circular_padding_keeps_equivariance_to_shifts(mode):
    rng = np.random.default_rng(0)
    x, w = rng.integers(-99, 100, (1, 3, 16)), rng.integers(-99, 100, (2, 3, 5))
    y = conv(x, w, padding=2, padding_mode=mode)
    for shift in range(1, 16):
        of_shifted = conv(np.roll(x, shift, -1), w, padding=2, padding_mode=mode)
        assert np.array_equal(of_shifted, np.roll(y, shift, -1)) is BORDERS[mode][4]


@pytest.mark.parametrize("mode", BORDERS)
def test_away_from_the_border_every_mode_agrees(mode):
    rng = np.random.default_rng(1)
    x, w = rng.integers(-99, 100, (1, 3, 16)), rng.integers(-99, 100, (2, 3, 5))
    y = conv(x, w, padding=2, padding_mode=mode)
    assert np.array_equal(y[..., 2:-2], conv(x, w))


def test_zeros_darken_the_border_of_a_constant_and_no_other_mode_does():
    x, mean = np.ones((1, 1, 6, 6)), np.full((1, 1, 3, 3), 1 / 9)
    for mode in BORDERS:
        y = conv(x, mean, padding=1, padding_mode=mode)[0, 0]
        border = (6 / 9, 4 / 9) if mode == "zeros" else (1, 1)
        assert (y[0, 3], y[0, 0]) == pytest.approx(border)
        assert y[3, 3] == pytest.approx(1)


def test_without_padding_each_layer_loses_k_minus_1_and_the_border_is_seen_less_often():
    x = np.random.default_rng(2).standard_normal((1, 1, 20))
    for layer in range(1, 5):
        x = conv(x, np.ones((1, 1, 5)))
        assert x.shape[-1] == 20 - 4 * layer
    uses = toeplitz_matrix(np.ones((1, 1, 3, 3), int), (6, 6)).sum(0).reshape(6, 6)
    assert uses[0, 0] == 1
    assert uses[0, 3] == 3
    assert uses[3, 3] == 9


def test_what_the_border_invents_moves_inward_with_every_layer():
    """Three layers of five taps: the two outermost, then four, then six outputs depend on the mode."""
    rng = np.random.default_rng(3)
    zeros = circular = rng.integers(-9, 10, (1, 1, 20))
    for layer in range(1, 4):
        w = rng.integers(1, 9, (1, 1, 5))
        zeros = conv(zeros, w, padding=2)
        circular = conv(circular, w, padding=2, padding_mode="circular")
        same = np.flatnonzero((zeros == circular)[0, 0])
        assert same.tolist() == list(range(2 * layer, 20 - 2 * layer))

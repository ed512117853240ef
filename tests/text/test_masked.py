"""Maxima over texts of several lengths, against a loop over each text alone."""

import pytest
import torch

from conv1d_kit.core.pooling import masked
from conv1d_kit.text.masked import halved, window_max


def batch(*lengths, beyond=float("nan"), channels=3):
    generator = torch.Generator().manual_seed(sum(lengths))
    x = torch.randn(len(lengths), channels, max(lengths), generator=generator) * 2 + 1
    for row, n in enumerate(lengths):
        x[row, :, n:] = beyond
    return x, torch.tensor(lengths)


@pytest.mark.parametrize(("size", "stride"), [(3, 2), (3, 3), (2, 2), (5, 1)])
@pytest.mark.parametrize("length", range(9))
def test_window_maxima_are_a_loop_over_the_text_alone(size, stride, length):
    x, n = batch(length, 9)
    y, m = window_max(x, n, size=size, stride=stride)
    assert m.tolist() == [-(-length // stride), -(-9 // stride)]
    for row in range(2):
        for j in range(y.shape[-1]):
            first = j * stride - (size - 1) // 2
            window = range(max(0, first), min(int(n[row]), first + size))
            expected = x[row][:, list(window)].amax(1) if j < m[row] else torch.zeros(3)
            torch.testing.assert_close(y[row, :, j], expected)


def test_masked_and_halved_without_lengths():
    x = torch.ones(1, 2, 3)
    assert masked(x, None) is x
    assert halved(None) is None

"""Masked pooling against row-by-row pooling of what is valid."""

import pytest
import torch

from conv1d_kit.core.pooling import POOLINGS, pool
from conv1d_kit.errors import InputError


@pytest.mark.parametrize("kind", POOLINGS)
@pytest.mark.parametrize("beyond", [0.0, 1e30, float("nan"), float("inf")])
def test_a_row_gives_in_a_batch_what_it_gives_alone(kind, beyond):
    x = torch.randn(4, 3, 9, generator=torch.Generator().manual_seed(0))
    lengths = torch.tensor([9, 4, 1, 7])
    for row, length in enumerate(lengths):
        x[row, :, length:] = beyond
    got = pool(x, lengths, kind=kind)
    for row, length in enumerate(lengths):
        torch.testing.assert_close(got[row : row + 1], pool(x[row : row + 1, :, :length], kind=kind))


@pytest.mark.parametrize("kind", POOLINGS)
def test_nothing_valid_gives_zeros(kind):
    assert pool(torch.ones(2, 3, 5), torch.tensor([0, 5]), kind=kind)[0].abs().sum() == 0
    assert pool(torch.ones(2, 3, 0), torch.tensor([0, 0]), kind=kind).abs().sum() == 0
    assert pool(torch.ones(2, 3, 0), kind=kind).abs().sum() == 0


@pytest.mark.parametrize("kind", POOLINGS)
def test_gradients_stay_inside_the_valid_part(kind):
    x = torch.randn(
        2, 3, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(1), requires_grad=True
    )
    lengths = torch.tensor([2, 6])
    assert torch.autograd.gradcheck(lambda v: pool(v, lengths, kind=kind), (x,))
    pool(x, lengths, kind=kind).sum().backward()
    assert x.grad is not None
    assert x.grad[0, :, 2:].abs().sum() == 0


def test_what_does_not_fit_is_said():
    with pytest.raises(InputError, match="kind must be one of max, mean, mean_max, got 'sum'"):
        pool(torch.zeros(1, 1, 1), kind="sum")
    with pytest.raises(InputError, match=r"x must be \(B, C, L\)"):
        pool(torch.zeros(3))
    with pytest.raises(InputError, match=r"lengths must be \(B,\) = \(1,\)"):
        pool(torch.zeros(1, 1, 1), torch.tensor([1, 2]))

"""Masked pooling against row-by-row pooling of what is valid."""

import pytest
import torch

from conv1d_kit.core.pooling import POOLINGS, attention_pool, k_max_pool, log_sum_exp_pool, pool
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


def parts(seed, *lengths, beyond=float("nan")):
    """Rows of those lengths in one array, with something else behind them."""
    x = torch.randn(len(lengths), 3, max(lengths), generator=torch.Generator().manual_seed(seed)).double()
    for row, length in enumerate(lengths):
        x[row, :, length:] = beyond
    return x, torch.tensor(lengths)


def k_largest(row, k):
    """A loop: the k largest in the order of their places, the earlier of equals, then zeros."""
    places = sorted(range(len(row)), key=lambda i: (-row[i].item(), i))[:k]
    return [row[i].item() for i in sorted(places)] + [0.0] * (k - len(places))


@pytest.mark.parametrize("k", [1, 2, 3, 8])
@pytest.mark.parametrize("beyond", [0.0, 1e30, float("nan"), float("inf")])
def test_k_max_is_a_loop_over_what_is_valid(k, beyond):
    x, lengths = parts(0, 9, 4, 1, 0, 7, beyond=beyond)
    x[0, 0, :] = torch.tensor([1.0, 2, 2, 1, 2, 2, 0, 1, 2])  # equals
    got = k_max_pool(x, lengths, k=k)
    for row, length in enumerate(lengths):
        expected = [k_largest(x[row, c, :length], k) for c in range(3)]
        assert got[row].tolist() == expected
    assert k_max_pool(x[:1], k=k)[0].tolist() == got[0].tolist()


def test_k_max_keeps_the_earlier_of_equals_however_far_a_row_is_padded():
    row = torch.tensor([[[3.0, 5.0, 3.0, 3.0]]])
    for size in (4, 5, 40, 400):
        wide = torch.cat([row, torch.zeros(1, 1, size - 4)], -1)
        assert k_max_pool(wide, torch.tensor([4]), k=2).tolist() == [[[3.0, 5.0]]]


def test_attention_and_log_sum_exp_are_their_formulas_on_what_is_valid():
    x, lengths = parts(1, 9, 4, 1, 0, 7)
    scores = torch.randn(5, 9, dtype=torch.float64, generator=torch.Generator().manual_seed(2)) * 30
    for row, n in enumerate(lengths):
        scores[row, n:] = torch.inf
    attended, smooth = attention_pool(x, scores, lengths), log_sum_exp_pool(x, lengths)
    for row, n in enumerate(lengths):
        if n == 0:
            assert attended[row].abs().sum() == smooth[row].abs().sum() == 0
            continue
        share = torch.exp(scores[row, :n] - scores[row, :n].max())
        torch.testing.assert_close(attended[row], x[row, :, :n] @ (share / share.sum()))
        torch.testing.assert_close(smooth[row], x[row, :, :n].exp().mean(1).log())
        alone = x[row : row + 1, :, :n]
        torch.testing.assert_close(attention_pool(alone, scores[row : row + 1, :n])[0], attended[row])
        torch.testing.assert_close(log_sum_exp_pool(alone)[0], smooth[row])


def test_a_log_sum_exp_of_large_numbers_does_not_overflow():
    x = torch.tensor([[[500.0, 500.0, -1e4]]])
    torch.testing.assert_close(log_sum_exp_pool(x, torch.tensor([2])), torch.tensor([[500.0]]))


ROWS = {
    "3-max": lambda x, n: k_max_pool(x, n, k=3),
    "attention": lambda x, n: attention_pool(x, x.sum(1), n),
    "log_sum_exp": log_sum_exp_pool,
}


@pytest.mark.parametrize("name", ROWS)
def test_gradients_of_the_others_stay_inside_too(name):
    x, lengths = parts(3, 2, 6, 0, beyond=0.0)
    x.requires_grad_()
    assert torch.autograd.gradcheck(lambda v: ROWS[name](v, lengths), (x,))
    ROWS[name](x, lengths).sum().backward()
    assert x.grad[0, :, 2:].abs().sum() == x.grad[2].abs().sum() == 0


@pytest.mark.parametrize("name", ROWS)
def test_no_position_at_all_gives_zeros(name):
    assert ROWS[name](torch.ones(2, 3, 0), torch.tensor([0, 0])).abs().sum() == 0
    assert ROWS[name](torch.ones(2, 3, 0), None).abs().sum() == 0


def test_k_must_be_a_count():
    with pytest.raises(InputError, match="k must be an int >= 1, got 0"):
        k_max_pool(torch.zeros(1, 1, 1), k=0)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("kind", POOLINGS)
@pytest.mark.parametrize("size", [3_000, 70_000])
def test_halves_are_pooled_beyond_what_a_half_can_count(size, kind, dtype):
    """The sum of 3,000 times 60 and the number 70,000 are beyond float16's range; the mean is not."""
    x, lengths = torch.full((1, 1, size), 60.0, dtype=dtype), torch.tensor([size])
    assert pool(x, lengths, kind=kind).unique().tolist() == [60.0]
    assert pool(x, lengths, kind=kind).dtype == dtype

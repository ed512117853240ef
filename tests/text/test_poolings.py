"""Poolings by name: what they give is what core.pooling gives, and whether a bias may come after them."""

import pytest
import torch

from conv1d_kit.core.pooling import attention_pool, k_max_pool, log_sum_exp_pool, max_pool, mean_pool
from conv1d_kit.errors import InputError
from conv1d_kit.text.net_options import POOLING_NAMES
from conv1d_kit.text.poolings import make_pooling

X = torch.randn(3, 4, 6, generator=torch.Generator().manual_seed(0))
LENGTHS = torch.tensor([6, 2, 0])
RULES = {
    "max": max_pool,
    "2-max": lambda x, n: k_max_pool(x, n, k=2).flatten(1),
    "3-max": lambda x, n: k_max_pool(x, n, k=3).flatten(1),
    "mean": mean_pool,
    "log_sum_exp": log_sum_exp_pool,
    "attention": mean_pool,  # as it begins
}


@pytest.mark.parametrize("name", POOLING_NAMES)
def test_a_name_is_its_rule(name):
    pool = make_pooling(name, 4)
    assert pool(X, LENGTHS).shape == (3, 4 * pool.k)
    torch.testing.assert_close(pool(X, LENGTHS), RULES[name](X, LENGTHS))


def test_attention_looks_where_its_query_points():
    pool = make_pooling("attention", 4)
    with torch.no_grad():
        pool.query.copy_(torch.tensor([3.0, 0, 0, -1]))
    scores = (3 * X[:, 0] - X[:, 3]) / 2  # divided by the root of the channels
    torch.testing.assert_close(pool(X, LENGTHS), attention_pool(X, scores, LENGTHS))
    pool(X, LENGTHS).sum().backward()
    assert pool.query.grad.abs().sum() > 0


@pytest.mark.parametrize("name", POOLING_NAMES)
def test_only_those_that_pick_commute_with_a_bias_and_a_relu(name):
    pool = make_pooling(name, 4)
    bias = torch.tensor([0.3, -0.2, 0.0, 1.0])
    after = torch.relu(pool(X[:1]) + bias.repeat_interleave(pool.k))
    before = pool(torch.relu(X[:1] + bias[:, None]))
    assert torch.allclose(after, before) == pool.before_bias


def test_another_name_is_refused():
    with pytest.raises(InputError, match="pooling must be one of"):
        make_pooling("median", 4)

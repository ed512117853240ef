"""RowAdam against torch's Adam and SparseAdam."""

import pytest
import torch

from conv1d_kit.errors import InputError
from conv1d_kit.text.optimizer import RowAdam


def run(optimizer, parameter, gradients):
    for g in gradients:
        parameter.grad = g.clone()
        optimizer.step()
    return parameter.detach().to_dense()


def start():
    return torch.nn.Parameter(torch.linspace(-1, 1, 12).reshape(4, 3).clone())


def test_dense_gradients_give_adam():
    generator = torch.Generator().manual_seed(0)
    gradients = [torch.randn(4, 3, generator=generator) for _ in range(5)]
    p, q = start(), start()
    expected = run(torch.optim.Adam([q], lr=0.1), q, gradients)
    torch.testing.assert_close(run(RowAdam([p], lr=0.1), p, gradients), expected)


def test_sparse_gradients_give_sparse_adam_with_repeated_rows_summed():
    generator = torch.Generator().manual_seed(0)
    gradients = [
        torch.sparse_coo_tensor([rows], torch.randn(3, 3, generator=generator), (4, 3), check_invariants=True)
        for rows in ([0, 2, 2], [1, 0, 1], [2, 2, 2])
    ]  # fmt: skip
    p, q = start(), start()
    expected = run(torch.optim.SparseAdam([q], lr=0.1), q, gradients)
    torch.testing.assert_close(run(RowAdam([p], lr=0.1), p, gradients), expected)


def test_rows_that_ascend_are_taken_as_they_are_to_the_same_weights():
    generator = torch.Generator().manual_seed(0)
    values = torch.randn(5, 2, 3, generator=generator)
    p, q = start(), start()
    for v in values:
        ascending = torch.sparse_coo_tensor([[0, 2]], v, (4, 3), check_invariants=True)
        run(RowAdam([p], lr=0.1), p, [ascending])
        run(RowAdam([q], lr=0.1), q, [ascending.coalesce()])
    assert torch.equal(p, q)


def test_gradients_and_moments_of_another_memory_layout_give_the_same_weights():
    generator = torch.Generator().manual_seed(0)
    gradients = [torch.randn(3, 4, generator=generator).t() for _ in range(5)]  # columns before rows
    p, q = start(), torch.nn.Parameter(start().detach().t().contiguous().t())
    expected = run(torch.optim.Adam([start_ := start()], lr=0.1), start_, gradients)
    torch.testing.assert_close(run(RowAdam([p], lr=0.1), p, gradients), expected)
    torch.testing.assert_close(run(RowAdam([q], lr=0.1), q, gradients), expected)
    optimizer = RowAdam([q], lr=0.1)
    run(optimizer, q, gradients[:1])
    state = optimizer.state[q]
    state["mean"], state["square"] = (
        state["mean"].contiguous(),
        state["square"].contiguous(),
    )  # as a file has them
    run(optimizer, q, gradients[:1])
    assert state["mean"].stride() == q.stride()


def test_a_row_without_gradient_does_not_move():
    p = start()
    before = p.detach().clone()
    g = torch.sparse_coo_tensor(torch.tensor([[1]]), torch.ones(1, 3), (4, 3), check_invariants=True)
    run(RowAdam([p], lr=0.1), p, [g, g])
    assert torch.equal(p.detach()[[0, 2, 3]], before[[0, 2, 3]])
    assert (p.detach()[1] != before[1]).all()


def test_a_rate_of_zero_is_refused():
    with pytest.raises(InputError, match="lr must be a finite number > 0"):
        RowAdam([start()], lr=0.0)

"""Row-wise Adadelta against torch's dense one."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from conv1d_kit.errors import InputError
from conv1d_kit.text.adadelta import RowAdadelta


@given(
    steps=st.lists(st.lists(st.integers(0, 5), min_size=1, max_size=6), min_size=1, max_size=8),
    rho=st.sampled_from([0.5, 0.95]),
)
@settings(max_examples=30, deadline=None)
def test_rows_that_rest_and_come_back_end_where_the_dense_update_puts_them(steps, rho):
    table = torch.randn(6, 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    sparse = torch.nn.Embedding.from_pretrained(table.clone(), freeze=False, sparse=True)
    dense = torch.nn.Embedding.from_pretrained(table.clone(), freeze=False)
    ours = RowAdadelta(sparse.parameters(), lr=0.7, rho=rho)
    theirs = torch.optim.Adadelta(dense.parameters(), lr=0.7, rho=rho)
    for rows in steps:
        for layer, optimizer in ((sparse, ours), (dense, theirs)):
            optimizer.zero_grad()
            (layer(torch.tensor(rows)).square().sum() + layer(torch.tensor(rows)).sin().sum()).backward()
            optimizer.step()
    torch.testing.assert_close(sparse.weight, dense.weight, rtol=1e-9, atol=1e-12)


def test_dense_parameters_move_as_torch_moves_them():
    a, b = (torch.nn.Parameter(torch.tensor([1.0, -2.0, 0.5], dtype=torch.float64)) for _ in range(2))
    ours, theirs = RowAdadelta([a]), torch.optim.Adadelta([b], lr=1.0, rho=0.95)
    for _ in range(20):
        for p, optimizer in ((a, ours), (b, theirs)):
            optimizer.zero_grad()
            p.square().sum().backward()
            optimizer.step()
    torch.testing.assert_close(a, b, rtol=1e-10, atol=0)


def test_a_rate_or_rho_out_of_range_is_refused():
    p = [torch.nn.Parameter(torch.zeros(1))]
    with pytest.raises(InputError, match="lr must be a finite number > 0, got 0"):
        RowAdadelta(p, lr=0)
    with pytest.raises(InputError, match=r"rho must be in \[0, 1\), got 1"):
        RowAdadelta(p, rho=1)

"""The embedding of tokens: what learns, what stays, what is refused."""

import pytest
import torch

from conv1d_kit.errors import InputError
from conv1d_kit.text.embedding import TokenEmbedding
from conv1d_kit.text.net_options import EMBEDDINGS

MATRIX = torch.randn(5, 3, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("kind", EMBEDDINGS)
def test_rows_are_the_vectors_and_padding_is_zero(kind):
    embedding = TokenEmbedding(5, 3, kind)
    embedding.set_rows(MATRIX.numpy())
    times = 2 if kind == "multichannel" else 1
    got = embedding(torch.tensor([[0, 1], [4, 4]]))
    expected = torch.stack([torch.stack([torch.zeros(3), MATRIX[1]]), torch.stack([MATRIX[4], MATRIX[4]])])
    torch.testing.assert_close(got, times * expected)


def test_of_two_channels_the_gradient_reaches_one():
    embedding = TokenEmbedding(5, 3, "multichannel")
    embedding.set_rows(MATRIX)
    embedding(torch.tensor([1, 1, 2])).sum().backward()
    grad = embedding.weight.grad.to_dense()
    assert grad[:, 0].tolist() == [0, 2, 1, 0, 0]
    assert not embedding.fixed.requires_grad
    assert [name for name, _ in embedding.named_parameters()] == ["weight"]


def test_a_static_one_has_no_gradient():
    assert not TokenEmbedding(5, 3, "static")(torch.tensor([1])).requires_grad


@pytest.mark.parametrize("sparse", [True, False])
def test_gradients_are_sparse_where_asked_for(sparse):
    embedding = TokenEmbedding(5, 3, sparse=sparse)
    embedding(torch.tensor([1, 3])).sum().backward()
    assert embedding.weight.grad.is_sparse == sparse
    assert embedding.weight.grad.to_dense()[:, 0].tolist() == [0, 1, 0, 1, 0]


def test_vectors_of_another_shape_or_not_finite_are_refused():
    embedding = TokenEmbedding(5, 3)
    with pytest.raises(InputError, match=r"vectors must be \(5, 3\), got shape \(5, 4\)"):
        embedding.set_rows(torch.zeros(5, 4))
    with pytest.raises(InputError, match="vectors must be finite, got NaN or Inf"):
        embedding.set_rows(torch.full((5, 3), torch.nan))

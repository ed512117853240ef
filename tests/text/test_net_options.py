"""The choices of a net are checked in one place, each with a line that says what is allowed."""

import dataclasses

import numpy as np
import pytest

from conv1d_kit.errors import InputError
from conv1d_kit.text.net_options import NetOptions, k_of


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"widths": ()}, "widths must be one or more ints >= 1"),
        ({"widths": (0,)}, "widths must be"),
        ({"widths": 3}, "widths must be"),
        ({"widths": "345"}, "widths must be"),
        ({"widths": (3, 2.5)}, "widths must be"),
        ({"widths": (True,)}, "widths must be"),
        ({"dim": 0}, "dim must be an int >= 1, got 0"),
        ({"filters": 2.0}, "filters must be an int >= 1, got 2.0"),
        ({"depth": 0}, "depth must be an int >= 1 or None, got 0"),
        ({"dropout": 1.0}, r"dropout must be a number in \[0, 1\), got 1.0"),
        ({"dropout": float("nan")}, "dropout must be"),
        ({"word_dropout": -0.1}, "word_dropout must be"),
        ({"embedding_dropout": "0.1"}, "embedding_dropout must be"),
        ({"max_norm": 0.0}, "max_norm must be a number > 0 or None"),
        ({"pooling": "1-max"}, "pooling must be one of max, 2-max, 3-max"),
        ({"pooling": 2}, "pooling must be one of"),
        ({"embedding": "word2vec"}, "embedding must be one of rand, static, nonstatic, multichannel"),
        ({"activation": "gelu"}, "activation must be one of relu, tanh, identity, sigmoid, softplus, cube"),
    ],
)
def test_what_cannot_be_used_is_said(options, message):
    with pytest.raises(InputError, match=message):
        NetOptions(**options)


def test_numbers_of_numpy_and_lists_serve():
    o = NetOptions(dim=np.int64(5), widths=np.array([2, 3]), dropout=np.float32(0.5))
    assert (o.dim, o.widths, type(o.dim)) == (5, (2, 3), int)
    assert dataclasses.replace(o, filters=7).changed() == ("dim", "widths", "filters")


@pytest.mark.parametrize(("name", "k"), [("max", 1), ("2-max", 2), ("17-max", 17), ("mean", 1)])
def test_k_of(name, k):
    assert k_of(name) == k

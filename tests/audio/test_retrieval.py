"""Retrieval against scikit-learn's average precision, query by query."""

import numpy as np
import pytest
from sklearn.metrics import average_precision_score

from conv1d_kit.audio import retrieval
from conv1d_kit.audio.retrieval import retrieval_quality
from conv1d_kit.errors import InputError


@pytest.mark.parametrize("block", [2**22, 100])
@pytest.mark.parametrize("grouped", [False, True])
def test_each_query_has_scikit_learn_s_average_precision(monkeypatch, block, grouped):
    monkeypatch.setattr(retrieval, "_BLOCK", block)
    r = np.random.default_rng(0)
    x, labels = r.standard_normal((60, 5)), r.integers(0, 4, 60)
    labels[7] = 9  # has no other of its label: no query
    groups = r.integers(0, 20, 60) if grouped else np.arange(60)
    units = x / np.linalg.norm(x, axis=1, keepdims=True)
    precision, average = [], []
    for i in range(60):
        searched = groups != groups[i]
        right = labels[searched] == labels[i]
        if right.any():
            score = units[searched] @ units[i]
            average.append(average_precision_score(right, score))
            precision.append(right[np.argsort(-score)[:5]].mean())
    found = retrieval_quality(x, labels, groups=groups if grouped else None)
    assert found.mean_average_precision == pytest.approx(np.mean(average))
    assert found.precision_at_k == pytest.approx(np.mean(precision))
    assert found.n_queries == len(average)


def test_bad_arguments_are_refused():
    with pytest.raises(InputError, match="labels must be one a vector"):
        retrieval_quality(np.ones((3, 2)), ["a"])
    with pytest.raises(InputError, match="groups must be one a vector"):
        retrieval_quality(np.ones((3, 2)), ["a"] * 3, groups=[1])
    with pytest.raises(InputError, match="k must be"):
        retrieval_quality(np.ones((3, 2)), ["a"] * 3, k=0)
    for labels in (["a", "b", "c"], []):
        with pytest.raises(InputError, match="two sounds of different groups"):
            retrieval_quality(np.ones((len(labels), 2)), labels)

"""Losses are torch's, class and one-hot row alike; balanced weights are scikit-learn's."""

import numpy as np
import pytest
import torch
from sklearn.utils.class_weight import compute_class_weight

from conv1d_kit.errors import InputError
from conv1d_kit.training.losses import LOSSES, balanced_weights, make_loss

WEIGHTS = [0.5, 2.0, 1.25]


def _rows():
    g = torch.Generator().manual_seed(0)
    logits = torch.randn(8, 3, generator=g, dtype=torch.float64)
    hard = torch.randint(3, (8,), generator=g)
    soft = torch.rand(8, 3, generator=g, dtype=torch.float64)
    return logits, hard, soft / soft.sum(1, keepdim=True), (soft > 0.5).double()


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_single_is_torchs_cross_entropy(smoothing):
    logits, hard, soft, _ = _rows()
    oracle = torch.nn.functional.cross_entropy
    plain, weighted = (make_loss(class_weights=w, label_smoothing=smoothing) for w in (None, WEIGHTS))
    w = torch.tensor(WEIGHTS, dtype=torch.float64)
    assert torch.equal(plain(logits, hard), oracle(logits, hard, label_smoothing=smoothing))
    assert torch.equal(plain(logits, soft), oracle(logits, soft, label_smoothing=smoothing))
    torch.testing.assert_close(
        weighted(logits, hard), oracle(logits, hard, w, label_smoothing=smoothing, reduction="none").mean()
    )
    onehot = torch.nn.functional.one_hot(hard, 3).double()
    torch.testing.assert_close(weighted(logits, hard), weighted(logits, onehot))


def test_multi_is_the_formula_of_binary_cross_entropy():
    logits, _, _, labels = _rows()
    p, w, t = logits.sigmoid(), torch.tensor(WEIGHTS, dtype=torch.float64), labels * 0.8 + 0.1
    expected = -(w * t * p.log() + (1 - t) * (1 - p).log()).mean()
    torch.testing.assert_close(
        make_loss("multi", class_weights=WEIGHTS, label_smoothing=0.2)(logits, labels), expected
    )
    oracle = torch.nn.functional.binary_cross_entropy_with_logits(logits, labels)
    torch.testing.assert_close(make_loss("multi")(logits, labels), oracle)


@pytest.mark.parametrize("kind", LOSSES)
def test_every_loss_has_a_finite_gradient_and_keeps_the_dtype(kind):
    logits = (100 * _rows()[0]).float().requires_grad_()
    value = make_loss(kind, class_weights=WEIGHTS)(logits, _rows()[3].float() / 3)
    value.backward()
    assert value.dtype == torch.float32
    assert logits.grad.isfinite().all()


def test_balanced_weights_are_scikit_learns():
    y = np.random.default_rng(0).choice(4, 50, p=[0.1, 0.2, 0.3, 0.4])
    expected = compute_class_weight("balanced", classes=np.arange(4), y=y)
    np.testing.assert_allclose(balanced_weights(y), expected)
    np.testing.assert_allclose(balanced_weights(np.eye(4)[y]), expected)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: make_loss("both"), "kind must be one of single, multi, got 'both'"),
        (lambda: make_loss(label_smoothing=1.0), r"label_smoothing must be in \[0, 1\)"),
        (lambda: make_loss(class_weights=[1, 0]), "class_weights must be finite numbers > 0"),
        (lambda: make_loss(class_weights=[1, 1])(torch.zeros(1, 3), torch.tensor([0])), r"class \(3\), got 2"),
        (lambda: balanced_weights([0, 2]), "no row of class 1"),
        (lambda: balanced_weights([]), "targets must be"),
        (lambda: balanced_weights([-1, 0]), "classes from 0"),
    ],
)  # fmt: skip
def test_what_cannot_be_used_is_refused(call, words):
    with pytest.raises(InputError, match=words):
        call()

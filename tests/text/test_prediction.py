"""Prediction by the table of words against the net itself, whatever the room, the lengths and the company."""

import pickle

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from conv1d_kit.text import prediction
from conv1d_kit.text.batches import EncodedTexts, pad
from conv1d_kit.text.classifier import TextClassifier
from conv1d_kit.text.nets import TextCNN
from conv1d_kit.text.prediction import Predictor, WordResponses

N_WORDS = 40


def make(**options):
    options = {"dim": 6, "widths": (1, 3, 4), "filters": 5, **options}
    return TextCNN(N_WORDS, 3, **options, generator=torch.Generator().manual_seed(2)).eval()


def texts(lengths, seed=0):
    rng = np.random.default_rng(seed)
    return [rng.integers(1, N_WORDS, n) for n in lengths]


def expected(net, rows):
    with torch.inference_mode():
        return torch.cat([torch.softmax(net(*pad([row])).double(), 1) for row in rows]).numpy()


@given(lengths=st.lists(st.integers(0, 30), min_size=0, max_size=12), room=st.sampled_from([0, 1, 7, 1 << 20]))
@settings(max_examples=60, deadline=None)
def test_probabilities_are_the_nets_with_any_room_for_words(lengths, room):
    net, rows = make(), texts(lengths)
    p = Predictor(net, lambda row: row.tolist())
    p._responses = WordResponses(net, table_bytes=room * 8 * 5 * 4)  # 8 taps of 5 filters, 4 bytes each
    for _ in range(2):  # with an empty table, and with a filled one
        np.testing.assert_allclose(p(rows), expected(net, rows) if rows else np.empty((0, 3)), atol=1e-6)
    assert p._responses.kept <= room


def test_long_texts_are_looked_at_in_parts(monkeypatch):
    net, rows = make(), texts([50, 3, 0, 17, 1])
    whole = Predictor(net, lambda row: row.tolist())(rows)
    for long in (1, 2, 7):
        monkeypatch.setattr(prediction, "LONG", long)
        np.testing.assert_allclose(Predictor(net, lambda row: row.tolist())(rows), whole, atol=1e-7)


def test_a_net_without_such_a_table_predicts_in_batches():
    net, rows = make(), texts([5, 0, 9])

    class Other(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.inner, self.out = net, net.out

        def forward(self, ids, lengths):
            return self.inner(ids, lengths)

    np.testing.assert_allclose(
        Predictor(Other(), lambda row: row.tolist())(rows), expected(net, rows), atol=1e-6
    )


def test_encoded_texts_say_which_have_no_token():
    p = Predictor(make(), lambda text: [2] * len(text))
    encoded = p.encoded(["ab", "", "c"])
    assert encoded.lengths.tolist() == [2, 0, 1]
    assert np.array_equal(p.of_encoded(encoded), p(["ab", "", "c"]))


def test_batches_of_encoded_texts_are_those_of_pad():
    rows = texts([4, 0, 1, 9])
    encoded = EncodedTexts.of(row.tolist() for row in rows)
    for chosen in ([0], [1], [3, 1, 0], []):
        got, wanted = encoded.batch(chosen), pad([rows[i] for i in chosen])
        assert torch.equal(got[0], wanted[0])
        assert torch.equal(got[1], wanted[1])


@pytest.fixture(scope="module")
def fitted():
    words, labels = ["good", "very good", "bad", "so bad"] * 5, [1, 1, 0, 0] * 5
    return TextClassifier(epochs=4, seed=1, dim=8, filters=4).fit(words, labels)


def test_the_classifier_notices_that_its_net_has_changed(fitted):
    model = pickle.loads(pickle.dumps(fitted))
    before = model.predict_proba(["good bad"])
    assert model.predictor() is model.predictor()
    with torch.no_grad():
        model.net_.embedding.weight.mul_(3.0)
    after = model.predict_proba(["good bad"])
    ids = torch.from_numpy(model.vocabulary_.encode(["good", "bad"]))[None]
    with torch.inference_mode():
        logits = model.net_(ids, torch.tensor([2])).double()
    np.testing.assert_allclose(after, torch.softmax(logits, 1).numpy(), atol=1e-6)
    assert not np.allclose(after, before)
    model.net_ = fitted.net_
    np.testing.assert_array_equal(model.predict_proba(["good bad"]), before)


def test_a_pickled_classifier_carries_no_table(fitted):
    fitted.predict(["good"])
    size = len(pickle.dumps(fitted))
    fitted.predict([f"good {i}" for i in range(500)])
    assert len(pickle.dumps(fitted)) == size
    again = pickle.loads(pickle.dumps(fitted))
    np.testing.assert_array_equal(again.predict_proba(["so good"]), fitted.predict_proba(["so good"]))

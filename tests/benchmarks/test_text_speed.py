"""The text bench: the plain form is the net it claims to be, and every row compares like with like."""

import numpy as np
import pytest
import torch

from benchmarks import text_speed
from benchmarks.plain_text import PlainCNN, epoch, predict
from conv1d_kit.text.grammar import make_reviews
from conv1d_kit.text.projected import best_windows, distinct


@pytest.fixture
def plain():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return PlainCNN(20, 3, dim=6, widths=(2, 3), filters=4)


def test_the_plain_net_gives_what_the_kit_gives(plain):
    ids = torch.randint(1, 20, (5, 7), generator=torch.Generator().manual_seed(1))
    used, places = distinct(ids, 20)
    weights, biases = [c.weight for c in plain.convs], torch.cat([c.bias for c in plain.convs])
    pooled = best_windows(plain.embedding(used), weights, places, torch.full((5,), 7))
    torch.testing.assert_close(plain.eval()(ids), plain.out(torch.relu(pooled + biases)), atol=1e-5, rtol=1e-5)


def test_the_plain_net_learns_and_its_output_weights_stay_within_the_bound(plain):
    rng = np.random.default_rng(0)
    ids = [np.array([1 + y, *rng.integers(5, 20, 4)]) for y in (0, 1, 2) * 20]
    targets, order = torch.arange(3).repeat(20), rng.permutation(60)
    optimizer = torch.optim.Adadelta(plain.parameters(), lr=1.0, rho=0.95)
    assert epoch(plain, optimizer, ids, targets, order, batch_size=7) == 60
    for _ in range(40):
        epoch(plain, optimizer, ids, targets, order, batch_size=7)
    p = predict(plain, ids, batch_size=7)
    np.testing.assert_allclose(p.sum(1), 1, atol=1e-6)
    assert (p.argmax(1) == targets.numpy()).mean() > 0.9
    assert plain.out.weight.norm(dim=1).max() <= 3 + 1e-5


def test_a_row_for_each_task_and_a_table_of_them(monkeypatch):
    for name, value in {"DIM": 6, "WIDTHS": (2, 3), "FILTERS": 4, "BATCH": 10}.items():
        monkeypatch.setattr(text_speed, name, value)
    texts, labels = make_reviews(60, seed=0)
    rows = text_speed.measure(texts, np.unique(labels, return_inverse=True)[1], 40, 2, 1)
    assert [r["task"].split()[0].rstrip(",") for r in rows] == ["training"] + ["prediction"] * 4
    assert [r["sentences"] for r in rows] == [40] + [60] * 4
    assert all(r[k] > 0 for r in rows for k in ("ratio", "cpu_ratio", "kit_per_s", "plain_per_s"))
    assert all(r["same_class"] > 0.9 for r in rows[1:])
    told = {"command": "python", "processor": "P", "load": 0.0, "date": "today"}
    page = text_speed.page({"conditions": told, "forms": {"a": "b"}, "rows": rows})
    assert page.count("\n| prediction") == 4
    assert f"**{rows[0]['ratio']:.1f}**" in page

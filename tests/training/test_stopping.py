"""Early stopping keeps the best epoch's weights, stops in time, and goes on after a kill to the same bytes."""

import sys
from pathlib import Path

import pytest
import torch

from conv1d_kit.errors import InputError

sys.path.insert(0, str(Path(__file__).parent))
from killed_run import run


class Scores:
    """Gives the listed scores in turn, draws from the global generator, and keeps what weights it saw."""

    def __init__(self, *scores):
        self.scores, self.seen = list(scores), []

    def __call__(self, net):
        assert not net.training
        torch.rand(3)
        self.seen.append({k: v.clone() for k, v in net.state_dict().items()})
        return self.scores[len(self.seen) - 1]


def _equal(net, values):
    return all(torch.equal(v, values[k]) for k, v in net.state_dict().items())


@pytest.mark.parametrize("decay", [None, 0.9])
def test_it_ends_on_the_best_epoch_and_stops_after_patience(decay):
    look = Scores(0.1, 0.5, 0.5, 0.4, 0.9, 0.9)
    net, history = run("adamw", average_decay=decay, validate=look, patience=2)
    assert ([e.score for e in history.epochs], history.kept) == ([0.1, 0.5, 0.5, 0.4], 2)
    assert _equal(net, look.seen[1])
    assert not net.training


def test_looking_does_not_change_what_is_trained():
    plain, history = run("adamw")
    look = Scores(1, 2, 3, 4, 5, 6)
    watched, same = run("adamw", validate=look)
    assert _equal(plain, watched.state_dict())
    assert history.losses == same.losses
    assert (history.kept, same.kept) == (6, 6)


def test_a_run_that_ends_within_goes_on_and_stops_alike(tmp_path):
    scores = (0.1, 0.5, 0.3, 0.4, 0.9, 0.9)
    whole, history = run("sgd", validate=Scores(*scores), patience=2)

    def interrupt(epoch):
        if epoch.number == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run("sgd", validate=Scores(*scores), patience=2, checkpoint=tmp_path / "run", on_epoch=interrupt)
    for scores_left in (scores[3:], ()):  # on from the third epoch; then from the end
        again, back = run("sgd", validate=Scores(*scores_left), patience=2, checkpoint=tmp_path / "run")
        assert _equal(again, whole.state_dict())
        assert (back.losses, back.kept, len(back.epochs)) == (history.losses, 2, 4)


def test_clipping_bounds_the_step_and_a_high_bound_changes_nothing():
    plain, _ = run("sgd")
    assert _equal(run("sgd", clip_norm=1e9)[0], plain.state_dict())
    assert not _equal(run("sgd", clip_norm=1e-3)[0], plain.state_dict())


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"patience": 2}, "patience must go with validate"),
        ({"patience": 0, "validate": Scores(1)}, "patience must be an int >= 1 or None, got 0"),
        ({"validate": Scores(float("nan"))}, "finite number, got nan after epoch 1"),
        ({"clip_norm": 0}, "clip_norm must be a number > 0, got 0"),
    ],
)
def test_what_cannot_be_used_is_refused(options, words):
    with pytest.raises(InputError, match=words):
        run("sgd", **options)

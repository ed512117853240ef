"""A property that tells the class is found, noise raises no alarm, and a group cannot give its class away."""

import numpy as np
import pytest

from conv1d_kit.errors import InputError
from conv1d_kit.training.clues import class_clue


def test_a_word_and_a_number_that_give_the_class_away_are_told():
    r = np.random.default_rng(0)
    labels = ["dog", "cat", "rain"] * 20
    codec = ["MP3" if label == "rain" else "WAV" for label in labels]
    clue = class_clue(codec, labels)
    assert clue.tells
    assert clue.best_class == "rain"
    assert clue.accuracy == pytest.approx(2 / 3, abs=0.05)  # rain always, dog or cat by the toss of a coin
    level = [{"dog": -10, "cat": -20, "rain": -30}[label] + r.normal() for label in labels]
    clue = class_clue(level, labels)
    assert clue.accuracy > 0.95
    assert clue.low <= clue.accuracy <= clue.high
    assert clue.chance == pytest.approx(1 / 3)


def test_one_class_of_many_recorded_otherwise_is_told():
    labels = [f"bird {i}" for i in range(40)] * 8
    clue = class_clue([48000 if label == "bird 7" else 44100 for label in labels], labels)
    assert clue.accuracy < 0.1
    assert clue.tells
    assert clue.best_class == "bird 7"
    assert clue.best_f1 == 1


def test_noise_raises_the_alarm_seldom():
    r = np.random.default_rng(1)
    alarms = 0
    for seed in range(60):
        labels = np.repeat(list("abcd"), 25)
        alarms += class_clue(r.normal(size=100), labels, seed=seed).tells
    assert alarms <= 3


def test_a_property_of_the_group_is_no_clue_where_groups_are_kept_apart():
    r = np.random.default_rng(2)
    groups = np.repeat(np.arange(24), 5)
    labels = np.where(groups % 2, "a", "b")
    level = np.repeat(r.normal(size=24), 5)  # each speaker at a level of their own
    assert class_clue(level, labels).tells
    assert not class_clue(level, labels, groups=groups).tells


def test_nothing_to_learn_from_is_none():
    assert class_clue([1, 1, 1, 1], list("abab")) is None
    assert class_clue([1, 2, 3], ["a", "a", "b"]) is None  # one clip of b
    assert class_clue([1, 2], ["a", "a"]) is None
    assert class_clue([np.nan, 1, np.nan, 1], list("abab")) is None
    assert class_clue([], []) is None
    assert class_clue([1, 2, 3, 4], list("abab"), groups=["g"] * 4) is None


def test_lengths_are_checked():
    with pytest.raises(InputError, match="one length"):
        class_clue([1, 2], ["a"])

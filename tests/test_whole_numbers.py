"""Whole numbers that are counted with: what they may be is said in one way everywhere."""

import numpy as np
import pytest

from conv1d_kit.audio.classifier import AudioClassifier
from conv1d_kit.audio.frontends import LogMel
from conv1d_kit.errors import LARGEST, InputError, check_whole
from conv1d_kit.text.classifier import TextClassifier


@pytest.mark.parametrize("value", [1, np.int64(7), np.uint8(200), LARGEST])
def test_ints_of_any_library_pass_as_ints(value):
    found = check_whole("n", value)
    assert type(found) is int
    assert found == value


@pytest.mark.parametrize(
    ("value", "options", "message"),
    [
        (0, {}, "n must be an int >= 1, got 0"),
        (9, {"least": 10}, "n must be an int >= 10, got 9"),
        (True, {}, "n must be an int >= 1, got True"),
        (1.0, {}, "n must be an int >= 1, got 1.0"),
        ("3", {}, "n must be an int >= 1, got '3'"),
        (None, {}, "n must be an int >= 1, got None"),
        (0, {"or_none": True}, "n must be an int >= 1 or None, got 0"),
        (10**10, {}, f"n must be an int >= 1 and <= {LARGEST}, got 10000000000"),
        (float("nan"), {}, "n must be an int >= 1, got nan"),
    ],
)
def test_anything_else_is_one_line(value, options, message):
    with pytest.raises(InputError) as caught:
        check_whole("n", value, **options)
    assert str(caught.value) == message


def test_none_passes_where_it_may():
    assert check_whole("n", None, or_none=True) is None


@pytest.mark.parametrize("name", ["width", "batch_size", "n_threads", "epochs", "patience", "n_seeds"])
def test_no_option_of_the_audio_classifier_overflows(name):
    with pytest.raises(InputError, match=f"{name} must be an int >= 1 and <= {LARGEST}"):
        AudioClassifier(**{name: 10**23}).check_options()


@pytest.mark.parametrize("name", ["filters", "dim", "batch_size", "n_threads", "epochs"])
def test_no_option_of_the_text_classifier_overflows(name):
    with pytest.raises(InputError, match=f"{name} must be an int >= 1 and <= {LARGEST}"):
        TextClassifier(**{name: 10**23}).check_options()


def test_no_option_of_a_front_end_overflows():
    with pytest.raises(InputError, match=f"n_mels must be an int >= 1 and <= {LARGEST}"):
        LogMel(16000, n_mels=10**23)

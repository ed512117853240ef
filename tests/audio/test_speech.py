"""The net for words: what it learns with unless told otherwise, and voices that it has not heard."""

import numpy as np
import pytest
import torch

from conv1d_kit import AudioClassifier, Clip
from conv1d_kit.audio.composite_nets import CentredNet
from conv1d_kit.audio.frontends import LogMel, Mfcc
from conv1d_kit.errors import InputError

RATE = 8000
WORDS = {"ai": ((700, 1200), (350, 2200)), "ia": ((350, 2200), (700, 1200)), "ua": ((350, 800), (700, 1200)),
         "au": ((700, 1200), (350, 800))}  # fmt: skip


def _said(word, rng, *, tract, pitch, pace, colour):
    """Two vowels, one gliding into the other: a buzz through two resonances, which a shorter tract moves up."""
    n = int(RATE * 0.4 / pace)
    at = np.linspace(0, 1, n)
    first, last = WORDS[word]
    hz = np.array([np.interp(at, [0.3, 0.7], [a * tract, b * tract]) for a, b in zip(first, last, strict=True)])
    tone = np.cumsum(pitch * (1 + 0.05 * rng.standard_normal() + 0.02 * np.sin(9 * at)) / RATE * np.ones(n))
    partials = np.arange(1, int(3900 / pitch))[:, None]
    gain = sum(1 / (1 + ((partials * pitch - f) / 90) ** 2) for f in hz)  # (partials, T)
    gain = gain * np.exp(colour * partials / len(partials))
    x = (gain * np.sin(2 * np.pi * partials * tone + rng.uniform(0, 6, partials.shape))).sum(0)
    return Clip(x * np.hanning(n) + 0.003 * np.abs(x).max() * rng.standard_normal(n), RATE)


def _voice(rng, n, **voice):
    labels = list(WORDS) * n
    return [_said(w, rng, **voice) for w in labels], labels


def test_a_voice_that_was_not_heard_is_understood_better_than_by_the_plain_net():
    rng = np.random.default_rng(0)
    clips, labels = _voice(rng, 12, tract=1.0, pitch=110, pace=1.0, colour=0.0)
    more, theirs = _voice(rng, 12, tract=1.08, pitch=140, pace=1.1, colour=0.5)
    strange, truth = _voice(rng, 12, tract=1.3, pitch=230, pace=0.8, colour=-1.0)
    right = {}
    for net in ("speech", "spectrogram"):
        model = AudioClassifier(net=net, epochs=16, width=8).fit(clips + more, labels + theirs)
        right[net] = float(np.mean(model.predict(strange) == np.array(truth)))
    assert right["speech"] >= 0.9
    assert right["speech"] > right["spectrogram"] + 0.1


def test_its_own_defaults_hold_where_nothing_else_is_asked_for():
    front = LogMel(RATE, 40)
    model = AudioClassifier(net="speech", width=4)
    assert isinstance(model.make_net([front], 3), CentredNet)
    assert [name for name, _ in model._augments(front)] == [
        "pitch", "tempo", "filtering", "noise", "room", "masks",
    ]  # fmt: skip
    assert [name for name, _ in model._augments(Mfcc(RATE))] == ["masks"]  # what cepstra can have
    bare = AudioClassifier(net="speech", width=4, centred=False, augment=["gain"])
    assert not isinstance(bare.make_net([front], 3), CentredNet)
    assert bare._augments(front) == [("gain", {})]
    assert not isinstance(AudioClassifier(width=4).make_net([front], 3), CentredNet)
    assert isinstance(AudioClassifier(width=4, centred=True).make_net([front], 3), CentredNet)


@pytest.mark.parametrize(("net", "least"), [("speech", 30), ("voices", 30), ("spectrogram", 20)])
def test_it_learns_for_more_epochs_where_clips_are_many(net, least):
    assert AudioClassifier(net=net).choose_epochs(5000) == least
    assert AudioClassifier(net=net).choose_epochs(640) == 50
    assert AudioClassifier(net=net, epochs=3).choose_epochs(5000) == 3
    clips = [Clip(np.random.default_rng(i).standard_normal(2000), RATE) for i in range(2)] * 2500
    model = AudioClassifier(net=net, sample_rate=RATE)
    model.make_frontend(clips)
    assert any(
        line.startswith(f"{least} epochs") and f"{least} at least" in line for line in model.choices_.lines()
    )


def test_voices_are_a_net_that_is_centred_and_one_that_is_not():
    rng = np.random.default_rng(1)
    clips, labels = _voice(rng, 3, tract=1.0, pitch=120, pace=1.0, colour=0.0)
    model = AudioClassifier(net="voices", width=4, epochs=2, n_seeds=2).fit(clips, labels)
    nets = [net for _, net in model.net_.members]
    assert [isinstance(net, CentredNet) for net in nets] == [True, False, True, False]
    shares = []
    for front, net in model.net_.members:
        wave = torch.from_numpy(clips[0].samples.copy())
        shares.append(net(front(wave)).softmax(1))
    said = torch.stack(shares).mean(0).detach().numpy()
    np.testing.assert_allclose(model.predict_proba(clips[:1]), said, atol=1e-5)


@pytest.mark.parametrize("value", ["yes", 1, [True]])
def test_centred_is_yes_no_or_the_nets_own(value):
    with pytest.raises(InputError, match="centred must be True, False or None"):
        AudioClassifier(centred=value).check_options()


def test_it_keeps_twice_as_many_frames():
    x, lengths = torch.zeros(2, 40, 80), torch.tensor([80, 33])
    maps = {
        net: AudioClassifier(net=net, width=4, centred=False).make_net([LogMel(RATE, 40)], 3).maps(x, lengths)
        for net in ("speech", "spectrogram")
    }
    assert maps["speech"][0].shape[3] == 2 * maps["spectrogram"][0].shape[3] == 10
    assert maps["speech"][1].tolist() == [10, 5]

"""Silence at the ends of clips: what is cut, and that training, prediction, embedding and export all do it."""

from __future__ import annotations

import copy

import numpy as np
import pytest

from conv1d_kit import AudioClassifier, Clip
from conv1d_kit.audio.embedding import embed, embed_each, model_id
from conv1d_kit.audio.trim import LEFT_S, LEVEL_DB, sounding, trimmed
from conv1d_kit.errors import InputError

RATE = 8000
LEFT = round(LEFT_S * RATE)
QUIET = 10 ** (LEVEL_DB / 20)


def tone(frequency, seconds=0.4, phase=0.0):
    return 0.3 * np.sin(2 * np.pi * frequency * np.arange(round(seconds * RATE)) / RATE + phase + 0.1)


def padded(wave, before, behind):
    return np.concatenate([np.zeros(before), wave, np.zeros(behind)])


@pytest.fixture(scope="module")
def model():
    clips = [Clip(padded(tone(f, phase=i), 0, 4000 * (f < 500)), RATE) for f in (300, 2000) for i in range(4)]
    model = AudioClassifier(epochs=4, n_mels=24, width=8, augment=(), trim=True)
    return model.fit(clips, ["low"] * 4 + ["high"] * 4)


@pytest.mark.parametrize(("before", "behind"), [(0, 0), (LEFT, LEFT), (LEFT + 1, 0), (0, 9999), (5000, 5000)])
def test_more_than_a_tenth_of_a_second_goes(before, behind):
    wave = tone(440)
    found = trimmed(padded(wave, before, behind), RATE)
    assert len(found) == len(wave) + min(before, LEFT) + min(behind, LEFT)
    np.testing.assert_array_equal(found[min(before, LEFT) :][: len(wave)], wave)


def test_silence_is_what_lies_below_the_level_and_what_is_inside_stays():
    wave = np.full(5000, 0.99 * QUIET)
    wave[[2000, 3000]] = -1.01 * QUIET
    assert len(trimmed(wave, RATE)) == 1001 + 2 * LEFT
    np.testing.assert_array_equal(trimmed(wave, RATE), wave[2000 - LEFT : 3001 + LEFT])


@pytest.mark.parametrize("n", [0, 1, 7, 4096, 9000])
def test_nothing_but_silence_stays_whole(n):
    assert len(trimmed(np.zeros(n), RATE)) == n


def test_cutting_twice_is_cutting_once():
    rng = np.random.default_rng(0)
    for _ in range(50):
        wave = padded(rng.standard_normal(rng.integers(1, 6000)), *rng.integers(0, 9000, 2))
        once = trimmed(wave, RATE)
        np.testing.assert_array_equal(trimmed(once, RATE), once)


def test_stretches_of_silence_have_no_say_unless_there_is_nothing_else():
    quiet, loud = np.zeros(3000), tone(440)
    assert [len(w) for w in sounding([quiet, padded(loud, 0, 2000), quiet, loud], RATE)] == [
        len(loud) + LEFT, len(loud),
    ]  # fmt: skip
    assert [len(w) for w in sounding([quiet, quiet[:5]], RATE)] == [3000]
    assert list(sounding([], RATE)) == []


def test_padding_changes_no_answer(model):
    for f in (300, 1000, 2000):
        plain = padded(tone(f), LEFT, LEFT)
        clips = [Clip(plain, RATE), Clip(padded(plain, 7000, 9000), RATE)]
        told = model.predict_proba(clips)
        np.testing.assert_array_equal(told[0], told[1])
        np.testing.assert_allclose(*embed(model, clips), rtol=1e-6)


def test_an_index_of_a_model_that_trims_is_not_for_one_that_does_not(model):
    whole = copy.copy(model).set_params(trim=False)
    assert model_id(whole) != model_id(model) == model_id(copy.copy(model))


def test_minutes_of_silence_around_a_sound_change_no_answer(model):
    plain = padded(tone(300), LEFT, LEFT)
    long = padded(plain, 40 * RATE, 50 * RATE)
    clips = [Clip(plain, RATE), Clip(long, RATE)]
    np.testing.assert_array_equal(*model.predict_proba(clips))
    np.testing.assert_allclose(*embed(model, clips), rtol=1e-6)


def test_silence_alone_has_a_vector_and_a_length(model):
    (found,) = embed_each(model, [Clip(np.zeros(70 * RATE), RATE)])
    assert np.isfinite(found.vector).all()
    assert found.duration_s == 70.0
    assert "silent" in found.note


def test_without_trim_the_padding_is_heard(model):
    clips = [Clip(tone(f, phase=i), RATE) for f in (300, 2000) for i in range(4)]
    whole = AudioClassifier(epochs=2, n_mels=24, width=8, augment=())
    whole.fit(clips, ["low"] * 4 + ["high"] * 4)
    told = whole.predict_proba([clips[0], Clip(padded(tone(300), 0, 8000), RATE)])
    assert np.abs(told[0] - told[1]).max() > 1e-4
    long = whole.extract([Clip(padded(tone(300), 0, 8000), RATE)], whole.frontend_)[0].shape[1]
    short = model.extract([Clip(padded(tone(300), 0, 8000), RATE)], model.frontend_)[0].shape[1]
    assert long > 2 * short


def test_a_cache_tells_trimmed_features_from_whole_ones(tmp_path):
    clips = [Clip(padded(tone(f, phase=i), 0, 8000), RATE) for f in (300, 2000) for i in range(3)]
    y = ["low"] * 3 + ["high"] * 3
    options = {"epochs": 1, "n_mels": 16, "width": 4, "augment": ()}
    for trim in (True, False):
        alone = AudioClassifier(**options, trim=trim).fit(clips, y)
        cached = AudioClassifier(**options, trim=trim).fit(clips, y, cache=tmp_path)
        np.testing.assert_array_equal(alone.predict_proba(clips), cached.predict_proba(clips))


def test_a_model_keeps_whether_it_trims(model, tmp_path):
    model.save(tmp_path / "model")
    assert AudioClassifier.load(tmp_path / "model").trims


def test_environment_trims_unless_it_is_told_not_to():
    assert [AudioClassifier(net="environment", trim=trim).trims for trim in (None, True, False)] == [
        True, True, False,
    ]  # fmt: skip
    assert [AudioClassifier(trim=trim).trims for trim in (None, True, False)] == [False, True, False]


def test_an_exported_model_trims_as_the_model_does(model, tmp_path):
    pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    from conv1d_kit.audio.export import export_onnx
    from conv1d_kit.audio.onnx_runner import OnnxAudioClassifier

    export_onnx(model, tmp_path / "model.onnx")
    runner = OnnxAudioClassifier(tmp_path / "model.onnx", n_threads=1)
    assert runner.description_.trim
    clips = [Clip(padded(tone(f), 3000, 9000), RATE) for f in (300, 2000)]
    np.testing.assert_allclose(runner.predict_proba(clips), model.predict_proba(clips), atol=1e-4)


def test_a_page_says_what_was_cut(model, tmp_path):
    import soundfile as sf

    from conv1d_kit.report.explain_page import explain_files

    sf.write(tmp_path / "a.wav", padded(tone(300), 0, RATE + LEFT), RATE)
    page, _ = explain_files(model, [str(tmp_path / "a.wav")])
    assert "1.00 s of silence at its ends are not heard" in str(page)
    sf.write(tmp_path / "b.wav", padded(tone(300), 40 * RATE, 0), RATE)  # past what one picture shows
    page, _ = explain_files(model, [str(tmp_path / "b.wav")])
    assert f"{40 - LEFT_S:.2f} s of silence at its ends are not heard" in str(page)
    assert "seconds 30 to 40; the probabilities are of the whole" in str(page)
    assert "Every sample is 0" not in str(page)
    sf.write(tmp_path / "c.wav", np.zeros(70 * RATE), RATE)
    page, _ = explain_files(model, [str(tmp_path / "c.wav")])
    assert "seconds 0 to 30; the probabilities are of the whole" in str(page)
    assert "40.00 s of silence at its ends are not heard" in str(page)


@pytest.mark.parametrize("answer", [AudioClassifier.predict_each, embed_each])
def test_an_answer_waits_for_some_minutes_of_sound_at_most(model, answer):
    read, long = [], Clip(np.tile(tone(300), 700), RATE)

    def items():
        for clip in (Clip(tone(300), RATE), long, *[Clip(tone(2000), RATE)] * 20):
            read.append(clip)
            yield clip

    next(answer(model, items()))
    assert len(read) < 22


@pytest.mark.parametrize("value", ["no", 1, 0.5])
def test_trim_is_true_or_false(value):
    with pytest.raises(InputError, match="trim must be True, False or None"):
        AudioClassifier(trim=value).fit([Clip(tone(300), RATE)], ["low"])

"""A killed training goes on to the same weights; a study is spread over runs and never repeats a fold."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace

import numpy as np
import pytest
import torch

from conv1d_kit import AudioClassifier
from conv1d_kit.audio.clip import Clip
from conv1d_kit.audio.crossval import cross_validate
from conv1d_kit.audio.dataset import make_folds, read_dataset
from conv1d_kit.audio.synth import make_sounds
from conv1d_kit.errors import DataError

SETTINGS = {"epochs": 3, "width": 4, "n_mels": 32}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    import soundfile as sf

    root = tmp_path_factory.mktemp("set")
    for i, (clip, label) in enumerate(zip(*make_sounds(4, seed=0), strict=True)):
        (root / label).mkdir(exist_ok=True)
        sf.write(root / label / f"{i}.wav", clip.samples.T, clip.sample_rate)
    return root


def weights(model):
    return {k: v.numpy().tobytes() for k, v in model.net_.state_dict().items()}


@pytest.mark.parametrize("net", ["spectrogram", "ensemble"])
def test_an_interrupted_fit_goes_on_to_the_same_weights(net, tmp_path):
    clips, labels = make_sounds(3, seed=0)
    whole = AudioClassifier(net=net, **SETTINGS).fit(clips, labels)
    place, told = tmp_path / "run", []

    def stop(epoch):
        told.append(epoch.number)
        if len(told) == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        AudioClassifier(net=net, **SETTINGS).fit(clips, labels, on_epoch=stop, checkpoint=place)
    again = AudioClassifier(net=net, **SETTINGS).fit(clips, labels, checkpoint=place)
    assert weights(again) == weights(whole)


def test_a_checkpoint_of_other_data_is_refused(tmp_path):
    clips, labels = make_sounds(3, seed=0)
    AudioClassifier(**SETTINGS).fit(clips, labels, checkpoint=tmp_path / "run")
    other = [Clip(c.samples * 0.5, c.sample_rate) for c in clips]
    with pytest.raises(DataError, match="run"):
        AudioClassifier(**SETTINGS).fit(other, labels, checkpoint=tmp_path / "run")


def test_a_killed_train_verb_resumes_to_the_same_bytes(folder, tmp_path):
    def command(out, *more):
        return [sys.executable, "-m", "conv1d_kit", "audio", "train", str(folder), "--out", str(out),
                "--epochs", "12", "--n-mels", "32", *more]  # fmt: skip

    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    killed = subprocess.Popen(command(tmp_path / "a"), env=environment, stderr=subprocess.DEVNULL,
                              stdout=subprocess.DEVNULL)  # fmt: skip
    checkpoint = tmp_path / ".a.checkpoint"
    end, written = time.monotonic() + 60, set()
    while time.monotonic() < end and len(written) < 4:  # before the first epoch and after three
        if checkpoint.exists():
            written.add(checkpoint.stat().st_mtime_ns)
        time.sleep(0.002)
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    assert checkpoint.exists()
    assert not (tmp_path / "a").exists()
    for out, more in ((tmp_path / "a", ["--resume"]), (tmp_path / "b", [])):
        subprocess.run(command(out, *more), env=environment, check=True, capture_output=True)
    assert (tmp_path / "a/weights.safetensors").read_bytes() == (
        tmp_path / "b/weights.safetensors"
    ).read_bytes()
    assert not list(tmp_path.glob(".*.checkpoint*"))


def test_a_study_runs_only_the_folds_that_are_missing(folder, tmp_path):
    table = read_dataset(folder)
    _, folds = make_folds(table, 2)
    estimator, kept = AudioClassifier(**SETTINGS), tmp_path / "kept.jsonl"
    whole = cross_validate(estimator, table, folds, n_jobs=1)
    first = cross_validate(estimator, table, folds, n_jobs=1, results=kept)
    lines = kept.read_text().splitlines()
    kept.write_text(lines[0] + "\n" + lines[1][:40])  # the second was torn by a kill
    told = []
    second = cross_validate(
        estimator, table, folds, n_jobs=1, results=kept, on_epoch=lambda number, epoch: told.append(number)
    )
    assert set(told) == {1}
    assert len([line for line in kept.read_text().splitlines() if line.endswith("}")]) == 2
    for found in (first, second):
        assert [f.probabilities for f in found.folds] == [f.probabilities for f in whole.folds]
    other = cross_validate(AudioClassifier(**{**SETTINGS, "seed": 1}), table, folds, n_jobs=1, results=kept)
    assert other.folds[0].probabilities != whole.folds[0].probabilities  # another study, its own lines
    assert len({json.loads(line)["study"] for line in kept.read_text().splitlines() if line.endswith("}")}) == 2


def test_a_study_with_other_groups_held_out_or_fewer_rows_to_train_on_is_another(folder, tmp_path):
    table = read_dataset(folder)
    _, folds = make_folds(table, 2)
    kept = tmp_path / "kept.jsonl"

    def folds_run(estimator, table, folds):
        told = set()
        cross_validate(
            estimator, table, folds, n_jobs=1, results=kept, on_epoch=lambda number, _: told.add(number)
        )
        return told

    plain = AudioClassifier(**{**SETTINGS, "epochs": 1})
    stopped = AudioClassifier(**{**SETTINGS, "epochs": 1}, patience=1, validation_share=0.5)
    grouped = replace(table, groups=tuple(f"speaker {i}" for i in range(len(table))))
    half = [(train[::2], test) for train, test in folds]
    for estimator, *data in (plain, table, folds), (stopped, table, folds), (plain, table, half):
        assert folds_run(estimator, *data) == {0, 1}
        assert folds_run(estimator, *data) == set()
    assert folds_run(stopped, grouped, folds) == {0, 1}
    assert folds_run(plain, grouped, folds) == set()  # which holds nothing out


def test_probabilities_of_a_fold_are_those_of_its_model(folder):
    table = read_dataset(folder)
    _, folds = make_folds(table, 2)
    found = cross_validate(AudioClassifier(**SETTINGS), table, folds, n_jobs=1).folds[0]
    train, test = folds[0]
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        model = AudioClassifier(**SETTINGS).fit(
            [table.paths[i] for i in train], [table.labels[i] for i in train]
        )
        said = model.predict_proba_features(model.extract([table.paths[i] for i in test], model.frontend_))
    finally:
        torch.set_num_threads(threads)
    assert np.allclose(found.probabilities, said, atol=1e-5)
    assert np.array_equal(np.argmax(found.probabilities, 1), found.predicted)

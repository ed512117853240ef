"""What clips held out of training decide: when to stop, the temperature, where there is no answer."""

import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from sklearn.model_selection import KFold, cross_val_score

from conv1d_kit import AudioClassifier
from conv1d_kit.audio.clip import Clip
from conv1d_kit.audio.export import export_onnx
from conv1d_kit.audio.net_training import NetTraining, logits_of
from conv1d_kit.audio.onnx_runner import OnnxAudioClassifier
from conv1d_kit.audio.synth import make_sounds
from conv1d_kit.errors import DataError, InputError
from conv1d_kit.training.calibration import negative_log_likelihood
from conv1d_kit.training.devices import open_accelerator
from conv1d_kit.training.folds import held_out

SETTINGS = {"epochs": 6, "width": 4, "n_mels": 16, "augment": (), "batch_size": 4}


def _tones(n=24, *, seed=0, mixed=False):
    """Low and high tones, of which `mixed` clips hold both or none."""
    r = np.random.default_rng(seed)
    t = np.arange(2000) / 4000
    clips, labels = [], []
    for i in range(n):
        has = [(i % 2 == 0), (i % 2 == 1)] if not mixed else [(i & 1) > 0, (i & 2) > 0]
        x = 0.003 * r.standard_normal(2000)
        for on, hz in zip(has, (250, 1100), strict=True):
            x += on * 0.3 * np.sin(2 * np.pi * hz * r.uniform(0.95, 1.05) * t)
        clips.append(Clip(x, 4000))
        labels.append(tuple(name for on, name in zip(has, ("low", "high"), strict=True) if on))
    return clips, labels if mixed else [names[0] for names in labels]


def test_early_stopping_keeps_the_weights_of_the_least_held_out_loss():
    clips, labels = make_sounds(5, seed=0)
    r = np.random.default_rng(0)
    labels = r.permutation(labels).tolist()  # nothing can be learned: the held-out loss rises soon
    seen = []

    class Watched(NetTraining):
        def _train(self, net, on_epoch, checkpoint, accelerator, validate=None):
            def score(net):
                seen.append({k: v.clone() for k, v in net.state_dict().items()})
                return validate(net)

            return super()._train(net, on_epoch, checkpoint, accelerator, score)

    model = AudioClassifier(**{**SETTINGS, "epochs": 40}, patience=3, average_decay=0.5, validation_share=0.25)
    frontend = model.make_frontend(clips, labels)
    features = model.extract(clips, frontend)
    targets = np.unique(labels, return_inverse=True)[1]
    run = Watched(features, targets, sorted(set(labels)), frontend, (), 40, model.get_params())
    net = model._fresh_net(frontend, len(set(labels)))
    history = run.run(net)
    scores = [epoch.score for epoch in history.epochs]
    assert len(scores) < 40
    assert len(scores) - history.kept == 3
    assert int(np.argmax(scores)) + 1 == history.kept
    for name, value in net.state_dict().items():
        assert torch.equal(value, seen[history.kept - 1][name]), name


def test_the_clips_that_stop_a_training_take_no_part_in_it():
    """Whatever the held-out clips sound like, the first epoch's weights are the same."""
    clips, labels = _tones(24)
    model = AudioClassifier(**{**SETTINGS, "epochs": 1}, patience=1)
    frontend = model.make_frontend(clips, labels)
    features = model.extract(clips, frontend)
    model.fit_features(features, labels, frontend, groups=[i // 2 for i in range(24)])
    targets = np.unique(labels, return_inverse=True)[1]
    _, held = held_out(targets, 0.2, groups=[i // 2 for i in range(24)], seed=0)
    assert len({i // 2 for i in held}) * 2 == len(held)
    changed = [torch.zeros_like(f) if i in held else f for i, f in enumerate(features)]
    other = AudioClassifier(**{**SETTINGS, "epochs": 1}, patience=1)
    other.fit_features(changed, labels, frontend, groups=[i // 2 for i in range(24)])
    for name, value in model.net_.state_dict().items():
        assert torch.equal(value, other.net_.state_dict()[name]), name


def test_a_checkpoint_whose_held_out_clips_were_others_is_refused(tmp_path):
    """Its scores, which say the epoch to keep, are those of the clips that it held out."""
    clips, labels = _tones(16)
    targets = np.unique(labels, return_inverse=True)[1]
    _, held = held_out(targets, 0.2)
    other = [Clip(c.samples * 0.5, c.sample_rate) if i in held else c for i, c in enumerate(clips)]
    model = AudioClassifier(**{**SETTINGS, "epochs": 1}, patience=1)
    whole = model.fit(clips, labels, checkpoint=tmp_path / "run").history_.epochs
    assert model.fit(clips, labels, checkpoint=tmp_path / "run").history_.epochs == whole
    with pytest.raises(DataError, match="is of another run"):
        model.fit(other, labels, checkpoint=tmp_path / "run")


@pytest.mark.parametrize("net", ["spectrogram", "ensemble"])
def test_the_temperature_is_that_of_a_model_which_never_saw_its_clips(net, tmp_path):
    clips, labels = make_sounds(5, seed=1)
    plain = AudioClassifier(net=net, **SETTINGS).fit(clips, labels)
    model = AudioClassifier(net=net, **SETTINGS, calibration_share=0.25).fit(clips, labels)
    assert model.temperature_ != 1
    logits = np.log(plain.predict_proba(clips)) / model.temperature_
    expected = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    np.testing.assert_allclose(model.predict_proba(clips), expected, atol=2e-5)
    model.save(tmp_path / "m")
    loaded = AudioClassifier.load(tmp_path / "m")
    assert loaded.temperature_ == model.temperature_
    np.testing.assert_array_equal(loaded.predict_proba(clips), model.predict_proba(clips))


def test_a_temperature_mends_what_a_net_that_learned_by_heart_is_too_sure_of():
    clips, labels = make_sounds(12, seed=2)
    r = np.random.default_rng(1)
    labels = [label if r.random() > 0.35 else labels[r.integers(len(labels))] for label in labels]
    settings = {**SETTINGS, "epochs": 40, "dropout": 0.0}
    half = r.permutation(len(clips))
    train, test = half[: 2 * len(half) // 3], half[2 * len(half) // 3 :]
    classes = sorted(set(labels))
    truth = [classes.index(labels[i]) for i in test]
    losses = []
    for share in (None, 0.3):
        model = AudioClassifier(**settings, calibration_share=share)
        model.fit([clips[i] for i in train], [labels[i] for i in train])
        p = model.predict_proba([clips[i] for i in test])
        losses.append(negative_log_likelihood(p / p.sum(1, keepdims=True), truth))
    assert losses[1] < losses[0]
    assert model.temperature_ > 1


def test_below_the_threshold_there_is_no_answer(tmp_path):
    clips, labels = make_sounds(8, seed=3)
    r = np.random.default_rng(1)
    labels = [label if r.random() > 0.3 else labels[r.integers(len(labels))] for label in labels]
    model = AudioClassifier(**{**SETTINGS, "epochs": 12}, calibration_share=0.3, min_accuracy=0.8).fit(
        clips, labels
    )
    threshold = model.threshold_
    assert 0 < threshold.value < 1
    assert threshold.coverage >= 0.1
    model.save(tmp_path / "m")
    for kept in (model, AudioClassifier.load(tmp_path / "m")):
        said = list(kept.predict_each(clips))
        for p in said:
            assert (p.label is None) == (p.score < threshold.value)
            assert ("none of these (below" in p.note) == (p.label is None)
            assert p.score == p.probabilities.max()
        assert set(model.predict(clips)) <= set(labels)  # scikit-learn's scores count every clip


def test_a_threshold_that_cannot_be_had_is_the_surest_and_says_so():
    clips, labels = make_sounds(5, seed=0)
    labels = np.random.default_rng(0).permutation(labels).tolist()
    model = AudioClassifier(**SETTINGS, calibration_share=0.4, min_accuracy=1.0).fit(clips, labels)
    assert model.threshold_.accuracy < 1


def test_several_labels_a_clip_are_learned_saved_exported_and_scored(tmp_path):
    clips, labels = _tones(32, mixed=True)
    model = AudioClassifier(**{**SETTINGS, "epochs": 25}, multi_label=True, class_weight="balanced").fit(
        clips, labels
    )
    p = model.predict_proba(clips)
    assert model.classes_.tolist() == ["high", "low"]
    assert {len(names) for names in labels} == {0, 1, 2}
    assert model.score(clips, labels) > 0.9
    assert model.predict(clips)[3] == ("high", "low")
    assert [x.label for x in model.predict_each(clips)] == [tuple(model.classes_[row > 0.5]) for row in p]
    logits = logits_of(model.net_, model.frontend_, model.extract(clips, model.frontend_))
    np.testing.assert_allclose(p, 1 / (1 + np.exp(-logits.numpy())), atol=1e-6)
    model.save(tmp_path / "m")
    loaded = AudioClassifier.load(tmp_path / "m")
    np.testing.assert_array_equal(loaded.predict_proba(clips), p)
    pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    export_onnx(model, tmp_path / "m.onnx")
    runner = OnnxAudioClassifier(tmp_path / "m.onnx", n_threads=1)
    np.testing.assert_allclose(runner.predict_proba(clips), p, atol=1e-3)  # features here are float16
    assert runner.predict(clips)[3] == ("high", "low")


def test_an_ensemble_of_several_labels_means_its_members_probabilities():
    clips, labels = _tones(16, mixed=True)
    model = AudioClassifier(net="ensemble", **SETTINGS, multi_label=True).fit(clips, labels)
    waves = torch.tensor(np.stack([c.samples for c in clips]))
    with torch.no_grad():
        parts = [net(front(waves[:, 0])).sigmoid() for front, net in model.net_.members]
        whole = model.net_.probabilities(model.net_(waves))
    torch.testing.assert_close(whole, torch.stack(parts).mean(0), atol=1e-5, rtol=1e-5)


def test_scikit_learn_cross_validates_several_labels():
    clips, labels = _tones(16, mixed=True)
    y = np.empty(16, dtype=object)
    y[:] = labels
    X = np.empty(16, dtype=object)
    X[:] = clips
    scores = cross_val_score(AudioClassifier(**{**SETTINGS, "epochs": 2}, multi_label=True), X, y, cv=KFold(2))
    assert scores.shape == (2,)
    assert np.isfinite(scores).all()


def test_the_range_test_finds_a_rate_that_learns_and_keeps_nothing():
    clips, labels = _tones(16)
    model = AudioClassifier(**SETTINGS)
    found = model.find_learning_rate(clips, labels, low=1e-5, high=1.0, n_steps=40, smoothing=0.8)
    assert 1e-5 < found.suggestion < 1
    assert not hasattr(model, "net_")
    again = AudioClassifier(**SETTINGS).find_learning_rate(
        clips, labels, low=1e-5, high=1.0, n_steps=40, smoothing=0.8
    )
    assert again == found
    with pytest.raises(InputError, match="for a range test, got 'ensemble'"):
        AudioClassifier(net="ensemble").find_learning_rate(clips, labels)


def test_one_process_through_an_accelerator_gives_the_same_weights():
    pytest.importorskip("accelerate")
    clips, labels = _tones(16)
    plain = AudioClassifier(**SETTINGS).fit(clips, labels)
    other = AudioClassifier(**SETTINGS).fit(clips, labels, accelerator=open_accelerator())
    for name, value in plain.net_.state_dict().items():
        assert torch.equal(value, other.net_.state_dict()[name]), name


def test_two_processes_end_on_the_same_weights(tmp_path):
    pytest.importorskip("accelerate")
    script = Path(__file__).with_name("parallel_fit.py")
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    done = subprocess.run(
        [*torchrun, script, tmp_path],
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(script.parents[2])}, timeout=200,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    first, second = (load_file(tmp_path / f"{rank}.st") for rank in (0, 1))
    for name, value in first.items():
        assert torch.equal(value, second[name]), name


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"patience": 0}, "patience must be an int >= 1 or None, got 0"),
        ({"validation_share": 0.6}, "validation_share must be a number > 0 and at most 0.5"),
        ({"calibration_share": 0}, "calibration_share must be a number > 0"),
        ({"min_accuracy": 0.9}, "min_accuracy must go with calibration_share"),
        ({"multi_label": "yes"}, "multi_label must be True or False"),
        ({"multi_label": True, "calibration_share": 0.2}, "calibration_share must be None with multi_label"),
        ({"precision": "float16"}, "precision must be one of float32, bfloat16"),
        (
            {"calibration_share": 0.05},
            "calibration_share must leave a row of each class, got 0.05 with 12 rows of class",
        ),
    ],
)
def test_what_cannot_be_asked_for_is_said(wrong, words):
    clips, labels = _tones(24)
    with pytest.raises(InputError, match=words):
        AudioClassifier(**SETTINGS, **wrong).fit(clips, labels)


def test_groups_must_be_one_a_clip():
    clips, labels = _tones(8)
    with pytest.raises(InputError, match=r"groups must be one a clip \(8\), got 2"):
        AudioClassifier(**SETTINGS).fit(clips, labels, groups=["a", "b"])


# --- the verbs ---


def _folder(root, clips, labels):
    import soundfile as sf

    (root / "set").mkdir()
    rows = []
    for i, (clip, label) in enumerate(zip(clips, labels, strict=True)):
        sf.write(root / "set" / f"{i}.wav", clip.samples.T, clip.sample_rate)
        rows.append(f"{i}.wav,{';'.join(label) if isinstance(label, tuple) else label},{i // 2}")
    (root / "set" / "t.csv").write_text("path,label,speaker\n" + "\n".join(rows) + "\n")
    return root / "set" / "t.csv"


def _run(capsys, *arguments):
    from conv1d_kit.cli.main import main

    with pytest.raises(SystemExit) as end:
        main([str(a) for a in arguments])
    out, err = capsys.readouterr()
    return end.value.code, out, err


def test_a_table_of_several_labels_trains_and_predicts(tmp_path, capsys):
    table = _folder(tmp_path, *_tones(24, mixed=True))
    model, out = tmp_path / "m", tmp_path / "p.csv"
    code, said, err = _run(
        capsys, "audio", "train", table, "--out", model, "--multi-label", "--epochs", "15", "--n-mels", "16",
        "--set", "width=4", "--set", "augment=[]", "--json",
    )  # fmt: skip
    assert code == 0, err
    assert json.loads(said)["classes"] == ["high", "low"]
    assert json.loads(said)["n_trained"] == 24  # those without a label teach, too
    code, said, err = _run(capsys, "audio", "predict", model, tmp_path / "set", "--out", out, "--json")
    assert code == 0, err
    rows = list(csv.DictReader(out.read_text("utf-8").splitlines()))
    assert {row["label"] for row in rows} <= {"", "high", "low", "high;low"}
    for row in rows:
        shown = {name for name in ("high", "low") if float(row[f"p_{name}"]) > 0.5}
        assert set(filter(None, row["label"].split(";"))) == shown
    assert sum(json.loads(said)["counts"].values()) >= 24


def test_the_train_verb_says_what_held_out_clips_decided(tmp_path, capsys):
    table = _folder(tmp_path, *_tones(30))
    code, said, err = _run(
        capsys, "audio", "train", table, "--out", tmp_path / "m", "--epochs", "8", "--n-mels", "16",
        "--patience", "3", "--calibration-share", "0.2", "--min-accuracy", "0.9", "--group", "speaker",
        "--cache", tmp_path / "cache", "--set", "width=4", "--json",
    )  # fmt: skip
    assert code == 0, err
    result = json.loads(said)
    assert 1 <= result["kept_epoch"] <= 8
    assert result["temperature"] > 0
    assert result["threshold"] is not None
    assert "the weights of epoch" in err
    assert "none of these below" in err
    assert list((tmp_path / "cache").glob("*.bin"))


def test_the_train_verb_counts_the_epochs_that_were_run(tmp_path, capsys):
    """Labels of chance: the held-out loss soon rises, and training ends long before the epochs planned."""
    clips, labels = _tones(24)
    table = _folder(tmp_path, clips, list(np.random.default_rng(0).permutation(labels)))
    code, said, err = _run(
        capsys, "audio", "train", table, "--out", tmp_path / "m", "--epochs", "60", "--n-mels", "16",
        "--patience", "1", "--set", "width=4", "--set", "learning_rate=0.02", "--json",
    )  # fmt: skip
    assert code == 0, err
    result = json.loads(said)
    assert result["epochs"] == result["kept_epoch"] + 1 < 60
    assert f"the weights of epoch {result['kept_epoch']} of {result['epochs']} are kept" in err


def test_the_rates_verb_suggests_and_draws(tmp_path, capsys):
    table = _folder(tmp_path, *_tones(16))
    code, said, err = _run(
        capsys, "audio", "rates", table, "--steps", "30", "--n-mels", "16", "--set", "width=4",
        "--set", "batch_size=4", "--svg", tmp_path / "r.svg", "--json",
    )  # fmt: skip
    assert code == 0, err
    result = json.loads(said)
    assert result["suggestion"] in result["rates"]
    assert "falls fastest" in (tmp_path / "r.svg").read_text() or (tmp_path / "r.svg").stat().st_size > 1000


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--min-accuracy", "0.9"], "--min-accuracy must go with calibration_share"),
        (["--patience", "0"], "--patience must be an int >= 1"),
        (["--set", "patiens=3"], "did you mean patience?"),
        (["--set", "dropout=2"], "--set dropout must be a number in [0, 1), got 2"),
        (["--multi-label", "--calibration-share", "0.2"], "--calibration-share must be None with multi_label"),
    ],
)
def test_wrong_options_of_the_verb_give_one_line(arguments, words, tmp_path, capsys):
    table = _folder(tmp_path, *_tones(8))
    code, _, err = _run(capsys, "audio", "train", table, "--out", tmp_path / "m", *arguments)
    assert code == 2
    errors = [line for line in err.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1
    assert words in errors[0]


def test_cross_validation_of_several_labels_is_refused(tmp_path, capsys):
    table = _folder(tmp_path, *_tones(16, mixed=False))
    code, _, err = _run(capsys, "audio", "cv", table, "--set", "multi_label=true")
    assert code == 2
    assert "multi_label must be False" in err

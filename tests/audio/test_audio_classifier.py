"""AudioClassifier: a scikit-learn estimator on Clips or paths that repeats, saves, and survives bad files."""

import json

import numpy as np
import pytest
import soundfile as sf
import torch
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import cross_val_score

from conv1d_kit.audio.classifier import AudioClassifier
from conv1d_kit.audio.clip import Clip
from conv1d_kit.audio.crossval import cross_validate
from conv1d_kit.audio.dataset import make_folds, read_dataset
from conv1d_kit.errors import DataError, InputError, InputTypeError, ModelError

RATE = 4000
SMALL = {"epochs": 10, "n_mels": 16, "width": 8, "augment": ("roll", "gain")}


def _clips(n=8, seed=0):
    """Low tones, high tones and noise, 0.1 to 0.6 s."""
    r = np.random.default_rng(seed)
    clips, labels = [], []
    for i in range(3 * n):
        t = np.arange(int(RATE * r.uniform(0.1, 0.6))) / RATE
        kind = i % 3
        x = (
            np.sin(2 * np.pi * (200, 1200)[kind] * r.uniform(0.9, 1.1) * t)
            if kind < 2
            else r.standard_normal(len(t))
        )
        clips.append(Clip(0.3 * x, RATE))
        labels.append(("low", "high", "noise")[kind])
    return clips, labels


@pytest.fixture(scope="module")
def data():
    return _clips()


@pytest.fixture(scope="module")
def model(data):
    return AudioClassifier(**SMALL).fit(*data)


@pytest.fixture
def files(tmp_path):
    clips, labels = _clips(4)
    for i, (clip, label) in enumerate(zip(clips, labels, strict=True)):
        (tmp_path / "set" / label).mkdir(parents=True, exist_ok=True)
        sf.write(tmp_path / "set" / label / f"{i}.wav", clip.samples[0], RATE)
    return tmp_path / "set"


def test_it_learns_what_a_child_can_hear(model):
    clips, labels = _clips(seed=1)
    assert model.score(clips, labels) >= 0.9


def test_fitted_attributes_are_there(model):
    assert model.classes_.tolist() == ["high", "low", "noise"]
    assert len(model.history_.epochs) == 10
    assert model.sample_rate_ == RATE
    assert (model.n_skipped_, model.skipped_) == (0, [])
    assert not model.net_.training


def test_probabilities_sum_to_one_and_agree_with_predict(model, data):
    p = model.predict_proba(data[0])
    assert p.shape == (24, 3)
    np.testing.assert_allclose(p.sum(1), 1, atol=1e-5)
    assert (model.classes_[p.argmax(1)] == model.predict(data[0])).all()
    assert model.predict_proba([]).shape == (0, 3)


def test_a_clip_gives_alone_what_it_gives_among_others(model, data):
    together = model.predict_proba(data[0])
    alone = np.concatenate([model.predict_proba([c]) for c in data[0]])
    np.testing.assert_allclose(together, alone, atol=1e-5)


def test_the_net_is_called_as_documented(model, data):
    clip = data[0][0]
    with torch.no_grad():
        x = model.frontend_(torch.tensor(clip.samples))
        p = model.net_(x, model.frontend_.lengths(torch.tensor([clip.n_samples]))).softmax(1).numpy()
    np.testing.assert_allclose(p, model.predict_proba([clip]), atol=2e-2)  # features are kept as float16


def test_the_same_seed_gives_the_same_model_and_another_seed_another(data):
    few = {**SMALL, "epochs": 2}
    a, b, c = (AudioClassifier(**few, seed=s).fit(*data).predict_proba(data[0]) for s in (3, 3, 4))
    np.testing.assert_array_equal(a, b)
    assert not np.array_equal(a, c)


def test_training_leaves_torchs_global_generator_alone(data):
    torch.manual_seed(0)
    expected = torch.rand(3)
    torch.manual_seed(0)
    AudioClassifier(**{**SMALL, "epochs": 1}).fit(*data)
    assert torch.equal(torch.rand(3), expected)


def test_it_clones_and_cross_validates_as_a_scikit_learn_estimator(data):
    estimator = AudioClassifier(**SMALL, seed=5)
    twin = clone(estimator)
    assert twin.get_params() == estimator.get_params()
    assert twin.set_params(epochs=3).epochs == 3
    scores = cross_val_score(twin, data[0], data[1], cv=2)
    assert scores.shape == (2,)


def test_integer_labels_come_back_as_integers(data, tmp_path):
    y = [{"low": 2, "high": 7, "noise": -1}[v] for v in data[1]]
    fitted = AudioClassifier(**{**SMALL, "epochs": 1}).fit(data[0], y)
    assert fitted.classes_.tolist() == [-1, 2, 7]
    fitted.save(tmp_path / "m")
    assert AudioClassifier.load(tmp_path / "m").predict(data[0]).dtype == fitted.predict(data[0]).dtype


@pytest.mark.parametrize("net", ["spectrogram", "wave", "filterbank"])
def test_save_and_load_keep_every_probability(net, data, tmp_path):
    fitted = AudioClassifier(**{**SMALL, "epochs": 1}, net=net).fit(*data)
    fitted.save(tmp_path / "model")
    again = AudioClassifier.load(tmp_path / "model")
    np.testing.assert_array_equal(fitted.predict_proba(data[0]), again.predict_proba(data[0]))
    assert again.get_params() == fitted.get_params()
    assert again.classes_.tolist() == fitted.classes_.tolist()


def test_a_damaged_model_folder_is_refused(model, tmp_path):
    model.save(tmp_path / "m")
    place = tmp_path / "m/config.json"
    config = json.loads(place.read_text())
    for change in ({"classes": ["only"]}, {"net": {}}, {"frontend": {"name": "evil", "options": {}}},
                   {"parameters": {**config["parameters"], "net": "os.system"}}):  # fmt: skip
        place.write_text(json.dumps({**config, **change}))
        with pytest.raises(ModelError, match="do not fit together"):
            AudioClassifier.load(tmp_path / "m")
    with pytest.raises(ModelError, match="not a model folder"):
        AudioClassifier.load(tmp_path)


def test_bad_files_are_left_out_of_training_and_told(files, tmp_path):
    (files / "low/empty.wav").touch()
    sf.write(files / "high/nan.wav", np.full(100, np.nan), RATE, subtype="FLOAT")
    table = read_dataset(files)
    fitted = AudioClassifier(**{**SMALL, "epochs": 1}).fit(list(table.paths), list(table.labels))
    assert fitted.n_skipped_ == 2
    assert sorted(reason.split(": ")[1].split(" (")[0] for _, reason in fitted.skipped_) == [
        "holds nan",
        "zero-length file",
    ]
    with pytest.raises(DataError, match=r"nan\.wav: holds nan"):
        fitted.predict(list(table.paths))
    rows = list(fitted.predict_each(list(table.paths)))
    assert [r.path for r in rows] == list(table.paths)
    assert sum(bool(r.error) for r in rows) == 2
    assert all((r.probabilities is None) == bool(r.error) for r in rows)


def test_an_array_among_the_clips_is_refused_by_name(model):
    with pytest.raises(InputTypeError, match=r"X must hold Clips or paths, got ndarray; try Clip\(samples"):
        list(model.predict_each(iter([np.zeros(100, np.float32)])))


def test_files_that_leave_too_little_are_refused(tmp_path):
    (tmp_path / "a.wav").touch()
    with pytest.raises(DataError, match="none of the 1 files"):
        AudioClassifier(**SMALL).fit([tmp_path / "a.wav"], ["x"])
    with pytest.raises(DataError, match="none of the 1 files can be read"):
        AudioClassifier(**SMALL, sample_rate=8000).fit([tmp_path / "a.wav"], ["x"])
    with pytest.raises(DataError, match="at least two classes"):
        AudioClassifier(**SMALL).fit([Clip(np.ones(9), 8000)] * 2, ["x", "x"])


def test_silence_and_clips_shorter_than_a_window_train_and_predict():
    clips = [Clip(np.zeros(n), 8000) for n in (1, 5, 400)] + [Clip(np.ones(n) * 0.1, 8000) for n in (1, 3, 900)]
    fitted = AudioClassifier(
        **{**SMALL, "augment": ("speed", "roll", "gain", "mix", "masks"), "epochs": 2}
    ).fit(clips, ["silent"] * 3 + ["on"] * 3)
    assert np.isfinite(fitted.predict_proba(clips)).all()


def test_other_rates_and_channels_are_brought_to_the_models(model):
    t = np.arange(22050) / 44100
    x = 0.3 * np.sin(2 * np.pi * 1200 * t)
    assert model.predict([Clip(np.stack([x, x]), 44100)]).tolist() == ["high"]


def test_a_long_clip_is_heard_in_stretches_and_the_answers_averaged(model):
    t = np.arange(70 * RATE) / RATE
    clip = Clip(0.3 * np.sin(2 * np.pi * 200 * t), RATE)
    (heard,) = model._hearing().each([clip])
    parts = [model.frontend_.lengths(torch.tensor(s * RATE)) for s in (30, 30, 10)]
    assert (heard.n_samples, heard.mass) == (70 * RATE, sum(parts))
    assert model.predict([clip]).tolist() == ["low"]


def test_arguments_that_cannot_be_used_are_refused(data):
    with pytest.raises(InputError, match="net must be one of"):
        AudioClassifier(net="resnet").fit(*data)
    with pytest.raises(InputError, match="augment"):
        AudioClassifier(augment=("flip",)).fit(*data)
    with pytest.raises(InputError, match="epochs must be"):
        AudioClassifier(epochs=0).fit(*data)
    with pytest.raises(InputError, match="one label a clip"):
        AudioClassifier().fit(data[0], data[1][:-1])
    with pytest.raises(InputTypeError, match=r"Clip\(samples, sample_rate\)"):
        AudioClassifier().fit([np.zeros(100)], ["a"])
    with pytest.raises(InputTypeError, match=r"try \[X\]"):
        AudioClassifier().fit("a.wav", ["a"])


def test_cross_validation_gives_the_same_figures_in_turn_and_side_by_side(files):
    (files / "low/empty.wav").touch()
    table = read_dataset(files)
    _, folds = make_folds(table, 2)
    heard = []
    runs = [
        cross_validate(AudioClassifier(**{**SMALL, "epochs": 4}), table, folds, n_jobs=n,
                       on_epoch=lambda fold, epoch: heard.append((fold, epoch.number)))
        for n in (1, 2)
    ]  # fmt: skip
    assert [f.predicted for f in runs[0].folds] == [f.predicted for f in runs[1].folds]
    assert sorted(heard) == sorted([(f, e) for f in (0, 1) for e in (1, 2, 3, 4)] * 2)
    assert runs[0].confusion.sum() == 12
    assert [path.rsplit("/", 1)[1] for path, _ in runs[0].skipped] == ["empty.wav"]
    low, high = runs[0].interval
    assert 0 <= low <= runs[0].accuracy <= high <= 1


def test_before_fit_scikit_learns_own_error_is_raised(data):
    for verb in ("predict", "predict_proba"):
        with pytest.raises(NotFittedError):
            getattr(AudioClassifier(), verb)(data[0])
    with pytest.raises(NotFittedError):
        AudioClassifier().score(*data)


def test_numpys_numbers_are_taken_and_saved(data, tmp_path):
    model = AudioClassifier(
        epochs=np.int64(1), width=np.int64(8), n_mels=np.int64(16), seed=np.int64(3), batch_size=np.int32(4),
        dropout=np.float32(0.25), learning_rate=np.float64(1e-3), sample_rate=np.int64(RATE),
        n_threads=np.int8(1), augment=np.array(["roll"]),
    ).fit(*data)  # fmt: skip
    model.save(tmp_path / "m")
    again = AudioClassifier.load(tmp_path / "m")
    np.testing.assert_array_equal(model.predict_proba(data[0]), again.predict_proba(data[0]))


@pytest.mark.parametrize(
    "wrong",
    [
        {"dropout": 2}, {"dropout": 1.0}, {"dropout": None}, {"learning_rate": -1},
        {"learning_rate": float("nan")}, {"learning_rate": float("inf")}, {"weight_decay": -1},
        {"augment": "roll"}, {"label_smoothing": 1}, {"class_weight": "rare"}, {"frontend": "mel"},
        {"augment": (3,)}, {"seed": "x"}, {"seed": -1}, {"seed": 10**22}, {"seed": True}, {"average_decay": 1},
        {"sample_rate": 10**9}, {"width": 0},
    ],
)  # fmt: skip
def test_a_parameter_that_cannot_be_used_is_named(data, wrong):
    with pytest.raises(InputError, match=f"^{next(iter(wrong))} must "):
        AudioClassifier(**{**SMALL, **wrong}).fit(*data)


def test_silence_and_short_clips_are_named(model):
    r = np.random.default_rng(0)
    clips = [Clip(0.1 * r.standard_normal(n), RATE) for n in (900, 900, 100)]
    clips += [Clip(np.zeros(n), RATE) for n in (900, 100)]
    fitted = AudioClassifier(**{**SMALL, "epochs": 1}).fit(clips, ["a", "b", "a", "b", "a"])
    assert fitted.silent_ == [repr(c) for c in clips[3:]]
    assert fitted.short_ == [repr(clips[2]), repr(clips[4])]
    assert [p.note for p in model.predict_each(clips)] == [
        "", "", "shorter than one window of 32 ms", "silent", "silent; shorter than one window of 32 ms",
    ]  # fmt: skip
    with pytest.raises(DataError, match="every clip is silent"):
        AudioClassifier(**SMALL).fit(clips[3:], ["a", "b"])


def test_a_class_that_no_file_is_left_of_is_said_with_the_file(tmp_path):
    (tmp_path / "a.wav").write_text("x")
    sf.write(tmp_path / "b.wav", np.ones(100) / 2, RATE)
    with pytest.raises(DataError, match=r"only clips of the class 'b' can be used.*a\.wav: not a readable"):
        AudioClassifier(**SMALL).fit([tmp_path / "a.wav", tmp_path / "b.wav"], ["a", "b"])


def test_weights_that_do_not_fit_are_named(model, tmp_path):
    model.save(tmp_path / "m")
    place = tmp_path / "m/config.json"
    config = json.loads(place.read_text())
    config["parameters"]["width"] = 16
    place.write_text(json.dumps(config))
    with pytest.raises(ModelError, match=r"Error\(s\) in loading state_dict .*size mismatch for stem\.weight"):
        AudioClassifier.load(tmp_path / "m")


def test_a_pass_of_the_net_holds_a_bounded_time_of_sound(model, monkeypatch):
    seen = []
    forward = model.net_.forward
    monkeypatch.setattr(model.net_, "forward", lambda x, n: seen.append(x.shape) or forward(x, n))
    clips = [Clip(np.ones(n * RATE) / 2, RATE) for n in (95, 70, 1, 1, 1)]
    answers = list(model.predict_each(clips))
    assert len(answers) == 5
    assert max(rows * frames for rows, _, frames in seen) <= 80 * 100 + 1  # s · frames a second
    assert max(frames for _, _, frames in seen) <= 30 * 100 + 1
    assert len(seen) >= 3


def test_the_classifier_hears_the_convolution_that_the_kit_is_built_on(model, data):
    """Its features come by FFT; here they are held against the same front-end as one strided convolution."""
    for clip, fast in zip(data[0], model.extract(data[0], model.frontend_), strict=True):
        slow = model.frontend_(torch.tensor(clip.samples), method="conv")[0]
        torch.testing.assert_close(fast.float(), slow, atol=0.01, rtol=1e-3)  # kept as float16

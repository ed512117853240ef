"""The page's figures are those of the metrics; it stands whatever was predicted, and fetches nothing."""

import numpy as np
import pytest

from conv1d_kit.audio.clip import Clip
from conv1d_kit.audio.inspect import Finding
from conv1d_kit.report import audio_cv_page as module
from conv1d_kit.report.audio_cv_page import audio_cv_page, cv_figures
from conv1d_kit.report.findings import findings_blocks
from conv1d_kit.report.page import Section, render
from conv1d_kit.training.bootstrap import accuracy_of, bootstrap_interval, grouped_tallies
from conv1d_kit.training.calibration import calibration_error
from conv1d_kit.training.metrics import mean_interval
from conv1d_kit.training.predictions import Predictions


@pytest.fixture(autouse=True)
def _few_pictures(monkeypatch):
    monkeypatch.setattr(module, "MISTAKES", 2)


def _said(n=120, n_classes=3, n_folds=4, right=0.8, seed=0):
    r = np.random.default_rng(seed)
    t = np.arange(n) % n_classes
    z = r.normal(size=(n, n_classes))
    z[np.arange(n), t] += np.where(r.random(n) < right, 3, -1)
    p = np.exp(2 * z) / np.exp(2 * z).sum(1, keepdims=True)
    classes = tuple(f"<class {i}>" for i in range(n_classes))
    return Predictions(
        classes, tuple(f"/sounds/{i}.wav" for i in range(n)), tuple(classes[i] for i in t), p,
        tuple(f"s{i // 6}" for i in range(n)), tuple((i // 6) % n_folds for i in range(n)),
    )  # fmt: skip


def _clip(path):
    return Clip(0.1 * np.sin(np.arange(2000) * 0.3), 8000)


def test_figures_are_those_of_the_metrics():
    said = _said()
    f = cv_figures(said)
    assert f["accuracy"] == pytest.approx(np.mean(said.fold_accuracies()))
    mean, half = mean_interval(said.fold_accuracies(), test_share=1 / 3)
    assert f["fold_interval"] == pytest.approx((mean - half, min(1, mean + half)))
    counts = grouped_tallies(said.targets, said.predicted, 3, said.groups)
    assert f["n_groups"] == 20
    i = bootstrap_interval(accuracy_of, counts)
    assert f["group_interval"] == (i.low, i.high)
    assert f["ece"] == pytest.approx(calibration_error(said.probabilities, said.targets))
    assert f["tempered_nll"] < f["nll"]
    assert len(f["temperatures"]) == 4


def test_with_several_seeds_answers_are_not_called_clips():
    one = _said(60)
    twice = Predictions(
        one.classes, one.paths * 2, one.labels * 2, np.concatenate([one.probabilities] * 2), one.groups * 2,
        one.folds * 2, (0,) * 60 + (1,) * 60,
    )  # fmt: skip
    for said, word in ((one, "Clips"), (twice, "Answers")):
        page = render(audio_cv_page(said, source="x", read=_clip))
        assert page.count(f">{word}</th>") == 2, word  # by class, and the confusions
    wrong = len({one.paths[i] for i in np.flatnonzero(one.predicted != one.targets)})
    assert f"The most confident wrong answers, one a clip, 2 of {wrong}: " in page


def test_the_page_says_them():
    said = _said()
    page = render(audio_cv_page(said, source="birds.csv", read=_clip))
    for words in (
        "birds.csv: ",
        "By class",
        "Can its confidence be believed?",
        "None of these",
        "worst mistakes",
    ):
        assert words in page
    assert "<class" not in page
    assert "&lt;class 0&gt;" in page
    assert page.count("<audio") == 2
    assert "http" not in page.replace("http://www.w3.org", "")
    assert "The data" not in page


def test_findings_stand_on_the_page():
    found = [Finding("silent", "warning", (("a.wav",), ("b.wav",)), "2 files: hold nothing", "remove them")]
    page = render(audio_cv_page(_said(), findings=found, read=_clip))
    assert "2 files: hold nothing" in page
    assert "silent: 2 cases" in page
    many = Finding("clipped", "note", tuple((f"{i}.wav",) for i in range(300)), "300 files", "turn down")
    assert "and 100 more" in Section("x", findings_blocks([many])).html()
    assert "Nothing:" in Section("x", findings_blocks([])).html()


def test_nothing_wrong_one_fold_one_group_and_missing_sounds():
    perfect = _said(right=1.0)
    p = np.eye(3)[perfect.targets] * 0.9 + 0.1 / 3
    perfect = Predictions(perfect.classes, perfect.paths, perfect.labels, p, perfect.groups, perfect.folds)
    page = render(audio_cv_page(perfect, read=_clip))
    assert "every answer was right" in page
    assert "No answer was wrong" in page
    assert cv_figures(perfect)["group_interval"][0] == pytest.approx(0.839, abs=1e-3)  # Wilson's for 20 of 20
    one = _said(n_folds=1)
    assert cv_figures(one)["fold_interval"] is None
    assert "one fold only" in render(audio_cv_page(one, read=_clip))
    page = render(audio_cv_page(_said(12)))  # the files are nowhere
    assert "no such file" in page
    alone = Predictions(("a", "b"), ("x",), ("a",), [[0.2, 0.8]])
    assert cv_figures(alone)["group_interval"] is None
    assert "0.0" in render(audio_cv_page(alone, read=_clip))


def test_a_class_that_never_occurs_and_many_classes():
    r = np.random.default_rng(0)
    classes = tuple(f"bird {i:03d}" for i in range(70))
    labels = tuple(classes[i % 69] for i in range(200))
    said = Predictions(classes, tuple(map(str, range(200))), labels, r.dirichlet(np.ones(70), 200),
                       folds=tuple(i % 2 for i in range(200)))  # fmt: skip
    page = render(audio_cv_page(said, read=_clip))
    assert "bird 069" in page
    assert "Confusion matrix" not in page


def test_seeds_of_one_clip_count_as_one_group_and_one_mistake():
    said = _said(30)
    twice = Predictions(
        said.classes, said.paths * 2, said.labels * 2, np.concatenate([said.probabilities] * 2),
        said.groups * 2, said.folds * 2, (0,) * 30 + (1,) * 30,
    )  # fmt: skip
    a, b = cv_figures(said), cv_figures(twice)
    assert b["n_seeds"] == 2
    assert a["group_interval"] == pytest.approx(b["group_interval"])
    n_wrong = int((said.predicted != said.targets).sum())
    assert render(audio_cv_page(twice, read=_clip)).count("<audio") == min(2, n_wrong)

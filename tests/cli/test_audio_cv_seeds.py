"""`audio cv --seeds`: what it prints, its JSON object and its page are of the same answers."""

import json
from dataclasses import replace

import numpy as np
import pytest
import soundfile as sf

from conv1d_kit.audio import crossval
from conv1d_kit.audio.crossval import cross_validate
from conv1d_kit.report.audio_cv_page import cv_figures
from conv1d_kit.training.metrics import mean_interval
from conv1d_kit.training.predictions import Predictions

RATE = 4000


@pytest.fixture
def clips(tmp_path):
    r = np.random.default_rng(0)
    rows = ["path,label,fold"]
    for i in range(24):
        sf.write(tmp_path / f"{i}.wav", 0.1 * r.normal(size=RATE // 4), RATE)
        rows.append(f"{i}.wav,{'ab'[i % 2]},{i // 6}")
    (tmp_path / "clips.csv").write_text("\n".join(rows) + "\n")
    return tmp_path / "clips.csv"


def test_accuracy_folds_and_interval_are_of_all_seeds(call, clips, tmp_path):
    usual = ["audio", "cv", clips, "--net", "depthwise", "--epochs", 2, "--jobs", 1, "--seeds", 2]
    usual += ["--results", tmp_path / "r.jsonl", "--predictions", tmp_path / "p.jsonl"]
    code, out, err = call(*usual, "--json")
    assert code == 0, err
    said = json.loads(out)
    kept = map(json.loads, (tmp_path / "r.jsonl").read_text().splitlines())
    by_seed = np.reshape([fold["n_correct"] / fold["n_test"] for fold in kept], (2, 4))
    folds = by_seed.mean(0)
    assert not np.allclose(*by_seed)  # else the seeds tell nothing
    assert said["accuracy"] == pytest.approx(by_seed.mean())
    assert said["by_seed"] == pytest.approx({"0": by_seed[0].mean(), "1": by_seed[1].mean()})
    assert said["folds"] == pytest.approx(folds)
    mean, half = mean_interval(folds.tolist(), test_share=1 / 3)
    interval = (max(0, mean - half), min(1, mean + half))
    assert said["interval"] == pytest.approx(interval)
    figures = cv_figures(Predictions.load(tmp_path / "p.jsonl"))
    assert (figures["accuracy"], figures["fold_interval"]) == (
        pytest.approx(said["accuracy"]),
        pytest.approx(interval),
    )
    code, out, err = call(*usual)
    assert code == 0, err
    out = " ".join(out.split())
    assert f"accuracy {mean:.4f}, 95 % interval {interval[0]:.4f} to {interval[1]:.4f}, 4 folds" in out
    assert f"mean of 2 seeds (0: {by_seed[0].mean():.4f}, 1: {by_seed[1].mean():.4f})" in out
    assert "the tables are of seed 0" in out


def test_the_seconds_told_are_those_of_all_seeds(call, clips, monkeypatch):
    def ten_seconds(*given, **options):
        return replace(cross_validate(*given, **options), seconds=10.0)

    monkeypatch.setattr(crossval, "cross_validate", ten_seconds)
    usual = ["audio", "cv", clips, "--net", "depthwise", "--epochs", 1, "--jobs", 1, "--seeds", 2]
    code, out, err = call(*usual, "--json")
    assert code == 0, err
    assert json.loads(out)["seconds"] == 20
    assert "4 folds, 20 s" in " ".join(call(*usual)[1].split())

"""Accuracy of the audio nets on ESC-10 and FSDD: folds in audio_folds.jsonl, figures in audio_cv.json.

Run from the repository's root: `python -m benchmarks.audio_cv [STUDY …]`. Folds that audio_folds.jsonl holds
are not run again, so that a study can be spread over many runs; the figures of the studies named (default:
all) are written anew, the others stay. Every training ends on its last epoch's average of weights. Settings
were compared on models that left out two folds of ESC-10 (1 and 2, 3 and 4; 5 and 1 as a check) or two speakers
of FSDD (all six, in three pairs), so that those folds had a say in settings though never in weights.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from conv1d_kit.audio.classifier import AudioClassifier
from conv1d_kit.audio.crossval import CrossValidation, FoldResult, cross_validate, interval_over
from conv1d_kit.audio.dataset import AudioTable, make_folds, read_dataset
from conv1d_kit.training.processes import n_cores

from .fsdd_manifest import rows

HERE = Path(__file__).parent
DATA = Path("../shared/data")
FOLDS, JUDGED = HERE / "audio_folds.jsonl", HERE / "audio_cv.json"


@dataclass(frozen=True)
class Study:
    """One net on one way of splitting a set; `column` of FSDD's table, or None for ESC-10's own folds."""

    settings: Mapping[str, Any]
    command: str
    column: str | None = None
    test_fold: str | None = None
    seeds: int = 1
    notes: str = ""

    def table(self) -> AudioTable:
        """Paths, labels and fold values."""
        if self.column is None:
            return read_dataset(DATA / "esc10")
        found = rows(DATA / "fsdd")
        at = {"split": 2, "speaker": 3}[self.column]
        paths, labels, folds = (tuple(r[i] for r in found) for i in (0, 1, at))
        return AudioTable(str(DATA / "fsdd"), paths, labels, folds, fold_name=self.column)


FSDD = "python benchmarks/fsdd_manifest.py ../shared/data/fsdd fsdd.csv; conv1d-kit audio cv fsdd.csv "
STUDIES = {
    "ESC-10": Study(
        {"net": "environment"}, f"conv1d-kit audio cv {DATA}/esc10 --net environment",
        seeds=3,
        notes="two CNNs and a texture net; settings were compared on folds 1 to 4, nothing was on fold 5",
    ),
    "ESC-10/samples": Study(
        {"net": "residual", "frontend": "gabor", "sample_rate": 20000, "frontend_options": {"n_filters": 80},
         "trim": True},
        f"conv1d-kit audio cv {DATA}/esc10 --net residual --frontend gabor --sample-rate 20000 "
        """--set 'frontend_options={"n_filters": 80}' --set trim=true""",
        seeds=2,
        notes="samples in, every layer learned; settings were compared on folds 1 to 4, nothing was on fold 5; "
        "the second seed's seconds were spent beside other work",
    ),
    "FSDD": Study(
        {"net": "depthwise", "epochs": 40}, FSDD + "--folds split --test-fold test --net depthwise --epochs 40",
        "split", "test", notes="a causal net of 75,274 weights; settings looked at once on takes 5 to 9",
    ),
    "FSDD/speakers": Study(
        {"net": "voices", "epochs": 30, "n_seeds": 2},
        FSDD + "--folds speaker --net voices --epochs 30 --set n_seeds=2", "speaker",
        notes="each speaker unheard in turn; settings were compared on models that left out two of the six",
    ),
}  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("study", nargs="*", default=list(STUDIES), help=f"of {', '.join(STUDIES)}")
    parser.add_argument("--jobs", type=int, default=n_cores(), help="folds at a time, one thread each")
    parser.add_argument("--seeds", type=int, help="fewer or more than the study has")
    a = parser.parse_args()
    unknown = set(a.study) - set(STUDIES)
    if unknown:
        parser.error(f"study must be of {', '.join(STUDIES)}, got {', '.join(sorted(unknown))}")
    for name in a.study:
        record = run(STUDIES[name], a.seeds or STUDIES[name].seeds, a.jobs)
        found = json.loads(JUDGED.read_text("utf-8")) if JUDGED.exists() else {}
        found[name] = record
        JUDGED.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n", "utf-8")
        score, low, high = (f"{100 * v:.2f}" for v in (record["accuracy"], *record["interval"]))
        print(f"{name}: {score} % ({low} to {high}), worst fold {100 * min(record['folds'].values()):.2f} %")


def run(study: Study, seeds: int, jobs: int) -> dict[str, Any]:
    """The folds of every seed that are missing, and what all of them say."""
    table = study.table()
    rule = "esc" if study.column is None else "column"
    _, parts = make_folds(table, rule, test_fold=study.test_fold)

    def tell(fold: FoldResult) -> None:
        print(f"fold {fold.number + 1}: {100 * fold.accuracy:.2f} %, {fold.seconds:.0f} s", flush=True)

    found = [
        cross_validate(
            AudioClassifier(**study.settings, seed=seed), table, parts, n_jobs=jobs, results=FOLDS, on_fold=tell
        )
        for seed in range(seeds)
    ]
    values = [study.test_fold] if study.test_fold else sorted(set(table.folds or "12345"))
    return judged(study, found, values, table.labels)


def judged(study: Study, found: list[CrossValidation], values: list, labels: Sequence[str]) -> dict[str, Any]:
    """Mean over seeds and folds; the interval over folds, each the mean of its seeds; and all seeds as one."""
    each = np.array([[f.accuracy for f in one.folds] for one in found])  # (seeds, folds)
    by_fold = each.mean(0)
    first = found[0].folds
    joined = [_joined([one.folds[i] for one in found], labels, found[0].classes) for i in range(len(first))]
    return {
        "command": study.command,
        "notes": study.notes,
        "accuracy": float(each.mean()),
        "interval": list(interval_over(by_fold.tolist(), first)),
        "by_seed": each.mean(1).tolist(),
        "seeds_joined": {"accuracy": float(np.mean(joined)), "interval": list(interval_over(joined, first))},
        "folds": dict(zip(map(str, values), by_fold.tolist(), strict=True)),
        "fold_seconds": [[round(f.seconds, 1) for f in one.folds] for one in found],
        "n_test": [f.n_test for f in first],
        "epochs": found[0].epochs,
        "sample_rate": found[0].sample_rate,
        "classes": found[0].classes,
        "confusion": np.sum([one.confusion for one in found], 0).tolist(),
    }


def _joined(seeds: Sequence[FoldResult], labels: Sequence[str], classes: Sequence[str]) -> float:
    """A fold's accuracy by the mean of the probabilities: what a model with as many n_seeds would say."""
    said = np.mean([one.probabilities for one in seeds], 0).argmax(1)
    return float(np.mean([classes[c] == labels[row] for c, row in zip(said, seeds[0].rows, strict=True)]))


if __name__ == "__main__":
    main()

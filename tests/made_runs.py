"""Made-up runs of `text sweep`, with chosen skills and folds, for the tests of comparing."""

from __future__ import annotations

import numpy as np

from conv1d_kit.text.runs import RunRecord, digest, pack_labels

CLASSES = ["a", "b", "c"]


def made_runs(
    skills: dict[str, float],
    *,
    configs: dict[str, dict] | None = None,
    folds: int = 5,
    repeats: int = 1,
    seeds: tuple[int, ...] = (0,),
    n_test: int = 40,
    n_classes: int = 3,
    fixed: bool = False,
    group: str = "",
    drawn: bool = False,
    seed: int = 0,
) -> list[RunRecord]:
    """Runs of configurations, each right on a row with its probability; what is hard is so for all of them."""
    rng = np.random.default_rng(seed)
    n_folds, repeats = (1, 1) if fixed else (folds, repeats)
    classes = CLASSES[:n_classes] if n_classes <= 3 else [f"c{i:03d}" for i in range(n_classes)]
    rule = {"test": "f00d" * 4} if fixed else {"folds": folds, "seed": 0}
    study = {"repeats": repeats, "seeds": list(seeds), "configurations": len(skills), "drawn": drawn}
    runs = []
    for repeat in range(repeats):
        for fold in range(n_folds):
            targets = rng.integers(0, n_classes, n_test)
            hard = rng.random(n_test)
            for s in seeds:
                for name, skill in skills.items():
                    right = 0.7 * hard + 0.3 * rng.random(n_test) < skill
                    answers = np.where(
                        right, targets, (targets + rng.integers(1, n_classes, n_test)) % n_classes
                    )
                    config = (configs or {}).get(name, {"name": name})
                    place = [name, repeat, fold, s, rule, seed]
                    runs.append(RunRecord(
                        key=digest(place), configuration=digest([name, config]), name=name, group=group,
                        sweep="made", config=config, data="d" * 16, data_name="made.csv", version="0.1.0",
                        rule=rule, study=study, repeat=repeat, fold=fold, seed=s, status="ok", reason=None,
                        n_train=n_test * (folds - 1), n_test=n_test, n_right=int(right.sum()),
                        accuracy=float(right.mean()), seconds=2.0, cpu_seconds=1.5, n_words=100, weights=12_345,
                        epochs=3, loss=0.1, classes=classes, labels=pack_labels(targets.tolist(), n_classes),
                        predicted=pack_labels(answers.tolist(), n_classes),
                    ))  # fmt: skip
    return runs


def changed(run: RunRecord, **changes) -> RunRecord:
    """The run with other values."""
    return RunRecord(**{**run.to_json(), **changes})


def failed(run: RunRecord, reason: str = "training has diverged") -> RunRecord:
    """The run as one that failed."""
    return changed(run, status="failed", reason=reason, accuracy=None, n_right=None, labels="", predicted="",
                   loss=None)  # fmt: skip

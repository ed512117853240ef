"""Accuracy of the blend and of CNN-rand on MR, SST-2, TREC: runs in text_runs.jsonl, figures in text_cv.json.

Run from the repository's root: `python -m benchmarks.text_cv`; what text_runs.jsonl holds is not run again, and
`--judge` runs nothing. The recipe of the blend was chosen on inner folds of SST-2's train + dev and of TREC's
training part; no test part and no fold of MR had a say in it. CNN-rand has the settings of its paper.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path

from conv1d_kit.text.comparison import compare_runs
from conv1d_kit.text.dataset import read_texts
from conv1d_kit.text.runs import RunRecord, read_runs
from conv1d_kit.text.sweep import SweepTexts, run_sweep
from conv1d_kit.text.sweep_file import read_sweep
from conv1d_kit.training.processes import n_cores

HERE = Path(__file__).parent
DATA = Path("../shared/data/text")
RUNS, JUDGED = HERE / "text_runs.jsonl", HERE / "text_cv.json"
SETS = {
    "TREC": ("TREC.train.all", "TREC.test.all"),
    "SST-2": ("stsa.binary.train", "stsa.binary.test"),
    "MR": ("rt-polarity.all", None),
}
SEEDS = 3  # of the nets, on a fixed test part
SWEEPS = {"blend": "text_blend.toml", "CNN-rand": "text_cnn_rand.toml"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--judge", action="store_true", help="judge the kept runs, run nothing")
    parser.add_argument("--data", nargs="*", default=list(SETS), choices=list(SETS), help="only these are run")
    parser.add_argument("--workers", type=int, default=n_cores())
    a = parser.parse_args()
    if not a.judge:
        for train, test in (SETS[data] for data in a.data):
            texts = SweepTexts.of(read_texts(DATA / train), None if test is None else read_texts(DATA / test))
            for name in SWEEPS.values():
                sweep = read_sweep(HERE / name)
                if test is not None:
                    sweep = replace(sweep, study=replace(sweep.study, seeds=tuple(range(SEEDS))))
                run_sweep(sweep, texts, RUNS, workers=a.workers)
    runs, _ = read_runs([RUNS])
    found = {}
    for data, (train, test) in SETS.items():
        for model, sweep in SWEEPS.items():
            chosen = [r for r in runs if r.name == model and r.data_name.split(" → ")[0] == train]
            if chosen:
                found[data if model == "blend" else f"{data}/{model}"] = judged(
                    chosen, data, train, test, sweep
                )
    JUDGED.write_text(json.dumps(found, indent=2, ensure_ascii=False) + "\n", "utf-8")
    for name, record in found.items():
        score, low, high = (f"{100 * v:.2f}" for v in (record["accuracy"], *record["interval"]))
        print(f"{name}: {score} % ({low} to {high}), {record['runs']} runs")


def judged(runs: list[RunRecord], data: str, train: str, test: str | None, sweep: str) -> dict:
    """Mean and interval of one configuration's runs on one data set, and how they came about."""
    found = compare_runs(runs)
    row = found.rows[0]
    command = f"python -m benchmarks.text_cv --data {data}"  # with the seeds
    if test is None:
        command = f"conv1d-kit text sweep benchmarks/{sweep} --data {DATA / train} --out runs.jsonl"
    return {
        "command": command,
        "accuracy": row.score,
        "interval": [row.low, row.high],
        "interval_kind": found.interval_kind,
        "runs": row.n_runs,
        "planned": row.n_runs + row.n_missing,
        "repeats": 1 + max(r.repeat for r in runs),
        "seeds": len({r.seed for r in runs}),
        "seconds_a_run": row.seconds,
        "cpu_seconds_a_run": row.cpu_seconds,
        "weights": row.weights,
        "folds": [r.accuracy for r in sorted(runs, key=lambda r: r.place)],
    }


if __name__ == "__main__":
    main()

"""Two limits of the text verbs, by the command line in processes of their own: writes text_limits.json.

Run from the repository's root: `python -m benchmarks.text_limits [--lines 10000000] [--only folds|stream]`.

folds    ten folds of MR with 3/4/5 × 100 filters and 300 dimensions on two cores: seconds and accuracy.
         Allowed: 5 minutes, at 76.1 % or more.
stream   a CSV table of many lines of MR's sentences through `text predict`: seconds, and what stood in memory
         at most. Allowed: 1.5 GB.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import subprocess
import sys
import tempfile
import time
from itertools import cycle, islice
from pathlib import Path

from conv1d_kit.text.dataset import read_texts

from .conditions import conditions

DATA = Path("../shared/data/text/rt-polarity.all")
MODEL = ("--widths", "3,4,5", "--filters", "100", "--dim", "300")
LIBRARIES = {"NumPy": "numpy", "torch": "torch", "conv1d_kit": "conv1d_kit"}
LIMITS = {"folds": {"seconds": 300.0, "accuracy": 0.761}, "stream": {"bytes": 1.5e9}}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=DATA, help="texts and labels, as `text cv` takes them")
    parser.add_argument("--lines", type=int, default=10_000_000)
    parser.add_argument("--only", choices=list(LIMITS))
    parser.add_argument("--out", type=Path, default=Path(__file__).with_suffix(".json"))
    a = parser.parse_args()
    found = json.loads(a.out.read_text("utf-8")) if a.out.exists() else {}
    for name, measure in (("folds", lambda: folds(a.data)), ("stream", lambda: stream(a.data, a.lines))):
        if a.only in (None, name):
            told = conditions(f"python -m benchmarks.text_limits --only {name}", LIBRARIES)
            found[name] = {"conditions": told, **measure(), "allowed": LIMITS[name]}
            print(json.dumps({name: found[name]}, ensure_ascii=False))
    a.out.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n", "utf-8")


def folds(data: Path, *, model: tuple[str, ...] = MODEL, workers: int = 2) -> dict:
    """Seconds of the whole command, and the mean over its folds."""
    command = ["text", "cv", str(data), *model, "--workers", str(workers), "--json"]
    seconds, _, told = _run(command)
    return {"command": " ".join(["conv1d-kit", *command]), "seconds": seconds, "accuracy": told["accuracy"]}


def stream(data: Path, n_lines: int, *, model: tuple[str, ...] = MODEL) -> dict:
    """Seconds of `text predict` on a table of so many lines, and the most bytes that its process held."""
    with tempfile.TemporaryDirectory(prefix="conv1d_kit-limits-") as place:
        folder = Path(place)
        _run(["text", "train", str(data), "--out", str(folder / "model"), *model, "--epochs", "1", "--json"])
        table, out = folder / "texts.csv", folder / "predictions.csv"
        write_table(table, read_texts(data).texts, n_lines)
        size = table.stat().st_size
        command = ["text", "predict", str(folder / "model"), str(table), "--out", str(out), "--json"]
        seconds, peak, _ = _run(command)
        with out.open(encoding="utf-8", newline="") as file:
            answered = sum(1 for _ in csv.reader(file)) - 1
    return {"lines": n_lines, "answered": answered, "table_bytes": size, "seconds": seconds, "bytes": peak}


def write_table(path: Path, texts, n_lines: int) -> None:
    """The texts over and over, each line under a number of its own."""
    with path.open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["number", "text"])
        rows.writerows(enumerate(islice(cycle(texts), n_lines)))


def _run(command: list[str]) -> tuple[float, int, dict]:
    """Seconds, peak resident bytes of the largest process, and the JSON that `conv1d-kit COMMAND` prints."""
    with tempfile.TemporaryFile("w+", encoding="utf-8") as out, tempfile.TemporaryFile("w+") as told:
        start = time.perf_counter()
        process = subprocess.Popen([sys.executable, "-m", "conv1d_kit", *command], stdout=out, stderr=told)
        _, status, used = os.wait4(process.pid, 0)
        seconds, process.returncode = time.perf_counter() - start, os.waitstatus_to_exitcode(status)
        out.seek(0)
        told.seek(0)
        if process.returncode:
            raise SystemExit(f"conv1d-kit {' '.join(command)}: {told.read().strip() or process.returncode}")
        return seconds, used.ru_maxrss * 1024, json.loads(out.read())


if __name__ == "__main__":
    main()

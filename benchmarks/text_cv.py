"""Accuracy of the text classifier's defaults on MR, SST-2 and TREC, by the command line: writes text_cv.json.

Run from the repository's root: `python benchmarks/text_cv.py`. The recipe was chosen on inner folds of SST-2's
train + dev and of TREC's training part; no test part and no fold of MR had a say in it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

DATA = "../shared/data/text"
RUNS = {
    "MR": ["rt-polarity.all"],
    "SST-2": ["stsa.binary.train", "--test", "stsa.binary.test"],
    "TREC": ["TREC.train.all", "--test", "TREC.test.all"],
}


def main() -> None:
    results = {}
    for name, words in RUNS.items():
        arguments = [w if w.startswith("--") else f"{DATA}/{w}" for w in words]
        command = ["text", "cv", *arguments, "--json"]
        code = f"from conv1d_kit.cli.main import main\nif __name__ == '__main__': main({command!r})"
        done = subprocess.run(
            [sys.executable, "-c", code],
            stdout=subprocess.PIPE,
            check=True,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )
        results[name] = {"command": " ".join(["conv1d-kit", *command]), **json.loads(done.stdout)}
        print(f"{name}: {results[name]['accuracy']:.4f}")
    Path(__file__).with_suffix(".json").write_text(
        json.dumps(results, indent=2, ensure_ascii=False) + "\n", "utf-8"
    )


if __name__ == "__main__":
    main()

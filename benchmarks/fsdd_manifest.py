"""Write a CSV manifest of the Free Spoken Digit Dataset: path, label, split (test: takes 0–4), speaker, take.

python benchmarks/fsdd_manifest.py ../shared/data/fsdd fsdd.csv
conv1d-kit audio cv fsdd.csv --folds split --test-fold test     # the official split
conv1d-kit audio cv fsdd.csv --folds speaker                    # each speaker unheard in turn
"""

from __future__ import annotations

import csv
import sys
from pathlib import Path


def rows(folder: Path) -> list[list[str]]:
    """One row a recording, named {digit}_{speaker}_{take}.wav, in order."""
    found = []
    for path in sorted((folder / "recordings").glob("*.wav")):
        digit, speaker, take = path.stem.split("_")
        found.append([str(path.resolve()), digit, "test" if int(take) < 5 else "train", speaker, take])
    return found


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("usage: fsdd_manifest.py FSDD_FOLDER OUT.csv")
    table = rows(Path(sys.argv[1]))
    if not table:
        sys.exit(f"{sys.argv[1]}: no recordings/*.wav under it")
    with open(sys.argv[2], "w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([["path", "label", "split", "speaker", "take"], *table])
    print(f"{sys.argv[2]}: {len(table)} recordings, {sum(r[2] == 'test' for r in table)} of them test")

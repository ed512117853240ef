"""What the command line reaches on real sentences with its defaults; minutes long, run with `-m slow`."""

import json
from pathlib import Path

import pytest

from conv1d_kit.cli.main import main

DATA = Path(__file__).parents[2].parent / "shared/data/text"
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not DATA.is_dir(), reason=f"the data sets are not at {DATA}"),
]


@pytest.mark.parametrize(
    ("files", "target"),
    [
        (["TREC.train.all", "--test", "TREC.test.all"], 0.90),
        (["stsa.binary.train", "--test", "stsa.binary.test"], 0.78),
        (["rt-polarity.all"], 0.76),
    ],
)
def test_accuracy_reaches_its_target(files, target, capsys):
    arguments = [w if w.startswith("--") else str(DATA / w) for w in files]
    with pytest.raises(SystemExit) as stop:
        main(["text", "cv", *arguments, "--json"])
    assert stop.value.code == 0
    assert json.loads(capsys.readouterr().out)["accuracy"] >= target

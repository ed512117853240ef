"""`conv1d-kit demo`: a page, a table, one JSON object; and help that answers at once."""

import json
import subprocess
import sys

import pytest

from conv1d_kit.cli import main as cli
from conv1d_kit.report import demo, demo_page
from conv1d_kit.report.page import Page

TINY = demo.DemoSize(
    clips_per_class=4, reviews=60, spectrogram_epochs=1, wave_epochs=1, text_epochs=1, text_filters=2, ngrams=1
)


@pytest.fixture
def tiny(monkeypatch):
    run = demo.run_demo
    monkeypatch.setattr(demo, "run_demo", lambda seed, *, on_step=None: run(seed, size=TINY, on_step=on_step))


@pytest.fixture
def plain_page(monkeypatch):
    monkeypatch.setattr(demo_page, "demo_page", lambda result: Page("t", f"{result.seed}"))


def call(*arguments):
    with pytest.raises(SystemExit) as stop:
        cli.main(list(arguments))
    return stop.value.code


def test_the_page_is_written_with_its_pictures(tiny, tmp_path, capsys):
    assert call("demo", "--out", str(tmp_path), "--json") == 0
    assert json.loads(capsys.readouterr().out)["report"] == str(tmp_path / "report.html")
    assert (tmp_path / "report.html").stat().st_size > 100_000


def test_json_is_one_object_and_the_same_figures_each_time(tiny, plain_page, tmp_path, capsys):
    figures = []
    for name in ("a", "b"):
        assert call("demo", "--out", str(tmp_path / name), "--seed", "5", "--json") == 0
        figures.append(json.loads(capsys.readouterr().out))
        assert (tmp_path / name / "report.html").is_file()
    for f in figures:
        assert f.pop("seconds") > 0
        assert f.pop("report").endswith("report.html")
    assert figures[0] == figures[1]
    assert figures[0]["seed"] == 5
    assert set(figures[0]) == {"seed", "spectrogram", "wave", "text", "bag_of_words"}
    assert 0 <= figures[0]["text"]["accuracy"] <= 1


def test_a_person_gets_a_table_and_the_place_of_the_page(tiny, plain_page, tmp_path, capsys):
    target = tmp_path / "page.html"
    assert call("demo", "--out", str(target)) == 0
    out = capsys.readouterr().out
    assert "Held-out" in out
    assert "Bag of words" in out
    assert str(target) in out.replace("\n", "")


def test_a_place_that_cannot_be_written_is_told_before_anything_is_trained(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(demo, "run_demo", lambda *args, **kwargs: pytest.fail("trained for nothing"))
    (tmp_path / "file").write_text("x")
    assert call("demo", "--out", str(tmp_path / "file" / "r.html")) == 2
    assert "cannot write" in capsys.readouterr().err


def test_a_negative_seed_is_refused(capsys):
    assert call("demo", "--seed", "-1") == 2
    assert "--seed" in capsys.readouterr().err


def test_help_loads_neither_torch_nor_matplotlib():
    code = (
        "import sys; from conv1d_kit.cli.main import app\n"
        "try: app(['demo', '--help'])\n"
        "except SystemExit: pass\n"
        "assert not {'torch', 'matplotlib', 'sklearn', 'scipy'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "--seed" in done.stdout

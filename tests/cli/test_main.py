"""`conv1d-kit`: every way to fail is one line, one exit code and with --json one object."""

import json
import os
import subprocess
import sys

import pytest
import typer
from rich.console import Console
from rich.text import Text

from conv1d_kit.cli import main as cli
from conv1d_kit.cli.output import table, visible
from conv1d_kit.errors import DataError


@pytest.fixture
def run(capsys):
    def call(*arguments):
        with pytest.raises(SystemExit) as end:
            cli.main([str(a) for a in arguments])
        out, err = capsys.readouterr()
        return end.value.code, out, err

    return call


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (DataError("a.csv: no rows;\ngive some"), 2, "a.csv: no rows; give some"),
        (KeyboardInterrupt(), 130, "interrupted"),
        (
            ZeroDivisionError("by nought"),
            1,
            "internal error: ZeroDivisionError: by nought; run with CONV1D_KIT_",
        ),
        (MemoryError("Unable to allocate 29.1 TiB"), 2, "not enough memory (Unable to allocate 29.1 TiB); ask"),
        (MemoryError(), 2, "not enough memory; ask for smaller sizes, or free some"),
        (
            RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 8 bytes"),
            2,
            "not enough memory (DefaultCPUAllocator: can't allocate memory: you tried to allocate 8 bytes)",
        ),
        (RuntimeError("by nought"), 1, "internal error: RuntimeError: by nought; run with"),
        (DataError("caf\udce9.wav\x1b[31m"), 2, "caf\\udce9.wav\\x1b[31m"),
    ],
)
def test_every_failure_is_one_line_and_one_object(run, monkeypatch, error, code, words):
    def fail(*arguments, **options):
        raise error

    monkeypatch.delenv("CONV1D_KIT_TRACEBACK", raising=False)
    monkeypatch.setattr(cli, "app", fail)
    ended, out, err = run("version", "--json")
    assert ended == code
    assert json.loads(out)["error"].startswith(words)
    assert err.count("\n") == 1
    assert words in err
    ended, out, err = run("version")
    assert (ended, out) == (code, "")
    assert "Traceback" not in err


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
@pytest.mark.parametrize("words", [["version"], ["version", "--json"]])
def test_a_full_standard_output_is_one_line_and_exit_code_2(words):
    with open("/dev/full", "w") as full:
        ended = subprocess.run(
            [sys.executable, "-m", "conv1d_kit", *words],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=60,
        )
    assert ended.stderr == "error: cannot write to standard output: No space left on device\n"
    assert ended.returncode == 2


def test_the_traceback_is_there_for_those_who_ask(run, monkeypatch):
    monkeypatch.setenv("CONV1D_KIT_TRACEBACK", "1")
    monkeypatch.setattr(cli, "app", lambda *arguments, **options: 1 / 0)
    code, _, err = run("version")
    assert code == 1
    assert "Traceback" in err


def test_version_is_one_object_too(run):
    from conv1d_kit import __version__

    assert json.loads(run("version", "--json")[1]) == {"version": __version__}
    assert run("version")[1] == f"{__version__}\n"


def test_a_wrong_word_is_one_object_too(run):
    code, out, _ = run("audio", "cv", "--json", "--nonsense")
    assert code == 2
    assert "--nonsense" in json.loads(out)["error"]


def test_help_without_words_has_no_empty_error_below_it(run):
    code, out, err = run("audio")
    assert "train" in out + err
    assert "error" not in err
    assert code in (0, 2)


def _verbs(command, name):
    for word, verb in getattr(command, "commands", {}).items():
        yield from _verbs(verb, f"{name} {word}")
    yield name, command


def test_help_shows_every_word_of_it():
    for name, verb in _verbs(typer.main.get_command(cli.app), "conv1d-kit"):
        for words in (verb.help, *(p.help for p in verb.params if getattr(p, "help", None))):
            assert Text.from_markup(words or "").plain == (words or ""), name  # [data] would be markup


def test_a_reader_that_has_enough_is_no_fault_of_ours():
    code = "from conv1d_kit.cli.main import main; main(['version'])"
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    with process:
        process.stdout.close()
        assert process.stderr.read() == ""


def test_labels_in_a_table_are_no_markup():
    console = Console(width=80, file=None)
    with console.capture() as got:
        console.print(table("t [b]", ["[red]"], [["[/nonsense]"], ["caf\udce9"]]))
    assert all(word in got.get() for word in ("t [b]", "[red]", "[/nonsense]", "caf\\udce9"))


def test_visible_text_keeps_what_can_be_shown():
    assert visible("ü ñ 日本\t\n") == "ü ñ 日本\t\n"


def test_bench_keeps_and_forgets_what_it_measured(run, monkeypatch, tmp_path):
    from conv1d_kit.core import tune
    from conv1d_kit.core.machine import Machine, load

    path = tmp_path / "wisdom.json"
    measured = Machine()._replace(alone=1e-9)
    monkeypatch.setenv("CONV1D_KIT_WISDOM", str(path))
    monkeypatch.setattr(tune, "measure", lambda on_step: measured)
    code, out, _ = run("bench", "--tune", "--json")
    assert code == 0
    assert json.loads(out)["alone"] == 1e-9
    assert load(path) == measured
    code, out, _ = run("bench", "--reset", "--json")
    assert code == 0
    assert json.loads(out) == {"wisdom": str(path), "forgotten": True}
    assert not path.exists()
    code, out, _ = run("bench", "--reset")
    assert code == 0
    assert "nothing was kept" in out


def test_bench_says_what_does_not_go_together(run, monkeypatch):
    assert run("bench", "--tune", "--reset")[0] == 2
    monkeypatch.setenv("CONV1D_KIT_WISDOM", "")
    code, _, err = run("bench", "--tune")
    assert code == 2
    assert "CONV1D_KIT_WISDOM must name a file" in err


@pytest.mark.parametrize("flag", ["--tune", "--reset"])
@pytest.mark.parametrize(("place", "words"), [("", "is a folder"), ("file.txt/wisdom.json", "cannot write")])
def test_bench_asks_for_its_place_before_it_measures(run, monkeypatch, tmp_path, flag, place, words):
    from conv1d_kit.core import tune

    (tmp_path / "file.txt").write_text("mine")
    monkeypatch.setenv("CONV1D_KIT_WISDOM", str(tmp_path / place))
    monkeypatch.setattr(tune, "measure", lambda on_step: pytest.fail("measured first"))
    code, out, err = run("bench", flag)
    assert code == 2
    assert words in err
    assert out == ""
    assert (tmp_path / "file.txt").read_text() == "mine"


def test_the_package_runs_as_a_module():
    run = subprocess.run([sys.executable, "-m", "conv1d_kit", "--help"], capture_output=True, text=True)
    assert (run.returncode, run.stderr) == (0, "")
    assert "convolve" in run.stdout

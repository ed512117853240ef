"""What was appended is there after a kill at any byte, and one process at a time writes."""

import json
import os
import signal
import subprocess
import sys

import pytest

from conv1d_kit.errors import DataError
from conv1d_kit.training.records import RecordFile

RECORDS = [{"fold": i, "label": f"naïve {i}", "predicted": "01" * i} for i in range(3)]
HOLDER = """
import sys, time
from conv1d_kit.training.records import RecordFile
with RecordFile(sys.argv[1]).held() as file:
    file.append({"fold": 9})
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def file(tmp_path):
    kept = RecordFile(tmp_path / "new folder" / "runs.jsonl")
    for record in RECORDS:
        kept.append(record)
    return kept


def test_a_missing_file_holds_nothing(tmp_path):
    found = RecordFile(tmp_path / "none.jsonl").read()
    assert (found.records, found.damaged) == ([], [])
    assert not (tmp_path / "none.jsonl").exists()


def test_records_come_back_in_order_with_their_lines(file):
    found = file.read()
    assert (found.records, found.lines, found.damaged) == (RECORDS, [1, 2, 3], [])


def test_cut_at_any_byte_every_whole_line_stays_and_the_rest_is_set_aside(file):
    whole = file.path.read_bytes()
    for cut in range(len(whole) + 1):
        file.path.write_bytes(whole[:cut])
        aside = file.path.with_name("runs.jsonl.torn")
        aside.unlink(missing_ok=True)
        lines = whole[:cut].split(b"\n")
        complete = [r for r, line in zip(RECORDS, whole.split(b"\n"), strict=False) if line in lines]
        found = file.read()
        assert found.records == complete
        fragment = lines[-1] if lines[-1] not in whole.split(b"\n") else b""
        assert len(found.damaged) == bool(fragment)
        file.append({"fold": 7})
        assert [json.loads(line) for line in file.path.read_bytes().splitlines()] == [*complete, {"fold": 7}]
        assert (aside.read_bytes() if aside.exists() else b"") == (fragment + b"\n" if fragment else b"")


def test_a_torn_line_longer_than_a_block_is_set_aside(file):
    with file.path.open("ab") as stream:
        stream.write(b'{"long": "' + b"x" * 200_000)
    file.append({"fold": 7})
    assert file.read().records == [*RECORDS, {"fold": 7}]
    assert file.path.with_name("runs.jsonl.torn").stat().st_size == 200_011


def test_lines_that_are_no_records_are_said_with_their_number(file):
    with file.path.open("ab") as stream:
        stream.write(b"[1]\n\xff\n\n")
    file.append({"fold": 7})
    found = file.read()
    assert found.lines == [1, 2, 3, 7]
    assert found.damaged == [(4, "not a JSON object"), (5, "not a JSON object")]


def test_a_held_file_is_refused_to_others_and_free_after_a_kill(file, monkeypatch):
    monkeypatch.setattr("conv1d_kit.training.records._PATIENCE_S", 0.1)
    command = [sys.executable, "-c", HOLDER, str(file.path)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": os.getcwd()}
    ) as other:
        assert other.stdout.readline() == b"held\n"
        with pytest.raises(DataError, match=r"another run writes to it; wait for its end"), file.held():
            pass
        with pytest.raises(DataError, match="another run writes to it"):
            file.append({"fold": 7})
        assert file.read().records[-1] == {"fold": 9}
        other.send_signal(signal.SIGKILL)
    with file.held():
        file.append({"fold": 7})
    assert file.read().records == [*RECORDS, {"fold": 9}, {"fold": 7}]


def test_what_cannot_be_read_or_written_is_said(tmp_path):
    with pytest.raises(DataError, match="cannot be read as results"):
        RecordFile(tmp_path).read()
    with pytest.raises(DataError, match="cannot be written"):
        RecordFile(tmp_path).append({})
    with pytest.raises(ValueError, match="JSON"):  # a program's own mistake: NaN is no JSON
        RecordFile(tmp_path / "a").append({"loss": float("nan")})

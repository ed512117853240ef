import os
import resource
import signal
import stat
import threading
from contextlib import suppress

import pytest

from conv1d_kit.errors import DataError
from conv1d_kit.training.model_files import CONFIG, WEIGHTS
from conv1d_kit.training.whole_file import is_stream, whole_file


def test_what_stands_there_stays_until_all_is_written(tmp_path):
    place = tmp_path / "new" / "a b.csv"
    with whole_file(place) as file:
        file.write("first\n")
        assert not place.exists()
    with suppress(RuntimeError), whole_file(place) as file:
        file.write("second\n")
        raise RuntimeError
    assert place.read_text() == "first\n"
    assert os.listdir(place.parent) == ["a b.csv"]
    mask = os.umask(0)
    os.umask(mask)
    assert stat.S_IMODE(place.stat().st_mode) == 0o666 & ~mask


def test_a_pipe_is_written_to_and_stays_a_pipe(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    read: list[str] = []
    reader = threading.Thread(target=lambda: read.append(pipe.read_text()))
    reader.start()
    with whole_file(pipe) as file:
        file.write("one\n")
    reader.join(10)
    assert read == ["one\n"]
    assert is_stream(pipe)
    assert os.listdir(tmp_path) == ["pipe"]


def test_devices_are_streams_files_and_folders_are_not(tmp_path):
    (tmp_path / "null").symlink_to(os.devnull)
    (tmp_path / "file").touch()
    with whole_file(tmp_path / "null") as file:
        file.write("gone")
    assert is_stream(tmp_path / "null")
    assert (tmp_path / "null").is_symlink()
    assert not any(map(is_stream, (tmp_path, tmp_path / "file", tmp_path / "none", "a\0b")))


def test_a_link_stays_and_its_file_is_replaced(tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "latest.csv").symlink_to("data/7.csv")
    for words in ("one", "two"):
        with whole_file(tmp_path / "latest.csv") as file:
            file.write(words)
        assert (tmp_path / "data" / "7.csv").read_text() == words
    assert (tmp_path / "latest.csv").is_symlink()


def test_a_full_disk_is_an_error_with_a_cure_and_leaves_nothing(tmp_path):
    old = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, old[1]))
    try:
        with (
            pytest.raises(DataError, match=r"cannot write .*x\.csv: File too large; make room"),
            whole_file(tmp_path / "x.csv", cure="make room") as file,
        ):
            file.write("x" * 100_000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, old)
        signal.signal(signal.SIGXFSZ, handler)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("name", [CONFIG, WEIGHTS, "link"])
def test_a_models_own_files_are_not_written_over(tmp_path, name):
    for own in (CONFIG, WEIGHTS):
        (tmp_path / own).write_text("model")
    (tmp_path / "link").symlink_to(WEIGHTS)
    with pytest.raises(DataError, match="belongs to the model in its folder"), whole_file(tmp_path / name):
        pass
    assert {(tmp_path / own).read_text() for own in (CONFIG, WEIGHTS)} == {"model"}
    with whole_file(tmp_path / "predictions.csv") as file:
        file.write("beside it")
    (tmp_path / WEIGHTS).unlink()
    with whole_file(tmp_path / CONFIG) as file:
        file.write("of something else")
    assert (tmp_path / CONFIG).read_text() == "of something else"


def test_a_place_that_takes_no_file_is_an_error(tmp_path):
    (tmp_path / "file").touch()
    for place in (tmp_path / "file" / "x.csv", tmp_path, tmp_path / ("n" * 300)):
        with pytest.raises(DataError, match="cannot write"), whole_file(place) as file:
            file.write("x")
    assert os.listdir(tmp_path) == ["file"]


def test_a_dash_is_standard_output_which_stays_open(capfd, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for text in ("first\n", "second é\n"):
        with whole_file("-", newline="") as file:
            file.write(text)
    assert capfd.readouterr().out == "first\nsecond é\n"
    assert not list(tmp_path.iterdir())

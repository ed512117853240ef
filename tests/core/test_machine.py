"""The constants of the cost model: kept, found again, and never believed where they make no sense."""

import json

import pytest
import torch

from conv1d_kit.core import machine, tune
from conv1d_kit.core.machine import AMD, Machine, load, save, shipped, wisdom_path


def test_what_is_saved_is_loaded(tmp_path):
    measured = Machine()._replace(threads=3, mix=(1e-10, 2e-10))
    save(measured, tmp_path / "deep" / "wisdom.json")
    assert load(tmp_path / "deep" / "wisdom.json") == measured
    assert [p.name for p in (tmp_path / "deep").iterdir()] == ["wisdom.json"]


@pytest.mark.parametrize(
    "text",
    [
        "", "{", "[]", '"x"', '{"unknown": 1.0}', '{"alone": -1.0}', '{"alone": "quick"}', '{"alone": true}',
        '{"mix": [1e-10]}', '{"points": [[1.0], [1.0]]}', '{"mix": [NaN, 1.0]}', '{"threads": null}',
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_not_believed(tmp_path, text):
    (tmp_path / "wisdom.json").write_text(text, "utf-8")
    assert load(tmp_path / "wisdom.json") == shipped()


def test_nothing_kept_is_the_default(tmp_path):
    assert load(tmp_path / "absent.json") == shipped() == load(None) == load(tmp_path)


@pytest.mark.parametrize(
    ("maker", "flags", "expected"),
    [
        ("AuthenticAMD", "fpu avx2 avx512f avx512dq", AMD),
        ("AuthenticAMD", "fpu avx2", Machine()),
        ("GenuineIntel", "fpu avx2 avx512f avx512dq", Machine()),
    ],
)
def test_constants_are_those_of_the_kind_of_processor(tmp_path, maker, flags, expected):
    (tmp_path / "cpuinfo").write_text(f"processor\t: 0\nvendor_id\t: {maker}\nflags\t\t: {flags}\n", "ascii")
    assert shipped(str(tmp_path / "cpuinfo")) == expected
    assert shipped(str(tmp_path / "absent")) == Machine()


def test_what_an_older_version_kept_is_completed(tmp_path):
    (tmp_path / "wisdom.json").write_text('{"threads": 2, "alone": 1e-09}', "utf-8")
    assert load(tmp_path / "wisdom.json") == shipped()._replace(threads=2, alone=1e-9)


def test_the_place_can_be_named_or_refused(monkeypatch, tmp_path):
    monkeypatch.setenv(machine.PLACE, str(tmp_path / "here.json"))
    assert wisdom_path() == tmp_path / "here.json"
    monkeypatch.setenv(machine.PLACE, "")
    assert wisdom_path() is None
    monkeypatch.delenv(machine.PLACE)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert wisdom_path().parent in (tmp_path / "conv1d_kit", wisdom_path().parent)


def test_a_measured_machine_can_be_kept(tmp_path):
    measured = tune.measure(budget_s=0.0005)
    assert measured.threads == torch.get_num_threads()
    for name in ("lone", "lone_weight", "windows"):
        found = getattr(measured, name)
        assert found != getattr(shipped(), name)
        assert all(0 < v < 1e-6 for v in found)
    save(measured, tmp_path / "wisdom.json")
    assert load(tmp_path / "wisdom.json") == measured
    assert set(json.loads((tmp_path / "wisdom.json").read_text("utf-8"))) == set(Machine._fields)

"""The model folder: what is saved comes back, what is broken is refused, and nothing in it is run."""

import json
import math
import os
import stat

import numpy as np
import pytest
import torch

from conv1d_kit.errors import ModelError
from conv1d_kit.training.model_folder import check_model_target, load_model_folder, save_model_folder

TENSORS = {"a": torch.arange(6.0).reshape(2, 3).t(), "n": torch.tensor(3)}


def test_configuration_and_tensors_come_back_and_a_second_save_replaces(tmp_path):
    for version in (1, 2):
        save_model_folder(tmp_path / "x/m", "audio", {"classes": ["ü", "b"], "v": version}, TENSORS)
    config, tensors = load_model_folder(tmp_path / "x/m", "audio")
    assert (config["classes"], config["v"]) == (["ü", "b"], 2)
    assert all(torch.equal(tensors[k], v) for k, v in TENSORS.items())
    assert [p.name for p in (tmp_path / "x").iterdir()] == ["m"]  # no temporary name is left
    assert "torch" in config["versions"]


@pytest.mark.parametrize("mask", [0o022, 0o077, 0o002])
def test_a_model_is_read_by_whom_the_umask_allows(tmp_path, mask):
    before = os.umask(mask)
    try:
        for _ in range(2):
            save_model_folder(tmp_path / "m", "audio", {}, TENSORS)
    finally:
        os.umask(before)
    modes = {p.name: stat.S_IMODE(p.stat().st_mode) for p in (tmp_path / "m", *(tmp_path / "m").iterdir())}
    assert modes == {"m": 0o777 & ~mask, "config.json": 0o666 & ~mask, "weights.safetensors": 0o666 & ~mask}


def everything(folder):
    """Every name under a folder with its content, links by where they lead."""
    return {
        p.relative_to(folder).as_posix(): os.readlink(p) if p.is_symlink() else p.is_file() and p.read_bytes()
        for p in folder.rglob("*")
    }


def _notes_beside(place):
    save_model_folder(place, "audio", {}, TENSORS)
    (place / "notes.txt").write_text("mine")


def _foreign_project(place):
    place.mkdir()
    (place / "config.json").write_text("{}")
    (place / "weights.safetensors").write_bytes(b"")


def _damaged(place):
    save_model_folder(place, "audio", {}, TENSORS)
    (place / "config.json").write_text("[" * 100_000)


@pytest.mark.parametrize(
    ("make", "name", "message"),
    [
        (lambda p: p.mkdir(), "m", "not a model folder .* holds no weights.safetensors"),
        (lambda p: p.write_text("x"), "m", "not a model folder .* is a file"),
        (lambda p: p.write_text("x"), "m/n", "cannot write the model folder .*Not a directory"),
        (lambda p: p.write_text("x"), "m/n/o", "cannot write the model folder .*Not a directory"),
        (_notes_beside, "m", "it holds 'notes.txt' beside the model; choose another name"),
        (_foreign_project, "m", "not a model folder"),
        (_damaged, "m", "config.json cannot be read"),
        (lambda p: p.symlink_to("gone"), "m", "is a link to .*gone, which is not there"),
        (lambda p: None, "m" * 300, "cannot write .*name too long"),
        (lambda p: None, "a\0b", "cannot write .*null"),
    ],
)
def test_what_is_no_model_is_refused_beforehand_and_never_touched(tmp_path, make, name, message):
    make(tmp_path / "m")
    before = everything(tmp_path)
    with pytest.raises(ModelError, match=message) as caught:
        check_model_target(tmp_path / name)
    assert str(tmp_path / name) in str(caught.value)
    with pytest.raises(ModelError, match=message):
        save_model_folder(tmp_path / name, "audio", {}, TENSORS)
    assert everything(tmp_path) == before


def test_a_place_that_is_free_or_holds_a_model_passes_and_is_left_alone(tmp_path):
    save_model_folder(tmp_path / "old", "text", {}, TENSORS)
    (tmp_path / "link").symlink_to("old")
    before = everything(tmp_path)
    for name in ("old", "link", "new", "deep/er/new"):
        check_model_target(tmp_path / name)
        check_model_target(str(tmp_path / name))
    assert everything(tmp_path) == before


def test_a_place_that_cannot_be_written_is_refused(tmp_path, monkeypatch):
    def refuse(*_, **__):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("tempfile.mkdtemp", refuse)
    for write in (check_model_target, lambda p: save_model_folder(p, "audio", {}, TENSORS)):
        with pytest.raises(ModelError, match=r"cannot write .*Permission denied; choose another place"):
            write(tmp_path / "m")


def test_a_link_to_a_model_stays_and_its_target_is_replaced(tmp_path):
    save_model_folder(tmp_path / "v1", "text", {"v": 1}, TENSORS)
    (tmp_path / "link").symlink_to("v1")
    save_model_folder(tmp_path / "link", "text", {"v": 2}, TENSORS)
    assert (tmp_path / "link").is_symlink()
    assert load_model_folder(tmp_path / "v1", "text")[0]["v"] == 2
    assert sorted(p.name for p in tmp_path.iterdir()) == ["link", "v1"]


@pytest.mark.parametrize("stop", [OSError(5, "disk"), KeyboardInterrupt()])
@pytest.mark.parametrize("at", [1, 2])
def test_a_replace_that_fails_leaves_the_old_model_whole(tmp_path, monkeypatch, stop, at):
    save_model_folder(tmp_path / "m", "audio", {"v": 1}, TENSORS)
    before, replace, calls = everything(tmp_path), os.replace, []

    def failing(a, b):
        calls.append(a)
        if len(calls) == at:
            raise stop
        replace(a, b)

    monkeypatch.setattr(os, "replace", failing)
    with pytest.raises(ModelError if isinstance(stop, OSError) else KeyboardInterrupt):
        save_model_folder(tmp_path / "m", "audio", {"v": 2}, TENSORS)
    assert everything(tmp_path) == before


def test_whatever_a_vocabulary_or_an_option_may_hold_comes_back(tmp_path):
    words = ["\ud800", "a\udfff", "ü", "\u2028", "\0", "😀", '"\\']
    save_model_folder(tmp_path / "m", "text", {"words": words, "n": np.int64(3), "x": np.array([1.5])}, TENSORS)
    config, _ = load_model_folder(tmp_path / "m", "text")
    assert (config["words"], config["n"], config["x"]) == (words, 3, [1.5])
    with pytest.raises(ModelError, match="must be numbers and strings: set is neither"):
        save_model_folder(tmp_path / "n", "text", {"x": {1}}, TENSORS)
    assert [p.name for p in tmp_path.iterdir()] == ["m"]


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_weights_that_are_not_finite_are_refused(tmp_path, value):
    save_model_folder(tmp_path / "m", "text", {}, {"out.weight": torch.tensor([1.0, value])})
    with pytest.raises(ModelError, match=r"m has weights that are NaN or infinite \(out.weight\); train it"):
        load_model_folder(tmp_path / "m", "text")


@pytest.mark.parametrize("value", ["1", None, True, 0, [1], 1.5])
def test_a_format_that_is_no_number_is_refused(tmp_path, value):
    save_model_folder(tmp_path / "m", "text", {}, TENSORS)
    (tmp_path / "m/config.json").write_text(json.dumps({"format": value, "kind": "text"}))
    with pytest.raises(ModelError, match=r"config.json must say its format, an int >= 1, got"):
        load_model_folder(tmp_path / "m", "text")


def test_missing_damaged_newer_and_other_models_are_refused(tmp_path):
    with pytest.raises(ModelError, match="not a model folder"):
        load_model_folder(tmp_path, "audio")
    save_model_folder(tmp_path / "m", "audio", {}, TENSORS)
    with pytest.raises(ModelError, match="kind 'audio', asked for 'text'"):
        load_model_folder(tmp_path / "m", "text")
    config = tmp_path / "m/config.json"
    config.write_text(json.dumps({"format": 999, "kind": "audio"}))
    with pytest.raises(ModelError, match="upgrade"):
        load_model_folder(tmp_path / "m", "audio")
    config.write_text("[]")
    with pytest.raises(ModelError, match="format"):
        load_model_folder(tmp_path / "m", "audio")
    config.write_text("{")
    with pytest.raises(ModelError, match="damaged"):
        load_model_folder(tmp_path / "m", "audio")
    save_model_folder(tmp_path / "n", "audio", {}, TENSORS)
    (tmp_path / "n/weights.safetensors").write_bytes(b"\x80\x04.")
    with pytest.raises(ModelError, match="damaged"):
        load_model_folder(tmp_path / "n", "audio")

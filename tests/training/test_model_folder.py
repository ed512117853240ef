"""The model folder: what is saved comes back, what is broken is refused, and nothing in it is run."""

import json

import pytest
import torch

from conv1d_kit.errors import ModelError
from conv1d_kit.training.model_folder import load_model_folder, save_model_folder

TENSORS = {"a": torch.arange(6.0).reshape(2, 3).t(), "n": torch.tensor(3)}


def test_configuration_and_tensors_come_back_and_a_second_save_replaces(tmp_path):
    for version in (1, 2):
        save_model_folder(tmp_path / "x/m", "audio", {"classes": ["ü", "b"], "v": version}, TENSORS)
    config, tensors = load_model_folder(tmp_path / "x/m", "audio")
    assert (config["classes"], config["v"]) == (["ü", "b"], 2)
    assert all(torch.equal(tensors[k], v) for k, v in TENSORS.items())
    assert [p.name for p in (tmp_path / "x").iterdir()] == ["m"]  # no temporary name is left
    assert "torch" in config["versions"]


def test_a_folder_that_is_no_model_is_never_overwritten(tmp_path):
    (tmp_path / "photos").mkdir()
    with pytest.raises(ModelError, match="not a model folder"):
        save_model_folder(tmp_path / "photos", "audio", {}, TENSORS)
    (tmp_path / "file").write_text("x")
    with pytest.raises(ModelError, match="cannot write"):
        save_model_folder(tmp_path / "file/m", "audio", {}, TENSORS)


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

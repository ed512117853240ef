"""A run that is killed and goes on ends on the same bytes; a checkpoint that cannot be trusted is refused."""

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from conv1d_kit.errors import DataError, InputError
from conv1d_kit.training.checkpoint import read_checkpoint, remove_checkpoints, write_checkpoint
from conv1d_kit.training.loop import train

sys.path.insert(0, str(Path(__file__).parent))
from killed_run import OPTIMIZERS, batches, run

STATE = {"net": {"a": torch.arange(6.0).reshape(2, 3).t()}, "step": 7, "betas": (0.9, 0.999), "none": [None, 1]}


def bytes_of(net):
    return {k: v.numpy().tobytes() for k, v in net.state_dict().items()}


def told(history):
    """All of a history but its seconds, which no two runs share."""
    return [(e.number, e.loss, e.accuracy) for e in history.epochs]


def kill(optimizer, place, step, **options):
    """Run in a process that dies at `step` by SIGKILL."""
    script = Path(__file__).with_name("killed_run.py")
    done = subprocess.run(
        [sys.executable, script, optimizer, place, str(step), json.dumps(options)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}, capture_output=True, check=False,
    )  # fmt: skip
    assert done.returncode == -signal.SIGKILL, done.stderr.decode()


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_a_run_killed_within_an_epoch_goes_on_to_the_same_bytes(tmp_path, optimizer):
    place = tmp_path / "deep/run.safetensors"
    whole, history = run(optimizer)
    kill(optimizer, place, 25)  # in the fourth epoch
    again, continued = run(optimizer, checkpoint=place)
    assert bytes_of(again) == bytes_of(whole)
    assert told(continued) == told(history)
    assert [p.name for p in place.parent.iterdir()] == ["run.safetensors"]


def test_it_may_be_killed_again_and_again_even_before_the_first_epoch_ends(tmp_path):
    place = tmp_path / "run"
    whole, history = run("adamw", average_decay=None)
    kill("adamw", place, 3, average_decay=None)  # no epoch of seven steps gets done
    kill("adamw", place, 10, average_decay=None)
    again, continued = run("adamw", checkpoint=place, average_decay=None)
    assert (bytes_of(again), told(continued)) == (bytes_of(whole), told(history))


def test_a_checkpoint_changes_nothing_and_a_finished_run_comes_back_at_once(tmp_path):
    whole, history = run("adamw")
    seen = []
    kept, same = run("adamw", checkpoint=tmp_path / "run", on_epoch=lambda e: (seen.append(e), torch.rand(1)))
    assert (bytes_of(kept), told(same)) == (bytes_of(whole), told(history))
    assert len(seen) == 6
    again, back = run("adamw", checkpoint=tmp_path / "run", on_epoch=seen.append, kill_at_step=1)  # makes none
    assert bytes_of(again) == bytes_of(whole)
    assert back.epochs == same.epochs  # the seconds too
    assert len(seen) == 6


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"epochs": 7}, r"epochs: 6 there, 7 here"),
        ({"seed": 12}, r"seed: 11 there, 12 here"),
        ({"average_decay": None}, r"average_decay: 0.9 there, None here"),
    ],
)
def test_a_checkpoint_of_another_run_is_refused_and_stays(tmp_path, change, words):
    run("sgd", checkpoint=tmp_path / "run")
    before = (tmp_path / "run").read_bytes()
    with pytest.raises(
        DataError, match=rf"another run \({words}\); remove it to start anew, or choose"
    ) as caught:
        run("sgd", checkpoint=tmp_path / "run", **change)
    assert "\n" not in str(caught.value)
    assert (tmp_path / "run").read_bytes() == before


@pytest.mark.parametrize(
    ("run_id", "words"),
    [
        ("other", r"is of another run (run_id: 'killed' there, 'other' here); remove it to start anew"),
        ("killed", r"does not fit this net and optimizer ("),
    ],
)
def test_a_checkpoint_of_other_data_or_of_another_net_is_refused(tmp_path, run_id, words):
    run("sgd", checkpoint=tmp_path / "run")
    net = torch.nn.Linear(1, 1)
    with pytest.raises(DataError, match=re.escape(words)):
        train(
            net, batches, epochs=6, loss=torch.nn.functional.cross_entropy, n_steps=42, average_decay=0.9,
            seed=11, optimizer=torch.optim.SGD(net.parameters()), checkpoint=tmp_path / "run", run_id=run_id,
        )  # fmt: skip


def test_every_truncation_and_a_flipped_bit_are_seen(tmp_path):
    write_checkpoint(tmp_path / "run", {}, STATE)
    whole = (tmp_path / "run").read_bytes()
    for n in [*range(0, len(whole), 37), len(whole) - 1]:
        (tmp_path / "run").write_bytes(whole[:n])
        with pytest.raises(DataError, match=r"run is damaged .*; remove it to start anew, or choose another"):
            read_checkpoint(tmp_path / "run", {})
    for n in (8, len(whole) // 2, len(whole) - 3):
        (tmp_path / "run").write_bytes(whole[:n] + bytes([whole[n] ^ 4]) + whole[n + 1 :])
        with pytest.raises(DataError, match=r"damaged|not a checkpoint|format"):
            read_checkpoint(tmp_path / "run", {})


def test_what_is_no_checkpoint_is_refused_and_stays(tmp_path):
    from safetensors.torch import save_file

    save_file({"w": torch.zeros(2)}, tmp_path / "weights")
    (tmp_path / "pickle").write_bytes(b"\x80\x04.")
    (tmp_path / "folder").mkdir()
    for name in ("weights", "pickle", "folder"):
        with pytest.raises(DataError, match=f"{name} is"):
            run("sgd", checkpoint=tmp_path / name)
    assert (tmp_path / "pickle").read_bytes() == b"\x80\x04."


def test_a_place_that_cannot_be_written_is_told_before_the_first_epoch(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(DataError, match=r"cannot write the checkpoint .*null"):
        run("sgd", checkpoint=f"{tmp_path}/a\0b", kill_at_step=1)
    with pytest.raises(DataError, match=r"cannot write the checkpoint .*; choose another place"):
        run("sgd", checkpoint=tmp_path / "file/run", kill_at_step=1)


def test_what_is_kept_comes_back_as_it_was(tmp_path):
    tied = torch.ones(2, dtype=torch.bfloat16)
    state = {
        **STATE, "tied": {"a": tied, "b": tied}, "a.b": torch.tensor(2), "a": {"b": torch.tensor(3)},
        "empty": torch.zeros(0, 3), "nan": float("nan"), "third": 1 / 3, "numbers": {0: {"x": {}}},
        "rate": np.float64(0.1), "flag": torch.tensor([True]),
    }  # fmt: skip
    write_checkpoint(tmp_path / "run", {"a": 1.5}, state)
    back = read_checkpoint(tmp_path / "run", {"a": 1.5})
    assert repr(back) == repr({**state, "rate": 0.1})
    assert back["tied"]["a"].dtype == torch.bfloat16
    with pytest.raises(InputError, match=r"tensors, numbers and strings, got set as optimizer\.0"):
        write_checkpoint(tmp_path / "run", {}, {"optimizer": [{1}]})


def test_a_trainings_checkpoints_are_removed_and_nothing_else(tmp_path):
    gone = [".m[1].checkpoint", ".m[1].checkpoint.0", ".m[1].checkpoint.12", ".m[1].checkpoint.0.2"]
    stays = [".m[1].checkpoint.txt", ".m[1].checkpoint.0.bak", ".m1.checkpoint", ".m1.checkpoint.0"]
    for name in gone + stays:
        (tmp_path / name).touch()
    remove_checkpoints(tmp_path / ".m[1].checkpoint")
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted(stays)
    remove_checkpoints(tmp_path / "none" / "here")

"""Two processes learn what one learns from batches twice as long; bfloat16 learns nearly what float32 does."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from parallel_run import run

from conv1d_kit.errors import InputError
from conv1d_kit.training.devices import Devices, batches_of_process, open_accelerator

ROOT = Path(__file__).parents[2]
accelerate = pytest.importorskip("accelerate")


@pytest.fixture(autouse=True)
def _fresh_state():
    accelerate.state.AcceleratorState._reset_state(reset_partial_state=True)
    yield
    accelerate.state.AcceleratorState._reset_state(reset_partial_state=True)


def _by_torchrun(folder: Path, *, started: int, asked: int) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(started),
         str(Path(__file__).with_name("parallel_run.py")), str(folder), str(asked)],
        cwd=ROOT, env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=100, check=False,
    )  # fmt: skip


def test_two_processes_equal_one_with_batches_twice_as_long(tmp_path):
    done = _by_torchrun(tmp_path, started=2, asked=2)
    assert done.returncode == 0, done.stdout
    first, second = (json.loads((tmp_path / f"{rank}.json").read_text()) for rank in (0, 1))
    assert first == second  # batch norm's buffers too
    net, history = run(None, merged=True)
    for name, value in net.state_dict().items():
        torch.testing.assert_close(
            torch.tensor(first["plain"][name], dtype=value.dtype), value, rtol=0, atol=1e-12
        )
    assert first["plain_losses"] == pytest.approx(history.losses, rel=1e-12)
    assert first["plain_accuracies"] == pytest.approx(history.accuracies, rel=1e-12)
    assert first["refused"] == "checkpoint must be None where several processes train (2 do); train in one"


def test_the_number_of_processes_that_was_asked_for_is_checked():
    with pytest.raises(InputError, match=r"n_processes must be .* that run, 1, got 2; start them by: torchrun"):
        open_accelerator(n_processes=2)


def test_one_process_through_an_accelerator_is_the_same_bit_for_bit():
    plain, _ = run(None, merged=False)
    through, _ = run(open_accelerator(), merged=False)
    for a, b in zip(plain.parameters(), through.parameters(), strict=True):
        assert torch.equal(a, b)


def test_bfloat16_is_seen_in_the_forward_pass_alone_and_leaves_no_trace_on_the_net():
    torch.manual_seed(0)
    net, x = torch.nn.Linear(64, 8), torch.randn(4, 64, generator=torch.Generator().manual_seed(0))
    seen = []
    hook = net.register_forward_hook(lambda module, inputs, y: seen.append(y.dtype))
    y = Devices(open_accelerator(precision="bfloat16")).forward_of(net)(x)
    hook.remove()
    assert seen == [torch.bfloat16]
    assert y.dtype == torch.float32
    with torch.no_grad():
        assert net(x).dtype == torch.float32
        torch.testing.assert_close(y, net(x), rtol=0, atol=0.03)
    y.sum().backward()
    assert net.weight.grad.dtype == net.weight.dtype == torch.float32


def test_bfloat16_learns_nearly_what_full_precision_learns():
    _, full = run(None, merged=False, dtype=torch.float32)
    _, half = run(open_accelerator(precision="bfloat16"), merged=False, dtype=torch.float32)
    assert half.losses != full.losses
    assert half.losses == pytest.approx(full.losses, rel=0.02)


def test_a_second_precision_in_one_process_is_refused():
    open_accelerator()
    with pytest.raises(InputError, match="another Accelerator is open"):
        open_accelerator(precision="bfloat16")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"precision": "float16"}, "precision must be one of float32, bfloat16, got 'float16'"),
        ({"n_processes": 0}, "n_processes must be an int >= 1, got 0"),
        ({"n_processes": True}, "n_processes must be an int >= 1, got True"),
    ],
)
def test_wrong_options_are_refused(options, words):
    with pytest.raises(InputError, match=words):
        open_accelerator(**options)


def test_a_missing_accelerate_is_told_with_the_cure(monkeypatch):
    monkeypatch.setitem(sys.modules, "accelerate", None)
    with pytest.raises(InputError, match=r"pip install 'conv1d_kit\[accelerate\]'"):
        open_accelerator()


@pytest.mark.parametrize("n_processes", [1, 2, 3, 5])
@pytest.mark.parametrize("n", [0, 1, 2, 3, 4, 7, 9])
def test_every_batch_is_someones_and_all_have_as_many(n, n_processes):
    parts = [list(batches_of_process(range(n), rank, n_processes)) for rank in range(n_processes)]
    assert {len(part) for part in parts} == {-(-n // n_processes)}
    in_turn = [batch for together in zip(*parts, strict=True) for batch in together]
    assert in_turn[:n] == list(range(n))
    assert in_turn[n:] == [i % n for i in range(len(in_turn) - n)]

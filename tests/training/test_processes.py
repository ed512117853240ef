"""Workers end with their block, with Ctrl-C and with their parent."""

import multiprocessing
import os
import signal
import subprocess
import sys
import time

import pytest

from conv1d_kit.errors import ConvKitError
from conv1d_kit.training.processes import WorkerPool

SCRIPT = """
import os, sys, time
from conv1d_kit.training.processes import WorkerPool
if __name__ == "__main__":
    try:
        with WorkerPool(2) as pool:
            futures = [pool.submit(time.sleep, 60) for _ in range(3)]
            print(*[p.pid for p in __import__("multiprocessing").active_children()], flush=True)
            futures[0].result()
    except KeyboardInterrupt:
        sys.exit(130)
"""


@pytest.fixture
def running(tmp_path):
    (tmp_path / "script.py").write_text(SCRIPT)
    environment = {**os.environ, "PYTHONPATH": os.getcwd()}
    process = subprocess.Popen(
        [sys.executable, tmp_path / "script.py"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        start_new_session=True, env=environment,
    )  # fmt: skip
    with process:
        workers = [int(pid) for pid in process.stdout.readline().split()]
        yield process, workers
        if process.poll() is None:
            process.kill()


def _gone(pid, within_s=10):
    for _ in range(int(within_s / 0.05)):
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.05)
    return False


@pytest.mark.parametrize("wait_s", [0.0, 2.0])  # while the workers start, and while they work
def test_one_ctrl_c_to_the_group_ends_all_without_a_traceback(running, wait_s):
    process, workers = running
    time.sleep(wait_s)
    os.killpg(process.pid, signal.SIGINT)
    start = time.perf_counter()
    _, err = process.communicate(timeout=20)
    assert time.perf_counter() - start < 5
    assert (process.returncode, err) == (130, "")
    assert len(workers) == 2
    assert all(_gone(pid) for pid in workers)


def test_workers_end_when_their_parent_is_killed(running):
    process, workers = running
    time.sleep(2)
    process.kill()
    assert all(_gone(pid) for pid in workers)


def _fail_while_busy(pool, before, workers):
    pool.submit(time.sleep, 60)
    workers |= set(multiprocessing.active_children()) - before
    raise ZeroDivisionError


def test_an_error_in_the_block_ends_the_workers_and_comes_through():
    before = set(multiprocessing.active_children())
    workers = set()
    with pytest.raises(ZeroDivisionError), WorkerPool(1) as pool:
        _fail_while_busy(pool, before, workers)
    assert len(workers) == 1
    assert all(_gone(worker.pid) for worker in workers)  # by number: the pool's own thread may reap it unseen


def test_a_killed_worker_is_said_in_words():
    with pytest.raises(ConvKitError, match="memory"), WorkerPool(1) as pool:
        pool.submit(os._exit, 3).result()

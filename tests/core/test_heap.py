"""Memory that training keeps: an array finds the pages of a larger one that is gone."""

import os
import resource
import subprocess
import sys
import threading

import pytest
import torch

from conv1d_kit.core import heap
from conv1d_kit.core.heap import is_heap_kept, kept_heap
from conv1d_kit.training.processes import WorkerPool

MB = 40  # beyond what glibc ever keeps by itself


def faults_of_a_second_array():
    """Pages that the system had to find for it."""
    torch.ones((MB + 8) << 18)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    torch.ones(MB << 18)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before


needs_glibc = pytest.mark.skipif(heap._glibc() is None, reason="the C library is not glibc")


def follow_the_pages():
    pages = (MB << 20) // resource.getpagesize()
    assert faults_of_a_second_array() > pages // 16  # of huge pages there are fewer
    with kept_heap():
        with kept_heap():
            assert faults_of_a_second_array() < pages // 100
        assert is_heap_kept()
        assert faults_of_a_second_array() < pages // 100
    assert not is_heap_kept()
    assert faults_of_a_second_array() > pages // 16


@needs_glibc
def test_freed_memory_stays_while_it_is_open_and_goes_back_at_its_end():
    with WorkerPool(1) as fresh:  # its heap has no holes that other tests left
        fresh.submit(follow_the_pages).result()


AFTER_A_LAYER = """
import resource, sys, torch
if sys.argv[1] == "settled":
    import conv1d_kit.core.library
def layer():
    kept = [torch.ones(16 << 18) for _ in range(3)]  # what goes in and out, laid anew, and the result
for _ in range(3):
    layer()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
layer()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@needs_glibc
def test_what_a_layer_frees_stays_at_hand_whatever_was_freed_before():
    pages = (48 << 20) // resource.getpagesize()
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("MALLOC_", "GLIBC_TUNABLES"))}
    found = {
        way: int(subprocess.check_output([sys.executable, "-c", AFTER_A_LAYER, way], env=environment))
        for way in ("plain", "settled")
    }
    assert found["settled"] < pages // 100
    assert found["plain"] > 10 * found["settled"]


@needs_glibc
def test_it_ends_when_what_is_inside_fails():
    with pytest.raises(RuntimeError, match="inside"), kept_heap():
        raise RuntimeError("inside")
    assert heap._users == 0


def test_threads_may_share_it():
    def work():
        with kept_heap():
            torch.ones(1 << 20).sum()

    threads = [threading.Thread(target=work) for _ in range(8)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert heap._users == 0


def test_elsewhere_nothing_changes(monkeypatch):
    monkeypatch.setattr(heap, "_glibc", lambda: None)
    with kept_heap():
        assert heap._users == 0

"""The bench's own rules: who is compared, what a short call counts as, what a failing peer costs."""

from __future__ import annotations

import json
import time

import numpy as np
import pytest

from benchmarks.cell import Cell, Contest
from benchmarks.clock import in_turn
from benchmarks.growth import growth
from benchmarks.measure import counted_ratio, measure
from benchmarks.page import page
from benchmarks.run import to_json
from benchmarks.table import shown_time


def contest(**peers) -> Contest:
    y = np.ones(3)
    return Contest({"1-D signals, NumPy": lambda: y}, peers, lambda: [y], "direct", aside=("imprecise",))


def fails():
    raise ValueError("no such shape")


def test_a_run_that_raises_is_noted_and_the_others_are_timed():
    failures = {}
    times = in_turn({"good": lambda: None, "bad": fails}, budget_s=0.01, failures=failures)
    assert list(times) == ["good"]
    assert failures == {"bad": "ValueError: no such shape"}
    with pytest.raises(ValueError, match="no such shape"):
        in_turn({"bad": fails})


def test_nobody_always_follows_the_same_one():
    order = []
    runs = {name: lambda name=name: (order.append(name), time.sleep(0.006)) for name in "abcd"}
    in_turn(runs, budget_s=0.2)
    turns = order[2 * len(runs) :]  # each was called twice before
    before_a = [turns[i - 1] for i, name in enumerate(turns) if name == "a" and i]
    assert max(map(before_a.count, "bcd")) <= 0.7 * len(before_a)


def test_a_slow_first_call_is_not_the_time_of_a_run():
    calls = []

    def run():
        calls.append(0)
        time.sleep(0.2 if len(calls) == 1 else 0.001)

    assert in_turn({"run": run}, budget_s=0.01)["run"] < 0.1


def test_every_peer_is_recorded_and_only_fit_ones_are_compared():
    peers = {
        "slow": lambda: time.sleep(0.002),
        "imprecise": lambda: None,
        "bad": fails,
        "absent": "not installed",
    }
    cell = Cell("1-D signals", "3 ∗ 1", lambda: contest(**peers), {"n": 3, "k": 1, "dtype": "float64"})
    (row,) = measure(cell, cell.make(), [], budget_s=0.01)
    assert row["best"] == "slow"
    assert row["error"] == 0.0
    assert list(row["peers"]) == list(peers)
    assert row["peers"]["bad"] == "ValueError: no such shape"
    assert row["peers"]["absent"] == "not installed"


def test_a_peer_too_slow_on_a_tenth_of_the_length_is_not_asked_again():
    earlier = {"n": 1_000, "k": 1, "dtype": "float64", "peers": {"slow": 1.0, "quick": 0.1}}
    cell = Cell("1-D signals", "", lambda: contest(), {"n": 10_000, "k": 1, "dtype": "float64"})
    (row,) = measure(cell, contest(slow=fails, quick=lambda: None), [earlier], budget_s=0.01)
    assert row["peers"]["slow"] == "left out: about 10 s"
    assert row["best"] == "quick"


@pytest.mark.parametrize(
    ("ours", "peers", "kind", "counted"),
    [
        (4e-6, {"np.convolve": 2e-6}, "NumPy", 1.0),  # 2 µs over
        (5e-6, {"np.convolve": 2e-6}, "NumPy", 0.4),  # 3 µs over
        (1e-6, {"np.convolve": 2e-6}, "NumPy", 2.0),  # quicker
        (15e-6, {"np.convolve": 2e-6, "torch conv1d": 6e-6}, "torch", 1.0),  # 9 µs over torch's call
        (20e-6, {"np.convolve": 2e-6, "torch conv1d": 6e-6}, "torch", 0.1),
        (61e-6, {"np.convolve": 60e-6}, "NumPy", 60 / 61),  # no short call
    ],
)
def test_a_short_call_counts_by_its_overhead(ours, peers, kind, counted):
    assert counted_ratio(ours, peers, kind) == pytest.approx(counted)


def test_growth_finds_the_exponent():
    rows = [
        {"grid": "1-D signals, NumPy", "dtype": "float32", "k": 63, "n": n, "ours": 1e-9 * n**1.5}
        for n in (10_000, 100_000, 1_000_000, 10_000_000)
    ]
    (line,) = growth(rows)
    assert line["exponent"] == pytest.approx(1.5)
    assert line["ratio"] == pytest.approx(10, rel=1e-3)


def test_the_page_is_drawn_from_json_alone_and_marks_what_misses_its_target():
    row = {
        "grid": "1-D signals, NumPy", "cell": "3 ∗ 1", "n": 3, "k": 1, "dtype": "float32", "method": "direct",
        "ours": 2e-3, "best": "np.convolve", "best_s": 1e-3, "plain_ratio": 0.5, "ratio": 0.5, "error": 1e-7,
        "peers": {"np.convolve": 1e-3}, "aside": [],
    }  # fmt: skip
    told = {
        "command": "c",
        "date": "d",
        "processor": "p",
        "cores": 2,
        "threads": 2,
        "load": 0.0,
        "python": "3",
        "versions": {},
    }
    empty = {key: [] for key in ("planner", "overhead", "memory")}
    results = {
        "conditions": told,
        "seconds": {"all": 60.0},
        "failures": {},
        "rows": [row],
        "imports": {},
    } | empty
    spread = {"lasts": 1e-3, "median": 1e-4, "mean": 1e-4, "p99": 3e-4, "longest": 2e-3}
    results["streams"] = {
        "rows": [{"block": 64, "late": 1, **spread}],
        "long": {
            "block": 64,
            "seconds": 600.0,
            "blocks": 9,
            "late": 0,
            **spread,
            "own_late": 0,
            "own_longest": 1e-3,
        },
    }
    parts = {"seconds": 30.0, "read": 5.0, "convolve": 20.0, "write": 10.0, "bytes": 7e9}
    results["files"] = [
        {"case": "WAV", "sound_s": 36_000.0, "speed": 1_200.0, "resident": 300e6, **parts},
        {"case": "map", "samples": 10, "in_memory": 20.0, "ratio": 1.5, "extra": 50e6, **parts},
        {"case": "FLAC", "error": "over 5 s"},
    ]
    text = page(json.loads(to_json(results)), [])
    assert "| 300 µs = **30.0%** | **1** | not installed" in text
    assert "600 s of blocks of 64 through our stream alone: 0 of 9 blocks late" in text
    assert (
        "| 10 h, stereo WAV | 7.00 GB | 30.0 s | 1200× | 5.00 s / 20.0 s / 10.0 s | **300 MB** | 250 MB |"
        in text
    )
    assert "| 10 float32 | 30.0 s | 20.0 s | **1.50** | 5.00 s / 20.0 s / 10.0 s | 50.0 MB | 100 MB |" in text
    assert "| FLAC | over 5 s |" in text
    assert "| **3 ∗ 1** | direct | 2.00 ms | 1.00 ms np.convolve | **0.50** | 1e-07 |" in text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (1.23e-5, "12.3 µs"),
        (4.56e-3, "4.56 ms"),
        (0.9999, "1.00 s"),
        (9.996e-6, "10.0 µs"),
        (-1e-6, "-1.00 µs"),
    ],
)
def test_times_are_three_digits(seconds, text):
    assert shown_time(seconds) == text

"""A partitioned kernel gives what the whole gives, in every cut and for every chunk."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conv1d_kit import conv
from conv1d_kit.core.partitioned import Layout, Partitioned, partition_layout, partition_seconds

LAYOUTS = [(16, 0), (16, 4), (8, 8), (5, 4), (32, 16)]


def layout(taps, block, ratio):
    head = 2 * ratio if ratio else -(-taps // block)
    return Layout(block, head, ratio, -(-(taps - head * block) // (ratio * block)) if ratio else 0)


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from(LAYOUTS), st.integers(1, 2), st.sampled_from([(1, 1, 1), (2, 4, 2), (3, 2, 1)]),
    st.sampled_from(["float64", "complex128"]), st.lists(st.integers(1, 150), min_size=1, max_size=20),
    st.integers(0, 500),
)  # fmt: skip
def test_any_cut_and_any_chunks_give_the_whole(cut, batch, channels, dtype, sizes, past):
    (block, ratio), (n_in, n_out, groups) = cut, channels
    taps = 2 * ratio * block + 3 * max(ratio, 1) * block - 3
    rng = np.random.default_rng(sum(sizes) + past)
    x = rng.standard_normal((batch, n_in, past + sum(sizes))).astype(dtype)
    w = rng.standard_normal((n_out, n_in // groups, taps)).astype(dtype)
    engine = Partitioned(w, groups, layout(taps, block, ratio))
    engine.load(x[..., :past])
    parts, at = [], past
    for n in sizes:
        parts.append(engine.push(x[..., at : at + n]))
        at += n
    wanted = conv(x, w, padding="causal", flip=True, groups=groups)[..., past:]
    np.testing.assert_allclose(np.concatenate(parts, -1), wanted, atol=1e-10)


@pytest.mark.parametrize("cut", LAYOUTS)
@pytest.mark.parametrize("at", [1, 64, 100, 640, 1_001])
def test_an_engine_that_is_loaded_goes_on_bit_for_bit(cut, at):
    block, ratio = cut
    rng, taps = np.random.default_rng(0), 5 * max(ratio, 1) * block - 3
    x, w = rng.standard_normal((1, 2, 3_000)), rng.standard_normal((2, 2, taps))
    engine, other = (Partitioned(w, 1, layout(taps, block, ratio)) for _ in range(2))
    engine.load(x[..., :0])
    engine.push(x[..., :at])
    other.load(x[..., max(0, at - other.reach) : at], engine.phase)
    np.testing.assert_array_equal(other.push(x[..., at:]), engine.push(x[..., at:]))


@pytest.mark.parametrize("taps", [1, 63, 64, 65, 1_000, 96_000, 1_000_000])
@pytest.mark.parametrize("block", [1, 16, 64, 1_000, 4_096])
@pytest.mark.parametrize("kind", ["auto", "uniform", "nonuniform"])
def test_a_layout_holds_every_tap_once(taps, block, kind):
    found = partition_layout(taps, block, kind)
    assert found.block == block
    head = found.head * block
    if found.ratio:
        assert kind != "uniform"
        assert (
            head == 2 * found.ratio * block
        )  # so that the tail's work has a block of its own to be spread over
        assert head + (found.tail - 1) * found.ratio * block < taps <= head + found.tail * found.ratio * block
    else:
        assert head - block < taps <= head
        assert found.tail == 0


def test_long_kernels_are_cut_unevenly_and_short_ones_are_not():
    assert partition_layout(96_000, 64).ratio > 0
    assert partition_layout(1_000, 64).ratio == 0
    long, short = partition_layout(96_000, 64), partition_layout(1_000, 64)
    assert partition_seconds(short, 64) < partition_seconds(long, 64) < partition_seconds(long, 128)


@pytest.mark.parametrize("cut", LAYOUTS)
@pytest.mark.parametrize("at", [1, 64, 100, 640, 1_001])
def test_an_engine_follows_another_kernels(cut, at):
    block, ratio = cut
    rng, taps = np.random.default_rng(0), 5 * max(ratio, 1) * block - 3
    x, old, new = rng.standard_normal((1, 2, 3_000)), *(rng.standard_normal((2, 2, taps)) for _ in range(2))
    first, second, wanted = (Partitioned(w, 1, layout(taps, block, ratio)) for w in (old, new, new))
    for engine in (first, wanted):
        engine.load(x[..., :0])
        engine.push(x[..., :at])
    second.follow(first)
    np.testing.assert_array_equal(second.push(x[..., at:]), wanted.push(x[..., at:]))

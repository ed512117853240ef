"""Whole blocks of a long sound, without torch: the full convolution, and a state that goes on bit for bit."""

import subprocess
import sys

import numpy as np
import pytest
from scipy.signal import fftconvolve

from conv1d_kit import conv
from conv1d_kit.core.block_stream import BlockStream

SHAPES = [(1, 1, 1), (2, 2, 2), (5, 5, 5), (2, 1, 1), (2, 3, 1), (6, 4, 2)]  # outputs, inputs, groups


def run(stream, x, sizes):
    parts, at = [], 0
    for n in [*sizes, x.shape[-1]]:
        parts.append(stream.push(x[:, at : at + n]))
        at += n
    return np.concatenate([*parts, stream.flush()], -1)


@pytest.mark.parametrize("threads", [1, 2, 3])
@pytest.mark.parametrize(("n_out", "n_in", "groups"), SHAPES)
@pytest.mark.parametrize("taps", [1, 700, 20_001])
def test_equals_the_full_convolution(n_out, n_in, groups, taps, threads):
    rng = np.random.default_rng(0)
    x, w = rng.standard_normal((n_in, 50_001)), rng.standard_normal((n_out, n_in // groups, taps))
    got = run(BlockStream(w, groups, threads=threads), x, [1, 0, 30_000, 77])
    np.testing.assert_allclose(got, conv(x, w, padding="full", flip=True, groups=groups), atol=1e-9)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_agrees_with_scipy_and_keeps_the_dtype(dtype):
    rng = np.random.default_rng(1)
    x, w = rng.standard_normal((1, 40_000)).astype(dtype), rng.standard_normal((1, 1, 9_000)).astype(dtype)
    got = run(BlockStream(w, 1), x, [10_000] * 3)
    assert got.dtype == dtype
    wanted = fftconvolve(x[0].astype(float), w[0, 0].astype(float))
    assert np.abs(got[0] - wanted).max() < (1e-3 if dtype == "float32" else 1e-11)


@pytest.mark.parametrize("at", [0, 1, 5_000, 70_000, 150_001])
def test_a_state_goes_on_bit_for_bit(at):
    rng = np.random.default_rng(2)
    x, w = rng.standard_normal((2, 200_000)).astype("f4"), rng.standard_normal((2, 1, 30_000)).astype("f4")
    first, second = BlockStream(w, 2), BlockStream(w, 2)
    first.push(x[:, :at])
    second.state = {name: value.copy() for name, value in first.state.items()}
    for i in range(at, 200_000, 40_000):
        chunk = x[:, i : i + 40_000]
        np.testing.assert_array_equal(second.push(chunk), first.push(chunk))
    np.testing.assert_array_equal(second.flush(), first.flush())


def test_nothing_in_nothing_out():
    assert BlockStream(np.ones((2, 1, 9)), 2).flush().shape == (2, 0)


def test_what_is_kept_is_bounded_by_the_response():
    stream = BlockStream(np.ones((1, 1, 1_000), "f4"), 1)
    for _ in range(200):
        stream.push(np.ones((1, 5_000), "f4"))
    assert sum(a.nbytes for a in stream.state.values()) < 4 * 12_000
    stream.close()


def test_torch_is_not_needed():
    code = "import sys, numpy as np; from conv1d_kit.core.block_stream import BlockStream as B; "
    code += (
        "s = B(np.ones((1, 1, 5000)), 1); s.push(np.ones((1, 9999))); s.flush(); print('torch' in sys.modules)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "False"

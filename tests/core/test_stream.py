"""A stream gives what `conv` gives on the whole, however the signal is cut."""

from __future__ import annotations

import copy
import math
import pickle
import subprocess
import sys
import threading

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from reference import conv_loop
from scipy.signal import lfilter, oaconvolve

from conv1d_kit import ConvStream, conv, depthwise_conv
from conv1d_kit.core.padding import NAMED_PADDINGS, PADDINGS
from conv1d_kit.core.partitioned import Partitioned
from conv1d_kit.core.precision import normwise_bound
from conv1d_kit.errors import InputError, InputTypeError

MODES = ["zeros", *PADDINGS, 2.0]
GAUSS = {"float16": 2e-2, "float32": 2e-5, "float64": 1e-13, "complex64": 2e-5, "complex128": 1e-13}


def run(stream, x, sizes):
    """All outputs for x cut into chunks of these sizes, and what is left of it as one more."""
    parts, at = [], 0
    for n in [*sizes, x.shape[-1]]:
        parts.append(stream.push(x[..., at : at + n]))
        at += n
    parts.append(stream.flush())
    return torch.cat(parts, -1) if isinstance(x, torch.Tensor) else np.concatenate(parts, -1)


def numbers(rng, shape, dtype):
    if np.dtype(dtype).kind in "iub":
        return rng.integers(0, 2 if dtype == "bool" else 20, shape).astype(dtype)
    x = rng.standard_normal(shape)
    return (x + 1j * rng.standard_normal(shape) if np.dtype(dtype).kind == "c" else x).astype(dtype)


def close(got, wanted):
    assert got.shape == wanted.shape
    assert got.dtype == wanted.dtype
    tolerance = GAUSS.get(str(wanted.dtype), 0)
    scale = np.abs(wanted.astype(complex)).max(initial=1)
    assert np.abs(got.astype(complex) - wanted).max(initial=0) <= tolerance * scale


@st.composite
def cases(draw, axes=(1, 1, 1, 2, 3)):
    """x, w, bias, options of conv, options of the stream, and sizes of chunks."""
    n, groups = draw(st.sampled_from(axes)), draw(st.integers(1, 2))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    dtype = draw(
        st.sampled_from(["float64", "float64", "float32", "complex128", "int32", "uint8", "bool", "float16"])
    )
    stride, dilation = draw(st.integers(1, 4)), draw(st.integers(1, 3))
    taps = draw(st.sampled_from([1, 2, 3, 7, 20, 70, 200] if n == 1 else [1, 2, 5, 20]))
    length = draw(st.sampled_from([0, 1, 5, 60, 300, 1200] if n == 1 else [0, 1, 30, 90]))
    lead = [draw(st.integers(3, 5)) for _ in range(n - 1)]
    x = numbers(rng, (draw(st.integers(1, 2)), groups * draw(st.integers(1, 2)), *lead, length), dtype)
    kernel = [draw(st.integers(1, 3)) for _ in lead]
    w = numbers(rng, (groups * draw(st.integers(1, 2)), x.shape[1] // groups, *kernel, taps), dtype)
    bias = numbers(rng, w.shape[:1], dtype) if draw(st.booleans()) else None
    span = (taps - 1) * dilation + 1
    padding = draw(st.sampled_from([*NAMED_PADDINGS, "pairs"]))
    if padding == "pairs":
        low_high = tuple(draw(st.integers(0, 2 * span)) for _ in range(2))
        padding = (*((1, 2) for _ in lead), low_high)
    options = {
        "stride": (*(1 for _ in lead), stride), "dilation": (*(1 for _ in lead), dilation), "padding": padding,
        "padding_mode": draw(st.sampled_from(MODES[:-1] if dtype == "bool" else MODES)), "groups": groups,
        "flip": draw(st.booleans()),
    }  # fmt: skip
    block = draw(st.one_of(st.none(), st.integers(1, 40).map(lambda b: b * stride)))
    late = draw(st.booleans())
    chunked = {
        "partition": draw(st.sampled_from(["auto", "none", "uniform", "nonuniform"])), "block": block,
        "latency": (50 if block is None else block) if late else 0,
    }  # fmt: skip
    sizes = draw(st.lists(st.sampled_from([0, 1, 2, 3, 16, 17, 64, 100, 333]), max_size=12))
    return x, w, bias, options, chunked, sizes


@settings(max_examples=400, deadline=None)
@given(cases())
def test_a_stream_equals_the_whole_for_any_split(case):
    x, w, bias, options, chunked, sizes = case
    stream = ConvStream(w, bias, **options, **chunked)
    try:
        wanted = conv(x, w, bias, **options)
    except InputError as error:  # too short for the kernel, or nothing to copy from
        if "fit into" in str(error):
            assert run(stream, x, sizes).shape[-1] == 0
        else:
            with pytest.raises(InputError, match="nothing to copy"):
                run(stream, x, sizes)
        return
    close(run(stream, x, sizes), wanted)


@settings(max_examples=60, deadline=None)
@given(cases(axes=(1,)), st.integers(1, 6))
def test_along_the_grid_not_a_bit_differs(case, steps):
    x, w, bias, options, chunked, _ = case
    assume(x.shape[-1])
    chunked["latency"] = 0
    if chunked["block"] is None:
        chunked["block"] = 5 * options["stride"][0]
    if options["padding"] not in ("full", "causal"):  # there outputs keep step with inputs from the first on
        options["padding"] = "causal"
    grid = chunked["block"] * steps
    stream = ConvStream(w, bias, **options, **chunked)
    assert stream.block == chunked["block"]
    one = run(stream, x, [])
    stream.reset()
    many = run(stream, x, [grid] * (x.shape[-1] // grid))
    np.testing.assert_array_equal(many, one)


@settings(max_examples=60, deadline=None)
@given(cases(axes=(1, 2)), st.lists(st.integers(0, 90), max_size=20))
def test_with_latency_not_a_bit_depends_on_the_split(case, other):
    x, w, bias, options, chunked, sizes = case
    chunked["latency"] = chunked["block"] or 40
    stream = ConvStream(w, bias, **options, **chunked)
    try:
        one = run(stream, x, sizes)
    except InputError:
        return
    stream.reset()
    np.testing.assert_array_equal(run(stream, x, other), one)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("channels", "groups", "taps"), [(1, 1, 255), (4, 4, 255), (2, 2, 1_000)])
def test_along_the_grid_blocks_are_convs_own_bit_for_bit(dtype, channels, groups, taps):
    """Where `conv` takes the same transforms for the whole, of an uncut kernel, and no channels mix."""
    rng = np.random.default_rng(0)
    w = rng.standard_normal((channels, 1, taps)).astype(dtype)
    stream = ConvStream(w, padding="causal", groups=groups)
    stream.push(np.zeros((channels, 0), dtype))
    grid, n = stream.block, (1 << 20) + 12_345
    x = rng.standard_normal((channels, n)).astype(dtype)
    got = run(stream, x, [grid] * (n // grid))
    wanted = conv(x, w, padding="causal", groups=groups)
    whole = n // grid * grid
    assert whole > 4 * grid
    np.testing.assert_array_equal(got[:, :whole], wanted[:, :whole])
    close(got, wanted)


@pytest.mark.parametrize("partition", ["uniform", "nonuniform", "none", "auto"])
def test_filters_as_scipy_does(partition):
    rng = np.random.default_rng(1)
    x, taps = rng.standard_normal(30_000), rng.standard_normal(3_000)
    stream = ConvStream(taps[None, None], padding="full", flip=True, partition=partition)
    got = run(stream, x[None], [64] * 200 + [1, 5, 700])[0]
    np.testing.assert_allclose(got[: len(x)], lfilter(taps, 1.0, x), atol=1e-11)
    np.testing.assert_allclose(got, oaconvolve(x, taps), atol=1e-11)


def test_a_small_case_equals_the_sums_written_out():
    rng = np.random.default_rng(2)
    x, w = rng.standard_normal((2, 4, 40)), rng.standard_normal((6, 2, 5))
    stream = ConvStream(w, stride=2, padding=((3, 7),), padding_mode="reflect", dilation=2, groups=2)
    wanted = conv_loop(x, w, stride=2, pads=((3, 7),), mode="reflect", dilation=2, groups=2)
    np.testing.assert_allclose(run(stream, x, [3, 1, 9]), wanted, atol=1e-12)


@pytest.mark.parametrize("dtype", ["float32", "float64", "complex64"])
@pytest.mark.parametrize("partition", ["uniform", "nonuniform"])
def test_errors_of_a_partitioned_kernel_stay_within_the_engines_bound(dtype, partition):
    rng = np.random.default_rng(3)
    x, w = numbers(rng, (1, 60_000), dtype), numbers(rng, (1, 1, 9_000), dtype)
    stream = ConvStream(w, padding="causal", flip=True, partition=partition, block=128)
    got = run(stream, x, [128] * 300)
    wide = "complex128" if dtype[0] == "c" else "float64"
    wanted = conv(x.astype(wide), w.astype(wide), padding="causal", flip=True)
    longest = 4 * 9_000  # points of any transform of it, at most
    bound = normwise_bound("overlap_add", getattr(torch, dtype), 0, longest)
    assert np.abs(got - wanted).max() <= bound * np.linalg.norm(x[0, :longest]) * np.linalg.norm(w) * 2


@pytest.mark.parametrize("dtype", ["uint16", "uint32", "uint64"])
def test_a_kernel_of_unsigned_integers_is_turned_round_too(dtype):
    x, w = np.array([[1, 2, 3, 4]], dtype), np.array([[[1, 10, 100]]], dtype)
    stream = ConvStream(w, padding="full", flip=True)
    y = run(pickle.loads(pickle.dumps(stream)), x, [1, 2])
    assert y.dtype == dtype
    np.testing.assert_array_equal(y[0], np.convolve(x[0], w[0, 0]))
    stream.set_kernel(w[..., :2])
    np.testing.assert_array_equal(run(stream, x, [3])[0, :5], np.convolve(x[0], w[0, 0, :2]))


def test_true_stereo_and_a_response_for_each_channel():
    rng = np.random.default_rng(4)
    x, matrix = rng.standard_normal((2, 5_000)), rng.standard_normal((2, 2, 1_000))
    got = run(ConvStream(matrix, padding="full", flip=True, partition="nonuniform"), x, [64] * 50)
    for o in range(2):
        wanted = oaconvolve(x[0], matrix[o, 0]) + oaconvolve(x[1], matrix[o, 1])
        np.testing.assert_allclose(got[o], wanted, atol=1e-11)
    each = matrix[:, :1]
    got = run(ConvStream(each, padding="full", flip=True, groups=2), x, [64] * 50)
    np.testing.assert_allclose(got, depthwise_conv(x, each[:, 0], padding="full", flip=True), atol=1e-11)


@pytest.mark.parametrize("stride", [1, 3])
@pytest.mark.parametrize("padding", ["valid", "causal", "full", ((2, 5),)])
def test_without_latency_every_output_comes_with_the_last_sample_it_sees(padding, stride):
    stream = ConvStream(np.ones((1, 1, 9)), padding=padding, stride=stride)
    low = {"valid": 0, "causal": 8, "full": 8}.get(padding, 2) if isinstance(padding, str) else 2
    count = 0
    assert stream.latency == 0
    for n in range(1, 60):
        count += stream.push(np.ones((1, 1))).shape[-1]
        assert count == max(0, (n + low - 9) // stride + 1)


@pytest.mark.parametrize("partition", ["none", "uniform", "nonuniform", "auto"])
@pytest.mark.parametrize("taps", [1, 5, 300])
def test_a_stride_beyond_the_kernel_leaves_samples_out(taps, partition):
    rng = np.random.default_rng(16)
    x, w = rng.standard_normal((1, 60_000)), rng.standard_normal((1, 1, taps))
    stream = ConvStream(w, stride=1_000, partition=partition)
    got = run(stream, x, rng.integers(1, 2_000, 55))
    np.testing.assert_allclose(got, conv(x, w, stride=1_000), atol=1e-11)


@pytest.mark.parametrize("stride", [1, 3])
def test_latency_counts_the_samples_an_output_may_wait(stride):
    stream = ConvStream(np.ones((1, 1, 9)), padding="causal", stride=stride, latency=20)
    assert 20 - stride < stream.latency <= 20
    assert stream.block == stream.latency + stride
    count, waited = 0, 0
    for n in range(1, 200):
        count += stream.push(np.ones((1, 1))).shape[-1]
        due = (n - 1) // stride + 1  # outputs whose last sample has come
        if count < due:
            waited = max(waited, n - 1 - count * stride)
    assert waited == stream.latency - 1
    assert count % (stream.block // stride) == 0


@pytest.mark.parametrize(
    "options", [{"padding": "same", "stride": 2}, {"padding": 3, "padding_mode": "circular"}]
)
def test_what_depends_on_the_end_waits_for_it(options):
    x, w = np.random.default_rng(5).standard_normal((1, 50)), np.ones((1, 1, 4))
    stream = ConvStream(w, **options)
    assert stream.push(x).shape == (1, 0)
    assert stream.latency == math.inf
    np.testing.assert_allclose(stream.flush(), conv(x, w, **options))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("partition", ["none", "uniform", "nonuniform"])
@pytest.mark.parametrize("stride", [1, 2])
def test_what_is_not_finite_reaches_the_outputs_that_see_it_and_no_others(bad, partition, stride):
    rng = np.random.default_rng(6)
    x, w = rng.standard_normal((1, 6_000)), np.abs(rng.standard_normal((1, 1, 900))) + 0.1
    x[0, [1_234, 3_000]] = bad
    stream = ConvStream(w, padding="full", stride=stride, partition=partition)
    got, wanted = run(stream, x, [64] * 80), conv(x, w, padding="full", stride=stride)
    np.testing.assert_array_equal(np.isfinite(got), np.isfinite(wanted))
    assert 1700 // stride < (~np.isfinite(got)).sum() < 1900 // stride
    np.testing.assert_allclose(got, wanted, atol=1e-11)


@pytest.mark.parametrize("chunk", [64, 70_000])
def test_nan_is_not_forgotten_when_ways_change_or_a_state_is_restored(chunk):
    rng = np.random.default_rng(15)
    x, w = rng.standard_normal((1, 80_000)), np.abs(rng.standard_normal((1, 1, 9_000))) + 0.1
    x[0, 69_000] = np.nan
    stream, parts = ConvStream(w, padding="causal"), []
    for i in range(0, 70_000, chunk):
        parts.append(stream.push(x[:, i : min(70_000, i + chunk)]))
    other = ConvStream(w, padding="causal")
    other.state = stream.state
    for i in range(70_000, 80_000, 64):
        parts.append(stream.push(x[:, i : i + 64]))
        np.testing.assert_array_equal(other.push(x[:, i : i + 64]), parts[-1])
    got, wanted = np.concatenate(parts, -1), conv(x, w, padding="causal")
    np.testing.assert_array_equal(np.isnan(got), np.isnan(wanted))
    np.testing.assert_allclose(got, wanted, atol=1e-9)


def test_finite_sums_stay_finite_however_large_the_transform_would_be():
    x, w = np.full((1, 4_000), 1e37, np.float32), np.full((1, 1, 600), 1e-3, np.float32)
    got = run(ConvStream(w, padding="causal", partition="uniform"), x, [64] * 30)
    np.testing.assert_allclose(got, conv(x, w, padding="causal"), rtol=1e-5)


@pytest.mark.parametrize(
    "options", [{"nan": "omit"}, {"precision": "componentwise"}, {"max_bytes": 1 << 20}, {"method": "direct"}]
)
def test_options_of_conv_hold_in_a_stream(options):
    rng = np.random.default_rng(7)
    x, w = rng.standard_normal((2, 900)), np.abs(rng.standard_normal((2, 2, 60)))
    if "nan" in options:
        x[:, 100] = np.nan
    got = run(ConvStream(w, padding="same", **options), x, [50] * 9)
    np.testing.assert_allclose(got, conv(x, w, padding="same", **options), rtol=1e-9)


def test_nan_raise_leaves_the_stream_as_it_was():
    stream, x = ConvStream(np.ones((1, 1, 3)), padding="causal", nan="raise"), np.ones((1, 4))
    stream.push(x)
    with pytest.raises(InputError, match="NaN"):
        stream.push(x * np.nan)
    np.testing.assert_array_equal(stream.push(x), [[3.0, 3, 3, 3]])


@pytest.mark.parametrize("start", [0, 9])
def test_a_sum_that_does_not_fit_leaves_the_stream_as_it_was(start):
    stream, x = (
        ConvStream(np.ones((1, 1, 4), np.int8), padding="causal", precision="exact"),
        np.ones((1, 4), np.int8),
    )
    stream.push(x[:, :0])
    head = stream.push(np.ones((1, start), np.int8))
    with pytest.raises(InputError, match="must fit into"):
        stream.push(x * 100)
    got = np.concatenate([head, stream.push(x)], -1)
    np.testing.assert_array_equal(
        got, conv(np.ones((1, start + 4), np.int8), np.ones((1, 1, 4), np.int8), padding="causal")
    )


@pytest.mark.parametrize("option", [{"nan": "raise"}, {"precision": "exact"}])
@pytest.mark.parametrize("padding", ["causal", ((0, 0),)])
def test_a_first_chunk_that_is_refused_says_nothing_of_the_signals_kind(option, padding):
    w = np.ones((1, 1, 3), np.int8 if "precision" in option else float)
    stream = ConvStream(w, padding=padding, **option)
    with pytest.raises(InputError):
        stream.push(np.full((2, 1, 4), 100, np.int8) if "precision" in option else np.full((2, 1, 4), np.nan))
    assert not stream.state["position"].any()
    np.testing.assert_array_equal(stream.push(np.ones((1, 4), w.dtype))[:, -2:], [[3, 3]])


def test_an_end_that_is_refused_leaves_the_stream_as_it_was():
    w = np.array([[[0, 1, 1, 1]]], np.int8)
    stream = ConvStream(w, padding=((0, 3),), padding_mode="replicate", precision="exact")
    stream.push(np.array([[0, 0, 0, 100]], np.int8))
    for _ in range(2):
        with pytest.raises(InputError, match="must fit into"):
            stream.flush()
    np.testing.assert_array_equal(stream.push(np.array([[-100, 1, 1]], np.int8)), [[0, 1, -98]])
    np.testing.assert_array_equal(stream.flush(), [[3, 3, 3]])


@pytest.mark.parametrize("interrupted", [64, 30])
def test_what_is_interrupted_leaves_the_stream_as_it_was(monkeypatch, interrupted):
    rng = np.random.default_rng(17)
    x, w = rng.standard_normal((1, 6_400)), rng.standard_normal((1, 1, 900))
    stream = ConvStream(w, padding="causal", partition="uniform")
    parts = [stream.push(x[:, i : i + 64]) for i in range(0, 640, 64)]

    def interrupt(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Partitioned, "_block_done", interrupt)
        with pytest.raises(KeyboardInterrupt):
            stream.push(x[:, 640 : 640 + interrupted])
    parts += [stream.push(x[:, i : i + 64]) for i in range(640, 6_400, 64)]
    np.testing.assert_allclose(np.concatenate(parts, -1), conv(x, w, padding="causal"), atol=1e-11)


def test_torch_in_torch_out_in_any_mode_and_without_gradients():
    x, w = torch.randn(2, 3, 4_000), torch.randn(3, 1, 700, requires_grad=True)
    stream = ConvStream(w, padding="causal", groups=3)
    with torch.inference_mode():
        first = stream.push(x[..., :64])
    rest = [stream.push(x[..., i : i + 64]) for i in range(64, 4_000, 64)]
    got = torch.cat([first.clone(), *rest, stream.flush()], -1)
    assert isinstance(got, torch.Tensor)
    assert not got.requires_grad
    torch.testing.assert_close(got, conv(x, w.detach(), padding="causal", groups=3), rtol=1e-4, atol=1e-3)


def test_chunks_and_kernel_may_be_written_to_afterwards():
    w, buffer = np.ones((1, 1, 50)), np.ones((1, 64))
    stream = ConvStream(w, padding="causal", partition="uniform")
    w[:] = 0
    stream.push(buffer)
    first = stream.push(buffer)
    kept = first.copy()
    buffer[:] = np.nan
    np.testing.assert_allclose(stream.push(np.ones((1, 64))), 50.0)
    np.testing.assert_array_equal(first, kept)


def test_odd_arrays_pass_as_conv_lets_them():
    rng = np.random.default_rng(8)
    x, w = rng.standard_normal((2, 640)), rng.standard_normal((2, 2, 80))
    stream = ConvStream(w, padding="causal", partition="uniform")
    backwards, swapped = np.ascontiguousarray(x[:, ::-1])[:, ::-1], x.astype(">f8")
    parts = []
    for i in range(0, 640, 64):
        source = (x, backwards, swapped, np.asfortranarray(x))[i // 64 % 4]
        parts.append(stream.push(source[:, i : i + 64]))
    np.testing.assert_allclose(np.concatenate(parts, -1), conv(x, w, padding="causal"), atol=1e-12)


@settings(max_examples=60, deadline=None)
@given(cases(axes=(1, 2)), st.integers(0, 12))
def test_a_state_goes_on_where_it_was_taken(case, at):
    x, w, bias, options, chunked, sizes = case
    whole, first = (ConvStream(w, bias, **options, **chunked) for _ in range(2))
    try:
        wanted = run(whole, x, sizes)
    except InputError:
        return
    at, done = min(at, len(sizes)), sum(sizes[:at])
    head = [first.push(x[..., sum(sizes[:i]) : sum(sizes[: i + 1])]) for i in range(at)]
    second = ConvStream(w, bias, **options, **chunked)
    second.state = first.state
    rest = run(second, x[..., done:], sizes[at:])
    np.testing.assert_array_equal(np.concatenate([*head, rest], -1), wanted)


OTHER_PROCESS = """
import sys, numpy as np
from conv1d_kit import ConvStream
rng = np.random.default_rng(0)
x, w = rng.standard_normal((2, 9_000)).astype("f4"), rng.standard_normal((2, 1, 2_500)).astype("f4")
stream = ConvStream(w, padding="full", groups=2)
stream.state = dict(np.load(sys.argv[1]))
out = [stream.push(x[:, i : i + 64]) for i in range(3_008, 9_000, 64)]
np.save(sys.argv[2], np.concatenate([*out, stream.flush()], -1))
"""


def test_a_state_saved_mid_stream_goes_on_in_another_process_bit_for_bit(tmp_path):
    rng = np.random.default_rng(0)
    x, w = rng.standard_normal((2, 9_000)).astype("f4"), rng.standard_normal((2, 1, 2_500)).astype("f4")
    stream = ConvStream(w, padding="full", groups=2)
    for i in range(0, 3_008, 64):
        stream.push(x[:, i : i + 64])
    np.savez(tmp_path / "state.npz", **stream.state)
    out = [stream.push(x[:, i : i + 64]) for i in range(3_008, 9_000, 64)]
    wanted = np.concatenate([*out, stream.flush()], -1)
    command = [sys.executable, "-c", OTHER_PROCESS, str(tmp_path / "state.npz"), str(tmp_path / "rest.npy")]
    subprocess.run(command, check=True)
    np.testing.assert_array_equal(np.load(tmp_path / "rest.npy"), wanted)


@pytest.mark.parametrize("partition", ["none", "uniform", "nonuniform"])
def test_another_kernel_fades_in(partition):
    rng = np.random.default_rng(9)
    x, old, new, third = (rng.standard_normal(s) for s in ((1, 8_000), (1, 1, 700), (1, 1, 700), (1, 1, 500)))
    stream = ConvStream(old, padding="causal", flip=True, partition=partition)
    parts = [stream.push(x[:, i : i + 64]) for i in range(0, 3_200, 64)]
    stream.set_kernel(new, crossfade=500)
    parts += [stream.push(x[:, i : i + 64]) for i in range(3_200, 3_520, 64)]  # the fade is not over
    stream.set_kernel(third, crossfade=1_000)
    parts += [stream.push(x[:, i : i + 64]) for i in range(3_520, 6_400, 64)]
    stream.set_kernel(old)
    parts += [stream.push(x[:, 6_400:])]
    got = np.concatenate(parts, -1)[0]
    a, b, c = (oaconvolve(x[0], w[0, 0])[:8_000] for w in (old, new, third))

    def share(start, n):
        return np.sin(np.clip((np.arange(8_000) - start + 1) / (n + 1), 0, 1) * np.pi / 2) ** 2

    wanted = a + share(3_200, 500) * (b - a)
    wanted += share(3_520, 1_000) * (c - wanted)
    wanted[6_400:] = a[6_400:]
    np.testing.assert_allclose(got, wanted, atol=1e-10)


@pytest.mark.parametrize("partition", ["none", "nonuniform"])
def test_a_state_taken_in_the_middle_of_a_crossfade_goes_on(partition):
    rng = np.random.default_rng(14)
    x, old, new = rng.standard_normal((1, 6_400)), *(rng.standard_normal((1, 1, 700)) for _ in range(2))
    stream, other = (ConvStream(old, padding="full", flip=True, partition=partition) for _ in range(2))
    for i in range(0, 1_920, 64):
        stream.push(x[:, i : i + 64])
    stream.set_kernel(new, crossfade=1_000)
    for i in range(1_920, 2_560, 64):
        stream.push(x[:, i : i + 64])
    other.state = stream.state
    for i in range(2_560, 6_400, 64):
        np.testing.assert_array_equal(other.push(x[:, i : i + 64]), stream.push(x[:, i : i + 64]))
    np.testing.assert_array_equal(other.flush(), stream.flush())


def test_a_crossfade_does_not_click():
    """A slow sine through opposite kernels: its steps stay as small as slopes of sine and fade make them."""
    x = np.sin(2 * np.pi * np.arange(20_000) / 2_000)[None]
    w = np.zeros((1, 1, 600))
    w[..., 0] = 1.0

    def largest_step(crossfade):
        stream = ConvStream(w, padding="causal", flip=True, partition="nonuniform")
        parts = [stream.push(x[:, i : i + 64]) for i in range(0, 10_560, 64)]
        stream.set_kernel(-w, crossfade=crossfade)
        parts += [stream.push(x[:, i : i + 64]) for i in range(10_560, 20_000, 64)]
        return np.abs(np.diff(np.concatenate(parts, -1)[0])).max()

    assert largest_step(0) > 1.5
    assert largest_step(2_000) < 2 * np.pi / 2_000 + np.pi / 2_000


def test_reset_begins_anew_with_another_kind_of_signal():
    stream, w = ConvStream(np.ones((1, 1, 40)), padding="causal"), np.ones((1, 1, 40))
    x = np.random.default_rng(10).standard_normal((1, 500))
    first = run(stream, x, [64] * 5)
    stream.reset()
    np.testing.assert_array_equal(run(stream, x, [64] * 5), first)
    stream.reset()
    batch = np.ones((3, 1, 100), np.float32)
    np.testing.assert_allclose(run(stream, batch, [7] * 9), conv(batch, w, padding="causal"))


def test_memory_is_bounded_by_the_kernel():
    stream = ConvStream(np.ones((1, 1, 1_000), np.float32), padding="causal")
    x = np.zeros((1, 64), np.float32)
    for _ in range(100):
        stream.push(x)
    early = sum(a.nbytes for a in stream.state.values())
    for _ in range(5_000):
        stream.push(x)
    assert sum(a.nbytes for a in stream.state.values()) <= early + 64 * 4 * 100


@pytest.mark.parametrize(
    ("chunk", "error", "message"),
    [
        (np.ones((2, 5)), InputError, "chunk must be (2, n) float32 as the first one was, got (2, 5) float64"),
        (np.ones((3, 5), "f4"), InputError, "chunk must be (2, n) float32 as the first one was, got (3, 5)"),
        (
            np.ones((1, 2, 5), "f4"),
            InputError,
            "chunk must be (2, n) float32 as the first one was, got (1, 2, 5)",
        ),
        (np.ones(5, "f4"), InputError, "got (5,) float32"),
        (torch.ones(2, 5), InputTypeError, "one library"),
        ([[1.0], [2.0]], InputTypeError, "chunk must be"),
    ],
)
@pytest.mark.parametrize("taps", [4, 900])
def test_a_chunk_of_another_kind_is_refused_and_nothing_is_lost(chunk, error, message, taps):
    x = np.random.default_rng(11).standard_normal((2, 640)).astype("f4")
    w = np.ones((2, 2, taps), "f4")
    stream = ConvStream(w, padding="causal")
    first = [stream.push(x[:, i : i + 64]) for i in range(0, 320, 64)]
    with pytest.raises(error) as caught:
        stream.push(chunk)
    assert message in str(caught.value)
    rest = [stream.push(x[:, i : i + 64]) for i in range(320, 640, 64)]
    close(np.concatenate([*first, *rest], -1), conv(x, w, padding="causal"))


@pytest.mark.parametrize("taps", [4, 900])
def test_a_chunk_of_another_rate_is_refused_and_nothing_is_lost(taps):
    x, w = np.random.default_rng(16).standard_normal((1, 640)), np.ones((1, 1, taps))
    stream, other = (ConvStream(w, padding="causal") for _ in range(2))
    parts = [stream.push(x[:, i : i + 64], sample_rate=48_000) for i in range(0, 320, 64)]
    other.state = stream.state
    for refused in (stream, other):
        with pytest.raises(InputError, match="sample_rate must be the stream's 48000 Hz, got 44100; resample"):
            refused.push(x[:, 320:384], sample_rate=44_100)
        with pytest.raises(InputError, match=r"sample_rate must be an int >= 1 \(Hz\), got 0"):
            refused.push(x[:, 320:384], sample_rate=0)
    parts += [stream.push(x[:, i : i + 64]) for i in range(320, 640, 64)]
    close(np.concatenate(parts, -1), conv(x, w, padding="causal"))
    stream.reset()
    stream.push(x, sample_rate=44_100)


def test_a_first_chunk_that_does_not_fit_may_be_followed_by_one_that_does():
    stream = ConvStream(np.ones((1, 2, 3)))
    with pytest.raises(InputError, match="C_in = 3"):
        stream.push(np.ones((3, 9)))
    with pytest.raises(InputError, match="x must be"):
        stream.push(np.ones(9))
    assert stream.push(np.ones((2, 9))).shape == (1, 7)


@pytest.mark.parametrize("taps", [3, 2_000])
def test_after_flush_there_is_no_more(taps):
    stream = ConvStream(np.ones((1, 1, taps)), padding="causal")
    for _ in range(4):
        stream.push(np.ones((1, 64)))
    stream.flush()
    with pytest.raises(InputError, match=r"push must come before flush.*reset\(\)"):
        stream.push(np.ones((1, 64)))
    with pytest.raises(InputError, match="flush must come before flush"):
        stream.flush()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"block": 0}, "block must be an int >= 1, got 0"),
        ({"block": 3, "stride": 2}, "block must be a multiple of the stride 2, got 3"),
        ({"latency": -1}, "latency must be an int >= 0, got -1"),
        ({"latency": 5, "block": 64}, "latency must be 0 or at least block − stride = 63, got 5"),
        ({"partition": "some"}, "partition must be auto, none, uniform, nonuniform, got 'some'"),
        ({"stride": 0}, "stride must be an int >= 1"),
        ({"padding": "both"}, "padding must be ints or one of"),
        ({"padding_mode": "mirror"}, "padding_mode must be"),
        ({"groups": 2}, "groups must divide"),
        ({"nan": "drop"}, "nan must be"),
        ({"precision": "most"}, "precision must be"),
        ({"method": "best"}, "method must be"),
        ({"flip": 1}, "flip must be True or False"),
        ({"bias": np.ones(2)}, "bias must be (C_out,) = (1,)"),
    ],
)
def test_options_that_cannot_be_are_refused_at_once(options, message):
    with pytest.raises(InputError) as caught:
        ConvStream(np.ones((1, 1, 4)), **options)
    assert message in str(caught.value)


@pytest.mark.parametrize("w", [np.ones(4), np.ones((1, 4)), np.ones((1, 1, 0))])
def test_a_kernel_of_another_rank_is_refused(w):
    with pytest.raises(InputError):
        ConvStream(w)


def test_a_kernel_to_change_to_must_fit():
    stream = ConvStream(np.ones((1, 1, 4)))
    for w in (np.ones((1, 1, 5)), np.ones((2, 1, 4)), np.ones((1, 1, 4), "f4"), np.ones(4)):
        with pytest.raises(InputError, match=r"w must be \(1, 1, 4\) float64 or shorter"):
            stream.set_kernel(w)
    with pytest.raises(InputError, match="crossfade must be an int >= 0, got -1"):
        stream.set_kernel(np.ones((1, 1, 4)), crossfade=-1)
    with pytest.raises(InputError, match="crossfade must be 0 for int64"):
        ConvStream(np.ones((1, 1, 4), int)).set_kernel(np.ones((1, 1, 4), int), crossfade=3)


@pytest.mark.parametrize("missing", ["history", "engine0", "fade0"])
def test_a_state_that_lacks_something_leaves_the_stream_as_it_was(missing):
    rng = np.random.default_rng(18)
    x, w = rng.standard_normal((1, 2_000)), rng.standard_normal((1, 1, 900))
    stream = ConvStream(w, padding="causal", partition="uniform")
    parts = [stream.push(x[:, :64]), stream.push(x[:, 64:128])]
    saved = stream.state
    del saved[missing]
    with pytest.raises(InputError, match=f"without '{missing}'"):
        stream.state = saved
    parts += [stream.push(x[:, i : i + 64]) for i in range(128, 2_000, 64)]
    np.testing.assert_allclose(np.concatenate(parts, -1), conv(x, w, padding="causal"), atol=1e-11)


def test_a_state_taken_after_prepare_or_between_two_ways_goes_on_bit_for_bit():
    rng = np.random.default_rng(19)
    x, w = rng.standard_normal((1, 200_000)), rng.standard_normal((1, 1, 3_000))
    stream, other = ConvStream(w, padding="causal"), ConvStream(w, padding="causal")
    stream.prepare(x[:, :64])
    at = 0
    for sizes in ([100] * 20, [150_000], [90] * 20):
        other.state = stream.state
        for n in sizes:
            chunk = x[:, at : at + n]
            np.testing.assert_array_equal(other.push(chunk), stream.push(chunk))
            at += n


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, lambda s: pickle.loads(pickle.dumps(s))])
@pytest.mark.parametrize("partition", ["none", "nonuniform"])
def test_a_copy_of_a_stream_goes_on_by_itself(copied, partition):
    rng = np.random.default_rng(20)
    x, w, bias = rng.standard_normal((1, 6_000)), rng.standard_normal((1, 1, 900)), np.ones(1)
    stream = ConvStream(w, bias, padding="causal", flip=True, partition=partition)
    head = [stream.push(x[:, i : i + 64]) for i in range(0, 640, 64)]
    rest = [[s.push(x[:, i : i + 70]) for i in range(640, 6_000, 70)] for s in (copied(stream), stream)]
    np.testing.assert_array_equal(np.concatenate(rest[0], -1), np.concatenate(rest[1], -1))
    got, wanted = np.concatenate([*head, *rest[0]], -1), conv(x, w, bias, padding="causal", flip=True)
    np.testing.assert_allclose(got, wanted, atol=1e-11)


def test_a_state_must_be_of_such_a_stream():
    stream = ConvStream(np.ones((1, 1, 4)))
    stream.push(np.ones((1, 9)))
    for saved in ({}, None, {"history": 1}):
        with pytest.raises(InputError, match="state must be"):
            stream.state = saved
    for options in ({"stride": 2}, {"padding": "causal"}, {"block": 8}, {"dilation": 2}):
        with pytest.raises(InputError, match="state must be of a stream with stride"):
            ConvStream(np.ones((1, 1, 4)), **options).state = stream.state
    ConvStream(np.ones((1, 1, 4)), stride=np.int64(1), padding=0, groups=np.int8(1)).state = stream.state
    other = ConvStream(np.ones((1, 1, 5)))
    with pytest.raises(InputError, match=r"with w \(1, 1, 5\) float64, got one with w \(1, 1, 4\)"):
        other.state = stream.state


def test_an_empty_stream_gives_what_conv_gives_for_nothing():
    assert ConvStream(np.ones((1, 2, 3))).flush().shape == (1, 0)
    np.testing.assert_array_equal(ConvStream(np.ones((1, 2, 3)), padding="full").flush(), np.zeros((1, 2)))


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.sampled_from([1, 63, 64, 64, 64, 100, 512, 2_000, 20_000]), min_size=1, max_size=60),
    st.sampled_from([500, 4_000, 30_000]), st.sampled_from([1, 2]), st.booleans(),
)  # fmt: skip
def test_long_kernels_change_ways_as_chunks_change(sizes, taps, stride, stereo):
    """Partitions of short blocks, of longer ones, windows: whatever is quickest, and back."""
    rng = np.random.default_rng(taps + sum(sizes))
    x, w = rng.standard_normal((1 + stereo, sum(sizes))), rng.standard_normal((2, 1 + stereo, taps))
    got = run(ConvStream(w, padding="full", flip=True, stride=stride), x, sizes)
    np.testing.assert_allclose(got, conv(x, w, padding="full", flip=True, stride=stride), atol=1e-9)


@pytest.mark.parametrize("n", [1, 64, 480, 441, 70_000])
def test_a_prepared_stream_gives_the_same(n):
    rng = np.random.default_rng(12)
    x, w = rng.standard_normal((2, 3 * n)), rng.standard_normal((2, 2, 3_000))
    ready, plain = (ConvStream(w, padding="causal") for _ in range(2))
    ready.prepare(np.full((2, n), np.nan))
    for _ in range(2):
        got = run(ready, x, [n, n])
        np.testing.assert_allclose(got, conv(x, w, padding="causal"), atol=1e-10)
        np.testing.assert_array_equal(got, run(plain, x, [n, n]))
        ready.reset()
        plain.reset()
    with pytest.raises(InputError, match="C_in = 3"):
        ready.prepare(np.zeros((3, n)))


@pytest.mark.parametrize("n", [0, 1, 64])
def test_prepare_swallows_no_output_of_a_pad_longer_than_the_kernel(n):
    x, w = np.random.default_rng(21).standard_normal((1, 500)), np.ones((1, 1, 50))
    options = {"padding": ((170, 90),)}
    for sizes in ([0, 64], [64]):
        stream = ConvStream(w, **options)
        stream.prepare(x[:, :n])
        np.testing.assert_allclose(run(stream, x, sizes), conv(x, w, **options), atol=1e-11)


def test_a_stream_prepared_for_nothing_may_end():
    stream = ConvStream(np.ones((1, 1, 3)), padding="full")
    stream.prepare(np.zeros((1, 0)))
    np.testing.assert_array_equal(stream.flush(), np.zeros((1, 2)))


@pytest.mark.parametrize("partition", ["auto", "none", "uniform", "nonuniform"])
def test_a_batch_of_none_passes(partition):
    w = np.ones((2, 1, 900))
    stream = ConvStream(w, padding="causal", partition=partition)
    stream.prepare(np.zeros((0, 1, 64)))
    assert run(stream, np.zeros((0, 1, 2_000)), [64] * 20).shape == (0, 2, 2_000)


def test_a_kernel_may_be_set_from_another_thread():
    rng = np.random.default_rng(13)
    x, old, new = rng.standard_normal((1, 64_000)), *(rng.standard_normal((1, 1, 9_000)) for _ in range(2))
    stream = ConvStream(old, padding="causal", flip=True)
    setter = threading.Thread(target=lambda: stream.set_kernel(new, crossfade=640))
    parts = []
    for i in range(0, 64_000, 64):
        if i == 12_800:
            setter.start()
        parts.append(stream.push(x[:, i : i + 64]))
        if i == 32_000:
            setter.join()
    got = np.concatenate(parts, -1)[0]
    a, b = (oaconvolve(x[0], w[0, 0])[:64_000] for w in (old, new))
    np.testing.assert_allclose(got[:12_800], a[:12_800], atol=1e-9)
    np.testing.assert_allclose(got[-30_000:], b[-30_000:], atol=1e-9)

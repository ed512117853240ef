"""torch.autocast: tensors of a layer in its dtype whatever the geometry, everything else in full precision."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from conv1d_kit import (
    Conv1d,
    ConvStream,
    ConvTranspose1d,
    conv,
    conv_transpose,
    conv_vjp,
    convolve,
    convolve2d,
    plan_conv,
    upfirdn,
)
from conv1d_kit.core.toeplitz import toeplitz_matrix

RANDOM = np.random.default_rng(0)
X = RANDOM.standard_normal((1, 4, 300)).astype(np.float32)
W = RANDOM.standard_normal((4, 4, 7)).astype(np.float32)
LINE, TAPS = X[0, 0], W[0, 0]


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize(
    "options",
    [
        {"padding": 3},
        {"padding": "causal"},
        {"padding": "same", "padding_mode": "reflect"},
        {"padding": "full", "method": "fft"},
        {"padding": "full", "method": "overlap_add"},
        {"padding": "full", "lengths": [100]},
        {"padding": 3, "precision": "componentwise"},
        {"padding": 3, "max_bytes": 1 << 20},
        {"padding": 3, "flip": True},
    ],
)
def test_tensors_come_out_in_autocasts_dtype_whatever_the_way(dtype, options):
    x, w = torch.from_numpy(X), torch.from_numpy(W).requires_grad_()
    b = torch.ones(4, requires_grad=True)
    with torch.autocast("cpu", dtype=dtype):
        y = conv(x, w, b, **options)
        wide = conv(x.double(), w.double(), **options)
    assert (y.dtype, wide.dtype) == (dtype, torch.float64)
    torch.testing.assert_close(y.double(), conv(x, w, b, **options).double(), rtol=0.02, atol=0.2)
    y.float().sum().backward()
    assert w.grad.dtype == b.grad.dtype == torch.float32


@pytest.mark.parametrize("taps", [3, 2000])
def test_layers_as_torchs_own(taps):
    x = torch.from_numpy(RANDOM.standard_normal((1, 1, 20_000)).astype(np.float32))
    for ours, theirs in ((Conv1d, torch.nn.Conv1d), (ConvTranspose1d, torch.nn.ConvTranspose1d)):
        layer, like = ours(1, 1, taps), theirs(1, 1, taps)
        like.load_state_dict(layer.state_dict())
        signal = x if ours is Conv1d else x[..., :50]
        with torch.autocast("cpu", dtype=torch.bfloat16), torch.no_grad():
            y, z = layer(signal), like(signal)
        assert y.dtype == z.dtype == torch.bfloat16
        torch.testing.assert_close(y, z, rtol=0.02, atol=0.02)


def streamed(x, w):
    return ConvStream(w, padding="causal", partition="none").push(x)


@pytest.mark.parametrize(
    "run",
    [
        lambda kind: conv(X, W),
        lambda kind: conv_transpose(X, W),
        lambda kind: conv_vjp(kind(np.ones((1, 4, 294), np.float32)), kind(X), kind(W))[0],
        lambda kind: convolve(kind(X[0]), kind(W[0])),
        lambda kind: convolve(kind(np.tile(LINE, 500)), kind(TAPS)),
        lambda kind: convolve2d(kind(X[0]), kind(W[0]), boundary="wrap"),
        lambda kind: upfirdn(kind(TAPS), kind(LINE), 3, 2),
        lambda kind: streamed(kind(X), kind(W)),
        lambda kind: plan_conv(X.shape, kind(W))(kind(X)),
        lambda kind: toeplitz_matrix(kind(W), 9),
    ],
)
@pytest.mark.parametrize("kind", [np.asarray, torch.from_numpy])
def test_arrays_and_what_is_no_layer_keep_their_digits(run, kind):
    plain = run(kind)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        inside = run(kind)
    assert inside.dtype == plain.dtype
    np.testing.assert_array_equal(np.asarray(inside), np.asarray(plain))


def test_compiled_it_is_the_same():
    x, w = torch.from_numpy(X), torch.from_numpy(W)
    run = torch.compile(lambda x, w: conv(x, w, padding="causal"), fullgraph=True, backend="eager")
    with torch.autocast("cpu", dtype=torch.bfloat16):
        y, z = run(x, w), conv(x, w, padding="causal")
    assert y.dtype == torch.bfloat16
    torch.testing.assert_close(y, z)
    assert run(x, w).dtype == torch.float32

"""What each library can be asked, found out by asking: every cell of docs/peers.md is a call and a comparison.

python -m benchmarks.support      writes docs/peers.md
"""

from __future__ import annotations

import importlib.util
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import scipy.signal
import torch

import conv1d_kit

__all__ = ["LAYER_FEATURES", "LIBRARIES", "SIGNAL_FEATURES", "answer", "table"]

F = torch.nn.functional
RNG = np.random.default_rng(0)
X, W = RNG.standard_normal(3000), RNG.standard_normal(64)


def _t(a: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(a)[None, None]


def _full_torch(run: Callable[[Any, Any], Any]) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
    """A torch-like conv1d (correlation, zero padding by us) as a full convolution of two NumPy signals."""
    return lambda a, b: run(F.pad(_t(a), (len(b) - 1, len(b) - 1)), _t(b[::-1].copy()))[0, 0].numpy()


def _julius(a: torch.Tensor, b: torch.Tensor, **options: Any) -> torch.Tensor:
    import julius

    return julius.fftconv.fft_conv1d(a, b, **options)


def _fft_conv_pytorch(a: torch.Tensor, b: torch.Tensor, **options: Any) -> torch.Tensor:
    import fft_conv_pytorch

    return fft_conv_pytorch.fft_conv(a, b, **options)


# name → (full convolution of two NumPy signals, layer-like conv of torch tensors or None)
LIBRARIES: dict[str, tuple[Callable[[np.ndarray, np.ndarray], Any], Callable[..., Any] | None]] = {
    "conv1d_kit": (lambda a, b: conv1d_kit.convolve(a, b), conv1d_kit.conv),
    "conv1d_kit, FFT": (lambda a, b: conv1d_kit.convolve(a, b, method="fft"),
                        lambda a, b, **options: conv1d_kit.conv(a, b, method="fft", **options)),
    "numpy.convolve": (np.convolve, None),
    "scipy convolve": (scipy.signal.convolve, None),
    "scipy fftconvolve": (scipy.signal.fftconvolve, None),
    "scipy oaconvolve": (scipy.signal.oaconvolve, None),
    "torch conv1d": (_full_torch(F.conv1d), F.conv1d),
    "julius": (_full_torch(_julius), _julius),
    "fft-conv-pytorch": (_full_torch(_fft_conv_pytorch), _fft_conv_pytorch),
}  # fmt: skip


def _close(got: Any, expected: np.ndarray, rtol: float = 1e-5) -> bool:
    got = np.asarray(got)
    return got.shape == expected.shape and bool(np.abs(got - expected).max() <= rtol * np.abs(expected).max())


def keeps_float64(full) -> bool:
    y = full(X, W)
    return y.dtype == np.float64 and _close(y, np.convolve(X, W), 1e-12)


def takes_complex(full) -> bool:
    return _close(full(X + 1j * X[::-1], W - 0.5j * W), np.convolve(X + 1j * X[::-1], W - 0.5j * W))


def integers_exact(full) -> bool:
    a, b = RNG.integers(-(2**30), 2**30, 3000), RNG.integers(-(2**28), 2**28, 64)
    y = np.asarray(full(a, b))
    return y.dtype == np.int64 and np.array_equal(y, np.convolve(a, b))


def nan_stays_local(full) -> bool:
    a = X.copy()
    a[1000] = np.nan
    return np.array_equal(np.flatnonzero(np.isnan(full(a, W))), np.arange(1000, 1064))


def quiet_beside_loud(full) -> bool:
    a = np.where(np.arange(30_000) < 1000, 1e8, 1e-8)
    return bool(np.abs(np.asarray(full(a, np.ones(33)))[20_000:29_000] / 33e-8 - 1).max() < 1e-9)


def one_tap(full) -> bool:
    return _close(full(X, W[:1]), X * W[0])


def kernel_longer(full) -> bool:
    return _close(full(W, X), np.convolve(W, X))


def long_kernel_fast(full) -> bool:
    """At most 5 times as long as one FFT of everything."""
    from .clock import in_turn

    a, b = np.ones(100_000, np.float32), np.ones(20_000, np.float32)
    n = scipy.fft.next_fast_len(119_999)
    runs = {"it": lambda: full(a, b), "fft": lambda: np.fft.irfft(np.fft.rfft(a, n) * np.fft.rfft(b, n), n)}
    times = in_turn(runs, budget_s=0.3, rounds=5)
    return times["it"] <= 5 * times["fft"]


def half_stays_half(full) -> bool:
    y = np.asarray(full(X.astype(np.float16), W.astype(np.float16)))
    truth = np.convolve(X.astype(np.float16).astype(float), W.astype(np.float16).astype(float))
    return y.dtype == np.float16 and _close(y, truth, 2e-3)


def finite_however_large(full) -> bool:
    return _close(
        full(np.full(4000, 1e306), np.full(200, 1e-10)), 1e296 * np.convolve(np.ones(4000), np.ones(200))
    )


def long_double(full) -> bool:
    y = np.asarray(full(X.astype(np.longdouble), W.astype(np.longdouble)))
    return y.dtype == np.longdouble and np.array_equal(
        y, np.convolve(X.astype(np.longdouble), W.astype(np.longdouble))
    )


def channels_groups(layer) -> bool:
    x, w = torch.randn(2, 4, 300, dtype=torch.float64), torch.randn(6, 2, 17, dtype=torch.float64)
    return _close(layer(x, w, groups=2), F.conv1d(x, w, groups=2).numpy())


def stride_dilation(layer) -> bool:
    x, w = torch.randn(2, 4, 300, dtype=torch.float64), torch.randn(6, 4, 17, dtype=torch.float64)
    return _close(layer(x, w, stride=3, dilation=2), F.conv1d(x, w, stride=3, dilation=2).numpy())


def same_with_stride(layer) -> bool:
    return layer(torch.ones(1, 1, 20), torch.ones(1, 1, 5), stride=3, padding="same").shape == (1, 1, 7)


def causal_by_name(layer) -> bool:
    x, w = torch.randn(1, 1, 90, dtype=torch.float64), torch.randn(1, 1, 30, dtype=torch.float64)
    return _close(layer(x, w, padding="causal"), F.conv1d(F.pad(x, (29, 0)), w).numpy())


def reflect_beyond_length(layer) -> bool:
    x, w = torch.arange(3.0)[None, None], torch.ones(1, 1, 2)
    y = layer(x, w, padding=9, padding_mode="reflect")
    padded = np.pad(x.numpy(), ((0, 0), (0, 0), (9, 9)), mode="reflect")
    return _close(y, padded[..., 1:] + padded[..., :-1])


def row_lengths(layer) -> bool:
    x = torch.randn(2, 1, 90, dtype=torch.float64)
    w = torch.randn(1, 1, 30, dtype=torch.float64)
    y = layer(x, w, padding="same", padding_mode="reflect", lengths=[90, 50])
    return _close(y[1:, :, :50], np.asarray(layer(x[1:, :, :50], w, padding="same", padding_mode="reflect")))


def second_gradients(layer) -> bool:
    x = torch.randn(1, 2, 20, dtype=torch.float64, requires_grad=True)
    w = torch.randn(2, 2, 5, dtype=torch.float64, requires_grad=True)
    return torch.autograd.gradgradcheck(lambda a, b: layer(a, b, stride=2), (x, w))


def vmaps(layer) -> bool:
    x, w = torch.randn(3, 1, 2, 40, dtype=torch.float64), torch.randn(3, 2, 2, 7, dtype=torch.float64)
    return _close(
        torch.func.vmap(layer)(x, w), torch.stack([F.conv1d(a, b) for a, b in zip(x, w, strict=True)]).numpy()
    )


def nan_in_gradients(layer) -> bool:
    x = torch.ones(1, 1, 200, dtype=torch.float64, requires_grad=True)
    y = layer(x, torch.ones(1, 1, 30, dtype=torch.float64))
    gy = torch.ones_like(y)
    gy[0, 0, 100] = torch.nan
    (gx,) = torch.autograd.grad(y, x, gy)
    return gx[0, 0].isnan().nonzero().flatten().tolist() == list(range(100, 130))


def forward_over_reverse(layer) -> bool:
    x, w = torch.randn(1, 1, 30, dtype=torch.float64), torch.randn(1, 1, 5, dtype=torch.float64)
    hessian = torch.func.hessian(lambda w: layer(x, w).pow(3).sum())(w)
    expected = torch.autograd.functional.hessian(lambda w: F.conv1d(x, w).pow(3).sum(), w)
    return _close(hessian, expected.numpy())


def compiles(layer) -> bool:
    torch._dynamo.reset()
    w = torch.randn(1, 1, 30)
    run = torch.compile(lambda x: layer(x, w), backend="aot_eager", fullgraph=True, dynamic=True)
    return all(_close(run(x), F.conv1d(x, w).numpy(), 1e-4) for x in (torch.randn(2, 1, n) for n in (300, 411)))


def memory_on_demand(layer) -> bool:
    x, w = torch.randn(1, 2, 50_000), torch.randn(2, 2, 255)
    return _close(layer(x, w, max_bytes=1_000_000), F.conv1d(x, w).numpy(), 1e-4)


def bounded_memory(layer) -> bool:
    x, w = torch.randn(4, 4, 20_000, dtype=torch.float64), torch.randn(4, 4, 501, dtype=torch.float64)
    with torch.profiler.profile(
        profile_memory=True, activities=[torch.profiler.ProfilerActivity.CPU]
    ) as profile:
        layer(x, w)
    level = peak = 0
    for event in profile.profiler.kineto_results.events():
        if event.name() == "[memory]":
            level += event.nbytes()
            peak = max(peak, level)
    return peak <= 3 * (x.nbytes * 2) + 64e6


SIGNAL_FEATURES: dict[str, Callable[[Any], bool]] = {
    "float64 in, float64 out": keeps_float64,
    "complex signals and kernels": takes_complex,
    "half precision in, half precision out": half_stays_half,
    "long double in, long double out": long_double,
    "integers exact": integers_exact,
    "a NaN reaches only its windows": nan_stays_local,
    "finite sums are finite near the largest number": finite_however_large,
    "quiet outputs keep 9 digits beside loud ones": quiet_beside_loud,
    "a kernel of one tap": one_tap,
    "a kernel longer than the signal": kernel_longer,
    "100,000 ∗ 20,000 within 5 FFTs' time": long_kernel_fast,
}

LAYER_FEATURES: dict[str, Callable[[Any], bool]] = {
    "channels in groups": channels_groups,
    "stride and dilation together": stride_dilation,
    "padding 'same' with a stride": same_with_stride,
    "padding 'causal' by name": causal_by_name,
    "reflection longer than the signal": reflect_beyond_length,
    "rows of different lengths in a batch": row_lengths,
    "second-order gradients": second_gradients,
    "Hessians forward over reverse": forward_over_reverse,
    "a NaN in a gradient reaches only its window": nan_in_gradients,
    "torch.compile, one graph for every length": compiles,
    "a bound on memory on demand": memory_on_demand,
    "torch.func.vmap over signals and kernels": vmaps,
    "(4, 4, 20,000) ∗ 501, float64: memory ≤ 3·(in + out) + 64 MB": bounded_memory,
}


def answer(library: str, feature: str) -> str:
    """yes, no (another result, or refused), or – where the library has no such face."""
    full, layer = LIBRARIES[library]
    face, check = (
        (full, SIGNAL_FEATURES[feature]) if feature in SIGNAL_FEATURES else (layer, LAYER_FEATURES[feature])
    )
    if face is None:
        return "–"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return "yes" if check(face) else "no"
    except Exception:  # whatever a peer raises, it is a no
        return "no"


def table() -> str:
    """The page."""
    optional = {"julius": "julius", "fft-conv-pytorch": "fft_conv_pytorch"}  # name → module
    names = [name for name in LIBRARIES if name not in optional or importlib.util.find_spec(optional[name])]
    lines = [
        "# What each library can be asked",
        "",
        "Written by `python -m benchmarks.support`, which asks each library and compares the answer with a",
        "direct sum: *no* is another result or a refusal, – a face it does not have. Defaults everywhere;",
        '`conv1d_kit, FFT` is `method="fft"`, its hardest case.',
        "",
        "| | " + " | ".join(names) + " |",
        "|---" * (len(names) + 1) + "|",
    ]
    for feature in (*SIGNAL_FEATURES, *LAYER_FEATURES):
        lines.append(f"| {feature} | " + " | ".join(answer(name, feature) for name in names) + " |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    torch.set_num_threads(1)
    page = Path(__file__).parents[1] / "docs" / "peers.md"
    page.write_text(table(), "utf-8")
    print(page.read_text("utf-8"))

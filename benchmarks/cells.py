"""The grids: 1-D signals as scipy's users have them, layers as audio and text nets use them."""

from __future__ import annotations

import importlib.util
import math
import warnings
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import scipy.signal
import torch

import conv1d_kit
from conv1d_kit.core.spectrum import fast_length

__all__ = ["Cell", "layer_cells", "picture_cells", "signal_cells"]

F = torch.nn.functional
PEER_MULTIPLY_ADDS = 4e9  # above it a direct peer would take minutes and is left out
PEER_WINDOW_BYTES = 4e9  # above it torch's float64 kernel would not fit into memory


@dataclass
class Cell:
    """One row of the table: ours and every peer on the same arrays, and the float64 truth."""

    grid: str
    name: str
    ours: Callable[[], object]
    peers: dict[str, Callable[[], object]]
    truth: Callable[[], np.ndarray]
    method: str


def signal_cells(quick: bool) -> list[Cell]:
    """Full convolution of one signal with one kernel."""
    lengths = (100, 10_000, 1_000_000) if quick else (100, 1_000, 10_000, 100_000, 1_000_000, 10_000_000)
    kernels = (3, 63, 1_023) if quick else (3, 15, 63, 255, 1_023, 4_095, 16_383, 65_536)
    cells = []
    for n in lengths:
        for k in kernels:
            if k > n:
                continue
            for dtype in ("float32", "float64"):
                for library in ("numpy", "torch"):
                    if n == 10_000_000 and (dtype == "float64" or library == "torch"):
                        continue  # an hour of peers; the smaller lengths say the same
                    cells.append(_signal_cell(n, k, dtype, library))
    return cells


def layer_cells(quick: bool) -> list[Cell]:
    """Forward and forward + backward of Conv1d shapes from audio and text nets, and with long kernels."""
    shapes = [  # (B, C, T), (O, K), stride, dilation, groups, what
        ((16, 64, 4000), (64, 3), 1, 1, 1, "short kernel"),
        ((50, 300, 60), (100, 5), 1, 1, 1, "text n-grams"),
        ((16, 1, 16000), (32, 80), 4, 1, 1, "waveform front"),
        ((8, 16, 8000), (32, 64), 1, 1, 1, "middle kernel"),
        ((8, 32, 16000), (32, 255), 1, 1, 1, "long kernel"),
        ((1, 1, 160000), (1, 16000), 1, 1, 1, "reverb"),
        ((4, 16, 16000), (16, 2048), 1, 1, 1, "very long kernel"),
        ((4, 64, 4096), (64, 4096), 1, 1, 64, "depthwise, long"),
        ((8, 64, 4000), (64, 9), 1, 1, 64, "depthwise, short"),
        ((8, 32, 4000), (32, 3), 1, 16, 1, "dilated"),
    ]
    if quick:
        shapes = shapes[:4] + shapes[5:6]
    return [_layer_cell(*shape, backward) for backward in (False, True) for shape in shapes]


def picture_cells(quick: bool) -> list[Cell]:
    """Spectrogram layers and transposed ones."""
    pictures = [  # x, w, options
        ((16, 1, 64, 400), (16, 1, 5, 5), {"stride": 2, "padding": 2}),
        ((16, 16, 32, 200), (64, 16, 3, 3), {"padding": 1}),
        ((16, 64, 16, 100), (64, 64, 3, 3), {"padding": 1}),
        ((8, 16, 64, 200), (16, 16, 1, 33), {}),
        ((4, 4, 64, 400), (4, 4, 9, 33), {}),
    ]
    transposed = [
        ((8, 64, 500), (64, 32, 16), {"stride": 8, "padding": 4}),
        ((16, 32, 1000), (32, 16, 4), {"stride": 2, "padding": 1}),
        ((4, 16, 2000), (16, 16, 64), {"stride": 4}),
    ]
    chosen = [*pictures[:2], *transposed[:1]] if quick else [*pictures, *transposed]
    return [_picture_cell(x, w, options, (x, w, options) in transposed) for x, w, options in chosen]


def _picture_cell(x_shape, w_shape, options, is_transposed: bool) -> Cell:
    g = torch.Generator().manual_seed(0)
    x = torch.randn(x_shape, generator=g)
    w = torch.randn(w_shape, generator=g) / math.prod(w_shape[1:]) ** 0.5
    ours = conv1d_kit.conv_transpose if is_transposed else conv1d_kit.conv
    theirs = F.conv_transpose1d if is_transposed else F.conv2d
    name = f"{x_shape}, kernel {w_shape}" + "".join(f", {key} {value}" for key, value in options.items())
    return Cell(
        "2-D and transposed layers",
        f"{name}{' (transposed)' if is_transposed else ''}",
        lambda: ours(x, w, **options),
        {"torch": lambda: theirs(x, w, **options)},
        lambda: theirs(x.double(), w.double(), **options).numpy(),
        "direct" if is_transposed else conv1d_kit.plan_conv(x_shape, w, **options).method,
    )


def _signal_cell(n: int, k: int, dtype: str, library: str) -> Cell:
    rng = np.random.default_rng(n + k)
    a, b = rng.standard_normal(n).astype(dtype), rng.standard_normal(k).astype(dtype)
    ta, tb = torch.from_numpy(a), torch.from_numpy(b)
    flipped, width = tb.flip(0)[None, None], a.itemsize
    length = fast_length(n + k - 1)

    def whole_fft() -> torch.Tensor:
        return torch.fft.irfft(torch.fft.rfft(ta, length) * torch.fft.rfft(tb, length), length)[: n + k - 1]

    peers: dict[str, Callable[[], object]] = {
        "scipy convolve": lambda: scipy.signal.convolve(a, b),
        "scipy fftconvolve": lambda: scipy.signal.fftconvolve(a, b),
        "scipy oaconvolve": lambda: scipy.signal.oaconvolve(a, b),
        "torch whole FFT": whole_fft,
    }
    if n * k <= PEER_MULTIPLY_ADDS:
        peers["numpy"] = lambda: np.convolve(a, b)
        if width == 4 or n * k * width <= PEER_WINDOW_BYTES:
            peers["torch conv1d"] = lambda: F.conv1d(ta[None, None], flipped, padding=k - 1)
    if importlib.util.find_spec("julius") and dtype == "float32":
        import julius

        peers["julius"] = lambda: julius.fftconv.fft_conv1d(ta[None, None], flipped, padding=k - 1)
    x, w = (ta, tb) if library == "torch" else (a, b)
    plan = conv1d_kit.plan_conv((1, n), flipped.numpy(), padding="full")
    return Cell(
        f"1-D signals, {library}",
        f"{n:,} ∗ {k:,} {dtype}",
        lambda: conv1d_kit.convolve(x, w),
        peers,
        lambda: scipy.signal.oaconvolve(a.astype(np.float64), b.astype(np.float64)),
        plan.method,
    )


def _layer_cell(x_shape, kernel, stride, dilation, groups, what, backward) -> Cell:
    g = torch.Generator().manual_seed(0)
    n_out, k = kernel
    x = torch.randn(x_shape, generator=g, requires_grad=backward)
    w = (torch.randn(n_out, x_shape[1] // groups, k, generator=g) / k**0.5).requires_grad_(backward)
    options = {"stride": stride, "dilation": dilation, "groups": groups}

    def both(run: Callable[[], torch.Tensor]) -> Callable[[], object]:
        def forward_backward():
            y = run()
            return torch.autograd.grad(y, (x, w), torch.ones_like(y)) and y

        return forward_backward if backward else run

    def whole_fft() -> torch.Tensor:
        length = fast_length(x_shape[-1] + k - 1)
        fx, fw = torch.fft.rfft(x, length), torch.fft.rfft(w, length).conj()
        fy = fx * fw[:, 0] if groups > 1 else torch.einsum("bcf,ocf->bof", fx, fw)
        return torch.fft.irfft(fy, length)[..., : x_shape[-1] - k + 1 : stride]

    peers: dict[str, Callable[[], object]] = {}
    if x_shape[0] * n_out * x_shape[1] // groups * k * x_shape[2] / stride < 3e10 or groups > 1:
        peers["torch conv1d"] = both(lambda: F.conv1d(x, w, **options))
    if dilation == 1 and k > 16:
        peers["torch whole FFT"] = both(whole_fft)
        if importlib.util.find_spec("julius") and groups == 1:
            import julius

            peers["julius"] = both(lambda: julius.fftconv.fft_conv1d(x, w, stride=stride))
        if importlib.util.find_spec("fft_conv_pytorch"):
            import fft_conv_pytorch

            peers["fft-conv-pytorch"] = both(
                lambda: fft_conv_pytorch.fft_conv(x, w, stride=stride, groups=groups)
            )
    plan = conv1d_kit.plan_conv(x_shape, w.detach(), **options)

    def truth() -> np.ndarray:
        with torch.no_grad(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return conv1d_kit.conv(
                x.double(), w.double(), method="overlap_add", precision="componentwise", **options
            ).numpy()

    name = f"{x_shape} → {n_out}, K {k}" + "".join(
        f", {key} {value}" for key, value in options.items() if value != 1
    )
    grid = "layers, forward + backward" if backward else "layers, forward"
    return Cell(
        grid, f"{name} ({what})", both(lambda: conv1d_kit.conv(x, w, **options)), peers, truth, plan.method
    )

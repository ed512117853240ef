"""max_bytes: the same result, and a peak of memory that torch's own profiler measures below it."""

import pytest
import torch
from memory import peak_bytes

from conv1d_kit import conv
from conv1d_kit.errors import InputError

CASES = [
    ("direct", torch.float32, (2, 3, 60_000), (4, 3, 15), {"padding": 7}),
    ("direct", torch.float64, (2, 3, 20_000), (4, 3, 101), {"stride": 3}),
    ("direct", torch.float64, (1, 2, 40, 500), (4, 2, 3, 31), {"padding": "same"}),
    ("overlap_add", torch.float32, (2, 3, 100_000), (4, 3, 255), {"padding": "causal"}),
    ("overlap_add", torch.float64, (1, 1, 300_000), (1, 1, 1023), {"padding": "full"}),
    (
        "overlap_add",
        torch.float16,
        (2, 3, 100_000),
        (4, 3, 255),
        {"padding": "same", "padding_mode": "reflect"},
    ),
    ("fft", torch.float32, (2, 3, 100_000), (4, 3, 255), {"stride": 2, "dilation": 3, "padding": 5}),
    ("direct", torch.int64, (2, 3, 50_000), (4, 3, 15), {}),
]


@pytest.mark.parametrize(("method", "dtype", "x_shape", "w_shape", "options"), CASES)
@pytest.mark.parametrize("share", [1, 2, 6])
def test_peak_memory_stays_below_and_the_result_is_the_same(method, dtype, x_shape, w_shape, options, share):
    g = torch.Generator().manual_seed(0)
    x, w = (torch.randint(-9, 10, s, generator=g).to(dtype) for s in (x_shape, w_shape))
    mode_bytes = 0 if "padding_mode" not in options else 2 * x.numel() * x.element_size()
    max_bytes = 24_000_000 // share
    run = lambda: conv(x, w, method=method, max_bytes=max_bytes, **options)  # noqa: E731
    y = run()
    expected = conv(x.double(), w.double(), method="direct", **options)
    atol = 0 if dtype == torch.int64 else 8 * torch.finfo(dtype).eps * expected.abs().max()
    assert (y.double() - expected).abs().max() <= atol
    output = y.numel() * y.element_size()
    assert peak_bytes(run) - output - mode_bytes <= max_bytes


def test_too_little_memory_says_the_least_that_would_do():
    x, w = torch.zeros(1, 1, 3000), torch.zeros(1, 1, 2000)
    with pytest.raises(
        InputError, match=r"max_bytes must be at least \d+ for this convolution, got 1000"
    ) as caught:
        conv(x, w, max_bytes=1000, method="overlap_add")
    least = int(str(caught.value).split("at least ")[1].split()[0])
    assert conv(x, w, max_bytes=least, method="overlap_add").shape == (1, 1, 1001)
    for bad in (0, -5, 1.5, True):
        with pytest.raises(InputError, match="max_bytes must be an int >= 1"):
            conv(x, w, max_bytes=bad)

"""Every row of FRONTENDS keeps one contract: shapes, dtypes, padding, streams, gradients, save and load."""

from __future__ import annotations

import copy
import inspect
import re

import numpy as np
import pytest
import torch

from conv1d_kit import stream
from conv1d_kit.audio.frontends import FRONTENDS
from conv1d_kit.errors import InputError

RATE = 8000
# a row → options that make it quick; a new row needs none
SMALL = {
    "learned": {"n_filters": 6}, "sinc": {"n_filters": 6}, "gabor": {"n_filters": 6}, "stft": {"n_fft": 512},
    "log_mel": {"n_mels": 10}, "pcen": {"n_mels": 10}, "mfcc": {"n_mfcc": 5, "n_mels": 10},
    "cqt": {"n_bins": 24, "f_min": 220.0},
}  # fmt: skip
CASES = [pytest.param(name, SMALL.get(name, {}), id=name) for name in FRONTENDS]
CASES += [pytest.param("gabor", {"n_filters": 4, "compression": "pcen"}, id="gabor with pcen")]
CASES += [pytest.param("pcen", {"n_mels": 8, "trainable": True}, id="pcen that learns")]
CASES += [
    pytest.param(name, {**SMALL[name], "causal": True}, id=f"{name} causal")
    for name in FRONTENDS
    if name != "raw"
]
every_row = pytest.mark.parametrize(("name", "options"), CASES)


def _made(name, options):
    torch.manual_seed(0)
    return FRONTENDS[name](sample_rate=RATE, **options).eval()


def _noise(*shape, dtype=torch.float32):
    return 0.1 * torch.randn(*shape, generator=torch.Generator().manual_seed(1), dtype=dtype)


@every_row
@pytest.mark.parametrize("n", [0, 1, 159, 160, 161, 3000])
def test_lengths_are_the_frames_that_come(name, options, n):
    frontend = _made(name, options)
    y = frontend(_noise(2, n))
    assert y.shape == (2, frontend.n_features, int(frontend.lengths(torch.tensor(n))))
    assert y.dtype == torch.float32
    assert y.isfinite().all()
    if frontend.causal:
        assert y.shape[-1] == -(-n // frontend.hop_length)


@every_row
def test_no_clips_give_no_features(name, options):
    frontend = _made(name, options)
    assert frontend(torch.zeros(0, 500)).shape == (0, *frontend(torch.zeros(1, 500)).shape[1:])


@every_row
def test_float64_stays_float64_and_every_method_agrees(name, options):
    frontend = _made(name, options)
    x = _noise(2, 2000, dtype=torch.float64)
    whole = [frontend(x, method=method) for method in frontend.methods]
    single = [frontend(x.float(), method=method) for method in frontend.methods]
    for y, z in zip(whole, single, strict=True):
        assert (y.dtype, z.dtype) == (torch.float64, torch.float32)
        torch.testing.assert_close(y, whole[0], atol=1e-9, rtol=1e-9)
        torch.testing.assert_close(z, whole[0].float(), atol=2e-3, rtol=0)
        assert torch.equal(frontend(x), whole[0])


@every_row
def test_zeros_that_pad_a_clip_change_none_of_its_frames(name, options):
    frontend = _made(name, options)
    x = _noise(1, 1000, dtype=torch.float64)
    n = int(frontend.lengths(torch.tensor(1000)))
    padded = torch.nn.functional.pad(x, (0, 5000))
    torch.testing.assert_close(frontend(padded)[..., :n], frontend(x), atol=1e-9, rtol=1e-9)


@every_row
def test_silence_is_finite_and_level(name, options):
    y = _made(name, options)(torch.zeros(1, 4000))
    assert y.isfinite().all()
    torch.testing.assert_close(y, y[..., :1].expand_as(y))


@every_row
def test_options_build_the_same_front_end(name, options):
    first = _made(name, options)
    again = FRONTENDS[name](**first.options())
    assert again.options() == first.options()
    again.load_state_dict(copy.deepcopy(first.state_dict()))
    x = _noise(1, 1500)
    assert torch.equal(again.eval()(x), first(x))


@every_row
def test_gradients_reach_the_samples_and_every_weight(name, options):
    frontend = _made(name, options).train()
    x = _noise(2, 1500).requires_grad_()
    y = frontend(x)
    (y * torch.randn(y.shape, generator=torch.Generator().manual_seed(2))).sum().backward()
    assert x.grad.isfinite().all()
    assert x.grad.abs().sum() > 0
    for at, weight in frontend.named_parameters():
        if weight.requires_grad:
            assert weight.grad is not None, at
            assert weight.grad.isfinite().all(), at
            assert weight.grad.abs().sum() > 0, at


@every_row
def test_a_gradient_is_what_finite_differences_say(name, options):
    frontend = _made(name, options).double()
    x = _noise(1, 300, dtype=torch.float64).requires_grad_()
    weights = [w for w in frontend.parameters() if w.requires_grad]
    way = torch.Generator().manual_seed(3)
    leaves = [x, *weights]
    steps = [torch.randn(t.shape, generator=way, dtype=torch.float64) * t.detach().abs() for t in leaves]
    slope = torch.autograd.grad((frontend(x) ** 2).sum(), leaves)
    expected = sum(float((g * s).sum()) for g, s in zip(slope, steps, strict=True))
    ends = []
    for sign in (1, -1):
        moved = copy.deepcopy(frontend)
        with torch.no_grad():
            for w, s in zip((w for w in moved.parameters() if w.requires_grad), steps[1:], strict=True):
                w += sign * 1e-6 * s
            ends.append(float((moved(x + sign * 1e-6 * steps[0]) ** 2).sum()))
    assert (ends[0] - ends[1]) / 2e-6 == pytest.approx(expected, rel=1e-3, abs=1e-3)


@every_row
@pytest.mark.parametrize("sizes", [(2000,), (1, 159, 160, 161, 1519), (80,) * 25])
def test_a_stream_equals_offline(name, options, sizes):
    frontend = _made(name, options)
    x = _noise(2, 2000)
    s = stream(frontend, latency=0 if frontend.causal else "any")
    parts = [s.push(chunk) for chunk in x.split(sizes, 1)]
    if frontend.causal:
        assert sum(p.shape[-1] for p in parts) == 2000 // frontend.hop_length  # whole hops, at once
    else:
        assert s.latency > 0
    # quiet cells differ by more of themselves: float32 sums of another length
    torch.testing.assert_close(torch.cat([*parts, s.flush()], -1), frontend(x), atol=1e-3, rtol=1e-4)


@every_row
def test_causal_frames_do_not_change_when_later_samples_do(name, options):
    frontend = _made(name, options)
    x = _noise(1, 2000, dtype=torch.float64)
    hop, i = frontend.hop_length, 1000 // frontend.hop_length
    later = x.clone()
    first = (i + 1) * hop if frontend.causal else i * hop + 1  # beyond frame i, or beyond its centre
    later[:, first:] *= -3
    now, then = frontend(later)[..., : i + 1], frontend(x)[..., : i + 1]
    if frontend.causal:
        torch.testing.assert_close(now, then, atol=1e-9, rtol=1e-9)
    else:
        assert not torch.equal(now, then)


@every_row
def test_kernels_are_what_slides_and_frequencies_lie_below_half_the_rate(name, options):
    frontend = _made(name, options)
    kernels = frontend.kernels()
    assert kernels.ndim == 3
    assert kernels.shape[1] == 1
    assert kernels.shape[2] <= frontend.window_length
    f = frontend.frequencies()
    if f is not None:
        assert f.shape == (frontend.n_features,)
        assert (np.diff(f) > 0).all()
        assert 0 <= f.min() < f.max() <= RATE / 2


@every_row
def test_samples_that_cannot_be_used_are_refused(name, options):
    frontend = _made(name, options)
    with pytest.raises(InputError, match=r"\(B, T\)"):
        frontend(torch.zeros(100))
    with pytest.raises(InputError, match="floating samples"):
        frontend(torch.zeros(1, 100, dtype=torch.int16))
    with pytest.raises(InputError, match="method must be"):
        frontend(torch.zeros(1, 100), method="dft")
    with pytest.raises(InputError, match="sample"):
        FRONTENDS[name](sample_rate=0)
    with pytest.raises(TypeError):
        FRONTENDS[name](sample_rate=RATE, hop=3)


@pytest.mark.parametrize("name", [name for name in FRONTENDS if name != "raw"])
def test_a_hop_or_floor_of_nothing_is_refused(name):
    with pytest.raises(InputError, match="hop_length must be an int >= 1"):
        FRONTENDS[name](RATE, hop_length=0)
    with pytest.raises(InputError, match="floor must be > 0"):
        FRONTENDS[name](RATE, floor=0.0)


@pytest.mark.parametrize("option", ["f_min", "f_max", "gamma"])
@pytest.mark.parametrize("name", FRONTENDS)
def test_a_frequency_that_is_no_number_is_refused(name, option):
    if option not in inspect.signature(FRONTENDS[name]).parameters:
        return
    for wrong in "low", True, float("nan"), [100.0]:
        with pytest.raises(InputError, match=f"{option} .*must .*, got .*{re.escape(str(wrong))}"):
            FRONTENDS[name](RATE, **{option: wrong})

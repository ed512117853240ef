"""The log-mel front-end is one strided convolution, equals its FFT form, and equals librosa's mel."""

import numpy as np
import pytest
import torch
from memory import peak_bytes

from conv1d_kit import stream
from conv1d_kit.audio.frontends import FRONTENDS, LogMel, Raw, mel_filters
from conv1d_kit.errors import InputError

librosa = pytest.importorskip("librosa")


@pytest.fixture(scope="module")
def noise():
    return np.random.default_rng(0).standard_normal((2, 8000)).astype(np.float32) * 0.1


@pytest.mark.parametrize(
    ("rate", "n_fft", "n_mels", "f_min", "f_max"),
    [
        (32000, 2048, 96, 0, None),
        (16000, 512, 40, 50, 7000),
        (8000, 511, 30, 0, None),
        (44100, 2048, 128, 0, None),
    ],
)
def test_mel_filters_are_librosas(rate, n_fft, n_mels, f_min, f_max):
    oracle = librosa.filters.mel(sr=rate, n_fft=n_fft, n_mels=n_mels, fmin=f_min, fmax=f_max)
    ours = mel_filters(rate, n_fft, n_mels, f_min, f_max)
    np.testing.assert_allclose(ours, oracle, atol=1e-7, rtol=1e-5)


@pytest.mark.parametrize(("n_fft", "hop"), [(512, 160), (512, 128), (400, 160), (511, 77)])
def test_log_mel_is_librosas_melspectrogram(noise, n_fft, hop):
    frontend = LogMel(16000, 40, n_fft=n_fft, hop_length=hop, floor=1e-9)
    ours = frontend(torch.from_numpy(noise)).numpy()
    oracle = librosa.feature.melspectrogram(
        y=noise, sr=16000, n_fft=n_fft, hop_length=hop, n_mels=40, pad_mode="constant"
    )
    assert ours.shape == oracle.shape
    np.testing.assert_allclose(ours, np.log(oracle + 1e-9), atol=1e-3)


@pytest.mark.parametrize("n_samples", [0, 1, 100, 159, 160, 161, 512, 4001])
@pytest.mark.parametrize(("n_fft", "hop"), [(512, 160), (255, 64)])
@pytest.mark.parametrize("causal", [False, True])
def test_convolution_and_fft_give_the_same_log_mel(n_samples, n_fft, hop, causal):
    generator = torch.Generator().manual_seed(n_samples)
    x = torch.randn(2, n_samples, generator=generator, dtype=torch.float64)
    frontend = LogMel(16000, 20, n_fft=n_fft, hop_length=hop, causal=causal)
    fast, slow = frontend(x), frontend(x, method="conv")
    assert fast.shape == slow.shape == (2, 20, -(-n_samples // hop) if causal else 1 + n_samples // hop)
    torch.testing.assert_close(fast, slow, atol=1e-9, rtol=1e-9)
    single = frontend(x.float(), method="conv")
    torch.testing.assert_close(single, frontend(x.float()), atol=2e-3, rtol=0)


@pytest.mark.parametrize("n_samples", [0, 1, 128, 1000])
def test_a_causal_frame_ends_with_the_last_sample_of_its_hop(n_samples):
    n_fft, hop = 512, 128
    x = np.random.default_rng(n_samples).standard_normal(n_samples)
    frontend = LogMel(16000, 40, n_fft=n_fft, hop_length=hop, causal=True)
    ours = frontend(torch.from_numpy(x)[None])[0].numpy()
    assert ours.shape == (40, -(-n_samples // hop))
    for i in range(ours.shape[1]):
        frame = np.zeros(n_fft)
        end = (i + 1) * hop  # after the last sample of the hop
        for n in range(max(0, end - n_fft), min(end, n_samples)):
            frame[n_fft - end + n] = x[n]
        power = np.abs(np.fft.rfft(frame * np.hanning(n_fft + 1)[:-1])) ** 2
        oracle = np.log(mel_filters(16000, n_fft, 40) @ power + frontend.floor)
        np.testing.assert_allclose(ours[:, i], oracle, atol=2e-5)  # the window is kept in float32


def test_causal_frames_do_not_change_when_later_samples_do(noise):
    frontend = LogMel(16000, 40, causal=True)
    x = torch.from_numpy(noise)
    for i in (0, 3, 10):
        later = x.clone()
        later[:, (i + 1) * 320 :] = torch.randn(later[:, (i + 1) * 320 :].shape)
        assert torch.equal(frontend(later)[..., : i + 1], frontend(x)[..., : i + 1])
        later[:, (i + 1) * 320 - 1] += 1  # the frame's own last sample is heard
        assert not torch.equal(frontend(later)[..., i], frontend(x)[..., i])


@pytest.mark.parametrize("n_samples", [1, 320, 1000, 8000])
def test_a_stream_of_causal_frames_waits_for_nothing_and_equals_offline(noise, n_samples):
    frontend = LogMel(16000, 40, causal=True).eval()
    x = torch.from_numpy(noise[:, :n_samples])
    s = stream(frontend)
    assert s.latency == 0
    parts = [s.push(chunk) for chunk in x.split(160, 1)]
    assert (
        sum(p.shape[-1] for p in parts) == n_samples // 320
    )  # every hop that was whole gave its frame at once
    torch.testing.assert_close(torch.cat([*parts, s.flush()], -1), frontend(x), atol=1e-5, rtol=0)


def test_lengths_are_the_frames_that_come(noise):
    for name, build in FRONTENDS.items():
        frontend = build(sample_rate=16000)
        for n in (1, 319, 320, 8000):
            frames = frontend(torch.from_numpy(noise[:, :n])).shape[-1]
            assert frames == int(frontend.lengths(torch.tensor(n))), name


@pytest.mark.parametrize("causal", [False, True])
def test_zeros_that_pad_a_clip_change_none_of_its_frames(noise, causal):
    frontend = LogMel(16000, 40, causal=causal)
    short = torch.from_numpy(noise[:1, :3000])
    padded = torch.nn.functional.pad(short, (0, 5000))
    n = int(frontend.lengths(torch.tensor(3000)))
    torch.testing.assert_close(frontend(padded)[..., :n], frontend(short), atol=1e-5, rtol=0)


def test_silence_gives_the_floor_and_never_infinity():
    y = LogMel(16000, 40, floor=1e-5)(torch.zeros(1, 1000))
    torch.testing.assert_close(y, torch.full_like(y, float(np.log(1e-5))))


def test_options_build_the_same_front_end():
    for name, build in FRONTENDS.items():
        first = build(sample_rate=22050)
        assert FRONTENDS[name](**first.options()).options() == first.options()


def test_gradients_reach_the_samples():
    x = torch.randn(1, 600, dtype=torch.float64, requires_grad=True)
    frontend = LogMel(8000, 10, n_fft=64, hop_length=32)
    fast = torch.autograd.grad(frontend(x).sum(), x)[0]
    slow = torch.autograd.grad(frontend(x, method="conv").sum(), x)[0]
    torch.testing.assert_close(fast, slow)


@pytest.mark.parametrize("shape", [(3, 60000), (1, 200000), (40, 9000)])  # rows at a time, a row in parts, both
@pytest.mark.parametrize("name", ["log_mel", "stft", "mfcc"])
def test_what_is_heard_in_rounds_equals_the_convolution(shape, name, monkeypatch):
    monkeypatch.setattr("conv1d_kit.audio.frontends.stft._ROUND", 100_000)
    frontend = FRONTENDS[name](8000)
    x = torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0), requires_grad=True)
    weights = torch.randn(frontend(x[:1]).shape[1:], dtype=torch.float64)
    found = [frontend(x, method=method) for method in ("fft", "conv")]
    torch.testing.assert_close(*found, atol=1e-9, rtol=0)
    grads = [torch.autograd.grad((y * weights).sum(), x)[0] for y in found]
    torch.testing.assert_close(*grads, atol=1e-7, rtol=1e-9)


@pytest.mark.parametrize("name", ["log_mel", "mfcc", "pcen"])
def test_minutes_of_sound_need_no_more_memory_than_their_pads_and_features(name):
    frontend, x = FRONTENDS[name](16000), torch.zeros(1, 16000 * 300)
    with torch.no_grad():
        peak = peak_bytes(lambda: frontend(x))
        features = 4 * frontend(x).numel()
    assert peak < 1.05 * 4 * x.numel() + 3 * features + 25e6  # windows alone would be 98 MB, so would spectra


def test_raw_is_the_waveform():
    x = torch.randn(2, 5)
    assert torch.equal(Raw(8000)(x), x[:, None])


def test_options_that_cannot_be_used_are_refused():
    with pytest.raises(InputError, match="fewer mels or a larger n_fft"):
        LogMel(16000, 128, n_fft=64)
    with pytest.raises(InputError, match="f_min"):
        LogMel(16000, f_max=9000.0)
    with pytest.raises(InputError, match="n_mels"):
        LogMel(16000, 0)
    with pytest.raises(InputError, match=r"\(B, T\)"):
        LogMel(16000)(torch.zeros(16000))
    with pytest.raises(InputError, match="method"):
        LogMel(16000)(torch.zeros(1, 100), method="dft")
    with pytest.raises(InputError, match="window must be >= hop_length = 300"):
        LogMel(16000, n_fft=256, hop_length=300, causal=True)
    with pytest.raises(InputError, match="floor"):
        LogMel(16000, floor=0.0)

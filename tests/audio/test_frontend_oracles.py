"""Each front-end is what librosa, a loop or its paper's formulas say."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from conv1d_kit.audio.frontends import Cqt, Gabor, Learned, MelPower, Mfcc, Pcen, Sinc, Stft, mel_edges
from conv1d_kit.audio.frontends.pcen import Smoother
from conv1d_kit.errors import InputError

librosa = pytest.importorskip("librosa")
RATE = 16000


@pytest.fixture(scope="module")
def noise():
    return np.random.default_rng(0).standard_normal((2, 16000)) * 0.1


@pytest.fixture(scope="module")
def tone():
    return 0.5 * np.sin(2 * np.pi * 440.0 * np.arange(16000) / RATE)[None]


def _features(frontend, x, dtype=torch.float64):
    with torch.no_grad():
        return frontend(torch.from_numpy(x).to(dtype)).numpy()


@pytest.mark.parametrize(("n_fft", "hop"), [(1024, 320), (511, 100)])
@pytest.mark.parametrize(("dtype", "atol"), [(torch.float64, 2e-6), (torch.float32, 1e-5)])
def test_stft_is_librosas(noise, n_fft, hop, dtype, atol):
    frontend = Stft(RATE, n_fft=n_fft, hop_length=hop, floor=1e-9)
    oracle = np.abs(librosa.stft(noise, n_fft=n_fft, hop_length=hop, pad_mode="constant", dtype=np.complex128))
    ours = np.exp(_features(frontend, noise, dtype)) - 1e-9
    ours = ours[..., : oracle.shape[-1]]  # an odd window of librosa's leaves out the zero after the end
    np.testing.assert_allclose(ours, oracle**2, atol=atol * (oracle**2).max())


def test_mfcc_is_librosas_without_its_cut_at_80_db(noise):
    frontend = Mfcc(RATE, 13, n_mels=40, n_fft=512, hop_length=160, floor=1e-10)
    mel = librosa.feature.melspectrogram(
        y=noise, sr=RATE, n_fft=512, hop_length=160, n_mels=40, pad_mode="constant"
    )
    oracle = librosa.feature.mfcc(S=librosa.power_to_db(mel, top_db=None), n_mfcc=13, dct_type=2, norm="ortho")
    np.testing.assert_allclose(_features(frontend, noise), oracle, atol=1e-3)
    np.testing.assert_allclose(_features(frontend, noise, torch.float32), oracle, atol=1e-2)
    with pytest.raises(InputError, match="n_mfcc must be <= n_mels"):
        Mfcc(RATE, 41, n_mels=40)


@pytest.mark.parametrize("options", [{}, {"gain": 0.8, "bias": 10.0, "power": 0.25, "time_constant_s": 0.06}])
def test_pcen_is_librosas(noise, options):
    """After a loud second comes a quiet one, whose frames must keep their digits."""
    x = np.concatenate([noise, 1e-3 * noise, noise], 1)
    energy = _features(MelPower(RATE, 40, hop_length=320), x)
    names = {"time_constant_s": "time_constant"}
    oracle_options = {names.get(k, k): v for k, v in options.items()} or {"time_constant": 0.4}
    t = oracle_options["time_constant"] * RATE / 320
    b = (math.sqrt(1 + 4 * t**2) - 1) / (2 * t**2)
    oracle = librosa.pcen(
        energy, sr=RATE, hop_length=320, eps=1e-6, zi=(1 - b) * energy[..., :1], axis=-1, **oracle_options
    )
    frontend = Pcen(RATE, 40, hop_length=320, **options)
    np.testing.assert_allclose(_features(frontend, x), oracle, atol=1e-6, rtol=1e-5)
    np.testing.assert_allclose(_features(frontend, x, torch.float32), oracle, atol=1e-4)
    np.testing.assert_allclose(_features(frontend.double(), x), oracle, atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("s", [0.02, 0.3, 0.9, 1 - 1e-9])
def test_the_smoother_is_the_recursion_to_its_stated_tail(s):
    e = np.random.default_rng(1).random((1, 2, 3000)) ** 8
    e[..., 100] = 1e6
    smoother = Smoother(2, s).double()
    s = smoother.held().detach().numpy()
    m = np.zeros_like(e)
    m[..., 0] = e[..., 0]
    for t in range(1, e.shape[-1]):
        m[..., t] = (1 - s) * m[..., t - 1] + s * e[..., t]
    ours = smoother(torch.from_numpy(e)).detach().numpy()
    np.testing.assert_allclose(ours, m, rtol=1e-9, atol=1e-8 * 1e6)
    assert (1 - s).max() ** 2**smoother.n_factors <= 1.01e-8
    taps = smoother.kernels().detach().numpy()
    np.testing.assert_allclose(taps[:, -2:], s[:, None] * (1 - s[:, None]) ** [1, 0])


def test_a_trained_smoother_keeps_its_tail():
    smoother = Smoother(1, 0.1)
    with torch.no_grad():
        smoother.coefficient.fill_(1e-9)
    assert float(1 - smoother.held().detach()) ** 2**smoother.n_factors <= 1.01e-4


def _wavelets(frontend, gamma):
    f = frontend.frequencies()
    taps, sizes = librosa.filters.wavelet(
        freqs=f, sr=frontend.sample_rate, pad_fft=False, dtype=np.complex128, gamma=gamma
    )
    return taps, sizes


@pytest.mark.parametrize("gamma", [0.0, 10.0])
def test_cqt_is_the_sum_over_librosas_wavelets(noise, gamma):
    frontend = Cqt(RATE, 48, f_min=110.0, gamma=gamma, floor=1e-12)
    taps, sizes = _wavelets(frontend, gamma)
    ours = np.exp(_features(frontend, noise)) - 1e-12
    for k in (0, 11, 12, 47):
        n = len(np.arange(-sizes[k] // 2, sizes[k] // 2))  # librosa pads it to the longest with zeros
        low = (taps.shape[1] - n) // 2
        used = taps[k, low : low + n] * math.sqrt(sizes[k])
        for i in (10, 25):
            x = noise[0, i * 320 + math.floor(-n / 2) :][:n]
            oracle = abs((x * np.conj(used)).sum()) ** 2
            assert ours[0, k, i] == pytest.approx(oracle, rel=1e-6, abs=1e-12)


def test_cqt_is_librosas_on_a_tone_and_on_noise(noise, tone):
    frontend = Cqt(22050, hop_length=512, floor=1e-12)
    x = 0.5 * np.sin(2 * np.pi * 440.0 * np.arange(44100) / 22050)
    ours = np.exp(_features(frontend, x[None])[0] / 2)
    oracle = np.abs(librosa.cqt(x, sr=22050, hop_length=512, n_bins=84))
    assert ours.shape == oracle.shape
    k = int(np.argmin(abs(frontend.frequencies() - 440)))
    inside = slice(30, -30)  # the lowest kernels reach half a second
    assert (ours[:, inside].argmax(0) == k).all()
    np.testing.assert_allclose(ours[k, inside], oracle[k, inside], rtol=0.02)
    x = np.random.default_rng(3).standard_normal(44100)
    ours = np.exp(_features(frontend, x[None])[0] / 2)
    oracle = np.abs(librosa.cqt(x, sr=22050, hop_length=512, n_bins=84))
    np.testing.assert_allclose(ours, oracle, atol=0.03 * oracle.max())


def test_cqt_of_a_tone_is_its_formula_and_white_noise_is_level():
    frontend = Cqt(RATE, 36, f_min=440.0)
    f = frontend.frequencies()[17]
    x = 0.5 * np.sin(2 * np.pi * f * np.arange(RATE) / RATE)[None]
    r = 2 ** (1 / 12)
    size = (r * r + 1) / (r * r - 1) * RATE / f
    power = np.exp(_features(frontend, x)[0, 17, 20:-20])
    np.testing.assert_allclose(power, size * 0.25 / 4, rtol=2e-3)
    white = np.random.default_rng(5).standard_normal((1, 40 * RATE))
    level = np.exp(_features(frontend, white)[0]).mean(1)
    np.testing.assert_allclose(level, 1.5, rtol=0.15)  # N · sum of w² with sum of w = 1: 1.5 for Hann


def test_cqt_refuses_bins_beyond_half_the_rate():
    with pytest.raises(InputError, match="n_bins must be <= 83"):
        Cqt(8000, 84)
    with pytest.raises(InputError, match="ask for fewer, or a lower f_min"):
        Cqt(8000, f_min=3990.0)
    with pytest.raises(InputError, match="gamma"):
        Cqt(8000, gamma=-1.0)


def test_causal_cqt_kernels_end_with_the_frame():
    kernels = Cqt(RATE, 24, f_min=220.0, causal=True).kernels()
    assert (kernels[:24, 0, -8:].abs().sum(1) > 0).all()
    assert (kernels[24 - 1, 0, : kernels.shape[-1] // 2] == 0).all()


def _response(taps):
    """|H| at 0 … ½ cycles a sample."""
    return np.abs(np.fft.fft(taps, 1 << 16))[: 1 << 15]


def test_sinc_filters_are_the_papers_and_pass_their_band_alone():
    frontend = Sinc(RATE, 20)
    kernels = frontend.kernels().detach().double().numpy()[:, 0]
    edges = mel_edges(19, 30.0, 7800.0) / RATE
    n_taps = kernels.shape[1]
    assert n_taps == 401
    for i in (0, 7, 19):
        low, high = edges[i], max(edges[i + 1], edges[i] + 50 / RATE)
        for at in (0, 150, 200, 201, 400):
            n = at - 200
            g = 2 * high * np.sinc(2 * high * n) - 2 * low * np.sinc(2 * low * n)
            hamming = 0.54 - 0.46 * math.cos(2 * math.pi * at / (n_taps - 1))
            assert kernels[i, at] == pytest.approx(g * hamming, abs=2e-7)
    low, high = (e.detach().numpy()[:, 0] for e in frontend.energy.filters.edges())
    f = np.arange(1 << 15) / (1 << 16)
    for i in (10, 15, 19):  # those much wider than the window's own 80 Hz
        response = _response(kernels[i])
        middle = (low[i] + high[i]) / 2
        assert response[np.argmin(abs(f - middle))] == pytest.approx(1, abs=0.02)
        for edge in (low[i], high[i]):
            assert response[np.argmin(abs(f - edge))] == pytest.approx(0.5, abs=0.03)
        assert response[f < low[i] - 100 / RATE].max() < 0.01


def test_sinc_of_a_tone_is_half_its_square():
    frontend = Sinc(RATE, 20)
    f = frontend.frequencies()
    x = 0.5 * np.sin(2 * np.pi * f[15] * np.arange(RATE) / RATE)[None]
    y = _features(frontend, x)[0, :, 10:-10]
    assert (y.argmax(0) == 15).all()
    np.testing.assert_allclose(np.exp(y[15]), 0.125, rtol=0.01)


def test_sinc_bands_stay_in_range_whatever_is_learned():
    filters = Sinc(RATE, 3).energy.filters
    with torch.no_grad():
        filters.low.copy_(torch.tensor([[-0.1], [0.9], [0.49]]))
        filters.width.copy_(torch.tensor([[-0.05], [3.0], [0.0]]))
        low, high = filters.edges()
    assert (low >= 0).all()
    assert (high <= 0.5).all()
    assert (high - low >= 50 / RATE - 1e-6).all()
    with pytest.raises(InputError, match="n_taps must be odd"):
        Sinc(RATE, n_taps=400)


def test_gabor_filters_are_leafs_and_peak_at_the_mel_centres():
    frontend = Gabor(RATE, 40)
    kernels = frontend.kernels().detach().double().numpy()[:, 0]
    waves = kernels[:40] + 1j * kernels[40:]
    edges = mel_edges(40, 60.0, 8000.0)
    f = np.arange(1 << 15) / (1 << 16) * RATE
    for i in (0, 13, 25, 39):
        wide = (edges[i + 2] - edges[i]) / 2
        most = 401 * math.sqrt(2 * math.log(2)) / math.pi
        width = min(most, math.sqrt(2 * math.log(2)) * RATE / (math.pi * wide))
        for at in (0, 100, 200, 230):
            t = at - 200
            g = math.exp(-(t**2) / (2 * width**2)) / (math.sqrt(2 * math.pi) * width)
            g = g * np.exp(2j * np.pi * edges[i + 1] / RATE * t)
            assert waves[i, at] == pytest.approx(g, abs=1e-6)
        response = _response(waves[i])
        assert f[response.argmax()] == pytest.approx(edges[i + 1], abs=1)
        if width < 80:  # the window holds it: peak 1, and the triangle's width at half its height
            assert response.max() == pytest.approx(1, abs=0.02)
            above = f[response >= response.max() / 2]
            assert above[-1] - above[0] == pytest.approx(wide, rel=0.03)


def test_gabor_of_a_tone_is_a_quarter_of_its_square():
    frontend = Gabor(RATE, 40)
    x = 0.5 * np.sin(2 * np.pi * frontend.frequencies()[30] * np.arange(RATE) / RATE)[None]
    y = _features(frontend, x)[0, :, 10:-10]
    assert (y.argmax(0) == 30).all()
    np.testing.assert_allclose(np.exp(y[30]), 0.25 / 4, rtol=0.01)


def test_gabor_filters_stay_in_range_whatever_is_learned():
    filters = Gabor(RATE, 2).energy.filters
    with torch.no_grad():
        filters.centre.copy_(torch.tensor([[-1.0], [9.0]]))
        filters.width.copy_(torch.tensor([[0.0], [1e6]]))
        centre, width = filters.held()
    half = math.sqrt(2 * math.log(2))
    assert centre[:, 0].tolist() == pytest.approx([0, math.pi])
    assert width[:, 0].tolist() == pytest.approx([4 * half / math.pi, 401 * half / math.pi])


@pytest.mark.parametrize("kind", [Learned, Sinc, Gabor])
@pytest.mark.parametrize("stride", [1, 10])
def test_a_filter_bank_is_its_loop(kind, stride):
    frontend = kind(2000, 3, hop_length=40, stride=stride, n_taps=21).double()
    x = np.random.default_rng(2).standard_normal(300)
    ours = _features(frontend, x[None])[0]
    kernels = frontend.kernels().detach().numpy()[:, 0]
    lowpass = frontend.energy.lowpass.kernels().detach().numpy()
    span = frontend.window_length
    padded = np.pad(x, (span // 2, span))
    for i in (0, 3, 7):
        for k in range(3):
            energy = 0.0
            for step in range(lowpass.shape[1]):
                at = i * 40 + step * stride
                parts = [float(w @ padded[at : at + 21]) for w in kernels[k::3]]
                energy += lowpass[k, step] * sum(p * p for p in parts)
            assert ours[k, i] == pytest.approx(math.log(energy + frontend.floor), abs=1e-9)


def test_a_step_of_1_ms_gives_nearly_the_energy_of_every_sample(noise):
    fast = Gabor(RATE, 40)
    slow = Gabor(RATE, 40, stride=1)
    slow.load_state_dict(fast.state_dict())
    assert fast.energy.stride == 16
    close = _features(fast, noise) - _features(slow, noise)
    assert abs(close[..., 2:-2]).mean() < 0.1  # natural log: 0.4 dB


def test_options_of_filter_banks_that_cannot_be_used_are_refused():
    with pytest.raises(InputError, match="stride must divide hop_length = 320, got 7"):
        Gabor(RATE, stride=7)
    with pytest.raises(InputError, match="compression must be 'log' or 'pcen'"):
        Learned(RATE, compression="root")
    with pytest.raises(InputError, match="n_filters"):
        Sinc(RATE, 0)
    with pytest.raises(InputError, match="f_min and f_max"):
        Gabor(RATE, f_max=9000.0)


def test_gabor_filters_hold_no_subnormal_numbers_and_nothing_is_lost():
    filters = Gabor(RATE, 40).energy.filters
    found = filters.kernels().detach().abs()
    assert not ((found > 0) & (found < torch.finfo(torch.float32).tiny)).any()
    centre, width = (t.detach().double() for t in filters.held())
    envelope = torch.exp(-0.5 * (filters.times.double() / width) ** 2) / ((2 * np.pi) ** 0.5 * width)
    expected = torch.cat([envelope * (centre * filters.times).cos(), envelope * (centre * filters.times).sin()])
    torch.testing.assert_close(filters.kernels()[:, 0].detach().double(), expected, atol=1e-7, rtol=0)
    assert (envelope < 1e-38).any()  # where they would be

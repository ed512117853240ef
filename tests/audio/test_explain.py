"""Explanations against nets of which it is known where they look, and against the formulas written out."""

import numpy as np
import pytest
import torch
from tiny_model import N_MELS, RATE, TinyEnsemble, TinyNet, tiny_model, tone

from conv1d_kit.audio.explain import View, feature_hz, grad_cam, integrated_gradients, occlusion, views
from conv1d_kit.audio.frontends import LogMel, Raw
from conv1d_kit.errors import InputError, InputTypeError


def _view(rows=slice(0, N_MELS), columns=slice(0, None)):
    return views(tiny_model(TinyNet(rows, columns)))[0]


def _noise(n=RATE, seed=0):
    return (0.1 * np.random.default_rng(seed).standard_normal(n)).astype(np.float32)


def test_a_net_that_looks_at_one_band_and_time_is_found_out_by_all_three():
    view = _view(slice(8, 16), slice(20, 32))
    gradients = integrated_gradients(view, _noise(), 0)
    hidden = occlusion(view, _noise(), 0, n_bands=4, n_times=51 // 4)
    cam = grad_cam(view, _noise(), 0)
    inside = np.zeros((N_MELS, 51), bool)
    inside[8:16, 20:32] = True
    for found in (gradients, hidden):
        values = np.abs(found.values)
        assert values[inside].sum() > 0.8 * values.sum()
    assert np.abs(gradients.values)[~inside].max() == 0
    row, column = np.unravel_index(cam.values.argmax(), cam.values.shape)
    assert inside[row, column]
    assert cam.values[inside].mean() > 5 * cam.values[~inside].mean()


def test_a_tone_is_found_at_its_frequency_and_time():
    view, wave = _view(), tone(1000, 0.3, 0.6)
    for found in (grad_cam(view, wave, 0), integrated_gradients(view, wave, 0)):
        row, column = np.unravel_index(found.values.argmax(), found.values.shape)
        assert abs(found.hz[row] - 1000) < 250
        assert 0.25 < column * found.column_s < 0.65
    on_samples = integrated_gradients(view, wave, 0, on="samples")
    assert on_samples.values.shape == (1, RATE)
    assert np.abs(on_samples.values[0, : int(0.29 * RATE)]).sum() == 0  # a sample that is 0 has no share


@pytest.mark.parametrize("on", ["features", "samples"])
@pytest.mark.parametrize("target", [0, 1, 2])
def test_shares_add_up_to_the_logit_over_silence(on, target):
    view, wave = _view(slice(3, 9)), _noise(4321)
    found = integrated_gradients(view, wave, target, on=on)
    with torch.no_grad():
        of_clip, of_silence = (
            float(view.net(view.features(x), torch.tensor([28]))[0, target]) for x in (wave, 0 * wave)
        )
    assert found.change == pytest.approx(of_clip - of_silence, rel=1e-4)
    assert found.values.sum() == pytest.approx(found.change, rel=1e-2)
    assert found.gap == pytest.approx(float(found.values.sum(dtype=np.float64)) - found.change, abs=1e-4)


def test_grad_cam_is_its_formula():
    view, wave = _view(), _noise(4 * 160 * 8 - 1)  # 32 frames: the cells fill them
    maps, _ = view.net.maps(view.features(wave))
    maps = maps.detach().requires_grad_()
    pooled = torch.cat([maps.mean(2).mean(-1), maps.mean(2).amax(-1)], 1)
    (slopes,) = torch.autograd.grad(view.net.head(pooled)[0, 1], maps)
    cells = (slopes.mean((2, 3))[:, :, None, None] * maps).sum(1, keepdim=True).relu().detach()
    expected = torch.nn.functional.interpolate(cells, scale_factor=4, mode="bilinear")[0, 0]
    np.testing.assert_allclose(grad_cam(view, wave, 1).values, expected, atol=1e-6)


def test_what_speaks_against_a_class_leaves_its_grad_cam_empty():
    assert not grad_cam(_view(), _noise(), 2).values.any()


def test_a_net_is_as_before_when_it_has_been_explained():
    view = _view()
    before = {k: v.clone() for k, v in view.net.state_dict().items()}
    for explain in (grad_cam, integrated_gradients, occlusion):
        explain(view, _noise(2000))
    assert "maps" not in vars(view.net)
    assert all(torch.equal(v, before[k]) for k, v in view.net.state_dict().items())
    assert all(p.grad is None for p in view.net.parameters())


def test_samples_as_features_give_a_line_over_time():
    model = tiny_model(TinyNet(slice(0, 1), slice(400, 800), n_features=1), Raw(RATE))
    view = views(model)[0]
    assert grad_cam(view, _noise(1000), 0).values.shape == (1, 1000)
    found = integrated_gradients(view, _noise(1000), 0)
    assert found.hz is None
    assert np.flatnonzero(found.values[0])[[0, -1]].tolist() == [400, 799]


def test_an_ensemble_is_seen_by_its_members_and_explained_whole():
    parts = [(LogMel(RATE, n_mels=N_MELS, n_fft=512), TinyNet()), (Raw(RATE), TinyNet(slice(0, 1)))]
    model = tiny_model(TinyEnsemble(*parts), Raw(RATE))
    assert [v.name for v in views(model)] == ["TinyNet 1", "TinyNet 2"]
    whole = View("whole", model.frontend_, model.net_)
    found = integrated_gradients(whole, _noise(2000), 0, on="samples")
    assert found.values.sum() == pytest.approx(found.change, rel=1e-2)


def test_the_class_is_by_default_the_one_with_the_highest_logit():
    view = _view()
    logits = view.net(view.features(_noise()))[0]
    assert grad_cam(view, _noise()).target == int(logits.argmax())


def test_one_sample_and_silence_are_explained():
    for wave in (np.ones(1, np.float32), np.zeros(500, np.float32)):
        for explain in (grad_cam, integrated_gradients, occlusion):
            assert np.isfinite(explain(_view(), wave, 0).values).all()
    assert not integrated_gradients(_view(), np.zeros(500, np.float32), 0).values.any()


def test_bad_arguments_are_refused():
    view = _view()
    for target in (3, -1, 1.0, True):
        with pytest.raises(InputError, match="target must be an int from 0 to 2"):
            grad_cam(view, _noise(), target)
    with pytest.raises(InputError, match="on must be 'features' or 'samples', got 'mel'"):
        integrated_gradients(view, _noise(), on="mel")
    with pytest.raises(InputError, match=r"samples must be \(T,\) with T >= 1"):
        grad_cam(view, np.zeros((2, 100), np.float32))
    with pytest.raises(InputTypeError, match=r"got dtype torch\.int64"):
        grad_cam(view, torch.arange(100))
    with pytest.raises(InputError, match="n_bands and n_times must be >= 1"):
        occlusion(view, _noise(), n_bands=0)


def test_centres_of_mel_bands_are_librosa_s():
    import librosa

    expected = librosa.mel_frequencies(N_MELS + 2, fmin=0, fmax=RATE / 2)[1:-1]
    np.testing.assert_allclose(feature_hz(LogMel(RATE, n_mels=N_MELS, n_fft=512)), expected, rtol=1e-6)
    assert feature_hz(Raw(RATE)) is None


def test_every_net_has_a_grad_cam_on_the_grid_of_its_input():
    pytest.importorskip("conv1d_kit.audio.net")
    from conv1d_kit.audio.frontends import FRONTENDS
    from conv1d_kit.audio.nets import AUDIO_NETS

    for name, kind in AUDIO_NETS.items():
        if not hasattr(kind, "maps"):
            continue
        frontend = FRONTENDS[kind.frontend](sample_rate=RATE)
        torch.manual_seed(0)
        view = View(name, frontend, kind(frontend.n_features, 3).eval())
        found = grad_cam(view, _noise(), 0)
        assert found.values.shape[1] == int(frontend.lengths(torch.tensor(RATE)))
        assert np.isfinite(found.values).all()

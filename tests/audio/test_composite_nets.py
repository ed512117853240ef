"""Nets made of nets: what a front-end learns, what an ensemble says, and the contract of every audio net."""

import numpy as np
import pytest
import torch

from conv1d_kit import AudioClassifier
from conv1d_kit.audio.clip import Clip
from conv1d_kit.audio.composite_nets import CentredNet, Ensemble, HeardNet
from conv1d_kit.audio.frontends import FRONTENDS, LogMel, Raw
from conv1d_kit.audio.members import MEMBERS, NETS
from conv1d_kit.audio.nets import AUDIO_NETS
from conv1d_kit.audio.synth import make_sounds
from conv1d_kit.errors import InputError


@pytest.fixture(scope="module")
def data():
    return make_sounds(3, seed=0)


def heard(front="gabor"):
    torch.manual_seed(0)
    front = FRONTENDS[front](8000)
    return HeardNet(front, AUDIO_NETS["residual"](front.n_features, 5, width=8))


def ensemble():
    torch.manual_seed(1)
    log_mel = FRONTENDS["log_mel"](8000, n_mels=32)
    nets = [AUDIO_NETS["spectrogram"](32, 5, width=8), AUDIO_NETS["wave"](1, 5, width=8)]
    return Ensemble([log_mel, Raw(8000)], nets)


@pytest.mark.parametrize("make", [heard, ensemble])
def test_a_clip_gives_alone_what_it_gives_in_a_padded_batch(make):
    net = make().eval()
    lengths = torch.tensor([1, 300, 4000])
    x = torch.randn(3, 1, 4000) * (torch.arange(4000) < lengths[:, None])[:, None]
    with torch.no_grad():
        together = net(x, lengths)
        for i, n in enumerate(lengths.tolist()):
            torch.testing.assert_close(together[i : i + 1], net(x[i : i + 1, :, :n]), atol=2e-5, rtol=2e-5)


def test_a_front_end_learns_with_its_net():
    net = heard().train()
    net(torch.randn(2, 1, 4000)).square().sum().backward()
    grads = [p.grad for p in net.front.parameters()]
    assert grads
    assert all(g is not None and float(g.abs().max()) > 0 for g in grads)


def test_an_ensemble_says_the_mean_of_its_members_probabilities():
    net, x = ensemble().eval(), torch.randn(2, 1, 4000)
    with torch.no_grad():
        shares = [member(front(x[:, 0])).softmax(1) for front, member in net.members]
        torch.testing.assert_close(net(x).softmax(1), sum(shares) / 2)
        parts = net.embed(x).split([net.nets[0].head.in_features, net.nets[1].head.in_features], 1)
    for part in parts:
        torch.testing.assert_close(part.norm(dim=1), torch.ones(2))


def test_an_ensembles_members_are_trained_as_they_would_be_alone(data):
    clips, labels = data
    settings = {"epochs": 1, "width": 8, "n_mels": 32}
    both = AudioClassifier(net="ensemble", **settings).fit(clips, labels)
    alone = AudioClassifier(net="residual", frontend="log_mel", **settings).fit(clips, labels)
    for a, b in zip(both.net_.nets[0].state_dict().values(), alone.net_.state_dict().values(), strict=True):
        assert torch.equal(a, b)
    assert [e.number for e in both.history_.epochs] == [1] * len(MEMBERS["ensemble"])


def test_a_members_own_augments_give_way_to_those_asked_for():
    def learned_with(**settings):
        return [[name for name, _ in m._augments(LogMel(8000))] for m in
                AudioClassifier(net="environment", **settings)._members()]  # fmt: skip

    cnn, centred, texture = learned_with()
    assert cnn == centred == ["speed", "crop", "gain", "mix", "filtering", "noise", "room"]
    assert texture == ["speed", "crop", "gain"]
    assert learned_with(augment=["gain"]) == [["gain"]] * 3
    assert learned_with(augment=[]) == [[]] * 3


def test_an_ensembles_members_hear_through_the_front_end_asked_for(data):
    clips, labels = data
    usual = {"epochs": 1, "width": 4, "frontend": "gabor", "frontend_options": {"n_filters": 16}}
    heard = AudioClassifier(net="environment", **usual).fit(clips, labels)
    assert [type(net.front).__name__ for net in heard.net_.nets] == ["Gabor"] * 3
    assert {net.front.n_features for net in heard.net_.nets} == {16}
    views = AudioClassifier(net="two_view", **usual).fit(clips, labels).net_
    assert [hasattr(net, "front") for net in views.nets] == [True, False]  # the other hears samples


def test_a_members_own_augments_are_those_that_its_front_end_can_take(data):
    clips, labels = data
    usual = {"epochs": 1, "width": 4, "frontend_options": {"n_mels": 24}}
    model = AudioClassifier(net="environment", frontend="mfcc", **usual).fit(clips, labels)
    assert [type(front).__name__ for front, _ in model.net_.members] == ["Mfcc"] * 3
    with pytest.raises(InputError, match="augment"):
        AudioClassifier(net="environment", frontend="mfcc", augment=["mix"], **usual).fit(clips, labels)


def test_centred_asked_for_or_not_holds_for_every_member():
    def members(**settings):
        return [m.centred for m in AudioClassifier(net="voices", **settings)._members()]

    assert members() == [True, False]
    assert members(centred=False) == [False] * 2
    assert members(centred=True) == [True] * 2


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"frontend": "raw"}, "net 'residual' takes features, not samples"),
        ({"frontend_options": {"taps": 5}}, "frontend_options must be those of LogMel .*got 'taps'"),
        ({"net": "two_view", "centred": True}, "centred must be False for the net 'wave', which hears samples"),
    ],
)
def test_what_a_member_cannot_take_is_said_before_anything_is_read(settings, words):
    model = AudioClassifier(**{"net": "ensemble", **settings})
    with pytest.raises(InputError, match=words):
        model.make_frontend_at(8000)


def test_front_ends_alike_are_heard_through_once(monkeypatch):
    fronts = [LogMel(8000, n_mels=40), LogMel(8000, n_mels=40), LogMel(8000, n_mels=32)]
    nets = [AUDIO_NETS["spectrogram"](f.n_features, 3, width=4) for f in fronts]
    net, x, heard = Ensemble(fronts, nets).eval(), torch.randn(2, 1, 4000), []
    with torch.no_grad():
        shares = sum(n(f(x[:, 0])).softmax(1) for f, n in zip(fronts, nets, strict=True)) / 3
        old = LogMel.forward
        monkeypatch.setattr(LogMel, "forward", lambda self, *a: heard.append(self.n_features) or old(self, *a))
        torch.testing.assert_close(net(x).softmax(1), shares)
    assert heard == [40, 32]


@pytest.mark.parametrize("settings", [{"net": "spectrogram"}, {"net": "wave"}, {"net": "ensemble"}])
def test_several_seeds_are_the_mean_of_nets_trained_alone(settings, data):
    clips, labels = data
    usual = {**settings, "epochs": 1, "width": 4, "n_mels": 32}
    several = AudioClassifier(**usual, n_seeds=2, seed=3).fit(clips, labels)
    n = len(MEMBERS.get(settings["net"], "1"))
    assert len(several.net_.members) == len(several.history_.epochs) == several.n_trainings == 2 * n
    if n == 1:
        alone = [AudioClassifier(**usual, seed=s).fit(clips, labels) for s in (3, 3 + 7919)]
        shares = [model.predict_proba(clips[:4]) for model in alone]
        assert np.abs(shares[0] - shares[1]).max() > 1e-3
        np.testing.assert_allclose(several.predict_proba(clips[:4]), np.mean(shares, 0), atol=2e-3)


def test_several_seeds_have_no_range_test(data):
    with pytest.raises(InputError, match="n_seeds must be 1"):
        AudioClassifier(n_seeds=2).find_learning_rate(*data)


@pytest.mark.parametrize("settings", [{"net": name} for name in NETS] + [
    {"net": "residual", "frontend": name} for name in FRONTENDS if name != "raw"
] + [{"net": "depthwise", "n_seeds": 2}, {"net": "wave", "n_seeds": 2}],
    ids=lambda s: "-".join(map(str, s.values())))  # fmt: skip
def test_every_net_and_front_end_trains_and_is_opened_again(settings, data, tmp_path):
    clips, labels = data
    model = AudioClassifier(**settings, epochs=1, width=4, n_mels=32).fit(clips, labels)
    said = model.predict_proba(clips[:4])
    assert np.allclose(said.sum(1), 1, atol=1e-5)
    model.save(tmp_path / "model")
    again = AudioClassifier.load(tmp_path / "model")
    assert np.array_equal(again.predict_proba(clips[:4]), said)
    assert again.window_s_ == model.window_s_


@pytest.mark.parametrize(
    "settings", [{"net": "wave", "frontend": "log_mel"}, {"net": "residual", "frontend": "raw"}]
)
def test_a_net_and_a_front_end_that_do_not_fit_are_told(settings, data):
    with pytest.raises(InputError, match="got frontend"):
        AudioClassifier(**settings).fit(*data)


def test_a_causal_net_hears_a_causal_front_end_and_streams_without_delay(data):
    from conv1d_kit import stream

    clips, labels = data
    model = AudioClassifier(net="depthwise", epochs=1, width=8, n_mels=40).fit(clips, labels)
    assert model.frontend_.causal
    live = stream(torch.nn.Sequential(model.frontend_, model.net_).eval())
    x = torch.tensor(clips[0].mono().resample(model.sample_rate_).samples)
    with torch.no_grad():
        for part in x.split(1000, 1):
            live.push(part)
        torch.testing.assert_close(live.flush(), model.net_(model.frontend_(x)), atol=1e-4, rtol=1e-4)
    assert live.latency == 0


def test_front_end_options_reach_it_and_a_wrong_one_is_told(data):
    clips, labels = data
    model = AudioClassifier(epochs=1, width=4, n_mels=32, frontend_options={"hop_length": 80}).fit(
        clips, labels
    )
    assert model.frontend_.hop_length == 80
    for wrong in "hop", "sample_rate":
        with pytest.raises(
            InputError, match=rf"frontend_options must be those of LogMel \(n_mels, n_fft, .*\), got '{wrong}'"
        ):
            AudioClassifier(frontend_options={wrong: 80}).fit(clips, labels)


def test_balanced_classes_and_smoothing_are_used(data):
    clips, labels = data
    plain = AudioClassifier(epochs=1, width=4, n_mels=32).fit(clips, labels)
    for settings in ({"label_smoothing": 0.2}, {"class_weight": "balanced"}):
        found = AudioClassifier(epochs=1, width=4, n_mels=32, **settings).fit(clips[:-2], labels[:-2])
        other = AudioClassifier(epochs=1, width=4, n_mels=32).fit(clips[:-2], labels[:-2])
        assert found.history_.losses != other.history_.losses
    assert AudioClassifier(epochs=1, width=4, n_mels=32, class_weight="balanced").fit(
        clips, labels
    ).history_.losses == pytest.approx(plain.history_.losses)  # equal classes: nothing to balance


@pytest.mark.parametrize("name", ["spectrogram", "residual", "bc_resnet"])
def test_a_centred_net_does_not_hear_a_microphone(name):
    """A gain for each band adds a constant to log-mels; neither it nor padding reaches a logit."""
    torch.manual_seed(0)
    net = CentredNet(AUDIO_NETS[name](40, 3, width=8)).eval()
    x, lengths = torch.randn(3, 40, 70), torch.tensor([70, 41, 9])
    colour = 5 * torch.randn(3, 40, 1)
    with torch.no_grad():
        whole = net(x, lengths)
        torch.testing.assert_close(net(x + colour, lengths), whole, atol=2e-5, rtol=1e-4)
        for row, n in enumerate(lengths.tolist()):
            torch.testing.assert_close(net(x[row : row + 1, :, :n])[0], whole[row], atol=2e-5, rtol=1e-4)
        heard = (net.net(x + colour, lengths) - net.net(x, lengths)).abs().max()
        assert heard > 10 * (net(x + colour, lengths) - whole).abs().max()


def _spoken(background):
    """Log powers (1, 40, 60): 30 loud frames amid a background of that many dB below them."""
    generator = torch.Generator().manual_seed(0)
    x = 3 * torch.randn(1, 40, 60, generator=generator) - background * np.log(10) / 10
    x[:, :, 15:45] = torch.randn(1, 40, 30, generator=generator)
    return x


def test_a_centred_net_of_log_powers_does_not_hear_how_deep_a_silence_is():
    torch.manual_seed(0)
    net = CentredNet(AUDIO_NETS["spectrogram"](40, 3, width=16), range_db=40.0).eval()
    plain = CentredNet(net.net).eval()
    with torch.no_grad():
        whole, padded = net(_spoken(80)), torch.nn.functional.pad(_spoken(80), (0, 9))
        torch.testing.assert_close(net(_spoken(100)), whole)
        torch.testing.assert_close(net(_spoken(80) + 7), whole, atol=1e-4, rtol=1e-4)  # nor how loud it all is
        torch.testing.assert_close(net(padded, torch.tensor([60])), whole)
        assert (plain(_spoken(100)) - plain(_spoken(80))).abs().max() > 0.02
        assert (net(_spoken(20)) - whole).abs().max() > 0.02  # a background within the range is heard


def test_what_a_centred_net_hears_is_within_its_range_of_the_loudest_cell():
    net = CentredNet(AUDIO_NETS["spectrogram"](40, 3, width=8), range_db=40.0)
    clips = [_spoken(80)[0], _spoken(20)[0, :, :30]]
    net.fit_input(clips)
    heard = []
    for clip in clips:
        x = clip.double().numpy()
        x = np.maximum(x, x.max() - 40 * np.log(10) / 10)
        heard.append(x - x.mean(1, keepdims=True))
        seen = net._centred(torch.nn.functional.pad(clip, (0, 5), value=50.0)[None], torch.tensor([x.shape[1]]))
        np.testing.assert_allclose(seen[0, :, : x.shape[1]], heard[-1], atol=1e-4)
    np.testing.assert_allclose(net.net.input.mean.flatten(), np.concatenate(heard, 1).mean(1), atol=1e-4)


def test_a_centred_classifier_is_saved_opened_and_exported(tmp_path):
    clips, labels = make_sounds(3, seed=0)
    model = AudioClassifier(epochs=2, width=4, n_mels=16, centred=True).fit(clips, labels)
    model.save(tmp_path / "m")
    again = AudioClassifier.load(tmp_path / "m")
    np.testing.assert_array_equal(again.predict_proba(clips), model.predict_proba(clips))
    coloured = [Clip(np.convolve(c.samples[0], [1, -0.7])[: c.n_samples], c.sample_rate) for c in clips]
    plain = AudioClassifier(epochs=2, width=4, n_mels=16).fit(clips, labels)
    moved = [np.abs(m.predict_proba(coloured) - m.predict_proba(clips)).mean() for m in (model, plain)]
    assert moved[0] < moved[1]
    pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    from conv1d_kit.audio.export import export_onnx

    assert export_onnx(model, tmp_path / "m.onnx") <= 1e-4


@pytest.mark.parametrize("net", ["wave", "depthwise"])
def test_nets_that_cannot_be_centred_say_so(net):
    clips, labels = make_sounds(2, seed=0)
    with pytest.raises(InputError, match=f"centred must be False for the net '{net}'"):
        AudioClassifier(net=net, centred=True, epochs=1).fit(clips, labels)

"""Nets: a clip gives alone what it gives in a padded batch, any length works, silence is no NaN."""

import pytest
import torch

from conv1d_kit.audio.nets import AUDIO_NETS
from conv1d_kit.audio.norms import Standardize
from conv1d_kit.batch_norm import MaskedBatchNorm1d, MaskedBatchNorm2d

N_FEATURES = {name: 1 if net.frontend == "raw" else 32 for name, net in AUDIO_NETS.items()}


@pytest.fixture(params=sorted(AUDIO_NETS))
def named_net(request):
    torch.manual_seed(0)
    net = AUDIO_NETS[request.param](N_FEATURES[request.param], 5, width=8)
    for module in net.modules():  # statistics that are not 0 and 1, so that padding would show
        if isinstance(module, (MaskedBatchNorm1d, MaskedBatchNorm2d)):
            module.running_mean.uniform_(-0.5, 0.5)
            module.running_var.uniform_(0.5, 2)
            torch.nn.init.uniform_(module.bias, -0.5, 0.5)
    return request.param, net


FRAMES = [1, 2, 3, 7, 8, 9, 15, 40]
SAMPLES = {"wave": [1, 3, 16, 17, 250, 257, 1000, 3001], "m5": [1, 3, 4, 5, 16, 17, 1025, 3001],
           "filterbank": [1, 3, 159, 160, 161, 1000, 3001]}  # fmt: skip
LENGTHS = {name: SAMPLES.get(name, FRAMES) for name in AUDIO_NETS}


def test_a_clip_gives_alone_what_it_gives_in_a_padded_batch(named_net):
    name, net = named_net
    net.eval()
    lengths = torch.tensor(LENGTHS[name])
    x = torch.randn(len(lengths), N_FEATURES[name], int(lengths.max()))
    for row, n in zip(x, lengths, strict=True):
        row[:, n:] = float("nan")  # padding may hold anything
    with torch.no_grad():
        together = net(x, lengths)
        for i, n in enumerate(lengths):
            alone = net(x[i : i + 1, :, :n], None)
            torch.testing.assert_close(together[i : i + 1], alone, atol=1e-5, rtol=1e-5)


def test_logits_and_gradients_are_finite_on_silence(named_net):
    name, net = named_net
    net.train()
    x = torch.zeros(4, N_FEATURES[name], 64)
    out = net(x, torch.tensor([64, 64, 10, 1]))
    assert out.shape == (4, 5)
    out.sum().backward()
    assert torch.isfinite(out).all()
    assert all(torch.isfinite(p.grad).all() for p in net.parameters())


def test_training_statistics_do_not_see_padding(named_net):
    """The same clips with more padding leave the same running statistics."""
    import copy

    name, net = named_net
    short, n = net.train(), LENGTHS[name][-1]
    long = copy.deepcopy(short)
    x = torch.randn(3, N_FEATURES[name], n)
    lengths = torch.tensor([n - 1, n // 2, n - 2])
    torch.manual_seed(1)
    a = short(x, lengths)
    torch.manual_seed(1)
    b = long(torch.nn.functional.pad(x, (0, n), value=7.0), lengths)
    torch.testing.assert_close(a, b, atol=1e-4, rtol=1e-4)
    for (key, one), two in zip(short.state_dict().items(), long.state_dict().values(), strict=True):
        torch.testing.assert_close(one, two, atol=1e-4, rtol=1e-4, msg=key)


def test_standardize_makes_each_feature_zero_mean_and_the_whole_unit_scale():
    torch.manual_seed(0)
    features = [torch.randn(3, n) * 4 + torch.tensor([[1.0], [5.0], [-9.0]]) for n in (50, 7, 200)]
    layer = Standardize(3)
    layer.fit(features)
    y = layer(torch.cat(features, 1)[None])[0]
    torch.testing.assert_close(y.mean(1), torch.zeros(3), atol=1e-5, rtol=0)
    assert float(y.square().mean().sqrt()) == pytest.approx(1, abs=1e-4)


def test_standardize_of_constant_features_is_finite():
    layer = Standardize(2)
    layer.fit([torch.zeros(2, 5)])
    assert torch.isfinite(layer(torch.zeros(1, 2, 5))).all()


def test_the_spectrogram_net_has_about_a_quarter_million_weights():
    n = sum(p.numel() for p in AUDIO_NETS["spectrogram"](96, 10).parameters())
    assert 200_000 <= n <= 500_000

"""Costs and receptive fields against formulas and against torch's own counter."""

import json

import pytest
import torch
import typer
from torch.utils.flop_counter import FlopCounterMode
from typer.testing import CliRunner

from conv1d_kit.cli.text_nets import nets
from conv1d_kit.errors import InputError
from conv1d_kit.text.describe import describe, describe_nets, multiply_adds, receptive_field
from conv1d_kit.text.nets import TEXT_NETS, NetOptions

SMALL = {"dim": 6, "filters": 4}


@pytest.mark.parametrize("name", TEXT_NETS)
@pytest.mark.parametrize("n_tokens", [1, 20, 41])
def test_multiply_adds_are_half_of_torchs_flops(name, n_tokens, monkeypatch):
    """The convolutions of the nets replaced by torch's, which its counter knows."""
    net = TEXT_NETS[name](9, 3, NetOptions(**SMALL)).eval()
    plain = torch.nn.functional.conv1d
    monkeypatch.setattr("conv1d_kit.layers.conv", lambda x, w, b, *, padding, dilation, **_: plain(
        x, w, b, padding=padding, dilation=dilation))  # fmt: skip
    monkeypatch.setattr("conv1d_kit.text.cnn.conv", lambda x, w, *, padding: plain(x, w, padding=padding))
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        net.out(net.plain_features(torch.zeros(1, n_tokens, dtype=torch.int64)))
    assert multiply_adds(net, n_tokens) == counter.get_total_flops() // 2


@pytest.mark.parametrize(
    ("name", "options", "tokens"),
    [
        ("cnn", {"widths": (2, 7)}, 7),
        ("dilated", {"depth": 1}, 3),
        ("dilated", {"depth": 4}, 31),
        ("gated", {"depth": 3}, 13),
        ("dpcnn", {"depth": 3}, 7),  # 3, and twice 2 more
        ("dpcnn", {"depth": 5}, 17),  # then a maximum over 3, and twice 2 · 2 more
        ("char_cnn", {}, 7 + 2 + 3 * 6 + 3 * 2 + 9 * 4 * 2 + 9 * 2),
        ("vdcnn", {"depth": 9}, 3 + 4 + 2 + 8 + 4 + 16 + 8 + 32),
    ],
)
def test_receptive_fields_add_up(name, options, tokens):
    net = TEXT_NETS[name](9, 2, NetOptions(**SMALL, **options)).eval()
    assert receptive_field(net) == tokens


def test_nothing_beyond_the_receptive_field_reaches_a_place():
    torch.manual_seed(0)  # with others a ReLU may stop all that one place says
    net = TEXT_NETS["dilated"](9, 2, NetOptions(**SMALL, depth=2)).eval()
    x = torch.randn(1, 6, 31, generator=torch.Generator().manual_seed(0))
    place, half = 15, receptive_field(net) // 2
    before = net.maps(x)[0][..., place]
    for offset, reaches in ((half, True), (half + 1, False), (-half, True), (-half - 1, False)):
        other = x.clone()
        other[..., place + offset] += 1
        assert torch.equal(net.maps(other)[0][..., place], before) != reaches


def test_weights_leave_the_embeddings_apart():
    row = describe(TEXT_NETS["cnn"](1000, 3, NetOptions(dim=6, widths=(2,), filters=4)).eval())
    assert row.weights == 2 * 6 * 4 + 4 + 4 * 3 + 3


def test_published_sizes_are_those_of_the_papers():
    rows = {row.name: row for row in describe_nets(n_tokens=20)}
    assert rows["cnn"].weights == 300 * 100 * (3 + 4 + 5) + 300 + 300 * 2 + 2
    assert rows["vdcnn"].options.depth == 9
    assert rows["char_cnn"].options.filters == 256


@pytest.mark.parametrize("options", [{"n_classes": 1}, {"n_tokens": 0}, {"n_tokens": 2.0}])
def test_counts_are_checked(options):
    with pytest.raises(InputError, match="must be an int >="):
        describe_nets(**options)


def test_the_verb_gives_one_json_object_and_a_table():
    app = typer.Typer()
    app.command()(nets)
    result = json.loads(CliRunner().invoke(app, ["--json", "--dim", "8", "--filters", "4"]).output)
    assert [row["name"] for row in result["nets"]] == list(TEXT_NETS)
    assert result["nets"][0]["options"]["dim"] == 8
    shown = CliRunner().invoke(app, ["--tokens", "5"])
    assert shown.exit_code == 0
    assert "a sentence of 5 tokens" in shown.output
    refused = CliRunner().invoke(app, ["--published", "--dim", "3"])
    assert isinstance(refused.exception, InputError)

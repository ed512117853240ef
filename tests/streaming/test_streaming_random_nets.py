"""Random stacks of layers: as a stream they give what they give offline, and are never later than they say."""

from __future__ import annotations

import pytest
import torch
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from test_streaming_net import heard, noise
from torch import nn

from conv1d_kit import Conv1d, ConvTranspose1d, stream
from conv1d_kit.errors import InputError

C = 2  # channels everywhere, so that any layer follows any other
SIDE = st.integers(0, 4)


class Branches(nn.Module):
    """Two convolutions of one stride and length, added to each other or side by side."""

    def __init__(self, span: int, low: int, other: int, stride: int, side_by_side: bool):
        super().__init__()
        self.a = Conv1d(C, C, span, stride, ((low, span - 1 - low),))
        self.b = Conv1d(C, C, other, stride, ((other - 1, 0),))
        self.mix = Conv1d(2 * C, C, 1) if side_by_side else None

    def forward(self, x):
        a, b = self.a(x), self.b(x).tanh()
        return a + b if self.mix is None else self.mix(torch.cat([b, a], 1))


class Cut(nn.Module):
    """Frames cut off at both ends."""

    def __init__(self, left: int, right: int, step: int):
        super().__init__()
        self.left, self.right, self.step = left, right, step

    def forward(self, x):
        return x[..., self.left : -self.right or None][..., :: self.step]


CONVS = st.builds(
    lambda k, stride, dilation, low, high, mode, groups: Conv1d(
        C, C, k, stride, ((low, high),), dilation, groups, padding_mode=mode
    ),
    st.integers(1, 5), st.integers(1, 3), st.integers(1, 3), SIDE, SIDE,
    st.sampled_from(["zeros", "zeros", 0.5, "replicate", "reflect", "symmetric"]), st.integers(1, C),
)  # fmt: skip
NAMED = st.builds(
    lambda k, name: Conv1d(C, C, k, padding=name),
    st.integers(1, 5), st.sampled_from(["valid", "same", "same_lower", "full", "causal", "anticausal"]),
)  # fmt: skip
TRANSPOSED = st.builds(
    lambda k, stride, cut, extra, dilation: ConvTranspose1d(
        C, C, k, stride, min(cut, (k - 1) * dilation), min(extra, max(stride, dilation) - 1), dilation=dilation
    ),
    st.integers(1, 4), st.integers(1, 3), SIDE, SIDE, st.integers(1, 2),
)  # fmt: skip
POOLS = st.builds(
    lambda kind, k, stride, padding, ceil_mode: kind(k, stride, min(padding, k // 2), ceil_mode=ceil_mode),
    st.sampled_from([nn.MaxPool1d, nn.AvgPool1d]), st.integers(1, 4), st.integers(1, 3), SIDE, st.booleans(),
)  # fmt: skip
BRANCHES = st.builds(
    lambda span, low, other, stride, side: Branches(span, min(low, span - 1), other, stride, side),
    st.integers(1, 5), SIDE, st.integers(1, 5), st.integers(1, 2), st.booleans(),
)  # fmt: skip
CUTS = st.builds(Cut, SIDE, SIDE, st.integers(1, 2))
OTHERS = st.sampled_from([nn.ReLU(), nn.BatchNorm1d(C), nn.Upsample(scale_factor=2)])
STACKS = st.lists(st.one_of(CONVS, NAMED, TRANSPOSED, POOLS, BRANCHES, CUTS, OTHERS), min_size=1, max_size=6)


def _offline(net: nn.Module, x: torch.Tensor) -> torch.Tensor:
    try:
        with torch.no_grad():
            return net(x)
    except (RuntimeError, ValueError):  # too short for one of the layers
        assume(False)
        raise


def _weighted(layers: list[nn.Module]) -> nn.Module:
    """The net with weights that do not depend on the order of the draw."""
    net = nn.Sequential(*layers).eval()
    generator = torch.Generator().manual_seed(0)
    for p in net.parameters():
        p.data = torch.rand(p.shape, generator=generator) - 0.5
    return net


@settings(max_examples=200, deadline=None, derandomize=True)
@given(STACKS, st.integers(10, 60), st.lists(st.integers(0, 60), max_size=8))
@example([Conv1d(C, C, 1, padding=((4, 0),), padding_mode="reflect"), nn.MaxPool1d(2)], 20, [1, 2, 3])
@example([Conv1d(C, C, 2, padding_mode="replicate")], 20, [1, 2, 3])
@example([nn.MaxPool1d(1, 4), Cut(0, 3, 2), Conv1d(C, C, 2, padding="full")], 10, [])
def test_random_nets_in_random_chunks(layers, length, cuts):
    net, x = _weighted(layers), noise(1, C, length)
    whole = _offline(net, x)
    assume(whole.shape[-1] > 0)
    s = stream(net, latency="any")
    outs, last = heard(s, x, sorted(min(c, length) for c in cuts))
    torch.testing.assert_close(torch.cat([*outs, last], -1), whole, rtol=1e-5, atol=1e-5)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(STACKS)
@example([Conv1d(C, C, 2, 2), nn.Upsample(scale_factor=2)])
def test_no_frame_of_a_random_net_is_later_than_latency_says(layers):
    net, x = _weighted(layers), noise(1, C, 100)
    whole = _offline(net, x)
    assume(whole.shape[-1] > 0)
    s = stream(net, latency="any")
    if s.latency:
        with pytest.raises(InputError, match=rf"looks [1-9].* ahead.* stream\(net, latency={s.latency}\)"):
            stream(net)
    rate, ready = s._plan.outputs()[0].rate, 0
    for t in range(x.shape[-1]):
        ready += s.push(x[..., t : t + 1]).shape[-1]
        # frame i is due with sample `latency` after its own last one
        while ready < whole.shape[-1]:
            end = max(ready * rate // 1, -(-(ready + 1) * rate // 1) - 1)
            assert t < end + s.latency, f"frame {ready} is late"
            break


@pytest.mark.parametrize("kind", [nn.MaxPool1d, nn.AvgPool1d])
def test_one_module_at_two_places_has_two_states(kind):
    pool = kind(3, 1)
    net, x = nn.Sequential(pool, nn.ReLU(), pool).eval(), noise(1, C, 20)
    s = stream(net, latency="any")
    outs, last = heard(s, x, [1, 2, 9])
    torch.testing.assert_close(torch.cat([*outs, last], -1), net(x))
    assert {"0.tail", "0#1.tail"} <= set(s.state)

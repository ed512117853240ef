"""A stream's state is a flat dict of tensors that goes on elsewhere: another object, file or process."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from test_streaming_net import NETS, build, heard, noise

from conv1d_kit import stream
from conv1d_kit.errors import ConvKitError, InputError

ELSEWHERE = """
import sys
import numpy as np
import torch
sys.path.insert(0, {tests!r})
from test_streaming_net import build
from conv1d_kit import stream
net, _ = build({name!r})
s = stream(net, latency="any")
with np.load({saved!r}) as saved:
    rest = saved["rest"]
    s.state = {{k: saved[k] for k in saved.files if k != "rest"}}
out = s.push(rest)
np.savez({answer!r}, out=out, last=s.flush())
"""


@pytest.mark.parametrize("name", NETS)
def test_a_saved_state_goes_on_in_another_stream(name):
    net, lead = build(name)
    first, second = stream(net, latency="any"), stream(net, latency="any")
    length = 900 if lead == (1,) else 120
    x = noise(2, *lead, length)
    for a, b in [(0, 1), (1, 50), (50, length - 40)]:
        first.push(x[..., a:b])
        second.state = first.state
        assert set(second.state) == set(first.state)
    first.push(x[..., :33])  # what goes on elsewhere has its own memory
    third = stream(net, latency="any")
    got, last = heard(third, x, [length - 40])
    torch.testing.assert_close(second.push(x[..., length - 40 :]), got[1], rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(second.flush(), last, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", ["dilated residual TCN", "log mel and net"])
def test_a_saved_state_goes_on_in_another_process(name, tmp_path):
    net, lead = build(name)
    x = noise(2, *lead, 700).numpy()
    s = stream(net, latency="any")
    s.push(x[..., :333])
    saved, answer = str(tmp_path / "state.npz"), str(tmp_path / "answer.npz")
    np.savez(saved, rest=x[..., 333:], **{k: v.numpy() for k, v in s.state.items()})
    code = ELSEWHERE.format(tests=str(Path(__file__).parent), name=name, saved=saved, answer=answer)
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)
    with np.load(answer) as got:
        np.testing.assert_allclose(got["out"], s.push(x[..., 333:]), atol=1e-6)
        np.testing.assert_allclose(got["last"], s.flush(), atol=1e-6)


def test_the_state_is_a_safetensors_file_with_the_layers_names(tmp_path):
    net, lead = build("dilated residual TCN")
    s, x = stream(net), noise(1, *lead, 20)
    s.push(x)
    save_file(s.state, tmp_path / "state.safetensors")
    other = stream(net)
    other.state = load_file(tmp_path / "state.safetensors")
    assert {"0.conv.tail", "1.conv.tail", "2.conv.skip", "stream.chunk", "stream.flushed"} <= set(other.state)
    torch.testing.assert_close(other.push(x), s.push(x))


def test_a_state_before_the_first_chunk_and_after_the_flush():
    net, lead = build("one layer")
    s, other = stream(net), stream(net)
    other.push(noise(3, *lead, 4))
    other.state = s.state
    other.push(noise(1, *lead, 4))
    other.flush()
    s.state = other.state
    with pytest.raises(InputError, match="push must come before flush"):
        s.push(noise(1, *lead, 4))


def test_a_state_of_another_net_is_refused_and_nothing_is_lost():
    net, lead = build("one layer")
    s, x = stream(net), noise(1, *lead, 10)
    s.push(x)
    other = stream(build("dilated residual TCN")[0])
    other.push(x)
    with pytest.raises(InputError, match="state must be that of a stream of the same net"):
        s.state = other.state
    with pytest.raises(InputError, match=r"state 'net.tail' must be float32 like .* got float64"):
        s.state = s.state | {"net.tail": s.state["net.tail"].double()}
    for wrong in ({}, {"stream.flushed": "no"}, None):
        with pytest.raises(ConvKitError, match="state"):
            s.state = wrong
    torch.testing.assert_close(s.push(x), net(torch.cat([x, x], -1))[..., 10:].detach(), rtol=1e-5, atol=1e-6)

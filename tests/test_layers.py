"""Layers against torch.nn's with the same weights, both ways."""

import pytest
import torch

from conv1d_kit import Conv1d, Conv2d, ConvTranspose1d, conv, depthwise_conv
from conv1d_kit.errors import InputError

PAIRS = [
    (Conv1d, torch.nn.Conv1d, (4, 6, 3), {"stride": 2, "padding": 2, "dilation": 2, "groups": 2}, (2, 4, 30)),
    (Conv1d, torch.nn.Conv1d, (4, 6, 8), {"padding": "same"}, (2, 4, 30)),
    (Conv1d, torch.nn.Conv1d, (4, 6, 5), {"padding": 4, "padding_mode": "reflect"}, (2, 4, 30)),
    (Conv1d, torch.nn.Conv1d, (4, 6, 5), {"padding": 4, "padding_mode": "replicate"}, (2, 4, 30)),
    (Conv1d, torch.nn.Conv1d, (4, 6, 5), {"padding": 4, "padding_mode": "circular", "bias": False}, (2, 4, 30)),
    (Conv1d, torch.nn.Conv1d, (1, 1, 300), {}, (1, 1, 9000)),
    (Conv1d, torch.nn.Conv1d, (4, 6, 3), {}, (4, 30)),
    (Conv2d, torch.nn.Conv2d, (3, 8, (3, 5)), {"stride": (2, 1), "padding": (1, 2)}, (2, 3, 16, 20)),
    (Conv2d, torch.nn.Conv2d, (4, 4, 3), {"padding": "same", "dilation": 2, "groups": 4}, (2, 4, 16, 20)),
    (
        ConvTranspose1d,
        torch.nn.ConvTranspose1d,
        (4, 6, 5),
        {"stride": 3, "padding": 1, "output_padding": 2, "groups": 2},
        (2, 4, 30),
    ),
    (ConvTranspose1d, torch.nn.ConvTranspose1d, (4, 6, 5), {"dilation": 2, "bias": False}, (2, 4, 30)),
]


@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel")  # torch's own
@pytest.mark.parametrize(("ours", "theirs", "sizes", "options", "shape"), PAIRS)
def test_state_dict_passes_both_ways_and_gives_the_same_output_and_gradient(
    ours, theirs, sizes, options, shape
):
    torch.manual_seed(0)
    a, b = ours(*sizes, **options), theirs(*sizes, **options)
    b.load_state_dict(a.state_dict())
    a.load_state_dict(b.state_dict())
    x = torch.randn(shape)
    xa, xb = x.clone().requires_grad_(), x.clone().requires_grad_()
    ya, yb = a(xa), b(xb)
    torch.testing.assert_close(ya, yb, rtol=1e-4, atol=1e-5)
    ya.square().sum().backward()
    yb.square().sum().backward()
    torch.testing.assert_close(xa.grad, xb.grad, rtol=1e-3, atol=1e-4)
    torch.testing.assert_close(a.weight.grad, b.weight.grad, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("ours", [Conv1d, Conv2d, ConvTranspose1d])
def test_a_seed_gives_torchs_initial_weights(ours):
    torch.manual_seed(3)
    a = ours(4, 6, 3)
    torch.manual_seed(3)
    b = getattr(torch.nn, ours.__name__)(4, 6, 3)
    assert all(torch.equal(v, b.state_dict()[k]) for k, v in a.state_dict().items())


def test_same_works_with_a_stride_where_torch_refuses():
    with pytest.raises(ValueError, match="not supported for strided"):
        torch.nn.Conv1d(1, 1, 3, stride=2, padding="same")
    assert Conv1d(1, 1, 3, stride=2, padding="same")(torch.zeros(1, 1, 9)).shape == (1, 1, 5)


def test_a_layer_says_what_it_is():
    text = repr(Conv1d(4, 6, 3, padding="causal", padding_mode="reflect", groups=2, dilation=2, bias=False))
    expected = (
        "Conv1d(4, 6, kernel_size=(3,), stride=(1,), padding='causal', padding_mode='reflect', groups=2, "
    )
    assert text == expected + "dilation=(2,), bias=False)"


@pytest.mark.parametrize("padding", ["same", "same_lower", "causal", "full", 2])
@pytest.mark.parametrize("mode", ["zeros", "reflect", "circular", 1.0])
@pytest.mark.filterwarnings("ignore::torch.jit.TracerWarning", "ignore:.torch.jit.trace:DeprecationWarning")
def test_a_traced_layer_takes_other_sizes_with_any_stride_and_padding(padding, mode):
    options = {"stride": 3, "padding": padding, "padding_mode": mode}
    for layer, *shapes in (
        (Conv1d(3, 4, 5, dilation=2, **options), (2, 3, 40), (1, 3, 41)),
        (Conv2d(3, 4, 5, **options), (2, 3, 12, 14), (1, 3, 13, 12)),
    ):
        traced = torch.jit.trace(layer.eval(), torch.randn(shapes[0]))
        for shape in shapes:
            x = torch.randn(shape)
            torch.testing.assert_close(traced(x), layer(x), rtol=1e-5, atol=1e-5)


@pytest.mark.filterwarnings("ignore::torch.jit.TracerWarning", "ignore:.torch.jit.trace:DeprecationWarning")
def test_long_kernels_transposed_and_depthwise_ones_are_traced():
    weight = torch.randn(2, 1, 9)
    for call in (
        Conv1d(2, 3, 700, padding="same"),
        ConvTranspose1d(2, 3, 7, stride=2),
        lambda x: depthwise_conv(x, weight[:, 0], padding="causal"),
    ):
        traced = torch.jit.trace(call, torch.randn(2, 2, 2000))
        x = torch.randn(1, 2, 2300)
        torch.testing.assert_close(traced(x), call(x), rtol=1e-4, atol=1e-4)


@pytest.mark.filterwarnings("ignore::torch.jit.TracerWarning", "ignore:.torch.jit.trace:DeprecationWarning")
@pytest.mark.parametrize("method", ["fft", "overlap_add"])
def test_a_method_whose_blocks_depend_on_the_length_is_not_traced(method):
    w = torch.randn(3, 2, 9)
    with pytest.raises(InputError, match=f"must be 'auto' or 'direct' under torch.jit.trace, got '{method}'"):
        torch.jit.trace(lambda x: conv(x, w, method=method), torch.randn(2, 2, 200))


def test_transposed_output_size_is_the_one_asked_for():
    layer = ConvTranspose1d(2, 2, 3, stride=2)
    assert layer(torch.zeros(1, 2, 5), output_size=[12]).shape[-1] == 12
    with pytest.raises(InputError, match=r"^output_size must be 11 to 12, got 13$"):
        layer(torch.zeros(1, 2, 5), output_size=[13])


def test_a_wrong_input_is_one_clear_line():
    with pytest.raises(InputError, match=r"C_in = 3 and groups = 1"):
        Conv1d(4, 6, 3)(torch.zeros(1, 3, 9))


def test_a_named_padding_of_a_transposed_layer_is_refused_when_it_is_made():
    with pytest.raises(InputError, match="padding of a transposed layer must be an int >= 0, got 'same'; try"):
        ConvTranspose1d(2, 1, 4, stride=2, padding="same")
    layer = ConvTranspose1d(2, 4, 5, 3, 1, 2, 2, False, 2)  # torch's order
    assert (layer.output_padding, layer.groups, layer.bias, layer.dilation) == ((2,), 2, None, (2,))

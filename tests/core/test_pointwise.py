"""Kernels of one tap as matrix products: torch's convolution in values, derivatives and transforms."""

import pytest
import torch

from conv1d_kit import Conv1d, conv
from conv1d_kit.core import library
from conv1d_kit.core.plan import make_plan

SHAPES = [
    ((2, 5, 60), (4, 5, 1)), ((3, 1, 80), (1, 1, 1)), ((0, 3, 40), (2, 3, 1)),  # products
    ((2, 5, 9), (4, 5, 1)), ((1, 3, 1), (2, 3, 1)), ((4, 3, 1), (2, 3, 1)), ((4, 3, 3), (2, 3, 1)),  # few
    ((2, 5, 12, 20), (4, 5, 1, 1)), ((3, 1, 17, 9), (6, 1, 1, 1)), ((0, 3, 4, 40), (2, 3, 1, 1)),  # pictures
    ((2, 5, 3, 4), (4, 5, 1, 1)), ((2, 3, 1, 1), (4, 3, 1, 1)), ((2, 3, 5, 6, 7), (4, 3, 1, 1, 1)),
]  # fmt: skip
RUNS = (torch.nn.functional.conv1d, torch.nn.functional.conv2d, torch.nn.functional.conv3d)


def tensors(*shapes, dtype=torch.float64):
    generator = torch.Generator().manual_seed(0)
    return [torch.randn(s, generator=generator, dtype=dtype, requires_grad=True) for s in shapes]


@pytest.mark.parametrize(("x_shape", "w_shape"), SHAPES)
@pytest.mark.parametrize("stride", [1, 3])
@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_values_and_gradients_are_torchs(x_shape, w_shape, stride, bias, dtype):
    x, w, b = tensors(x_shape, w_shape, w_shape[:1], dtype=dtype)
    leaves = [x, w, b] if bias else [x, w]
    ours, theirs = conv(*leaves, stride=stride), RUNS[x.ndim - 3](*leaves, stride=stride)
    torch.testing.assert_close(ours, theirs)
    for a, e in zip(*(torch.autograd.grad(y.square().sum(), leaves) for y in (ours, theirs)), strict=True):
        torch.testing.assert_close(a, e)


@pytest.mark.filterwarnings("ignore:.torch.jit.script. is deprecated")  # torch's own, from forward mode
def test_second_derivatives_and_transforms():
    leaves = tensors((2, 3, 35), (2, 3, 1), (2,))
    assert torch.autograd.gradgradcheck(lambda *t: conv(*t, stride=2), leaves)
    x, w = (t.detach() for t in leaves[:2])
    rows = torch.func.vmap(lambda row: conv(row, w))(x)
    torch.testing.assert_close(rows, torch.nn.functional.conv1d(x, w))
    tangent = torch.func.jvp(lambda w: conv(x, w), (w,), (w,))[1]
    torch.testing.assert_close(tangent, torch.nn.functional.conv1d(x, w))


def test_second_derivatives_and_transforms_of_pictures():
    leaves = tensors((2, 3, 5, 8), (2, 3, 1, 1), (2,))
    assert torch.autograd.gradgradcheck(lambda *t: conv(*t, stride=(1, 2)), leaves)
    x, w = (t.detach() for t in leaves[:2])
    rows = torch.func.vmap(lambda row: conv(row, w))(x)
    torch.testing.assert_close(rows, torch.nn.functional.conv2d(x, w))


def test_pictures_whose_channels_stand_last_stay_so():
    x, w = (t.detach() for t in tensors((2, 8, 12, 20), (4, 8, 1, 1), dtype=torch.float32))
    last = x.to(memory_format=torch.channels_last)
    y = conv(last, w)
    assert y.is_contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(y.contiguous(), conv(x, w))


@pytest.mark.parametrize("shape", [(2, 4, 16, 16), (2, 4, 5, 6, 7), (8, 4, 1)])
def test_a_result_may_be_written_to(shape):
    x, w = torch.randn(shape), torch.randn(4, 4, *(1,) * (len(shape) - 2))
    with torch.no_grad():
        y = conv(x, w)
    y += torch.ones(1, requires_grad=True)
    y.sum().backward()
    with torch.no_grad():
        expected = RUNS[x.ndim - 3](x, w) + 1
    torch.testing.assert_close(y.detach(), expected)


def test_a_nan_reaches_its_place_alone():
    x, w = torch.ones(1, 3, 50), torch.ones(2, 3, 1)
    x[0, 1, 2] = float("nan")
    assert conv(x, w).isnan().nonzero().tolist() == [[0, 0, 2], [0, 1, 2]]


def test_a_layer_goes_this_way_in_training():
    layer, x = Conv1d(31, 7, 1), torch.randn(3, 31, 53)
    y = layer(x)
    assert "Baddbmm" in type(y.grad_fn).__name__
    torch.testing.assert_close(y, torch.nn.functional.conv1d(x, layer.weight, layer.bias))


def test_pads_groups_and_other_kinds_of_numbers_keep_torchs_kernel():
    def run(w_shape=(4, 4, 1), padding=0, groups=1, dtype=torch.float32):
        return make_plan((2, 4, 9), w_shape, dtype, 1, padding, "zeros", 1, groups, "auto").straight[0]

    assert run() is library.pointwise
    pictures = make_plan((2, 4, 9, 9), (4, 4, 1, 1), torch.float32, 2, 0, "zeros", 1, 1, "auto")
    assert pictures.straight[0] is library.pointwise
    wide = make_plan((2, 4, 9, 9), (4, 4, 1, 1), torch.float64, 2, 0, "zeros", 1, 1, "auto")
    assert wide.straight[0] is torch.nn.functional.conv2d
    assert run(dtype=torch.float64) is library.pointwise
    for other in ({"padding": 1}, {"groups": 2, "w_shape": (4, 2, 1)}, {"w_shape": (4, 4, 2)}):
        assert run(**other) is torch.nn.functional.conv1d
    assert run(dtype=torch.bfloat16) is torch.nn.functional.conv1d


@pytest.mark.parametrize(("channels", "n_out", "taps"), [(8, 4, 1), (64, 1, 7), (1, 1, 9)])
@pytest.mark.filterwarnings("ignore")  # torch's own on tracing
def test_a_traced_layer_takes_other_batches_and_lengths(channels, n_out, taps):
    layer = Conv1d(channels, n_out, taps).eval().requires_grad_(False)
    traced = torch.jit.trace(layer, torch.randn(2, channels, 3000))
    for shape in ((3, channels, 3070), (1, channels, 50)):
        x = torch.randn(shape)
        torch.testing.assert_close(traced(x), layer(x), rtol=1e-4, atol=1e-4)


def test_a_weight_that_is_large_beside_its_rows_keeps_torchs_gradient():
    w = torch.randn(64, 64, 1, requires_grad=True)
    assert "Bmm" in type(conv(torch.randn(2, 64, 40), w).grad_fn).__name__
    assert "Convolution" in type(conv(torch.randn(2, 64, 20), w).grad_fn).__name__
    with torch.no_grad():
        assert conv(torch.randn(2, 64, 20), w).shape == (2, 64, 20)

"""What values, derivatives and torch's transforms do together in the spectral methods."""

import numpy as np
import pytest
import torch
from memory import peak_bytes

from conv1d_kit import Conv1d, conv
from conv1d_kit.core.blocked import blocked
from conv1d_kit.core.geometry import Geometry
from conv1d_kit.core.kernels import METHODS

SPECTRAL = ["overlap_add", "fft"]
D = torch.float64


def tensors(*shapes, dtype=D, seed=0):
    g = torch.Generator().manual_seed(seed)
    return [torch.randn(shape, dtype=dtype, generator=g) for shape in shapes]


@pytest.mark.parametrize("method", SPECTRAL)
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_not_finite_reaches_the_gradients_that_direct_gives_it(method, value):
    x, w, gy = tensors((2, 4, 200), (6, 2, 5), (2, 6, 98))
    options = {"stride": 2, "groups": 2}
    for bad in ("x", "gy"):
        a, v = x.clone(), gy.clone()
        (a if bad == "x" else v)[0, 1, 60] = value
        found = []
        for m in ("direct", method):
            leaves = a.clone().requires_grad_(), w.clone().requires_grad_()
            found.append(torch.autograd.grad(conv(*leaves, method=m, **options), leaves, v))
        for ours, direct in zip(*found, strict=True):
            np.testing.assert_allclose(ours.numpy(), direct.numpy(), atol=1e-11)


@pytest.mark.filterwarnings("ignore:.torch.jit.script. is deprecated")  # torch's own, from forward mode
@pytest.mark.parametrize("method", METHODS)
def test_a_nan_stays_in_its_windows_under_vmap_jvp_and_compile(method):
    x, w = tensors((2, 1, 3, 3000), (2, 3, 50))
    x[:, 0, 1, 0] = torch.nan
    wanted = 2 * 2
    run = lambda z: conv(z, w, method=method)  # noqa: E731
    assert int(torch.func.vmap(run)(x).isnan().sum()) == wanted
    assert int(torch.func.jvp(run, (x[:, 0],), (torch.ones_like(x[:, 0]),))[0].isnan().sum()) == wanted
    compiled = torch.compile(run, backend="aot_eager", fullgraph=True)
    assert int(compiled(x[:, 0]).isnan().sum()) == wanted


@pytest.mark.parametrize("method", ["auto", *METHODS])
@pytest.mark.parametrize(("dtype", "big"), [(torch.float32, 1e36), (D, 1e306), (torch.complex64, 1e36)])
def test_a_finite_sum_is_finite_however_large_its_transform(method, dtype, big):
    x = torch.full((1, 1, 4000), big, dtype=dtype)
    w = torch.full((1, 1, 200), 1e-10, dtype=dtype)
    y = conv(x, w, method=method)
    torch.testing.assert_close(y, torch.full_like(y, big * 1e-10 * 200), rtol=1e-4, atol=0)


def test_complex_sums_do_not_overflow_before_they_must():
    y = conv(np.full((1, 3), 1.2e308 + 1.2e308j), np.full((1, 1, 1), 0.5 + 0j), method="direct")
    np.testing.assert_allclose(y, np.full((1, 3), 6e307 + 6e307j))


@pytest.mark.parametrize("method", METHODS)
def test_a_nan_in_the_kernel_reaches_every_output(method):
    y = conv(np.ones((1, 1, 1)), np.array([[[np.nan]]]), stride=3, padding=10, method=method)
    assert np.isnan(y).all()


@pytest.mark.filterwarnings("ignore:.torch.jit.script. is deprecated")  # torch's own, from forward mode
@pytest.mark.parametrize("method", METHODS)
def test_derivatives_in_every_order_and_direction(method):
    x, w = tensors((1, 2, 14), (2, 2, 3))
    run = lambda w: conv(x, w, method=method, padding=1, stride=2).pow(3).sum()  # noqa: E731
    plain = lambda w: torch.nn.functional.conv1d(x, w, padding=1, stride=2).pow(3).sum()  # noqa: E731
    expected = torch.autograd.functional.hessian(plain, w)
    torch.testing.assert_close(torch.func.hessian(run)(w), expected)
    torch.testing.assert_close(torch.func.jacfwd(torch.func.jacfwd(run))(w), expected)
    torch.testing.assert_close(torch.func.jacrev(torch.func.jacrev(run))(w), expected)
    xs = torch.stack([x, 2 * x])
    mapped = torch.func.vmap(torch.func.hessian(lambda x: conv(x, w, method=method).pow(3).sum()))(xs)
    one = torch.func.hessian(lambda x: torch.nn.functional.conv1d(x, w).pow(3).sum())
    torch.testing.assert_close(mapped, torch.stack([one(a) for a in xs]))


@pytest.mark.filterwarnings("ignore:.torch.jit.script. is deprecated")
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("dtype", [D, torch.complex128])
def test_gradcheck_backwards_and_forwards(method, dtype):
    x, w = (t.requires_grad_() for t in tensors((1, 2, 9), (2, 2, 3), dtype=dtype))
    run = lambda x, w: conv(x, w, method=method, stride=2)  # noqa: E731
    assert torch.autograd.gradcheck(run, (x, w), check_forward_ad=True)
    assert torch.autograd.gradgradcheck(run, (x, w), check_fwd_over_rev=dtype == D)
    y, vjp = torch.func.vjp(run, x.detach(), w.detach())
    many = torch.stack([torch.ones_like(y), 2 * torch.ones_like(y)])
    for batched, one in zip(torch.func.vmap(vjp)(many), vjp(many[0]), strict=True):
        torch.testing.assert_close(batched, torch.stack([one, 2 * one]))


@pytest.mark.parametrize("method", METHODS)
def test_vmap_over_any_axis_of_either_argument_and_over_nothing(method):
    xs, ws = tensors((2, 3, 5, 20), (4, 3, 7, 5))
    mapped = torch.func.vmap(lambda x, w: conv(x, w, method=method), (2, 2))(xs, ws[:, :, :5])
    rows = [torch.nn.functional.conv1d(xs[:, :, i], ws[:, :, i]) for i in range(5)]
    torch.testing.assert_close(mapped, torch.stack(rows))
    nested = torch.func.vmap(torch.func.vmap(lambda x: conv(x, ws[:, :, 0], method=method)))(xs[None, :, :, 0])
    torch.testing.assert_close(nested[0], torch.stack([conv(x, ws[:, :, 0]) for x in xs[:, :, 0]]))
    if method in SPECTRAL:  # torch's own convolution refuses an empty batch here
        empty = torch.func.vmap(lambda x: conv(x, ws[:, :, 0], method=method))(xs.new_zeros(0, 3, 20))
        assert empty.shape == (0, 4, 16)
    integers = torch.func.vmap(lambda x: conv(x, torch.ones(1, 3, 4).long(), method=method))
    assert integers(torch.ones(2, 3, 9).long()).tolist() == [[[12] * 6]] * 2


@pytest.mark.parametrize("method", ["auto", *METHODS])
@pytest.mark.parametrize("taps", [5, 301])
def test_one_compiled_function_serves_every_length(method, taps):
    torch.manual_seed(0)
    w = torch.randn(3, 2, taps, requires_grad=True)
    run = lambda x: conv(x, w, padding="same", stride=2, method=method)  # noqa: E731
    compiled = torch.compile(run, backend="aot_eager", fullgraph=True, dynamic=True)
    for length in (900, 901, 1200):
        x = torch.randn(2, 2, length)
        y, expected = compiled(x), run(x)
        torch.testing.assert_close(y, expected, rtol=1e-4, atol=1e-4)
        ours, theirs = (torch.autograd.grad(v.square().sum(), w)[0] for v in (y, expected))
        torch.testing.assert_close(ours, theirs, rtol=1e-3, atol=1e-2)


@pytest.mark.parametrize("method", ["auto", *METHODS])
def test_shapes_without_values_pass_through(method):
    x, w = torch.ones(2, 1, 5000, device="meta"), torch.ones(3, 1, 400, device="meta")
    y = conv(x, w, method=method, stride=2)
    assert y.device.type == "meta"
    assert y.shape == (2, 3, 2301)
    whole = conv(x.long(), w.long(), method=method)
    assert (whole.shape, whole.dtype) == ((2, 3, 4601), torch.int64)


@pytest.mark.parametrize("method", ["auto", *SPECTRAL])
def test_exported_program_takes_other_batches_of_one_length(method):
    torch.manual_seed(1)
    layer = Conv1d(1, 2, 301, padding="causal")
    layer.forward = lambda x: conv(x, layer.weight, layer.bias, padding="causal", method=method)
    shapes = ({0: torch.export.Dim("batch", min=1, max=64)},)
    program = torch.export.export(layer, (torch.randn(2, 1, 900),), dynamic_shapes=shapes)
    x = torch.randn(5, 1, 900)
    torch.testing.assert_close(program.module()(x), layer(x), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("stride", [1, 2, 3, 8])
@pytest.mark.parametrize("dilation", [1, 2])
@pytest.mark.parametrize("size", [1, 40, 300, 3000])
@pytest.mark.parametrize("dtype", [torch.float32, D, torch.complex128])
def test_blocked_products_are_the_direct_sum(stride, dilation, size, dtype):
    for taps in (1, 2, 17, 60):
        pads = (5, 70)
        span = (taps - 1) * dilation + 1
        if size + sum(pads) < span:
            continue
        x, w = tensors((3, 1, size), (1, 1, taps), dtype=dtype)
        expected = torch.nn.functional.conv1d(
            torch.nn.functional.pad(x, pads), w, stride=stride, dilation=dilation
        )
        torch.testing.assert_close(blocked(x, w, Geometry((stride,), (pads,), (dilation,), 1)), expected)


def test_one_channel_is_summed_as_precisely_in_blocks_as_in_windows():
    x = np.random.default_rng(0).standard_normal(30_000)
    x[:15_000] *= 1e12
    w = np.ones(31)
    y = conv(x[None], w[None, None], method="direct")[0]
    truth = np.convolve(x.astype(np.longdouble), w.astype(np.longdouble), "valid")
    magnitude = np.convolve(np.abs(x), w, "valid")
    assert np.all(np.abs(y - truth) <= 2 * 31 * np.finfo(float).eps * magnitude)


GRADIENTS = [  # x, w, options: what audio and text nets train, and long kernels
    ((2, 8, 20_000), (8, 8, 255), {}),
    ((1, 1, 160_000), (1, 1, 16_000), {}),
    ((4, 16, 8000), (16, 16, 2048), {}),
    ((4, 64, 4096), (64, 1, 1024), {"groups": 64}),
    ((2, 3, 60_000), (4, 3, 101), {"stride": 4}),
    ((2, 4, 40, 300), (4, 4, 5, 31), {}),
    ((8, 16, 4000), (16, 16, 9), {"dilation": 4}),
    ((8, 64, 4000), (64, 1, 31), {"groups": 64}),
    ((8, 16, 4000), (16, 16, 15), {"dilation": 4}),
    ((2, 768, 400), (768, 48, 128), {"groups": 16}),
]


@pytest.mark.parametrize(("x_shape", "w_shape", "options"), GRADIENTS, ids=str)
def test_a_gradient_needs_no_more_memory_than_torchs_own(x_shape, w_shape, options):
    """Beyond a working set of 16 MB, which does not grow with the signal."""
    plain = {3: torch.nn.functional.conv1d, 4: torch.nn.functional.conv2d}[len(x_shape)]

    def peak(run) -> int:
        x, w = (t.requires_grad_() for t in tensors(x_shape, w_shape, dtype=torch.float32))

        def both():
            y = run(x, w)
            torch.autograd.grad(y, (x, w), torch.ones_like(y))

        both()  # what is made once, such as tables, is not counted
        return peak_bytes(both)

    theirs = peak(lambda x, w: plain(x, w, **options))
    for method in ("auto", *METHODS):
        assert peak(lambda x, w, m=method: conv(x, w, method=m, **options)) <= theirs + 16e6, method


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e38, 3e38])
@pytest.mark.parametrize("bad", ["x", "w"])
def test_many_outputs_of_few_numbers_are_judged_by_these(value, bad):
    """One channel to many: of values that might overflow, each output is looked at as ever."""
    draw = torch.Generator().manual_seed(0)
    x, w = torch.randn(2, 1, 400, generator=draw), torch.randn(64, 1, 30, generator=draw)
    (x if bad == "x" else w)[0, 0, 7] = value
    y, by_sum = (conv(x, w, method=method) for method in ("overlap_add", "direct"))
    assert torch.equal(y.isfinite(), by_sum.isfinite())
    torch.testing.assert_close(
        y, by_sum, rtol=1e-3, atol=1e-3 if abs(value) == np.inf else 1e35, equal_nan=True
    )

"""conv_vjp, depthwise_conv, time_varying_conv against torch and loops; torch.func, compile and export."""

import numpy as np
import pytest
import torch

from conv1d_kit import Conv1d, Conv2d, conv, conv_vjp, depthwise_conv, time_varying_conv
from conv1d_kit.errors import InputError

METHODS = ["direct", "overlap_add", "fft"]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("dtype", ["float64", "complex128"])
def test_numpy_users_get_torchs_gradients(method, dtype):
    rng = np.random.default_rng(0)

    def draw(*shape):
        return rng.standard_normal(shape).astype(dtype)

    x, w, b = draw(2, 4, 30), draw(6, 2, 5), draw(6)
    options = {"stride": 2, "padding": 3, "dilation": 2, "groups": 2}
    tx, tw, tb = (torch.from_numpy(a).requires_grad_() for a in (x, w, b))
    y = torch.nn.functional.conv1d(tx, tw, tb, **options)
    gy = draw(*y.shape)
    expected = torch.autograd.grad(y, (tx, tw, tb), torch.from_numpy(gy))
    got = conv_vjp(gy, x, w, b, method=method, **options)
    for ours, theirs in zip(got, expected, strict=True):
        assert isinstance(ours, np.ndarray)
        np.testing.assert_allclose(ours, theirs.numpy(), atol=1e-12)


def test_vjp_refuses_integers_and_a_gradient_of_another_shape():
    with pytest.raises(InputError, match="must be floating or complex to have gradients"):
        conv_vjp(np.ones((1, 3), int), np.ones((1, 4), int), np.ones((1, 1, 2), int))
    with pytest.raises(InputError, match=r"gy must have the output's shape \(1, 3\), got \(1, 2\)"):
        conv_vjp(np.ones((1, 2)), np.ones((1, 4)), np.ones((1, 1, 2)))


def test_depthwise_is_a_convolution_a_channel():
    rng = np.random.default_rng(1)
    x, w = rng.standard_normal((2, 3, 50)), rng.standard_normal((3, 7))
    y = depthwise_conv(x, w, padding="same")
    for c in range(3):
        np.testing.assert_allclose(y[:, c : c + 1], conv(x[:, c : c + 1], w[None, c : c + 1], padding="same"))
    with pytest.raises(InputError, match=r"w must be \(C, \*kernel\)"):
        depthwise_conv(x, w[0])


def test_time_varying_uses_each_positions_kernel():
    rng = np.random.default_rng(2)
    x, w = rng.standard_normal((2, 3, 20)), rng.standard_normal((2, 1, 4, 9))
    y = time_varying_conv(x, w, stride=2, dilation=2, padding=((1, 2),), padding_mode="circular")
    xp = np.pad(x, ((0, 0), (0, 0), (1, 2)), mode="wrap")
    for position in range(9):
        window = xp[..., position * 2 : position * 2 + 8 : 2]
        np.testing.assert_allclose(y[..., position], (window * w[..., position]).sum(-1))
    with pytest.raises(InputError, match="L_out = 17"):
        time_varying_conv(x, w)


def test_time_varying_with_one_kernel_everywhere_is_conv():
    rng = np.random.default_rng(3)
    x, k = rng.standard_normal((2, 1, 20)), rng.standard_normal(4)
    w = np.broadcast_to(k[:, None], (1, 1, 4, 17))
    np.testing.assert_allclose(time_varying_conv(x, w), conv(x, k[None, None]))


@pytest.mark.parametrize("method", METHODS)
def test_vmap_and_per_sample_gradients(method):
    g = torch.Generator().manual_seed(4)
    xs, w = torch.randn(5, 2, 40, generator=g), torch.randn(3, 2, 7, generator=g)
    one = lambda x, w: conv(x, w, padding=2, method=method)  # noqa: E731
    mapped = torch.func.vmap(one, (0, None))(xs, w)
    torch.testing.assert_close(mapped, torch.stack([one(x, w) for x in xs]))
    loss = lambda w, x: one(x, w).square().sum()  # noqa: E731
    per_sample = torch.func.vmap(torch.func.grad(loss), (None, 0))(w, xs)
    for x, got in zip(xs, per_sample, strict=True):
        leaf = w.clone().requires_grad_()
        loss(leaf, x).backward()
        torch.testing.assert_close(got, leaf.grad, rtol=1e-4, atol=1e-4)


@pytest.mark.filterwarnings("ignore:.torch.jit.script. is deprecated")  # torch's own, from forward mode
@pytest.mark.parametrize("method", METHODS)
def test_forward_mode_and_hessian(method):
    g = torch.Generator().manual_seed(5)
    x, w = (
        torch.randn(1, 1, 12, dtype=torch.float64, generator=g),
        torch.randn(1, 1, 3, dtype=torch.float64, generator=g),
    )
    run = lambda w: conv(x, w, method=method)  # noqa: E731
    value, tangent = torch.func.jvp(run, (w,), (torch.ones_like(w),))
    torch.testing.assert_close(value, run(w))
    torch.testing.assert_close(tangent, conv(x, torch.ones_like(w)))
    hessian = torch.autograd.functional.hessian(lambda w: run(w).square().sum(), w)
    plain = torch.autograd.functional.hessian(lambda w: torch.nn.functional.conv1d(x, w).square().sum(), w)
    torch.testing.assert_close(hessian, plain)


@pytest.mark.parametrize("taps", [5, 301])
def test_compile_gives_the_eager_result_and_gradient(taps):
    torch.manual_seed(6)
    layer, x = Conv1d(2, 3, taps, padding="causal"), torch.randn(2, 2, 900)
    compiled = torch.compile(layer, backend="aot_eager", fullgraph=True)
    torch.testing.assert_close(compiled(x), layer(x), rtol=1e-4, atol=1e-4)
    expected = torch.autograd.grad(layer(x).square().sum(), layer.weight)[0]
    torch.testing.assert_close(
        torch.autograd.grad(compiled(x).square().sum(), layer.weight)[0], expected, rtol=1e-3, atol=1e-2
    )


def test_export_keeps_a_dynamic_length():
    torch.manual_seed(7)
    net = torch.nn.Sequential(
        Conv1d(2, 3, 31, padding="causal"), torch.nn.ReLU(), Conv1d(3, 2, 3, stride=2, padding=1)
    ).eval()
    x = torch.randn(2, 2, 100)
    shapes = {"input": {0: torch.export.Dim("batch"), 2: torch.export.Dim("time", min=64, max=4096)}}
    program = torch.export.export(net, (x,), dynamic_shapes=(shapes["input"],))
    for batch, length in ((1, 100), (3, 777)):
        other = torch.randn(batch, 2, length)
        torch.testing.assert_close(program.module()(other), net(other), rtol=1e-4, atol=1e-5)
    image = Conv2d(1, 2, 3, padding=1).eval()
    torch.testing.assert_close(
        torch.export.export(image, (torch.zeros(1, 1, 8, 8),)).module()(torch.ones(1, 1, 8, 8)),
        image(torch.ones(1, 1, 8, 8)),
    )


@pytest.mark.parametrize(
    ("x_dtype", "w_dtype", "options"),
    [("float64", "complex128", {}), ("complex128", "float64", {}), ("float32", "float64", {}),
     ("float64", "float64", {"padding_mode": "reflect", "padding": 3, "flip": True}),
     ("float64", "float64", {"lengths": [9, 20], "padding": "same"}),
     ("float64", "float64", {"precision": "componentwise", "method": "fft"})],
)  # fmt: skip
def test_vjp_gives_each_array_the_gradient_of_its_own_dtype(x_dtype, w_dtype, options):
    rng = np.random.default_rng(5)
    x, w = rng.standard_normal((2, 2, 20)).astype(x_dtype), rng.standard_normal((3, 2, 4)).astype(w_dtype)
    tx, tw = torch.from_numpy(x).requires_grad_(), torch.from_numpy(w).requires_grad_()
    y = conv(tx, tw, **options)
    gy = torch.from_numpy(rng.standard_normal(tuple(y.shape))).to(y.dtype)
    expected = torch.autograd.grad(y, (tx, tw), gy)
    if not options:  # torch's own, each array first made as wide as the sum
        plain = torch.nn.functional.conv1d(tx.to(y.dtype), tw.to(y.dtype))
        for ours, theirs in zip(expected, torch.autograd.grad(plain, (tx, tw), gy), strict=True):
            torch.testing.assert_close(ours, theirs)
    gx, gw, gb = conv_vjp(gy.numpy(), x, w, **options)
    assert (gx.dtype, gw.dtype, gb.dtype) == (x.dtype, w.dtype, np.result_type(x, w))
    for ours, theirs in zip((gx, gw), expected, strict=True):
        np.testing.assert_allclose(ours, theirs.numpy(), rtol=1e-6, atol=1e-10)


def test_vjp_omits_nan_and_refuses_a_complex_gradient_of_a_real_output():
    x, w = np.arange(9.0).reshape(1, 1, 9), np.ones((1, 1, 3))
    x[0, 0, 4] = np.nan
    gx, _, _ = conv_vjp(np.ones((1, 1, 7)), x, w, nan="omit")
    assert np.isfinite(gx).all()
    with pytest.raises(InputError, match="gy must be real as the output is"):
        conv_vjp(np.ones((1, 1, 7)) * 1j, x, w)


def test_vjp_works_where_torch_records_nothing():
    x, w, gy = torch.arange(9.0).reshape(1, 1, 9), torch.ones(1, 1, 3), torch.ones(1, 1, 7)
    expected = conv_vjp(gy, x, w)
    for mode in (torch.inference_mode, torch.no_grad):
        with mode():
            got = conv_vjp(gy.clone(), x.clone(), w.clone(), torch.zeros(1))
        for ours, theirs in zip(got, expected, strict=True):
            assert torch.equal(ours, theirs)


@pytest.mark.parametrize("options", [{"lengths": [20, 9]}, {"nan": "omit"}, {"precision": "componentwise"},
                                     {"max_bytes": 300_000}])  # fmt: skip
def test_depthwise_takes_what_conv_takes(options):
    rng = np.random.default_rng(6)
    x, w = rng.standard_normal((2, 3, 20)), rng.uniform(1, 2, (3, 4))
    if options.get("nan"):
        x[0, 1, 5] = np.nan
    np.testing.assert_array_equal(depthwise_conv(x, w, **options), conv(x, w[:, None], groups=3, **options))


@pytest.mark.parametrize("bias", [None, np.ones(0)])
def test_no_channels_give_no_channels(bias):
    x = np.ones((2, 0, 9))
    assert depthwise_conv(x, np.ones((0, 3)), bias, padding=1).shape == (2, 0, 9)
    assert time_varying_conv(x, np.ones((2, 0, 3, 7))).shape == (2, 0, 7)
    assert time_varying_conv(np.ones((0, 2, 9)), np.ones((1, 2, 3, 7))).shape == (0, 2, 7)

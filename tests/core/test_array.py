"""The door: one library, one device, dense numbers; what comes through DLPack; what dtype comes out."""

import warnings

import numpy as np
import pytest
import torch
from foreign import Foreign

from conv1d_kit import conv, conv_transpose, conv_vjp, depthwise_conv, plan_conv, time_varying_conv
from conv1d_kit.core.array import common_dtype
from conv1d_kit.core.kernels import METHODS
from conv1d_kit.errors import InputTypeError


def meta(*shape, dtype=torch.float32):
    return torch.ones(*shape, dtype=dtype, device="meta")


def test_two_devices_do_not_mix():
    x, w, b = torch.ones(1, 1, 9), torch.ones(1, 1, 3), torch.ones(1)
    for arguments in ((x, meta(1, 1, 3)), (meta(1, 1, 9), w), (x, w, meta(1))):
        for run in (conv, conv_transpose):
            with pytest.raises(InputTypeError, match="must be on one device, got x: "):
                run(*arguments)
    with pytest.raises(InputTypeError, match="gy: meta, x: cpu"):
        conv_vjp(meta(1, 1, 7), x, w, b)


@pytest.mark.parametrize("method", ["auto", *METHODS])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.complex64, torch.int32, torch.bool])
@pytest.mark.parametrize(
    "options",
    [{}, {"padding": "same", "padding_mode": "reflect"}, {"nan": "omit"}, {"nan": "raise"},
     {"precision": "componentwise"}, {"max_bytes": 10**6}, {"stride": 3, "dilation": 2, "flip": True}],
    ids=str,
)  # fmt: skip
def test_without_data_the_shape_is_found_all_the_same(method, dtype, options):
    y = conv(
        meta(2, 1, 900, dtype=dtype),
        meta(3, 1, 300, dtype=dtype),
        meta(3, dtype=dtype),
        method=method,
        **options,
    )
    expected = conv(torch.ones(2, 1, 900, dtype=dtype), torch.ones(3, 1, 300, dtype=dtype), **options)
    assert (y.device.type, y.dtype, y.shape) == ("meta", dtype, expected.shape)


def test_relatives_without_data():
    assert conv_transpose(meta(1, 1, 9), meta(1, 1, 3), stride=2).shape == (1, 1, 19)
    assert depthwise_conv(meta(1, 2, 9), meta(2, 3)).shape == (1, 2, 7)
    assert time_varying_conv(meta(1, 1, 9), meta(1, 1, 3, 7)).shape == (1, 1, 7)
    assert conv_vjp(meta(1, 1, 7), meta(1, 1, 9), meta(1, 1, 3))[0].shape == (1, 1, 9)


def odd_tensors():
    x = torch.ones(1, 1, 9)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch's: these layouts are in beta
        return {
            "sparse": x.to_sparse(),
            "sparse rows": torch.ones(3, 3).to_sparse_csr(),
            "mkldnn": x.to_mkldnn(),
            "nested": torch.nested.nested_tensor([torch.zeros(3), torch.zeros(2)]),
            "jagged": torch.nested.nested_tensor([torch.zeros(3), torch.zeros(2)], layout=torch.jagged),
            "quantised": torch.quantize_per_tensor(x, 1.0, 0, torch.qint8),
            "float8": x.to(torch.float8_e4m3fn),
            "complex32": torch.zeros(1, 1, 9, dtype=torch.complex32),
        }


@pytest.mark.filterwarnings("ignore:ComplexHalf support is experimental")  # torch's, as it is made
@pytest.mark.parametrize(
    "kind", ["sparse", "sparse rows", "mkldnn", "nested", "jagged", "quantised", "float8", "complex32"]
)
def test_only_dense_plain_numbers_pass(kind):
    odd, x, w = odd_tensors()[kind], torch.ones(1, 1, 9), torch.ones(1, 1, 3)
    for run in (conv, conv_transpose):
        for arguments in ((odd, w), (x, odd), (odd, odd)):
            with pytest.raises(InputTypeError, match=r"must be (a dense tensor|bool, integer)") as caught:
                run(*arguments)
            assert "\n" not in str(caught.value)
    with pytest.raises(InputTypeError):
        plan_conv((1, 1, 9), odd)


def test_none_is_no_array_but_for_the_bias():
    x, w = np.ones((1, 1, 9)), np.ones((1, 1, 3))
    for run in (conv, conv_transpose, depthwise_conv, time_varying_conv):
        with pytest.raises(InputTypeError, match=r"x must be a NumPy array.*got NoneType"):
            run(None, w[0] if run is depthwise_conv else w)
        with pytest.raises(InputTypeError, match=r"w must be a NumPy array.*got NoneType"):
            run(x, None)
    with pytest.raises(InputTypeError, match="gy must be"):
        conv_vjp(None, x, w)
    np.testing.assert_array_equal(conv(x, w, None), np.full((1, 1, 7), 3.0))


def test_dlpack_with_negative_strides_and_by_every_relative():
    x, w = np.arange(9.0).reshape(1, 1, 9), np.array([[[1.0, 2.0, 4.0]]])
    expected = conv(x[..., ::-1], w)
    np.testing.assert_array_equal(conv(Foreign(x[..., ::-1]), Foreign(w)).t, expected)
    np.testing.assert_array_equal(depthwise_conv(Foreign(x[..., ::-1]), Foreign(w[0])).t, expected)
    y = depthwise_conv(Foreign(x[..., ::-1]), Foreign(w[0]), lengths=Foreign(np.array([4])))
    np.testing.assert_array_equal(y.t[..., :2], expected[..., :2])
    half = torch.ones(1, 1, 9, dtype=torch.bfloat16)  # which NumPy has not
    assert conv(Foreign(half), Foreign(half[..., :3])).t.dtype == torch.bfloat16


def test_dtypes_promote_as_torchs_and_as_numpys_where_torch_says_nothing():
    names = ["bool", "uint8", "int8", "int64", "uint16", "uint32", "uint64", "float16", "bfloat16", "float32",
             "float64", "complex64"]  # fmt: skip
    for a in names:
        for b in names:
            one, two = (torch.zeros(1, dtype=getattr(torch, name)) for name in (a, b))
            try:
                expected = torch.promote_types(one.dtype, two.dtype)
            except RuntimeError:
                expected = getattr(torch, str(np.result_type(np.dtype(a), np.dtype(b))))
            assert common_dtype(one, two) == expected, (a, b)


def test_an_integer_beside_a_half_is_summed_in_halves():
    y = conv(torch.ones(1, 1, 9, dtype=torch.bfloat16), torch.ones(1, 1, 3, dtype=torch.uint64))
    assert y.dtype == torch.bfloat16
    assert y.flatten().tolist() == [3.0] * 7

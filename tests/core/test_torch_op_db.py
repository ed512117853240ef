"""Every sample and every error of torch's own operator data base, ours in torch's place."""

import warnings

import pytest
import torch

from conv1d_kit import conv, conv_transpose
from conv1d_kit.errors import ConvKitError

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    op_db = pytest.importorskip("torch.testing._internal.common_methods_invocations").op_db

WANTED = {
    f"nn.functional.conv{n}d": (conv, n) for n in (1, 2, 3)
} | {f"nn.functional.conv_transpose{n}d": (conv_transpose, n) for n in (1, 2, 3)}  # fmt: skip
OPS = [op for op in op_db if op.name in WANTED]
CASES = [(op, dtype) for op in OPS for dtype in sorted(op.dtypes, key=str)]
NAMES = {
    "conv": ("stride", "padding", "dilation", "groups"),
    "conv_transpose": ("stride", "padding", "output_padding", "groups", "dilation"),
}


def arguments(ours, sample):
    """A sample's positional and keyword arguments as ours takes them."""
    w, *rest = sample.args
    bias = rest.pop(0) if rest else sample.kwargs.get("bias")
    named = dict(zip(NAMES[ours.__name__], rest, strict=False))
    named |= {k: v for k, v in sample.kwargs.items() if k not in ("bias", "weight")}
    return (sample.input, w, bias), named


def test_all_six_operators_are_in_the_data_base():
    assert {op.name for op in OPS} == set(WANTED)


@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel")  # torch's own
@pytest.mark.parametrize(
    ("op", "dtype"), CASES, ids=lambda v: str(getattr(v, "name", v)).replace("nn.functional.", "")
)
def test_every_sample_gives_torchs_result(op, dtype):
    ours, _ = WANTED[op.name]
    count = 0
    for sample in op.sample_inputs("cpu", dtype, requires_grad=False):
        expected = op(sample.input, *sample.args, **sample.kwargs)
        tensors, named = arguments(ours, sample)
        got = ours(*tensors, **named)
        tolerance = {torch.float16: 2e-2, torch.bfloat16: 2e-1}.get(dtype, 1e-4)
        torch.testing.assert_close(got, expected, rtol=tolerance, atol=tolerance)
        count += 1
    assert count >= 5


@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel")
@pytest.mark.parametrize("method", ["overlap_add", "fft"])
@pytest.mark.parametrize("op", [op for op in OPS if WANTED[op.name][0] is conv], ids=lambda op: op.name)
def test_every_sample_by_the_other_methods(op, method):
    for sample in op.sample_inputs("cpu", torch.float64, requires_grad=False):
        tensors, named = arguments(conv, sample)
        torch.testing.assert_close(
            conv(*tensors, method=method, **named), op(sample.input, *sample.args, **sample.kwargs)
        )


@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel")
@pytest.mark.parametrize("method", ["direct", "overlap_add", "fft"])
@pytest.mark.parametrize("op", OPS, ids=lambda op: op.name)
def test_every_sample_gives_torchs_gradients(op, method):
    ours, _ = WANTED[op.name]
    if ours is conv_transpose and method != "direct":
        pytest.skip("conv_transpose has no methods to choose from")
    for sample in op.sample_inputs("cpu", torch.float64, requires_grad=True):
        tensors, named = arguments(ours, sample)
        leaves = [t for t in tensors if t is not None and t.requires_grad]
        expected = op(sample.input, *sample.args, **sample.kwargs)
        gy = torch.linspace(-1, 1, expected.numel(), dtype=torch.float64).reshape(expected.shape)
        options = named if ours is conv_transpose else named | {"method": method}
        got = torch.autograd.grad(ours(*tensors, **options), leaves, gy)
        torch.testing.assert_close(got, torch.autograd.grad(expected, leaves, gy))


@pytest.mark.parametrize("op", OPS, ids=lambda op: op.name)
def test_every_error_is_refused(op):
    ours, _ = WANTED[op.name]
    if op.error_inputs_func is None:
        pytest.skip(f"torch lists no error inputs for {op.name}")
    for error in op.error_inputs("cpu"):
        tensors, named = arguments(ours, error.sample_input)
        if named.get("padding") == "same" and named.get("stride") == 2:
            assert ours(*tensors, **named).shape[2:] == tuple(-(-n // 2) for n in tensors[0].shape[2:])
            continue  # torch's gap, not an error: 'same' is defined for any stride
        with pytest.raises(ConvKitError) as caught:
            ours(*tensors, **named)
        assert "\n" not in str(caught.value)

"""What a text net costs and how far it hears, measured on it: weights, multiply-adds, receptive field."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch

from ..errors import InputError
from ..layers import Conv1d
from .cnn import TextCNN
from .deep_net import DeepNet
from .fasttext_net import AveragingNet
from .net import TextNet
from .net_options import NetOptions
from .nets import TEXT_NETS

__all__ = ["TextNetDescription", "describe", "describe_nets", "multiply_adds", "receptive_field"]

_LONGEST = 1 << 15  # tokens on which an end of the receptive field is sought


@dataclass(frozen=True)
class TextNetDescription:
    """One row of `text nets`.

    Attributes
    ----------
    name : str
    weights : int
        Trained numbers, the embeddings apart.
    multiply_adds : int
        Of one sentence; embeddings are looked up, not multiplied.
    receptive_field : int, tokens
        That one place before the pooling depends on.
    options : NetOptions
    source : str
    """

    name: str
    weights: int
    multiply_adds: int
    receptive_field: int
    options: NetOptions
    source: str


def describe_nets(
    options: NetOptions | None = None, *, n_classes: int = 2, n_tokens: int = 20
) -> list[TextNetDescription]:
    """Each row of TEXT_NETS at the options given, or each at its paper's sizes where it has any.

    Raises
    ------
    InputError
        If a value cannot be used.

    Examples
    --------
    >>> rows = {row.name: row for row in describe_nets(NetOptions(dim=10, filters=8))}
    >>> rows["cnn"].weights, rows["cnn"].multiply_adds, rows["dilated"].receptive_field
    (1034, 22288, 63)
    """
    for name, value, low in (("n_classes", n_classes, 2), ("n_tokens", n_tokens, 1)):
        if isinstance(value, bool) or not isinstance(value, int) or value < low:
            raise InputError(f"{name} must be an int >= {low}, got {value!r}")
    with torch.random.fork_rng(devices=[]):
        return [
            describe(
                row(2, n_classes, options or row.published or NetOptions()).eval(), n_tokens=n_tokens, name=name
            )
            for name, row in TEXT_NETS.items()
        ]


def describe(net: TextNet, *, n_tokens: int = 20, name: str = "") -> TextNetDescription:
    """Measure one net."""
    apart = {id(p) for p in net.embedding.parameters()}
    return TextNetDescription(
        name or type(net).__name__,
        sum(p.numel() for p in net.parameters() if id(p) not in apart),
        multiply_adds(net, n_tokens),
        receptive_field(net),
        net.options,
        net.source,
    )


def multiply_adds(net: TextNet, n_tokens: int) -> int:
    """Multiply-adds of a text's convolutions and linear layers; biases, norms and activations are left out.

    The n-gram CNN's are those of sliding over the text alone: in a batch, where words repeat, it takes fewer.

    Examples
    --------
    >>> multiply_adds(TextCNN(9, 2, NetOptions(dim=10, filters=8, widths=(3,))), 20)  # 22 windows of 3 · 10
    5296
    """
    if isinstance(net, TextCNN):
        windows = (layer.weight.numel() * (n_tokens + layer.weight.shape[-1] - 1) for layer in net.layers)
        return sum(windows) + net.out.weight.numel()
    total = 0

    def count(layer: torch.nn.Module, inputs: tuple[torch.Tensor, ...], output: torch.Tensor) -> None:
        nonlocal total
        total += output.numel() * layer.weight[0].numel()  # type: ignore[index]

    counted = [layer for layer in net.modules() if isinstance(layer, Conv1d | torch.nn.Linear)]
    hooks = [layer.register_forward_hook(count) for layer in counted]
    mode = net.training
    try:
        with torch.no_grad():
            net.eval()(torch.zeros(1, n_tokens, dtype=torch.int64))
    finally:
        net.train(mode)
        for hook in hooks:
            hook.remove()
    return total


def receptive_field(net: TextNet) -> int:
    """Tokens from the first to the last that one place before the pooling depends on.

    Found by where a NaN among the embeddings reaches that place, on a copy of one channel.
    """
    if isinstance(net, TextCNN):
        return max(net.widths)
    if isinstance(net, AveragingNet):
        return 2  # a pair
    assert isinstance(net, DeepNet)
    with torch.random.fork_rng(devices=[]):
        thin = type(net)(2, 2, replace(net.options, dim=1, filters=1)).eval()
    n = 256
    while n <= _LONGEST:
        span = _span(thin, n)
        if span is not None:
            return span
        n *= 4
    raise InputError(f"a place of the maps must hear less than {_LONGEST} tokens; no end in sight")


@torch.no_grad()
def _span(net: DeepNet, n: int) -> int | None:
    """Tokens that the middle place hears in a text of n tokens; None if it hears an end."""
    middle = net.maps(torch.zeros(1, 1, n))[0].shape[-1] // 2

    def hears(start: int, stop: int) -> bool:
        x = torch.zeros(1, 1, n)
        x[..., start:stop] = torch.nan
        return bool(net.maps(x)[0][..., middle].isnan().any())

    if hears(0, 1) or hears(n - 1, n):
        return None
    first = _smallest(n, lambda k: hears(0, k + 1))
    last = _smallest(n, lambda k: not hears(k + 1, n))
    return last - first + 1


def _smallest(n: int, holds) -> int:
    """The smallest k < n for which `holds`, which stays true from there on; n − 1 where none is."""
    low, high = 0, n - 1
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if holds(middle) else (middle + 1, high)
    return low

"""What stands beyond the border: named paddings (how much) and padding modes (what is invented there)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from numbers import Integral, Number

import torch

from ..errors import InputError

__all__ = ["NAMED_PADDINGS", "PADDINGS", "check_mode", "pad", "resolve_padding"]

Pads = tuple[tuple[int, int], ...]  # (low, high) a spatial axis


def resolve_padding(padding, sizes: Sequence[int], spans: Sequence[int], strides: Sequence[int]) -> Pads:
    """The (low, high) pad of each spatial axis.

    Parameters
    ----------
    padding : int, one int an axis, one (low, high) pair an axis, or a name of NAMED_PADDINGS
        valid       nothing
        same        L_out = ceil(L / stride); the odd element goes to the high side (torch, ONNX SAME_UPPER)
        same_lower  the same with the odd element on the low side (scipy, numpy, ONNX SAME_LOWER)
        full        every position where kernel and signal meet
        causal      all on the low side: output t sees inputs up to t·stride
        anticausal  all on the high side: output t sees inputs from t·stride on
    sizes, spans, strides : ints, one an axis
        Signal length, kernel length with its dilation ((K − 1)·dilation + 1), stride.

    Examples
    --------
    >>> resolve_padding("same", [10], [4], [1]), resolve_padding("same_lower", [10], [4], [1])
    (((1, 2),), ((2, 1),))
    """
    n = len(sizes)
    if isinstance(padding, str):
        if padding not in NAMED_PADDINGS:
            raise InputError(f"padding must be ints or one of {', '.join(NAMED_PADDINGS)}, got {padding!r}")
        rule = NAMED_PADDINGS[padding]
        return tuple(rule(*axis) for axis in zip(sizes, spans, strides, strict=True))
    if _is_int(padding):
        padding = (padding,) * n
    try:
        entries = tuple(padding)
    except TypeError:
        entries = ()
    if len(entries) == 1 and _is_int(entries[0]):
        entries = entries * n
    pads = tuple((e, e) if _is_int(e) else tuple(e) if isinstance(e, tuple | list) else () for e in entries)
    if len(pads) != n or any(len(p) != 2 or not all(_is_int(v) and v >= 0 for v in p) for p in pads):
        raise InputError(
            f"padding must be an int >= 0, {n} ints, {n} (low, high) pairs, or one of "
            f"{', '.join(NAMED_PADDINGS)}, got {padding!r}"
        )
    return tuple((int(low), int(high)) for low, high in pads)


def check_mode(mode) -> str | complex | float:
    """A key of PADDINGS, "zeros", or the number to fill with; anything else raises InputError."""
    if mode in ("zeros", *PADDINGS) or (isinstance(mode, Number) and not isinstance(mode, bool)):
        return mode
    raise InputError(f"padding_mode must be zeros, {', '.join(PADDINGS)} or a number, got {mode!r}")


def pad(x: torch.Tensor, pads: Pads, mode: str | complex | float = "zeros") -> torch.Tensor:
    """Pad the last len(pads) axes; any pad length, more than one wrap included.

        zeros      0 0 0 | 1 2 3 4 | 0 0 0
        5.0        5 5 5 | 1 2 3 4 | 5 5 5
        reflect    4 3 2 | 1 2 3 4 | 3 2 1
        symmetric  3 2 1 | 1 2 3 4 | 4 3 2
        replicate  1 1 1 | 1 2 3 4 | 4 4 4
        circular   2 3 4 | 1 2 3 4 | 1 2 3

    Raises
    ------
    InputError
        If an axis of length 0 is to be extended by its own values.

    Examples
    --------
    >>> pad(torch.arange(1, 4), ((5, 4),), "reflect").tolist()
    [2, 1, 2, 3, 2, 1, 2, 3, 2, 1, 2, 3]
    """
    if not any(low or high for low, high in pads):
        return x
    if mode not in PADDINGS:
        value = 0 if mode == "zeros" else mode
        flat = [side for low_high in reversed(pads) for side in low_high]
        return torch.nn.functional.pad(x, flat, value=value)  # type: ignore[arg-type]
    for axis, (low, high) in enumerate(pads, start=x.ndim - len(pads)):
        size = x.shape[axis]
        if low + high == 0:
            continue
        if size == 0:
            raise InputError(f"padding_mode {mode!r} has nothing to copy from an axis of length 0; use zeros")
        rule, n = PADDINGS[str(mode)], torch.tensor(size, device=x.device)
        before = rule(torch.arange(-low, 0, device=x.device), n)
        after = rule(torch.arange(size, size + high, device=x.device), n)
        x = torch.cat([x.index_select(axis, before), x, x.index_select(axis, after)], axis)
    return x


def _is_int(value) -> bool:
    return isinstance(value, Integral | torch.SymInt) and not isinstance(value, bool)


def _same(size: int, span: int, stride: int) -> tuple[int, int]:
    total = max(0, (-(-size // stride) - 1) * stride + span - size)
    return total // 2, total - total // 2


def _reflect(position: torch.Tensor, size: torch.Tensor) -> torch.Tensor:
    period = (2 * size - 2).clamp(min=1)
    inside = position % period
    return torch.minimum(inside, (2 * size - 2) - inside)


def _symmetric(position: torch.Tensor, size: torch.Tensor) -> torch.Tensor:
    inside = position % (2 * size)
    return torch.minimum(inside, 2 * size - 1 - inside)


Rule = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]

# name → which element of the signal stands at a position outside of it
PADDINGS: dict[str, Rule] = {
    "reflect": _reflect,
    "symmetric": _symmetric,
    "replicate": lambda position, size: torch.minimum(position.clamp(min=0), size - 1),
    "circular": lambda position, size: position % size,
}

# name → (low, high) from size, span, stride
NAMED_PADDINGS: dict[str, Callable[[int, int, int], tuple[int, int]]] = {
    "valid": lambda size, span, stride: (0, 0),
    "same": _same,
    "same_lower": lambda size, span, stride: _same(size, span, stride)[::-1],
    "full": lambda size, span, stride: (span - 1, span - 1),
    "causal": lambda size, span, stride: (span - 1, 0),
    "anticausal": lambda size, span, stride: (0, span - 1),
}

"""torch.autocast at the doors: tensors are summed in its dtype as by torch's layers, all else as it came."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

import torch

__all__ = ["full_precision", "in_autocast_dtype", "is_autocast_on"]

DEVICES = ("cpu", "cuda", "xpu", "mps")


def is_autocast_on() -> bool:
    """Whether torch.autocast surrounds this call, for any device."""
    return torch._C._is_any_autocast_enabled() and any(torch.is_autocast_enabled(name) for name in DEVICES)


def in_autocast_dtype(function: Callable[..., Any], x: Any, w: Any, bias: Any, **options: Any) -> Any:
    """function(x, w, bias, ...) in the dtype that autocast asks for; NumPy's, float64 and others in theirs.

    Examples
    --------
    >>> with torch.autocast("cpu", dtype=torch.bfloat16):
    ...     in_autocast_dtype(lambda x, w, bias: x * w, torch.ones(1), torch.ones(1), None)
    tensor([1.], dtype=torch.bfloat16)
    """
    arrays = [x, w] if bias is None else [x, w, bias]
    if all(isinstance(a, torch.Tensor) and a.is_floating_point() and a.dtype != torch.float64 for a in arrays):
        device = x.device.type
        if device in DEVICES and torch.is_autocast_enabled(device):
            x, w, *rest = (a.to(torch.get_autocast_dtype(device)) for a in arrays)
            bias = rest[0] if rest else None
    return _outside(function, x, w, bias, **options)


def full_precision(function: Callable[..., Any]) -> Callable[..., Any]:
    """`function` as if no torch.autocast surrounded it."""

    @wraps(function)
    def run(*args: Any, **kwargs: Any) -> Any:
        return _outside(function, *args, **kwargs) if is_autocast_on() else function(*args, **kwargs)

    return run


def _outside(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    for device in DEVICES:
        if torch.is_autocast_enabled(device):
            with torch.autocast(device, enabled=False):
                return _outside(function, *args, **kwargs)
    return function(*args, **kwargs)

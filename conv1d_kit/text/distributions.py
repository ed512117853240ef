"""Draws for a random search: uniform, log-uniform, whole numbers, a choice; more samples keep the first."""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable
from typing import Any

import numpy as np

from ..errors import InputError, one_line

__all__ = ["DISTRIBUTIONS", "draw"]


def draw(option: str, said: Any, samples: int, seed: int, where: str = "[random]") -> list[Any]:
    """Values of one option.

    Each option has a stream of its own from `seed` and its name: more samples, or another option beside it,
    leave the draws as they were, so that a search can be made longer.

    Parameters
    ----------
    option : str
    said : dict of one entry
        A key of DISTRIBUTIONS and its bounds, both included; numbers get four significant digits.
    samples : int >= 1
    seed : int >= 0
    where : str
        What messages begin with.

    Raises
    ------
    InputError
        If it is no distribution, or its bounds cannot be used.

    Examples
    --------
    >>> draw("filters", {"int": [10, 99]}, 3, 0)
    [48, 75, 98]
    >>> draw("filters", {"int": [10, 99]}, 4, 0)[:3]
    [48, 75, 98]
    """
    if not isinstance(said, dict) or len(said) != 1 or not set(said) <= set(DISTRIBUTIONS):
        kinds = ", ".join(f"{{ {kind} = […] }}" for kind in DISTRIBUTIONS)
        raise InputError(f"{where} {option} must be one of {kinds}, got {one_line(said)}")
    ((kind, values),) = said.items()
    return DISTRIBUTIONS[kind](
        np.random.default_rng([seed, zlib.crc32(option.encode())]), values, samples, f"{where} {option}"
    )


def _uniform(rng: np.random.Generator, said: Any, n: int, where: str) -> list[float]:
    low, high = _bounds(said, where, "uniform")
    return [min(high, max(low, float(f"{v:.4g}"))) for v in rng.uniform(low, high, n)]


def _loguniform(rng: np.random.Generator, said: Any, n: int, where: str) -> list[float]:
    low, high = _bounds(said, where, "loguniform")
    if low <= 0:
        raise InputError(f"{where} loguniform must lie above 0, got {one_line(said)}")
    drawn = np.exp(rng.uniform(math.log(low), math.log(high), n))
    return [min(high, max(low, float(f"{v:.4g}"))) for v in drawn]


def _ints(rng: np.random.Generator, said: Any, n: int, where: str) -> list[int]:
    low, high = _bounds(said, where, "int")
    if not float(low).is_integer() or not float(high).is_integer():
        raise InputError(f"{where} int must be two ints, got {one_line(said)}")
    return rng.integers(int(low), int(high), n, endpoint=True).tolist()


def _choice(rng: np.random.Generator, said: Any, n: int, where: str) -> list[Any]:
    if not isinstance(said, list) or not said:
        raise InputError(f"{where} choice must be a list of values, got {one_line(said)}")
    return [said[i] for i in rng.integers(0, len(said), n)]


def _bounds(said: Any, where: str, kind: str) -> tuple[float, float]:
    numbers = isinstance(said, list) and len(said) == 2 and all(type(v) in (int, float) for v in said)
    if not numbers or not -math.inf < said[0] < said[1] < math.inf:
        raise InputError(f"{where} {kind} must be [low, high] with low < high, got {one_line(said)}")
    return said[0], said[1]


Draw = Callable[[np.random.Generator, Any, int, str], list[Any]]
DISTRIBUTIONS: dict[str, Draw] = {
    "uniform": _uniform, "loguniform": _loguniform, "int": _ints, "choice": _choice,
}  # fmt: skip

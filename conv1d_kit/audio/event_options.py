"""What to look for in a recording, and how closely: windows, thresholds, classes; checked first."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from ..errors import InputError, InputTypeError, is_number, one_line
from .hysteresis import Rule
from .windows import WindowGrid, exact_seconds

__all__ = ["MODES", "EventOptions"]

WINDOW_S = 3.0  # where neither the caller nor the model says


@dataclass(frozen=True)
class EventOptions:
    """What to look for, and how closely.

    Parameters
    ----------
    window_s : float, optional
        What the model hears at once. Default: `window_s_` of the model where it has one, else 3 s.
    hop_s : float, optional
        From one window to the next, at most a window; default half a window.
    on : float in (0, 1]
        A window that scores this much begins an event.
    off : float in (0, on], optional
        The event goes on while windows score this much; default 0.6 · on.
    gap_s : float >= 0
        Events of a class at most this far apart are one.
    min_duration_s : float >= 0
        Shorter events are left out.
    min_score : float in [0, 1]
        Events whose best window scores less are left out.
    mode : "best" or "each"
        best: a window belongs to its most probable class, or to none. each: every class by itself, so that
        events of different classes may overlap.
    classes : sequence of str, optional
        Look for these only; the others still take part in `best`.
    silence_db : float, dBFS, optional
        A window that stays this quiet, about its own mean level, belongs to no class. None hears all.

    Raises
    ------
    InputError, InputTypeError
        If one of them cannot be used.

    Examples
    --------
    >>> EventOptions(on=0.8).rule().off
    0.48
    >>> EventOptions(on=0.4, off=0.5)
    Traceback (most recent call last):
        ...
    conv1d_kit.errors.InputError: off must be > 0 and at most on = 0.4, got 0.5
    """

    window_s: float | None = None
    hop_s: float | None = None
    on: float = 0.5
    off: float | None = None
    gap_s: float = 0.0
    min_duration_s: float = 0.0
    min_score: float = 0.0
    mode: str = "best"
    classes: Sequence[str] | None = None
    silence_db: float | None = -80.0

    def __post_init__(self):
        for name in ("window_s", "hop_s", "on", "off", "gap_s", "min_duration_s", "min_score", "silence_db"):
            value = getattr(self, name)
            if value is None and name in ("window_s", "hop_s", "off", "silence_db"):
                continue
            if not is_number(value):
                raise InputTypeError(f"{name} must be a number, got {one_line(value)}")
            if not math.isfinite(value):
                raise InputError(f"{name} must be finite, got {value}")
        for name, allowed, fits in (
            ("window_s", "> 0 (s)", lambda v: v is None or v > 0),
            ("hop_s", "> 0 (s)", lambda v: v is None or v > 0),
            ("on", "> 0 and at most 1", lambda v: 0 < v <= 1),
            ("off", f"> 0 and at most on = {self.on:g}", lambda v: v is None or 0 < v <= self.on),
            ("gap_s", ">= 0 (s)", lambda v: v >= 0),
            ("min_duration_s", ">= 0 (s)", lambda v: v >= 0),
            ("min_score", "from 0 to 1", lambda v: 0 <= v <= 1),
            ("mode", f"one of {', '.join(MODES)}", lambda v: isinstance(v, str) and v in MODES),
            ("silence_db", "< 0 (dBFS)", lambda v: v is None or v < 0),
        ):
            if not fits(getattr(self, name)):
                raise InputError(f"{name} must be {allowed}, got {one_line(getattr(self, name))}")
        if isinstance(self.classes, str):
            raise InputTypeError(f"classes must be a sequence of names, got {self.classes!r}; try a list")

    def grid(self, model) -> WindowGrid:
        """Windows at the model's rate."""
        window_s = self.window_s if self.window_s is not None else getattr(model, "window_s_", None) or WINDOW_S
        window = round(exact_seconds(window_s) * model.sample_rate_)
        hop = -(-window // 2) if self.hop_s is None else round(exact_seconds(self.hop_s) * model.sample_rate_)
        return WindowGrid(model.sample_rate_, window, hop)

    def rule(self) -> Rule:
        """What makes an event of scores."""
        off = round(0.6 * self.on, 6) if self.off is None else self.off
        gap, least = exact_seconds(self.gap_s), exact_seconds(self.min_duration_s)
        return Rule(float(self.on), float(off), gap, least, float(self.min_score))


def _best_only(p: np.ndarray) -> np.ndarray:
    """The greatest of each row; the first of equals; elsewhere 0."""
    return np.where(np.arange(p.shape[1]) == p.argmax(1)[:, None], p, 0.0)


# mode → probabilities (B, n_classes) to those that count
MODES: dict[str, Callable[[np.ndarray], np.ndarray]] = {"best": _best_only, "each": lambda p: p}

"""deconvolve: a convolution undone, exactly by long division or stably in the presence of noise."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from ..errors import InputError
from .array import common_dtype, enter
from .plain import array_likes
from .signal import convolve
from .spectrum import fast_length

__all__ = ["DECONVOLUTIONS", "deconvolve"]

BLOCK = 128  # quotient samples solved for at once

MODES = ("full", "causal", "circular")


def deconvolve(
    signal: Any,
    divisor: Any,
    *,
    method: str = "exact",
    regularization: float | None = None,
    noise_to_signal: Any = None,
    mode: str = "full",
) -> tuple[Any, Any]:
    """Find x where signal = divisor ∗ x + remainder.

    exact       the quotient of two polynomials by long division, as scipy.signal.deconvolve; noise grows
                without bound where the divisor has zeros outside the unit circle
    tikhonov    X = conj(H)·S / (|H|² + regularization): of all x the one with the least
                |divisor ∗ x − signal|² + regularization·|x|²
    wiener      X = conj(H)·S / (|H|² + noise_to_signal(f)): the least expected error when noise and x are
                stationary and the ratio of their power spectra is known

    S and H are the FFTs of signal and divisor at one length L >= N. "tikhonov" and "wiener" solve the problem
    that is periodic in L; for "full" and "causal" zeros follow the signal, so that its ends do not meet.

    Parameters
    ----------
    signal : array_like or Tensor [shape=(N,); (..., N) for "tikhonov" and "wiener"]
    divisor : array_like or Tensor [shape=(K,)]
        The impulse response.
    method : "exact", "tikhonov" or "wiener"
    regularization : float > 0
        Of "tikhonov", in units of the divisor's power response |H|².
    noise_to_signal : float > 0, or array of numbers >= 0 [shape=(P,)]
        Of "wiener": power of the noise over power of x; an array holds it at P equally spaced frequencies from
        0 to half the sample rate, linear between.
    mode : "full", "causal" or "circular"
        What the signal is, for "tikhonov" and "wiener": all of convolve(x, divisor), so x has N − K + 1
        samples; its first N samples (a recording that ends before the echo does: what would follow counts as
        silence, so that the last K samples of x are the least sure); or one period of a periodic one.

    Returns
    -------
    quotient, remainder : ndarray, or Tensor if Tensors came
        For "exact" in float64 or complex128 as scipy's, and quotient is empty where the divisor is the longer
        one; for the others in the signal's precision.

    Raises
    ------
    InputError
        Empty or ill-shaped input, a divisor that starts with 0 ("exact") or is all 0, a parameter missing,
        negative or of another method.
    InputTypeError
        Objects, long doubles, masked arrays, or NumPy mixed with torch.

    Source: A. N. Tikhonov, V. Arsenin, Solutions of Ill-posed Problems (1977), ch. 2; R. C. Gonzalez,
    R. E. Woods, Digital Image Processing, 3rd ed., eqs. 5.8-2 (Wiener) and 5.9-4 (constrained least squares).

    Examples
    --------
    >>> deconvolve([0, 2, 1, 0, 2, 3, 1, 0, 0], [2, 1])[0]
    array([0., 1., 0., 0., 1., 1., 0., 0.])
    >>> x, _ = deconvolve([0, 2, 1, 0, 2, 3, 1, 0, 0], [2, 1], method="tikhonov", regularization=1e-9)
    >>> x.round(3) + 0
    array([0., 1., 0., 0., 1., 1., 0., 0.])
    """
    if not isinstance(method, str) or method not in DECONVOLUTIONS:
        raise InputError(f"method must be {', '.join(DECONVOLUTIONS)}, got {method!r}")
    if not isinstance(mode, str) or mode not in MODES or (method == "exact" and mode != "full"):
        allowed = "full" if method == "exact" else ", ".join(MODES)
        raise InputError(f"mode must be {allowed} for method {method!r}, got {mode!r}")
    for name, value, owner in (
        ("regularization", regularization, "tikhonov"),
        ("noise_to_signal", noise_to_signal, "wiener"),
    ):
        if value is not None and method != owner:
            raise InputError(f"{name} belongs to method {owner!r}, got method {method!r}")
        if value is None and method == owner:
            raise InputError(f"method {owner!r} needs {name}; try {name}=0.01")
    s, h, leave = _enter(signal, divisor)
    if s.ndim == 0 or s.numel() == 0 or (method == "exact" and s.ndim != 1):
        wanted = "1d" if method == "exact" else "(..., N)"
        raise InputError(f"Parameter signal must be non-empty {wanted} array, got shape {tuple(s.shape)}")
    if h.ndim != 1 or h.numel() == 0:
        raise InputError(f"Parameter divisor must be non-empty 1d array, got shape {tuple(h.shape)}")
    if method == "exact":
        quotient, remainder = _divide(s, h)
        return leave(quotient), leave(remainder)
    power = regularization if method == "tikhonov" else noise_to_signal
    n, k = s.shape[-1], h.shape[0]
    if mode != "causal" and n < k:
        raise InputError(
            f"signal must be at least as long as divisor in mode {mode!r}, got {n} and {k} samples"
        )
    if not bool((h.detach() != 0).any()):
        raise InputError("divisor must have an element other than 0, got zeros only")
    dtype = common_dtype(s, h)
    if not (dtype.is_floating_point or dtype.is_complex):
        dtype = torch.float64
    elif dtype in (torch.float16, torch.bfloat16):
        dtype = torch.float32
    x, r = _regularized(s.to(dtype), h.to(dtype), DECONVOLUTIONS[method], power, mode)
    return leave(x), leave(r)


def _divide(s: torch.Tensor, h: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Long division, BLOCK quotient samples at a time: what earlier ones add is subtracted, then a triangular
    system solved; the sums are those of the recursion q[n] = (s[n] − sum_k h[k]·q[n − k]) / h[0]."""
    n, k = s.shape[0], h.shape[0]
    dtype = torch.complex128 if s.is_complex() or h.is_complex() else torch.float64
    if k > n:
        return s.new_zeros(0, dtype=dtype), s
    if not bool(h.detach()[0] != 0):
        other = h.detach().nonzero().flatten()
        cure = f"divisor[{int(other[0])}:] starts with {h[other[0]].item()}" if len(other) else "it is all 0"
        raise InputError(f"divisor must not start with 0, got {h.detach()[0].item()}; {cure}")
    s, h = s.to(dtype), h.to(dtype)
    n_quotient = n - k + 1
    block = min(BLOCK, n_quotient)
    row = torch.arange(block, device=h.device)[:, None]
    within = _at(h, row - row.T)  # (block, block), lower triangular: h[i − j]
    behind = _at(h, row + torch.arange(k - 1, 0, -1, device=h.device))  # (block, k − 1), what the past adds
    past = s.new_zeros(k - 1)
    found = []
    for first in range(0, n_quotient, block):
        size = min(block, n_quotient - first)
        rest = s[first : first + size] - behind[:size] @ past
        q = torch.linalg.solve_triangular(within[:size, :size], rest[:, None], upper=False)[:, 0]
        found.append(q)
        past = torch.cat([past, q])[-(k - 1) :] if k > 1 else past
    quotient = torch.cat(found)
    return quotient, s - convolve(h, quotient)


def _at(h: torch.Tensor, lag: torch.Tensor) -> torch.Tensor:
    """h[lag], 0 where there is none."""
    inside = (lag >= 0) & (lag < h.shape[0])
    return h[lag.clamp(0, h.shape[0] - 1)].masked_fill(~inside, 0)


def _regularized(s, h, check, power: Any, mode: str) -> tuple[torch.Tensor, torch.Tensor]:
    n, k = s.shape[-1], h.shape[0]
    length = {"full": n, "causal": n + k - 1, "circular": n}[mode]
    length = length if mode == "circular" else fast_length(length)
    transform, inverse = (
        (torch.fft.fft, torch.fft.ifft) if s.is_complex() else (torch.fft.rfft, torch.fft.irfft)
    )
    frequency = torch.fft.fftfreq(length, device=s.device, dtype=torch.float64).abs()
    if not s.is_complex():
        frequency = frequency[: length // 2 + 1]
    added = check(power, frequency).to(s.abs().dtype)
    spectrum = transform(h, length)
    size = spectrum.real.square() + spectrum.imag.square() + added
    if not bool((size.detach() > 0).all()):
        raise InputError("noise_to_signal must be above 0 where the divisor's spectrum is 0, got 0 there")
    ratio = spectrum.conj() / size
    x = inverse(transform(s, length) * ratio, length)
    if mode == "circular":
        return x, s - inverse(transform(x, length) * spectrum, length)
    x = x[..., : n - k + 1] if mode == "full" else x[..., :n]
    flat = convolve(x.reshape(-1, x.shape[-1]), h[None])  # rows by one row
    return x, s - flat[:, :n].reshape(s.shape)


def _constant(power: Any, frequency: torch.Tensor) -> torch.Tensor:
    """regularization at each frequency."""
    return torch.full_like(frequency, _positive("regularization", power))


def _ratio(power: Any, frequency: torch.Tensor) -> torch.Tensor:
    """noise_to_signal at each frequency (cycles a sample, 0 to 1/2)."""
    try:
        given = power if isinstance(power, torch.Tensor) else np.asarray(power)
    except ValueError as error:  # nested lists of unlike lengths
        raise InputError(f"noise_to_signal must be a number or an array of numbers, got {power!r}") from error
    if given.ndim == 0:
        return torch.full_like(frequency, _positive("noise_to_signal", power))
    is_real = not given.is_complex() if isinstance(given, torch.Tensor) else given.dtype.kind in "biuf"
    if not is_real:
        raise InputError(f"noise_to_signal must hold real numbers, got {given.dtype}: {power!r}")
    values = torch.as_tensor(given, dtype=frequency.dtype, device=frequency.device)
    if values.ndim != 1 or len(values) < 2 or not bool((torch.isfinite(values) & (values >= 0)).all()):
        raise InputError(
            "noise_to_signal must be a number > 0 or at least two numbers >= 0 from frequency 0 to half the "
            f"sample rate, got shape {tuple(values.shape)}"
        )
    at = frequency * 2 * (len(values) - 1)
    below = at.floor().long().clamp(max=len(values) - 2)
    return torch.lerp(values[below], values[below + 1], at - below)


def _positive(name: str, value: Any) -> float:
    try:
        is_one = not isinstance(value, str | bool) and np.ndim(value) == 0 and not np.iscomplexobj(value)
        number = float(value) if is_one else None
    except (TypeError, ValueError, OverflowError):
        number = None
    if number is None or not 0 < number < float("inf"):
        raise InputError(f"{name} must be a finite number > 0, got {value!r}")
    return number


def _enter(signal: Any, divisor: Any):
    """Both as tensors, and the way back."""
    signal, divisor = array_likes(signal=signal, divisor=divisor)
    if isinstance(signal, np.ndarray) and isinstance(divisor, np.ndarray):
        signal, divisor = np.atleast_1d(signal), np.atleast_1d(divisor)
    (s, h), leave = enter(signal=signal, divisor=divisor)
    return s, h, leave


# method → what is added to |H|² at each frequency; None where nothing is
DECONVOLUTIONS = {"exact": None, "tikhonov": _constant, "wiener": _ratio}

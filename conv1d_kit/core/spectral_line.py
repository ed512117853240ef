"""One row and one kernel through short FFTs, without the axes that others need."""

from __future__ import annotations

import numpy as np
import torch

from .array import new_result, to_numpy
from .padding import window
from .spectrum import LONE_BYTES, blocks_a_round, cut_line

__all__ = ["spectral_line", "transforms"]


def spectral_line(x: torch.Tensor, w: torch.Tensor, start: int, size: int, n_fft: int) -> torch.Tensor:
    """y[l] = sum_m w[m]·x[start + l − m], l below `size`, by overlap-save in blocks of n_fft points.

    x (N,) and w (K,) are of one dtype, real or complex; one block where n_fft holds all.

    Sources: Stockham (1966), High-speed convolution and correlation, AFIPS; for kernels longer than a block
    Wefers (2015), Partitioned convolution algorithms for real-time auralization, ch. 5.

    Examples
    --------
    >>> spectral_line(torch.tensor([1.0, 2.0, 3.0]), torch.tensor([0.0, 1.0]), 0, 4, 4).round(decimals=5)
    tensor([0., 1., 2., 3.])
    """
    if n_fft >= max(start + size, len(x) + len(w) - 1 - start):
        return _whole(x, w, start, size, n_fft)
    parts, hop, lead = cut_line(n_fft, len(w))
    n_blocks, first = -(-size // hop), start - lead - (parts - 1) * hop
    rows = blocks_a_round(2, n_blocks, n_fft, parts)
    if rows == n_blocks and parts == 1 and x.is_cpu:
        return _at_once(x, w, start, size, n_fft)
    transform, inverse = transforms(x)
    taps = window(w, 0, parts * hop).view(parts, hop) if parts > 1 else w
    spectra_w = transform(taps, n_fft)

    def products(spectra: torch.Tensor, count: int) -> torch.Tensor:
        if parts == 1:
            return spectra.mul_(spectra_w)
        y = spectra[parts - 1 :] * spectra_w[0]
        for p in range(1, parts):
            y.addcmul_(spectra[parts - 1 - p : parts - 1 - p + count], spectra_w[p])
        return y

    def frames(at: int, count: int) -> torch.Tensor:
        return window(x, first + at * hop, (count + parts - 2) * hop + n_fft).unfold(0, n_fft, hop)

    if rows == n_blocks:
        z = inverse(products(transform(frames(0, n_blocks), n_fft), n_blocks), n_fft)
        return z[:, lead : lead + hop].reshape(-1)[:size]
    y = new_result(x, (size,))
    spectra = spectra_w.new_empty((rows + parts - 1, spectra_w.shape[-1]))  # memory that every round uses anew
    z = x.new_empty((rows, n_fft))
    for at in range(0, n_blocks, rows):
        count = min(rows, n_blocks - at)
        held, out = spectra[: count + parts - 1], z[:count]
        transform(frames(at, count), n_fft, out=held)
        inverse(products(held, count), n_fft, out=out)
        full = min(count, size // hop - at)
        stop = (at + full) * hop
        y[at * hop : stop].view(full, hop).copy_(out[:full, lead : lead + hop])
        if full < count:
            y[stop:] = out[full, lead : lead + size - stop]
    return y


def _at_once(x: torch.Tensor, w: torch.Tensor, start: int, size: int, n_fft: int) -> torch.Tensor:
    """All blocks in one round, the kernel as one more: a call of the transform takes as long as many rows.

    NumPy moves the numbers, whose calls are quicker than torch's.
    """
    transform, inverse = transforms(x)
    signal, kernel = to_numpy(x), to_numpy(w)
    hop = n_fft - len(kernel) + 1
    ahead, low = -(-n_fft // hop), len(kernel) - 1 - start  # rows before the first of x, zeros before x
    line = np.zeros((ahead - 1 - (-size // hop)) * hop + n_fft, signal.dtype)
    line[: len(kernel)] = kernel
    place = line[ahead * hop + max(0, low) :]
    seen = signal[max(0, -low) :][: len(place)]
    place[: len(seen)] = seen
    spectra = transform(torch.from_numpy(line).unfold(0, n_fft, hop))
    z = inverse(spectra[ahead:].mul_(spectra[0]), n_fft)
    return z[:, len(kernel) - 1 :].reshape(-1)[:size]


def transforms(x: torch.Tensor):
    """(forward, inverse) for numbers like x's: of half spectra for real ones."""
    return (torch.fft.fft, torch.fft.ifft) if x.is_complex() else (torch.fft.rfft, torch.fft.irfft)


def _whole(x: torch.Tensor, w: torch.Tensor, start: int, size: int, n_fft: int) -> torch.Tensor:
    """One block over everything."""
    transform, inverse = transforms(x)
    if n_fft * x.dtype.itemsize < LONE_BYTES:
        return inverse(transform(x, n_fft).mul_(transform(w, n_fft)), n_fft)[start : start + size]
    both = x.new_zeros((2, n_fft))  # beyond that, two rows are transformed quicker than one alone
    both[0, : len(x)], both[1, : len(w)] = x, w
    spectra = transform(both)
    spectra[0].mul_(spectra[1])
    spectra[1].zero_()
    return inverse(spectra, n_fft)[0, start : start + size]

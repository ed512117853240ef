"""Augmentation by rooms: each clip convolved with a response of its own, by the core's convolution.

Of log-mels it is the power in time that is convolved, with the response's energy in each hop: what is expected
of a tail whose phases are as good as random.
"""

from __future__ import annotations

from typing import Any

import torch

from ..core.conv import conv
from ..errors import InputError
from .batch import (
    Batch,
    check_between,
    check_range,
    kind_of,
    log_mels,
    mel_powers,
    restoring,
    uniform,
    valid_mask,
)

__all__ = ["hop_energies", "room", "room_responses"]


def room(
    batch: Batch,
    frontend: Any,
    generator: torch.Generator,
    *,
    rt60_s: tuple[float, float] = (0.1, 0.6),
    direct_db: tuple[float, float] = (0.0, 12.0),
    responses: Any = None,
    share: float = 0.5,
) -> Batch:
    """Put a `share` of the rows each in a room; the direct sound stays where it is, and so does the level.

    A seed draws the same rooms for samples and for log-mels.

    Parameters
    ----------
    rt60_s : (shortest, longest), s
        Reverberation time, in which the tail falls by 60 dB, drawn evenly for each row.
    direct_db : (lowest, highest), dB
        Energy of the direct sound over that of the tail.
    responses : array or list [shape=(R, K)], optional
        Recorded responses at the front-end's rate instead, one drawn for each row; their highest sample is the
        direct sound, and what is before it is left out.
    share : float in [0, 1]

    Source: Moorer, About this reverberation business (1979): late reverberation as decaying Gaussian noise.
    """
    rt60_s, direct_db = check_range("rt60_s", rt60_s, 1e-3, 10), check_range("direct_db", direct_db)
    share = check_between("share", share, 0, 1)
    given = None if responses is None else _given(responses)
    x, valid = batch.x, valid_mask(batch)
    if x.numel() == 0:
        return batch
    heard = uniform(generator, len(x), like=x) < share
    if given is None:
        h = room_responses(len(x), frontend.sample_rate, generator, rt60_s=rt60_s, direct_db=direct_db)
    else:
        h = given[torch.randint(len(given), (len(x),), generator=generator)]
    rows = heard.nonzero()[:, 0]
    if len(rows) == 0:
        return batch._replace(x=x.clone())
    old, own, h = x[rows], valid[rows], h[rows.cpu()]
    if kind_of(frontend) == "waveform":
        dry = torch.where(own, old, 0.0)
        wet = _convolved(dry, h, own)
        y = wet * _ratio(dry.square(), wet.square()).sqrt()
    else:
        dry = torch.where(own, mel_powers(old, frontend), 0.0)
        wet = _convolved(dry, hop_energies(h, frontend.hop_length), own).clamp(min=0)
        y = log_mels(wet * _ratio(dry, wet), frontend)
    return batch._replace(x=x.index_copy(0, rows, torch.where(own, y, old)))


def hop_energies(responses: torch.Tensor, hop_length: int) -> torch.Tensor:
    """Energy of responses (R, K) in each hop (R, K'), where the first hop has its middle at sample 0.

    Examples
    --------
    >>> hop_energies(torch.tensor([[1.0, 0.5, 0.5, 0.0, 2.0]]), 4)
    tensor([[1.2500, 4.2500]])
    """
    before = hop_length // 2
    behind = -(before + responses.shape[1]) % hop_length
    padded = torch.nn.functional.pad(responses.square(), (before, behind))
    return padded.unflatten(1, (-1, hop_length)).sum(2)


def _convolved(dry: torch.Tensor, h: torch.Tensor, own: torch.Tensor) -> torch.Tensor:
    """Each row (F, L) with a response of its own (K,), cut to the row's own places `own`."""
    kernels = h[:, : dry.shape[2]].to(dry)[:, None]
    wet = conv(dry.transpose(0, 1), kernels, groups=len(h), padding="causal", flip=True).transpose(0, 1)
    return torch.where(own, wet, 0.0)


def _ratio(old: torch.Tensor, new: torch.Tensor) -> torch.Tensor:
    """What brings each row's sum back [shape=(B, 1, 1)]."""
    return restoring(old.sum((1, 2), keepdim=True), new.sum((1, 2), keepdim=True))


def room_responses(
    n: int,
    sample_rate: int,
    generator: torch.Generator,
    *,
    rt60_s: tuple[float, float],
    direct_db: tuple[float, float],
) -> torch.Tensor:
    """n responses on the CPU (n, K): the direct sound, 1 at sample 0, and a tail of decaying noise.

    Examples
    --------
    >>> g = torch.Generator().manual_seed(0)
    >>> h = room_responses(2, 8000, g, rt60_s=(0.5, 0.5), direct_db=(6.0, 6.0))
    >>> h.shape, bool((h[:, 0] == 1).all()), [round(10 * float(row[1:].square().sum().log10())) for row in h]
    (torch.Size([2, 4000]), True, [-6, -6])
    """
    u = torch.rand(2, n, 1, generator=generator)
    rt60 = rt60_s[0] + (rt60_s[1] - rt60_s[0]) * u[0]
    ratio = 10 ** (-(direct_db[0] + (direct_db[1] - direct_db[0]) * u[1]) / 10)
    t = torch.arange(max(2, round(rt60_s[1] * sample_rate))) / sample_rate
    h = torch.randn(n, len(t), generator=generator) * 10 ** (-3 * t / rt60)
    h[:, 0] = 0
    h = h * (ratio / h.square().sum(1, keepdim=True)).sqrt()
    h[:, 0] = 1
    return h


def _given(responses: Any) -> torch.Tensor:
    """Responses (R, K) on the CPU, each from its direct sound on."""
    try:
        h = torch.as_tensor(responses, dtype=torch.float32).cpu()
    except (TypeError, ValueError, RuntimeError):
        raise InputError("responses must be numbers (R, K); pad the shorter ones with zeros") from None
    if h.ndim != 2 or h.numel() == 0 or not torch.isfinite(h).all() or not h.any(1).all():
        raise InputError(
            f"responses must be (R, K), finite and none of zeros alone, got shape {tuple(h.shape)}; "
            "one response is responses[None]"
        )
    first = h.abs().argmax(1)
    place = first[:, None] + torch.arange(h.shape[1])
    return torch.where(place < h.shape[1], h.gather(1, place.clamp(max=h.shape[1] - 1)), 0.0)

"""Augmentations of level: a gain that a recording might have had, and the polarity of its cable."""

from __future__ import annotations

import math
from typing import Any

import torch

from .batch import Batch, check_between, uniform, valid_mask

__all__ = ["gain", "polarity"]


def gain(batch: Batch, frontend: Any, generator: torch.Generator, *, most_db: float = 6.0) -> Batch:
    """Make each row up to ±most_db louder; on logarithms the same number of dB is added, floor and all.

    Examples
    --------
    >>> from conv1d_kit.audio.frontends import Raw
    >>> batch = Batch(torch.ones(2, 1, 4), torch.tensor([4, 2]), torch.eye(2))
    >>> x = gain(batch, Raw(8000), torch.Generator().manual_seed(0), most_db=20).x
    >>> bool((x.log10().abs() <= 1).all()), x[1, 0, 2:]
    (True, tensor([1., 1.]))
    """
    most_db = check_between("most_db", most_db, 0)
    x = batch.x
    db = uniform(generator, len(x), 1, 1, low=-1.0, like=x) * most_db
    y = x + db * (math.log(10) / 10) if frontend.log_scale else x * 10 ** (db / 20)
    return batch._replace(x=torch.where(valid_mask(batch), y, x))


def polarity(batch: Batch, frontend: Any, generator: torch.Generator, *, share: float = 0.5) -> Batch:
    """Turn a `share` of the rows upside down: a swapped wire, which the ear does not hear.

    Examples
    --------
    >>> from conv1d_kit.audio.frontends import Raw
    >>> batch = Batch(torch.ones(1, 1, 3), torch.tensor([3]), torch.eye(1))
    >>> polarity(batch, Raw(8000), torch.Generator().manual_seed(0), share=1.0).x
    tensor([[[-1., -1., -1.]]])
    """
    share = check_between("share", share, 0, 1)
    flip = uniform(generator, len(batch.x), 1, 1, like=batch.x) < share
    return batch._replace(x=torch.where(flip & valid_mask(batch), -batch.x, batch.x))

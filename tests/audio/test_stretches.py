"""Stretches: all of a sound, in order, whatever stands beside it."""

import numpy as np
import pytest
import soundfile as sf

from conv1d_kit.audio.clip import Clip
from conv1d_kit.audio.stretches import stretches

RATE = 1000


@pytest.mark.parametrize("n_threads", [1, 3])
def test_every_item_comes_whole_in_order_and_ends_once(tmp_path, n_threads):
    r = np.random.default_rng(0)
    sounds = [r.uniform(-0.5, 0.5, n).astype(np.float32) for n in (1, 999, 1000, 1001, 5300, 10)]
    items = []
    for i, x in enumerate(sounds):
        sf.write(tmp_path / f"{i}.wav", x, RATE, subtype="FLOAT")
        items.append(tmp_path / f"{i}.wav" if i % 2 else Clip(x, RATE))
    (tmp_path / "bad.wav").write_text("no sound")
    items.insert(2, tmp_path / "bad.wav")
    sounds.insert(2, np.zeros(0, np.float32))
    found = list(stretches(items, RATE, stretch_s=1.0, n_threads=n_threads))
    assert [s.number for s in found] == sorted(s.number for s in found)
    for i, x in enumerate(sounds):
        *parts, end = [s for s in found if s.number == i]
        assert end.samples is None
        assert all(len(p.samples) <= RATE for p in parts)
        np.testing.assert_array_equal(np.concatenate([np.zeros(0), *(p.samples for p in parts)]), x)
        assert ("bad.wav" in end.error) == (i == 2)


def test_nothing_gives_nothing():
    assert list(stretches([], RATE)) == []

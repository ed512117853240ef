"""What every row of AUGMENTS promises, whatever it does; the rows' own oracles stand in test_augment_*.py."""

import json

import pytest
import torch

from conv1d_kit.audio.augment import AUGMENTS, Batch, augment, check_augments
from conv1d_kit.audio.batch import KINDS, kind_of, silence
from conv1d_kit.audio.frontends import LogMel, Raw
from conv1d_kit.errors import InputError

FRONTENDS = {"waveform": Raw(8000), "log_mel": LogMel(8000, 20)}
ROWS = [(name, kind) for name, row in AUGMENTS.items() for kind in FRONTENDS if kind in row.kinds]
each_row = pytest.mark.parametrize(("name", "kind"), ROWS, ids=lambda v: v)


def _generator(seed=0):
    return torch.Generator().manual_seed(seed)


def _batch(kind, lengths=None, *, silent=False, dtype=torch.float32):
    frontend = FRONTENDS[kind]
    if lengths is None:
        lengths = (4000, 2500, 1, 4000, 0, 777) if kind == "waveform" else (60, 25, 1, 60, 0, 33)
    x = torch.randn(len(lengths), frontend.n_features, max(lengths, default=0), generator=_generator(5)).to(
        dtype
    )
    x = torch.full_like(x, silence(frontend)) if silent else 0.3 * x
    for row, n in zip(x, lengths, strict=True):
        row[:, n:] = 0
    targets = torch.eye(4, dtype=dtype)[torch.arange(len(lengths)) % 4]
    return Batch(x, torch.tensor(lengths, dtype=torch.long), targets), frontend


@each_row
def test_the_generator_alone_decides_and_the_input_stays(name, kind):
    batch, frontend = _batch(kind)
    before = Batch(*(part.clone() for part in batch))
    a = AUGMENTS[name].function(batch, frontend, _generator(1))
    b = AUGMENTS[name].function(batch, frontend, _generator(1))
    assert all(torch.equal(p, q) for p, q in zip(a, b, strict=True))
    assert all(torch.equal(p, q) for p, q in zip(before, batch, strict=True))


@each_row
def test_two_epochs_differ(name, kind):
    """One generator goes on from batch to batch; the same augmentation each time would be none."""
    batch, frontend = _batch(kind)
    generator = _generator(3)
    first, *more = (AUGMENTS[name].function(batch, frontend, generator) for _ in range(4))
    assert any(first.x.shape != m.x.shape or not torch.equal(first.x, m.x) for m in more)


@each_row
def test_shape_dtype_lengths_and_targets(name, kind):
    for dtype in (torch.float32, torch.float64):
        batch, frontend = _batch(kind, dtype=dtype)
        y = AUGMENTS[name].function(batch, frontend, _generator(2))
        assert y.x.dtype == dtype
        assert y.targets.dtype == dtype
        assert y.lengths.dtype == torch.long
        assert y.x.shape[:2] == batch.x.shape[:2]
        assert 0 <= int(y.lengths.min()) <= int(y.lengths.max()) <= y.x.shape[2]
        assert torch.isfinite(y.x).all()
        torch.testing.assert_close(y.targets.sum(1), torch.ones(len(y.targets), dtype=dtype))


@each_row
def test_padding_of_waveforms_stays_zero(name, kind):
    batch, frontend = _batch(kind)
    for seed in range(4):
        y = AUGMENTS[name].function(batch, frontend, _generator(seed))
        if kind == "waveform":
            assert all(not row[:, n:].any() for row, n in zip(y.x, y.lengths.tolist(), strict=True))


@each_row
def test_what_stands_in_the_padding_is_never_heard(name, kind):
    batch, frontend = _batch(kind)
    dirty = batch.x.clone()
    for row, n in zip(dirty, batch.lengths.tolist(), strict=True):
        row[:, n:] = float("nan") if name in ("roll", "shift", "crop") else 99.0
    for seed in range(3):
        a = AUGMENTS[name].function(batch, frontend, _generator(seed))
        b = AUGMENTS[name].function(batch._replace(x=dirty), frontend, _generator(seed))
        assert torch.equal(a.lengths, b.lengths)
        for p, q, n in zip(a.x, b.x, a.lengths.tolist(), strict=True):
            # a log-mel's speed draws straight lines between frames: the last one may lie beyond the end
            last = n - 2 if (name, kind) == ("speed", "log_mel") else n
            torch.testing.assert_close(p[:, : max(0, last)], q[:, : max(0, last)])


@each_row
def test_silence_stays_finite(name, kind):
    batch, frontend = _batch(kind, silent=True)
    for seed in range(3):
        y = AUGMENTS[name].function(batch, frontend, _generator(seed))
        assert torch.isfinite(y.x).all()
        assert torch.isfinite(y.targets).all()


@each_row
@pytest.mark.parametrize("lengths", [(), (0,), (1,), (2, 3), (400,), (0, 0)], ids=str)
def test_small_and_empty_batches(name, kind, lengths):
    batch, frontend = _batch(kind, lengths)
    y = AUGMENTS[name].function(batch, frontend, _generator())
    assert len(y.x) == len(y.lengths) == len(y.targets) == len(lengths)
    assert torch.isfinite(y.x).all()
    assert all((new > 0) == (old > 0) for new, old in zip(y.lengths.tolist(), lengths, strict=True))


@each_row
def test_read_only_defaults_are_json_and_pass_their_own_check(name, kind):
    options = {key: value for key, value in AUGMENTS[name].options().items() if value is not None}
    assert check_augments(json.loads(json.dumps([[name, options]])), FRONTENDS[kind])[0][0] == name


def test_every_row_is_exercised_and_knows_its_kinds():
    assert {name for name, _ in ROWS} == set(AUGMENTS)
    assert all(set(row.kinds) <= set(KINDS) for row in AUGMENTS.values())


@pytest.mark.parametrize(
    ("names", "words"),
    [
        ("roll", "sequence of speed"),
        (None, "sequence of speed"),
        (["rol"], "did you mean 'roll'"),
        (["reverse!!"], "known: speed"),
        ([("gain", {"most": 3})], "no option 'most'; did you mean 'most_db'"),
        ([("gain", {"most_db": "loud"})], "augment 'gain': most_db must be a number >= 0, got 'loud'"),
        ([("gain", {"most_db": float("inf")})], "JSON"),
        ([("gain", {"most_db": torch.ones(1)})], "JSON"),
        ([("mix", {"share": 1.5})], "from 0 to 1"),
        ([("mix", {"level": "loud"})], "'a', 'rms'"),
        ([("crop", {"share": [0.9, 0.5]})], "lowest"),
        ([("speed", {"most": 0.5})], "from 1 to 4"),
        ([("roll", 3)], "pairs"),
        (("gain", {"most_db": 3}), "pairs"),
        ([3], "pairs"),
    ],
)
def test_what_cannot_be_meant_is_refused_in_one_line(names, words):
    with pytest.raises(InputError, match=words.replace("(", r"\(")) as caught:
        check_augments(names)
    assert "\n" not in str(caught.value)


def test_a_row_that_cannot_work_on_the_features_is_refused():
    batch, frontend = _batch("log_mel")
    with pytest.raises(InputError, match="'polarity' is for waveform features, got a front-end LogMel"):
        augment(batch, ["gain", "polarity"], frontend, _generator())


def test_augment_is_its_rows_in_order():
    batch, frontend = _batch("waveform")
    names = ["roll", ("gain", {"most_db": 3.0})]
    expected = AUGMENTS["roll"].function(batch, frontend, one := _generator(4))
    expected = AUGMENTS["gain"].function(expected, frontend, one, most_db=3.0)
    assert torch.equal(augment(batch, names, frontend, _generator(4)).x, expected.x)
    assert check_augments(names) == [("roll", {}), ("gain", {"most_db": 3.0})]


def test_kinds_of_features():
    assert {kind: kind_of(frontend) for kind, frontend in FRONTENDS.items()} == {k: k for k in FRONTENDS}

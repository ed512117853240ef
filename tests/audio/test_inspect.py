"""The data doctor: what is wrong on purpose is found and said once, what is right raises no alarm."""

import csv
import os

import numpy as np
import pytest
import soundfile as sf

from conv1d_kit.audio.clip import Clip
from conv1d_kit.audio.dataset import read_dataset
from conv1d_kit.audio.inspect import SEVERITIES, inspect_audio
from conv1d_kit.audio.synth import make_sounds

RATE = 8000


@pytest.fixture(scope="module")
def clips():
    sounds, labels = make_sounds(8, seed=3)
    names = sorted(set(labels))[:3]
    made: dict = {name: [] for name in names}
    for clip, name in zip(sounds, labels, strict=True):
        if name in made:
            x = clip.resample(RATE).samples
            made[name].append(Clip(x - x.mean(), RATE))
    return made


@pytest.fixture
def folder(tmp_path, clips):
    """Three classes of eight clips, two of each class in one fold."""
    for name, sounds in clips.items():
        for i, clip in enumerate(sounds):
            _write(tmp_path / "set" / name / f"{i}.wav", clip.samples.T)
    return tmp_path / "set"


def _write(path, x, rate=RATE, **format):
    path.parent.mkdir(parents=True, exist_ok=True)
    sf.write(path, x, rate, **format)


def _table(folder, fold=lambda p: int(p.stem.split("_")[0]) % 4):
    rows = sorted(p for p in folder.rglob("*.*") if p.suffix != ".csv")
    with open(folder / "t.csv", "w", newline="") as file:
        out = csv.writer(file)
        out.writerow(["path", "label", "fold"])
        out.writerows([p.relative_to(folder), p.parent.name, fold(p)] for p in rows)
    return read_dataset(folder / "t.csv")


def _kinds(found):
    return {f.kind: f for f in found.findings}


def test_a_clean_set_has_no_leaks_and_no_faults(folder):
    found = inspect_audio(_table(folder))
    assert {f.kind for f in found.findings} <= {"class_from_property"}  # the classes differ in length and level
    assert found.folds_by == "fold column"


def test_copies_are_sorted_by_what_they_do(folder, clips):
    a, b, c = clips
    _write(folder / a / "1_exact.wav", clips[a][0].samples.T)  # fold 1, of a clip in fold 0
    _write(folder / a / "3_near.wav", 0.3 * clips[a][2].samples.T)  # fold 3, of fold 2
    _write(folder / b / "0_other.flac", clips[c][4].samples.T)  # another class
    _write(folder / b / "5_same.wav", clips[b][5].samples.T)  # the same fold
    kinds = _kinds(inspect_audio(_table(folder)))
    across = kinds["duplicate_across_folds"]
    assert across.severity == "error"
    assert {tuple(sorted(files)) for files in across.files} == {
        (f"{a}/0.wav", f"{a}/1_exact.wav"), (f"{a}/2.wav", f"{a}/3_near.wav"),
    }  # fmt: skip
    details = dict(zip(across.files, across.details, strict=True))
    assert any("the same samples" in d and "folds" in d for d in details.values())
    assert any("agree to" in d for d in details.values())
    assert kinds["duplicate_across_classes"].severity == "error"
    assert {frozenset(f) for f in kinds["duplicate_across_classes"].files} == {
        frozenset((f"{b}/0_other.flac", f"{c}/4.wav"))
    }
    assert kinds["duplicate"].files == ((f"{b}/5.wav", f"{b}/5_same.wav"),)
    assert kinds["duplicate"].severity == "note"


def test_without_fold_column_the_folds_of_cv_are_checked(folder, clips):
    a = next(iter(clips))
    for i in range(4):
        _write(folder / a / f"copy{i}.wav", clips[a][i].samples.T)
    found = inspect_audio(read_dataset(folder))
    assert found.folds_by.startswith("5 stratified folds")
    assert "duplicate_across_folds" in _kinds(found)


@pytest.mark.parametrize("what", ["rate", "codec", "channels"])
def test_how_files_were_made_must_not_tell_the_class(folder, clips, what):
    name = list(clips)[1]
    for i, clip in enumerate(clips[name]):
        path = folder / name / f"{i}.wav"
        if what == "rate":
            sf.write(path, clip.resample(11025).samples.T, 11025)
        elif what == "codec":
            path.unlink()
            sf.write(path.with_suffix(".flac"), clip.samples.T, RATE)
        else:
            sf.write(path, np.repeat(clip.samples.T, 2, 1), RATE)
    found = inspect_audio(_table(folder))
    alarm = _kinds(found)["class_from_format"]
    assert alarm.severity == "error"
    assert found.findings[0] is alarm  # the gravest first
    assert repr(name) in alarm.words
    assert {"rate": "sample rate", "codec": "codec", "channels": "number of channels"}[what] in alarm.words


def test_silence_that_tells_the_class_names_the_way_to_not_hear_it(folder, clips):
    name = next(iter(clips))
    for i, clip in enumerate(clips[name]):
        sf.write(folder / name / f"{i}.wav", np.pad(clip.samples.T, ((RATE, 0), (0, 0))), RATE)
    alarm = _kinds(inspect_audio(_table(folder)))["class_from_property"]
    assert any("leading digital silence" in detail for detail in alarm.details)
    assert "--set trim=true" in alarm.cure


def test_a_level_that_tells_the_class_is_a_warning(folder, clips):
    name = next(iter(clips))
    for i, clip in enumerate(clips[name]):
        sf.write(folder / name / f"{i}.wav", 0.003 * clip.samples.T, RATE, subtype="FLOAT")
    found = inspect_audio(_table(folder))
    assert found.clues["level"].tells
    assert found.clues["level"].best_class == name
    assert "level" in _kinds(found)["class_from_property"].words
    assert "class_from_format" not in {f.kind for f in found.findings if f.files == (("level",),)}
    assert "trim" not in _kinds(found)["class_from_property"].cure


def test_every_fault_is_one_line_with_its_files(folder, clips):
    a = next(iter(clips))
    home = folder / a
    (home / "0_text.wav").write_text("no sound")
    (home / "1_empty.wav").touch()
    _write(home / "0_nan.wav", np.full(RATE, np.nan), subtype="FLOAT")
    _write(home / "0_silent.wav", np.zeros(RATE))
    _write(home / "1_silent.wav", np.zeros(RATE))
    _write(home / "0_two.wav", np.array([0.5, -0.5]))
    _write(home / "0_long.wav", np.random.default_rng(0).normal(size=70 * RATE) * 0.1)
    _write(home / "0_clipped.wav", np.clip(20 * np.random.default_rng(1).normal(size=RATE), -1, 1))
    _write(home / "0_dc.wav", np.random.default_rng(2).normal(size=RATE) * 0.03 + 0.3)
    (folder / "rare").mkdir()
    _write(folder / "rare" / "0.wav", np.random.default_rng(3).normal(size=RATE) * 0.1)
    os.symlink(home / "0_round.wav", home / "1_round.wav")
    os.symlink(home / "1_round.wav", home / "0_round.wav")
    found = inspect_audio(_table(folder))
    kinds = _kinds(found)
    assert len(kinds) == len(found.findings)
    wanted = {
        "unreadable": {"0_text", "1_empty"}, "not_finite": {"0_nan"}, "silent": {"0_silent", "1_silent"},
        "very_short": {"0_two"}, "very_long": {"0_long"}, "dc_offset": {"0_dc"}, "link": {"0_round", "1_round"},
    }  # fmt: skip
    for kind, stems in wanted.items():
        assert {f"{a}/{s}.wav" for s in stems} == {files[0] for files in kinds[kind].files}, kind
        assert kinds[kind].cure
        assert "\n" not in kinds[kind].words
    assert (f"{a}/0_clipped.wav",) in kinds["clipped"].files
    assert kinds["small_class"].files == (("rare",),)
    assert "duplicate_across_folds" not in kinds  # silent files are no copies of each other
    order = [SEVERITIES.index(f.severity) for f in found.findings]
    assert order == sorted(order)


def test_folders_that_link_in_a_circle_end_and_are_told(folder, clips):
    os.symlink(folder / next(iter(clips)), folder / next(iter(clips)) / "again", target_is_directory=True)
    found = inspect_audio(read_dataset(folder))
    assert "linked_folder" in _kinds(found)
    assert len(found.facts) == 24


def test_a_group_on_both_sides_is_an_error(folder):
    table = _table(folder)
    mixed = type(table)(table.source, table.paths, table.labels, table.folds, ("g",) * 24)
    folds = _kinds(inspect_audio(mixed, "column"))["folds"]
    assert folds.severity == "error"
    assert "its group 'g' stands in folds" in folds.words


def test_progress_is_told_for_every_file(folder):
    read, compared = [], []
    inspect_audio(_table(folder), on_file=lambda: read.append(1), on_compared=lambda: compared.append(1))
    assert len(read) == len(compared) == 24


def test_esc_10_is_judged_as_it_is(shared_data):
    """What its folds do not know: one cry edited in two ways is in two folds, one fire has two sources."""
    table = read_dataset(shared_data / "esc10")
    table = table.subset(i for i, label in enumerate(table.labels) if label[:3] in ("004", "005", "010"))
    kinds = _kinds(inspect_audio(table))
    assert kinds["duplicate_across_folds"].files == (
        ("004 - Baby cry/3-151080-A.ogg", "004 - Baby cry/5-151085-A.ogg"),
    )
    assert kinds["duplicate_across_groups"].files == (
        ("010 - Fire crackling/2-28314-A.ogg", "010 - Fire crackling/2-30322-A.ogg"),
        ("010 - Fire crackling/2-28314-B.ogg", "010 - Fire crackling/2-30322-B.ogg"),
    )
    assert {f.kind for f in kinds.values() if f.severity == "error"} == {"duplicate_across_folds"}
    assert "level" in kinds["class_from_property"].words

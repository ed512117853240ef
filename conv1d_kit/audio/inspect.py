"""A data doctor: what in a set of sounds makes figures too good or training worse, and the cure."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np

from ..errors import ConvKitError
from ..training.clues import Clue, class_clue
from ..training.findings import SEVERITIES, Finding
from .clip import Clip
from .dataset import AudioTable, common_folder, esc_names, make_folds, short_name
from .facts import FileFacts, measure_file
from .fingerprint import low_wave, near_duplicates

__all__ = ["PROPERTIES", "SEVERITIES", "Finding", "Inspection", "inspect_audio"]

_MAX_S, _MIN_S = 60.0, 0.064  # what training hears of a clip at most; one window of its front-end
_CLIPPED, _DC = 1e-3, 0.02  # share of samples; of full scale
_FEW = 5  # clips of a class, below which not every one of five folds has one


@dataclass(frozen=True, eq=False)
class Inspection:
    """All that was found, the gravest first, with what it rests on.

    Attributes
    ----------
    table : AudioTable
    folds : tuple of str, length N, or None
        The fold each file is tested in, and `folds_by`, how that is known.
    facts : list of FileFacts, length N
    clues : dict from a key of PROPERTIES to Clue
        How well each property alone tells the class; those that never differ are left out.
    findings : list of Finding
    """

    table: AudioTable
    folds: tuple[str, ...] | None
    folds_by: str
    facts: list[FileFacts]
    clues: dict[str, Clue]
    findings: list[Finding] = field(default_factory=list)


def inspect_audio(
    table: AudioTable,
    rule: str | int | None = None,
    *,
    n_threads: int = 2,
    on_file: Callable[[], None] | None = None,
    on_compared: Callable[[], None] | None = None,
) -> Inspection:
    """Read every file once and look for leaks, clues and faults.

    Parameters
    ----------
    table : AudioTable
    rule : "esc", "column", an int >= 2, or None
        As `make_folds`: which files are tested together.
    n_threads : int
        Threads that decode; each holds at most a minute of sound.
    on_file, on_compared : function, optional
        Called after each file is read, and after each is compared with the others.

    Raises
    ------
    InputError
        If the rule is none of these.
    """
    folds, folds_by, groups, broken = _folds(table, rule)
    with ThreadPoolExecutor(max(1, n_threads)) as pool:
        facts = []
        for fact in pool.map(measure_file, table.paths):
            facts.append(fact)
            if on_file is not None:
                on_file()
    root = table.source if os.path.isdir(table.source) else common_folder(table.paths)
    names = [short_name(p, root) for p in table.paths]
    clues = _clues(table, facts, groups)
    findings = [
        *broken,
        *_faults(facts, names),
        *_duplicates(table, facts, names, folds, groups, on_compared),
        *_clue_findings(clues),
        *_sounds(facts, names),
        *_classes(table, facts),
        *_folders(table),
    ]
    findings.sort(key=lambda f: SEVERITIES.index(f.severity))
    return Inspection(table, folds, folds_by, facts, clues, findings)


def _folds(table: AudioTable, rule):
    """Each row's fold, how that is known, its group, and what keeps folds from being made."""
    esc = esc_names(table.paths)
    groups = table.groups or (tuple(source for _, source in esc) if esc else None)
    broken: list[Finding] = []
    try:
        described, parts = make_folds(table, rule)
        folds = [""] * len(table)
        for number, (_, test) in enumerate(parts):
            for i in test:
                folds[i] = table.folds[i] if table.folds and rule in (None, "column") else str(number + 1)
        return tuple(folds), described, groups, broken
    except ConvKitError as error:
        values = table.folds or (tuple(fold for fold, _ in esc) if esc else None)
        kind, severity = (
            ("folds", "error") if values and rule in (None, "esc", "column") else ("folds", "warning")
        )
        words = f"no folds can be made: {error}"
        broken.append(Finding(kind, severity, (), words, "cross-validation stops there; mend what it says"))
        return values, "as given, though they cannot be used", groups, broken


def _faults(facts: Sequence[FileFacts], names: Sequence[str]) -> Iterator[Finding]:
    for fault, words, cure in _FAULTS:
        rows = [i for i, f in enumerate(facts) if f.fault == fault]
        if rows:
            details = tuple(facts[i].error for i in rows)
            yield Finding(fault, "warning", _singles(rows, names), _files(rows, words), cure, details)
    rows = [i for i, f in enumerate(facts) if f.silent]
    if rows:
        yield Finding(
            "silent", "warning", _singles(rows, names), _files(rows, "hold nothing but digital silence"),
            "remove them: they teach that silence is their class",
        )  # fmt: skip


def _duplicates(table, facts, names, folds, groups, on_compared) -> Iterator[Finding]:
    """Copies, exact and near, sorted by what they do: two labels, two folds, or only two of one."""
    homes: dict[str, list[int]] = {}
    for i, f in enumerate(facts):
        if f.digest and not f.silent:
            homes.setdefault(f.digest, []).append(i)
    cases: list[tuple[list[int], str]] = [
        (rows, "the same samples") for rows in homes.values() if len(rows) > 1
    ]
    single = sorted(rows[0] for rows in homes.values())  # of exact copies one stands for all

    def wave_of(k: int) -> np.ndarray:
        return low_wave(Clip.read(facts[single[k]].path, max_duration_s=_MAX_S))

    prints = [facts[i].print for i in single]
    for m in near_duplicates(prints, wave_of, on_clip=on_compared):
        where = f", {abs(m.offset_s):.2f} s apart" if abs(m.offset_s) >= 0.01 else ""
        cases.append(([single[m.first], single[m.second]], f"agree to {m.score:.2f}{where}"))
    kinds: dict[str, list[tuple[list[int], str]]] = {}
    for rows, how in cases:
        if len({table.labels[i] for i in rows}) > 1:
            kind = "duplicate_across_classes"
        elif folds is not None and len({folds[i] for i in rows}) > 1:
            kind = "duplicate_across_folds"
        elif groups is not None and len({groups[i] for i in rows}) > 1:
            kind = "duplicate_across_groups"
        else:
            kind = "duplicate"
        kinds.setdefault(kind, []).append((rows, how))
    for kind, severity, words, cure in _COPIES:
        if found := kinds.get(kind):
            total = f"{len(found)} set{'s' * (len(found) > 1)} of copies {words}"
            details = tuple(f"{how}{_where(rows, table, folds)}" for rows, how in found)
            files = tuple(tuple(names[i] for i in rows) for rows, _ in found)
            yield Finding(kind, severity, files, total, cure, details)


def _where(rows: Sequence[int], table: AudioTable, folds) -> str:
    labels = list(dict.fromkeys(table.labels[i] for i in rows))
    said = f"; {' and '.join(labels)}" if len(labels) > 1 else ""
    if folds is not None:
        numbers = list(dict.fromkeys(folds[i] for i in rows))
        said += f"; fold{'s' * (len(numbers) > 1)} {' and '.join(numbers)}"
    return said


def _clues(table: AudioTable, facts: Sequence[FileFacts], groups) -> dict[str, Clue]:
    rows = [i for i, f in enumerate(facts) if not f.error]
    labels = [table.labels[i] for i in rows]
    kept = None if groups is None else [groups[i] for i in rows]
    found = {}
    for name, (_, value, _) in PROPERTIES.items():
        clue = class_clue([value(facts[i]) for i in rows], labels, groups=kept) if rows else None
        if clue is not None:
            found[name] = clue
    return found


def _clue_findings(clues: dict[str, Clue]) -> Iterator[Finding]:
    """The alarms in two lines: what only the making of the files decides, and what the sound itself may."""
    for severity, kind, words, cure in _CLEVER_HANS:
        told = [(n, c) for n, c in clues.items() if c.tells and (PROPERTIES[n][2] == (severity == "error"))]
        if not told:
            continue
        told.sort(key=lambda item: -item[1].low)
        details = tuple(
            f"{PROPERTIES[n][0]}: {c.accuracy:.0%} right ({c.low:.0%}–{c.high:.0%}), best for {c.best_class!r} "
            f"(F1 {c.best_f1:.2f})"
            for n, c in told
        )
        name, best = told[0]
        more = f" (and {', '.join(PROPERTIES[n][0] for n, _ in told[1:])})" if len(told) > 1 else ""
        total = (
            f"{words}: {PROPERTIES[name][0]} alone{more} tells {best.best_class!r} with F1 {best.best_f1:.2f} "
            f"(chance {best.best_chance:.2f}) and {best.accuracy:.0%} of all, classes weighing alike "
            f"({best.low:.0%}–{best.high:.0%}, chance {best.chance:.0%})"
        )
        if any(n.endswith("_silence") for n, _ in told):
            cure += "; silence at the ends is not heard by a model trained with --set trim=true"
        yield Finding(kind, severity, tuple((PROPERTIES[n][0],) for n, _ in told), total, cure, details)


def _sounds(facts: Sequence[FileFacts], names: Sequence[str]) -> Iterator[Finding]:
    good = [i for i, f in enumerate(facts) if not f.error and not f.silent]
    usual = float(np.median([facts[i].duration_s for i in good])) if good else 0.0
    for kind, severity, test, show, words, cure in _SOUNDS:
        rows = [i for i in good if test(facts[i], usual)]
        if rows:
            details = tuple(show(facts[i]) for i in rows)
            yield Finding(kind, severity, _singles(rows, names), _files(rows, words), cure, details)


def _classes(table: AudioTable, facts: Sequence[FileFacts]) -> Iterator[Finding]:
    usable: dict[str, int] = dict.fromkeys(table.classes, 0)
    for label, f in zip(table.labels, facts, strict=True):
        usable[label] += not f.error
    few = {c: n for c, n in usable.items() if n < _FEW}
    if few:
        single = sum(n < 2 for n in few.values())
        words = f"{len(few)} of {len(usable)} classes have fewer than {_FEW} usable clips"
        words += f", {single} of them at most one" if single else ""
        yield Finding(
            "small_class", "warning", tuple((c,) for c in few), words,
            "gather more, or join classes: what is tested once says little, what has one clip cannot be tested",
            tuple(f"{n} clip{'s' * (n != 1)}" for n in few.values()),
        )  # fmt: skip


def _folders(table: AudioTable) -> Iterator[Finding]:
    if table.left_out:
        files, details = zip(*((((path,), reason)) for path, reason in table.left_out), strict=True)
        words = f"{len(files)} row{'s' * (len(files) > 1)} of the table cannot be used"
        yield Finding(
            "left_out", "warning", files, words, "fill in what is missing or take the rows out", details
        )
    if table.notes:
        yield Finding(
            "beside", "note", (), "; ".join(table.notes), "nothing to do where that is meant"
        )  # fmt: skip
    links = _folder_links(table.source) if os.path.isdir(table.source) else []
    if links:
        yield Finding(
            "linked_folder", "note", tuple((p,) for p in links),
            f"{len(links)} linked folder{'s' * (len(links) > 1)} inside classes not followed, as links may "
            "lead in a circle", "copy the sounds in, or list them in a CSV table",
        )  # fmt: skip


def _folder_links(root: str) -> list[str]:
    found = []
    for folder, names, _ in os.walk(root):
        if folder != root:
            found += [os.path.join(folder, n) for n in names if os.path.islink(os.path.join(folder, n))]
    return sorted(found)


def _singles(rows: Sequence[int], names: Sequence[str]) -> tuple[tuple[str, ...], ...]:
    return tuple((names[i],) for i in rows)


def _files(rows: Sequence[int], words: str) -> str:
    return f"{len(rows)} file{'s' * (len(rows) > 1)}: {words}"


# property → (words, its value in a file's facts, whether only the making of the files decides it)
PROPERTIES = {
    "sample_rate": ("sample rate", lambda f: f.sample_rate, True),
    "codec": ("codec", lambda f: f.codec, True),
    "n_channels": ("number of channels", lambda f: f.n_channels, True),
    "dc_offset": ("DC offset", lambda f: round(f.dc_offset, 4), True),
    "bandwidth": ("bandwidth", lambda f: f.bandwidth_hz, False),
    "duration": ("duration", lambda f: f.duration_s, False),
    "level": ("level", lambda f: f.level_db, False),
    "leading_silence": ("leading digital silence", lambda f: f.leading_s, False),
    "trailing_silence": ("trailing digital silence", lambda f: f.trailing_s, False),
}

_CLEVER_HANS = (
    ("error", "class_from_format", "the files' making gives classes away",
     "convert all classes alike (one rate, codec and recorder), or record the classes with all devices"),
    ("warning", "class_from_property", "a simple property gives classes away",
     "the sounds may be so, or their recording: cut or level all alike, train again and see what remains"),
)  # fmt: skip

_FAULTS = (
    ("missing", "not there", "mend the paths"),
    ("permission", "permission to read is refused", "chmod +r, or run as their owner"),
    ("link", "a link that leads nowhere or in a circle", "remove the links"),
    ("not_finite", "hold NaN or infinite samples", "write them again from their source"),
    ("unreadable", "damaged, empty or no sound", "fetch them again, or remove them; training leaves them out"),
)

_COPIES = (
    ("duplicate_across_classes", "error", "have different labels", "listen and keep the right label"),
    ("duplicate_across_folds", "error", "stand in different folds: the test hears what was trained on",
     "keep one of each, or give them one group (a CSV column and --group)"),
    ("duplicate_across_groups", "warning", "have different groups (in one fold by luck)",
     "give them one group, or keep one of each"),
    ("duplicate", "note", "in one fold", "keep one of each: copies count twice"),
)  # fmt: skip

_SOUNDS = (
    ("clipped", "note", lambda f, usual: f.clipped > _CLIPPED, lambda f: f"{f.clipped:.1%} of the samples",
     "clipped (stuck at the top, or beyond full scale)", "record or decode them at a lower level if you can"),
    ("dc_offset", "note", lambda f, usual: f.dc_offset > _DC, lambda f: f"mean {f.dc_offset:.3f}",
     f"DC offset above {_DC} of full scale", "subtract the mean; look at the recorder"),
    ("very_short", "warning", lambda f, usual: f.duration_s < _MIN_S, lambda f: f"{1000 * f.duration_s:.1f} ms",
     f"shorter than {1000 * _MIN_S:.0f} ms, one window of the front-end", "remove them or cut them longer"),
    ("very_long", "warning", lambda f, usual: f.duration_s > max(_MAX_S, 4 * usual),
     lambda f: f"{f.duration_s:.0f} s", f"longer than {_MAX_S:.0f} s and than four usual clips; training hears "
     "their first minute", "cut them into clips, all of one recording in one group"),
)  # fmt: skip

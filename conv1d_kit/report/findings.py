"""What the data doctor found as blocks of a page: one line a kind, the files behind a line to click on."""

from __future__ import annotations

from collections.abc import Sequence

from ..audio.inspect import PROPERTIES, Finding, Inspection
from .evaluation_plots import property_by_class
from .page import Block, Details, Grid, Page, Picture, Section, Stack, Table, Text
from .plots import to_svg

__all__ = ["findings_blocks", "inspection_page"]

SHOWN = 200  # cases of a kind listed on the page
_UNITS = {
    "sample_rate": "Hz", "dc_offset": "of full scale", "bandwidth": "Hz", "duration": "s",
    "level": "dB of full scale", "leading_silence": "s", "trailing_silence": "s",
}  # fmt: skip


def inspection_page(found: Inspection) -> Page:
    """The page of an inspection; the same inspection gives the same page."""
    n = {s: sum(f.severity == s for f in found.findings) for s in ("error", "warning", "note")}
    table = found.table
    lead = (
        f"{table.source}: {len(table)} files, {len(table.classes)} classes; folds by {found.folds_by}. "
        f"Found: {_count(n['error'], 'error')}, {_count(n['warning'], 'warning')}, {_count(n['note'], 'note')}."
    )
    sections = [Section("Findings", findings_blocks(found.findings))]
    if found.clues:
        sections.append(Section("Can the class be told without listening?", _clues(found)))
    return Page("Inspection of a set of sounds", lead, (), sections)


def findings_blocks(findings: Sequence[Finding]) -> list[Block]:
    """A table with one row a kind, and the cases of each."""
    if not findings:
        return [Text("Nothing: no copies, no property that gives the class away, no faulty files.")]
    rows = [(f.severity, f.words, f.cure) for f in findings]
    blocks: list[Block] = [Table(("Gravity", "What", "Cure"), rows)]
    for f in findings:
        if not f.files:
            continue
        details = f.details or ("",) * len(f.files)
        cases = [(" = ".join(files), words) for files, words in zip(f.files, details, strict=True)]
        shown: list[Block] = [Table(("Files", "Details"), cases[:SHOWN])]
        if len(cases) > SHOWN:
            shown.append(Text(f"… and {len(cases) - SHOWN} more; --json lists all."))
        blocks.append(Details(f"{f.kind.replace('_', ' ')}: {_count(len(cases), 'case')}", shown))
    return blocks


def _clues(found: Inspection) -> list[Block]:
    ranked = sorted(found.clues.items(), key=lambda item: -item[1].accuracy)
    rows = [
        (PROPERTIES[name][0], f"{100 * c.accuracy:.1f} %", f"{100 * c.low:.1f}–{100 * c.high:.1f} %",
         f"{100 * c.chance:.1f} %", f"{c.best_class} (F1 {c.best_f1:.2f}, by chance {c.best_chance:.2f})",
         "yes" if c.tells else "no")
        for name, c in ranked
    ]  # fmt: skip
    words = (
        "A small decision tree guesses the class of unseen groups from one property alone. What it gets right, "
        "a net may get right in the same way: by the recorder, the editor or the codec, and not by the sound."
    )
    columns = ("Property", "Balanced accuracy", "95 % interval", "Chance", "Told best", "Alarm")
    blocks: list[Block] = [Text(words), Table(columns, rows)]
    good = [(f, label) for f, label in zip(found.facts, found.table.labels, strict=True) if not f.error]
    pictures: list[Block] = []
    for name in [name for name, c in ranked if c.tells] or [ranked[0][0]]:
        what, value, _ = PROPERTIES[name]
        unit = f" ({_UNITS[name]})" if name in _UNITS else ""
        drawn = property_by_class([value(f) for f, _ in good], [label for _, label in good], name=what + unit)
        picture = Picture(
            to_svg(drawn), f"{what} of each clip by class", f"{what[0].upper()}{what[1:]} by class."
        )
        pictures.append(Stack([picture]))
    return [*blocks, Grid(pictures, columns=2)]


def _count(n: int, what: str) -> str:
    return f"{n} {what}{'s' * (n != 1)}"

"""`conv1d-kit text inspect FILE [--test FILE]`"""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..errors import InputError
from .output import JsonFlag, emit, note, table, visible
from .text_source import (
    ClassFiles,
    EncodingName,
    Format,
    LabelColumn,
    LabelSeparator,
    MultiLabel,
    OptionalFile,
    TextColumn,
    bad_rows,
    collect_source,
)

if TYPE_CHECKING:
    from ..text.inspect import Inspection
    from ..text.text_facts import TextFacts

__all__ = ["inspect"]

_CASES = 3  # shown to a person; --json has all
_WORDS = 8


def inspect(
    file: OptionalFile = None,
    test: Annotated[
        str | None,
        typer.Option("--test", help="A test file: what of it stands in FILE, and which words are new."),
    ] = None,
    class_file: ClassFiles = None,
    format: Format = None,
    text_column: TextColumn = "text",
    label_column: LabelColumn = "label",
    encoding: EncodingName = None,
    multi_label: MultiLabel = False,
    label_separator: LabelSeparator = None,
    tokenizer: Annotated[
        str, typer.Option("--tokenizer", help="word, kim, space, character, character_space, byte or bpe.")
    ] = "word",
    near: Annotated[
        float, typer.Option("--near", help="Share of common word 3-grams from which texts are nearly the same.")
    ] = 0.6,
    as_json: JsonFlag = False,
) -> None:
    """Look for copies, label conflicts, test texts in training, clues and faults."""
    from dataclasses import asdict

    from ..text.inspect import inspect_texts

    start = time.perf_counter()
    if not 0 < near <= 1:
        raise InputError(f"--near must be a number in (0, 1], got {near}; try 0.6")
    named: dict[str, Any] = {
        "format": format, "text_column": text_column, "label_column": label_column, "encoding": encoding,
        "multi_label": multi_label, "label_separator": label_separator,
    }  # fmt: skip
    data = collect_source(file, class_files=class_file, **named)
    other = None if test is None else collect_source(test, **named)
    found = inspect_texts(data, other, tokenizer=tokenizer, near=near)
    for words in [*data.notes, *(other.notes if other else [])]:
        note(words)
    result = {
        "file": data.name,
        "test": None if other is None else other.name,
        "train": asdict(found.train),
        "test_facts": None if found.test is None else asdict(found.test),
        "skipped": bad_rows(data) + (bad_rows(other) if other else []),
        "copies": found.n_copies,
        "conflicts": found.n_conflicts,
        "near_pairs": found.n_near,
        "near_complete": found.n_crowded == 0,
        "overlap": None if found.overlap is None else asdict(found.overlap),
        "class_words": {label: [w._asdict() for w in words] for label, words in found.class_words.items()},
        "clues": {name: {**asdict(c), "tells": c.tells} for name, c in found.clues.items()},
        "findings": [asdict(f) for f in found.findings],
        "seconds": time.perf_counter() - start,
    }
    emit(result, lambda console: _show(console, found), as_json=as_json)


def _show(console, found: Inspection) -> None:
    sources = [found.train] if found.test is None else [found.train, found.test]
    columns = [_column(facts) for facts in sources]
    rows = [[name, *(c[name] for c in columns)] for name in columns[0]]
    console.print(table("texts", ["", *(Path(f.name).name for f in sources)], rows))
    if found.overlap is not None:
        o = found.overlap
        console.print(
            f"test texts in training: {o.same_letters} of {o.n_test} ({o.same_text} character by character, "
            f"{o.other_label} with another label), {o.near} more nearly; unknown: {o.unknown_tokens:.1%} of "
            f"the test's tokens, {o.unknown_words:.1%} of its words",
            soft_wrap=True,
        )
    for label, words in found.class_words.items():
        if words:
            said = ", ".join(f"{w.word} ({w.inside}:{w.outside})" for w in words[:_WORDS])
            console.print(visible(f"goes with {label}: {said}"), markup=False, soft_wrap=True)
    for f in found.findings:
        console.print(visible(f"{f.severity}: {f.words}; {f.cure}"), markup=False, soft_wrap=True)
        for i, case in enumerate(f.files[:_CASES]):
            detail = f"  {f.details[i]}" if f.details else ""
            console.print(visible(f"    {' = '.join(case)}{detail}"), markup=False, soft_wrap=True)
        if len(f.files) > _CASES:
            console.print(f"    and {len(f.files) - _CASES} more; --json lists all")
    if not found.findings:
        console.print("nothing found")


def _column(facts: TextFacts) -> dict[str, str]:
    lengths = facts.lengths
    tokens = "–"
    if lengths is not None:
        tokens = f"{lengths.min} / {lengths.median:g} / {lengths.p95:g} / {lengths.max}; {lengths.empty} empty"
    counts = list(facts.classes.items())
    shown = ", ".join(f"{label} {n}" for label, n in counts[:_WORDS]) + (" …" if len(counts) > _WORDS else "")
    return {
        "format, encoding": f"{facts.format}, {facts.encoding}",
        "rows": f"{facts.n_rows} ({facts.n_bad} bad)",
        "tokens: min / median / 95 % / max": tokens,
        "classes": shown or "none",
        "majority": "–" if facts.majority is None else f"{facts.majority:.1%}",
        "words": f"{facts.n_words} of {facts.n_tokens} tokens; {facts.once:.0%} of them seen once",
    }

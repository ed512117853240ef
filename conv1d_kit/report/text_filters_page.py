"""The page of an n-gram CNN's filters: what each listens for, slot by slot, and from where on it informs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import numpy as np

from ..text.filter_facts import FilterFacts, FilterReport
from .page import Block, Card, Details, Grid, Page, Picture, Section, Table, Text
from .plots import to_svg
from .text_colours import INK, printable, shade
from .text_plots import filter_map

__all__ = ["Heading", "SlotTable", "filters_page"]

_MOST = 30  # filters shown in full


@dataclass(frozen=True)
class Heading:
    """A heading within a section."""

    title: str

    def html(self) -> str:
        return f'<h3 style="margin:.25rem 0 .5rem;font-size:1.05rem">{escape(self.title)}</h3>'


@dataclass(frozen=True)
class SlotTable:
    """N-grams word by word, each on the colour of what its slot answers, with the response behind them."""

    rows: Sequence[tuple[Sequence[str], Sequence[float], str]]
    caption: str

    def html(self) -> str:
        largest = max((abs(v) for _, values, _ in self.rows for v in values), default=0.0) or 1.0
        width = max((len(words) for words, _, _ in self.rows), default=0)
        columns = [f"Slot {a + 1}" for a in range(width)]
        head = (
            "".join(f'<th scope="col">{c}</th>' for c in columns)
            + '<th scope="col" class="number">Response</th>'
        )
        body = ""
        for words, values, response in self.rows:
            cells = "".join(
                f'<td data-column="{c}">{_word(w, v, largest)}</td>'
                for c, w, v in zip(columns, words, values, strict=True)
            )
            body += f'<tr>{cells}<td class="number" data-column="Response">{escape(response)}</td></tr>'
        inside = f"<caption>{escape(self.caption)}</caption><thead><tr>{head}</tr></thead><tbody>{body}</tbody>"
        return f'<div class="wide"><table>{inside}</table></div>'


def filters_page(report: FilterReport, *, most: int = _MOST) -> Page:
    """The filters that inform most in full, the others in a table.

    Parameters
    ----------
    report : FilterReport
    most : int
        Filters shown in full.
    """
    order = sorted(report.filters, key=lambda f: (-f.say * f.informs, f.index))
    pure = [f for f in report.filters if f.threshold is not None]
    silent = float(np.mean([1 - f.informs for f in pure])) if pure else 1.0
    lead = (
        f"{len(report.filters)} filters, judged on {report.n_texts} labelled texts. {len(pure)} of them reach "
        f"a purity of {report.purity:g}; in {100 * silent:.0f} % of the texts such a filter passes on an "
        "n-gram below its threshold, only because a maximum has to pass on something."
    )
    words = "Each filter by how often it informs and how much it has to say"
    summary: list[Block] = [
        Picture(to_svg(filter_map(report)), words, words + "."),
        _classes(report),
        Text(_dead(report)),
    ]
    sections = [_reading(report)]
    sections.append(
        Section("The filters that inform most", [Grid([_filter(f) for f in order[:most]], columns=1)])
    )
    if len(order) > most:
        sections.append(Section("All filters", [Details(f"{len(order)} filters", [_table(order)])]))
    if report.twins:
        rows = [(f"{i} and {j}", r) for i, j, r in report.twins[:100]]
        sections.append(Section("Filters that say the same", [Table(("Filters", "Correlation"), rows)]))
    return Page("What the filters listen for", lead, summary, sections)


def _reading(report: FilterReport) -> Section:
    lines = [
        "A filter's class is the one with its largest output weight; its say is that weight less the next "
        f"one's. It informs from the smallest response on at which {100 * report.purity:.0f} % of the n-grams "
        "that it passed on came from texts of its class.",
        "A response is the sum of what each word gives at its slot, and a bias. Blue raises it, orange and "
        "dotted lowers it. The ceiling is the response if every slot held its best word: seldom do real "
        "n-grams come near.",
        "A negative n-gram stays below the threshold by the word in ‹ ›: with another one it is above.",
    ]
    return Section("How to read this page", [Text(line) for line in lines])


def _filter(f: FilterFacts) -> Block:
    name = printable(str(f.label))
    informs = (
        "It never becomes pure enough to inform."
        if f.threshold is None
        else f"It informs from {f.threshold:.2f} on ({100 * f.purity:.0f} % right), in {100 * f.informs:.0f} %."
    )
    words = f"Say {f.say:.2f}. {informs} It answers at all in {100 * f.fires:.0f} %. Ceiling {f.ceiling:.2f}."
    grams = [(g.words, g.slots, f"{g.response:.2f}") for g in f.ngrams]
    blocks: list[Block] = [Text(words), SlotTable(grams, "Strongest n-grams")]
    if f.negatives:
        rows = [
            (_marked(g.words, g.slot), g.like[g.slot], g.response, g.fall) for g in f.negatives
        ]  # fmt: skip
        blocks.append(Table(("Negative n-gram", "In place of", "Response", "Fall"), rows))
    best = [
        (a + 1, ", ".join(f"{printable(w)} {v:.2f}" for w, v in f.best[a]),
         ", ".join(f"{printable(w)} {v:.2f}".replace("-", "−") for w, v in f.worst[a]))
        for a in range(f.width)
    ]  # fmt: skip
    blocks.append(
        Details("Best and worst words of each slot", [Table(("Slot", "Raised by", "Held down by"), best)])
    )
    return Card([Heading(f"Filter {f.index}: {f.width} words, for {name}"), *blocks])


def _classes(report: FilterReport) -> Table:
    rows = []
    for label in sorted({f.label for f in report.filters}, key=str):
        own = [f for f in report.filters if f.label == label]
        informing = sum(f.threshold is not None for f in own)
        rows.append((printable(str(label)), len(own), informing, float(np.mean([f.informs for f in own]))))
    return Table(("Class", "Filters", "Pure enough", "Share of texts in which they inform"), rows)


def _dead(report: FilterReport) -> str:
    n = len(report.filters)
    twins = len({j for _, j, _ in report.twins})
    return (
        f"{len(report.dead)} of {n} filters ({100 * len(report.dead) / n:.0f} %) answer to no text at all; "
        f"{twins} ({100 * twins / n:.0f} %) say what an earlier one says already."
    )


def _table(order: Sequence[FilterFacts]) -> Table:
    rows = [
        (f.index, f.width, printable(str(f.label)), f.say,
         "never" if f.threshold is None else f"{f.threshold:.3f}", f.informs, f.fires,
         printable(" ".join(f.ngrams[0].words)) if f.ngrams else "")
        for f in order
    ]  # fmt: skip
    return Table(("Filter", "Words", "Class", "Say", "Informs from", "Informs in", "Fires in", "Best"), rows)


def _word(word: str, value: float, largest: float) -> str:
    red, green, blue = shade(value / largest)
    number = f"{value:+.2f}".replace("-", "−")
    under = ";text-decoration:underline dotted" if value < 0 and number != "−0.00" else ""
    style = (
        f"background:rgb({red},{green},{blue});color:{INK};border-radius:.2em;padding:.1em .25em;"
        f"-webkit-print-color-adjust:exact;print-color-adjust:exact{under}"
    )
    shown = f'<span style="{style}" title="{number}"><bdi>{escape(printable(word))}</bdi></span>'
    return f"<span>{shown} <small>{number}</small></span>"  # one cell where a narrow screen makes td a grid


def _marked(words: Sequence[str], slot: int) -> str:
    return " ".join(f"‹{printable(w)}›" if a == slot else printable(w) for a, w in enumerate(words))

"""The page of a text classifier's probes: deletion, negation and word order, with intervals."""

from __future__ import annotations

from collections.abc import Sequence

from ..text.deletion import DeletionTest
from ..text.negation import NegationResult
from ..text.word_order import OrderTest
from ..training.bootstrap import Interval
from .page import Block, Details, Page, Picture, Section, Table, Text
from .plots import to_svg
from .text_colours import printable
from .text_plots import deletion_curves

__all__ = ["probe_page"]


def probe_page(deletion: DeletionTest, negation: Sequence[NegationResult], order: OrderTest) -> Page:
    """Three sections: are the explanations faithful, does it read "not", what is the order of words worth."""
    lead = f"A text classifier, probed on {order.n_texts} labelled texts. Intervals hold 95 %."
    return Page(
        "Probes of a text classifier", lead, (), [_deletion(deletion), _order(order), _negation(negation)]
    )


def _deletion(found: DeletionTest) -> Section:
    n = len(found.curves["contribution"])
    words = "Mean probability of each text's own answer while its words are taken out, in several orders"
    rows = [(name, *_cells(interval, 3)) for name, interval in found.areas.items()]
    gains = [(name, *_cells(interval, 3)) for name, interval in found.gains.items()]
    how = "exact contributions" if found.method == "exact" else "integrated gradients"
    blocks: list[Block] = [
        Text(
            f"If an explanation names the words that matter, the answer goes when they go. {n} texts; the "
            f"order comes from {how}. A small area is a good order; at random it would be that of any words."
        ),
        Picture(to_svg(deletion_curves(found)), words, f"{words}; bands: 95 % of the mean."),
        Table(("Order", "Area under the curve", "95 % interval"), rows),
        Table(("Order", "Area above that of contribution", "95 % interval"), gains),
    ]
    if found.method == "exact":
        blocks.append(
            Text("Where a maximum pools ReLUs, gradient × input is the exact contribution: one line.")
        )
    return Section("Deletion: do the named words matter?", blocks)


def _order(found: OrderTest) -> Section:
    rows = [
        ("as they stand", *_cells(found.accuracy, 1, 100)),
        ("shuffled", *_cells(found.shuffled, 1, 100)),
        ("fall, paired", *_cells(found.fall, 1, 100)),
        ("answers that change", *_cells(found.changed, 1, 100)),
    ]
    text = (
        "The same words in random order: what accuracy is lost is what the net gains by n-grams. A bag of "
        "words loses nothing."
    )
    return Section(
        "Order: what are n-grams worth?", [Text(text), Table(("Words", "Accuracy (%)", "95 % interval"), rows)]
    )


def _negation(found: Sequence[NegationResult]) -> Section:
    rows = [(r.pattern, r.n, r.turned, *_cells(r.share, 1, 100), *_cells(r.change, 3)) for r in found]
    columns = (
        "Edit",
        "Texts",
        "Turned",
        "Turned (%)",
        "95 % interval",
        "Change of probability",
        "95 % interval of it",
    )
    blocks: list[Block] = [
        Text(
            "An edit of each text that it fits. The rules look at words alone and not every edit turns what "
            "a text says as a whole, so the share has no target of 100 %: it compares nets and edits."
        ),
        Table(columns, rows),
    ]
    for r in found:
        if r.examples:
            examples = [(printable(t.edited), t.before, t.after) for t in r.examples]
            head = ("Edited text", "Probability before", "after")
            blocks.append(Details(f"Largest changes: {r.pattern}", [Table(head, examples)]))
    return Section("Negation: does it read “not”?", blocks)


def _cells(interval: Interval, digits: int, scale: float = 1.0) -> tuple[str, str]:
    low, mid, high = (
        f"{scale * v:.{digits}f}".replace("-", "−").replace("nan", "–")
        for v in (interval.low, interval.estimate, interval.high)
    )
    return mid, f"{low} to {high}"

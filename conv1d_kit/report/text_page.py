"""The page of a text classifier's answers: texts coloured by what their words say, and n-grams in numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..text.explain import GradientCheck
from ..text.explanation import NgramShare, TextExplanation
from .page import Block, Card, Details, Grid, Page, Section, Table, Text
from .text_colours import ColouredText, printable

__all__ = ["explain_page"]

_TITLE = 40  # characters of a text in a heading


def explain_page(
    explanations: Sequence[TextExplanation],
    *,
    label: Any = None,
    against: Any = None,
    checks: Sequence[GradientCheck] | None = None,
    n: int = 8,
) -> Page:
    """One section a text: answer, coloured text, the n-grams that say most for and against, all words.

    Parameters
    ----------
    explanations : sequence of TextExplanation
    label, against : classes, optional
        As in TextExplanation.pair.
    checks : sequence of GradientCheck, optional
        One a text: a second coloured text shows integrated gradients.
    n : int
        N-grams for and against.

    Examples
    --------
    >>> explain_page([]).title
    'Why the classifier said so'
    """
    sections = [_reading(explanations)]
    for i, e in enumerate(explanations):
        check = None if checks is None else checks[i]
        sections.append(_section(i + 1, e, label, against, check, n))
    how = "by integrated gradients" if any(e.method == "gradients" for e in explanations) else "exactly"
    plural = "text" if len(explanations) == 1 else "texts"
    lead = f"{len(explanations)} {plural}, and what each word and n-gram added to the answer, {how}."
    return Page("Why the classifier said so", lead, (), sections)


def _reading(explanations: Sequence[TextExplanation]) -> Section:
    lines = [
        "A score is what a word or an n-gram adds to the logit of the explained class less the logit of the "
        "class it is compared with; their sum and the bias are that difference. Blue speaks for the class, "
        "orange and dotted for the other one. Point at a word for its score.",
    ]
    if any(e.multi_label for e in explanations):
        lines.append(
            "A text may have several labels: each is judged by its own logit, which no other one is taken from "
            "unless it was asked for."
        )
    if any(e.method == "linear" for e in explanations):
        lines.append(
            "The model weighs every n-gram that stands in the text, of words or of characters, so nothing is "
            "estimated. An n-gram's weight is spread evenly over what it is made of."
        )
    if any(e.method == "blend" for e in explanations):
        lines.append(
            "The model is the mean of several: a word's score is the mean of its scores in each, what stands "
            "between words goes to the bias."
        )
    if any(e.method == "exact" for e in explanations):
        lines.append(
            "The model is a sum over n-grams, so nothing is estimated. A word's score is its own part in all "
            "n-grams that it stands in; it depends on the window that won, and would change with the text."
        )
    if any(e.method == "gradients" for e in explanations):
        lines.append(
            "This net is no sum over n-grams; integrated gradients share out its rise over a text of zero "
            "embeddings, to within the gap that is given."
        )
    lines.append("It says what the model used, not whether that is right.")
    return Section("How to read this page", [Text(line) for line in lines])


def _section(number: int, e: TextExplanation, label, against, check: GradientCheck | None, n: int) -> Section:
    name, other_name = map(printable, e.sides(label, against))
    scores = e.word_scores(label, against)
    shares, last = e.strongest(n, label, against)
    answer = printable(e.answer)
    blocks: list[Block] = [ColouredText(e, scores, name, other_name)]
    if not len(e.tokens):
        blocks.append(Text("The text has no token: all of the answer is bias."))
    bias, total = (float(e.lead(values, label, against)) for values in (e.token_bias, e.logits))
    sums = f"Words {_signed(float(scores.sum()))}, bias {_signed(bias)}: together {_signed(total)}"
    less = "" if e.pair(label, against)[1] is None else f" less that of {other_name}"
    blocks.append(Text(f"{sums}, the logit of {name}{less}."))
    both = ((name, shares), (other_name, last))
    cards = [Card([_ngrams(found, f"For {side}")]) for side, found in both]
    blocks.append(Grid(cards, columns=2))
    rows = [
        (printable(str(c)), float(p), float(z))
        for c, p, z in zip(e.classes, e.probabilities, e.logits, strict=True)
    ]
    order = np.argsort(-e.logits, kind="stable")[:10]
    blocks.append(Table(("Class", "Probability", "Logit"), [rows[i] for i in order]))
    if check is not None:
        blocks += _checked(e, check, name, other_name)
    words = [
        (printable(t.word), float(s), "" if ok else "not in the vocabulary")
        for t, s, ok in zip(e.tokens, scores, e.known, strict=True)
    ]
    blocks.append(Details("All words", [Table(("Word", "Score", "Note"), words)]))
    start = " ".join(printable(e.text).split())
    start = start if len(start) <= _TITLE else start[: _TITLE - 1].rstrip() + "…"
    title = f"Text {number}, {answer} ({100 * float(e.probabilities.max()):.1f} %): {start}"
    return Section(title, blocks)


def _ngrams(shares: Sequence[NgramShare], title: str) -> Table:
    rows = [(printable(s.source), s.size, abs(s.value)) for s in shares]
    return Table(("N-gram", "Width", "Score"), rows or [("none", "", 0.0)], title)


def _checked(e: TextExplanation, check: GradientCheck, name: str, other: str) -> list[Block]:
    said = (
        "too few words to compare"
        if np.isnan(check.correlation)
        else f"rank correlation {check.correlation:.2f}"
    )
    words = (
        f"Integrated gradients of the same words: {said}. They share out {_signed(check.change)} in "
        f"{check.n_steps} gradients, {abs(check.gap):.3f} off."
    )
    return [Details("Integrated gradients", [Text(words), ColouredText(e, check.scores, name, other)])]


def _signed(value: float) -> str:
    return f"{value:+.2f}".replace("-", "−")

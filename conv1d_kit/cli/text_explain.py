"""`conv1d-kit text explain`: what each word and n-gram of a text added to a model's answer."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..errors import InputError
from .output import JsonFlag, check_apart, emit, note, progress, table, visible
from .text_rows import plain_rows
from .text_source import EncodingName, Format, TextColumn

if TYPE_CHECKING:
    from ..text.explain import GradientCheck
    from ..text.explanation import TextExplanation

__all__ = ["explain"]

_MOST = 100  # texts explained at once
_N = 5  # n-grams for and against


def explain(
    model: Annotated[Path, typer.Argument(help="A model folder that `text train` wrote.", show_default=False)],
    texts: Annotated[
        list[str] | None, typer.Argument(metavar="[TEXT]…", help="Texts.", show_default=False)
    ] = None,
    file: Annotated[
        Path | None, typer.Option("--file", help="A file of texts instead.", show_default=False)
    ] = None,
    row: Annotated[
        list[int] | None,
        typer.Option("--row", help="Row of the file, from 1; may be repeated.", show_default=False),
    ] = None,
    label: Annotated[
        str | None, typer.Option("--class", help="Class to explain; default the answer.", show_default=False)
    ] = None,
    against: Annotated[
        str | None,
        typer.Option("--against", help="Class to compare it with; default the next.", show_default=False),
    ] = None,
    html: Annotated[Path | None, typer.Option("--html", help="HTML page to write.", show_default=False)] = None,
    check: Annotated[bool, typer.Option("--check", help="Compare with integrated gradients.")] = False,
    method: Annotated[str, typer.Option("--method", help="auto, exact or gradients.")] = "auto",
    format: Format = None,
    text_column: TextColumn = "text",
    encoding: EncodingName = None,
    as_json: JsonFlag = False,
) -> None:
    """Colour texts by what each word added to the answer, exactly where the net allows it."""
    from ..text.classifier import TextClassifier
    from ..text.explain import check_gradients, explain_texts
    from ..text.tokens import has_token

    start = time.perf_counter()
    if html is not None:
        from ..report.page import check_target

        check_apart("--html", html, file)
        check_target(html, "explain.html", "choose another place with --html")
    if bool(texts) == (file is not None):
        raise InputError("give texts, or --file FILE, one of the two")
    if row and file is None:
        raise InputError("--row needs --file FILE")
    if row and min(row) < 1:
        raise InputError(f"--row must be an int >= 1, got {min(row)}")
    classifier = TextClassifier.load(model)
    classes = [str(c) for c in classifier.classes_.tolist()]
    if file is not None:
        chosen = plain_rows(
            file, row or None, classes, format=format, text_column=text_column, encoding=encoding, most=_MOST
        )
    else:
        chosen = list(enumerate(texts or [], start=1))
    if len(chosen) > _MOST:
        raise InputError(f"at most {_MOST} texts are explained at once, got {len(chosen)}")
    for name, value in (("--class", label), ("--against", against)):
        if value is not None and value not in classes:
            raise InputError(f"{name} must be one of {', '.join(classes)}, got {value!r}")
    if label is not None and label == against:
        raise InputError(f"--against must be another class than --class, got {against!r} for both")
    for number, text in chosen:
        if not has_token(text, classifier.tokenizer_):
            note(
                f"text {number}: no token for the tokenizer {classifier.tokenizer!r}; the answer is to nothing"
            )
    found = explain_texts(classifier, [text for _, text in chosen], method=method)
    checks: list[GradientCheck] | None = None
    if check and any(e.method != "exact" for e in found):
        note("note: --check left out: it compares the exact shares of a net with integrated gradients")
    elif check:
        checks = []
        with progress() as bar:
            task = bar.add_task("integrating gradients", total=len(found))
            for e in found:
                checks.append(check_gradients(classifier, e, label, against))
                bar.advance(task)
    if html is not None:
        from ..report.page import write_page
        from ..report.text_page import explain_page

        write_page(explain_page(found, label=label, against=against, checks=checks), html)
    rows = [number for number, _ in chosen]
    result = {
        "model": str(model),
        "file": None if file is None else str(file),
        "html": None if html is None else str(html),
        "texts": [
            {"row": n, **e.to_json(label, against), "check": None if checks is None else _check(checks[i])}
            for i, (n, e) in enumerate(zip(rows, found, strict=True))
        ],
        "mean_rank_correlation": None if checks is None else _mean_correlation(checks),
        "seconds": time.perf_counter() - start,
    }

    def show(console) -> None:
        for i, e in enumerate(found):
            _show(console, e, label, against, None if checks is None else checks[i])
        if checks is not None and len(checks) > 1:
            mean = _mean_correlation(checks)
            console.print(f"mean rank correlation with integrated gradients: {mean:.3f}", markup=False)
        if html is not None:
            console.print(f"page: {html}", markup=False, soft_wrap=True)

    emit(result, show, as_json=as_json)


def _mean_correlation(checks: list[GradientCheck]) -> float:
    """Over the texts of enough words to have one; NaN where there is none."""
    known = [c.correlation for c in checks if c.correlation == c.correlation]
    return sum(known) / len(known) if known else float("nan")


def _check(check: GradientCheck) -> dict[str, Any]:
    return {
        "rank_correlation": check.correlation, "change": check.change, "gap": check.gap,
        "gradients": check.n_steps, "scores": check.scores.tolist(),
    }  # fmt: skip


def _show(console, e: TextExplanation, label, against, check: GradientCheck | None) -> None:
    from ..report.text_colours import terminal_text

    name, other_name = e.sides(label, against)
    scores = e.word_scores(label, against)
    colours = bool(console.is_terminal and console.color_system and not console.no_color)
    best = float(e.probabilities.max())
    how = "integrated gradients" if e.method == "gradients" else "exact"
    line = f"{e.answer} ({best:.3f}); blue or + for {name}, orange or − for {other_name}; {how}"
    console.print(visible(line), markup=False, soft_wrap=True)
    console.print(terminal_text(e, scores, colours=colours), soft_wrap=True)
    first, last = e.strongest(_N, label, against)
    rows = [[g.source, g.size, f"{g.value:+.3f}".replace("-", "−")] for g in (*first, *reversed(last))]
    console.print(table("n-grams", ["n-gram", "width", "score"], rows))
    bias, total = (float(e.lead(values, label, against)) for values in (e.token_bias, e.logits))
    what = "logit" if e.pair(label, against)[1] is None else "logit difference"
    line = f"words {float(scores.sum()):+.3f}, bias {bias:+.3f}: {what} {total:+.3f}"
    console.print(line.replace("-", "−"), markup=False, soft_wrap=True)
    if check is not None:
        said = (
            "too few words to compare" if check.correlation != check.correlation else f"{check.correlation:.3f}"
        )
        console.print(
            f"rank correlation with integrated gradients: {said} ({check.n_steps} gradients, "
            f"{abs(check.gap):.3f} of {check.change:+.3f} left open)", markup=False, soft_wrap=True,
        )  # fmt: skip
    console.print()

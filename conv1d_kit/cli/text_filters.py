"""`conv1d-kit text filters`: what each filter of an n-gram CNN listens for, judged on labelled texts."""

from __future__ import annotations

import time
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from ..errors import InputError
from .output import JsonFlag, check_apart, emit, table
from .text_rows import check_net, labelled_rows
from .text_source import EncodingName, Format, LabelColumn, TextColumn

__all__ = ["filters"]

_SHOWN = 20  # filters printed; the page and the JSON object hold all


def filters(
    model: Annotated[Path, typer.Argument(help="A model folder that `text train` wrote.", show_default=False)],
    file: Annotated[
        Path, typer.Argument(help="Labelled texts, better not those trained on.", show_default=False)
    ],
    n: Annotated[int, typer.Option("-n", help="N-grams, words and negative n-grams a filter.")] = 5,
    purity: Annotated[
        float, typer.Option("--purity", help="Share of right n-grams that makes one inform.")
    ] = 0.75,
    html: Annotated[Path | None, typer.Option("--html", help="HTML page to write.", show_default=False)] = None,
    format: Format = None,
    text_column: TextColumn = "text",
    label_column: LabelColumn = "label",
    encoding: EncodingName = None,
    as_json: JsonFlag = False,
) -> None:
    """Each filter's class, best n-grams by slot, purity threshold, negative n-grams; dead ones and twins."""
    from ..text.classifier import TextClassifier
    from ..text.filters import filter_report

    start = time.perf_counter()
    if html is not None:
        from ..report.page import check_target

        check_apart("--html", html, file)
        check_target(html, "filters.html", "choose another place with --html")
    if n < 1:
        raise InputError(f"-n must be an int >= 1, got {n}")
    if not 0 < purity <= 1:
        raise InputError(f"--purity must be in (0, 1], got {purity}")
    classifier = TextClassifier.load(model)
    check_net(classifier)
    data = labelled_rows(
        file, [str(c) for c in classifier.classes_.tolist()], format=format, text_column=text_column,
        label_column=label_column, encoding=encoding, tokenizer=classifier.tokenizer,
    )  # fmt: skip
    report = filter_report(classifier, data.texts, data.labels, n=n, purity=purity)
    if html is not None:
        from ..report.page import write_page
        from ..report.text_filters_page import filters_page

        write_page(filters_page(report), html)
    result = {
        "model": str(model),
        "file": data.name,
        "html": None if html is None else str(html),
        "rows": report.n_texts,
        "bad_rows": len(data.bad),
        "purity": purity,
        "dead": report.dead,
        "twins": [{"filters": [i, j], "correlation": r} for i, j, r in report.twins],
        "filters": [asdict(f) for f in report.filters],
        "seconds": time.perf_counter() - start,
    }

    def show(console) -> None:
        order = sorted(report.filters, key=lambda f: (-f.say * f.informs, f.index))
        rows = [
            [f.index, f.width, f.label, f.say, "never" if f.threshold is None else f"{f.threshold:.2f}",
             f.informs, " ".join(f.ngrams[0].words) if f.ngrams else ""]
            for f in order[:_SHOWN]
        ]  # fmt: skip
        columns = ["filter", "words", "class", "say", "informs from", "in", "best n-gram"]
        console.print(
            table(f"{min(_SHOWN, len(order))} of {len(order)} filters, by say × informs", columns, rows)
        )
        twins = len({j for _, j, _ in report.twins})
        console.print(f"dead: {len(report.dead)}, like an earlier one: {twins}, of {len(order)}", markup=False)
        if html is not None:
            console.print(f"page: {html}", markup=False, soft_wrap=True)

    emit(result, show, as_json=as_json)

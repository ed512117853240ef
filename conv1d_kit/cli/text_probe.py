"""`conv1d-kit text probe`: are explanations faithful, does the model read "not", what is word order worth."""

from __future__ import annotations

import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..errors import InputError
from .output import JsonFlag, check_apart, emit, table
from .text_rows import check_net, labelled_rows
from .text_source import EncodingName, Format, LabelColumn, TextColumn

if TYPE_CHECKING:
    from ..training.bootstrap import Interval

__all__ = ["probe"]


def probe(
    model: Annotated[Path, typer.Argument(help="A model folder that `text train` wrote.", show_default=False)],
    file: Annotated[Path, typer.Argument(help="Labelled texts, not those trained on.", show_default=False)],
    limit: Annotated[int, typer.Option("--limit", help="Texts of the deletion test, drawn at random.")] = 300,
    shuffles: Annotated[int, typer.Option("--shuffles", help="Shuffles a text of the order test.")] = 5,
    antonyms: Annotated[
        str | None,
        typer.Option(
            "--antonyms", help="Pairs such as good:bad,hot:cold; default film words.", show_default=False
        ),
    ] = None,
    seed: Annotated[int, typer.Option("--seed", help="Same seed, same figures.")] = 0,
    html: Annotated[Path | None, typer.Option("--html", help="HTML page to write.", show_default=False)] = None,
    format: Format = None,
    text_column: TextColumn = "text",
    label_column: LabelColumn = "label",
    encoding: EncodingName = None,
    as_json: JsonFlag = False,
) -> None:
    """Delete words by contribution, negate, shuffle; each with an interval over texts."""
    import numpy as np

    from ..text.classifier import TextClassifier
    from ..text.deletion import deletion_test
    from ..text.negation import negation_test
    from ..text.word_order import order_test

    start = time.perf_counter()
    for name, value, low in (("--limit", limit, 2), ("--shuffles", shuffles, 1), ("--seed", seed, 0)):
        if value < low:
            raise InputError(f"{name} must be an int >= {low}, got {value}")
    pairs = None if antonyms is None else _pairs(antonyms)
    if html is not None:
        from ..report.page import check_target

        check_apart("--html", html, file)
        check_target(html, "probe.html", "choose another place with --html")
    classifier = TextClassifier.load(model)
    check_net(classifier)
    data = labelled_rows(
        file, [str(c) for c in classifier.classes_.tolist()], format=format, text_column=text_column,
        label_column=label_column, encoding=encoding, tokenizer=classifier.tokenizer,
    )  # fmt: skip
    rows = np.sort(np.random.default_rng(seed).permutation(len(data))[:limit])
    deletion = deletion_test(classifier, [data.texts[i] for i in rows], seed=seed)
    negation = negation_test(classifier, data.texts, antonyms=pairs)
    order = order_test(classifier, data.texts, data.labels, n_shuffles=shuffles, seed=seed)
    if html is not None:
        from ..report.page import write_page
        from ..report.text_probe_page import probe_page

        write_page(probe_page(deletion, negation, order), html)
    result = {
        "model": str(model),
        "file": data.name,
        "html": None if html is None else str(html),
        "rows": len(data),
        "bad_rows": len(data.bad),
        "deletion": {
            "texts": len(rows) - deletion.n_left_out,
            "method": deletion.method,
            "shares": deletion.shares.tolist(),
            "curves": {name: curve.mean(0).tolist() for name, curve in deletion.curves.items()},
            "areas": {name: asdict(i) for name, i in deletion.areas.items()},
            "above_contribution": {name: asdict(i) for name, i in deletion.gains.items()},
        },
        "order": {k: asdict(getattr(order, k)) for k in ("accuracy", "shuffled", "fall", "changed")},
        "negation": [asdict(r) for r in negation],
        "seconds": time.perf_counter() - start,
    }

    def show(console) -> None:
        shown: list[list[Any]] = [[name, *_cells(i)] for name, i in deletion.areas.items()]
        console.print(table(f"deletion, {len(rows)} texts: area, small is good", _columns("order"), shown))
        shown = [[name, *_cells(getattr(order, name))] for name in ("accuracy", "shuffled", "fall", "changed")]
        console.print(table(f"word order, {len(data)} texts", _columns(""), shown))
        shown = [[r.pattern, r.n, r.turned, *_cells(r.share)] for r in negation]
        console.print(
            table("negation: answers that turn", ["edit", "texts", "turned", "share", "from", "to"], shown)
        )
        if html is not None:
            console.print(f"page: {html}", markup=False, soft_wrap=True)

    emit(result, show, as_json=as_json)


def _columns(first: str) -> list[str]:
    return [first, "mean", "from", "to"]


def _cells(interval: Interval) -> list[str]:
    return [
        "–" if v != v else f"{v:.3f}".replace("-", "−")
        for v in (interval.estimate, interval.low, interval.high)
    ]


def _pairs(text: str) -> dict[str, str]:
    pairs = [part.split(":") for part in text.split(",")]
    if not all(len(p) == 2 and p[0].strip() and p[1].strip() for p in pairs):
        raise InputError(f"--antonyms must be pairs with commas between, got {text!r}; try good:bad,hot:cold")
    return {a.strip(): b.strip() for a, b in pairs}

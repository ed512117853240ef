"""`conv1d-kit text export MODEL --out model.onnx` and `conv1d-kit text card MODEL --out README.md`"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from ..errors import InputError
from .output import JsonFlag, emit, note, table

__all__ = ["card", "export"]

_Model = Annotated[Path, typer.Argument(help="A model folder that `text train` wrote.", show_default=False)]
_Out = Annotated[Path, typer.Option("--out", help="ONNX file to write, or a folder to write model.onnx into.")]
_Int8 = Annotated[bool, typer.Option("--int8", help="Also write NAME.int8.onnx beside it.")]
_Check = Annotated[Path | None, typer.Option("--check", help="Labelled texts to score on, not of training.")]
_Format = Annotated[
    str | None, typer.Option("--format", help="Of --check: one of `text train`; by default the ending's.")
]
_TextColumn = Annotated[str, typer.Option("--text-column", help="Of --check: column or key of the text.")]
_LabelColumn = Annotated[str, typer.Option("--label-column", help="Of --check: column or key of the label.")]
_Encoding = Annotated[str | None, typer.Option("--encoding", help="Of --check: by default detected.")]


def export(
    model: _Model,
    out: _Out,
    int8: _Int8 = False,
    check: _Check = None,
    format: _Format = None,
    text_column: _TextColumn = "text",
    label_column: _LabelColumn = "label",
    encoding: _Encoding = None,
    json: JsonFlag = False,
) -> None:
    """Write a model as ONNX from tokens to probabilities, held to torch within 1e-4, and its words as JSON."""
    from ..training.onnx_file import check_onnx_target, extra

    start = time.perf_counter()
    target = _target(out)
    small = target.with_suffix(".int8.onnx")
    for name in ("onnx", "onnxscript", "onnxruntime"):
        extra(name)

    from ..text.classifier import TextClassifier
    from ..text.dataset import read_texts
    from ..text.export import check_export_target, export_onnx, quantize_onnx, words_path
    from ..text.onnx_compare import compare
    from ..text.onnx_runner import OnnxTextClassifier

    check_export_target(target)
    if int8:
        check_onnx_target(small)
    classifier = TextClassifier.load(model)
    texts = None
    if check is not None and classifier.multi_label:
        raise InputError("--check must be left out for a model of several labels a text: it judges one")
    if check is not None:
        texts = read_texts(
            check, format=format, text_column=text_column, label_column=label_column, encoding=encoding,
            tokenizer=classifier.tokenizer,
        )  # fmt: skip
        if texts.bad:
            note(f"{texts.name}: {len(texts.bad)} rows left out, the first in line {texts.bad[0].line}: "
                 f"{texts.bad[0].error}")  # fmt: skip
    result: dict = {"model": str(model), "classes": [str(c) for c in classifier.classes_.tolist()],
                    "words": str(words_path(target))}  # fmt: skip
    result["largest_difference_from_torch"] = export_onnx(classifier, target)
    files = {"float": target}
    if int8:
        result["int8_layers"] = quantize_onnx(target, small)
        files["int8"] = small
    runners = [OnnxTextClassifier(file, n_threads=1) for file in files.values()]
    result["files"] = [
        {"weights": kind, "path": str(file), "bytes": file.stat().st_size, "made": r.description_.quantized}
        for (kind, file), r in zip(files.items(), runners, strict=True)
    ]
    if texts is not None:
        found = compare(runners, texts.texts, texts.labels)
        result["check"] = {"file": texts.name, "n_texts": len(texts), "bad_rows": len(texts.bad)}
        for row, score in zip(result["files"], found.scores, strict=True):
            row |= {"accuracy": score.accuracy, "interval": list(score.interval), "n_correct": score.n_correct,
                    "texts_per_second": score.texts_per_second}  # fmt: skip
        if int8:
            result["check"] |= {"agreement": found.agreement, "largest_difference": found.largest_difference}
    result["seconds"] = time.perf_counter() - start
    emit(result, lambda console: _show(console, result), as_json=json)


def card(
    model: _Model,
    out: Annotated[Path, typer.Option("--out", help="Markdown file to write; an older card is replaced.")],
    predictions: Annotated[
        Path | None,
        typer.Option("--predictions", help="Kept predictions (JSON lines) of other rows than training's."),
    ] = None,
    scores: Annotated[
        Path | None, typer.Option("--scores", help="What `text cv --json` or `text predict --json` printed.")
    ] = None,
    name: Annotated[str | None, typer.Option("--name", help="Of the model; by default its folder's.")] = None,
    license: Annotated[str | None, typer.Option("--license", help="For the front matter, such as mit.")] = None,
    language: Annotated[str | None, typer.Option("--language", help="For the front matter: en, say.")] = None,
    json: JsonFlag = False,
) -> None:
    """Write a model card: training data, options, versions, figures if given, limits."""
    from ..text.model_card import ModelFacts, model_card, read_scores, write_card
    from ..training.predictions import Predictions

    facts = ModelFacts(model)
    said = None if predictions is None else Predictions.load(predictions)
    text = model_card(
        facts, name=name or model.resolve().name, predictions=said,
        scores=None if scores is None else read_scores(scores), license=license, language=language,
    )  # fmt: skip
    write_card(out, text)
    if out.resolve().parent == model.resolve():
        note(f"{model} holds more than a model now: training will not replace it while {out.name} is there")
    result = {
        "model": str(model), "card": str(out), "classes": facts.classes, "weights": facts.n_weights,
        "words": facts.n_words, "weights_hash": facts.weights_hash,
        "accuracy": None if said is None else said.accuracy,
    }  # fmt: skip
    emit(result, lambda console: console.print(f"written: {out}", markup=False, soft_wrap=True), as_json=json)


def _target(out: Path) -> Path:
    """The ONNX file that --out names."""
    if out.suffix == ".onnx" and not out.is_dir():
        return out
    if out.is_dir() or out.suffix == "":
        return out / "model.onnx"
    raise InputError(f"--out must be a folder or end in .onnx, got {out}; try {out.with_suffix('.onnx')}")


def _show(console, result: dict) -> None:
    checked = "check" in result
    columns = ["weights", "bytes", *(["accuracy", "95 % interval", "texts/s"] if checked else [])]
    rows = []
    for f in result["files"]:
        row = [f["weights"], f["bytes"]]
        if checked:
            low, high = f["interval"]
            row += [f["accuracy"], f"{low:.3f} to {high:.3f}", round(f["texts_per_second"])]
        rows.append(row)
    title = f"{result['check']['n_texts']} texts, one thread" if checked else "exported"
    console.print(table(title, columns, rows))
    said = result.get("check", {})
    if "agreement" in said:
        console.print(
            f"int8 gives the label of float to {said['agreement']:.4f} of the texts; "
            f"probabilities differ by at most {said['largest_difference']:.4f}",
            soft_wrap=True,
        )
        plain, small = result["files"]
        if small["n_correct"] < plain["n_correct"]:
            console.print(f"int8 loses {plain['n_correct'] - small['n_correct']} right answers here")
        if small["texts_per_second"] < plain["texts_per_second"]:
            console.print("int8 is slower than float on this processor")
    console.print(f"largest difference from torch: {result['largest_difference_from_torch']:.1e}")
    for f in result["files"]:
        words = f" ({f['made']})" if f["made"] else ""
        console.print(f"{f['weights']}: {f['path']}{words}", markup=False, soft_wrap=True)
    console.print(f"words: {result['words']}", markup=False, soft_wrap=True)

"""The model card: what a text model was trained on, with which options, how well it does and where it ends."""

from __future__ import annotations

import hashlib
import json
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import DataError, InputError, ModelError, one_line
from ..training.calibration import calibration_error
from ..training.metrics import class_report, confusion_matrix, wilson_interval
from ..training.model_folder import load_model_folder
from ..training.predictions import Predictions

__all__ = ["MARK", "ModelFacts", "model_card", "read_scores", "write_card"]

MARK = "library_name: conv1d_kit"  # by this line a card is known as one of ours
FEW = 50  # training rows of a class below which its figures are chance


class ModelFacts:
    """What a model folder says of itself.

    Attributes
    ----------
    config : dict
        Its config.json.
    n_weights : int
    weights_hash : str
        SHA-256 of its tensors' file.
    n_words : int or None
        Of the vocabulary, where the model has a single one.

    Raises
    ------
    ModelError
        If it is no folder of a text model.
    """

    def __init__(self, path: Any):
        self.config, tensors = load_model_folder(path, "text")
        self.n_weights = sum(t.numel() for t in tensors.values() if t.is_floating_point())
        self.weights_hash = hashlib.sha256((Path(path) / "weights.safetensors").read_bytes()).hexdigest()
        inner = self.config.get("model")
        words = (inner if isinstance(inner, dict) else self.config).get("vocabulary")
        self.n_words = len(words) if isinstance(words, list) else None
        said = self.config.get("classes"), self.config.get("options")
        if not isinstance(said[0], list) or not isinstance(said[1], dict):
            raise ModelError(f"{path}: config.json must say classes and options; train it again")

    @property
    def classes(self) -> list[str]:
        """In the order of the probabilities."""
        return [str(c) for c in self.config["classes"]]

    @property
    def kind(self) -> str:
        """The row of the model's table, "cnn" say."""
        options = self.config["options"]
        return str(options.get("model", options.get("net", "?")))


def model_card(
    facts: ModelFacts,
    *,
    name: str,
    predictions: Predictions | None = None,
    scores: Mapping[str, Any] | None = None,
    license: str | None = None,
    language: str | None = None,
) -> str:
    """A model card in Markdown with the front matter that the Hugging Face hub reads.

    Parameters
    ----------
    facts : ModelFacts
    name : str
        Of the model.
    predictions : Predictions, optional
        Of rows that it was not trained on: accuracy, calibration and each class's figures.
    scores : mapping, optional
        What `text cv --json` or `text predict --json` printed: its accuracy, interval and files.
    license, language : str, optional
        For the front matter.

    Raises
    ------
    InputError
        If the predictions are of other classes, or the scores hold no accuracy from 0 to 1.
    """
    if predictions is not None and list(predictions.classes) != facts.classes:
        raise InputError(
            f"predictions must be of the model's classes ({', '.join(facts.classes[:8])}), "
            f"got {', '.join(predictions.classes[:8])}"
        )
    figures = [*(_of_predictions(predictions) if predictions else ()), *(_of_scores(scores) if scores else ())]
    parts = [
        _front_matter(facts, name, figures, license, language),
        f"# {_line(name)}",
        f"A text classifier: {_cell(facts.kind)} of conv1d_kit, {len(facts.classes)} classes, "
        f"{facts.n_weights:,} weights"
        + (f", a vocabulary of {facts.n_words:,} words." if facts.n_words is not None else "."),
        _training(facts),
        "## Figures",
        _figures(figures),
        *([_per_class(predictions)] if predictions else []),
        "## Options",
        _table(["option", "value"], _options(facts)),
        "## Use",
        "```python\nfrom conv1d_kit import TextClassifier\n\n"
        'model = TextClassifier.load("MODEL_FOLDER")\nmodel.predict_proba(["a text"])\n```',
        "## Limits",
        _limits(facts, figures),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def read_scores(path: Any) -> dict[str, Any]:
    """The JSON object that a verb printed with --json.

    Raises
    ------
    DataError
        If the file cannot be read or holds no JSON object.
    """
    try:
        said = json.loads(Path(path).read_text("utf-8"))
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise DataError(f"{path} is not JSON ({error}); give what a verb printed with --json") from error
    if not isinstance(said, dict):
        raise DataError(f"{path} must hold one JSON object, got {one_line(said)}")
    return said


def write_card(path: Any, text: str) -> None:
    """Write the card; a card of this package that stands there is replaced, nothing else.

    Raises
    ------
    DataError
        If something else stands there or it cannot be written.
    """
    target = Path(path)
    try:
        ours = target.is_file() and MARK in target.read_text("utf-8", "replace")
        if os.path.lexists(target) and not ours:
            raise DataError(f"{target} is no model card of conv1d_kit, it is not replaced; choose another name")
        target.parent.mkdir(parents=True, exist_ok=True)
        part = target.with_name(f".{target.name}.part")
        part.write_text(text, "utf-8")
        os.replace(part, target)
    except OSError as error:
        raise DataError(f"{target} cannot be written: {error.strerror}") from error


@dataclass(frozen=True)
class _Figure:
    """A number with where it is from."""

    metric: str
    value: float
    source: str
    interval: tuple[float, float] | None
    how: str


def _of_predictions(p: Predictions) -> list[_Figure]:
    n, seeds = len(p), len(set(p.seeds))
    right = int((p.predicted == p.targets).sum())
    how = f"{n:,} held-out rows" + (f", {seeds} seeds" if seeds > 1 else "")
    # rows of several seeds are the same texts again: they make the interval no narrower
    interval = wilson_interval(round(right / seeds), max(1, n // seeds))
    return [
        _Figure("accuracy", p.accuracy, "predictions", interval, f"{how}; Wilson interval"),
        _Figure("calibration error", calibration_error(p.probabilities, p.targets), "predictions", None, how),
    ]


def _of_scores(scores: Mapping[str, Any]) -> list[_Figure]:
    accuracy = scores.get("accuracy")
    if isinstance(accuracy, bool) or not isinstance(accuracy, int | float) or not 0 <= accuracy <= 1:
        raise InputError(
            f"scores must hold an accuracy from 0 to 1, got {one_line(accuracy)}; score labelled texts"
        )
    interval = scores.get("interval")
    pair = None
    if isinstance(interval, list) and len(interval) == 2 and all(isinstance(v, int | float) for v in interval):
        pair = (float(interval[0]), float(interval[1]))
    folds, where = scores.get("folds"), scores.get("test") or scores.get("file") or "scores"
    said = [
        f"{len(folds)} folds" if isinstance(folds, list) and not scores.get("test") else "",
        f"{scores['rows']:,} rows" if isinstance(scores.get("rows"), int) else "",
        str(scores.get("interval_kind", "")),
    ]
    return [_Figure("accuracy", float(accuracy), Path(str(where)).name, pair, ", ".join(s for s in said if s))]


def _front_matter(facts: ModelFacts, name: str, figures: list[_Figure], license, language) -> str:
    """YAML; every string as JSON writes it, which YAML reads."""
    lines = ["---", MARK, "pipeline_tag: text-classification"]
    for key, value in (("license", license), ("language", language)):
        if value is not None:
            lines.append(f"{key}: {json.dumps(value)}")
    lines += ["tags:", "- text-classification", f"- {json.dumps(facts.kind)}"]
    if figures:
        lines += ["model-index:", f"- name: {json.dumps(name)}", "  results:"]
        for source in dict.fromkeys(f.source for f in figures):
            lines += [
                "  - task:", "      type: text-classification",
                "    dataset:", f"      name: {json.dumps(source)}", f"      type: {json.dumps(source)}",
                "    metrics:",
            ]  # fmt: skip
            for f in figures:
                if f.source == source and math.isfinite(f.value):
                    kind = f.metric.replace(" ", "_")
                    lines += [f"    - type: {kind}", f"      value: {f.value:.6f}"]
                    lines += [f"      name: {json.dumps(f.how)}"]
    return "\n".join([*lines, "---"])


def _training(facts: ModelFacts) -> str:
    said = facts.config.get("training")
    training: dict[str, Any] = said if isinstance(said, dict) else {}
    counts = training.get("class_rows")
    known = isinstance(counts, list) and len(counts) == len(facts.classes)
    shown = [f"{n:,}" for n in counts] if known else ["not recorded"] * len(facts.classes)  # type: ignore[union-attr]
    rows = [list(pair) for pair in zip(facts.classes, shown, strict=True)]
    apart = ("class_rows", "weights")  # shown elsewhere
    facts_rows = [[k.replace("_", " "), _value(v)] for k, v in training.items() if k not in apart]
    versions = facts.config.get("versions", {})
    facts_rows += [[f"version of {k}", str(v)] for k, v in versions.items()]
    facts_rows.append(["SHA-256 of the weights", facts.weights_hash])
    words = "" if training else "What it was trained on is not recorded in this model folder."
    tables = _table(["fact", "value"], facts_rows), _table(["class", "training rows"], rows)
    return "\n\n".join(part for part in ("## Training", words, *tables) if part)


def _options(facts: ModelFacts) -> list[list[str]]:
    return [[k, json.dumps(v, ensure_ascii=False)] for k, v in facts.config["options"].items()]


def _figures(figures: list[_Figure]) -> str:
    if not figures:
        return "None were given: how often it is right on texts that it was not trained on is not known."
    rows = []
    for f in figures:
        interval = "" if f.interval is None else f"{f.interval[0]:.4f} to {f.interval[1]:.4f}"
        rows.append([f.metric, f"{f.value:.4f}", interval, f.source, f.how])
    return _table(["figure", "value", "95 % interval", "on", "how"], rows)


def _per_class(p: Predictions) -> str:
    matrix = confusion_matrix(p.targets.tolist(), p.predicted.tolist(), len(p.classes))
    report = class_report(matrix, p.classes)
    keys = [k for k in report[0] if k != "class"]
    rows = [[row["class"], *(_value(row[k]) for k in keys)] for row in report]
    return _table(["class", *keys], rows)


def _limits(facts: ModelFacts, figures: list[_Figure]) -> str:
    options, training = facts.config["options"], facts.config.get("training") or {}
    several = bool(options.get("multi_label"))
    lines = [
        "It names one of its classes for every text, also for one of another kind or language.",
        "Words that its training did not hold are unknown to it; a text of none but such has no evidence.",
    ]
    if several:
        lines[0] = "Each class has a probability of its own; a text may get none."
    counts = training.get("class_rows")
    if isinstance(counts, list) and len(counts) == len(facts.classes):
        few = [f"{_cell(c)} ({n})" for c, n in zip(facts.classes, counts, strict=True) if n < FEW]
        if few:
            lines.append(f"Few training rows: {', '.join(few)}.")
        top = f"{max(counts) / max(1, training.get('rows', sum(counts))):.1%} of the training rows"
        lines.append(
            f"The most frequent class stands in {top}."
            if several
            else f"The most frequent class is {top}: as much is right by chance."
        )
    known = any(f.metric == "calibration error" for f in figures)
    if facts.config.get("temperature", 1.0) == 1.0 and not known:
        lines.append(
            "Its probabilities are not calibrated: they order texts, they are no shares of right ones."
        )
    if figures:
        lines.append("Figures hold for texts like those they were measured on.")
    return "\n".join(f"- {line}" for line in lines)


def _table(columns: list[str], rows: list[list[str]]) -> str:
    head = [f"| {' | '.join(columns)} |", f"|{'---|' * len(columns)}"]
    return "\n".join([*head, *(f"| {' | '.join(map(_cell, row))} |" for row in rows)])


def _value(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.4f}"
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _line(text: str) -> str:
    return " ".join(str(text).split())


def _cell(text: str) -> str:
    """Text that stays in its cell and is no markup."""
    safe = _line(text).encode("utf-8", "backslashreplace").decode()
    for mark in "\\|`*_<>[]":
        safe = safe.replace(mark, f"\\{mark}")
    return safe

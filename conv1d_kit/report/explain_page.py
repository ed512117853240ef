"""The page of an audio model's answers: for each file what it heard, where it looked and what is near."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..audio.classifier import Prediction
from ..audio.embedding import embed
from ..audio.embedding_index import EmbeddingIndex
from ..audio.explain import Attribution, View, grad_cam, integrated_gradients, views
from ..audio.responses import first_filters
from ..audio.stretches import STRETCH_S, stretches
from ..audio.trim import heard_of, is_silence
from ..errors import ConvKitError, InputError
from .audio_plots import attribution_map, attribution_timeline, filter_responses, probabilities
from .page import Block, Card, Details, Grid, Page, Picture, Section, Sound, Stack, Table, Text
from .plots import sound, to_svg

__all__ = ["FileReport", "explain_files"]

_NEAR_S = 10.0  # of a near clip's player


@dataclass(frozen=True)
class FileReport:
    """What the page says of one file, for the verb's own words.

    gap : float
        The largest |sum of the shares − change| / |change| of its integrated gradients.
    """

    path: str
    label: Any = None
    score: float = float("nan")
    explained: Any = None
    gap: float = float("nan")
    error: str = ""


def explain_files(
    model,
    paths: Sequence,
    *,
    label: str | None = None,
    index: EmbeddingIndex | None = None,
    n_near: int = 3,
    max_steps: int = 512,
    on_file: Callable[[FileReport], None] | None = None,
) -> tuple[Page, list[FileReport]]:
    """The page, and a FileReport each; a file that cannot be read has a section that says why.

    Parameters
    ----------
    model : a trained AudioClassifier
    paths : sequence of path
    label : str, optional
        Class whose logit is explained; default each file's most probable one.
    index : EmbeddingIndex, optional
        Where near clips are looked for; it must be this model's.
    n_near : int
    max_steps : int
        Gradients of one integral, at most; what is left open then is said under the picture.
    on_file : callable

    Raises
    ------
    InputError
        If the label is no class of the model, or the index is another model's.
    """
    classes = [str(c) for c in model.classes_]
    if label is not None and label not in classes:
        raise InputError(f"label must be one of {', '.join(classes)}, got {label!r}")
    if index is not None:
        index.check_model(model)
    target = None if label is None else classes.index(label)
    sections, reports = [_reading(model)], []
    for prediction, path in zip(model.predict_each(paths), paths, strict=True):
        section, report = _file(model, prediction, path, target, index, n_near, max_steps)
        sections.append(section)
        reports.append(report)
        if on_file is not None:
            on_file(report)
    sections.append(_filters(model))
    n_bad = sum(bool(r.error) for r in reports)
    names = ", ".join(v.name for v in views(model))
    lead = (
        f"{len(reports) - n_bad} sounds heard by a model of {len(classes)} classes ({names}, "
        f"{model.sample_rate_ / 1000:g} kHz), and what in them decided."
        + f" {n_bad} could not be read."
        * bool(n_bad)
    )
    return Page("What the model heard", lead, (), sections), reports


def _reading(model) -> Section:
    lines = [
        "Grad-CAM colours the places whose last feature maps speak for the class. It is coarse, and never "
        "shows what speaks against.",
        "Integrated gradients share the net's score (a logit) out: warm blocks raised it over what silence "
        "gets, cold blocks lowered it, and all of them add up to the difference. What is as quiet as silence "
        "gets nothing, though a pause can matter.",
        "Both say what the net used, not whether it is right.",
    ]
    return Section("How to read this page", [Text(line) for line in lines])


def _file(model, prediction: Prediction, path, target, index, n_near, max_steps) -> tuple[Section, FileReport]:
    name = os.path.basename(os.fsdecode(path))
    if prediction.probabilities is None:
        return Section(name, [Text(prediction.error)]), FileReport(prediction.path, error=prediction.error)
    wave, n_read, (start_s, end_s) = _first_stretch(model, path)
    classes = [str(c) for c in model.classes_]
    if target is None:
        target = int(prediction.probabilities.argmax())
    explained = classes[target]
    duration_s = len(wave) / model.sample_rate_
    said = f"{classes[int(prediction.probabilities.argmax())]} ({100 * prediction.score:.1f} %)"
    blocks: list[Block] = [
        Grid(
            [
                Card(
                    [
                        Picture(
                            to_svg(sound(wave, model.sample_rate_, title=said)),
                            f"Waveform and spectrogram of {name}, {duration_s:.2f} s",
                            "Air pressure over time, and below it how strong each frequency is.",
                        ),
                        Sound(wave, model.sample_rate_, f"Play {name}"),
                    ]
                ),
                Card([_bars(classes, prediction)]),
                *[Card([picture]) for picture in _cams(model, wave, target, explained)],
            ]
        )
    ]
    if not wave.any():
        blocks.insert(0, Text("Every sample is 0: the net answers to silence, and nothing is shared out."))
        gap = float("nan")
    else:
        pictures, gap = _integrals(model, wave, target, explained, max_steps)
        blocks.append(Grid([Card([picture]) for picture in pictures]))
    if prediction.note:
        blocks.insert(0, Text(f"Doubtful: {prediction.note}."))
    if len(wave) < n_read:
        cut_s = (n_read - len(wave)) / model.sample_rate_
        blocks.insert(0, Text(f"{cut_s:.2f} s of silence at its ends are not heard by this model, nor shown."))
    if n_read / model.sample_rate_ >= STRETCH_S - 0.01:
        shown = f"The pictures show the sound's seconds {start_s:.0f} to {end_s:.0f}"
        blocks.insert(0, Text(f"{shown}; the probabilities are of the whole."))
    if index is not None:
        blocks += _near(model, path, index, n_near)
    report = FileReport(prediction.path, prediction.label, prediction.score, explained, gap)
    return Section(f"{name}: {said}", blocks), report


def _first_stretch(model, path) -> tuple[np.ndarray, int, tuple[float, float]]:
    """The first samples of a file that the model hears, how many were read for them, and theirs in seconds."""
    lengths: list[int] = []

    def counted() -> Iterator[np.ndarray]:
        for wave in _waves(path, model.sample_rate_):
            lengths.append(len(wave))
            yield wave

    wave = next(heard_of(counted(), model.sample_rate_, trim=model.trims))  # it has been predicted
    last = 1 if is_silence(wave) else len(lengths)  # of nothing but silence the first stretch is heard
    ends = sum(lengths[: last - 1]), sum(lengths[:last])
    return wave, sum(lengths), (ends[0] / model.sample_rate_, ends[1] / model.sample_rate_)


def _waves(path, sample_rate: int) -> Iterator[np.ndarray]:
    """A file's stretches, as far as it can be read."""
    return (s.samples for s in stretches([path], sample_rate, n_threads=1) if s.samples is not None)


def _bars(classes: list[str], prediction: Prediction) -> Picture:
    p = prediction.probabilities
    assert p is not None
    order = np.argsort(-p, kind="stable")[:2]
    words = f"The most probable class is {classes[order[0]]}, {100 * p[order[0]]:.1f} %"
    words += f", then {classes[order[1]]}, {100 * p[order[1]]:.1f} %." if len(order) > 1 else "."
    return Picture(to_svg(probabilities(classes, p)), words, words)


def _cams(model, wave: np.ndarray, target: int, explained: str) -> Iterable[Picture]:
    several = len(views(model)) > 1
    for view in views(model):
        found = grad_cam(view, wave, target)
        whole = f"Grad-CAM{f', {view.name}' * several}: "
        if not found.values.any():
            words = f"{whole}empty, nothing in the last maps speaks for {explained}."
        else:
            words = f"{whole}half of what speaks for {explained} lies {_where(found)}."
        yield Picture(_drawn(view, wave, found, signed=False, label="Grad-CAM (logits per cell)"), words, words)


def _integrals(model, wave, target: int, explained: str, max_steps: int) -> tuple[list[Picture], float]:
    """Integrated gradients on each picture that a net sees, and on the samples of the whole model."""
    several = len(views(model)) > 1
    tasks = [(view, "features") for view in views(model) if view.frontend.n_features > 1]
    tasks.append((View("whole model", model.frontend_, model.net_), "samples"))
    pictures, gaps = [], [0.0]
    for view, on in tasks:
        found = integrated_gradients(view, wave, target, on=on, max_steps=max_steps)
        gap = abs(found.gap) / max(abs(found.change), 1e-9)
        gaps.append(gap)
        kind = "on the samples" if on == "samples" else "on the features"
        whose = f", {view.name}" * several
        words = (
            f"Integrated gradients {kind}{whose}: the shares add up to {found.change:+.2f} "
            f"logits for {explained} over silence (to {100 * gap:.1g} %, {found.n_steps} steps)."
        ).replace("-", "−")
        if (found.values > 0).any():
            words += f" Half of what raised it lies {_where(found)}."
        label = "Share of the logit" if on == "samples" else "Share of the logit (per block)"
        svg = (
            to_svg(attribution_timeline(wave, model.sample_rate_, found, signed=True, label=label))
            if on == "samples"
            else _drawn(view, wave, found, signed=True, label=label)
        )
        pictures.append(Picture(svg, words, words))
    return pictures, max(gaps)


def _drawn(view: View, wave: np.ndarray, found: Attribution, *, signed: bool, label: str) -> bytes:
    features = view.features(wave)[0].detach().numpy()
    if len(features) == 1:
        rate = view.frontend.sample_rate
        return to_svg(attribution_timeline(wave, rate, found, signed=signed, label=label.replace(" (", "\n(")))
    return to_svg(attribution_map(features, found, signed=signed, label=label))


def _where(found: Attribution) -> str:
    """The middle half of the positive values, over time and where there are bands over frequency."""
    positive = np.maximum(found.values, 0)
    first, last = _middle_half(positive.sum(0))
    words = f"between {first * found.column_s:.2f} and {(last + 1) * found.column_s:.2f} s"
    if found.hz is not None:
        order = np.argsort(found.hz, kind="stable")
        low, high = _middle_half(positive.sum(1)[order])
        words += f" and, by frequency, between {_hz(found.hz[order[low]])} and {_hz(found.hz[order[high]])}"
    return words


def _middle_half(weights: np.ndarray) -> tuple[int, int]:
    share = np.cumsum(weights) / weights.sum()
    return int(np.searchsorted(share, 0.25)), int(np.searchsorted(share, 0.75))


def _hz(value: float) -> str:
    return f"{value:.0f} Hz" if value < 1000 else f"{value / 1000:.1f} kHz"


def _near(model, path, index: EmbeddingIndex, n_near: int) -> list[Block]:
    own = os.path.abspath(path)
    rows = [i for i, clip in enumerate(index.clips) if clip.get("path") == own]
    vector = embed(model, [path])[0]
    if not vector.any():
        return [Text("No near clips: this sound's vector is all 0.")]
    found = index.search(vector, k=n_near, leave_out=rows)
    cards: list[Block] = []
    for f in found:
        clip = os.fsdecode(f.clip["path"])
        label = f"{f.clip['label']}, " if "label" in f.clip else ""
        words = f"{os.path.basename(clip)}: {label}cosine {f.similarity:.3f}"
        cards.append(Card([Text(words), *_player(clip, model.sample_rate_)]))
    return [Text("The nearest clips of the index, by the net's own summary (this file left out):"), Grid(cards)]


def _player(path: str, sample_rate: int) -> list[Block]:
    try:
        wave = next(_waves(path, sample_rate), None)
    except ConvKitError:
        wave = None
    if wave is None:
        return [Text("It cannot be read any more.")]
    return [Sound(wave[: round(_NEAR_S * sample_rate)], sample_rate, f"Play {os.path.basename(path)}")]


def _filters(model) -> Section:
    blocks: list[Block] = []
    for view in views(model):
        filters = first_filters(view)
        if filters is None:
            blocks.append(Text(f"{view.name}: its first layer has no filters over samples."))
            continue
        taps = f"{filters.n_taps} taps, {1000 * filters.n_taps / filters.sample_rate:.1f} ms"
        words = (
            f"{view.name}: {len(filters.table)} mel bands, written down beforehand, not learned; each triangle "
            f"gathers the power of its frequencies (window of {taps})."
            if filters.kind == "mel"
            else f"{view.name}: {len(filters.table)} filters of {taps}, one row a filter, bright where it lets "
            "sound through."
        )
        rows = [(i + 1, round(f.peak_hz), round(f.bandwidth_hz)) for i, f in enumerate(filters.table)]
        columns = ("Filter", "Peak (Hz)", "Width at −3 dB (Hz)")
        picture = Picture(to_svg(filter_responses(filters)), words, words)
        blocks.append(
            Stack([picture, Details(f"All {len(rows)} filters of {view.name}", [Table(columns, rows)])])
        )
    return Section("The first filters", blocks)

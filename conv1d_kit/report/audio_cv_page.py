"""The page of a cross-validation: how good, how sure, where it errs, what it would be wise not to answer."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from ..audio.clip import Clip
from ..audio.dataset import common_folder, short_name
from ..audio.inspect import Finding
from ..errors import ConvKitError, InputError
from ..training.bootstrap import (
    Interval,
    accuracy_of,
    bootstrap_interval,
    class_scores_of,
    grouped_tallies,
    macro_f1_of,
)
from ..training.calibration import brier_score, cross_tempered, negative_log_likelihood, reliability
from ..training.metrics import confusion_matrix, mean_interval, wilson_interval
from ..training.predictions import Predictions
from ..training.rejection import coverage_curve, cross_answered
from .evaluation_plots import class_scores, coverage, reliability_diagram
from .findings import findings_blocks
from .page import Block, Card, Grid, Page, Picture, Section, Sound, Stack, Table, Text
from .plots import confusion, sound, to_svg

__all__ = ["AIMS", "MISTAKES", "audio_cv_page", "cv_figures"]

AIMS = (0.9, 0.95, 0.98, 0.99)  # accuracies of what is answered that thresholds are chosen for
MISTAKES = 9  # shown and heard
_MIN_COVERAGE = 0.2  # a threshold that fewer pass is luck
_HEARD_S, _HEARD_RATE = 10.0, 16000  # of a mistake, so that the page stays small
_DRAWN_CLASSES = 60  # in one picture; above, a confusion matrix is none any more


def audio_cv_page(
    said: Predictions,
    *,
    source: str = "",
    findings: Sequence[Finding] | None = None,
    read: Callable[[str], Clip] | None = None,
) -> Page:
    """The page of held-out predictions; the same predictions give the same page.

    Parameters
    ----------
    said : Predictions
    source : str
        What was cross-validated, for the opening words.
    findings : sequence of Finding, optional
        Of `audio.inspect`; None: not inspected.
    read : function (path) → Clip, optional
        Where the worst mistakes come from; Clip.read by default.
    """
    figures = cv_figures(said)
    right = int((said.predicted == said.targets).sum())
    lead = (
        f"{source + ': ' if source else ''}{100 * figures['accuracy']:.1f} % right, mean of "
        f"{_count(len(figures['folds']), 'fold')}"
        f"{' and ' + _count(figures['n_seeds'], 'seed') if figures['n_seeds'] > 1 else ''} "
        f"({right} of {len(said)} answers on clips that the model was not trained on; {len(said.classes)} "
        f"classes, {figures['n_groups']} groups). Temperatures and thresholds are chosen on the other folds."
    )
    sections = [
        _by_class(said),
        _confusions(said),
        _calibration(said, figures),
        _rejection(said),
        _mistakes(said, read),
    ]
    if findings is not None:
        sections.append(Section("The data", findings_blocks(findings)))
    return Page("Cross-validation of a sound classifier", lead, _summary(figures), sections)


def cv_figures(said: Predictions) -> dict:
    """The page's numbers: accuracy with its intervals, macro-F1, calibration before and after a temperature.

    Returns
    -------
    dict
        accuracy (mean of the folds), pooled_accuracy (of all answers), folds, fold_interval (Student's t
        corrected for shared training rows; None for one fold), group_interval (bootstrap of whole groups;
        Wilson's over groups where nothing or all is wrong), macro_f1, macro_f1_interval, n_groups, n_seeds,
        nll, brier, ece; and where there are two folds temperatures, tempered_nll, tempered_brier, tempered_ece.

    Examples
    --------
    >>> p = np.array([[0.9, 0.1], [0.2, 0.8], [0.7, 0.3], [0.6, 0.4]])
    >>> said = Predictions(("a", "b"), tuple("wxyz"), ("a", "b", "a", "b"), p, folds=(0, 0, 1, 1))
    >>> figures = cv_figures(said)
    >>> figures["accuracy"], figures["folds"], sorted(figures["temperatures"])
    (0.75, [1.0, 0.5], [0, 1])
    """
    t, n_classes = said.targets, len(said.classes)
    tallies = grouped_tallies(t, said.predicted, n_classes, said.groups)
    n_groups = len(tallies)
    accuracies = said.fold_accuracies()
    figures: dict = {
        "accuracy": float(np.mean(accuracies)),
        "pooled_accuracy": said.accuracy,
        "folds": accuracies,
        "fold_interval": _fold_interval(said, accuracies),
        "group_interval": _grouped(accuracy_of, tallies, said),
        "macro_f1": float(macro_f1_of(tallies.sum(0)[None])[0]),
        "macro_f1_interval": None,
        "n_groups": n_groups,
        "n_seeds": len(set(said.seeds)),
        **_scores(said.probabilities, t),
    }
    if n_groups > 1:
        f1 = bootstrap_interval(macro_f1_of, tallies)
        figures["macro_f1_interval"] = (f1.low, f1.high)
    if len(accuracies) > 1:
        mended, temperatures = cross_tempered(said.probabilities, t, said.folds)
        figures["temperatures"] = temperatures
        figures |= {f"tempered_{name}": value for name, value in _scores(mended, t).items()}
    return figures


def _scores(p: np.ndarray, t: np.ndarray) -> dict[str, float]:
    return {
        "nll": negative_log_likelihood(p, t),
        "brier": brier_score(p, t),
        "ece": reliability(p, t).expected_error,
    }


def _fold_interval(said: Predictions, accuracies: Sequence[float]) -> tuple[float, float] | None:
    if len(accuracies) < 2:
        return None
    sizes = np.unique(np.asarray(said.folds), return_counts=True)[1]
    share = float(np.mean(sizes / (sizes.sum() - sizes)))
    mean, half = mean_interval(accuracies, test_share=share)
    return max(0.0, mean - half), min(1.0, mean + half)


def _grouped(statistic, tallies: np.ndarray, said: Predictions) -> tuple[float, float] | None:
    if len(tallies) < 2:
        return None
    found = bootstrap_interval(statistic, tallies)
    if found.low < found.high:
        return found.low, found.high
    wrong = len({g for g, a, b in zip(said.groups, said.targets, said.predicted, strict=True) if a != b})
    return wilson_interval(len(tallies) - wrong, len(tallies))


def _summary(figures: dict) -> list[Block]:
    rows = [
        ("Accuracy, mean of folds", _percent(figures["accuracy"]), _range(figures["fold_interval"]),
         "over folds, t corrected for shared training clips"),
        ("Accuracy, all answers", _percent(figures["pooled_accuracy"]), _range(figures["group_interval"]),
         f"bootstrap over {figures['n_groups']} groups"),
        ("Macro-F1", _percent(figures["macro_f1"]), _range(figures["macro_f1_interval"]),
         f"bootstrap over {figures['n_groups']} groups"),
    ]  # fmt: skip
    folds = ", ".join(_percent(a) for a in figures["folds"])
    return [Table(("Figure", "Value", "95 % interval", "How"), rows), Text(f"Folds: {folds}.")]


def _by_class(said: Predictions) -> Section:
    tallies = grouped_tallies(said.targets, said.predicted, len(said.classes), said.groups)
    if len(tallies) > 1:
        found = bootstrap_interval(class_scores_of, tallies)
    else:
        scores = class_scores_of(tallies.sum(0)[None])[0]
        found = Interval(scores, np.full_like(scores, np.nan), np.full_like(scores, np.nan))
    count = tallies[:, 2].sum(0)
    rows = [
        (c, *(_with_interval(found, k, i) for k in range(3)), int(count[i])) for i, c in enumerate(said.classes)
    ]
    order = range(len(said.classes))
    which = "Dot: F1"
    if len(said.classes) > _DRAWN_CLASSES:
        order = np.argsort(found.estimate[2])[:_DRAWN_CLASSES].tolist()  # NaN stand last
        which = f"The {_DRAWN_CLASSES} classes of least F1; dot: F1"
    drawn = class_scores(
        [(said.classes[i], found.estimate[2, i], found.low[2, i], found.high[2, i]) for i in order]
    )
    return Section(
        "By class",
        [
            Table(("Class", "Precision", "Recall", "F1", _counted(said)), rows),
            Picture(
                to_svg(drawn), "F1 of each class with its interval",
                f"{which}; bar: its 95 % interval (BCa bootstrap, whole groups drawn).",
            ),
        ],
    )  # fmt: skip


def _counted(said: Predictions) -> str:
    """What the rows are: with several seeds a clip has an answer of each."""
    return "Clips" if len(set(said.seeds)) == 1 else "Answers"


def _confusions(said: Predictions) -> Section:
    matrix = confusion_matrix(said.targets.tolist(), said.predicted.tolist(), len(said.classes))
    cells = [(int(matrix[i, j]), said.classes[i], said.classes[j]) for i, j in np.argwhere(matrix) if i != j]
    wrong = sorted(cells, key=lambda cell: (-cell[0], cell[1], cell[2]))
    pairs: Block = Text("No answer was wrong.")
    if wrong:
        rows = [(a, b, n, f"{100 * n / matrix[said.classes.index(a)].sum():.0f} %") for n, a, b in wrong[:8]]
        pairs = Table(("True", "Taken for", _counted(said), "Of the class"), rows, "Most frequent confusions")
    if len(said.classes) > _DRAWN_CLASSES:
        return Section("What is taken for what", [pairs])
    picture = Picture(
        to_svg(confusion(matrix, said.classes)), "Confusion matrix", "Rows: true class; columns: answer."
    )
    return Section("What is taken for what", [Grid([Stack([picture]), Stack([pairs])], columns=2)])


def _calibration(said: Predictions, figures: dict) -> Section:
    t = said.targets
    before = reliability(said.probabilities, t)
    columns = ("Probabilities", "Expected calibration error", "NLL (nats)", "Brier score")
    rows = [("as the model gives them", _percent(figures["ece"]), figures["nll"], figures["brier"])]
    pictures: list[Block] = [_diagram(before, "As the model gives them")]
    words = "A model is calibrated if, of its answers at 80 % confidence, 80 % are right."
    if "temperatures" in figures:
        mended, temperatures = cross_tempered(said.probabilities, t, said.folds)
        rows.append(
            ("with a temperature", _percent(figures["tempered_ece"]), figures["tempered_nll"],
             figures["tempered_brier"])
        )  # fmt: skip
        pictures.append(_diagram(reliability(mended, t), "With a temperature"))
        values = ", ".join(f"{v:.2f}" for v in temperatures.values())
        mean = float(np.exp(np.mean(np.log(list(temperatures.values())))))
        sure = (
            "too sure of itself"
            if mean > 1.05
            else "not sure enough"
            if mean < 0.95
            else "about as sure as right"
        )
        words += (
            f" One temperature, fitted for each fold on the other folds, mends what it can ({values}): "
            f"the model is {sure}."
        )
    else:
        words += " There is one fold only: no other to fit a temperature on."
    return Section(
        "Can its confidence be believed?", [Text(words), Table(columns, rows), Grid(pictures, columns=2)]
    )


def _diagram(found, title: str) -> Picture:
    return Picture(
        to_svg(reliability_diagram(found, title=title)), f"Reliability diagram, {title}",
        f"Expected calibration error {100 * found.expected_error:.1f} %.",
    )  # fmt: skip


def _rejection(said: Predictions) -> Section:
    p, t = said.probabilities, said.targets
    curve = coverage_curve(p, t)
    right = said.predicted == t
    rows: list[tuple] = [("answer always", "", "100.0 %", _percent(right.mean()))]
    points = []
    aims = [a for a in AIMS if a > right.mean()][:3] if len(set(said.folds)) > 1 else []
    for aim in aims:
        name = f"aim {100 * aim:g} %"
        try:
            answered, thresholds = cross_answered(
                p, t, said.folds, min_accuracy=aim, min_coverage=_MIN_COVERAGE
            )
        except InputError:
            rows.append((name, "out of reach on the other folds", "", ""))
            continue
        share = float(answered.mean())
        accuracy = float(right[answered].mean()) if answered.any() else float("nan")
        values = sorted(thresholds.values())
        rows.append((name, f"{values[0]:.2f}–{values[-1]:.2f}", _percent(share), _percent(accuracy)))
        if answered.any():
            points.append((name, share, accuracy))
    words = (
        "Below a confidence the better answer is “none of these”. Each threshold was chosen on the other folds "
        "for the accuracy aimed at; the last columns say what came of it. Sounds of no class at all were not "
        "part of this test: how many of those slip through must be measured with such sounds."
    )
    picture = Picture(
        to_svg(coverage(curve, points)), "Accuracy of what is answered over the share that is answered",
        "Line: answering only the most confident; dots: thresholds chosen on the other folds.",
    )  # fmt: skip
    table = Table(("Rule", "Threshold", "Answered", "Accuracy of those"), rows)
    return Section("“None of these”", [Text(words), table, picture])


def _mistakes(said: Predictions, read: Callable[[str], Clip] | None) -> Section:
    t, best = said.targets, said.predicted
    score = said.probabilities.max(1)
    wrong = np.flatnonzero(best != t)
    worst: dict[str, int] = {}  # of each file its most confident mistake
    for i in wrong[np.argsort(-score[wrong], kind="stable")].tolist():
        worst.setdefault(said.paths[i], i)
    if not worst:
        return Section("The worst mistakes", [Text("There is none: every answer was right.")])
    root = common_folder(said.paths)
    shown = list(worst.items())[:MISTAKES]
    cards = [_mistake(said, i, short_name(path, root), read or _read) for path, i in shown]
    words = (
        f"The most confident wrong answers, one a clip, {len(cards)} of {len(worst)}: often a wrong label, or "
        "two sounds in one clip."
    )
    return Section("The worst mistakes", [Text(words), Grid(cards)])


def _mistake(said: Predictions, i: int, name: str, read: Callable[[str], Clip]) -> Card:
    true, answer = said.labels[i], said.classes[int(said.predicted[i])]
    p = said.probabilities[i]
    words = (
        f"{name}: {true}, taken for {answer} ({100 * p.max():.0f} %; its own class "
        f"{100 * p[said.targets[i]]:.0f} %), fold {said.folds[i] + 1}"
    )
    try:
        clip = read(said.paths[i]).mono()
    except ConvKitError as error:
        return Card([Text(words), Text(f"No sound: {error}")])
    clip = clip.resample(min(clip.sample_rate, _HEARD_RATE))
    samples = clip.samples[0]
    picture = Picture(
        to_svg(sound(samples, clip.sample_rate, title=f"{_short(true)} → {_short(answer)}")),
        f"Waveform and spectrogram of {name}", words,
    )  # fmt: skip
    return Card([picture, Sound(samples, clip.sample_rate, f"Play {name}")])


def _read(path: str) -> Clip:
    return Clip.read(path, max_duration_s=_HEARD_S)


def _with_interval(found: Interval, k: int, i: int) -> str:
    value, low, high = found.estimate[k, i], found.low[k, i], found.high[k, i]
    if np.isnan(value):
        return "–"
    if np.isnan(low) or low == high:
        return f"{100 * value:.1f} %"
    return f"{100 * value:.1f} % ({100 * low:.0f}–{100 * high:.0f})"


def _percent(share: float) -> str:
    return f"{100 * share:.1f}\u00a0%"


def _range(interval: tuple[float, float] | None) -> str:
    return "–" if interval is None else f"{100 * interval[0]:.1f}–{100 * interval[1]:.1f}\u00a0%"


def _count(n: int, what: str) -> str:
    return f"{n} {what}{'s' * (n != 1)}"


def _short(name: str) -> str:
    return name if len(name) <= 16 else f"{name[:15]}…"

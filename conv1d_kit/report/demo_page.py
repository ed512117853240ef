"""The demo's page: what was learned from sounds and from reviews, in pictures and tables."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..text.ngrams import FilterNgrams
from .demo import DemoResult, Outcome
from .page import Block, Card, Details, Grid, Page, Picture, Section, Sound, Stack, Table, Text
from .plots import (
    accuracies,
    confusion,
    filter_bank,
    filter_order,
    filter_response,
    losses,
    peak_hz,
    sound,
    to_svg,
)

__all__ = ["demo_page", "summary_rows"]

N_FILTERS = 6  # filters drawn one by one, of each kind
N_SIDE = 8  # text filters listed for each class


def demo_page(result: DemoResult) -> Page:
    """The page of a run; the same result gives the same page, byte by byte."""
    audio, cnn, bag = result.spectrogram, result.cnn, result.bag
    lead = (
        f"One convolution, two jobs. The spectrogram net names {_percent(audio)} of {len(audio.true)} held-out "
        f"sounds, the text net {_percent(cnn)} of {len(cnn.true)} held-out reviews in which only word order "
        f"decides; a bag of words stays at {_percent(bag)}. Everything here was made from seed {result.seed}, "
        "and the held-out part chose nothing."
    )
    rows = [(o.name, o.accuracy, *o.interval, 1 / len(o.classes)) for o in result.outcomes]
    figures: list[Block] = [
        Table(("Model", "Held-out accuracy", "95 % interval", "Trained on", "Held out"), summary_rows(result)),
        Picture(
            to_svg(accuracies(rows)),
            "Held-out accuracy of each model with its interval: "
            + "; ".join(f"{o.name} {_percent(o)}" for o in result.outcomes),
            "Dot: held-out accuracy; bar: its 95 % interval (Wilson); orange line: chance.",
        ),
    ]
    summary = [Grid([Stack([figures[0]]), Stack([figures[1]])], columns=2)]
    return Page(
        "conv1d_kit: sounds and words through one convolution",
        lead,
        summary,
        [_sounds(result), _audio(result), _filters(result), _text(result), _ngrams(result), _twins(result)],
    )


def summary_rows(result: DemoResult) -> list[tuple[str, str, str, str, str]]:
    """Rows (model, accuracy, 95 % interval, trained on, held out) for a table."""
    rows = []
    for outcome in result.outcomes:
        is_audio = outcome in (result.spectrogram, result.wave)
        what, n = ("clips", result.n_train_clips) if is_audio else ("reviews", result.n_train_reviews)
        low, high = outcome.interval
        interval = f"{100 * low:.1f}–{100 * high:.1f} %"
        rows.append((outcome.name, _percent(outcome), interval, f"{n} {what}", f"{len(outcome.true)} {what}"))
    return rows


def _sounds(result: DemoResult) -> Section:
    net = result.spectrogram.name
    cards = []
    for e in result.examples:
        verdict = f"{net}: " + ("recognised" if e.predicted == e.label else f"taken for {e.predicted}")
        alt = f"Waveform and spectrogram of a {e.label} sound of {len(e.samples) / e.sample_rate:.2f} s"
        picture = Picture(to_svg(sound(e.samples, e.sample_rate, title=e.label)), alt, verdict)
        cards.append(Card([picture, Sound(e.samples, e.sample_rate, f"Play the {e.label} sound")]))
    words = (
        f"{len(result.examples)} kinds of sound, {result.seconds_of_sound:.0f} s in all, come from small "
        "physical models with random pitch, length, level and noise, each heard in a room of its own whose "
        "echo is a convolution. Here is the first held-out clip of each kind."
    )
    reading = [
        "How to read a card",
        "Above, the waveform: the air pressure over time, 1 being the loudest that a file can hold.",
        "Below, the spectrogram: how strong each frequency is at each time, in decibels below the strongest. "
        "A tone is a level line, a glide a slope, a blow an upright line, noise a cloud.",
        f"Under it, what the {net} calls the clip, which it was not trained on, and a player.",
    ]
    cards.append(Card([Text(line) for line in reading]))
    return Section("The sounds", [Text(words), Grid(cards)])


def _audio(result: DemoResult) -> Section:
    nets = (result.spectrogram, result.wave)
    blocks: list[Block] = [
        Picture(
            to_svg(losses({o.name: o.losses for o in nets})),
            "Training loss of both audio nets over epochs",
            "Training loss, on a logarithmic axis; the large dots are the ends of training. One net sees "
            "log-mel spectrograms, the other the bare waveform.",
        )
    ]
    for o in nets:
        blocks.append(
            Picture(
                to_svg(confusion(o.confusion, o.classes)),
                f"Confusion matrix of the {o.name}: {o.n_right} of {len(o.true)} held-out clips right",
                f"{o.name}: {o.n_right} of {len(o.true)} held-out clips right ({_percent(o)}).",
            )
        )
    return Section("Telling sounds apart", [Grid(blocks)])


def _filters(result: DemoResult) -> Section:
    rate = result.filter_rate
    w = result.filters[filter_order(result.filters, rate)]  # so that a filter has one number everywhere
    chosen = _spread(w)
    cards = [
        Card(
            [
                Picture(
                    to_svg(filter_response(w[i], rate, title=f"Filter {i + 1}: peak at {_peak(w[i], rate)}")),
                    f"Taps and frequency response of filter {i + 1}, strongest at {_peak(w[i], rate)}",
                )
            ]
        )
        for i in chosen
    ]
    words = (
        f"The first layer of the waveform net: {len(w)} filters of {w.shape[1]} taps "
        f"({1000 * w.shape[1] / rate:.1f} ms at {rate / 1000:g} kHz), learned from a random start. "
        "Which frequencies they let through was nowhere written down."
    )
    reading = (
        "In the map each row is a filter, bright where it lets sound through; rows are numbered by the "
        "frequency at which the filter is strongest, from the lowest up. "
        f"{len(chosen)} of them stand below, under the same numbers: above the weights as they lie in time, "
        "below what each does to a frequency, in decibels below the filter's own maximum."
    )
    bank = Picture(
        to_svg(filter_bank(w, rate)),
        "Frequency response of every first-layer filter, sorted by peak frequency",
        "All filters, numbered by peak frequency.",
    )
    pair = Grid([Stack([Text(words), Text(reading)]), Stack([bank])], columns=2)
    return Section("Filters learned from the waveform", [pair, Grid(cards)])


def _text(result: DemoResult) -> Section:
    cnn, bag = result.cnn, result.bag
    blocks: list[Block] = [
        Picture(
            to_svg(losses({cnn.name: cnn.losses})),
            "Training loss of the text net over epochs",
            "Training loss, on a logarithmic axis.",
        )
    ]
    for o in (cnn, bag):
        blocks.append(
            Picture(
                to_svg(confusion(o.confusion, o.classes)),
                f"Confusion matrix of the {o.name}: {o.n_right} of {len(o.true)} held-out reviews right",
                f"{o.name}: {o.n_right} of {len(o.true)} held-out reviews right ({_percent(o)}).",
            )
        )
    words = (
        "Every review can be turned round with the same words: “good, not bad” and “bad, not good”. So which "
        "words occur says nothing, and logistic regression on word counts can only guess; filters that see two "
        "or three words at once read the order."
    )
    return Section("Reading the order of words", [Text(words), Grid(blocks)])


def _ngrams(result: DemoResult) -> Section:
    names = result.cnn.classes
    lean = np.array([f.class_weights[1] - f.class_weights[0] for f in result.ngrams])
    order = np.argsort(-lean, kind="stable")
    tables = [
        _ngram_table(result.ngrams, order[:N_SIDE], f"Filters that speak for “{names[1]}”"),
        _ngram_table(result.ngrams, order[::-1][:N_SIDE], f"Filters that speak for “{names[0]}”"),
    ]
    everything = Details(f"All {len(order)} filters", [_ngram_table(result.ngrams, np.arange(len(order)), "")])
    words = (
        "For each filter the word groups of the training reviews that it answers to most, strongest first. Its "
        f"lean is the weight that it gives to “{names[1]}” less the weight that it gives to “{names[0]}”."
    )
    return Section("What the text filters look for", [Text(words), *tables, everything])


def _ngram_table(filters: Sequence[FilterNgrams], chosen: np.ndarray, caption: str) -> Table:
    rows = []
    for i in chosen:
        f = filters[i]
        shown = " ".join(f"“{' '.join(n.words)}”" for n in f.ngrams)
        lean = f.class_weights[1] - f.class_weights[0]
        rows.append((f.index + 1, f.width, f"{lean:+.2f}".replace("-", "−"), shown))
    return Table(("Filter", "Words", "Lean", "Strongest word groups"), rows, caption)


def _twins(result: DemoResult) -> Section:
    rows = []
    for pair in result.twins:
        for twin in pair:
            rows.append((twin.text, twin.label, _share(twin.cnn), _share(twin.bag)))
    words = (
        "Fresh reviews in pairs of the same words, with the probability that each model gives to “positive”. "
        "The bag of words must give both of a pair the same answer."
    )
    columns = ("Review", "True", "CNN: positive", "Bag: positive")
    return Section("The same words, turned round", [Text(words), Table(columns, rows)])


def _spread(filters: np.ndarray) -> list[int]:
    """N_FILTERS of filters sorted by peak frequency, evenly spread; of neighbours the strongest."""
    energy = (filters**2).sum(1)
    groups = np.array_split(np.arange(len(filters)), min(N_FILTERS, len(filters)))
    return [int(group[energy[group].argmax()]) for group in groups]


def _peak(taps: np.ndarray, rate: int) -> str:
    return f"{peak_hz(taps[None], rate)[0] / 1000:.2f} kHz"


def _percent(outcome: Outcome) -> str:
    return f"{100 * outcome.accuracy:.1f} %"


def _share(value: float) -> str:
    return f"{100 * value:.1f} %"

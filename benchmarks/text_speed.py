"""Sentences a second in training and prediction beside the plain torch form: writes text_speed.json.

Run from the repository's root: `python -m benchmarks.text_speed [--rounds 7]`; it prints a table. Sentences of
MR, 300 dimensions, widths 3/4/5 × 100 filters on both sides, batches of 50 in training. The forms take turns
within one process; a ratio is the median over the rounds of what the two took one after the other.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from conv1d_kit.text.batches import EncodedTexts, training_batches
from conv1d_kit.text.dataset import read_texts
from conv1d_kit.text.nets import NetOptions, TextCNN
from conv1d_kit.text.optimizer import RowAdam
from conv1d_kit.text.pieces import ids_of_pieces, words_of_pieces
from conv1d_kit.text.prediction import Predictor
from conv1d_kit.text.tokens import TOKENIZERS
from conv1d_kit.text.vocabulary import Vocabulary

from .conditions import conditions
from .plain_text import PlainCNN, epoch, predict
from .table import bold, table

DIM, WIDTHS, FILTERS, BATCH = 300, (3, 4, 5), 100, 50
PREDICTED = 2500  # sentences, of all parts of the file
LIBRARIES = {"NumPy": "numpy", "torch": "torch", "conv1d_kit": "conv1d_kit"}
FORMS = {
    "conv1d_kit": "the product of the batch's distinct words with all taps, gradients of the best windows "
    "only, Adam on the rows used, batches of like length; prediction by a table of the words' responses.",
    "plain torch": "nn.Embedding and an nn.Conv1d a width over padded batches of 50, shuffled in training, in "
    "the file's order in prediction; ReLU, maximum, dropout 0.5, linear, Adadelta(ρ 0.95) on dense gradients, "
    "max-norm 3.",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", default="../shared/data/text/rt-polarity.all")
    parser.add_argument("--sentences", type=int, default=1000, help="trained on in a turn")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--threads", type=int, nargs="+", default=[1])
    parser.add_argument("--out", type=Path, default=Path(__file__).with_suffix(".json"))
    a = parser.parse_args()
    if not Path(a.data).is_file():
        print(f"text_speed: skipped, the sentences are not at {a.data}")
        return
    told = conditions(f"python -m benchmarks.text_speed --rounds {a.rounds}", LIBRARIES)
    data = read_texts(a.data)
    rows = []
    for threads in a.threads:
        torch.set_num_threads(threads)
        rows += measure(
            data.texts, np.unique(data.labels, return_inverse=True)[1], a.sentences, a.rounds, threads
        )
    result = {"conditions": told, "forms": FORMS, "rows": rows}
    a.out.write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n", "utf-8")
    print(page(result))


def measure(texts: list[str], targets: np.ndarray, n_trained: int, rounds: int, threads: int) -> list[dict]:
    """A row for each task: sentences a second of both forms and their ratio, by clock and by processor time."""
    vocabulary = Vocabulary.from_tokens(map(words_of_pieces("word"), texts))
    encoded = EncodedTexts.cut(texts, ids_of_pieces("word", vocabulary))
    ids = np.split(encoded.ids, np.cumsum(encoded.lengths)[:-1])
    y, order = torch.from_numpy(targets.astype(np.int64)), np.random.default_rng(0)
    sizes = {"dim": DIM, "widths": WIDTHS, "filters": FILTERS}
    kit = TextCNN(len(vocabulary), 2, NetOptions(**sizes))  # type: ignore[arg-type]
    plain = PlainCNN(len(vocabulary), 2, **sizes)  # type: ignore[arg-type]
    rows_adam = RowAdam(kit.parameters(), lr=2e-3)
    dense = torch.optim.Adadelta(plain.parameters(), lr=1.0, rho=0.95)
    twin = PlainCNN(len(vocabulary), 2, **sizes)  # type: ignore[arg-type]
    cut = TOKENIZERS["word"]

    def train_kit() -> int:
        kit.train()
        batches = training_batches(encoded.lengths, BATCH, order)[: n_trained // BATCH]
        for rows in batches:
            rows_adam.zero_grad(set_to_none=True)
            torch.nn.functional.cross_entropy(kit(*encoded.batch(rows)), y[rows]).backward()
            rows_adam.step()
            kit.constrain()
        return sum(map(len, batches))

    def train_plain() -> int:
        return epoch(plain, dense, ids, y, order.permutation(len(ids))[:n_trained], BATCH)

    def plain_ids() -> list[np.ndarray]:
        return [vocabulary.encode(t.word for t in cut(text)) for text in texts]

    found = [_race("training", threads, train_kit, train_plain, rounds)]
    twin.load_state_dict(kit.eval().state_dict())  # the same answers, but for windows of padding
    predictor = Predictor(kit, ids_of_pieces("word", vocabulary))
    texts = texts[:: max(1, len(texts) // PREDICTED)]  # the file is sorted by class
    encoded = predictor.encoded(texts)
    ids = np.split(encoded.ids, np.cumsum(encoded.lengths)[:-1])
    same = float((predict(twin, ids).argmax(1) == predictor(texts).argmax(1)).mean())
    encode = predictor.encode
    tasks: dict[str, tuple[Callable, Callable]] = {
        "prediction, tokens given": (
            lambda: predictor.of_encoded(encoded), lambda: predict(twin, ids),
        ),
        "prediction, tokens given, an empty table": (
            lambda: Predictor(kit, encode).of_encoded(encoded), lambda: predict(twin, ids),
        ),
        "prediction from text, tokens cut alike": (
            lambda: predictor(texts), lambda: predict(twin, [np.array(encode(t)) for t in texts]),
        ),
        "prediction from text, plain torch by the tokenizer alone": (
            lambda: predictor(texts), lambda: predict(twin, plain_ids()),
        ),
    }  # fmt: skip
    found += [_race(name, threads, *pair, rounds) | {"same_class": same} for name, pair in tasks.items()]
    return found


def _race(task: str, threads: int, ours: Callable, theirs: Callable, rounds: int) -> dict:
    """Both in turn, after one turn that is not counted."""
    took: list[list[tuple[float, float]]] = []
    n = 0
    for turn in range(rounds + 1):
        pair = []
        for run in (ours, theirs):
            start, busy = time.perf_counter(), time.process_time()
            value = run()
            pair.append((time.perf_counter() - start, time.process_time() - busy))
            n = value if isinstance(value, int) else len(value)
        if turn:
            took.append(pair)
    mid = statistics.median
    row = {
        "task": task, "threads": threads, "sentences": n,
        "kit_per_s": n / mid(p[0][0] for p in took), "plain_per_s": n / mid(p[1][0] for p in took),
        "kit_per_cpu_s": n / mid(p[0][1] for p in took), "plain_per_cpu_s": n / mid(p[1][1] for p in took),
        "ratio": mid(p[1][0] / p[0][0] for p in took), "cpu_ratio": mid(p[1][1] / p[0][1] for p in took),
    }  # fmt: skip
    print(f"{task}, {threads}: {row['ratio']:.1f} ({row['cpu_ratio']:.1f})", file=sys.stderr, flush=True)
    return row


def page(result: dict) -> str:
    """The table of a result, in Markdown."""
    head = ["task", "threads", "conv1d_kit /s", "plain torch /s", "ratio", "ratio, processor time"]
    lines = [
        [r["task"], str(r["threads"]), f"{r['kit_per_s']:,.0f}", f"{r['plain_per_s']:,.0f}",
         bold(f"{r['ratio']:.1f}", True), f"{r['cpu_ratio']:.1f}"]
        for r in result["rows"]
    ]  # fmt: skip
    told = result["conditions"]
    return "\n".join([
        table(" | ".join(head), "|---|" + "---:|" * (len(head) - 1), lines), "",
        f"Sentences of MR a second, {DIM} dimensions, widths {'/'.join(map(str, WIDTHS))} × {FILTERS} filters; "
        f"medians. `{told['command']}` on {told['processor']}, load before {told['load']:.1f}; "
        f"{told['date']}.", "",
        *(f"- {form}: {words}" for form, words in result["forms"].items()),
    ])  # fmt: skip


if __name__ == "__main__":
    main()

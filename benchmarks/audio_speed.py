"""Clips a second in training and prediction beside the plain librosa-and-torch way: writes audio_speed.json.

Run from the repository's root: `python -m benchmarks.audio_speed [--clips 200] [--epochs 3 10]`; it prints a
table. The same net (SpectrogramCNN), log-mel features, batch size, optimizer (AdamW) and files on both sides,
no augmentation on either; decoding is part of every figure. The forms take turns, the best round counts.
Predictions of all forms are by one net; `same_class` is the share of clips on which they agree with the kit's.
Prediction is timed on the files as they are, and on the same clips as 16-bit WAV, which cost little to decode.
Two parts of the kit's prediction are timed alone too: what reads the files, and the net on features.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import soundfile as sf
import torch

from conv1d_kit.audio.classifier import AudioClassifier
from conv1d_kit.audio.clip import Clip
from conv1d_kit.audio.dataset import AudioTable, read_dataset
from conv1d_kit.audio.frontends import LogMel

from .conditions import conditions
from .plain_audio import MelFiles, Sizes, predict_by_loader, predict_one_by_one, train_cached, train_from_files
from .table import bold, table

N_THREADS, N_MELS = 2, 64
LIBRARIES = {
    "NumPy": "numpy", "torch": "torch", "librosa": "librosa", "soundfile": "soundfile", "soxr": "soxr",
    "conv1d_kit": "conv1d_kit",
}  # fmt: skip
KIT = "AudioClassifier"
FORMS = {
    KIT: "`AudioClassifier(augment=(), sample_rate=32000).fit(paths, labels)` and `.predict(paths)`: two "
    "threads read the files once, the features stay in memory; it also averages the weights.",
    "Dataset, DataLoader": "librosa.load and librosa.feature.melspectrogram in `__getitem__`, two persistent "
    "worker processes of one BLAS thread each, the usual loop; every epoch reads the files anew.",
    "cached spectrograms": "the same, its spectrograms kept in memory after one pass of the two workers; then "
    "the usual loop over a TensorDataset.",
    "one file after the other": "librosa.load, melspectrogram, net, file by file (prediction only).",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", default="../shared/data/esc10", help="folder whose sub-folders are classes")
    parser.add_argument("--clips", type=int, default=200)
    parser.add_argument("--epochs", type=int, nargs="+", default=[3, 10])
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--out", type=Path, default=Path(__file__).with_suffix(".json"))
    a = parser.parse_args()
    torch.set_num_threads(N_THREADS)
    epochs = " ".join(map(str, a.epochs))
    command = f"python -m benchmarks.audio_speed --clips {a.clips} --epochs {epochs} --rounds {a.rounds}"
    told = conditions(command, LIBRARIES)
    found = measure(spread(read_dataset(a.data), a.clips), a.epochs, a.rounds)
    result = {"conditions": told, "forms": FORMS, **found}
    a.out.write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n", "utf-8")
    print(page(result))


def spread(table: AudioTable, n: int) -> AudioTable:
    """About n rows, evenly over the classes; all where there are fewer."""
    each = max(1, n // len(table.classes))
    labels = np.asarray(table.labels)
    return table.subset(int(i) for c in table.classes for i in np.flatnonzero(labels == c)[:each])


def measure(table: AudioTable, epochs: list[int], rounds: int, *, workers: int = 2) -> dict:
    """Rows of training and of prediction, and how many clips all of it is about."""
    paths, labels, n = list(table.paths), list(table.labels), len(table)
    front = LogMel(32000, n_mels=N_MELS)
    sizes = Sizes(front.sample_rate, front.n_fft, front.hop_length, N_MELS, front.floor)
    data = MelFiles(paths, [table.classes.index(label) for label in labels], sizes, workers=workers)
    batch_size = min(16, max(2, n // 8))  # as AudioClassifier has it
    kit = partial(
        AudioClassifier, augment=(), sample_rate=sizes.sample_rate, n_mels=N_MELS, n_threads=N_THREADS
    )
    sizes.log_mel(paths[0])  # librosa compiles at its first call
    model = kit(epochs=max(epochs)).fit(paths, labels)
    training = []
    for count in epochs:
        usual = {"epochs": count, "batch_size": batch_size, "n_classes": len(table.classes)}
        runs: dict[str, Callable[[], float]] = {
            KIT: partial(_kit_accuracy, kit, count, paths, labels),
            "Dataset, DataLoader": partial(train_from_files, data, **usual),
            "cached spectrograms": partial(train_cached, data, **usual),
        }
        for form, best in _in_turn(runs, rounds).items():
            accuracy = best.pop("value")
            training.append({"form": form, "epochs": count, **best, "training_accuracy": accuracy}
                            | {"clips_per_s": count * n / best["seconds"]})  # fmt: skip
    prediction = _predictions(model, data, batch_size, rounds)
    with tempfile.TemporaryDirectory() as folder:
        as_wav = MelFiles(_as_wav(paths, Path(folder)), data.targets, sizes, workers=workers)
        prediction_wav = _predictions(model, as_wav, batch_size, rounds)
    features = model.extract(paths, model.frontend_)
    parts: dict[str, Callable] = {
        "decoding": partial(_decode, paths), "net": partial(model.predict_proba_features, features)
    }  # fmt: skip
    alone = {part: n / best["seconds"] for part, best in _in_turn(parts, rounds).items()}
    return {"n_clips": n, "batch_size": batch_size, "training": training, "prediction": prediction,
            "prediction_wav": prediction_wav, "alone": alone}  # fmt: skip


def _predictions(model: AudioClassifier, data: MelFiles, batch_size: int, rounds: int) -> list[dict]:
    """Rows of prediction: one net for all, so that whoever hears the same thing says the same class."""
    answers = {
        KIT: lambda: np.searchsorted(model.classes_, model.predict(data.paths)),
        "Dataset, DataLoader": lambda: predict_by_loader(model.net_, data, batch_size=batch_size),
        "one file after the other": lambda: predict_one_by_one(model.net_, data),
    }
    rows, ours, n = [], answers[KIT](), len(data)
    for form, best in _in_turn(answers, rounds).items():
        agreement = float((best.pop("value") == ours).mean())
        rows.append({"form": form, **best, "same_class": agreement, "clips_per_s": n / best["seconds"]})
    return rows


def _as_wav(paths: list[str], folder: Path) -> list[str]:
    """The same sounds as 16-bit WAV files."""
    made = []
    for i, path in enumerate(paths):
        clip = Clip.read(path)
        made.append(str(folder / f"{i}.wav"))
        sf.write(made[-1], clip.samples.T, clip.sample_rate, subtype="PCM_16")
    return made


def page(result: dict) -> str:
    """What was measured, as Markdown."""
    told, n = result["conditions"], result["n_clips"]
    counts = sorted({row["epochs"] for row in result["training"]})
    cells = {(row["form"], row["epochs"]): row for row in result["training"]}
    cells |= {
        (row["form"], column): row for column in ("prediction", "prediction_wav") for row in result[column]
    }
    columns: list[Any] = [*counts, "prediction", "prediction_wav"]
    best = {c: max(r["clips_per_s"] for (_, column), r in cells.items() if column == c) for c in columns}
    lines = []
    for form in result["forms"]:
        line = [form]
        for column in columns:
            row = cells.get((form, column))
            if row is None:
                line.append("–")
                continue
            shown = bold(f"{row['clips_per_s']:.0f}", row["clips_per_s"] == best[column])
            line.append(f"{shown} ({100 * row['busy']:.0f} %)")
        lines.append(line)
    heads = [*(f"training, {c} epochs" for c in counts), "prediction", "prediction, WAV"]
    head = " | ".join(["clips/s (busy cores)", *heads])
    versions = ", ".join(f"{name} {version}" for name, version in told["versions"].items())
    alone, kit = result["alone"], cells[KIT, "prediction"]["clips_per_s"]
    slower = min(alone, key=lambda part: alone[part])
    return "\n".join([
        table(head, "|---|" + "---:|" * len(columns), lines), "",
        f"{n} clips of 5 s, batches of {result['batch_size']}, {N_THREADS} threads, decoding included; in "
        f"brackets the share of {N_THREADS} cores kept busy. `{told['command']}` on {told['processor']}, "
        f"load before {told['load']:.1f}; {versions}; {told['date']}.", "",
        f"Decoding alone, by as many threads: {alone['decoding']:.0f} clips/s; the net: {alone['net']:.0f}. "
        f"Prediction reaches {100 * kit / alone[slower]:.0f} % of the slower of the two, {slower}.", "",
        *(f"- {form}: {words}" for form, words in result["forms"].items()),
    ])  # fmt: skip


def _kit_accuracy(kit: Callable[..., AudioClassifier], epochs: int, paths: list, labels: list) -> float:
    return kit(epochs=epochs).fit(paths, labels).history_.accuracies[-1]


def _decode(paths: list) -> int:
    """Samples in the files, read and dropped by N_THREADS threads."""
    with ThreadPoolExecutor(N_THREADS) as pool:
        return sum(pool.map(lambda path: Clip.read(path).n_samples, paths))


def _in_turn(runs: dict[str, Callable], rounds: int) -> dict[str, dict]:
    """Seconds, busy share of the cores and answer of each run's quickest turn."""
    best: dict[str, dict] = {}
    for turn in range(rounds):
        names = list(runs)
        for name in names[turn % len(names) :] + names[: turn % len(names)]:
            cpu, start = _cpu_s(), time.perf_counter()
            value = runs[name]()
            seconds = time.perf_counter() - start
            busy = (_cpu_s() - cpu) / seconds / N_THREADS
            print(f"{name}: {seconds:.1f} s", file=sys.stderr, flush=True)
            if name not in best or seconds < best[name]["seconds"]:
                best[name] = {"seconds": seconds, "busy": busy, "value": value}
    return best


def _cpu_s() -> float:
    """Processor time of this process and of the workers that have ended, in seconds."""
    t = os.times()
    return t.user + t.system + t.children_user + t.children_system


if __name__ == "__main__":
    main()

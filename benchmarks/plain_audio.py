"""An audio classifier as mostly written with librosa and torch: what audio_speed times the kit against."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import librosa
import numpy as np
import torch
from threadpoolctl import threadpool_limits
from torch.utils.data import DataLoader, Dataset, TensorDataset

from conv1d_kit.audio.nets import SpectrogramCNN

__all__ = ["MelFiles", "Sizes", "predict_by_loader", "predict_one_by_one", "train_cached", "train_from_files"]


@dataclass(frozen=True)
class Sizes:
    """What both sides share: rate (Hz), window and hop (samples), bands, floor of the logarithm."""

    sample_rate: int
    n_fft: int
    hop_length: int
    n_mels: int
    floor: float
    duration_s: float = 5.0  # clips are cut or filled up to it, so that they can be stacked

    def log_mel(self, path: str) -> np.ndarray:
        """Features [shape=(F, L)] of a file, by librosa from the first step to the last."""
        samples, _ = librosa.load(path, sr=self.sample_rate)
        samples = librosa.util.fix_length(samples, size=round(self.duration_s * self.sample_rate))
        mel = librosa.feature.melspectrogram(
            y=samples, sr=self.sample_rate, n_fft=self.n_fft, hop_length=self.hop_length, n_mels=self.n_mels
        )
        return np.log(mel + self.floor)


class MelFiles(Dataset):
    """Files, each decoded and made a spectrogram whenever it is asked for, by `workers` processes."""

    def __init__(self, paths: Sequence[str], targets: Sequence[int], sizes: Sizes, *, workers: int = 2):
        self.paths, self.targets, self.sizes, self.workers = list(paths), list(targets), sizes, workers

    def loaded(self, batch_size: int, *, shuffle: bool = False) -> DataLoader:
        """Batches; the workers stay from one epoch to the next."""
        kept = self.workers > 0
        return DataLoader(self, batch_size, shuffle=shuffle, num_workers=self.workers, persistent_workers=kept)

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, i: int) -> tuple[np.ndarray, int]:
        return self.sizes.log_mel(self.paths[i]), self.targets[i]


def train_from_files(data: MelFiles, *, epochs: int, batch_size: int, n_classes: int) -> float:
    """A net trained by the usual loop, the files read anew in every epoch; accuracy of the last epoch."""
    return _train(data.loaded(batch_size, shuffle=True), data.sizes.n_mels, epochs=epochs, n_classes=n_classes)


def train_cached(data: MelFiles, *, epochs: int, batch_size: int, n_classes: int) -> float:
    """The same with every spectrogram kept in memory: one pass of the workers, then no file is read again."""
    x, y = (torch.cat(parts) for parts in zip(*data.loaded(batch_size), strict=True))
    loader = DataLoader(TensorDataset(x, y), batch_size, shuffle=True)
    return _train(loader, data.sizes.n_mels, epochs=epochs, n_classes=n_classes)


@torch.inference_mode()
def predict_by_loader(net: torch.nn.Module, data: MelFiles, *, batch_size: int) -> np.ndarray:
    """Class of each file, decoded by the workers, in batches."""
    return torch.cat([net(x).argmax(1) for x, _ in data.loaded(batch_size)]).numpy()


@torch.inference_mode()
def predict_one_by_one(net: torch.nn.Module, data: MelFiles) -> np.ndarray:
    """Class of each file by a plain loop: read, spectrogram, net."""
    features = (torch.from_numpy(data.sizes.log_mel(path))[None] for path in data.paths)
    return np.array([int(net(x).argmax(1)) for x in features])


def _one_thread(worker: int) -> None:
    """Two workers with two BLAS threads each would wait for one another: up to three times slower."""
    threadpool_limits(1)


def _train(loader: Iterable, n_mels: int, *, epochs: int, n_classes: int) -> float:
    net = SpectrogramCNN(n_mels, n_classes)
    optimizer = torch.optim.AdamW(net.parameters(), lr=2e-3, weight_decay=0.02)
    right = seen = 0
    for _ in range(epochs):
        right = seen = 0
        net.train()
        for x, y in loader:
            optimizer.zero_grad()
            logits = net(x)
            loss = torch.nn.functional.cross_entropy(logits, y)
            loss.backward()
            optimizer.step()
            right, seen = right + int((logits.argmax(1) == y).sum()), seen + len(y)
    return right / seen

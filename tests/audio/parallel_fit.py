"""An AudioClassifier trained by the processes that torchrun starts; each writes its weights."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from safetensors.torch import save_file

from conv1d_kit import AudioClassifier
from conv1d_kit.audio.synth import make_sounds
from conv1d_kit.training.devices import open_accelerator


def main() -> None:
    accelerator = open_accelerator(n_processes=2)
    told: list[int] = []
    model = AudioClassifier(epochs=3, width=4, n_mels=16, batch_size=4)
    clips, labels = make_sounds(3, seed=0)
    model.fit(clips, labels, accelerator=accelerator, on_epoch=lambda epoch: told.append(epoch.number))
    rank = accelerator.process_index
    assert told == ([] if rank else [1, 2, 3])
    save_file({k: v.contiguous() for k, v in model.net_.state_dict().items()}, Path(sys.argv[1], f"{rank}.st"))
    accelerator.end_training()
    sys.stdout.flush()
    os._exit(0)  # threads of the collective may abort the interpreter's own end


if __name__ == "__main__":
    main()

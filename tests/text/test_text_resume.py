"""A killed text training goes on to the same weights bit for bit, RowAdam's moments among what is kept."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from conv1d_kit.text.classifier import TextClassifier
from conv1d_kit.text.grammar import make_reviews

sys.path.insert(0, str(Path(__file__).parent))
from killed_text_run import EPOCHS, run


def kept(net, optimizer):
    """Bytes of all weights and of all moments and step counts."""
    state = [value for s in optimizer.state_dict()["state"].values() for value in s.values()]
    return [torch.as_tensor(v).numpy().tobytes() for v in [*net.state_dict().values(), *state]]


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize("step", [3, 20])  # in the first epoch, in the third
def test_a_run_killed_within_an_epoch_goes_on_to_the_same_bytes(tmp_path, step):
    place = tmp_path / "run"
    net, optimizer, history = run()
    script = Path(__file__).with_name("killed_text_run.py")
    done = subprocess.run(
        [sys.executable, script, place, str(step)], capture_output=True, check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )  # fmt: skip
    assert done.returncode == -signal.SIGKILL, done.stderr.decode()
    again, its_optimizer, continued = run(checkpoint=place)
    assert kept(again, its_optimizer) == kept(net, optimizer)
    assert continued.losses == history.losses
    assert len(history.losses) == EPOCHS


def test_a_classifier_trains_to_the_same_bytes_every_time():
    texts, labels = make_reviews(60, seed=0)
    options = {"epochs": 2, "dim": 8, "filters": 4, "seed": 5, "word_dropout": 0.1}
    one, two = (TextClassifier(**options).fit(texts, labels) for _ in range(2))
    for a, b in zip(one.net_.state_dict().values(), two.net_.state_dict().values(), strict=True):
        assert torch.equal(a, b)
    other = TextClassifier(**{**options, "seed": 6}).fit(texts, labels)
    assert not torch.equal(one.net_.embedding.weight, other.net_.embedding.weight)

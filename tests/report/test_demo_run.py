"""The demo's experiment at a tiny size: honest split, one seed one result, a page that holds it all."""

import json
import re
from html.parser import HTMLParser

import numpy as np
import pytest
import torch

from conv1d_kit.audio.filterbank import FilterBankCNN
from conv1d_kit.audio.synth import SOUNDS
from conv1d_kit.errors import InputError
from conv1d_kit.report import demo
from conv1d_kit.report.demo_page import demo_page, summary_rows
from conv1d_kit.report.page import render
from conv1d_kit.report.plots import filter_order, peak_hz

TINY = demo.DemoSize(
    clips_per_class=4, reviews=80, spectrogram_epochs=1, wave_epochs=1, text_epochs=2, text_filters=4, ngrams=2
)


@pytest.fixture(scope="module")
def result():
    return demo.run_demo(3, size=TINY)


@pytest.fixture(scope="module")
def document(result):
    return render(demo_page(result))


def test_one_seed_gives_one_page_and_another_seed_another(result, document):
    assert render(demo_page(demo.run_demo(3, size=TINY))) == document
    other = demo.run_demo(4, size=TINY)
    assert other.spectrogram.losses != result.spectrogram.losses
    assert other.cnn.losses != result.cnn.losses


def test_steps_are_told_in_order_and_the_callers_threads_are_kept():
    steps = []
    before = torch.get_num_threads()
    demo.run_demo(3, size=TINY, on_step=lambda *step: steps.append(step))
    assert torch.get_num_threads() == before
    stages = list(dict.fromkeys(s[0] for s in steps))
    assert stages == [
        "Making sounds",
        "Training on spectrograms",
        "Training on waveforms",
        "Training on reviews",
    ]
    for stage in stages:
        done = [(d, n) for s, d, n in steps if s == stage]
        assert done[0][0] == 0
        assert done[-1][0] == done[-1][1]


def test_a_quarter_of_each_class_is_held_out(result):
    assert result.n_train_clips == 3 * len(SOUNDS)
    assert np.bincount(result.spectrogram.true).tolist() == [1] * len(SOUNDS)
    assert np.bincount(result.cnn.true).tolist() == [10, 10]
    assert result.n_train_reviews == 60


def test_an_outcome_counts_right_answers_with_wilsons_interval():
    o = demo.Outcome("x", ("a", "b"), np.array([0] * 50 + [1] * 50), np.array([0] * 95 + [1] * 5))
    assert o.n_right == 55
    assert o.confusion.tolist() == [[50, 0], [45, 5]]
    assert o.interval == pytest.approx((0.4524, 0.6439), abs=1e-4)  # R: binom.confint(55, 100, method="wilson")


def test_the_bag_of_words_gives_both_of_a_pair_one_answer(result):
    for first, second in result.twins:
        assert sorted(re.findall(r"\w+", first.text)) == sorted(re.findall(r"\w+", second.text))
        assert first.text != second.text
        assert first.bag == pytest.approx(second.bag, abs=1e-12)


def test_the_page_shows_every_class_net_and_filter(result, document):
    for word in (*SOUNDS, *(o.name for o in result.outcomes), "Strongest word groups", "All 8 filters"):
        assert word in document
    for row in summary_rows(result):
        assert all(cell in document for cell in row)


def test_every_picture_has_its_words_and_its_data_inside(document):
    class Reader(HTMLParser):
        def __init__(self):
            super().__init__()
            self.images, self.sources, self.players = [], [], 0

        def handle_starttag(self, tag, attrs):
            a = dict(attrs)
            self.sources += [a[k] for k in ("src", "href") if k in a]
            self.players += tag == "audio"
            if tag == "img":
                self.images.append(a)

    reader = Reader()
    reader.feed(document)
    assert len(reader.images) >= len(SOUNDS) + 6
    assert reader.players == len(SOUNDS)
    assert all(a["alt"] and a["src"].startswith("data:image/svg+xml;base64,") for a in reader.images)
    assert len({a["alt"] for a in reader.images}) == len(reader.images)
    assert all(s.startswith(("data:", "#")) for s in reader.sources)
    outside = re.sub(r"base64,[A-Za-z0-9+/=]+", "", document)
    assert "http" not in outside
    assert "url(" not in outside


def test_figures_can_be_written_as_json(result):
    json.dumps({o.name: [o.accuracy, *o.interval, *o.losses] for o in result.outcomes})


@pytest.mark.parametrize("seed", [-1, 0.5, True, "0"])
def test_a_wrong_seed_is_refused(seed):
    with pytest.raises(InputError, match="seed must be an int >= 0"):
        demo.run_demo(seed, size=TINY)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_whole_demo_reaches_its_marks(seed):
    result = demo.run_demo(seed)
    assert result.spectrogram.accuracy >= 0.95
    assert result.cnn.accuracy >= 0.97
    assert result.bag.interval[0] <= 0.5 <= result.bag.interval[1]


def test_the_filter_bank_net_learns_a_filter_where_the_answer_is():
    """Two tones that differ in frequency alone: gradients reach the first layer and change it."""
    torch.manual_seed(0)
    net = FilterBankCNN(1, 2, n_filters=4, width=8, dropout=0.0)
    t = torch.arange(1600) / 16000
    x = torch.stack([torch.sin(2 * torch.pi * f * t) for f in (500.0, 3000.0)])[:, None]
    before = net.weight.detach().clone()
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-2)
    for _ in range(30):
        optimizer.zero_grad()
        loss = torch.nn.functional.cross_entropy(net(x), torch.tensor([0, 1]))
        loss.backward()
        optimizer.step()
    assert loss < 0.1
    assert (net.weight - before).norm() > before.norm()


def test_a_filter_has_one_number_in_the_map_and_below_it(result, document):
    """Filters are numbered by peak frequency: their cards come in order and say rising frequencies."""
    found = re.findall(r"frequency response of filter (\d+), strongest at ([\d.]+) kHz", document)
    numbers, peaks = [int(n) for n, _ in found], [float(f) for _, f in found]
    assert len(found) == 6
    assert numbers == sorted(numbers)
    assert peaks == sorted(peaks)
    order = filter_order(result.filters, result.filter_rate)
    wanted = peak_hz(result.filters, result.filter_rate)[order][np.array(numbers) - 1] / 1000
    assert peaks == pytest.approx(wanted, abs=0.006)


def test_a_verdict_says_whose_it_is(result, document):
    assert document.count(f"{result.spectrogram.name}: ") >= len(SOUNDS)
    assert "(recognised)" not in document

"""Pictures of explanations: axes with units, what is shown where, letters large enough for a phone."""

from functools import cache

import matplotlib as mpl
import numpy as np
import pytest

from conv1d_kit.audio.explain import Attribution, View
from conv1d_kit.audio.frontends import LogMel
from conv1d_kit.audio.responses import FilterResponse, FilterSet, first_filters
from conv1d_kit.report.audio_plots import (
    attribution_map,
    attribution_timeline,
    filter_responses,
    probabilities,
)
from conv1d_kit.report.plots import to_svg

HZ = np.geomspace(50, 8000, 40)
NAMES = [
    "map", "signed map", "empty map", "no bands", "flat", "line", "one sample", "bars", "mel", "learned",
]  # fmt: skip


def _found(values, hz=HZ, column_s=0.02):
    return Attribution(np.asarray(values, np.float32), column_s, hz, 0)


@cache
def _figures():
    r = np.random.default_rng(0)
    features, wave = r.standard_normal((40, 70)), 0.1 * r.standard_normal(11200)
    learned = FilterSet(
        "learned", r.random((5, 100)), np.linspace(0, 8000, 100), [FilterResponse(1, 1)] * 5, 9, 16000
    )
    return {
        "map": attribution_map(features, _found(r.random((40, 70))), signed=False, label="Grad-CAM (logits)"),
        "signed map": attribution_map(features, _found(r.normal(size=(40, 70))), signed=True, label="S (1)"),
        "empty map": attribution_map(features, _found(np.zeros((40, 70))), signed=True, label="Share (1)"),
        "no bands": attribution_map(features, _found(r.random((1, 70)), None), signed=False, label="x (1)"),
        "flat": attribution_map(0 * features, _found(np.zeros((40, 70))), signed=False, label="x (1)"),
        "line": attribution_timeline(
            wave, 16000, _found(r.standard_normal((1, 11200)), None, 1 / 16000), signed=True, label="Share (1)"
        ),
        "one sample": attribution_timeline(wave[:1], 16000, _found([[1.0]], None), signed=False, label="x (1)"),
        "bars": probabilities([f"a class with a long name {i}" for i in range(20)], r.dirichlet(np.ones(20))),
        "mel": filter_responses(first_filters(View("net", LogMel(16000, n_mels=40), None))),
        "learned": filter_responses(learned),
    }  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_every_axis_says_what_and_in_which_unit_and_letters_are_nine_points(name):
    figure = _figures()[name]
    assert to_svg(figure).startswith(b"<?xml")
    for axes in figure.axes:
        shared = not axes.xaxis.get_tick_params().get("labelbottom", True)
        for label in [axes.get_ylabel()] + [axes.get_xlabel()] * (not shared and axes.get_xlabel() != ""):
            assert "(" in label or label in ("", "Feature number"), label
    for text in figure.findobj(mpl.text.Text):
        assert not text.get_text() or text.get_fontsize() >= 8.5


def test_numbers_of_a_frequency_axis_stand_at_their_bands_and_apart():
    axes = _figures()["map"].axes[0]
    rows = axes.get_yticks()
    shown = [1000 * float(t.get_text()) for t in axes.get_yticklabels()]
    np.testing.assert_allclose(np.interp(rows, np.arange(40), HZ), shown, rtol=1e-6)
    assert np.diff(rows).min() >= 0.09 * 40


def test_bands_that_are_out_of_order_are_drawn_from_low_to_high():
    features = np.zeros((3, 4))
    features[1] = 1.0  # the lowest band
    found = _found(np.zeros((3, 4)), np.array([900.0, 100, 400]))
    figure = attribution_map(features, found, signed=False, label="x")
    grey = figure.axes[0].images[0].get_array()
    assert grey[:, 0].tolist() == [1, 0, 0]


def test_blocks_and_bars_keep_the_sum_of_the_shares():
    values = np.random.default_rng(1).standard_normal((64, 251))
    figure = attribution_map(np.zeros((64, 251)), _found(values, None), signed=True, label="x")
    blocks = figure.axes[0].images[1].get_array()
    assert blocks.shape == (32, 40)
    assert blocks.sum() == pytest.approx(values.sum(), abs=1e-3)
    line = attribution_timeline(np.zeros(251), 50, _found(values, None), signed=True, label="x")
    assert sum(b.get_height() for b in line.axes[1].patches) == pytest.approx(values.sum(), abs=1e-3)

"""Pictures: labelled with units, the same bytes each time, nothing global touched."""

import matplotlib as mpl
import numpy as np
import pytest
import scipy.signal
from matplotlib.backends.backend_agg import FigureCanvasAgg

from conv1d_kit.report import plots

RATE = 8_000


def figures():
    t = np.arange(RATE) / RATE
    rng = np.random.default_rng(0)
    return {
        "sound": plots.sound(np.sin(2 * np.pi * 440 * t), RATE, title="tone"),
        "losses": plots.losses({"a": [1.0, 0.5, 0.1], "b": [0.9, 0.7]}),
        "confusion": plots.confusion(np.array([[5, 1], [0, 6]]), ["no", "yes"]),
        "filter_bank": plots.filter_bank(rng.standard_normal((6, 33)), RATE),
        "filter_response": plots.filter_response(rng.standard_normal(33), RATE, title="one"),
        "accuracies": plots.accuracies([("net", 0.9, 0.8, 0.95, 0.5)]),
    }


@pytest.mark.parametrize("name", figures())
def test_a_picture_is_the_same_svg_each_time_and_fetches_nothing(name):
    first, second = (plots.to_svg(figures()[name]) for _ in range(2))
    assert first == second
    assert b"<image" not in first or b'xlink:href="data:image/png' in first
    assert b"<script" not in first


@pytest.mark.parametrize(
    ("name", "labels"),
    [
        ("sound", {"Time (s)", "Frequency (kHz)", "Amplitude\n(1 = full scale)", "Level (dB re max)"}),
        ("losses", {"Epoch", "Mean cross-entropy (nats, log scale)"}),
        ("confusion", {"Predicted class", "True class", "Share of the true class"}),
        ("filter_bank", {"Frequency (kHz)", "Filter number (by peak frequency)"}),
        (
            "filter_response",
            {"Time (ms)", "Weight\n(dimensionless)", "Frequency (kHz)", "Response\n(dB re its maximum)"},
        ),
        ("accuracies", {"Held-out accuracy (%)"}),
    ],
)
def test_axes_are_labelled_with_units(name, labels):
    axes = figures()[name].axes
    assert labels <= {a.get_xlabel() for a in axes} | {a.get_ylabel() for a in axes}


@pytest.mark.parametrize("name", figures())
def test_nothing_is_cut_off(name):
    figure = figures()[name]
    with mpl.rc_context(plots._STYLE):
        FigureCanvasAgg(figure).draw()
        inside, wanted = figure.get_tightbbox(), figure.bbox_inches
    assert inside.x0 >= -0.01
    assert inside.y0 >= -0.01
    assert inside.x1 <= wanted.x1 + 0.01
    assert inside.y1 <= wanted.y1 + 0.01


def test_drawing_leaves_matplotlib_as_it_was():
    before = dict(mpl.rcParams)
    figures()
    assert dict(mpl.rcParams) == before


def test_spectrogram_follows_a_sweep_as_scipy_does():
    t = np.arange(2 * RATE) / RATE
    x = scipy.signal.chirp(t, 500, 2, 3500)
    level = plots.spectrogram_db(x, RATE)
    track = level.argmax(0) / 0.025  # Hz
    wanted = 500 + 1500 * 0.005 * np.arange(level.shape[1])
    assert np.abs(track - wanted)[5:-5].max() < 60
    assert level.max() == 0
    assert level.min() >= plots.FLOOR_DB


@pytest.mark.parametrize("samples", [np.zeros(RATE), np.zeros(10), np.ones(1)])
def test_silence_and_very_short_sounds_are_drawn(samples):
    assert plots.to_svg(plots.sound(samples, RATE))


def test_filter_response_equals_scipy_freqz():
    taps = scipy.signal.firwin(65, [800, 1600], pass_zero=False, fs=RATE)
    hz, level = plots._responses(taps[None], RATE)
    _, h = scipy.signal.freqz(taps, worN=hz, fs=RATE)
    wanted = 20 * np.log10(np.abs(h) / np.abs(h).max())
    loud = wanted > plots.RESPONSE_FLOOR_DB
    assert level[0][loud] == pytest.approx(wanted[loud], abs=1e-6)
    assert 800 < hz[level[0].argmax()] < 1600


def test_waveforms_have_numbers_on_their_time_axis():
    figure = figures()["sound"]
    with mpl.rc_context(plots._STYLE):
        FigureCanvasAgg(figure).draw()
    top = figure.axes[0]
    assert top.get_xlabel() == "Time (s)"
    assert sum(bool(t.label1.get_text()) and t.label1.get_visible() for t in top.xaxis.get_major_ticks()) >= 3


def test_every_loss_says_where_it_ends():
    words = [t.get_text() for t in figures()["losses"].legends[0].get_texts()]
    assert words == ["a, 0.1 at the end", "b, 0.7 at the end"]


@pytest.mark.parametrize("name", figures())
def test_letters_stay_readable_on_a_phone(name):
    """390 px less margins leave 332 px to a card and 358 px to a figure outside one; 9 px is the least."""
    figure = figures()[name]
    width = 332 if name in ("sound", "filter_response") else 358
    with mpl.rc_context(plots._STYLE):
        FigureCanvasAgg(figure).draw()
        sizes = [t.get_fontsize() for t in figure.findobj(mpl.text.Text) if t.get_text() and t.get_visible()]
    shown = min(1.0, width / (figure.get_figwidth() * 96)) * 96 / 72
    assert min(sizes) * shown >= 9


def test_filters_are_numbered_by_the_frequency_they_let_through():
    t = np.arange(64) / RATE
    bank = np.array([np.sin(2 * np.pi * f * t) for f in (3000, 500, 1500)])
    assert plots.filter_order(bank, RATE).tolist() == [1, 2, 0]
    assert plots.peak_hz(bank, RATE) == pytest.approx([3000, 500, 1500], abs=40)

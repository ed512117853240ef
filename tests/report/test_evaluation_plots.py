"""The pictures draw what they are given, and leave matplotlib as it was."""

import matplotlib as mpl
import numpy as np
import pytest

from conv1d_kit.report.evaluation_plots import class_scores, coverage, property_by_class, reliability_diagram
from conv1d_kit.report.plots import to_svg
from conv1d_kit.training.calibration import reliability
from conv1d_kit.training.rejection import coverage_curve

P, T = np.array([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4], [0.7, 0.3]]), [0, 1, 1, 0]


@pytest.mark.parametrize(
    "draw",
    [
        lambda: reliability_diagram(reliability(P, T, n_bins=5), title="before"),
        lambda: reliability_diagram(reliability(P, T, n_bins=2, adaptive=True)),
        lambda: coverage(coverage_curve(P, T), [("aim 90 %", 0.5, 1.0)]),
        lambda: class_scores([("a" * 60, 0.9, 0.8, 0.95), ("b", np.nan, np.nan, np.nan)]),
        lambda: property_by_class([1.0, np.nan, 2.0], ["a", "b", "a"], name="level (dB)"),
        lambda: property_by_class(["WAV", "MP3", "WAV"], ["a", "b", "a"], name="codec"),
    ],
)
def test_each_picture_is_an_svg_and_the_same_again(draw):
    before = dict(mpl.rcParams)
    assert to_svg(draw()) == to_svg(draw())
    assert dict(mpl.rcParams) == before


def test_the_dots_are_the_bins():
    found = reliability(P, T, n_bins=5)
    axes = reliability_diagram(found).axes[0]
    dots = next(line for line in axes.lines if line.get_marker() == "o")
    held = found.count > 0
    np.testing.assert_allclose(dots.get_xdata(), 100 * found.confidence[held])
    np.testing.assert_allclose(dots.get_ydata(), 100 * found.accuracy[held])


def test_the_shares_of_words_fill_each_class():
    axes = property_by_class(["x", "y", "x", "z"], ["a", "a", "b", "b"], name="codec").axes[0]
    total = np.zeros(2)
    for bars in axes.containers:
        total += [bar.get_width() for bar in bars]
    np.testing.assert_allclose(total, 100)

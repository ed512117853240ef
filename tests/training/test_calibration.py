"""Calibration equals scikit-learn, scipy and a loop; what cannot be scored is refused with one line."""

import numpy as np
import pytest
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax, softmax
from sklearn import metrics as oracle
from sklearn.calibration import calibration_curve

from conv1d_kit.errors import InputError
from conv1d_kit.training.calibration import (
    MAX_TEMPERATURE,
    MIN_TEMPERATURE,
    brier_score,
    calibration_error,
    cross_tempered,
    fit_temperature,
    negative_log_likelihood,
    reliability,
    tempered,
)


def _scores(n=400, n_classes=5, sharpness=2.0, seed=0):
    """Labels drawn from the softmax of z, so that softmax(sharpness · z) is off by that temperature."""
    r = np.random.default_rng(seed)
    z = 1.5 * r.normal(size=(n, n_classes))
    t = np.array([r.choice(n_classes, p=row) for row in softmax(z, 1)])
    return softmax(sharpness * z, 1), t


@pytest.mark.parametrize(("sharpness", "seed"), [(0.3, 0), (1.0, 1), (2.0, 2), (8.0, 3)])
def test_temperature_is_the_minimum_that_scipy_finds(sharpness, seed):
    p, t = _scores(sharpness=sharpness, seed=seed)
    z = np.log(p)

    def loss(b):
        return -log_softmax(b * z, 1)[np.arange(len(t)), t].mean()

    best = minimize_scalar(loss, bounds=(1 / MAX_TEMPERATURE, 1 / MIN_TEMPERATURE), method="bounded",
                           options={"xatol": 1e-10})  # fmt: skip
    T = fit_temperature(p, t)
    np.testing.assert_allclose(T, 1 / best.x, rtol=1e-5)
    assert loss(1 / T) <= best.fun + 1e-12


def test_temperature_finds_the_truth_and_lowers_the_error():
    p, t = _scores(20000, sharpness=3.0)
    T = fit_temperature(p, t)
    assert pytest.approx(3.0, rel=0.03) == T
    assert calibration_error(tempered(p, T), t) < 0.2 * calibration_error(p, t)
    assert negative_log_likelihood(tempered(p, T), t) < negative_log_likelihood(p, t)
    np.testing.assert_array_equal(tempered(p, T).argmax(1), p.argmax(1))


def test_temperature_stays_finite_where_there_is_no_minimum():
    p = np.array([[0.6, 0.4], [0.3, 0.7]])
    assert fit_temperature(p, [0, 1]) == MIN_TEMPERATURE  # all right: sharper is always better
    assert fit_temperature(p, [1, 0]) == MAX_TEMPERATURE  # all wrong: only flatter is better
    assert fit_temperature(np.full((3, 2), 0.5), [0, 1, 1]) == MAX_TEMPERATURE  # nothing to scale
    T = fit_temperature(np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]]), [0, 1, 1])  # exact zeros
    assert MIN_TEMPERATURE <= T <= MAX_TEMPERATURE


def test_proper_scores_are_scikit_learns():
    p, t = _scores()
    assert negative_log_likelihood(p, t) == pytest.approx(oracle.log_loss(t, p, labels=range(5)))
    assert brier_score(p, t) == pytest.approx(
        oracle.brier_score_loss(t, p, labels=range(5), scale_by_half=False)
    )
    two, u = _scores(n_classes=2)
    assert brier_score(two, u) == pytest.approx(2 * oracle.brier_score_loss(u, two[:, 1], scale_by_half=True))


@pytest.mark.parametrize("adaptive", [False, True])
def test_bins_are_those_of_scikit_learns_curve(adaptive):
    p, t = _scores(sharpness=1.0)
    r = reliability(p, t, n_bins=10, adaptive=adaptive)
    accuracy, confidence = calibration_curve(
        p.argmax(1) == t, p.max(1), n_bins=10, strategy="quantile" if adaptive else "uniform"
    )
    held = r.count > 0
    np.testing.assert_allclose(r.accuracy[held], accuracy)
    np.testing.assert_allclose(r.confidence[held], confidence)
    if adaptive:
        assert r.count.max() - r.count.min() <= 1


def test_expected_error_is_a_loop():
    p, t = _scores(77)
    total = 0.0
    for low in np.arange(15) / 15:
        inside = [i for i in range(77) if low < p[i].max() <= low + 1 / 15]
        if inside:
            right = np.mean([p[i].argmax() == t[i] for i in inside])
            total += len(inside) / 77 * abs(right - np.mean([p[i].max() for i in inside]))
    assert calibration_error(p, t) == pytest.approx(total)
    assert reliability(p, t).largest_error >= calibration_error(p, t)


def test_one_value_repeated_is_one_adaptive_bin():
    r = reliability(np.full((6, 2), 0.5), [0, 0, 0, 1, 1, 1], adaptive=True)
    assert r.count.tolist() == [6]
    assert r.expected_error == 0


@pytest.mark.parametrize(
    ("p", "t", "words"),
    [
        ([[0.5, 0.5]], [0, 1], "targets must be one class index a row"),
        ([[0.5, 0.5]], ["dog"], "classes.index"),
        ([[0.5, 0.5]], [2], "targets must be 0 to 1"),
        ([[2.0, -1.0]], [0], "softmax"),
        ([[np.nan, 1.0]], [0], "sum to 1"),
        ([0.5, 0.5], [0], "must be \\(N, n_classes\\)"),
        (np.zeros((0, 2)), np.zeros(0, int), "at least one row"),
    ],
)
def test_what_is_no_distribution_is_refused(p, t, words):
    for score in (fit_temperature, brier_score, negative_log_likelihood, reliability):
        with pytest.raises(InputError, match=words):
            score(p, t)


def test_options_are_checked():
    with pytest.raises(InputError, match="n_bins"):
        reliability([[0.5, 0.5]], [0], n_bins=0)
    for wrong in (0.0, -1.0, np.nan, np.inf):
        with pytest.raises(InputError, match="temperature"):
            tempered([[0.5, 0.5]], wrong)


def test_a_fold_is_mended_by_the_others_alone():
    p, t = _scores(300)
    folds = np.arange(300) % 3
    mended, temperatures = cross_tempered(p, t, folds)
    for k in range(3):
        assert temperatures[k] == fit_temperature(p[folds != k], t[folds != k])
        np.testing.assert_allclose(mended[folds == k], tempered(p[folds == k], temperatures[k]))
    wrong = np.where(folds == 1, (t + 1) % 5, t)  # what fold 1's labels say cannot change fold 1's temperature
    assert cross_tempered(p, wrong, folds)[1][1] == temperatures[1]
    with pytest.raises(InputError, match="at least two values"):
        cross_tempered(p, t, np.zeros(300, int))
    with pytest.raises(InputError, match="one a row"):
        cross_tempered(p, t, [0, 1])

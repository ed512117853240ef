"""Pages of explanations, filters and probes: whole, self-contained, with the numbers of what they show."""

import re

import numpy as np
import pytest
from reviews_model import reviews_model

from conv1d_kit.report.page import render
from conv1d_kit.report.text_filters_page import SlotTable, filters_page
from conv1d_kit.report.text_page import explain_page
from conv1d_kit.report.text_plots import deletion_curves, filter_map
from conv1d_kit.report.text_probe_page import probe_page
from conv1d_kit.text.deletion import deletion_test
from conv1d_kit.text.explain import check_gradients, explain_text, explain_texts
from conv1d_kit.text.filters import filter_report
from conv1d_kit.text.grammar import make_reviews
from conv1d_kit.text.negation import negation_test
from conv1d_kit.text.word_order import order_test

TEXTS, LABELS = make_reviews(40, seed=12)


@pytest.fixture(scope="module")
def deletion():
    return deletion_test(reviews_model(), TEXTS[:10], n_random=1)


@pytest.fixture(scope="module")
def report():
    return filter_report(reviews_model(), TEXTS, LABELS, n=2)


def self_contained(document):
    assert document.startswith("<!DOCTYPE html>")
    assert not re.search(r'(?:src|href)="(?!data:|#)', document)
    return document


def test_the_explained_text_stands_there_with_its_sums():
    e = explain_text(reviews_model(), "The plot was good, not bad.")
    document = self_contained(render(explain_page([e])))
    assert document.count("<section") == 2
    words = float(e.word_scores().sum())
    assert f"Words {words:+.2f}".replace("-", "−") in document
    assert f"together {e.logits[1] - e.logits[0]:+.2f}".replace("-", "−") in document
    best = e.strongest(1)[0][0]
    assert f'<td data-column="N-gram">{best.source}</td>' in document
    assert f'<td class="number" data-column="Score">{best.value:.3f}</td>' in document


def test_a_check_shows_the_correlation_and_a_second_text():
    e = explain_text(reviews_model(), "The plot was good, not bad.")
    check = check_gradients(reviews_model(), e)
    plain, checked = render(explain_page([e])), render(explain_page([e], checks=[check]))
    assert f"rank correlation {check.correlation:.2f}" in checked
    assert checked.count('dir="auto"') == plain.count('dir="auto"') + 1


def test_the_other_class_turns_the_signs():
    e = explain_text(reviews_model(), "The plot was good, not bad.")
    document = render(explain_page([e], label="negative"))
    assert f"Words {-e.word_scores('positive').sum():+.2f}".replace("-", "−") in document


def test_no_text_and_texts_of_nothing_have_pages():
    empty, unknown = explain_texts(reviews_model(), ["", "zyzzyva <script>\x00"])
    document = self_contained(render(explain_page([empty, unknown])))
    assert "no token" in document
    assert "<script>" not in document
    assert "\x00" not in document
    assert render(explain_page([]))


def test_gradients_say_that_they_are_no_sum():
    e = explain_text(reviews_model(), "good", method="gradients")
    assert "by integrated gradients" in render(explain_page([e]))


def test_the_filters_page_shows_the_strongest_in_full_and_all_in_a_table(report):
    document = self_contained(render(filters_page(report, most=3)))
    assert document.count("<h3") == 3
    order = sorted(report.filters, key=lambda f: (-f.say * f.informs, f.index))
    for f in order[:3]:
        assert f"Filter {f.index}: {f.width} words, for {f.label}" in document
        assert f"Ceiling {f.ceiling:.2f}" in document
    assert f"{len(report.filters)} filters</summary>" in document
    assert f"{len(report.dead)} of {len(report.filters)} filters" in document


def test_a_slot_table_escapes_its_words():
    html = SlotTable([(("<b>", "x"), (0.5, -0.25), "0.25")], "a & b").html()
    assert "<b>" not in html
    assert "−0.25" in html
    assert "a &amp; b" in html


def test_the_probe_page_holds_every_area_share_and_fall(deletion):
    negation = negation_test(reviews_model(), TEXTS)
    order = order_test(reviews_model(), TEXTS, LABELS, n_shuffles=2)
    document = self_contained(render(probe_page(deletion, negation, order)))
    for name, interval in deletion.areas.items():
        assert name in document
        assert f">{interval.estimate:.3f}<" in document
    assert f">{100 * order.fall.estimate:.1f}<" in document
    for r in negation:
        assert r.pattern.replace("'", "&#x27;") in document
        if r.n:
            assert f">{100 * r.share.estimate:.1f}<" in document


def test_the_curves_drawn_are_the_means(deletion):
    (axes,) = deletion_curves(deletion).axes
    for line, (name, curve) in zip(axes.lines, deletion.curves.items(), strict=True):
        np.testing.assert_allclose(line.get_ydata(), curve.mean(0))
        np.testing.assert_allclose(line.get_xdata(), 100 * deletion.shares)
        assert line.get_label().startswith(name)


def test_the_map_has_a_mark_for_every_filter(report):
    (axes,) = filter_map(report).axes
    drawn = sorted((x, y) for line in axes.lines for x, y in zip(*line.get_data(), strict=True))
    assert drawn == sorted((100 * f.informs, f.say) for f in report.filters)

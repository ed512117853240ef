"""The projected lookup against torch's own convolution over the padded texts, forwards and backwards."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from conv1d_kit.errors import InputError
from conv1d_kit.text import projected
from conv1d_kit.text.projected import best_windows, distinct, slide, tap_responses


def problem(lengths, widths, *, n_rows=9, dim=4, filters=3, dtype=torch.float64, seed=0):
    """rows, weights, places (junk beyond the texts' lengths), lengths."""
    g = torch.Generator().manual_seed(seed)
    rows = torch.randn(n_rows, dim, generator=g, dtype=dtype).requires_grad_()
    weights = [torch.randn(filters, dim, k, generator=g, dtype=dtype).requires_grad_() for k in widths]
    places = torch.randint(n_rows, (len(lengths), max(lengths, default=0)), generator=g)
    return rows, weights, places, torch.tensor(lengths)


def plain(rows, weights, places, lengths):
    """One text after the other, one width after the other; a text of no tokens gives 0."""
    out = []
    for text, n in zip(places, lengths.tolist(), strict=True):
        x = rows[text[:n].long()].T[None]  # (1, E, n)
        parts = [torch.nn.functional.conv1d(x, w, padding=w.shape[2] - 1).max(-1)[0][0] if n
                 else 0 * w[:, 0, 0] for w in weights]  # fmt: skip
        out.append(torch.cat(parts))
    return torch.stack(out)


LENGTHS = st.lists(st.integers(0, 9), min_size=1, max_size=6)
WIDTHS = st.lists(st.integers(1, 6), min_size=1, max_size=3)


@given(lengths=LENGTHS, widths=WIDTHS, seed=st.integers(0, 3), n_rows=st.integers(1, 9))
@settings(max_examples=80, deadline=None)
def test_values_and_gradients_are_those_of_a_plain_convolution(lengths, widths, seed, n_rows):
    rows, weights, places, sizes = problem(lengths, widths, seed=seed, n_rows=n_rows)
    got, expected = best_windows(rows, weights, places, sizes), plain(rows, weights, places, sizes)
    torch.testing.assert_close(got, expected, atol=1e-10, rtol=1e-10)
    say = torch.randn(got.shape, generator=torch.Generator().manual_seed(seed), dtype=got.dtype)
    say[:, ::2] = 0.0  # as dropout leaves them
    wanted = [rows, *weights]
    ours = torch.autograd.grad(got, wanted, say)
    theirs = torch.autograd.grad(expected, wanted, say, allow_unused=True)
    for a, b in zip(ours, theirs, strict=True):
        torch.testing.assert_close(a, torch.zeros_like(a) if b is None else b, atol=1e-10, rtol=1e-10)


def test_gradcheck():
    rows, weights, places, sizes = problem([4, 0, 1, 7], (1, 3))
    assert torch.autograd.gradcheck(
        lambda r, *w: best_windows(r, w, places, sizes), (rows, *weights), check_batched_grad=False
    )


def test_float32_gives_what_float64_gives():
    rows, weights, places, sizes = problem([30, 12, 25], (3, 4, 5), n_rows=40, dim=60, filters=20)
    exact = best_windows(rows, weights, places, sizes)
    single = best_windows(rows.float(), [w.float() for w in weights], places.int(), sizes)
    assert single.dtype == torch.float32
    torch.testing.assert_close(single.double(), exact, atol=1e-4, rtol=1e-5)


def test_a_second_derivative_is_refused():
    rows, weights, places, sizes = problem([4], (2,))
    with pytest.raises(InputError, match="create_graph must be False"):
        torch.autograd.grad(best_windows(rows, weights, places, sizes).sum(), rows, create_graph=True)


@pytest.mark.parametrize("frozen", ["rows", "weights", "both"])
def test_what_does_not_learn_gets_no_gradient(frozen):
    rows, weights, places, sizes = problem([4, 2], (2, 3))
    rows.requires_grad_(frozen == "weights")
    for w in weights:
        w.requires_grad_(frozen == "rows")
    out = best_windows(rows, weights, places, sizes)
    assert out.requires_grad == (frozen != "both")
    if frozen != "both":
        out.sum().backward()
    assert (rows.grad is None) == (frozen != "weights")
    assert all((w.grad is None) == (frozen != "rows") for w in weights)


def test_it_works_without_gradients_and_under_autocast():
    rows, weights, places, sizes = problem([4, 2], (2, 3), dtype=torch.float32)
    expected = best_windows(rows, weights, places, sizes).detach()
    with torch.inference_mode():
        assert torch.equal(best_windows(rows, weights, places, sizes), expected)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        out = best_windows(rows, weights, places, sizes)
    assert torch.equal(out, expected)
    out.sum().backward()
    assert rows.grad.isfinite().all()


def test_long_texts_are_pooled_in_blocks_to_the_same_result(monkeypatch):
    rows, weights, places, sizes = problem([40, 0, 17], (1, 2, 5))
    whole = best_windows(rows, weights, places, sizes)
    gradients = torch.autograd.grad(whole.sum(), [rows, *weights])
    monkeypatch.setattr(projected, "SUMS", 50)
    blocks = best_windows(rows, weights, places, sizes)
    assert torch.equal(blocks, whole)
    for a, b in zip(torch.autograd.grad(blocks.sum(), [rows, *weights]), gradients, strict=True):
        assert torch.equal(a, b)


def test_what_stands_beyond_a_text_is_never_read():
    rows, weights, places, sizes = problem([2, 6], (1, 3))
    alone = best_windows(rows, weights, places[:1, :2], sizes[:1])
    unused = next(i for i in range(9) if i not in places[0, :2].tolist())
    with torch.no_grad():
        rows[unused] = torch.nan
    places[0, 2:] = unused
    assert torch.equal(best_windows(rows, weights, places[:1], sizes[:1]), alone)


def test_nan_comes_out_as_nan_and_its_gradient_does_not_crash():
    rows, weights, places, sizes = problem([3], (2,))
    with torch.no_grad():
        rows[places[0, 1]] = torch.nan
    out = best_windows(rows, weights, places, sizes)
    assert out.isnan().all()
    out.sum().backward()


def test_weights_of_different_numbers_of_filters_are_refused():
    rows, weights, places, sizes = problem([3], (2,))
    with pytest.raises(InputError, match="as many filters"):
        best_windows(rows, [*weights, weights[0][:2]], places, sizes)


@given(ids=st.lists(st.integers(0, 30), min_size=0, max_size=20), n_words=st.sampled_from([31, 10_000]))
@settings(max_examples=40, deadline=None)
def test_distinct_is_unique_in_small_and_large_vocabularies(ids, n_words):
    t = torch.tensor(ids, dtype=torch.int64)
    used, places = distinct(t, n_words)
    expected, inverse = t.unique(return_inverse=True)
    assert torch.equal(used, expected)
    assert torch.equal(places, inverse.int())


def test_sliding_sums_are_a_convolution():
    rows, (weight,), places, _ = problem([7, 7], (3,))
    expected = torch.nn.functional.conv1d(rows[places].transpose(1, 2), weight)
    torch.testing.assert_close(slide(tap_responses(rows, weight), places), expected)

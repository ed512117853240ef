"""Windows and the strongest of them, against a loop over every window."""

import numpy as np
import pytest
import torch
from made_cnn import made_cnn

from conv1d_kit.text import batches
from conv1d_kit.text.tokens import byte_tokens, word_tokens
from conv1d_kit.text.windows import distinct_windows, strongest_windows, text_windows, window_source

TEXTS = [np.array(t, dtype=np.int64) for t in ([2, 3, 4, 2], [], [5], [3, 3], [6, 2, 2, 6, 5, 1])]


@pytest.mark.parametrize("cells", [1 << 16, 6])
@pytest.mark.parametrize("k", [1, 2, 5])
def test_the_strongest_window_is_the_first_maximum_of_a_loop(k, cells, monkeypatch):
    monkeypatch.setattr(batches, "POSITIONS", cells)
    net = made_cnn(7, 2, seed=k, dim=3, filters=4, widths=(k,))
    layer = net.layers[0]
    starts, responses = strongest_windows(net, layer, TEXTS)
    emb, w = net.embedding.weight.detach().double().numpy(), layer.weight.detach().double().numpy()
    bias = layer.bias.detach().double().numpy()
    for n, ids in enumerate(TEXTS):
        for f in range(4):
            z = {}
            for start in range(1 - k, len(ids)) if len(ids) else ():
                cells_ = [ids[j] if 0 <= j < len(ids) else 0 for j in range(start, start + k)]
                z[start] = sum(w[f, :, a] @ emb[cells_[a]] for a in range(k))
            best = max(z.values(), default=0.0)
            assert responses[n, f] == pytest.approx(max(0.0, best + bias[f]), abs=1e-6)
            if z:
                first = next(start for start, value in z.items() if value > best - 1e-7)
                assert starts[n, f] == first


def test_the_responses_are_the_nets_features():
    net = made_cnn(7, 2, dim=3, filters=4, widths=(2, 3))
    with torch.no_grad():
        features = net.features(*batches.pad(TEXTS))
    got = np.concatenate([strongest_windows(net, layer, TEXTS)[1] for layer in net.layers], 1)
    np.testing.assert_allclose(got, features, atol=1e-6)


def test_distinct_windows_are_counted_and_the_first_place_is_kept():
    windows, places = text_windows(TEXTS, 2)
    first, counts = distinct_windows(windows, 7)
    seen = {}
    for i, row in enumerate(map(tuple, windows.tolist())):
        seen.setdefault(row, []).append(i)
    assert {tuple(windows[i]): n for i, n in zip(first, counts, strict=True)} == {
        row: len(where) for row, where in seen.items()
    }
    assert sorted(first) == sorted(where[0] for where in seen.values())
    assert len(places) == sum(len(t) + 1 for t in TEXTS if len(t))


def test_a_window_over_the_border_holds_pad_and_its_source_only_the_text():
    text = "Not bad!"
    assert window_source(text, word_tokens(text), 2, 3) == (("!", "<pad>", "<pad>"), "!")


def test_a_window_that_begins_within_a_character_shows_the_whole_character():
    text = "o好é"
    assert window_source(text, byte_tokens(text), 2, 2) == (("\\xa5", "\\xbd"), "好")
    assert window_source(text, byte_tokens(text), 3, 2)[1] == "好é"

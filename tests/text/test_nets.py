"""What holds for every row of TEXT_NETS: alone or in company, of no tokens or many, saved and loaded."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from conv1d_kit.errors import InputError
from conv1d_kit.streaming.net import stream
from conv1d_kit.text.batches import pad
from conv1d_kit.text.grammar import make_reviews
from conv1d_kit.text.nets import TEXT_NETS, NetOptions
from conv1d_kit.text.optimizer import RowAdam
from conv1d_kit.text.tokens import tokenize
from conv1d_kit.text.vocabulary import Vocabulary

POOLINGS = ("max", "3-max", "mean", "attention", "log_sum_exp")
every_net = pytest.mark.parametrize("name", TEXT_NETS)
every_pooling = pytest.mark.parametrize("pooling", POOLINGS)


def make(name, seed=5, n_words=20, **options):
    options = {"dim": 7, "widths": (1, 3, 5), "filters": 4, "dropout": 0.0, **options}
    generator = torch.Generator().manual_seed(seed)
    net = TEXT_NETS[name](n_words, 3, NetOptions(**options), generator=generator)
    if hasattr(net, "pool") and hasattr(net.pool, "query"):
        with torch.no_grad():
            net.pool.query.normal_(generator=generator)
    for pool in getattr(net, "pools", ()):
        if hasattr(pool, "query"):
            with torch.no_grad():
                pool.query.normal_(generator=generator)
    return net.eval()


def texts(*lengths):
    generator = torch.Generator().manual_seed(1)
    return [torch.randint(1, 20, (n,), generator=generator).numpy() for n in lengths]


@every_net
@every_pooling
@given(lengths=st.lists(st.integers(0, 40), min_size=1, max_size=5))
@settings(max_examples=6, deadline=None, derandomize=True)
def test_a_text_alone_gives_what_it_gives_in_any_batch(name, pooling, lengths):
    net, rows = make(name, pooling=pooling), texts(*lengths)
    together = net(*pad(rows))
    for i, row in enumerate(rows):
        torch.testing.assert_close(together[i], net(*pad([row]))[0], atol=1e-5, rtol=0)


@every_net
@every_pooling
def test_without_lengths_every_text_fills_its_row(name, pooling):
    net = make(name, pooling=pooling)
    for n in (1, 2, 5, 33):
        ids, lengths = pad(texts(n, n))
        torch.testing.assert_close(net(ids), net(ids, lengths), atol=1e-5, rtol=0)
        features = net.plain_features(ids)
        torch.testing.assert_close(features, net.features(ids, lengths), atol=1e-5, rtol=0)
    ids, lengths = pad(texts(0, 1, 9))
    torch.testing.assert_close(net.plain_features(ids, lengths), net.features(ids, lengths), atol=1e-5, rtol=0)


@every_net
@every_pooling
def test_what_stands_in_the_padding_is_never_read(name, pooling):
    net = make(name, pooling=pooling)
    for mode in (net.eval(), net.train()):
        with torch.no_grad():
            net.embedding.weight[19] = torch.nan  # a word that poisons all it touches
        ids, lengths = pad(texts(0, 2, 9, 30))
        ids = ids.clamp(max=18)
        clean = mode(ids, lengths)
        for row, n in enumerate(lengths):
            ids[row, n:] = 19
        assert torch.equal(mode(ids, lengths), clean)
        assert clean.isfinite().all()


@every_net
@every_pooling
def test_texts_of_no_and_one_token_have_finite_logits_and_gradients(name, pooling):
    net = make(name, pooling=pooling).train()
    for lengths in ((0,), (1,), (0, 0), (0, 1, 2, 50)):
        net.zero_grad()
        logits = net(*pad(texts(*lengths)))
        assert logits.isfinite().all()
        torch.nn.functional.cross_entropy(logits, torch.zeros(len(lengths), dtype=torch.int64)).backward()
        for key, p in net.named_parameters():
            assert p.grad is None or p.grad.to_dense().isfinite().all(), key


@every_net
def test_a_batch_of_one_trains(name):
    net = make(name, dropout=0.2, word_dropout=0.1, embedding_dropout=0.1).train()
    optimizer, batch = RowAdam(net.parameters(), lr=0.01), pad(texts(1))
    torch.manual_seed(0)
    losses = []
    for _ in range(60):
        optimizer.zero_grad()
        loss = torch.nn.functional.cross_entropy(net(*batch), torch.tensor([2]))
        loss.backward()
        optimizer.step()
        net.constrain()
        losses.append(float(loss.detach()))
    assert np.mean(losses[-10:]) < losses[0] / 2
    assert (net.embedding.weight[0] == 0).all()


@every_net
@every_pooling
def test_the_same_seed_gives_the_same_weights_and_another_others(name, pooling):
    torch.manual_seed(1)
    one = make(name, seed=3, pooling=pooling).state_dict()
    torch.manual_seed(2)
    again, other = (make(name, seed=s, pooling=pooling).state_dict() for s in (3, 4))
    assert all(torch.equal(one[k], again[k]) for k in one)
    assert not torch.equal(one["out.weight"], other["out.weight"])
    assert not torch.equal(one["embedding.weight"], other["embedding.weight"])


@every_net
@pytest.mark.parametrize("embedding", ["rand", "static", "multichannel"])
def test_a_state_dict_takes_everything_along(name, embedding, tmp_path):
    net, batch = make(name, seed=3, pooling="attention", embedding=embedding), pad(texts(0, 4, 11))
    net.train()(*batch)  # moves what a batch norm remembers
    torch.save(net.state_dict(), tmp_path / "net.pt")
    other = make(name, seed=4, pooling="attention", embedding=embedding)
    other.load_state_dict(torch.load(tmp_path / "net.pt", weights_only=True))
    assert torch.equal(net.eval()(*batch), other.eval()(*batch))


@every_net
def test_the_output_rows_are_bounded(name):
    net = make(name, max_norm=0.1)
    net.constrain()
    torch.testing.assert_close(net.out.weight.norm(dim=1), torch.full((3,), 0.1))
    net = make(name, max_norm=None)
    before = net.out.weight.clone()
    net.constrain()
    assert torch.equal(net.out.weight, before)


@every_net
def test_static_embeddings_stay_and_of_two_channels_one_learns(name):
    matrix = torch.randn(20, 7, generator=torch.Generator().manual_seed(0))
    for kind in ("static", "nonstatic", "multichannel"):
        net = make(name, embedding=kind).train()
        net.set_vectors(matrix)
        before = {k: v.clone() for k, v in net.state_dict().items()}
        optimizer = RowAdam(net.parameters(), lr=0.05)
        net(*pad(texts(6, 9)))[:, 0].sum().backward()
        optimizer.step()
        after = net.state_dict()
        assert torch.equal(before["embedding.weight"], after["embedding.weight"]) == (kind == "static")
        assert not torch.equal(before["out.weight"], after["out.weight"])
        assert (after["embedding.weight"][0] == 0).all()
        if kind == "multichannel":
            assert torch.equal(after["embedding.fixed"][1:], matrix[1:])
            assert (after["embedding.fixed"][0] == 0).all()


@every_net
def test_a_large_vocabulary_has_gradients_of_the_batchs_words_only(name):
    net = make(name, n_words=3000).train()
    ids, lengths = pad(texts(4, 6))
    net(ids, lengths).sum().backward()
    assert net.embedding.weight.grad.is_sparse
    used = set(net.embedding.weight.grad.coalesce().indices()[0].tolist())
    assert used <= set(ids.unique().tolist())


@pytest.mark.parametrize("name", [n for n in TEXT_NETS if n != "fasttext"])
def test_a_stream_of_tokens_ends_where_the_whole_text_does(name):
    net = make(name)
    s = stream(net, latency="any")
    for length, cuts in ((1, ()), (2, (1,)), (17, (3, 3, 10)), (60, (0, 31, 32))):
        s.reset()
        ids = torch.from_numpy(np.random.default_rng(length).integers(2, 20, (1, length)))
        edges = [0, *cuts, length]
        for a, b in pairwise(edges):
            s.push(ids[:, a:b])
        expected = net(ids, torch.tensor([length])).detach()
        torch.testing.assert_close(s.flush(), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", [n for n in TEXT_NETS if n != "fasttext"])
def test_a_pooling_without_a_running_value_does_not_stream(name):
    with pytest.raises(InputError, match="pooling must be max or mean in a stream, got '2-max'"):
        stream(make(name, pooling="2-max"))


@every_net
def test_it_learns_an_order_of_words_that_a_bag_of_words_cannot_see(name):
    train, labels = make_reviews(600, seed=1)
    test, truth = make_reviews(200, seed=2)
    words = [[t.word for t in tokenize(x)] for x in train]
    vocabulary = Vocabulary.from_tokens(words)
    ids = [vocabulary.encode(w) for w in words]
    generator = torch.Generator().manual_seed(0)
    net = TEXT_NETS[name](
        len(vocabulary), 2, NetOptions(dim=24, filters=24, dropout=0.1), generator=generator
    ).train()
    optimizer = RowAdam(net.parameters(), lr=0.004)
    rng, targets = np.random.default_rng(0), np.array([label == "positive" for label in labels], int)
    torch.manual_seed(0)
    for _ in range(10):
        for rows in np.array_split(rng.permutation(600), 20):
            optimizer.zero_grad()
            logits = net(*pad([ids[i] for i in rows]))
            torch.nn.functional.cross_entropy(logits, torch.from_numpy(targets[rows])).backward()
            optimizer.step()
            net.constrain()
    with torch.no_grad():
        logits = net.eval()(*pad([vocabulary.encode(t.word for t in tokenize(x)) for x in test]))
    right = np.mean(logits.argmax(1).numpy() == [label == "positive" for label in truth])
    assert right > (0.7 if name == "fasttext" else 0.85), right  # a bag of words: 0.5


@every_net
def test_a_depth_that_the_net_has_not_is_refused(name):
    with pytest.raises(InputError, match=r"depth must be .* or None for the net \w+, got 99"):
        make(name, depth=99)


@every_net
def test_sizes_are_checked(name):
    for n_words, n_classes, message in ((1, 2, "n_words must be an int >= 2"), (9, True, "n_classes must be")):
        with pytest.raises(InputError, match=message):
            TEXT_NETS[name](n_words, n_classes)


@every_net
def test_its_row_says_where_it_is_from_and_what_it_reads(name):
    row = TEXT_NETS[name]
    assert row.source.endswith(")")
    assert row.reads <= set(NetOptions.__dataclass_fields__)
    if row.published is not None:
        row.check(row.published)
    for option, value in (
        ("filters", 9),
        ("dim", 5),
        ("pooling", "2-max"),
        ("widths", (2,)),
        ("depth", row.depths[-1]),
    ):
        if option == "depth" and len(row.depths) == 1:
            continue
        base = {"dim": 7, "filters": 4, option: value}
        changed = {k: tuple(v.shape) for k, v in row(20, 3, NetOptions(**base)).state_dict().items()}
        plain = {k: tuple(v.shape) for k, v in row(20, 3, NetOptions(dim=7, filters=4)).state_dict().items()}
        assert (changed != plain) == (option in row.reads), option


def test_the_averaging_net_says_that_it_does_not_stream():
    with pytest.raises(InputError, match="the net fasttext cannot be streamed"):
        stream(make("fasttext"))


def test_the_averaging_net_is_the_mean_of_words_and_pairs():
    net, (ids,) = make("fasttext"), texts(4)
    rows = net.embedding.weight[ids].sum(0)
    for a, b in pairwise(ids.tolist()):
        rows = rows + net.pairs.weight[(a * 0x5BD1E995 ^ b * 31) % 65_535 + 1]
    torch.testing.assert_close(net(*pad([ids]))[0], net.out(rows / 7), rtol=1e-5, atol=1e-6)

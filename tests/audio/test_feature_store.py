"""Features on the disk: views that equal what was put, the same after a kill, one writer at a time."""

import os

import numpy as np
import pytest
import torch

from conv1d_kit import AudioClassifier
from conv1d_kit.audio import classifier as module
from conv1d_kit.audio.clip import Clip
from conv1d_kit.audio.feature_store import FeatureStore, clip_key, opened_store
from conv1d_kit.audio.frontends import LogMel, Raw
from conv1d_kit.audio.synth import make_sounds
from conv1d_kit.errors import DataError, InputError

SETTINGS = {"epochs": 2, "width": 4, "n_mels": 16, "augment": ()}


def _filled(folder, n=5):
    store = FeatureStore(folder, Raw(8000))
    kept = {str(i): torch.randn(1 + i, 7 * i + 1, generator=torch.Generator().manual_seed(i)) for i in range(n)}
    with store.written():
        for i, (key, x) in enumerate(kept.items()):
            store.put(key, x.half() if i % 2 else x, f"note {i}")
    return store, kept


def test_what_was_put_comes_back_to_the_bit_now_and_later(tmp_path):
    store, kept = _filled(tmp_path)
    for opened in (store, FeatureStore(tmp_path, Raw(8000))):
        for i, (key, x) in enumerate(kept.items()):
            found = opened.get(key)
            assert torch.equal(found.features, x.half() if i % 2 else x)
            assert found.note == f"note {i}"
        assert opened.get("else") is None


def test_a_view_read_while_others_are_put_stays_as_it_was(tmp_path):
    store = FeatureStore(tmp_path, Raw(8000))
    with store.written():
        store.put("a", torch.arange(6.0)[None])
        early = store.features("a")
        store.put("b", torch.zeros(1, 100_000))
        assert torch.equal(store.features("b"), torch.zeros(1, 100_000))
    assert torch.equal(early, torch.arange(6.0)[None])


def test_memory_holds_what_is_read_and_not_the_whole_file(tmp_path):
    store = FeatureStore(tmp_path, Raw(8000))
    with store.written():
        for i in range(50):
            store.put(str(i), torch.full((1, 1_000_000), float(i)))
    del store
    opened = FeatureStore(tmp_path, Raw(8000))

    def resident():
        with open("/proc/self/statm") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    if not os.path.exists("/proc/self/statm"):
        pytest.skip("this system does not tell a process's memory in /proc")
    before = resident()
    views = [opened.features(str(i)) for i in range(50)]  # 200 MB
    assert float(views[49][0, -1]) == 49
    assert resident() - before < 40e6


def test_another_front_end_has_another_file(tmp_path):
    store, _ = _filled(tmp_path)
    assert FeatureStore(tmp_path, Raw(16000)).get("0") is None
    assert FeatureStore(tmp_path, LogMel(8000, n_mels=16)).get("0") is None
    assert len(list(tmp_path.glob("*.bin"))) == 1
    assert store.get("0") is not None


def test_what_a_kill_cut_short_is_made_again(tmp_path):
    store, kept = _filled(tmp_path)
    with open(store.path, "r+b") as file:
        file.truncate(os.path.getsize(store.path) - 8)
    again = FeatureStore(tmp_path, Raw(8000))
    assert again.get("4") is None
    with again.written():
        again.put("4", kept["4"])
    assert torch.equal(FeatureStore(tmp_path, Raw(8000)).features("4"), kept["4"])
    assert torch.equal(again.features("3"), kept["3"].half())


def test_rows_of_a_file_that_was_taken_away_are_not_found_in_the_one_that_follows(tmp_path):
    def filled(values, end):
        store = FeatureStore(tmp_path, Raw(8000))
        with store.written():
            for key, value in values.items():
                store.put(key, torch.full((1, 20), value))
            end(store)
        return store

    def killed(store):
        store._file.flush()
        store._fresh = []  # on the disk, but not in the index

    store = filled(dict.fromkeys("abcdef", 1.0), lambda store: None)
    store.path.unlink()
    filled({"e": 2.0, "f": 2.0}, killed)
    filled({"x": 3.0}, lambda store: None)
    again = FeatureStore(tmp_path, Raw(8000))
    assert [again.get(key) for key in "abcdef"] == [None] * 6
    assert again.features("x").tolist() == [[3.0] * 20]


def test_two_writers_at_a_time_are_refused(tmp_path):
    first, second = FeatureStore(tmp_path, Raw(8000)), FeatureStore(tmp_path, Raw(8000))
    with first.written(), pytest.raises(DataError, match="another run writes"), second.written():
        pass


def test_a_place_that_cannot_be_used_is_said(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="cache must be a folder"):
        FeatureStore(tmp_path / "file", Raw(8000))
    store, _ = _filled(tmp_path / "x")
    store.path.with_suffix(".jsonl").write_text('{"rows": [{"at": 0}]}\n')
    with pytest.raises(DataError, match="no index of features"):
        FeatureStore(tmp_path / "x", Raw(8000))


def test_keys_tell_content_from_content(tmp_path):
    a, b = Clip(np.zeros(5), 100), Clip(np.zeros(5), 200)
    assert clip_key(a) == clip_key(Clip(np.zeros(5), 100)) != clip_key(b)
    place = tmp_path / "x.wav"
    place.write_bytes(b"1")
    first = clip_key(place)
    place.write_bytes(b"12")
    assert clip_key(place) != first
    for missing in (tmp_path / "none.wav", "a\0b"):
        with pytest.raises(DataError, match="cannot be read"):
            clip_key(missing)


def test_a_temporary_store_is_gone_at_the_end():
    with opened_store(None, Raw(8000)) as store:
        folder = store.path.parent
        assert folder.is_dir()
    assert not folder.exists()


def test_a_second_fit_decodes_nothing_and_gives_the_same_weights(tmp_path, monkeypatch):
    clips, labels = make_sounds(2, seed=0)
    plain = AudioClassifier(**SETTINGS).fit(clips, labels)
    first = AudioClassifier(**SETTINGS).fit(clips, labels, cache=tmp_path)
    decoded = []
    load = module.load_waves
    monkeypatch.setattr(
        module, "load_waves", lambda items, *a, **k: decoded.append(len(items)) or load(items, *a, **k)
    )
    second = AudioClassifier(**SETTINGS).fit(clips, labels, cache=tmp_path)
    third = AudioClassifier(**SETTINGS).fit(
        [*clips, clips[0].resample(4000)], [*labels, labels[0]], cache=tmp_path
    )
    assert decoded == [0, 1]
    for model in (first, second):
        for name, value in plain.net_.state_dict().items():
            assert torch.equal(model.net_.state_dict()[name], value), name
    assert third.n_skipped_ == 0


def test_bad_files_are_told_with_a_cache_as_without(tmp_path):
    clips, labels = make_sounds(2, seed=0)
    bad = tmp_path / "bad.wav"
    bad.touch()
    silent = Clip(np.zeros(8000), 8000)
    model = AudioClassifier(**SETTINGS)
    for _ in range(2):  # decoded, then from the cache
        model.fit(
            [*clips, bad, tmp_path / "none.wav", silent], [*labels, "x", "x", labels[0]], cache=tmp_path / "c"
        )
        assert [reason.partition(": ")[0] for _, reason in model.skipped_] == [
            str(bad),
            str(tmp_path / "none.wav"),
        ]
        assert len(model.silent_) == 1

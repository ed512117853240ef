"""The index: exact neighbours, files that others can read, an ended run that goes on, and what is refused."""

import json
import resource
import signal

import numpy as np
import pytest
import soundfile as sf
import torch
from safetensors.numpy import load_file
from sklearn.neighbors import NearestNeighbors
from tiny_model import RATE, TinyNet, tiny_model

from conv1d_kit.audio import embedding_index
from conv1d_kit.audio.embedding import embed
from conv1d_kit.audio.embedding_index import EmbeddingIndex, make_index
from conv1d_kit.errors import DataError, InputError


@pytest.fixture
def files(tmp_path):
    r = np.random.default_rng(0)
    (tmp_path / "s").mkdir()
    for i in range(10):
        sf.write(tmp_path / f"s/{i}.wav", 0.1 * r.standard_normal(1000 + 100 * i), RATE)
    (tmp_path / "s/4.wav").write_text("no sound")
    return [tmp_path / f"s/{i}.wav" for i in range(10)]


def _index(n=500, d=7, seed=0):
    vectors = np.random.default_rng(seed).standard_normal((n, d)).astype(np.float32)
    return EmbeddingIndex(vectors, [{"path": str(i)} for i in range(n)], "id")


def test_neighbours_are_scikit_learn_s_in_one_block_and_in_many(monkeypatch):
    index, query = _index(), np.random.default_rng(1).standard_normal(7)
    distance, rows = NearestNeighbors(n_neighbors=9, metric="cosine").fit(index.vectors).kneighbors([query])
    for block in (2**24, 7 * 13):
        monkeypatch.setattr(embedding_index, "_BLOCK", block)
        found = index.search(query, k=9)
        assert [f.row for f in found] == rows[0].tolist()
        np.testing.assert_allclose([f.similarity for f in found], 1 - distance[0], atol=1e-5)
    assert [f.row for f in index.search(query, k=7, leave_out=rows[0][:2].tolist())] == rows[0][2:].tolist()


def test_rows_without_a_vector_are_never_found_and_equals_come_in_order():
    vectors = np.array([[0, 0], [1, 0], [1, 0], [-1, 0]], np.float32)
    index = EmbeddingIndex(vectors, [{}] * 4, "id")
    assert [f.row for f in index.search(np.array([1, 0]), k=10)] == [1, 2, 3]


def test_what_cannot_be_searched_is_refused():
    index = _index()
    for query, words in (
        (np.ones(6), "query must be"), (np.zeros(7), "not all 0"), (np.full(7, np.nan), "must be finite"),
    ):  # fmt: skip
        with pytest.raises(InputError, match=words):
            index.search(query)
    for k in (0, -1, 1.5, True):
        with pytest.raises(InputError, match="k must be an int >= 1"):
            index.search(np.ones(7), k=k)
    with pytest.raises(InputError, match="N = 2 clips"):
        EmbeddingIndex(np.zeros((3, 2), np.float32), [{}, {}], "id")


@pytest.mark.parametrize("n", [0, 1, 500])
def test_saved_and_loaded_it_is_the_same_and_safetensors_reads_it(tmp_path, n):
    index = _index(n)
    index.save(tmp_path / "i")
    index.save(tmp_path / "i")  # replaced
    again = EmbeddingIndex.load(tmp_path / "i")
    np.testing.assert_array_equal(again.vectors, index.vectors)
    np.testing.assert_array_equal(load_file(tmp_path / "i/vectors.safetensors")["vectors"], index.vectors)
    assert (again.clips, again.model_id) == (index.clips, "id")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["i"]


def test_files_become_rows_and_a_bad_one_a_line_with_its_error(tmp_path, files):
    model = tiny_model()
    index = make_index(model, files, tmp_path / "i", labels=[str(i % 2) for i in range(10)])
    good = [i for i in range(10) if i != 4]
    np.testing.assert_array_equal(index.vectors[good], embed(model, [files[i] for i in good]))
    assert not index.vectors[4].any()
    assert "not a readable audio file" in index.clips[4]["error"]
    assert [c["path"] for c in index.clips] == [str(p) for p in files]
    assert [c["label"] for c in index.clips] == [str(i % 2) for i in range(10)]
    assert index.search(index.vectors[7], k=1)[0].row == 7


def test_an_ended_run_goes_on_and_ends_with_the_same_index(tmp_path, files, monkeypatch):
    model = tiny_model()
    whole = make_index(model, files, tmp_path / "whole")
    monkeypatch.setattr(embedding_index, "_KEEP", 2)

    def stop(found):
        if found.index == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        make_index(model, files, tmp_path / "i", on_file=stop)
    assert not (tmp_path / "i").exists()
    with open(tmp_path / ".i.part/clips.jsonl", "a") as file:
        file.write('{"path": "cut sho')  # as a kill may leave it
    resumed, heard = [], []
    again = make_index(
        model, files, tmp_path / "i", on_resume=resumed.append, on_file=lambda f: heard.append(f.index)
    )
    assert resumed == [6]
    assert heard == [6, 7, 8, 9]
    np.testing.assert_array_equal(again.vectors, whole.vectors)
    assert again.clips == whole.clips
    assert not (tmp_path / ".i.part").exists()


def test_a_run_with_other_files_or_another_model_begins_anew(tmp_path, files):
    def stop(found):
        raise KeyboardInterrupt

    for model, paths in ((tiny_model(TinyNet(slice(0, 2))), files), (tiny_model(), files[:9])):
        with pytest.raises(KeyboardInterrupt):
            make_index(tiny_model(), files, tmp_path / "i", on_file=stop)
        if model.net_.rows == slice(0, 2):
            with torch.no_grad():
                model.net_.head.bias.add_(1)
        resumed = []
        make_index(model, paths, tmp_path / "i", on_resume=resumed.append)
        assert resumed == []


def test_another_model_is_refused_by_name(tmp_path, files):
    index = make_index(tiny_model(), files, tmp_path / "i", model_path="birds")
    index.check_model(tiny_model())
    other = tiny_model()
    with torch.no_grad():
        other.net_.head.bias.add_(1)
    with pytest.raises(InputError, match=r"with the model that made it \(.*birds"):
        index.check_model(other)


def test_a_full_disk_is_one_error_with_a_cure(tmp_path, files):
    old = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, old[1]))
    try:
        with pytest.raises(DataError, match=r"cannot write .*i: File too large; make room and run it again"):
            make_index(tiny_model(), files, tmp_path / "i")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, old)
        signal.signal(signal.SIGXFSZ, handler)
    assert len(make_index(tiny_model(), files, tmp_path / "i")) == len(files)


def test_places_that_hold_anything_else_and_bad_arguments_are_refused(tmp_path, files):
    (tmp_path / "file").touch()
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder/thesis.txt").touch()
    for name in ("file", "folder"):
        with pytest.raises(DataError, match=f"{name} is not an index folder that may be replaced"):
            make_index(tiny_model(), files, tmp_path / name)
    with pytest.raises(DataError, match="cannot write"):
        make_index(tiny_model(), files, tmp_path / "file/i")
    with pytest.raises(InputError, match="at least one file"):
        make_index(tiny_model(), [], tmp_path / "i")
    with pytest.raises(InputError, match="one a path"):
        make_index(tiny_model(), files, tmp_path / "i", labels=["x"])


def test_a_damaged_index_is_refused_with_its_name(tmp_path):
    for name, change in {
        "index.json": lambda text: b"{",
        "clips.jsonl": lambda text: text[:-5],
        "vectors.safetensors": lambda text: text[:-4],
    }.items():
        _index(5).save(tmp_path / "i")
        path = tmp_path / "i" / name
        path.write_bytes(change(path.read_bytes()))
        with pytest.raises(DataError, match="is damaged and cannot be read"):
            EmbeddingIndex.load(tmp_path / "i")
    _index(5).save(tmp_path / "i")
    about = json.loads((tmp_path / "i/index.json").read_text())
    (tmp_path / "i/index.json").write_text(json.dumps({**about, "format": 2}))
    with pytest.raises(DataError, match="format 2, this version reads up to 1"):
        EmbeddingIndex.load(tmp_path / "i")
    with pytest.raises(DataError, match="is not an index folder"):
        EmbeddingIndex.load(tmp_path / "nowhere")


def test_two_runs_do_not_write_one_index(tmp_path, files):
    def second(found):
        with pytest.raises(DataError, match="another run is writing it"):
            make_index(tiny_model(), files, tmp_path / "i")

    make_index(tiny_model(), files[:1], tmp_path / "i", on_file=second)

"""An exported text model gives torch's probabilities for any texts, without torch, and nearly so in int8."""

import json
import subprocess
import sys
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import typer
from typer.testing import CliRunner

from conv1d_kit.errors import DataError, InputError, InputTypeError, ModelError
from conv1d_kit.text.classifier import TextClassifier
from conv1d_kit.text.grammar import make_reviews
from conv1d_kit.text.nets import TEXT_NETS, NetOptions
from conv1d_kit.text.tokens import make_tokenizer, words_of
from conv1d_kit.text.vocabulary import Vocabulary

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxscript")
pytest.importorskip("onnxruntime")

from conv1d_kit.cli.text_export import export  # noqa: E402
from conv1d_kit.text import export as exporting  # noqa: E402
from conv1d_kit.text.export import TokensToProbabilities, export_onnx, quantize_onnx, words_path  # noqa: E402
from conv1d_kit.text.onnx_compare import compare  # noqa: E402
from conv1d_kit.text.onnx_runner import OnnxTextClassifier, TextDescription  # noqa: E402

TEXTS = ["", "film", "Never seen words!", "the film was not bad at all, great in fact " * 20, "好 😀"]


@pytest.fixture(scope="module")
def trained():
    texts, labels = make_reviews(300, seed=1)
    return TextClassifier(dim=24, filters=8, widths=(1, 3), epochs=8, lr=0.01, seed=0).fit(texts, labels)


@pytest.fixture(scope="module")
def place(trained, tmp_path_factory):
    path = tmp_path_factory.mktemp("onnx") / "model.onnx"
    assert export_onnx(trained, path) <= 1e-4
    return path


@pytest.fixture(scope="module")
def int8(place):
    path = place.with_name("model.int8.onnx")
    assert len(quantize_onnx(place, path)) == 4  # the embedding, two widths, the classes
    return path


def test_texts_give_the_probabilities_of_torch(trained, place):
    runner = OnnxTextClassifier(place)
    np.testing.assert_allclose(runner.predict_proba(TEXTS), trained.predict_proba(TEXTS), atol=1e-5)
    assert runner.predict(TEXTS).tolist() == trained.predict(TEXTS).tolist()
    assert runner.classes_.tolist() == ["negative", "positive"]
    for text in TEXTS:  # alone as in company
        expected = trained.predict_proba([text])
        np.testing.assert_allclose(runner.predict_proba([text]), expected, atol=1e-5)
    assert runner.predict_proba([]).shape == (0, 2)


def test_many_texts_are_run_in_batches_of_bounded_size(trained, place, monkeypatch):
    texts, _ = make_reviews(100, seed=2)
    runner = OnnxTextClassifier(place)
    sizes = []
    run = runner.run
    monkeypatch.setattr("conv1d_kit.text.onnx_runner.CELLS", 200)
    monkeypatch.setattr(runner, "run", lambda ids, n: sizes.append(ids.shape) or run(ids, n))
    np.testing.assert_allclose(runner.predict_proba(texts), trained.predict_proba(texts), atol=1e-5)
    assert len(sizes) > 10
    assert all(b * n <= 200 for b, n in sizes)


def test_the_runner_loads_neither_torch_nor_sklearn(place):
    code = (
        "import sys; from conv1d_kit.text.onnx_runner import OnnxTextClassifier as O; "
        f"print(O({str(place)!r}).predict(['a film'])[0]); "
        "print([m for m in ('torch', 'onnx', 'scipy', 'sklearn') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    label, loaded = done.stdout.split("\n")[:2]
    assert label in ("negative", "positive")
    assert loaded == "[]"


def test_the_words_stand_beside_it_as_json(trained, place):
    said = json.loads(words_path(place).read_text())
    assert said["tokenizer"] == "word"
    assert Vocabulary.from_json(said["vocabulary"]) == trained.vocabulary_
    axes = [[d.dim_param for d in i.type.tensor_type.shape.dim] for i in onnx.load(place).graph.input]
    assert axes == [["batch", "tokens"], ["batch"]]


def test_int8_says_nearly_the_same_and_is_smaller(trained, place, int8):
    texts, labels = make_reviews(200, seed=3)
    found = compare([OnnxTextClassifier(place), OnnxTextClassifier(int8)], texts, labels)
    assert found.scores[0].accuracy == np.mean(trained.predict(texts) == labels)
    assert found.agreement > 0.97
    assert 0 < found.largest_difference < 0.1
    assert found.scores[0].texts_per_second > 0
    low, high = found.scores[1].interval
    assert low <= found.scores[1].accuracy <= high
    assert "uint8" in OnnxTextClassifier(int8).description_.quantized
    weights = {t.name: t.data_type for t in onnx.load(int8).graph.initializer if len(t.dims) > 1}
    assert set(weights.values()) == {onnx.TensorProto.UINT8}, weights


def test_files_that_do_not_belong_together_are_refused(place, tmp_path):
    other = tmp_path / "model.onnx"
    other.write_bytes(place.read_bytes())
    with pytest.raises(ModelError, match=r"model.json cannot be read .*; keep it beside the ONNX file"):
        OnnxTextClassifier(other)
    words = words_path(other)
    words.write_text(words_path(place).read_text() + " ")
    with pytest.raises(ModelError, match="is not the file that the ONNX model was written with"):
        OnnxTextClassifier(other)
    with pytest.raises(ModelError, match="must stand beside"):
        quantize_onnx(place, tmp_path / "small.onnx")


def test_a_file_of_someone_elses_is_not_replaced(trained, tmp_path):
    (tmp_path / "model.json").write_text('{"mine": 1}')
    with pytest.raises(ModelError, match=r"model.json is not a file of text export, it is not replaced"):
        export_onnx(trained, tmp_path / "model.onnx")
    (tmp_path / "notes.onnx").write_text("mine")
    with pytest.raises(ModelError, match="is not an ONNX model, it is not replaced"):
        export_onnx(trained, tmp_path / "notes.onnx")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["model.json", "notes.onnx"]


def test_a_graph_that_differs_is_not_kept(trained, place, tmp_path, monkeypatch):
    document = onnx.load(place)
    bias = next(t for t in document.graph.initializer if t.name == "net.out.bias")
    moved = onnx.numpy_helper.to_array(bias) + np.eye(2, dtype="f4")[0]
    bias.CopyFrom(onnx.numpy_helper.from_array(moved, bias.name))
    monkeypatch.setattr(exporting, "_traced", lambda graph: document)
    monkeypatch.setattr(exporting, "name_nodes", lambda document: None)
    with pytest.raises(ModelError, match="differs from torch by"):
        export_onnx(trained, tmp_path / "m.onnx")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("metadata", "message"),
    [
        ({}, "does not say its classes and words"),
        ({"format": "1", "kind": "audio"}, "does not say its classes and words"),
        ({"format": "99"}, "has format 99, this version reads up to 1; upgrade conv1d_kit"),
    ],
)
def test_a_file_of_another_kind_is_refused(metadata, message):
    with pytest.raises(ModelError, match=message):
        TextDescription.read(metadata, "model.onnx")


def test_what_is_no_text_or_no_id_is_refused(place):
    runner = OnnxTextClassifier(place)
    with pytest.raises(InputTypeError, match=r"X must be a sequence of texts, got one str; try \[X\]"):
        runner.predict("film")
    with pytest.raises(InputTypeError, match=r"X must be a sequence of texts, got dict; of a table give one"):
        runner.predict({"text": ["film"]})
    with pytest.raises(InputTypeError, match=r"X must hold str only, got NoneType in X\[1\]"):
        runner.predict(["film", None])
    with pytest.raises(InputError, match=r"ids must be ints \(B, L\) and not empty"):
        runner.run(np.zeros((0, 3), int))
    with pytest.raises(InputError, match="ids must be from 0 to"):
        runner.run(np.full((1, 3), 10**6))
    with pytest.raises(InputError, match="lengths must be 1 ints from 0 to 3"):
        runner.run(np.ones((1, 3), int), np.array([4]))
    with pytest.raises(InputError, match="n_threads must be an int >= 1 or None, got 0"):
        OnnxTextClassifier(place, n_threads=0)


def test_a_label_that_is_no_class_is_said(place):
    with pytest.raises(DataError, match=r"the label 'odd' is no class of the model \(negative, positive\)"):
        compare([OnnxTextClassifier(place)], ["a"], ["odd"])


def test_the_verb_exports_checks_and_says_what_it_wrote(trained, place, int8, tmp_path, monkeypatch):
    trained.save(tmp_path / "model")
    texts, labels = make_reviews(60, seed=4)
    rows = [f"{label}\t{text}" for label, text in zip(labels, texts, strict=True)]
    (tmp_path / "check.tsv").write_text("\n".join(["label\ttext", *rows]) + "\n")

    def copied(model, path):  # tracing takes half a minute on a busy machine: once is enough
        for a, b in ((place, path), (words_path(place), words_path(path))):
            b.parent.mkdir(exist_ok=True)
            b.write_bytes(a.read_bytes())
        return 1e-7

    monkeypatch.setattr(exporting, "export_onnx", copied)
    app = typer.Typer()
    app.command()(export)
    call = [
        str(tmp_path / "model"),
        "--out",
        str(tmp_path / "out"),
        "--int8",
        "--check",
        str(tmp_path / "check.tsv"),
    ]
    done = CliRunner().invoke(app, [*call, "--json"])
    assert done.exit_code == 0, done.output
    result = json.loads(done.stdout)
    assert [f["weights"] for f in result["files"]] == ["float", "int8"]
    assert result["check"]["n_texts"] == 60
    assert result["files"][0]["accuracy"] == np.mean(trained.predict(texts) == labels)
    names = sorted(p.name for p in (tmp_path / "out").iterdir())
    assert names == ["model.int8.onnx", "model.json", "model.onnx"]
    shown = CliRunner().invoke(app, call)
    assert "int8 gives the label of float" in shown.output
    refused = CliRunner().invoke(app, [call[0], "--out", str(tmp_path / "model.txt")])
    assert "--out must be a folder or end in .onnx" in str(refused.exception)


def test_temperature_and_several_labels_are_part_of_the_graph(trained):
    ids, lengths = torch.tensor([[5, 7, 2]]), torch.tensor([3])
    logits = trained.net_(ids, lengths)
    graph = TokensToProbabilities(trained.net_, temperature=2.0, multi_label=True)
    torch.testing.assert_close(graph(ids, lengths), (logits / 2).sigmoid())
    graph = TokensToProbabilities(trained.net_, temperature=3.0)
    torch.testing.assert_close(graph(ids, lengths), (logits / 3).softmax(1))


def test_of_several_labels_all_above_one_half_are_given(place, monkeypatch):
    runner = OnnxTextClassifier(place)
    runner.description_ = replace(runner.description_, multi_label=True)
    monkeypatch.setattr(runner, "run", lambda ids, n: np.array([[0.7, 0.6], [0.1, 0.9], [0.2, 0.5]], "f4"))
    assert runner.predict(["a", "b", "c"]).tolist() == [("negative", "positive"), ("positive",), ()]


def test_a_learned_tokenizer_goes_along(trained, place, tmp_path, monkeypatch):
    pytest.importorskip("tokenizers")
    texts, _ = make_reviews(50, seed=5)
    cut, state = make_tokenizer("bpe", texts)
    vocabulary = Vocabulary.from_tokens([words_of(t, cut) for t in texts])
    net = TEXT_NETS["cnn"](len(vocabulary), 2, NetOptions(dim=8, filters=4)).eval()
    model = SimpleNamespace(
        classes_=np.array(["a", "b"]), tokenizer="bpe", vocabulary_=vocabulary, net_=net,
        model_=SimpleNamespace(tokenizer_state=state),
    )  # fmt: skip
    assert export_onnx(model, tmp_path / "m.onnx") < 1e-5
    ids = torch.from_numpy(vocabulary.encode(words_of(texts[0], cut)))[None]
    expected = net(ids, torch.tensor([ids.shape[1]])).softmax(1).detach().numpy()
    got = OnnxTextClassifier(tmp_path / "m.onnx").predict_proba(texts[:1])
    np.testing.assert_allclose(got, expected, atol=1e-5)


def test_a_model_that_is_no_net_says_so(tmp_path):
    with pytest.raises(ModelError, match=r"only a net of its own \(cnn, .*\) can be exported"):
        export_onnx(object(), tmp_path / "m.onnx")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "pooling"),
    [
        *((name, "max") for name in TEXT_NETS),
        *(("cnn", p) for p in ("3-max", "mean", "attention", "log_sum_exp")),
    ],
)
def test_every_net_and_pooling_exports(name, pooling, tmp_path):
    class Model:
        classes_, tokenizer, vocabulary_ = (
            np.array(["a", "b"]),
            "word",
            Vocabulary([f"w{i}" for i in range(30)]),
        )
        net_ = TEXT_NETS[name](
            32, 2, NetOptions(dim=8, filters=6, pooling=pooling, embedding="multichannel"),
            generator=torch.Generator().manual_seed(0),
        ).eval()  # fmt: skip

    with torch.no_grad():
        for key, p in Model.net_.named_parameters():
            if key.endswith("query"):
                p.normal_()
    assert export_onnx(Model, tmp_path / "model.onnx") < 1e-5
    assert len(quantize_onnx(tmp_path / "model.onnx", tmp_path / "small.onnx")) > 2
    texts = ["", "w1", "w2 w3 w4 w5 w6 unseen " * 9]
    one, small = (OnnxTextClassifier(tmp_path / f"{n}.onnx").predict_proba(texts) for n in ("model", "small"))
    np.testing.assert_allclose(one, small, atol=0.1)

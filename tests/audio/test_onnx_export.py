"""An exported model gives torch's probabilities for any batch and length, in float and nearly so in int8."""

import csv
import json
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile as sf
import torch

from conv1d_kit import Clip
from conv1d_kit.audio.classifier import AudioClassifier
from conv1d_kit.audio.composite_nets import Ensemble
from conv1d_kit.audio.frontends import FRONTENDS, LogMel, Raw
from conv1d_kit.audio.synth import make_sounds
from conv1d_kit.cli.main import main
from conv1d_kit.errors import DataError, InputError, InputTypeError, ModelError

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxscript")
pytest.importorskip("onnxruntime")

from conv1d_kit.audio import export as exporting  # noqa: E402
from conv1d_kit.audio.export import WaveToProbabilities, export_onnx, largest_difference  # noqa: E402
from conv1d_kit.audio.net import AudioNet  # noqa: E402
from conv1d_kit.audio.onnx_compare import compare  # noqa: E402
from conv1d_kit.audio.onnx_file import Description, check_onnx_target, extra  # noqa: E402
from conv1d_kit.audio.onnx_runner import OnnxAudioClassifier  # noqa: E402
from conv1d_kit.audio.quantize import layers_to_quantize, quantize_onnx  # noqa: E402

RATE = 4000


def _trained(net: str, epochs: int = 2) -> tuple[AudioClassifier, list, list]:
    clips, labels = make_sounds(2, seed=0, sample_rate=RATE)
    model = AudioClassifier(net=net, epochs=epochs, width=8, n_mels=16, augment=(), learning_rate=1e-2)
    return model.fit(clips, labels), clips, labels


@pytest.fixture(scope="module")
def trained():
    return _trained("spectrogram", 12)


@pytest.fixture(scope="module")
def place(trained, tmp_path_factory):
    path = tmp_path_factory.mktemp("onnx") / "model.onnx"
    assert export_onnx(trained[0], path) <= 1e-4
    return path


@pytest.fixture(scope="module")
def int8(trained, place):
    path = place.with_name("int8.onnx")
    quantize_onnx(place, path, [clip.samples[0] for clip in trained[1]])
    return path


def _torch(model, wave) -> np.ndarray:
    """The contract, written out, of one clip alone."""
    with torch.no_grad():
        features = model.frontend_(torch.tensor(wave)[None])
        logits = model.net_(features, model.frontend_.lengths(torch.tensor([len(wave)])))
    return logits.softmax(1)[0].numpy()


def _files(folder, clips, labels):
    for i, (clip, label) in enumerate(zip(clips, labels, strict=True)):
        (folder / label).mkdir(parents=True, exist_ok=True)
        sf.write(folder / label / f"{i}.wav", clip.samples[0], clip.sample_rate)
    return folder


@pytest.mark.parametrize(
    "lengths", [(1,), (2, 1), (255, 256, 257), (79, 80, 81, 4001), (9000, 1, 3000, 8999, 20)]
)
def test_a_batch_of_any_lengths_gives_what_torch_gives_each_clip_alone(trained, place, lengths):
    rng = np.random.default_rng(1)
    waves = [(0.3 * rng.standard_normal(n)).astype(np.float32) for n in lengths]
    x = 100 * rng.standard_normal((len(waves), max(lengths) + 5)).astype(np.float32)  # padding is loud
    for row, wave in zip(x, waves, strict=True):
        row[: len(wave)] = wave
    got = OnnxAudioClassifier(place).run(x, np.array(lengths))
    np.testing.assert_allclose(got, [_torch(trained[0], wave) for wave in waves], atol=1e-4)
    np.testing.assert_allclose(got.sum(1), 1, atol=1e-5)


def test_the_file_is_one_valid_graph_that_says_what_it_is_and_nothing_of_this_machine(trained, place):
    document = onnx.load(place, load_external_data=False)
    onnx.checker.check_model(document)
    shapes = {
        v.name: [d.dim_param or d.dim_value for d in v.type.tensor_type.shape.dim]
        for v in (*document.graph.input, *document.graph.output)
    }
    n = len(trained[0].classes_)
    assert shapes == {"samples": ["batch", "time"], "lengths": ["batch"], "probabilities": ["batch", n]}
    said = {p.key: p.value for p in document.metadata_props}
    assert json.loads(said["classes"]) == trained[0].classes_.tolist()
    assert said["sample_rate"] == str(RATE)
    assert json.loads(said["frontend"])["options"]["n_mels"] == 16
    assert [p.name for p in place.parent.iterdir() if "data" in p.name] == []
    assert b"site-packages" not in place.read_bytes()
    assert b"conv1d_kit/audio" not in place.read_bytes()


def test_the_runner_hears_files_as_the_classifier_does(trained, place, tmp_path):
    model, clips, _ = trained
    rng = np.random.default_rng(2)
    sf.write(tmp_path / "stereo.wav", 0.2 * rng.standard_normal((22050, 2)), 22050)
    items = [*clips[:3], tmp_path / "stereo.wav", Clip(0.1 * rng.standard_normal(61 * RATE), RATE)]
    runner = OnnxAudioClassifier(place)
    # the classifier keeps features as float16, the graph does not
    np.testing.assert_allclose(runner.predict_proba(items), model.predict_proba(items), atol=5e-3)
    assert runner.predict(clips[:3]).tolist() == model.predict(clips[:3]).tolist()
    assert runner.predict_proba([]).shape == (0, len(model.classes_))


@pytest.mark.parametrize("options", [{}, {"causal": True}])
@pytest.mark.parametrize("name", FRONTENDS)
def test_a_file_counts_a_stretchs_frames_as_its_front_end_does(name, options):
    frontend = FRONTENDS[name](RATE, **({} if name == "raw" else options))
    model = SimpleNamespace(
        frontend_=frontend, net_=AudioNet(), sample_rate_=RATE, classes_=np.array(["a", "b"])
    )
    said, hop = exporting._description(model), frontend.hop_length
    for n in (1, 2, hop - 1, hop, hop + 1, 30 * RATE, 30 * RATE + 1):
        assert said.frames(n) == int(frontend.lengths(torch.tensor(n)))


def test_the_runner_needs_no_torch(place, tmp_path):
    sf.write(tmp_path / "a.wav", np.zeros(3000), 8000)
    code = (
        "import sys; from conv1d_kit.audio.onnx_runner import OnnxAudioClassifier as O; "
        f"p = O({str(place)!r}).predict_proba([{str(tmp_path / 'a.wav')!r}]); print(p.shape[0]); "
        "print([m for m in ('torch', 'onnx', 'scipy', 'sklearn', 'librosa') if m in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.splitlines() == ["1", "[]"]


def test_bad_files_give_the_classifiers_errors(trained, place, tmp_path):
    (tmp_path / "noise.wav").write_bytes(b"not a sound")
    runner = OnnxAudioClassifier(place)
    for item in (tmp_path / "noise.wav", tmp_path / "missing.wav"):
        with pytest.raises(DataError) as ours:
            runner.predict_proba([item])
        with pytest.raises(DataError) as theirs:
            trained[0].predict_proba([item])
        assert str(ours.value) == str(theirs.value)
    with pytest.raises(InputTypeError, match="try \\[X\\]"):
        runner.predict_proba("a.wav")
    for lengths in ([0], [11], [1, 2], [1.5]):
        with pytest.raises(InputError, match="lengths must be 1 ints from 1 to 10"):
            runner.run(np.zeros((1, 10), np.float32), np.array(lengths))
    with pytest.raises(InputError, match="samples must be"):
        runner.run(np.zeros(10, np.float32))


def test_int8_leaves_what_stands_before_the_log_and_the_first_layer_in_float(place, int8):
    names = layers_to_quantize(onnx.load(place))
    assert [name.partition("/")[0] for name in names] == ["net.body.0.norm", "net.body.1.norm",
                                                          "net.body.2.norm", "net.head"]  # fmt: skip
    document = onnx.load(int8)
    kinds = {t.name: t.data_type for t in document.graph.initializer}
    assert kinds["frontend._weights_0"] == kinds["net.stem.weight"] == onnx.TensorProto.FLOAT
    assert "net.body.0.conv.weight" not in kinds
    weights = next(t for t in document.graph.initializer if t.name == "net.body.0.conv.weight_quantized")
    assert weights.data_type == onnx.TensorProto.INT8
    assert np.abs(onnx.numpy_helper.to_array(weights)).max() <= 64  # 7 bits
    said = {p.key: p.value for p in document.metadata_props}
    assert said["quantized"].startswith("static, calibrated on 16 clips")
    assert said["sample_rate"] == str(RATE)


def test_int8_is_near_float_and_smaller(trained, place, int8, tmp_path):
    dynamic = tmp_path / "dynamic.onnx"
    quantize_onnx(place, dynamic)
    plain = OnnxAudioClassifier(place).predict_proba(trained[1])
    for path in (int8, dynamic):
        assert np.abs(OnnxAudioClassifier(path).predict_proba(trained[1]) - plain).max() < 0.15
        assert path.stat().st_size < place.stat().st_size
    assert OnnxAudioClassifier(dynamic).description_.quantized.startswith("dynamic")
    with pytest.raises(DataError, match="at least one clip"):
        quantize_onnx(place, tmp_path / "none.onnx", [])
    assert sorted(p.name for p in tmp_path.iterdir()) == ["dynamic.onnx"]


def test_a_comparison_counts_as_a_loop_does(trained, place, int8, tmp_path):
    _, clips, labels = trained
    paths, wrong = [], ["rain"] * len(labels)
    for i, clip in enumerate(clips):
        paths.append(str(tmp_path / f"{i}.wav"))
        sf.write(paths[-1], clip.samples[0], RATE, subtype="FLOAT")
    bad = tmp_path / "bad.wav"
    bad.write_bytes(b"x")
    models = [OnnxAudioClassifier(p, n_threads=1) for p in (place, int8)]
    found = compare(models, [*paths, str(bad)], [*wrong, "rain"])
    rows = [m.predict_proba(clips) for m in models]
    best = [m.predict(clips) for m in models]
    assert [s.n_correct for s in found.scores] == [int((b == wrong).sum()) for b in best]
    assert found.scores[0].n == len(clips)
    assert found.n_agree == int((best[0] == best[1]).sum())
    assert found.largest_difference == pytest.approx(np.abs(rows[0] - rows[1]).max(), abs=1e-6)
    assert [path for path, _ in found.skipped] == [str(bad)]
    with pytest.raises(DataError, match="does not know the label 'cat'"):
        compare(models, paths[:1], ["cat"])


def test_a_model_whose_frontend_is_raw_is_traced_whole_and_its_filters_stay_float(tmp_path):
    """As an ensemble is: the front-end stands inside the net."""
    torch.manual_seed(0)

    class Views(AudioNet):
        def __init__(self):
            super().__init__()
            self.view = LogMel(RATE, n_mels=8)
            self.head = torch.nn.Linear(8, 3)

        def forward(self, x, lengths):
            from conv1d_kit.core.pooling import pool

            return self.head(pool(self.view(x[:, 0]), self.view.lengths(lengths), kind="mean"))

    model = SimpleNamespace(
        frontend_=Raw(RATE), net_=Views().eval(), sample_rate_=RATE, classes_=np.array([3, 5, 7])
    )
    assert export_onnx(model, tmp_path / "m.onnx") <= 1e-4
    assert OnnxAudioClassifier(tmp_path / "m.onnx").classes_.tolist() == [3, 5, 7]
    names = layers_to_quantize(onnx.load(tmp_path / "m.onnx"))
    assert [name.partition("/")[0] for name in names] == ["net.head"]


@pytest.mark.parametrize("multi_label", [False, True])
def test_an_ensembles_members_become_int8_though_their_mean_ends_in_a_logarithm(multi_label, tmp_path):
    torch.manual_seed(0)

    class Member(AudioNet):
        def __init__(self):
            super().__init__()
            self.head = torch.nn.Linear(8, 3)
            self.multi_label = multi_label

        def forward(self, x, lengths):
            from conv1d_kit.core.pooling import pool

            return self.head(pool(x, lengths, kind="mean"))

    net = Ensemble([LogMel(RATE, n_mels=8)] * 2, [Member(), Member()]).eval()
    model = SimpleNamespace(frontend_=Raw(RATE), net_=net, sample_rate_=RATE, classes_=np.array([3, 5, 7]))
    export_onnx(model, tmp_path / "m.onnx")
    names = quantize_onnx(tmp_path / "m.onnx", tmp_path / "int8.onnx")
    assert sorted(name.partition("/")[0] for name in names) == ["net.nets.0.head", "net.nets.1.head"]
    x = 0.1 * np.random.default_rng(0).standard_normal((4, RATE)).astype(np.float32)
    plain, small = (OnnxAudioClassifier(tmp_path / name).run(x) for name in ("m.onnx", "int8.onnx"))
    np.testing.assert_allclose(small, plain, atol=0.05)


@pytest.mark.slow
@pytest.mark.parametrize("net", ["wave", "filterbank"])
def test_the_other_nets_export(net, tmp_path):
    model, clips, _ = _trained(net)
    assert export_onnx(model, tmp_path / "m.onnx") <= 1e-4
    runner = OnnxAudioClassifier(tmp_path / "m.onnx")
    for clip in (*clips[:4], Clip(np.ones(1), RATE), Clip(np.ones(17), RATE)):
        np.testing.assert_allclose(
            runner.predict_proba([clip])[0], _torch(model, np.array(clip.samples[0])), atol=1e-4
        )


@pytest.mark.parametrize("options", [{"stride": 2}, {"padding": 1}, {"ceil_mode": True}, {"dilation": 2}, {}])
def test_a_maximum_over_time_is_traced_for_any_length(options):
    class Net(torch.nn.Module):
        def forward(self, x):
            with exporting._FreeLengths():
                return torch.nn.functional.max_pool1d(x, 3, **options)

    dynamic = {2: torch.export.Dim.DYNAMIC}
    program = torch.export.export(Net(), (torch.zeros(2, 3, 40),), dynamic_shapes=(dynamic,)).module()
    for size in (16, 23, 41):
        x = torch.randn(2, 3, size, generator=torch.Generator().manual_seed(size))
        torch.testing.assert_close(program(x), torch.nn.functional.max_pool1d(x, 3, **options))


def test_a_graph_that_differs_is_not_kept(trained, place, tmp_path, monkeypatch):
    other = WaveToProbabilities(trained[0].frontend_, trained[0].net_)
    assert largest_difference(other, OnnxAudioClassifier(place)) <= 1e-4
    document = onnx.load(place)
    bias = next(t for t in document.graph.initializer if t.name == "net.head.bias")
    moved = onnx.numpy_helper.to_array(bias) + np.eye(8, dtype="f4")[0]
    bias.CopyFrom(onnx.numpy_helper.from_array(moved, bias.name))
    monkeypatch.setattr(exporting, "_traced", lambda graph, rate: document)
    monkeypatch.setattr(exporting, "_name_nodes", lambda document: None)
    with pytest.raises(ModelError, match="differs from torch by"):
        export_onnx(trained[0], tmp_path / "m.onnx")
    assert list(tmp_path.iterdir()) == []


def test_a_net_that_cannot_be_traced_says_so_on_one_line(tmp_path):
    class Asks(torch.nn.Module):
        def forward(self, x, lengths):
            return x.mean(-1) if bool(x.sum() > 0) else x.amax(-1)

    model = SimpleNamespace(frontend_=Raw(RATE), net_=Asks(), sample_rate_=RATE, classes_=np.array(["a"]))
    with pytest.raises(ModelError, match=r"^torch cannot export the net Asks: .+$"):
        export_onnx(model, tmp_path / "m.onnx")
    assert list(tmp_path.iterdir()) == []


def test_targets_and_files_that_cannot_be_used(place, tmp_path):
    (tmp_path / "notes.txt").write_text("keep me")
    for path, said in ((tmp_path, "is a folder"), (tmp_path / "notes.txt", "not replaced"),
                       (tmp_path / "notes.txt" / "m.onnx", "cannot write")):  # fmt: skip
        with pytest.raises(ModelError, match=said):
            check_onnx_target(path)
    check_onnx_target(place)
    foreign = onnx.helper.make_graph([], "g", [], [onnx.helper.make_tensor_value_info("y", 1, [1])])
    onnx.save(onnx.helper.make_model(foreign, ir_version=10), tmp_path / "foreign.onnx")
    for path, said in ((tmp_path, "is a folder"), (tmp_path / "no.onnx", "no such file"),
                       (tmp_path / "notes.txt", "not a model that onnxruntime opens")):  # fmt: skip
        with pytest.raises(ModelError, match=said):
            OnnxAudioClassifier(path)
    with pytest.raises(ModelError, match="does not say its classes"):
        quantize_onnx(tmp_path / "foreign.onnx", tmp_path / "q.onnx")
    said = Description(["a"], RATE, {"hop_length": 1, "first_frames": 0}).metadata()
    with pytest.raises(ModelError, match="upgrade conv1d_kit"):
        Description.read({**said, "format": "99"}, "m.onnx")
    with pytest.raises(InputError, match=r'pip install "conv1d_kit\[export\]"'):
        extra("onnx_that_nobody_has")
    with pytest.raises(InputError, match="n_threads must be"):
        OnnxAudioClassifier(place, n_threads=0)


@pytest.fixture
def verb(capsys, monkeypatch, place):
    """The verb in this process; the graph, whose trace takes seconds, is the one that is there."""

    def copied(model, path):
        path.write_bytes(place.read_bytes())
        return 1e-7

    monkeypatch.setattr(exporting, "export_onnx", copied)

    def call(*words):
        with pytest.raises(SystemExit) as end:
            main(["audio", "export", *map(str, words)])
        out, err = capsys.readouterr()
        return end.value.code, out, err

    return call


def test_the_verb_writes_both_files_and_scores_them(trained, verb, tmp_path):
    model, clips, labels = trained
    model.save(tmp_path / "model")
    data = _files(tmp_path / "data", clips, labels)
    (data / labels[0] / "broken.wav").write_bytes(b"x")
    out = tmp_path / "m.onnx"
    words = [tmp_path / "model", "--out", out, "--int8", "--calibrate", data, "--check", data]
    code, stdout, stderr = verb(*words, "--json")
    assert code == 0, stderr
    said = json.loads(stdout)
    assert [f["weights"] for f in said["files"]] == ["float", "int8"]
    for f in said["files"]:
        assert f["interval"][0] <= f["accuracy"] <= f["interval"][1]
        assert f["clips_per_second"] > 0
    assert said["files"][0]["bytes"] == out.stat().st_size
    assert said["files"][1]["path"] == str(tmp_path / "m.int8.onnx")
    assert "calibrated on 16 clips" in said["files"][1]["made"]
    assert said["check"]["n_clips"] == len(clips)
    assert 0 <= said["check"]["agreement"] <= 1
    assert {s["path"] for s in said["skipped"]} == {str(data / labels[0] / "broken.wav")}
    assert "broken.wav" in stderr
    assert "WARNING" not in stderr
    code, stdout, _ = verb(*words, "--calibration-clips", 5)
    assert code == 0
    assert "int8 names the class of float in" in stdout
    assert "calibrated on 5 clips" in stdout or "calibrated on 4 clips" in stdout  # the broken one was drawn


def test_the_verbs_errors_are_one_line(trained, verb, tmp_path):
    model, _, labels = trained
    model.save(tmp_path / "model")
    with (tmp_path / "strange.csv").open("w", newline="") as file:
        csv.writer(file).writerows([["path", "label"], ["a.wav", "cat"], ["b.wav", labels[0]]])
    out = tmp_path / "m.onnx"
    for words, said in (
        ([tmp_path / "none", "--out", out], "is not a model folder"),
        ([tmp_path / "model", "--out", tmp_path], "is a folder"),
        ([tmp_path / "model", "--out", "."], "is a folder"),  # a path without a name
        ([tmp_path / "model", "--out", out, "--calibrate", tmp_path], "add --int8"),
        (
            [tmp_path / "model", "--out", out, "--check", tmp_path / "strange.csv"],
            "does not know the label 'cat'",
        ),
    ):
        code, stdout, stderr = verb(*words)
        assert (code, stdout) == (2, "")
        assert said in stderr
        assert len(stderr.strip().splitlines()) == 1
        assert not out.exists()

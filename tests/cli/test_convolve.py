"""`conv1d-kit convolve`: what it prints, one line an error, and --resume after an end in the middle."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import soundfile as sf
from scipy.signal import fftconvolve

from conv1d_kit.cli import main as cli

RATE = 8000


@pytest.fixture
def run(capsys):
    def call(*arguments):
        with pytest.raises(SystemExit) as end:
            cli.main(["convolve", *(str(a) for a in arguments)])
        out, err = capsys.readouterr()
        return end.value.code, out, err

    return call


@pytest.fixture
def files(tmp_path):
    g = np.random.default_rng(0)
    sf.write(tmp_path / "x.wav", g.uniform(-0.4, 0.4, (4000, 2)), RATE, "DOUBLE")
    sf.write(tmp_path / "h.wav", g.uniform(-0.1, 0.1, 100), RATE, "DOUBLE")
    np.save(tmp_path / "h.npy", g.uniform(-0.1, 0.1, (2, 2, 100)))
    return tmp_path


def test_json_is_the_result_with_its_times(run, files):
    code, out, err = run(files / "x.wav", files / "h.wav", files / "y.wav", "--json")
    result = json.loads(out)
    assert (code, err) == (0, "")
    assert result["path"] == str(files / "y.wav")
    assert (result["frames"], result["channels"], result["sample_rate"]) == (4099, 2, RATE)
    assert (result["format"], result["subtype"], result["clipped"]) == ("WAV", "DOUBLE", 0)
    for name in ("seconds", "seconds_read", "seconds_convolve", "seconds_write", "real_time_factor"):
        assert result[name] > 0
    x, h = (sf.read(files / name, always_2d=True)[0] for name in ("x.wav", "h.wav"))
    np.testing.assert_allclose(sf.read(files / "y.wav")[0], fftconvolve(x, h, axes=0), atol=1e-14)


def test_every_option_reaches_the_call(run, files):
    x, h = sf.read(files / "x.wav")[0], np.load(files / "h.npy")
    options = "--mode causal --gain -6 --wet 0.5 --dry 0.25 --peak -20 --normalize --kernel-rate source"
    code, out, _ = run(
        files / "x.wav", files / "h.npy", files / "y.w64", *options.split(), "--subtype", "float",
        "--format", "wav", "--no-journal",
    )  # fmt: skip
    assert code == 0
    assert "WAV FLOAT, peak 0.100" in out
    wet = np.stack([sum(fftconvolve(x[:, i], h[o, i]) for i in (0, 1)) for o in (0, 1)], 1)
    expected = 0.5 * wet[: len(x)] + 0.25 * x
    expected *= 0.1 / np.abs(expected).max()
    np.testing.assert_allclose(sf.read(files / "y.w64")[0], expected, atol=1e-7)
    sf.write(files / "h4.wav", h.reshape(4, -1).T, RATE, "DOUBLE")
    assert run(files / "x.wav", files / "h4.wav", files / "m.wav", "--matrix", "2x2")[0] == 0
    np.testing.assert_allclose(sf.read(files / "m.wav")[0], wet, atol=1e-14)


def test_limited_samples_are_said(run, files):
    code, _, err = run(files / "x.wav", files / "h.wav", files / "y.wav", "--gain", 30, "--subtype", "PCM_16")
    assert code == 0
    assert "samples were beyond what PCM_16 holds" in err
    assert "--peak -1 scales down, a .wav with --subtype FLOAT keeps them" in err  # an .mp3 has no FLOAT


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("x.wav h.wav x.wav", "error: dst must be another file than src"),
        ("x.wav h.wav y.xyz", "error: dst must end in .wav"),
        ("no.wav h.wav y.wav", "no.wav: no such file"),
        ("x.wav h.npy y.wav", "error: kernel_rate (Hz) must be given"),
        ("x.wav h.npy y.wav --kernel-rate fast", "error: --kernel-rate must be a number of Hz or 'source'"),
        ("x.wav h.wav y.wav --matrix two", "error: --matrix must be OUTxIN, 2x2 say, got 'two'"),
        ("x.wav h.wav y.wav --mode round", "error: mode must be one of full, causal, same, valid"),
        ("x.wav h.wav y.wav --peak 1", "error: peak must be <= 0 (dBFS), got 1.0"),
        ("x.wav h.wav y.wav --resume --no-journal", "error: resume must come with journal=True"),
        ("x.wav h.wav there.wav", "error: dst must not exist"),
    ],
)
def test_a_mistake_is_one_line_and_code_2(run, files, monkeypatch, words, message):
    monkeypatch.chdir(files)
    (files / "there.wav").write_bytes(b"mine")
    code, out, err = run(*words.split())
    assert code == 2
    assert message in err
    assert (out, err.count("\n")) == ("", 1)
    assert (files / "there.wav").read_bytes() == b"mine"
    assert run("x.wav", "h.wav", "there.wav", "--overwrite")[0] == 0


def test_a_cut_source_is_one_line_with_its_place_and_the_rest_is_kept(run, files):
    os.truncate(files / "x.wav", 20_000)
    code, out, err = run(files / "x.wav", files / "h.wav", files / "y.wav", "--json")
    assert code == 2
    assert json.loads(out)["error"] in err
    assert "damaged after sample" in err
    assert 1000 < sf.info(files / "y.wav").frames < 1400


def test_ctrl_c_leaves_no_half_file_and_resume_gives_the_same_bytes(run, files):
    with sf.SoundFile(files / "long.wav", "w", RATE, 2, "PCM_16") as file:
        for _ in range(40):
            file.write(np.random.default_rng(1).uniform(-0.2, 0.2, (100_000, 2)))
    code = (
        "import sys; from conv1d_kit.core import file_job; file_job.JOURNAL_S = 0.0; "
        "from conv1d_kit.cli.main import main; main(sys.argv[1:])"
    )
    arguments = ["convolve", files / "long.wav", files / "h.wav", files / "y.flac"]
    process = subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)], stderr=subprocess.PIPE, text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )  # fmt: skip
    with process:
        journal = files / ".y.flac.part" / "journal.npz"
        until = time.monotonic() + 60
        while not journal.exists() and process.poll() is None and time.monotonic() < until:
            time.sleep(0.002)
        process.send_signal(signal.SIGINT)
        words = process.stderr.read()
    assert (process.returncode, words) == (130, "interrupted\n")
    assert not (files / "y.flac").exists()
    code, out, _ = run(*arguments[1:], "--resume", "--json")
    assert code == 0
    assert json.loads(out)["resumed_at"] > 0
    assert run(*arguments[1:3], files / "whole.flac")[0] == 0
    assert (files / "y.flac").read_bytes() == (files / "whole.flac").read_bytes()
    assert not journal.parent.exists()


def test_help_names_the_verb_and_loads_nothing_heavy():
    code = (
        "import sys\nfrom conv1d_kit.cli.main import main\ntry: main(['convolve', '--help'])\n"
        "except SystemExit: pass\nprint([m for m in ('torch', 'scipy', 'soundfile') if m in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert "--resume" in out
    assert out.endswith("[]\n")

"""What is chosen for a set fits what the set was made of, and each choice says why in one line."""

import math
import tracemalloc

import numpy as np
import pytest
import soundfile as sf

from conv1d_kit.audio.choices import SetFacts, choose, choose_for, look
from conv1d_kit.audio.clip import Clip
from conv1d_kit.audio.frontends import FRONTENDS
from conv1d_kit.audio.nets import AUDIO_NETS
from conv1d_kit.errors import DataError, InputError, InputTypeError


def _facts(*, rates=(16000,), durations=(1.5,), bandwidths=(8000.0,), n=100):
    return SetFacts({"a": n - n // 2, "b": n // 2}, tuple(rates), tuple(durations), tuple(bandwidths))


def _noise(seed, duration_s, rate):
    return Clip(0.1 * np.random.default_rng(seed).standard_normal(round(duration_s * rate)), rate)


def _labels(clips):
    return ["ab"[i % 2] for i in range(len(clips))]


@pytest.mark.parametrize(
    ("own", "top", "chosen"),
    [
        (44100, 3900, 8000),
        (44100, 4150, 8000),  # what the resampler leaked beyond 4 kHz
        (44100, 4500, 16000),
        (44100, 8000, 16000),
        (44100, 10500, 22050),
        (44100, 14000, 32000),
        (44100, 22050, 32000),
        (192000, 96000, 32000),
        (16000, 8000, 16000),
        (8000, 4000, 8000),
        (11025, 5512, 11025),  # never above the files' own
        (4000, 2000, 4000),
        (22050, 7000, 16000),
    ],
)
def test_the_rate_is_the_smallest_that_holds_the_bandwidth(own, top, chosen):
    choice = choose(_facts(rates=[own] * 3, bandwidths=[float(top)] * 3))
    assert choice.sample_rate == chosen
    assert choice.reasons["sample_rate"]


def test_one_clip_in_a_hundred_does_not_raise_the_rate_and_one_in_ten_does():
    few = choose(_facts(rates=[44100] * 100, bandwidths=[3500.0] * 99 + [20000.0]))
    more = choose(_facts(rates=[44100] * 100, bandwidths=[3500.0] * 90 + [20000.0] * 10))
    assert (few.sample_rate, more.sample_rate) == (8000, 32000)


def test_of_mixed_rates_the_most_common_is_the_bound():
    choice = choose(_facts(rates=[8000] * 6 + [44100] * 4, bandwidths=[4000.0] * 6 + [20000.0] * 4))
    assert choice.sample_rate == 8000
    assert "20.0 kHz" in choice.reasons["sample_rate"]


def test_silent_clips_say_nothing_of_the_bandwidth():
    assert choose(_facts(rates=[44100] * 4, bandwidths=[math.nan] * 3 + [3000.0])).sample_rate == 8000
    assert choose(_facts(rates=[44100], bandwidths=[math.nan])).sample_rate == 32000


def test_short_clips_get_short_frames():
    short, long = (choose(_facts(durations=[s])) for s in (0.4, 5.0))
    assert (short.n_fft, short.hop_length, long.n_fft, long.hop_length) == (512, 160, 1024, 320)
    assert choose(_facts(rates=[8000], durations=[0.4])).n_fft == 256
    assert choose(_facts(durations=[1.0])).hop_length == 320


@pytest.mark.parametrize(
    ("lengths", "window"),
    [([0.1] * 20, 0.5), ([3.0] * 19 + [600.0], 3.0), ([60.0] * 20, 10.0), ([1.2345] * 20, 1.24)],
)
def test_the_stretch_heard_is_what_most_clips_last(lengths, window):
    assert choose(_facts(durations=lengths)).window_s == pytest.approx(window)


@pytest.mark.parametrize(("n", "epochs"), [(2, 100), (400, 80), (1000, 32), (3000, 20), (10**6, 20)])
def test_epochs_let_about_32000_clips_be_heard(n, epochs):
    assert choose(_facts(n=n)).epochs == epochs


@pytest.mark.parametrize(("n", "batch"), [(2, 2), (40, 5), (128, 16), (10**5, 16)])
def test_a_batch_is_at_most_an_eighth_of_the_clips(n, batch):
    assert choose(_facts(n=n)).batch_size == batch


@pytest.mark.parametrize("rate", [100, 1000, 2000, 4000, 8000, 11025, 16000, 22050, 32000])
@pytest.mark.parametrize("duration", [0.2, 5.0])
def test_every_choice_makes_a_front_end_and_a_net(rate, duration):
    choice = choose(_facts(rates=[rate], durations=[duration], bandwidths=[rate / 2]))
    front = FRONTENDS["log_mel"](choice.sample_rate, **choice.frontend_options)
    assert front.n_features == choice.n_mels <= (40 if rate <= 8000 else 64)
    assert front.n_features == (40 if rate <= 8000 else 64) or rate < 8000
    assert choice.net in AUDIO_NETS


def test_each_line_names_a_choice_and_its_reason():
    choice = choose(_facts())
    assert len(choice.lines()) == len(choice.reasons) == 7
    assert all(": " in line and "\n" not in line for line in choice.lines())


def test_upsampled_telephone_sound_is_heard_at_its_old_rate():
    clips = [_noise(i, 1.5, 8000).resample(44100) for i in range(6)]
    choice = choose_for(clips, _labels(clips))
    assert choice.sample_rate == 8000
    assert "44,100" in choice.reasons["sample_rate"]


def test_a_quiet_bird_above_a_loud_rumble_keeps_its_rate():
    """The rumble has 99.999 % of the power, all below 100 Hz."""
    t = np.arange(44100) / 44100
    bird = Clip(0.5 * np.sin(2 * np.pi * 60 * t) + 0.0016 * np.sin(2 * np.pi * 6500 * t), 44100)
    choice = choose_for([bird] * 4, _labels("abab"))
    assert choice.sample_rate == 16000


def _files(clips, folder):
    for i, clip in enumerate(clips):
        sf.write(folder / f"{i}.wav", clip.samples.T, clip.sample_rate, subtype="FLOAT")
    return sorted(folder.glob("*.wav"))


def test_files_and_clips_give_the_same_facts(tmp_path):
    clips = [_noise(i, 0.3 + 0.2 * i, 8000) for i in range(4)]
    files = _files(clips, tmp_path)
    assert look(files, _labels(files)) == look(clips, _labels(clips))
    assert look(files, _labels(files)).durations_s == pytest.approx((0.3, 0.7, 0.5, 0.9))  # by class


def test_a_set_of_thousands_is_known_by_two_hundred_of_all_classes():
    short, long = _noise(0, 0.1, 8000), _noise(1, 0.5, 8000)
    facts = look([short] * 900 + [long] * 100, ["a"] * 900 + ["b"] * 100)
    assert len(facts.rates) == 200
    assert sum(d > 0.3 for d in facts.durations_s) == 20
    assert (facts.clips_per_class, facts.n_clips) == ({"a": 900, "b": 100}, 1000)


def test_of_a_long_file_ten_seconds_are_decoded(tmp_path):
    place = tmp_path / "long.wav"
    with sf.SoundFile(place, "w", 8000, 1) as file:
        for _ in range(20):
            file.write(0.1 * np.random.default_rng(0).standard_normal(8000 * 30))
    tracemalloc.start()
    facts = look([place], ["a"])
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert facts.durations_s == (600.0,)
    assert peak < 5e6  # the whole takes 19 MB


def test_what_cannot_be_read_is_left_out_and_all_of_it_is_refused(tmp_path):
    (tmp_path / "bad.wav").write_bytes(b"no sound")
    good = _noise(0, 0.5, 8000)
    assert look([good, tmp_path / "bad.wav"], ["a", "b"]).n_unreadable == 1
    with pytest.raises(DataError, match=r"none of the 2 files.*bad\.wav"):
        choose_for([tmp_path / "bad.wav"] * 2, ["a", "b"])


def test_what_is_no_set_is_refused():
    with pytest.raises(InputError, match="one a clip"):
        choose_for([_noise(0, 0.1, 8000)], [])
    with pytest.raises(InputError, match="at least one clip"):
        choose_for([], [])
    with pytest.raises(InputTypeError, match="sequence"):
        choose_for("a.wav", ["a"])


def test_two_samples_are_enough_to_choose():
    choice = choose_for([Clip(np.array([0.1, -0.1]), 8000)] * 2, ["a", "b"])
    assert (choice.sample_rate, choice.window_s) == (8000, 0.5)


def test_esc10_keeps_what_it_was_tuned_with(shared_data):
    files = sorted((shared_data / "esc10").glob("*/*.ogg"))
    choice = choose_for(files, [f.parent.name for f in files])
    assert (choice.sample_rate, choice.n_fft, choice.hop_length) == (32000, 2048, 640)
    assert (choice.n_mels, choice.epochs, choice.batch_size) == (64, 80, 16)
    assert choice.window_s == pytest.approx(5, abs=0.1)


def test_fsdd_is_heard_at_8_khz_in_short_frames(shared_data):
    files = sorted((shared_data / "fsdd/recordings").glob("*.wav"))
    choice = choose_for(files, [f.name[0] for f in files])
    assert (choice.sample_rate, choice.n_fft, choice.hop_length, choice.n_mels) == (8000, 256, 80, 40)
    assert 0.5 <= choice.window_s < 1


def test_with_a_rate_given_headers_are_enough(tmp_path, monkeypatch):
    files = _files([_noise(i, 0.3 + 0.2 * i, 8000) for i in range(4)], tmp_path)
    free = choose_for(files, _labels(files))
    monkeypatch.setattr(Clip, "read", lambda *a, **k: pytest.fail("a file was decoded"))
    facts = look(files, _labels(files), bandwidths=False)
    assert facts.bandwidths_hz == ()
    assert (facts.rates, facts.durations_s) == ((8000,) * 4, pytest.approx((0.3, 0.7, 0.5, 0.9)))
    given = choose_for(files, _labels(files), sample_rate=8000)
    assert given.frontend_options == free.frontend_options
    assert given.reasons["sample_rate"] == "as asked for"


@pytest.mark.parametrize("n_threads", [1, 3])
def test_threads_change_nothing(tmp_path, n_threads):
    clips = [_noise(i, 0.1 * (i + 1), 8000) for i in range(7)]
    assert look(clips, list("abcabca"), n_threads=n_threads) == look(clips, list("abcabca"))

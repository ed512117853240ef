"""A room in real time: a sound, a file or a microphone through a response of two seconds, block by block.

python audio_demos/06_live.py [FOLDER]   writes live.png there, ./out by default: what each block took
    --file SOUND, or --microphone (hears and plays: wear headphones; pip install sounddevice)
    --block 64       samples; --seconds 3
"""

import argparse
import gc
import sys
import threading
import time
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from conv1d_kit import Clip, ConvStream
from conv1d_kit.audio.synth import siren

parser = argparse.ArgumentParser()
parser.add_argument("folder", nargs="?", type=Path, default=Path("out"))
parser.add_argument("--microphone", action="store_true")
for name, kind, default in (("--file", Path, None), ("--block", int, 64), ("--seconds", float, 3.0)):
    parser.add_argument(name, type=kind, default=default)
args = parser.parse_args()

rng, block = np.random.default_rng(0), args.block
clip = Clip.read(args.file) if args.file else Clip(np.tile(siren(rng, 1.0, 48_000), 60), 48_000)
rate, duration = clip.sample_rate, args.block / clip.sample_rate
sound = clip.mono().samples[0, : round(args.seconds * rate)]


def room(decay_s):
    """Noise that dies away by 60 dB: what a room answers to a clap."""
    t = np.arange(2 * rate) / rate
    return (rng.standard_normal(len(t)) * 10 ** (-3 * t / decay_s) / 99).astype(np.float32)[None, None]


stream, took, gaps = ConvStream(room(0.3), padding="causal", flip=True), [], 0
stream.prepare(np.zeros((1, block), np.float32))
gc.freeze()  # nothing that is there by now is looked at again while blocks are due
sys.setswitchinterval(1e-4)  # seconds that the other thread, which brings the second room, may be waited for
threading.Timer(args.seconds / 2, lambda: stream.set_kernel(room(2.0), crossfade=rate // 4)).start()

if args.microphone:
    import sounddevice

    def hear(heard, played, frames, when, status):
        global gaps
        gaps += bool(status)
        start = time.perf_counter()
        played[:] = stream.push(heard.T).T
        took.append(time.perf_counter() - start)

    with sounddevice.Stream(samplerate=rate, blocksize=block, channels=1, dtype="float32", callback=hear):
        time.sleep(args.seconds)
else:
    start = time.perf_counter()
    for i in range(len(sound) // block):
        due = start + (i + 1) * duration  # when the last sample of the block has been heard
        time.sleep(max(0.0, due - time.perf_counter()))
        stream.push(sound[None, i * block : (i + 1) * block])
        took.append(time.perf_counter() - due)  # the wait for the block before it included

took, late = 1e3 * np.array(took), int(np.sum(np.array(took) > duration))
print(f"{len(took)} blocks of {block} samples, {1e3 * duration:.2f} ms each, through {2 * rate} taps")
print("median, 99th percentile, longest (ms):", *np.percentile(took, (50, 99, 100)).round(3))
print(f"late: {late} blocks" + f", {gaps} gaps that the sound card reports" * args.microphone)
figure, ax = plt.subplots(figsize=(9, 4), layout="constrained", dpi=110)
ax.semilogy(np.arange(len(took)) * duration, took, ".", ms=2, color="C0", label="each block")
ax.yaxis.set_major_formatter("{x:g}")
ax.yaxis.set_minor_formatter("")
ax.axhline(1e3 * duration, color="C3", label="what it may take")
ax.axvspan(args.seconds / 2, args.seconds / 2 + 0.25, color="0.9", label="one room fades into another")
ax.set(xlabel="time (s)", ylabel="time to the answer (ms)", title="a room of two seconds in real time")
ax.legend(loc="upper right", fontsize=8, ncols=3)
args.folder.mkdir(parents=True, exist_ok=True)
figure.savefig(args.folder / "live.png")
print(args.folder / "live.png")

"""One run of `conv_file`: source → stream → encoder, and what is kept so that an ended run can go on."""

from __future__ import annotations

import errno
import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import DataError
from .block_stream import BlockStream
from .journal import WorkFolder
from .npy_file import NpyReader, NpyWriter
from .pipeline import ReadAhead, WriteBehind
from .response import Response
from .sound_file import SoundReader, shown_path
from .sound_writer import SoundTarget, SoundWriter

__all__ = ["MODES", "FileJob", "n_out", "shown_place"]

JOURNAL_S = 5.0  # seconds between two journals


class FileJob:
    """Reads, convolves and writes; what it counts is what the journal keeps.

    Attributes
    ----------
    n_read, n_seen, written : int
        Frames of the source that went into the stream, that came out of it, and that the mode wanted of these.
    peak, scale : float
        Largest magnitude before the scaling, and the scaling.
    clipped, resumed_at : int
    seconds_read, seconds_convolve, seconds_write : float
    """

    def __init__(
        self,
        reader: SoundReader | NpyReader,
        response: Response,
        w: np.ndarray,
        target: SoundTarget | None,
        *,
        mode: str,
        peak_db: float | None,
        normalize: bool,
        frames: int | None,
        journal: bool,
        block: int,
        progress: Callable[[int, int | None], Any] | None,
    ):
        self.reader, self.target, self.mode, self.frames = reader, target, mode, frames
        self.peak_db, self.normalize, self.journal = peak_db, normalize, journal
        self.block, self.progress = block, progress
        self.dtype, self.n_channels, self.taps = w.dtype, len(w), response.taps
        self.begin = response.lead + MODES[mode][0](response.taps)  # the stream's first output that is wanted
        self.stream = _stream(w, response.groups, isinstance(reader, SoundReader))
        # a sound's encoder cannot go back: what it was given is kept until it is done
        self.has_raw = peak_db is not None or (journal and target is not None)
        self.n_read = self.n_seen = self.written = self.clipped = self.resumed_at = 0
        self.peak, self.scale = 0.0, 1.0
        self.seconds_read = self.seconds_convolve = self.seconds_write = 0.0
        self._raw: NpyWriter | None = None
        self._encoder: NpyWriter | SoundWriter | None = None

    def bytes_needed(self) -> int:
        """Of disk at the worst moment, as far as it is known: a compressed result is not counted."""
        frames = self.frames or 0
        samples = self.n_channels * frames
        result = samples * self.dtype.itemsize if self.target is None else self.target.frame_bytes * frames
        size = self.dtype.itemsize
        if self.target is not None and self.target.bits and self.peak_db is None:
            size = 2 if self.target.bits == 16 else 4
        return result + samples * size * self.has_raw

    def run(self, folder: WorkFolder, identity: dict[str, Any], found: tuple[dict, dict] | None) -> None:
        """From the start, or from what the folder's journal said.

        Raises
        ------
        DataError
            For samples that cannot be used, or when writing fails: its cause is then the OSError.
        """
        is_done = found is not None and self._restore(*found)
        try:
            with self._writing(folder):
                self._open(folder)
            if not is_done:
                self._convolve(folder, identity)
            start = time.perf_counter()
            with self._writing(folder):
                if self.peak_db is not None:
                    self._second_pass(folder)
                assert self._encoder is not None
                self._encoder.close()
                self.clipped = self._encoder.clipped
                folder.move()
            self.seconds_write += time.perf_counter() - start
        finally:
            if isinstance(self.stream, BlockStream):
                self.stream.close()
            for writer in (self._raw, self._encoder):
                if writer is not None:
                    writer.abort()

    def _restore(self, record: dict[str, Any], state: dict[str, np.ndarray]) -> bool:
        """Whether all was convolved."""
        self.n_read = self.resumed_at = record["n_read"]
        self.n_seen, self.written, self.peak = record["n_seen"], record["written"], record["peak"]
        self.clipped = record["clipped"]
        self.reader.fault = record["fault"] or self.reader.fault
        if not record["is_done"]:
            self.stream.state = state
        return record["is_done"]

    def _open(self, folder: WorkFolder) -> None:
        if self.peak_db is None:
            self._encoder = self._new_encoder(folder.result)
        if self.has_raw:
            if self._encoder is not None and self.written:
                self._new_raw(folder.raw).close()
                self._replay(folder.raw, self._encoder, 1.0)
                self._encoder.clipped = self.clipped  # what is rounded already shows it no more
            self._raw = self._new_raw(folder.raw)

    def _new_raw(self, path: Path) -> NpyWriter:
        dtype = self._encoder.dtype if isinstance(self._encoder, SoundWriter) else None
        return NpyWriter(path, dtype or self.dtype, self.n_channels, resume_at=self.written)

    def _new_encoder(self, path: Path) -> NpyWriter | SoundWriter:
        if self.target is not None:
            return SoundWriter(path, self.target)
        return NpyWriter(
            path,
            self.dtype,
            self.n_channels,
            self.frames if isinstance(self.reader, NpyReader) else None,  # what a sound's header says may err
            is_vector=self.reader.is_vector and self.n_channels == 1,
            resume_at=0 if self.has_raw else self.written,
        )

    def _replay(self, raw_path: Path, encoder: NpyWriter | SoundWriter, scale: float) -> None:
        """All that the raw part holds to the encoder."""
        raw = NpyReader(raw_path)
        try:
            for y in raw.blocks(self.block):
                encoder.write(np.ascontiguousarray(y.T if scale == 1 else y.T * self.dtype.type(scale)))
                if self.peak_db is not None:
                    self._tell(self.n_read + encoder.frames)
        finally:
            raw.close()

    def _second_pass(self, folder: WorkFolder) -> None:
        assert self._raw is not None
        assert self.peak_db is not None
        self._raw.close()
        target = 10 ** (self.peak_db / 20)
        least = float(np.finfo(self.dtype).tiny)  # what lifts less than that is beyond the dtype itself
        if self.peak > target or (self.normalize and self.peak >= least):
            self.scale = target / self.peak
        self._encoder = self._new_encoder(folder.result)
        self._replay(folder.raw, self._encoder, self.scale)

    def _convolve(self, folder: WorkFolder, identity: dict[str, Any]) -> None:
        ahead = ReadAhead(self.reader.blocks(self.block, self.n_read))
        behind, keeper = WriteBehind(), WriteBehind()
        saved = time.perf_counter()
        try:
            for x in ahead:
                y = self._timed(self.stream.push, x.astype(self.dtype, copy=False))
                self.n_read += x.shape[1]
                self._give(behind, folder, y)
                if self.journal and time.perf_counter() - saved >= JOURNAL_S:
                    state = {k: np.array(v) for k, v in self.stream.state.items()}  # of this moment
                    behind.call(self._save, keeper, folder, self._record(identity), state)
                    saved = time.perf_counter()
                self._tell(self.n_read)
            total = n_out(self.mode, self.n_read, self.taps)
            if self.n_read == 0 or total < 1:
                least = self.taps if self.mode == "valid" else 1
                raise DataError(
                    f"{self.reader.name}: must hold at least {least} sample{'s' * (least > 1)} for mode "
                    f"{self.mode!r}, got {self.n_read}"
                )
            y = self._timed(self.stream.flush)
            self._give(behind, folder, y[:, : max(0, self.begin + total - self.n_seen)])
            if self.peak_db is not None and folder.has_journal:  # the second pass may be long, too
                behind.finish()
                record = {**self._record(identity, is_done=True), **self._measured()}
                keeper.call(self._keep, folder, record, {})
            behind.finish()
            keeper.finish()
        finally:
            ahead.stop()
            behind.stop()
            keeper.stop()
            self.seconds_read, self.seconds_write = ahead.seconds, behind.seconds

    def _timed(self, function: Callable, *arguments: Any) -> np.ndarray:
        start = time.perf_counter()
        y = function(*arguments)
        self.seconds_convolve += time.perf_counter() - start
        return y

    def _give(self, behind: WriteBehind, folder: WorkFolder, y: np.ndarray) -> None:
        """What of the stream's outputs the mode wants, to the thread that writes."""
        early = max(0, self.begin - self.n_seen)
        self.n_seen += y.shape[1]
        if y.shape[1] > early:
            self.written += y.shape[1] - early
            behind.call(self._write, folder, y[:, early:])

    def _write(self, folder: WorkFolder, y: np.ndarray) -> None:
        largest = _largest(y)
        must_be_finite = isinstance(self.reader, SoundReader) or self.target or self.peak_db is not None
        if must_be_finite and not math.isfinite(largest):
            raise DataError(
                f"{self.reader.name}: its result must be finite for sound and for peak, got {largest} "
                f"within {y.shape[1]} samples; look for NaN and for values near the largest float"
            )
        self.peak = max(self.peak, largest)
        frames = np.ascontiguousarray(y.T)
        with self._writing(folder):
            if self._raw is not None and isinstance(self._encoder, SoundWriter) and self._encoder.dtype:
                frames = self._encoder.rounded(frames, largest)  # 16 bits take half the room of a float
            for writer in (self._raw, self._encoder):
                if writer is not None:
                    writer.write(frames, largest)

    def _record(self, identity: dict[str, Any], *, is_done: bool = False) -> dict[str, Any]:
        return {
            "identity": identity, "n_read": self.n_read, "n_seen": self.n_seen, "written": self.written,
            "is_done": is_done, "fault": self.reader.fault,
        }  # fmt: skip

    def _save(self, keeper: WriteBehind, folder: WorkFolder, record: dict[str, Any], state: Any) -> None:
        """In the writing thread, after all that the record counts; a slow disk's journals come less often."""
        keeper.offer(self._keep, folder, {**record, **self._measured()}, state)

    def _measured(self) -> dict[str, Any]:
        """What only the writing thread knows."""
        return {"peak": self.peak, "clipped": 0 if self._encoder is None else self._encoder.clipped}

    def _keep(self, folder: WorkFolder, record: dict[str, Any], state: dict[str, np.ndarray]) -> None:
        """In a thread of its own: until all is on the disk takes seconds, in which the work goes on."""
        kept = self._raw or self._encoder
        with self._writing(folder):
            assert isinstance(kept, NpyWriter)
            kept.flush()
            folder.save(record, state)

    def _tell(self, done: int) -> None:
        if self.progress is None:
            return
        total = self.reader.frames
        if total is not None and self.peak_db is not None:
            total += self.frames or 0
        self.progress(done, total)

    @contextmanager
    def _writing(self, folder: WorkFolder) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            writer = self._raw or self._encoder
            place = shown_place(writer.frames if writer else 0, self.reader.sample_rate)
            full = error.errno in (errno.ENOSPC, errno.EDQUOT)
            again = "resume=True (--resume) goes on" if self.journal else "run again"
            raise DataError(
                f"{shown_path(folder.dst)}: cannot be written beyond {place} ({error.strerror or error}); "
                f"{'make room, then' if full else 'mend that, then'} {again}"
            ) from error


def _stream(w: np.ndarray, groups: int, is_sound: bool) -> Any:
    """Sound is finite floats: blocks without torch, whose import takes 190 MB. Arrays may hold anything."""
    if is_sound:
        return BlockStream(w, groups)
    from .stream import ConvStream

    return ConvStream(w, groups=groups, padding="full", flip=True)


def n_out(mode: str, frames: int, taps: int) -> int:
    """Frames of the result; below 1 where "valid" finds none."""
    return MODES[mode][1](frames, taps)


def shown_place(frames: int, sample_rate: int | None) -> str:
    """A place in a file, for a message."""
    return f"sample {frames}" + (f" ({frames / sample_rate:.3f} s)" if sample_rate else "")


def _largest(y: np.ndarray) -> float:
    if y.dtype.kind == "c":
        return float(np.abs(y).max())
    return max(float(y.max()), -float(y.min()))


# mode → (first wanted output of the full convolution, by K taps; how many, by T samples and K)
MODES: dict[str, tuple[Callable[[int], int], Callable[[int, int], int]]] = {
    "full": (lambda k: 0, lambda t, k: t + k - 1),
    "causal": (lambda k: 0, lambda t, k: t),
    "same": (lambda k: (k - 1) // 2, lambda t, k: t),
    "valid": (lambda k: k - 1, lambda t, k: t - k + 1),
}

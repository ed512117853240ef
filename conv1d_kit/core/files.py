"""File → file: a sound or `.npy` of any length convolved in constant memory, whole or not at all; resumable."""

from __future__ import annotations

import math
import os
import shutil
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from .. import __version__
from ..errors import ConvKitError, DataError, InputError, InputTypeError
from .file_job import FileJob, n_out, shown_place
from .file_options import check_options, check_paths
from .journal import WorkFolder, fingerprint, identity_of
from .npy_file import NpyReader, is_npy
from .rate import checked_rate
from .response import Response, load_response, mixed
from .sound_file import SoundReader, shown_path
from .sound_writer import SoundTarget, choose_target

__all__ = ["FileResult", "conv_file"]

# samples a step over all channels: half as many cost a fifth of the speed, twice as many memory
BLOCK = 1 << 18


class FileResult(NamedTuple):
    """What `conv_file` did.

    path : str
    format, subtype : str
        As libsndfile names them; "NPY" and the dtype for arrays.
    frames, channels : int
        Of the result.
    sample_rate : int or None (Hz)
    peak : float
        Largest magnitude written, before an integer format limits it; 1.0 is full scale.
    scale_db : float
        What `peak=` took away (or with normalize added), dB.
    clipped : int
        Samples beyond what the format holds, which were limited.
    resumed_at : int
        Frames of the source that an earlier run had done.
    seconds : float
        Wall time of this run.
    seconds_read, seconds_convolve, seconds_write : float
        Work of the three, which run side by side.
    """

    path: str
    format: str
    subtype: str
    frames: int
    channels: int
    sample_rate: int | None
    peak: float
    scale_db: float
    clipped: int
    resumed_at: int
    seconds: float
    seconds_read: float
    seconds_convolve: float
    seconds_write: float

    @property
    def real_time_factor(self) -> float | None:
        """Seconds of sound a second of work; None without a rate."""
        return self.frames / self.sample_rate / self.seconds if self.sample_rate else None


def conv_file(
    src: Any,
    dst: Any,
    kernel: Any,
    *,
    mode: str = "full",
    gain_db: float = 0.0,
    wet: float = 1.0,
    dry: float = 0.0,
    peak: float | None = None,
    normalize: bool = False,
    matrix: tuple[int, int] | None = None,
    kernel_rate: int | str | None = None,
    sample_rate: int | None = None,
    format: str | None = None,
    subtype: str | None = None,
    overwrite: bool = False,
    resume: bool = False,
    journal: bool = True,
    progress: Callable[[int, int | None], Any] | None = None,
    block: int | None = None,
) -> FileResult:
    """Convolve a file with a response into another file, in constant memory.

    The result is made in a hidden folder beside dst and moved when it is whole: under dst's name there is never
    half a file. Sound is computed in float32, which holds every sample of up to 24 bits, and in float64 for
    32-bit integers and doubles; arrays in the dtype `conv` gives, or in float64 where integers are to be scaled
    or mixed. A sound's integers are rounded to nearest, undithered.

    Parameters
    ----------
    src : str or path
        A sound file (WAV, FLAC, OGG, MP3, AIFF, RF64, W64, AU, CAF) of any length and number of channels, or a
        `.npy` [shape=(T,) or (C, T)].
    dst : str or path
        Its ending says the format, `.npy` too: shape (C_out, N), in C order from a `.npy` and in Fortran order
        (frame after frame) from a sound. A `.wav` that would pass 4 GB is written as RF64.
    kernel : str, path, array, Tensor or Clip [shape=(K,), (C, K) or (C_out, C_in, K)]
        A sound file, a `.npy` or values. One channel serves every channel of src; C channels serve C, each its
        own; of a mono src, C channels make C outputs; a matrix mixes. Where its rate differs it is resampled
        (soxr, VHQ) with its gain and its time 0 kept. It is never normalised or trimmed.
    mode : of T samples and a response of K (at src's rate)
        full    T + K − 1 samples: all of the tail
        causal  the first T of them: as long as src, in time with it
        same    T of them from (K − 1) // 2 on: for a response whose middle is its time 0
        valid   T − K + 1 from K − 1 on: where the response lies wholly within src
    gain_db : float, dB
        Of the whole result.
    wet, dry : float
        Result = wet · response of src + dry · src; src in time with the response's first sample, in "same" with
        its middle.
    peak : float <= 0 (dBFS), optional
        Scale the result down where its largest sample is above; two passes, the first kept on disk as floats.
    normalize : bool
        Scale up to `peak` as well, where a factor of the result's dtype can.
    matrix : (n_out, n_in), optional
        Read the kernel's n_out·n_in channels as a matrix, row after row: output 0 from input 0, 0 from 1, ….
    kernel_rate : int (Hz) or "source"
        Needed for an array beside a sound.
    sample_rate : int (Hz), optional
        Of a `.npy` src; needed to write sound.
    format, subtype : str, optional
        As libsndfile names them ("WAV", "PCM_24"); by default dst's ending and src's subtype, floats where the
        format has them for a lossy source.
    overwrite : bool
        Replace dst where it exists, never a device or pipe. Of a link, what it names is written.
    resume : bool
        Go on where an ended run with the same source, kernel and options was; from the start where none was.
        The bytes are those of a run without a break, by every format.
    journal : bool
        Keep every 5 s what resume needs. A sound then also takes 2 to 8 bytes of disk a sample until done.
    progress : function(done, total), optional
        Frames of work; total None where src does not say its length.
    block : int >= 1, optional
        Frames a step; by default 2**18 samples over all channels.

    Returns
    -------
    FileResult

    Raises
    ------
    InputError, InputTypeError
        An option, kernel or format that does not fit; dst that exists or is src; resume of something else.
    DataError
        Files that cannot be read or written. A damaged or truncated src: what was decoded is convolved, stands
        under dst, and the message says where it ends. A full disk: with a journal, resume goes on.

    Examples
    --------
    >>> import os, tempfile
    >>> folder = tempfile.mkdtemp()
    >>> src, dst = os.path.join(folder, "x.npy"), os.path.join(folder, "y.npy")
    >>> np.save(src, np.array([1.0, 2.0, 3.0]))
    >>> conv_file(src, dst, np.array([1.0, 0.5])).frames
    4
    >>> np.load(dst)
    array([1. , 2.5, 4. , 1.5])
    """
    started = time.perf_counter()
    check_options(mode, gain_db, wet, dry, peak, normalize, resume, journal, overwrite, progress, block)
    check_paths(src, dst, kernel, overwrite)
    reader = _opened(src, sample_rate)
    try:
        response = load_response(
            kernel, kernel_rate, matrix, channels=reader.channels, sample_rate=reader.sample_rate
        )
        if block is None:
            block = max(1 << 14, BLOCK // reader.channels)
        at = (response.taps - 1) // 2 if mode == "same" else 0
        response = mixed(response, gain_db=gain_db, wet=wet, dry=dry, at=at, channels=reader.channels)
        dtype = _result_dtype(reader, response, peak)
        w = _taps(response, dtype)
        frames = None if reader.frames is None else n_out(mode, reader.frames, response.taps)
        if frames is not None and frames < 1:
            raise InputError(
                f"mode 'valid' must have a response no longer than src, got {response.taps} taps for "
                f"{reader.frames} samples; try mode='full'"
            )
        target = _target(dst, format, subtype, reader, dtype, len(w), frames)
        identity = {
            "source": identity_of(src), "kernel": fingerprint(w), "mode": mode, "peak": peak,
            "normalize": normalize, "target": "NPY" if target is None else " ".join(map(str, target)),
            "block": int(block), "version": __version__,
        }  # fmt: skip
        job = FileJob(
            reader, response, w, target, mode=mode, peak_db=peak, normalize=normalize, frames=frames,
            journal=journal, block=block, progress=progress,
        )  # fmt: skip
        folder = WorkFolder(dst)
        try:
            found = folder.load(identity) if resume else None
            _run(job, folder, identity, found)
        finally:
            folder.close()
    finally:
        reader.close()
    if reader.fault is not None:
        raise DataError(
            f"{reader.name}: damaged after {shown_place(job.n_read, reader.sample_rate)} ({reader.fault}); "
            f"{shown_path(dst)} holds the result of all up to there"
        )
    return FileResult(
        path=os.fsdecode(dst),
        format="NPY" if target is None else target.format,
        subtype=dtype.name if target is None else target.subtype,
        frames=job.written,
        channels=len(w),
        sample_rate=reader.sample_rate,
        peak=job.peak * job.scale,
        scale_db=20 * math.log10(job.scale),
        clipped=job.clipped,
        resumed_at=job.resumed_at,
        seconds=time.perf_counter() - started,
        seconds_read=job.seconds_read,
        seconds_convolve=job.seconds_convolve,
        seconds_write=job.seconds_write,
    )


def _run(job: FileJob, folder: WorkFolder, identity: dict[str, Any], found: Any) -> None:
    """The job; afterwards the folder is gone, or holds what resume needs."""
    try:
        if found is None:
            folder.begin_anew()
            _check_space(job, folder)
        job.run(folder, identity, found)
    except BaseException as error:
        # a fault of the data stays where it is; a full disk, Ctrl-C or a power cut does not
        hopeless = isinstance(error, ConvKitError) and not isinstance(error.__cause__, OSError)
        if not folder.has_journal or (hopeless and found is None):
            folder.remove()
        raise
    folder.remove()


def _opened(src: Any, sample_rate: Any) -> SoundReader | NpyReader:
    rate = None if sample_rate is None else checked_rate(sample_rate)
    if is_npy(src):
        return NpyReader(src, rate)
    if rate is not None:
        raise InputError(f"sample_rate must be left out for a sound file, which says its own, got {rate}")
    return SoundReader(src)


def _result_dtype(reader: SoundReader | NpyReader, response: Response, peak: float | None) -> np.dtype:
    """Of the samples while they are computed, and of a `.npy` that is written."""
    if isinstance(reader, SoundReader):
        if response.w.dtype.kind == "c":
            raise InputTypeError(f"kernel must be real for a sound, got {response.w.dtype}; try kernel.real")
        return reader.dtype
    from .conv import conv

    dtype = conv(np.zeros((1, 1), reader.dtype), np.zeros((1, 1, 1), response.dtype)).dtype
    is_scaled = peak is not None or response.w.dtype.kind == "f"  # that is gain, mix or another rate
    if dtype.kind in "biu" and is_scaled:
        return np.dtype(np.float64)
    return dtype


def _taps(response: Response, dtype: np.dtype) -> np.ndarray:
    with np.errstate(over="ignore", under="ignore"):
        w = np.ascontiguousarray(response.w, dtype)
    if dtype.kind in "fc" and not (np.isfinite(w).all() and w.any()):
        largest = np.abs(response.w).max()
        raise InputError(
            f"kernel with gain_db, wet and dry must be within what {dtype} holds, "
            f"got a largest tap of {largest:.3g}"
        )
    return w


def _target(
    dst, format, subtype, reader, dtype: np.dtype, channels: int, frames: int | None
) -> SoundTarget | None:
    if is_npy(dst) and format is None:
        if subtype is not None:
            raise InputError(
                f"subtype must be left out for .npy, got {subtype!r}: the dtype is the result's own"
            )
        return None
    if dtype.kind != "f" or dtype.itemsize < 4:
        raise InputTypeError(
            f"src must hold float32 or float64 (1.0 is full scale) to become sound, got {dtype}; "
            "scale and convert it, or name dst .npy"
        )
    if reader.sample_rate is None:
        raise InputError("sample_rate (Hz) must be given to write sound, a .npy does not say it; try 48000")
    return choose_target(
        dst, format, subtype, src_subtype=reader.subtype, dtype=dtype,
        sample_rate=reader.sample_rate, channels=channels, frames=frames,
    )  # fmt: skip


def _check_space(job: FileJob, folder: WorkFolder) -> None:
    """Said now, not after hours: what is known to be written must find room."""
    needed = job.bytes_needed()
    free = shutil.disk_usage(folder.path).free
    if needed > free:
        cure = "; journal=False (--no-journal) needs less" if job.has_raw and job.peak_db is None else ""
        raise DataError(
            f"{shown_path(folder.dst)}: needs {needed / 1e9:.2f} GB of disk while it is made, "
            f"{free / 1e9:.2f} GB are free; make room{cure}"
        )

"""`conv1d-kit convolve IN KERNEL OUT`"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

import typer

from ..errors import InputError
from .output import JsonFlag, emit, note, progress, visible

__all__ = ["convolve"]

_In = Annotated[
    Path, typer.Argument(metavar="IN", help="A sound file (WAV, FLAC, OGG, MP3, AIFF, RF64, W64 …) or .npy.")
]
_Kernel = Annotated[
    Path, typer.Argument(metavar="KERNEL", help="The response: a sound file, resampled where needed, or .npy.")
]
_Out = Annotated[Path, typer.Argument(metavar="OUT", help="Its ending says the format; .npy too.")]
_Mode = Annotated[
    str,
    typer.Option(
        help="full: with the whole tail; causal: as long as IN, in time with it; same: as long, the response's "
        "middle at time 0; valid: where the response lies wholly within IN."
    ),
]
_Gain = Annotated[float, typer.Option(help="Of the result, dB.")]
_Wet = Annotated[float, typer.Option(help="Share of the response's sound, 1 = as it is.")]
_Dry = Annotated[float, typer.Option(help="Share of IN itself.")]
_Peak = Annotated[
    float | None, typer.Option(help="dBFS, -1 say: scale down where the result is louder (two passes).")
]
_Normalize = Annotated[bool, typer.Option("--normalize", help="Scale up to --peak as well.")]
_Matrix = Annotated[
    str | None,
    typer.Option(
        metavar="OUTxIN",
        help="2x2 say: KERNEL's channels are out 0 from in 0, out 0 from in 1, out 1 from in 0, …",
    ),
]
_KernelRate = Annotated[str | None, typer.Option(help="Hz of a .npy KERNEL, or 'source' for IN's own.")]
_Rate = Annotated[int | None, typer.Option(help="Hz of a .npy IN; needed to write sound.")]
_Format = Annotated[str | None, typer.Option(help="WAV, FLAC, OGG, …; default by OUT's ending.")]
_Subtype = Annotated[str | None, typer.Option(help="PCM_16, PCM_24, FLOAT, …; default IN's.")]
_Resume = Annotated[bool, typer.Option("--resume", help="Go on where an ended run with the same words was.")]
_Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace OUT where it exists.")]
_NoJournal = Annotated[
    bool, typer.Option("--no-journal", help="Keep nothing to resume from: needs less disk while it runs.")
]


def convolve(
    source: _In,
    kernel: _Kernel,
    out: _Out,
    mode: _Mode = "full",
    gain: _Gain = 0.0,
    wet: _Wet = 1.0,
    dry: _Dry = 0.0,
    peak: _Peak = None,
    normalize: _Normalize = False,
    matrix: _Matrix = None,
    kernel_rate: _KernelRate = None,
    sample_rate: _Rate = None,
    format: _Format = None,
    subtype: _Subtype = None,
    resume: _Resume = False,
    overwrite: _Overwrite = False,
    no_journal: _NoJournal = False,
    as_json: JsonFlag = False,
) -> None:
    """Convolve a file of any length with a response, in constant memory."""
    from ..core.files import conv_file

    with progress() as bar:
        task = bar.add_task("convolving", total=None)
        result = conv_file(
            source,
            out,
            kernel,
            mode=mode,
            gain_db=gain,
            wet=wet,
            dry=dry,
            peak=peak,
            normalize=normalize,
            matrix=_matrix(matrix),
            kernel_rate=_rate(kernel_rate),
            sample_rate=sample_rate,
            format=format,
            subtype=subtype,
            overwrite=overwrite,
            resume=resume,
            journal=not no_journal,
            progress=lambda done, total: bar.update(task, completed=done, total=total),
        )
    if result.clipped:
        note(
            f"{result.clipped} samples were beyond what {result.subtype} holds and were limited "
            f"(peak {result.peak:.3f}); --peak -1 scales down, a .wav with --subtype FLOAT keeps them"
        )

    def show(console) -> None:
        factor = result.real_time_factor
        speed = "" if factor is None else f", {factor:.0f} times real time"
        console.print(
            visible(
                f"{result.path}: {result.frames} samples, {result.channels} channel"
                f"{'s' * (result.channels != 1)}, {result.format} {result.subtype}, peak {result.peak:.3f}"
            ),
            soft_wrap=True,
            markup=False,
        )
        console.print(
            f"{result.seconds:.1f} s{speed}; side by side: read {result.seconds_read:.1f}, "
            f"convolve {result.seconds_convolve:.1f}, write {result.seconds_write:.1f}",
            soft_wrap=True,
            markup=False,
        )

    emit({**result._asdict(), "real_time_factor": result.real_time_factor}, show, as_json=as_json)


def _matrix(text: str | None) -> tuple[int, int] | None:
    if text is None:
        return None
    found = re.fullmatch(r"(\d+)[x×,](\d+)", text)
    if found is None:
        raise InputError(f"--matrix must be OUTxIN, 2x2 say, got {text!r}")
    return int(found[1]), int(found[2])


def _rate(text: str | None) -> int | str | None:
    if text is None or text == "source":
        return text
    if not text.isdecimal():
        raise InputError(f"--kernel-rate must be a number of Hz or 'source', got {text!r}")
    return int(text)

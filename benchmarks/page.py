"""The results as a page: a summary first, then conditions, charts and every cell."""

from __future__ import annotations

import math

from .growth import growth
from .page_streams import files, streams
from .planner import CLOSE
from .signals import GRID as SIGNALS
from .table import bold, shown_bytes, shown_time, table

__all__ = ["page"]

CELL_TARGET = 0.95  # of the counted ratio in the worst cell
MEAN_TARGETS = {"1-D": 4.0, "layers": 2.0, "2-D": 1.3}  # of its geometric mean, by how the grid's name begins
RULES = """\
Times are the least of many rounds; ours and the peers take turns within one process, on the same arrays.
Ratio = best peer ÷ ours: above 1 ours is the quicker. Where the best peer needs less than 50 µs the bound is
an overhead: for NumPy input at most 2 µs over np.convolve, for torch input at most 10 µs over the quickest
call on tensors (or 2 µs over the best peer of all). A cell that keeps it counts as 1.00, or as its ratio if
that is more; one that does not counts as its plain ratio. **Bold**: below {target}.

A peer is left out where it would need over 3 s a call or gigabytes of windows; results.json holds every
peer's time, or why there is none. fft-conv-pytorch computes in float32 whatever comes, so in float64 cells it
is timed but not compared. Signals are convolved in full; layers are without padding unless it is named.
Relative error = max |y − truth| ÷ max |truth|, for layers the worst of the output and, backward, both
gradients. The truth is in float64: scipy's oaconvolve for signals (in float64 cells the figure is thus how
far two roundings lie apart), one FFT over the whole signal for layers, torch's own kernels for 2-D and
transposed ones."""


def page(results: dict, charts: list[str]) -> str:
    """RESULTS.md from what results.json holds."""
    rows = results["rows"]
    parts = ["# Results", _summary(results), _conditions(results["conditions"], results["seconds"])]
    parts.append(RULES.format(target=CELL_TARGET))
    parts += [f"![{name}]({file})" for name, file in zip(map(_alt, charts), charts, strict=True)]
    for grid in dict.fromkeys(row["grid"] for row in rows):
        parts += [f"## {grid}", _grid(row for row in rows if row["grid"] == grid)]
    for title, write in SECTIONS.items():
        text = write(results)
        parts += [f"## {title}", text] if text else []
    if results["failures"]:
        parts += [
            "## Failures",
            "\n".join(f"- {name}: `{error}`" for name, error in results["failures"].items()),
        ]
    return "\n\n".join(parts) + "\n"


def _summary(results: dict) -> str:
    rows = results["rows"]
    grids = list(dict.fromkeys(row["grid"] for row in rows))
    both = [SIGNALS] if sum(grid.startswith(SIGNALS) for grid in grids) > 1 else []
    lines = []
    for grid in both + grids:
        chosen = [row for row in rows if row["grid"].startswith(grid) and (grid in both or row["grid"] == grid)]
        ratios = [row["ratio"] for row in chosen]
        target = next(least for name, least in MEAN_TARGETS.items() if grid.startswith(name))
        mean, worst = math.exp(sum(map(math.log, ratios)) / len(ratios)), min(ratios)
        lines.append(
            [
                grid, str(len(ratios)), bold(f"{mean:.2f}", mean < target), f"{target:.2f}",
                bold(f"{worst:.2f}", worst < CELL_TARGET), f"{CELL_TARGET:.2f}",
                str(sum(ratio < CELL_TARGET for ratio in ratios)),
            ]
        )  # fmt: skip
    if not lines:
        return ""
    text = table(
        "grid | cells | geometric mean | target | worst cell | target | cells below",
        "|---|--:|--:|--:|--:|--:|--:|",
        lines,
    )
    judged = results["planner"]
    within = sum(row["within"] for row in judged)
    sentence = (
        f"The planner's choice is within {CLOSE - 1:.0%} of the best method in {within} of {len(judged)} cells."
    )
    return f"{text}\n\n{sentence}" if judged else text


def _conditions(told: dict, seconds: dict) -> str:
    versions = ", ".join(f"{name} {number}" for name, number in told["versions"].items())
    spent = ", ".join(f"{name} {value:.0f} s" for name, value in seconds.items() if name != "all")
    load = "" if told["load"] is None else f", load {told['load']:.1f} before the start"
    return (
        f"Written by `{told['command']}` on {told['date']} in {seconds['all'] / 60:.1f} min ({spent}).\n"
        f"{told['processor']}, {told['cores']} cores, {told['threads']} threads{load}. "
        f"Python {told['python']}, {versions}."
        + "".join(f" Measured again: {what}." for what in told.get("again", []))
    )


def _grid(rows) -> str:
    lines = []
    for row in rows:
        missed = row["ratio"] < CELL_TARGET
        plain = "" if row["ratio"] == row["plain_ratio"] else f" ({row['plain_ratio']:.2f})"
        lines.append(
            [
                bold(row["cell"], missed), row["method"], shown_time(row["ours"]),
                f"{shown_time(row['best_s'])} {row['best']}", bold(f"{row['ratio']:.2f}", missed) + plain,
                f"{row['error']:.0e}",
            ]
        )  # fmt: skip
    return table(
        "cell | method | ours | best peer | ratio (plain) | relative error", "|---|---|--:|--:|--:|--:|", lines
    )


def _overhead(results: dict) -> str:
    if not results["overhead"]:
        return ""
    lines = [
        [
            row["what"],
            f"{row['peer']} {shown_time(row['peer_s'])}", f"{row['call']} {shown_time(row['ours'])}",
            bold(shown_time(row["ours"] - row["peer_s"]), not row["within"]), shown_time(row["bound"]),
        ]
        for row in results["overhead"]
    ]  # fmt: skip
    text = table("call | peer | ours | ours − peer | at most", "|---|--:|--:|--:|--:|", lines)
    told = results["imports"]
    after = {True: "torch is loaded", False: "torch is not loaded"}
    return (
        f"{text}\n\n`import conv1d_kit` takes {shown_time(told['seconds'])}: "
        f"{after[told['torch_after_import']]}.\n"
        f"After a script that convolves two short NumPy arrays {after[told['torch_after_short_numpy_call']]}."
    )


def _planner(results: dict) -> str:
    if not results["planner"]:
        return ""
    lines = [
        [
            bold(f"{row['grid']}: {row['cell']}", not row["within"]), row["choice"], shown_time(row["auto"]),
            f"{shown_time(row['best_s'])} {row['best']}", bold(f"{row['slower']:.2f}", not row["within"]),
        ]
        for row in results["planner"]
    ]  # fmt: skip
    intro = (
        'Ours with `method="auto"` beside the quickest method forced; signals are NumPy arrays. A short\n'
        "NumPy call is answered by np.convolve whatever the plan. **Bold**: more than 15 % slower, and, where\n"
        "the best needs less than 50 µs, also more than 2 µs slower."
    )
    head = "cell | planner's choice | auto | best method | auto ÷ best"
    return f"{intro}\n\n{table(head, '|---|---|--:|--:|--:|', lines)}"


def _growth(results: dict) -> str:
    found = growth(results["rows"])
    if not found:
        return ""
    lengths = sorted({n for line in found for n in line["each"]})
    lines = [
        [
            f"{line['k']:,}", *(shown_time(line["each"][n]) if n in line["each"] else "–" for n in lengths),
            f"{line['ratio']:.2f}", f"{line['exponent']:.2f}",
        ]
        for line in found
    ]  # fmt: skip
    head = " | ".join(["kernel", *(f"{n:,} samples" for n in lengths), "last ÷ first", "exponent"])
    intro = "Time an output sample, float32 NumPy input, and the exponent of the time in the length."
    return f"{intro}\n\n{table(head, '|--:' * (len(lengths) + 3) + '|', lines)}"


def _memory(results: dict) -> str:
    if not results["memory"]:
        return ""
    lines = []
    for row in results["memory"]:
        if "error" in row:
            lines.append([row["case"], row["error"], "", "", ""])
            continue
        over = row["extra"] > row["allowed"]
        sizes = [
            bold(shown_bytes(row["extra"]), over),
            shown_bytes(row["arrays"]),
            shown_bytes(row["allowed"]),
        ]
        lines.append([row["case"], *sizes, shown_time(row["seconds"])])
    intro = (
        "Peak resident memory of one call beside its input and output, in a fresh process each; allowed are\n"
        "3·(input + output) + 64 MB."
    )
    head = "call | extra | input + output | allowed | first call"
    return f"{intro}\n\n{table(head, '|---|--:|--:|--:|--:|', lines)}"


def _alt(file: str) -> str:
    return next(text for start, text in ALTS.items() if file.startswith(start))


ALTS = {
    "time-length": "Time of a convolution against the length of the signal, ours and peers",
    "time-kernel": "Time of a convolution against the length of the kernel, ours and peers",
    "ratios": "Best peer's time divided by ours, a dot for every layer",
}
SECTIONS = {
    "Call overhead": _overhead, "Planner": _planner, "Growth": _growth, "Memory": _memory,
    "Real time": streams, "Files": files,
}  # fmt: skip

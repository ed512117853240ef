"""The README's figures of speed, written from results.json: python -m benchmarks.readme"""

from __future__ import annotations

import json
import math
from pathlib import Path

from .table import shown_bytes, shown_time, table

__all__ = ["figures"]

ROOT = Path(__file__).parents[1]
BEGIN, END = "<!-- written by python -m benchmarks.readme -->\n", "<!-- to here -->\n"
LONG = 100_000  # samples of a long signal
GRIDS = {
    "1-D signals": "1-D signals, 10² to 10⁷ samples × 3 to 65,536 taps",
    "layers, forward": "layers, forward",
    "layers, forward + backward": "layers, forward + backward",
    "2-D and transposed layers": "2-D and transposed layers",
}


def figures(results: dict) -> str:
    """What stands between the README's marks."""
    rows, lines = results["rows"], []
    for grid, name in GRIDS.items():
        own = [row for row in rows if row["grid"] == grid or row["grid"].startswith(f"{grid}, N")]
        own += [row for row in rows if row["grid"] == f"{grid}, torch"]
        lines.append([name, *_line(own)])
        if grid == "1-D signals":
            lines.append(["… those of 10⁵ samples and more", *_line([r for r in own if r["n"] >= LONG])])
    text = table("grid | cells | geometric mean | worst | best", "|---|--:|--:|--:|--:|", lines)
    judged = results["planner"]
    within = sum(row["within"] for row in judged)
    parts = [
        text,
        f"The cost model's choice is within 15 % of our best method in {within} of {len(judged)} cells.",
        "A response of 2 s at 48 kHz in real time, beside pedalboard's Convolution (C++):",
        _streams(results["streams"]["rows"]),
        _long(results["streams"]["long"]) + " " + _files(results["files"]),
    ]
    return "\n\n".join(parts) + "\n"


def _line(rows: list[dict]) -> list[str]:
    ratios = [row["ratio"] for row in rows]
    mean = math.exp(sum(map(math.log, ratios)) / len(ratios))
    return [str(len(ratios)), f"{mean:.2f}", f"{min(ratios):.2f}", f"{max(ratios):.1f}"]


def _streams(rows: list[dict]) -> str:
    lines = [
        [
            f"{row['block']:,} = {shown_time(row['lasts'])}", shown_time(row["median"]), shown_time(row["p99"]),
            shown_time(row["mean"]), shown_time(row["peer_mean"]) if "peer_mean" in row else "not installed",
        ]
        for row in rows
    ]  # fmt: skip
    head = "block | median | 99th percentile | mean | pedalboard, mean"
    return table(head, "|--:|--:|--:|--:|--:|", lines)


def _long(long: dict) -> str:
    return (
        f"Ten minutes in blocks of {long['block']}: {long['late']} of {long['blocks']:,} late, "
        f"the longest {shown_time(long['longest'])} ({long['own_late']} and {shown_time(long['own_longest'])} "
        "without the time that other processes had the core)."
    )


def _files(rows: list[dict]) -> str:
    words = []
    for row in rows:
        if "speed" in row:
            words.append(
                f"{row['sound_s'] / 3600:.2g} h of stereo {row['case']} at {row['speed']:.0f}× real time in "
                f"{shown_bytes(row['resident'])}"
            )
        elif "ratio" in row:
            words.append(
                f"a map of {row['samples'] / 1e6:.0f} million samples in {row['ratio']:.2f}× the time in "
                f"memory, with {shown_bytes(row['extra'])}"
            )
    return f"`conv_file` does {'; '.join(words)}."


def main() -> None:
    """Put the figures into the README."""
    path = ROOT / "README.md"
    before, rest = path.read_text("utf-8").split(BEGIN)
    _, after = rest.split(END)
    results = json.loads((ROOT / "benchmarks" / "results.json").read_text("utf-8"))
    path.write_text(f"{before}{BEGIN}{figures(results)}{END}{after}", "utf-8")


if __name__ == "__main__":
    main()

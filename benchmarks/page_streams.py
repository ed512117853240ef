"""The page's sections on streams and files."""

from __future__ import annotations

from .files import MAP_BYTES, MAP_RATIO, MOST_BYTES, SPEED
from .streams import MEDIAN_S, SHARE, THROUGHPUT_BLOCK
from .table import bold, shown_bytes, shown_time, table

__all__ = ["files", "streams"]


def streams(results: dict) -> str:
    """What blocks of a stream take."""
    found = results.get("streams", {})
    if not found.get("rows"):
        return ""
    lines = []
    for row in found["rows"]:
        share = row["p99"] / row["lasts"]
        peer = (
            [shown_time(row["peer_mean"]), f"{row['ratio']:.2f}"] if "ratio" in row else ["not installed", ""]
        )
        slower = row["block"] >= THROUGHPUT_BLOCK and row.get("ratio", 1.0) < 1
        lines.append(
            [
                f"{row['block']:,}", shown_time(row["lasts"]),
                bold(shown_time(row["median"]), row["block"] == 64 and row["median"] > MEDIAN_S),
                shown_time(row["mean"]), f"{shown_time(row['p99'])} = {bold(f'{share:.1%}', share > SHARE)}",
                bold(str(row["late"]), row["late"] > 0), peer[0], bold(peer[1], slower),
                f"{row['difference']:.0e}" if "difference" in row else "",
            ]
        )  # fmt: skip
    intro = (
        "A response of 2 s at 48 kHz (96,000 taps), mono, float32, a second of it in turn with one of\n"
        f"pedalboard's Convolution. At most: median {shown_time(MEDIAN_S)} for blocks of 64, 99th percentile\n"
        f"{SHARE:.0%} of what a block lasts; from {THROUGHPUT_BLOCK:,} on the mean at most pedalboard's,\n"
        "which scales responses to an energy of its own: the difference, beside the largest\n"
        "sample, is without that. The garbage collector is off, as in a host of real time."
    )
    head = "block | lasts | median | mean | 99th percentile | late | pedalboard | ratio | difference"
    parts = [intro, table(head, "|--:" * 9 + "|", lines)]
    long = found["long"]
    late = bold(f"{long['late']} of {long['blocks']:,} blocks", long["late"] > 0)
    parts.append(
        f"{long['seconds']:.0f} s of blocks of {long['block']} through our stream alone: {late} late, "
        f"median {shown_time(long['median'])}, 99th percentile {shown_time(long['p99'])}, "
        f"longest {shown_time(long['longest'])}. By the time the core worked on it: {long['own_late']} late, "
        f"longest {shown_time(long['own_longest'])}; the rest is another process that had the core."
    )
    return "\n\n".join(parts)


def files(results: dict) -> str:
    """What files longer than memory take."""
    sounds, maps = [], []
    for row in results.get("files", []):
        if "error" in row:
            sounds.append([row["case"], row["error"], "", "", "", "", ""])
            continue
        parts = " / ".join(shown_time(row[name]) for name in ("read", "convolve", "write"))
        if "speed" in row:
            sounds.append(
                [
                    f"{row['sound_s'] / 3600:.2g} h, stereo {row['case']}", f"{row['bytes'] / 1e9:.2f} GB",
                    shown_time(row["seconds"]), bold(f"{row['speed']:.0f}×", row["speed"] < SPEED), parts,
                    bold(shown_bytes(row["resident"]), row["resident"] > MOST_BYTES), shown_bytes(MOST_BYTES),
                ]
            )  # fmt: skip
        else:
            maps.append(
                [
                    f"{row['samples']:,} float32", shown_time(row["seconds"]), shown_time(row["in_memory"]),
                    bold(f"{row['ratio']:.2f}", row["ratio"] > MAP_RATIO), parts,
                    bold(shown_bytes(row["extra"]), row["extra"] > MAP_BYTES), shown_bytes(MAP_BYTES),
                ]
            )  # fmt: skip
    if not sounds and not maps:
        return ""
    intro = (
        "`conv_file` with a response of 2 s at 48 kHz, each case in a process of its own, all of it counted\n"
        f"as resident. Reading, convolving and writing run side by side; asked for is {SPEED:.0f}× real time."
    )
    head = "sound | file | time | real time | read / convolve / write | resident | at most"
    text = [intro, table(head, "|---|--:|--:|--:|--:|--:|--:|", sounds)]
    if maps:
        head = "`.npy` | time | load, convolve, save | ratio | read / convolve / write | extra memory | at most"
        text.append(table(head, "|---|--:|--:|--:|--:|--:|--:|", maps))
    return "\n\n".join(text)

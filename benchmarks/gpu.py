"""`make bench-gpu`: long and short kernels on a CUDA device, into benchmarks/RESULTS-gpu.md."""

from __future__ import annotations

import datetime
from pathlib import Path

import torch

import conv1d_kit

from .cell import Run
from .clock import in_turn
from .peers import whole_fft
from .table import shown_time

F = torch.nn.functional
PAGE = Path(__file__).parent / "RESULTS-gpu.md"
BATCH, CHANNELS, SAMPLES = 8, 64, 16_000
LONG, SHORT = (1_024, 2_048, 4_096), (3, 5, 9, 31)
RULES = """\
Input ({batch}, {channels}, {samples}) float32, no padding. Each call ends with a synchronisation; the least
of many rounds in turn. Ratio = best peer ÷ ours. Products are in full float32 (TF32 off for everyone).
Relative error = max |y − truth| ÷ max |truth|, the truth by an FFT in float64."""


def measure(k: int, groups: int) -> list[str]:
    """A line of the table."""
    g = torch.Generator().manual_seed(0)
    x = torch.randn(BATCH, CHANNELS, SAMPLES, generator=g).cuda()
    w = (torch.randn(CHANNELS, CHANNELS // groups, k, generator=g) / k**0.5).cuda()
    calls: dict[str, Run] = {
        "ours": lambda: conv1d_kit.conv(x, w, groups=groups),
        "F.conv1d": lambda: F.conv1d(x, w, groups=groups),
    }
    if k in LONG:
        calls["whole FFT"] = lambda: whole_fft(x, w, groups=groups)
    failures: dict[str, str] = {}
    runs = {name: _synchronised(run) for name, run in calls.items()}
    times = in_turn(runs, budget_s=2.0, limit_s=10.0, failures=failures)
    name = f"K {k:,}, groups {groups}"
    if "ours" in failures or len(times) < 2:
        return [name, *(failures.get(run, "") for run in ("ours", "F.conv1d", "whole FFT")), "", ""]
    ours = times.pop("ours")
    truth = whole_fft(x.double(), w.double(), groups=groups)
    error = ((conv1d_kit.conv(x, w, groups=groups) - truth).abs().max() / truth.abs().max()).item()
    shown = [shown_time(times[n]) if n in times else failures.get(n, "–") for n in ("F.conv1d", "whole FFT")]
    return [name, shown_time(ours), *shown, f"{min(times.values()) / ours:.2f}", f"{error:.0e}"]


def _synchronised(run: Run) -> Run:
    def whole() -> object:
        y = run()
        torch.cuda.synchronize()
        return y

    return whole


def main() -> None:
    """Write the page, or say that there is no device."""
    if not torch.cuda.is_available():
        print("no CUDA device: skipped")
        return
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False
    lines = [
        "# Results on a GPU",
        "",
        f"Written by `make bench-gpu` on {datetime.date.today().isoformat()}: {torch.cuda.get_device_name()}, "
        f"torch {torch.__version__}, conv1d_kit {conv1d_kit.__version__}.",
        "",
        RULES.format(batch=BATCH, channels=CHANNELS, samples=SAMPLES),
        "",
        "| kernel | ours | F.conv1d | whole FFT | ratio | relative error |",
        "|---|--:|--:|--:|--:|--:|",
    ]
    with torch.no_grad():
        for k in LONG + SHORT:
            for groups in (1, CHANNELS):
                lines.append("| " + " | ".join(measure(k, groups)) + " |")
                print(lines[-1])
    PAGE.write_text("\n".join(lines) + "\n", "utf-8")
    print(PAGE)


if __name__ == "__main__":
    main()

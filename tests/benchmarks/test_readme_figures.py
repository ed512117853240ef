"""The README's figures of speed are those of the last bench."""

import json

from benchmarks.readme import BEGIN, END, ROOT, figures


def test_the_readmes_figures_are_those_of_results_json():
    results = json.loads((ROOT / "benchmarks" / "results.json").read_text("utf-8"))
    text = (ROOT / "README.md").read_text("utf-8")
    assert text.split(BEGIN)[1].split(END)[0] == figures(results)

"""What a sweep's TOML says becomes configurations; every mistake is one line that names table and option."""

from itertools import product

import pytest

from conv1d_kit.errors import DataError
from conv1d_kit.text.classifier import TextClassifier
from conv1d_kit.text.sweep_file import parse_sweep, read_sweep, ready_sweeps

SWEEP = """
name = "all kinds"
[data]
file = "reviews.csv"
label_column = "stars"
[study]
folds = 5
repeats = 2
seeds = [3, 5]
seed = 7
[base]
epochs = 2
max_norm = "none"
[grid]
widths = [[1], [3, 4]]
filters = [5, 10, 20]
[random]
samples = 4
seed = 1
lr = { loguniform = [1e-4, 1e-2] }
dropout = { uniform = [0.0, 0.7] }
[[runs]]
name = "plain"
filters = 7
[[variants]]
name = "averaged"
base = { average_decay = 0.9 }
grid = { dim = [8, 16] }
"""


@pytest.fixture
def sweep(tmp_path):
    (tmp_path / "sweep.toml").write_text("\ufeff" + SWEEP, "utf-8")
    return read_sweep(tmp_path / "sweep.toml")


def test_grid_times_draws_and_then_runs_and_variants(sweep):
    own = [c for c in sweep.configurations if c.group == ""]
    assert len(own) == 2 * 3 * 4
    assert [(c.options["widths"], c.options["filters"]) for c in own[::4]] == list(
        product([(1,), (3, 4)], [5, 10, 20])
    )
    draws = [(c.options["lr"], c.options["dropout"]) for c in own]
    assert draws == draws[:4] * 6  # every cell with the same draws, so that cells can be compared
    assert len(set(draws)) == 4
    assert [c.name for c in sweep.configurations[24:]] == ["plain", "averaged: dim=8", "averaged: dim=16"]
    assert [c.group for c in sweep.configurations[24:]] == ["plain", "averaged", "averaged"]
    assert own[0].name.startswith("widths=1 filters=5 lr=")
    assert sweep.configurations[-1].options == {
        "epochs": 2, "max_norm": None, "average_decay": 0.9, "dim": 16,
    }  # fmt: skip


def test_study_and_data_come_with_paths_from_the_files_folder(sweep, tmp_path):
    assert (sweep.study.folds, sweep.study.repeats, sweep.study.seeds, sweep.study.seed) == (5, 2, (3, 5), 7)
    assert sweep.data == {"file": str(tmp_path / "reviews.csv"), "label_column": "stars"}
    assert sweep.name == "all kinds"


def test_an_empty_sweep_is_the_classifier_as_it_is():
    sweep = parse_sweep({}, source="x/plain.toml")
    assert [(c.name, c.options) for c in sweep.configurations] == [("plain", {})]
    assert (sweep.study.folds, sweep.study.seeds) == (10, (0,))


def test_seeds_may_be_counted():
    assert parse_sweep({"study": {"seeds": 3}}).study.seeds == (0, 1, 2)


def test_a_value_said_twice_is_one_configuration():
    assert len(parse_sweep({"grid": {"filters": [5, 5, 10]}}).configurations) == 2


def test_every_option_of_the_classifier_is_one_of_a_sweep():
    for option, value in TextClassifier().get_params().items():
        if option != "seed":
            said = "none" if value is None else list(value) if isinstance(value, tuple) else value
            (found,) = parse_sweep({"base": {option: said}}).configurations
            assert found.options == {option: value}


@pytest.mark.parametrize("name", ready_sweeps())
def test_ready_sweeps_can_be_run(name):
    sweep = read_sweep(name)
    assert sweep.name == name
    assert sweep.about
    assert sweep.configurations


def test_ready_sweeps_are_those_of_the_papers():
    assert read_sweep("kim2014").configurations[0].options == {
        "widths": (3, 4, 5), "filters": 100, "dim": 300, "dropout": 0.5, "max_norm": 3.0, "batch_size": 50,
        "epochs": 25, "optimizer": "adadelta", "embedding_scale": 0.1443,
    }  # fmt: skip
    width = read_sweep("zhang_wallace2015_width").configurations
    assert [c.options["widths"] for c in width] == [(k,) for k in range(1, 11)]
    assert [c.options["filters"] for c in read_sweep("zhang_wallace2015_filters").configurations] == [
        10, 50, 100, 200, 400, 600,
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ({"grids": {}}, "the file has no 'grids'; did you mean 'grid'?"),
        ({"grid": {"filter": [1]}}, "[grid] has no 'filter'; did you mean 'filters'?"),
        ({"base": {"zzz": 1}}, "[base] has no 'zzz'; there is C, activation, adversarial, average_decay"),
        ({"base": {"seed": 1}}, "[base] seed: seeds stand in [study]"),
        ({"grid": {"filters": 5}}, "[grid] filters must be a list of values, got 5; try filters = [5]"),
        ({"grid": {"filters": []}}, "[grid] filters must be a list of values, got []"),
        ({"grid": {"filters": [0]}}, "configuration 'filters=0': filters must be an int >= 1, got 0"),
        ({"grid": {"widths": [3, 4]}}, "configuration 'widths=3': widths must be one or more ints >= 1, got 3"),
        ({"base": {"lr": {"a": 1}}}, "[base] lr must be a number, a string, true, false or a list"),
        ({"base": {"lr": float("nan")}}, "[base] lr must be a number, a string, true, false or a list"),
        ({"random": {"lr": {"uniform": [1, 2]}}}, "[random] samples must be an int >= 1, got None"),
        ({"random": {"samples": 3}}, "[random] needs an option to draw"),
        ({"random": {"samples": 3, "lr": 1}}, "[random] lr must be one of { uniform"),
        (
            {"grid": {"lr": [1]}, "random": {"samples": 3, "lr": {"uniform": [1, 2]}}},
            "[random] lr stands in [grid] too",
        ),
        ({"runs": [{"filters": 3}]}, '[[runs]] 1 needs a name; add name = "…"'),
        ({"runs": {"name": "a"}}, "runs must be tables, each under its own [[runs]]"),
        ({"runs": [{"name": "a", "dim": 3}, {"name": "a", "dim": 4}]}, "two configurations are named 'a'"),
        (
            {"variants": [{"name": "a", "dim": 3}]},
            "[[variants]] 1 has no 'dim'; there is name, base, grid, random",
        ),
        (
            {"variants": [{"name": "a", "grid": {"di": [3]}}]},
            "[[variants]] 1 [grid] has no 'di'; did you mean 'dim'?",
        ),
        ({"study": {"folds": 1}}, "[study] folds must be an int >= 2, got 1"),
        ({"study": {"fold": 2}}, "[study] has no 'fold'; did you mean 'folds'?"),
        ({"study": {"seeds": [1, 1]}}, "[study] seeds must be how many, or different ints"),
        ({"study": {"repeats": True}}, "[study] repeats must be an int >= 1, got True"),
        ({"data": {"path": "x"}}, "[data] has no 'path'; there is file, test, format"),
        ({"data": {"test": "x"}}, "[data] test needs file"),
        ({"data": 3}, "the file: data must be a table, got 3"),
        ({"grid": {"filters": list(range(1, 400)), "dim": list(range(1, 400))}}, "make 159201 configurations"),
    ],
)
def test_mistakes_are_said_with_table_and_option(document, words):
    with pytest.raises(DataError) as refused:
        parse_sweep(document, source="s.toml")
    assert str(refused.value).startswith("s.toml: ")
    assert words in str(refused.value)
    assert "\n" not in str(refused.value)


def test_files_that_are_no_sweeps_are_refused(tmp_path):
    with pytest.raises(DataError, match=r"there is no sweep 'kim2015'; did you mean 'kim2014'\?"):
        read_sweep("kim2015")
    with pytest.raises(
        DataError, match=r"none.toml does not exist; name a TOML file, or one of baselines, kim2014"
    ):
        read_sweep(tmp_path / "none.toml")
    (tmp_path / "bad.toml").write_text("[grid]\nfilters = [1,,2]\n")
    with pytest.raises(DataError, match=r"bad.toml: no TOML: .*line 2"):
        read_sweep(tmp_path / "bad.toml")
    (tmp_path / "latin.toml").write_bytes(b"name = '\xe9'")
    with pytest.raises(DataError, match="no UTF-8 text"):
        read_sweep(tmp_path / "latin.toml")

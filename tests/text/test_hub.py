"""Hugging Face data sets: saved ones as the package writes them, and by name with a stub in its place."""

import sys
from types import SimpleNamespace

import pytest

from conv1d_kit.errors import DataError, InputError
from conv1d_kit.text.dataset import open_texts, read_texts

TEXTS, LABELS = ["so fine", "so dull", "fine", "dull"], [1, 0, 1, 0]


class Table:
    """As much of datasets.Dataset as a table of named columns is."""

    def __init__(self, columns, features=None, split="train"):
        self.columns, self.features, self.split = columns, features or {}, split
        self.column_names = list(columns)

    def select_columns(self, names):
        return Table({n: self.columns[n] for n in names}, self.features)

    def iter(self, batch_size):
        n = len(next(iter(self.columns.values())))
        for i in range(0, n, 3):
            yield {name: values[i : i + 3] for name, values in self.columns.items()}


@pytest.fixture
def hub(monkeypatch):
    calls = []
    names = SimpleNamespace(names=["neg", "pos"])

    def load_dataset(path, configuration=None):
        calls.append((path, configuration))
        if path == "nowhere":
            raise FileNotFoundError("no data set\nof this name")
        table = Table({"text": TEXTS, "label": [*LABELS[:3], -1]}, {"text": None, "label": names})
        if path == "two":
            return {"a": table, "b": Table({"text": ["x", "y"], "label": ["p", "q"]})}
        return {"train": table, "test": Table({"text": ["x", "y"], "label": ["p", "q"]})}

    monkeypatch.setitem(sys.modules, "datasets", SimpleNamespace(load_dataset=load_dataset))
    return calls


def test_a_name_gives_its_training_part_and_names_of_classes(hub):
    data = read_texts("hf:org/films")
    assert (data.texts, data.labels) == (TEXTS[:3], ["pos", "neg", "pos"])
    assert [(r.where, r.error) for r in data.bad] == [("row 4", "no label")]
    assert (data.name, data.format) == ("hf:org/films:train", "datasets")
    assert hub == [("org/films", None)]


def test_a_split_and_a_configuration_can_be_named(hub):
    assert read_texts("hf:glue#sst2:test").texts == ["x", "y"]
    assert hub == [("glue", "sst2")]


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("hf:films:dev", "films:dev has no split 'dev', it has train, test; name one, such as hf:films:train"),
        ("hf:two", "hf:two has several splits, it has a, b; name one, such as hf:two:a"),
        ("hf:nowhere", "hf:nowhere cannot be loaded: no data set of this name"),
        ("hf:", "hf: names no data set; try hf:NAME"),
    ],
)
def test_what_cannot_be_loaded_is_one_clear_line(hub, source, message):
    with pytest.raises(DataError, match=message):
        open_texts(source)


def test_an_unknown_column_is_said(hub):
    with pytest.raises(DataError, match=r"has no column 'txt', it has 'text', 'label'; did you mean 'text'\?"):
        open_texts("hf:films", text_column="txt")


def test_a_missing_package_is_said_with_the_cure(monkeypatch):
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(InputError, match=r"pip install conv1d_kit\[datasets\]"):
        open_texts("hf:films")


@pytest.mark.filterwarnings("ignore")
def test_a_saved_data_set_is_read_as_it_was_written(tmp_path):
    datasets = pytest.importorskip("datasets")
    features = datasets.Features(
        {"text": datasets.Value("string"), "label": datasets.ClassLabel(names=["neg", "pos"]),
         "tags": datasets.Sequence(datasets.ClassLabel(names=["a", "b"]))}
    )  # fmt: skip
    table = datasets.Dataset.from_dict(
        {"text": TEXTS, "label": LABELS, "tags": [[0], [0, 1], [], [1]]}, features=features
    )
    table.save_to_disk(tmp_path / "one")
    data = read_texts(tmp_path / "one")
    assert (data.texts, data.labels) == (TEXTS, ["pos", "neg", "pos", "neg"])
    tags = read_texts(tmp_path / "one", label_column="tags", multi_label=True)
    assert tags.labels == [("a",), ("a", "b"), (), ("b",)]
    datasets.DatasetDict({"train": table, "test": table.select([0, 1])}).save_to_disk(tmp_path / "many")
    assert len(read_texts(tmp_path / "many")) == 4
    assert len(read_texts(f"hf:{tmp_path / 'many'}:test")) == 2

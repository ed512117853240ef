"""JSON files that are one list: the same as json.load, whatever pieces they are read in."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conv1d_kit.errors import DataError
from conv1d_kit.text.json_array import read_json_array
from conv1d_kit.text.rows import Columns

VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text(max_size=5)),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)


def cut(text, size):
    return iter([text[i : i + size] for i in range(0, len(text), size)])


@settings(max_examples=60, deadline=None)
@given(
    texts=st.lists(st.tuples(st.text(max_size=6), VALUES), max_size=5), size=st.integers(1, 40),
    indent=st.sampled_from([None, 0, 2]),
)  # fmt: skip
def test_entries_are_those_of_the_json_module_with_their_lines(texts, size, indent):
    entries = [{"text": t, "label": "a", "more": more} for t, more in texts]
    body = "\n " + json.dumps(entries, indent=indent) + "\n"
    rows = list(read_json_array("d", cut(body, size), Columns()))
    assert [r.text for r in rows] == [t for t, _ in texts]
    lines = [i for i, line in enumerate(body.split("\n"), start=1) if line.lstrip(" ").startswith("{")]
    if indent == 2:
        outer = [i for i, line in enumerate(body.split("\n"), start=1) if line.startswith("  {")]
        assert [r.line for r in rows] == outer
    else:
        assert all(r.line in (2, *lines) for r in rows)


@pytest.mark.parametrize("size", [1, 7, 1000])
@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"text": "a"}', "line 1: no list of objects; it must begin with"),
        ("", "line 1: no list of objects"),
        ('[\n{"text": "a"},\n{"text": "b" "label": 1}]' + " " * 100, r"line 3: not JSON \(Expecting ','"),
        ('[{"text": "a"}\n', r"not JSON \(a comma or \] must follow an entry\)"),
        ('[{"text": "a"},', r"not JSON \(Expecting value\); is the end missing\?"),
        ('[\n{"text": "a"},\n{"text": "never', r"line 3: not JSON \(Unterminated string.*is the end missing"),
        ('[{"text": "a"}]\n\nx', r"line 3: not JSON \(something follows the list\)"),
        ('[{"text": "a"} {"text": "b"}]', r"a comma or \] must follow an entry"),
        ("[" * 100_000, "nested too deeply"),
    ],
)
def test_a_broken_file_is_refused_with_its_line(text, message, size):
    with pytest.raises(DataError, match=f"^d: .*{message}"):
        list(read_json_array("d", cut(text, size), Columns(label=None)))


@pytest.mark.parametrize("size", [1, 3, 1000])
def test_entries_that_are_no_objects_are_bad_rows(size):
    body = '[{"text": "a", "label": "x"}, 12345, "word", null, [1], {"text": 3}, {}]'
    rows = list(read_json_array("d", cut(body, size), Columns()))
    assert [r.error for r in rows] == [
        None, "not a JSON object but a int", "not a JSON object but a str", "not a JSON object but a NoneType",
        "not a JSON object but a list", "'text' is no string but a int", None,
    ]  # fmt: skip


def test_lists_of_labels_are_labels():
    body = '[{"text": "a", "label": ["x", 2, 1.0]}, {"text": "b", "label": []}, {"text": "c", "label": [[]]}]'
    rows = list(read_json_array("d", iter([body]), Columns()))
    assert [r.labels for r in rows] == [("x", "2", "1"), (), None]
    assert rows[2].error == "'label' is no string or number but a list"


def test_an_entry_of_ten_million_characters_is_read_in_linear_time():
    body = json.dumps([{"text": "x" * 10_000_000, "label": "a"}] * 2)
    assert [len(r.text) for r in read_json_array("d", cut(body, 1 << 18), Columns())] == [10_000_000] * 2

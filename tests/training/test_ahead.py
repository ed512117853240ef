"""Items made beforehand come in order, with their errors in place, and no thread outlives its caller."""

import threading

import pytest

from conv1d_kit.training.ahead import ahead


def test_the_next_item_is_made_while_one_is_used():
    made, goes_on = [], threading.Event()

    def items():
        for i in range(3):
            made.append(i)
            if i == 1:
                goes_on.set()
            yield i

    found = ahead(items())
    assert next(found) == 0
    assert goes_on.wait(5)  # 1 is made though nobody asked for it
    assert list(found) == [1, 2]
    assert made == [0, 1, 2]


def test_an_error_comes_where_its_item_would_have():
    def items():
        yield 1
        raise ZeroDivisionError("here")

    found = ahead(items())
    assert next(found) == 1
    with pytest.raises(ZeroDivisionError, match="here"):
        next(found)


def test_a_caller_that_stops_early_ends_the_thread():
    before = threading.active_count()
    found = ahead(iter(range(1000)), 2)
    assert next(found) == 0
    found.close()
    assert threading.active_count() == before


def test_no_items():
    assert list(ahead([])) == []

"""Rows of a JSON file that is one list of objects, read piece by piece: such files are often a single line."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import chain, islice
from typing import Any

from ..errors import DataError
from .records import PEEK, check_keys, record_row
from .rows import Columns, Row

__all__ = ["read_json_array"]

_NEAR_END = 32  # characters: a fault so near to the end of what was read may be none when more is read
_SPACE = " \t\r\n"


def read_json_array(name: str, blocks: Iterator[str], columns: Columns) -> Iterator[Row]:
    """The objects of a list; an entry that is none is a bad row.

    Raises
    ------
    DataError
        If the file is no JSON: what stands behind the fault cannot be told apart.
    """
    records = _entries(name, blocks)
    head = list(islice(records, PEEK))
    check_keys(name, [list(value) for _, value in head if isinstance(value, dict) and value], columns)
    for line, value in chain(head, records):
        if isinstance(value, dict):
            yield record_row(line, value, columns)
        else:
            yield Row(line, None, None, f"not a JSON object but a {type(value).__name__}")


def _entries(name: str, blocks: Iterator[str]) -> Iterator[tuple[int, Any]]:
    """The line on which each entry starts, and its value."""
    text = _Window(name, blocks)
    if text.peek() != "[":
        text.fail("no list of objects; it must begin with [ (or be named .jsonl, with an object a line)")
    text.at += 1
    if text.peek() == "]":
        text.at += 1
    else:
        while True:
            text.peek()
            line = text.line()
            yield line, text.value()
            mark = text.peek()
            text.at += 1
            if mark == "]":
                break
            if mark != ",":
                text.fail("not JSON (a comma or ] must follow an entry)")
    if text.peek():
        text.fail("not JSON (something follows the list)")


class _Window:
    """The part of the file in memory, and the place in it."""

    def __init__(self, name: str, blocks: Iterator[str]):
        self.name, self.blocks = name, blocks
        self.text, self.at = "", 0
        self.counted, self.lines = 0, 1  # the line that stands at text[counted]
        self.decode = json.JSONDecoder().raw_decode

    def line(self) -> int:
        self.lines += self.text.count("\n", self.counted, self.at)
        self.counted = self.at
        return self.lines

    def more(self, least: int = 0) -> bool:
        """Read on by at least so many characters, and forget what is behind."""
        self.line()
        parts, size = [self.text[self.at :]], 0
        for block in self.blocks:
            parts.append(block)
            size += len(block)
            if size >= least:
                break
        self.text, self.at, self.counted = "".join(parts), 0, 0
        return size > 0

    def peek(self) -> str:
        """The next character that is no white space, or nothing at the end."""
        while True:
            while self.at < len(self.text) and self.text[self.at] in _SPACE:
                self.at += 1
            if self.at < len(self.text):
                return self.text[self.at]
            if not self.more():
                return ""

    def value(self) -> Any:
        while True:
            reason, end = "", 0
            try:
                found, end = self.decode(self.text, self.at)
            except RecursionError:
                self.fail("not JSON that can be read (nested too deeply)")
            except json.JSONDecodeError as error:
                cut = error.pos >= len(self.text) - _NEAR_END or error.msg.startswith("Unterminated string")
                if not cut:
                    self.at = min(error.pos, len(self.text))
                    self.fail(f"not JSON ({error.msg})")
                reason = error.msg
            except ValueError as error:  # an int of more digits than Python reads
                self.fail(f"not JSON ({error})")
            if not reason and end < len(self.text):
                self.at = end
                return found
            # doubled, so that an entry of any length is read in linear time
            if not self.more(len(self.text) - self.at):
                if not reason:
                    self.fail("not JSON (the list has no ] at its end)")
                self.fail(f"not JSON ({reason}); is the end missing?")

    def fail(self, reason: str) -> None:
        raise DataError(f"{self.name}: line {self.line()}: {reason}")

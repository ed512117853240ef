"""One HTML file that holds all it shows: pictures and sounds stand inside as data, nothing is fetched."""

from __future__ import annotations

import base64
import io
import os
import wave
from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import Protocol

import numpy as np

from ..errors import DataError, is_number
from ..training.model_files import refuse_model_file
from ..training.whole_file import is_stream, whole_file

__all__ = [
    "Block",
    "Card",
    "Details",
    "Grid",
    "Page",
    "Picture",
    "Section",
    "Sound",
    "Stack",
    "Table",
    "Text",
    "check_target",
    "render",
    "write_page",
]


class Block(Protocol):
    """Whatever can stand on a page."""

    def html(self) -> str: ...


@dataclass(frozen=True)
class Text:
    """A paragraph; plain text, escaped."""

    words: str

    def html(self) -> str:
        return f"<p>{escape(self.words)}</p>"


@dataclass(frozen=True)
class Picture:
    """An SVG picture with the words for those who cannot see it, and a caption (may be empty)."""

    svg: bytes
    alt: str
    caption: str = ""

    def html(self) -> str:
        caption = f"<figcaption>{escape(self.caption)}</figcaption>" if self.caption else ""
        data = base64.b64encode(self.svg).decode("ascii")
        source = f"data:image/svg+xml;base64,{data}"
        return f'<figure><img alt="{escape(self.alt)}" src="{source}">{caption}</figure>'


@dataclass(frozen=True)
class Sound:
    """A player for one channel of samples (T,), −1…1, kept as 16-bit WAV."""

    samples: np.ndarray
    sample_rate: int
    label: str

    def html(self) -> str:
        file = io.BytesIO()
        with wave.open(file, "wb") as out:
            out.setparams((1, 2, self.sample_rate, 0, "NONE", ""))
            out.writeframes((np.clip(self.samples, -1, 1) * 32767).astype("<i2").tobytes())
        data = base64.b64encode(file.getvalue()).decode("ascii")
        source = f"data:audio/wav;base64,{data}"
        return f'<audio controls preload="none" aria-label="{escape(self.label)}" src="{source}"></audio>'


@dataclass(frozen=True)
class Table:
    """A table; columns whose cells are all numbers stand to the right, floats get three decimals."""

    columns: Sequence[str]
    rows: Sequence[Sequence[object]]
    caption: str = ""

    def html(self) -> str:
        number = [
            bool(self.rows) and all(is_number(row[i]) for row in self.rows) for i in range(len(self.columns))
        ]
        kinds = [' class="number"' if n else "" for n in number]
        head = "".join(f'<th scope="col"{k}>{escape(c)}</th>' for c, k in zip(self.columns, kinds, strict=True))
        body = "".join(
            "<tr>"
            + "".join(
                f'<td{k} data-column="{escape(c)}">{_cell(v)}</td>'
                for v, k, c in zip(row, kinds, self.columns, strict=True)
            )
            + "</tr>"
            for row in self.rows
        )
        caption = f"<caption>{escape(self.caption)}</caption>" if self.caption else ""
        inside = f"{caption}<thead><tr>{head}</tr></thead><tbody>{body}</tbody>"
        return f'<div class="wide"><table>{inside}</table></div>'


@dataclass(frozen=True)
class Card:
    """Blocks that belong together, a cell of a Grid."""

    blocks: Sequence[Block]

    def html(self) -> str:
        return '<div class="card">' + "".join(b.html() for b in self.blocks) + "</div>"


@dataclass(frozen=True)
class Stack:
    """Blocks one below the other that share a cell of a Grid."""

    blocks: Sequence[Block]

    def html(self) -> str:
        return "<div>" + "".join(b.html() for b in self.blocks) + "</div>"


@dataclass(frozen=True)
class Grid:
    """Blocks in `columns` columns (2 or 3) where the screen is wide, one below the other where it is not."""

    blocks: Sequence[Block]
    columns: int = 3

    def html(self) -> str:
        return f'<div class="grid c{self.columns}">' + "".join(b.html() for b in self.blocks) + "</div>"


@dataclass(frozen=True)
class Details:
    """Blocks behind a line to click on."""

    title: str
    blocks: Sequence[Block]

    def html(self) -> str:
        inside = "".join(b.html() for b in self.blocks)
        return f"<details><summary>{escape(self.title)}</summary>{inside}</details>"


@dataclass(frozen=True)
class Section:
    """A heading and what stands below it."""

    title: str
    blocks: Sequence[Block]

    def html(self) -> str:
        return f"<section><h2>{escape(self.title)}</h2>" + "".join(b.html() for b in self.blocks) + "</section>"


@dataclass(frozen=True)
class Page:
    """Title, opening words, the blocks that sum it up, and the sections."""

    title: str
    lead: str
    summary: Sequence[Block] = ()
    sections: Sequence[Section] = field(default_factory=tuple)


def render(page: Page) -> str:
    """The page as one HTML document.

    Examples
    --------
    >>> document = render(Page("a < b", "Words."))
    >>> "<title>a &lt; b</title>" in document
    True
    """
    links = "".join(f'<li><a href="#s{i}">{escape(s.title)}</a></li>' for i, s in enumerate(page.sections))
    contents = f'<nav aria-label="Contents"><ul>{links}</ul></nav>' if links else ""
    summary = "".join(b.html() for b in page.summary)
    body = "\n".join(
        s.html().replace("<section>", f'<section id="s{i}">', 1) for i, s in enumerate(page.sections)
    )
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(page.title)}</title><style>{_CSS}</style></head>\n<body><main>"
        f'<h1>{escape(page.title)}</h1><p class="lead">{escape(page.lead)}</p>{summary}{contents}\n{body}\n'
        "</main></body></html>\n"
    )


def write_page(page: Page, path: str | os.PathLike) -> Path:
    """Write the page under a temporary name, then move it to `path`: a reader never sees half a page.

    Raises
    ------
    DataError
        If the path is a folder, or cannot be written.
    """
    target = check_target(path)
    with whole_file(target, cure="choose another place with --out") as file:
        file.write(render(page))
    return target


def check_target(
    path: str | os.PathLike, name: str = "report.html", cure: str = "choose another place with --out"
) -> Path:
    """The path as a file that can be written, its folder made: to be asked before the work, not after it.

    `name` is offered where a folder came, `cure` where nothing can be written.

    Raises
    ------
    DataError
        As write_page.
    """
    target = Path(path)
    if os.path.isdir(target):
        raise DataError(f"{target} is a folder, a file name is needed; try {target / name}")
    refuse_model_file(target)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        os.lstat(target)
    except FileNotFoundError:  # a free name that the system would take
        pass
    except OSError as error:
        raise DataError(f"cannot write {target}: {error.strerror}; {cure}") from error
    if not is_stream(target) and not os.access(target.parent, os.W_OK):
        raise DataError(f"cannot write {target}: its folder is read-only; {cure}")
    return target


def _cell(value: object) -> str:
    return escape(f"{value:.3f}" if isinstance(value, float | np.floating) else str(value))


_CSS = """
:root{--ink:#1f2933;--soft:#52606d;--line:#dfe5ea;--wash:#f6f8fa;--blue:#2b6a99}
*{box-sizing:border-box}
body{margin:0;background:#fff;color:var(--ink)}
body{font:16px/1.55 system-ui,-apple-system,"Segoe UI",Roboto,Helvetica,Arial,sans-serif}
main{max-width:70rem;margin:0 auto;padding:1.5rem 1rem 4rem}
h1{font-size:1.8rem;line-height:1.2;margin:.5rem 0 .75rem}
h2{font-size:1.3rem;margin:0 0 .75rem;padding-top:1.5rem;border-top:1px solid var(--line)}
section{margin-top:2rem}
p{max-width:60rem;margin:0 0 1rem}
.lead{font-size:1.08rem;color:var(--soft)}
nav ul{list-style:none;padding:0;margin:1.5rem 0 0;display:flex;flex-wrap:wrap;gap:.4rem 1.25rem}
a{color:var(--blue)}
figure{margin:0 0 1rem}
img{display:block;max-width:100%;height:auto}
figcaption{color:var(--soft);font-size:.9rem;margin-top:.35rem;max-width:60rem}
audio{display:block;width:100%;height:2.25rem}
.grid{display:grid;gap:1.25rem;margin-bottom:1rem}
.grid>*{min-width:0}
.grid>figure{display:grid;grid-row:span 2;grid-template-rows:subgrid;row-gap:.35rem;margin:0}
@media(min-width:62rem){
.c2{grid-template-columns:3fr 2fr}
.c3{grid-template-columns:repeat(3,1fr)}
}
.card{border:1px solid var(--line);border-radius:.5rem;padding:.75rem}
.card figure{margin-bottom:.5rem}
.card img{width:100%;max-width:30rem}
.card figcaption{min-height:1.4em}
.wide{overflow-x:auto;margin:0 0 1.25rem}
table{border-collapse:collapse;font-size:.95rem;width:100%}
caption{text-align:left;font-weight:600;padding-bottom:.4rem}
th,td{text-align:left;vertical-align:top;padding:.35rem .9rem .35rem 0;border-bottom:1px solid var(--line)}
th{color:var(--soft);font-weight:600;white-space:nowrap}
.number{text-align:right;font-variant-numeric:tabular-nums}
summary{cursor:pointer;color:var(--blue);margin:0 0 1rem}
@media(max-width:40rem){
thead{display:none}
table,tbody,tr,td,caption{display:block}
tr{padding:.5rem 0;border-bottom:1px solid var(--line)}
td,td.number{display:grid;grid-template-columns:8.5rem 1fr;gap:1rem;border:0;padding:.1rem 0;text-align:left}
td::before{content:attr(data-column);color:var(--soft)}
}
@media print{.card{break-inside:avoid}audio,nav{display:none}}
""".replace("\n", "")

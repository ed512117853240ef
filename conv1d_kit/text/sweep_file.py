"""A sweep in a TOML file: which configurations, which folds and seeds; mistakes are said before a run starts.

```toml
name = "widths"
[data]                            # or on the command line
file = "reviews.csv"              # beside this file; test = "…" in place of folds; text_column, label_column, …
[study]
folds = 10                        # repeats = 1, seeds = [0] of the nets, seed = 0 of the folds
[base]                            # options that all configurations share
filters = 50
[grid]                            # lists; every combination
widths = [[3], [3, 4, 5]]
[random]                          # each combination with every one of `samples` draws
samples = 8
lr = { loguniform = [1e-4, 1e-2] }
[[runs]]                          # one configuration each
name = "words"
widths = [1]
[[variants]]                      # a base, grid and random of their own, for options that others have not
name = "averaged"
base = { average_decay = 0.99 }
grid = { dropout = [0.2, 0.5] }
```
"none" stands for None, which TOML does not have.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import ConvKitError, DataError, InputError, one_line
from .distributions import draw

__all__ = ["Configuration", "Study", "SweepFile", "parse_sweep", "read_sweep", "ready_sweeps"]

READY = Path(__file__).with_name("sweeps")
MOST = 100_000  # configurations
_TOP = ("name", "about", "data", "study", "base", "grid", "random", "runs", "variants")
_DATA = ("file", "test", "format", "text_column", "label_column", "encoding")
_STUDY = ("folds", "repeats", "seeds", "seed")
_GROUP = ("name", "base", "grid", "random")


@dataclass(frozen=True)
class Configuration:
    """A model to be judged: name, group ("" for the file's own grid), options, and whether some were drawn."""

    name: str
    group: str
    options: dict[str, Any]
    drawn: bool = False


@dataclass(frozen=True)
class Study:
    """How each configuration is judged: folds, shuffled anew for every repeat; seeds of the nets."""

    folds: int = 10
    repeats: int = 1
    seeds: tuple[int, ...] = (0,)
    seed: int = 0


@dataclass(frozen=True)
class SweepFile:
    """A sweep as its file says it; `data` holds what `read_texts` needs, paths made absolute."""

    name: str
    about: str
    source: str
    data: dict[str, Any]
    study: Study
    configurations: list[Configuration] = field(default_factory=list)


def ready_sweeps() -> dict[str, Path]:
    """The sweeps that come with the kit: name → file.

    Examples
    --------
    >>> "kim2014" in ready_sweeps()
    True
    """
    return {path.stem: path for path in sorted(READY.glob("*.toml"))}


def read_sweep(name: str | Path) -> SweepFile:
    """Read a sweep: a TOML file, or the name of one that comes with the kit.

    Raises
    ------
    DataError
        If there is none of that name, or it is no TOML or says something that cannot be run.
    """
    path = Path(name)
    ready = ready_sweeps()
    if not path.is_file():
        if str(name) in ready:
            path = ready[str(name)]
        elif path.suffix == ".toml" or path.is_dir():
            reason = "is a folder" if path.is_dir() else "does not exist"
            raise DataError(f"{path} {reason}; name a TOML file, or one of {', '.join(ready)}")
        else:
            raise DataError(f"there is no sweep {_unknown(str(name), ready)}; or name a TOML file")
    return parse_sweep(_toml(path), source=path.name if path.parent == READY else str(path), folder=path.parent)


def parse_sweep(document: Mapping[str, Any], *, source: str = "sweep.toml", folder: Path = Path()) -> SweepFile:
    """A sweep from the parsed document.

    Parameters
    ----------
    document : mapping
        As TOML gives it.
    source : str
        The file that messages name.
    folder : Path
        What relative paths in [data] start from.

    Raises
    ------
    DataError
        With the table and the option, what is allowed, what came.

    Examples
    --------
    >>> sweep = parse_sweep({"grid": {"filters": [10, 20], "dropout": [0.0, 0.5]}})
    >>> [c.name for c in sweep.configurations][:2]
    ['filters=10 dropout=0.0', 'filters=10 dropout=0.5']
    """
    try:
        _known(document, _TOP, "the file")
        name, about = (_text(document, key, "the file") for key in ("name", "about"))
        study = _study(_table(document, "study", "the file"))
        data = _data(_table(document, "data", "the file"), folder)
        found = _configurations(document, name or Path(source).stem)
    except InputError as error:
        raise DataError(f"{source}: {error}") from error
    return SweepFile(name or Path(source).stem, about, source, data, study, found)


def _configurations(document: Mapping[str, Any], name: str) -> list[Configuration]:
    from .classifier import TextClassifier

    names = [n for n in TextClassifier().get_params() if n != "seed"]
    base = _options(_table(document, "base", "the file"), names, "[base]")
    found: list[Configuration] = []
    own = {key: _table(document, key, "the file") for key in ("grid", "random")}
    runs, variants = (_tables(document, key) for key in ("runs", "variants"))
    if own["grid"] or own["random"] or not (runs or variants):
        found += _group("", name, base, own["grid"], own["random"], names, "")
    for number, run in enumerate(runs, start=1):
        where = f"[[runs]] {number}"
        title = _text(run, "name", where)
        if not title:
            raise InputError(f'{where} needs a name; add name = "…"')
        options = _options({k: v for k, v in run.items() if k != "name"}, names, where)
        found.append(Configuration(title, title, {**base, **options}))
    for number, variant in enumerate(variants, start=1):
        where = f"[[variants]] {number}"
        _known(variant, _GROUP, where)
        title = _text(variant, "name", where)
        if not title:
            raise InputError(f'{where} needs a name; add name = "…"')
        inner = {key: _table(variant, key, where) for key in ("base", "grid", "random")}
        fixed = {**base, **_options(inner["base"], names, f"{where} base")}
        found += _group(title, title, fixed, inner["grid"], inner["random"], names, f"{where} ")
    return _checked(found)


def _group(
    group: str, title: str, base: dict, grid: Mapping, random: Mapping, names: list[str], where: str
) -> list[Configuration]:
    """Every combination of the grid with every draw."""
    lists = {}
    for option, values in grid.items():
        _known([option], names, f"{where}[grid]")
        if not isinstance(values, list) or not values:
            raise InputError(
                f"{where}[grid] {option} must be a list of values, got {one_line(values)}; "
                f"try {option} = [{one_line(values)}], or name it in [base]"
            )
        lists[option] = [_value(v, f"{where}[grid] {option}") for v in values]
    draws = _draws(random, names, f"{where}[random]")
    both = sorted(set(lists) & set(draws[0]))
    if both:
        raise InputError(f"{where}[random] {both[0]} stands in [grid] too; keep one of them")
    n = math.prod(len(v) for v in lists.values()) * len(draws)
    if n > MOST:
        raise InputError(f"{where}[grid] and [random] make {n} configurations, at most {MOST} can be run")
    found = []
    for cell in product(*lists.values()):
        for drawn in draws:
            varied = {**dict(zip(lists, cell, strict=True)), **drawn}
            words = " ".join(f"{option}={_shown(value)}" for option, value in varied.items())
            name = f"{group}: {words}" if group and words else words or title
            found.append(Configuration(name, group, {**base, **varied}, drawn=bool(random)))
    return found


def _draws(random: Mapping, names: list[str], where: str) -> list[dict[str, Any]]:
    """`samples` draws of the options in [random]; one empty draw where there are none."""
    if not random:
        return [{}]
    samples = _int(random, "samples", where, least=1)
    seed = _int(random, "seed", where, least=0, default=0)
    said = {key: value for key, value in random.items() if key not in ("samples", "seed")}
    _known(said, names, where)
    if not said:
        raise InputError(f"{where} needs an option to draw; dropout = {{ uniform = [0.0, 0.7] }}, say")
    drawn = {
        option: [_value(v, f"{where} {option}") for v in draw(option, kind, samples, seed, where)]
        for option, kind in said.items()
    }
    return [{option: drawn[option][i] for option in drawn} for i in range(samples)]


def _checked(found: list[Configuration]) -> list[Configuration]:
    """Options that the classifier takes, one name a configuration; what a list says twice counts once."""
    from .classifier import TextClassifier

    kept: dict[str, Configuration] = {}
    for configuration in found:
        try:
            TextClassifier(**configuration.options).check_options()
            if configuration.options.get("multi_label"):
                raise InputError("multi_label must be False: runs are judged by one label a text")
        except ConvKitError as error:
            raise InputError(f"configuration {configuration.name!r}: {error}") from error
        other = kept.setdefault(configuration.name, configuration)
        if other.options != configuration.options:
            raise InputError(
                f"two configurations are named {configuration.name!r}; give each a name of its own"
            )
    return list(kept.values())


def _study(said: Mapping[str, Any]) -> Study:
    where = "[study]"
    _known(said, _STUDY, where)
    seeds = said.get("seeds", 1)
    if isinstance(seeds, int) and not isinstance(seeds, bool) and 1 <= seeds <= 10_000:
        seeds = list(range(seeds))
    good = isinstance(seeds, list) and seeds and all(type(s) is int and 0 <= s < 2**32 for s in seeds)
    if not good or len(set(seeds)) < len(seeds):
        raise InputError(
            f"{where} seeds must be how many, or different ints from 0 to {2**32 - 1}, got {one_line(seeds)}"
        )
    return Study(
        _int(said, "folds", where, least=2, default=10),
        _int(said, "repeats", where, least=1, default=1),
        tuple(seeds),
        _int(said, "seed", where, least=0, default=0),
    )


def _data(said: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    _known(said, _DATA, "[data]")
    data: dict[str, Any] = {key: _text(said, key, "[data]") for key in said}
    for key in ("file", "test"):
        if key in data:
            data[key] = str(folder / Path(data[key]).expanduser())
    if "test" in data and "file" not in data:
        raise InputError("[data] test needs file, the texts to train on")
    return data


def _options(said: Mapping[str, Any], names: list[str], where: str) -> dict[str, Any]:
    _known(said, names, where)
    return {key: _value(value, f"{where} {key}") for key, value in said.items()}


def _value(value: Any, where: str) -> Any:
    """A value as the classifier takes it: "none" is None, a list a tuple."""
    if isinstance(value, list):
        return tuple(_value(v, where) for v in value)
    if isinstance(value, np.generic):
        value = value.item()
    if not isinstance(value, bool | int | float | str) or (
        isinstance(value, float) and not math.isfinite(value)
    ):
        raise InputError(f"{where} must be a number, a string, true, false or a list, got {one_line(value)}")
    return None if value == "none" else value


def _shown(value: Any) -> str:
    if isinstance(value, tuple):
        return ",".join(map(_shown, value))
    if value is None or isinstance(value, bool):
        return str(value).lower()
    return str(value)


def _known(said: Iterable[str], allowed: Iterable[str], where: str) -> None:
    for key in said:
        if key in ("seed", "seeds") and key not in allowed:
            raise InputError(f"{where} {key}: seeds stand in [study]; seeds = [0, 1, 2], say")
        if key not in allowed:
            raise InputError(f"{where} has no {_unknown(key, allowed)}")


def _unknown(key: str, allowed: Iterable[str]) -> str:
    """The word in quotes with the nearest of those that are, or all of them."""
    near = difflib.get_close_matches(key, list(allowed), n=1, cutoff=0.6)
    return f"{key!r}; did you mean {near[0]!r}?" if near else f"{key!r}; there is {', '.join(allowed)}"


def _table(document: Mapping[str, Any], key: str, where: str) -> Mapping[str, Any]:
    value = document.get(key, {})
    if not isinstance(value, Mapping):
        raise InputError(f"{where}: {key} must be a table, got {one_line(value)}")
    return value


def _tables(document: Mapping[str, Any], key: str) -> list[Mapping[str, Any]]:
    value = document.get(key, [])
    if not isinstance(value, list) or not all(isinstance(v, Mapping) for v in value):
        raise InputError(f"{key} must be tables, each under its own [[{key}]], got {one_line(value)}")
    return value


def _text(said: Mapping[str, Any], key: str, where: str) -> str:
    value = said.get(key, "")
    if not isinstance(value, str) or (key == "name" and (value != value.strip() or "\n" in value)):
        raise InputError(f"{where}: {key} must be a string of one line, got {one_line(value)}")
    return value


def _int(said: Mapping[str, Any], key: str, where: str, *, least: int, default: int | None = None) -> int:
    value = said.get(key, default)
    if type(value) is not int or not least <= value < 2**31:
        raise InputError(f"{where} {key} must be an int >= {least}, got {one_line(value)}")
    return value


def _toml(path: Path) -> dict[str, Any]:
    try:
        import tomllib
    except ImportError:  # Python 3.10
        try:
            import tomli as tomllib  # type: ignore[no-redef]
        except ImportError as error:
            raise InputError("sweep files need Python 3.11 or newer, or `pip install tomli`") from error
    try:
        return tomllib.loads(path.read_text("utf-8-sig"))
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: no UTF-8 text; a sweep is a TOML file") from error
    except tomllib.TOMLDecodeError as error:
        raise DataError(f"{path}: no TOML: {' '.join(str(error).split())}") from error

"""Rows of a Parquet file, read by batches so that memory does not grow with the file; needs pyarrow."""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

from ..errors import DataError, InputError
from .records import column_index, record_row
from .rows import Columns, Row

__all__ = ["read_parquet"]

_BATCH = 1024


def read_parquet(name: str, file: BinaryIO, columns: Columns) -> Iterator[Row]:
    """Its rows; lists of labels are lists, numbers words.

    Raises
    ------
    DataError
        If it is no Parquet file or a column is unknown.
    InputError
        If pyarrow is not installed.
    """
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError as error:
        raise InputError(
            "Parquet files need pyarrow, which is not installed; pip install conv1d_kit[parquet]"
        ) from error
    try:
        table = parquet.ParquetFile(file)
    except (pyarrow.ArrowException, OSError) as error:
        raise DataError(f"{name} is no Parquet file: {' '.join(str(error).split())}") from error
    names = table.schema_arrow.names
    wanted = [c for c in (columns.text, columns.label) if c is not None]
    for column in wanted:
        column_index(name, column, names)
    number = 0
    try:
        for batch in table.iter_batches(batch_size=_BATCH, columns=wanted):
            for record in batch.to_pylist():
                number += 1
                yield record_row(number, record, columns, f"row {number}")
    except (pyarrow.ArrowException, OSError) as error:
        reason = " ".join(str(error).split())
        raise DataError(f"{name}: cannot be read behind row {number}: {reason}") from error

"""`conv1d-kit audio search`: the sounds of an index that are nearest to one sound."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ..errors import DataError, InputError, ModelError
from .output import JsonFlag, emit, note, table

__all__ = ["search"]


def search(
    index: Annotated[Path, typer.Argument(help="An index folder that `audio embed` wrote.")],
    query: Annotated[Path, typer.Argument(help="An audio file.")],
    model: Annotated[
        Path | None, typer.Option(help="The model that made the index; default where it was then.")
    ] = None,
    k: Annotated[int, typer.Option("-k", min=1, help="How many.")] = 5,
    json: JsonFlag = False,
) -> None:
    """List the nearest sounds with their cosine similarity, best first."""
    from ..audio.classifier import AudioClassifier
    from ..audio.embedding import embed_each
    from ..audio.embedding_index import EmbeddingIndex

    opened = EmbeddingIndex.load(index)
    place = model if model is not None else Path(opened.model_path)
    try:
        classifier = AudioClassifier.load(place)
    except ModelError as error:
        cure = "" if model is not None else "; give the model that made the index with --model"
        raise ModelError(f"{error}{cure}") from error
    opened.check_model(classifier)
    heard = next(embed_each(classifier, [query]))
    if heard.vector is None:
        raise DataError(heard.error)
    if "shorter" in heard.note:
        raise InputError(f"{query}: {heard.note}, too short to be searched for; give a longer sound")
    if heard.note:
        note(f"note: {query}: {heard.note}; what is near it says little")
    found = opened.search(heard.vector, k=k)
    result = {
        "query": str(query), "duration_s": heard.duration_s, "note": heard.note, "n_searched": len(opened),
        "nearest": [{**f.clip, "similarity": f.similarity} for f in found],
    }  # fmt: skip

    def show(console) -> None:
        labelled = any("label" in f.clip for f in found)
        columns = ["similarity", *["label"] * labelled, "path"]
        rows = [(f.similarity, *[f.clip.get("label", "")] * labelled, f.clip["path"]) for f in found]
        console.print(table(f"nearest to {query}", columns, rows))

    emit(result, show, as_json=json)

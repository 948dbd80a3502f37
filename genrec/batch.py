"""Batch work: recommendations for many users, into one table, in chunks."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from genrec.data.histories import Histories
from genrec.data.tables import write_table
from genrec.decoding.request import Request
from genrec.progress import Progress
from genrec.recommender import Recommender
from genrec.schema import Columns


@dataclass(frozen=True)
class GenerateResult:
    """What a batch job made.

    Attributes:
        frame: ``user_id, rank, item_id, score`` (and ``title``), best first.
        users: Users asked for.
        short: Users with fewer than ``k`` items, because fewer were allowed.
    """

    frame: pl.DataFrame
    users: int
    short: int


def generate(
    recommender: Recommender,
    histories: Histories,
    request: Request | int,
    *,
    out: Path | str | None = None,
    titles: list[str] | None = None,
    chunk: int = 2048,
    progress: Progress | None = None,
) -> GenerateResult:
    """Recommend for every history.

    Args:
        recommender: Anything with ``recommend``.
        histories: Users' items over the recommender's catalogue.
        request: What is asked for; a number is the length of a list.
        out: Table to write when all is done (``.parquet``, ``.csv``, ``.jsonl``); it never exists half-written.
        titles: ``n_items`` titles to put beside the ids.
        chunk: Users asked at once.
        progress: Called with (what, users done, users in all).
    """
    request = Request(request) if isinstance(request, int) else request
    frames, short = [], 0
    for at in range(0, len(histories), chunk):
        part = histories.select(np.arange(at, min(at + chunk, len(histories))))
        found = recommender.answer(part, request.of(np.arange(at, at + len(part))))
        frame = found.to_frame(part.user_ids)
        if titles is not None:
            named = [titles[item] for row in found.items for item in row if item >= 0]
            frame = frame.with_columns(pl.Series(Columns.Title, named, dtype=pl.String))
        frames.append(frame)
        counts = (found.items >= 0).sum(axis=1)
        short += int((counts < request.k).sum())
        if progress is not None:
            progress("generating", at + len(part), len(histories))
    table = pl.concat(frames) if frames else pl.DataFrame(schema={Columns.User: pl.String, Columns.Item: pl.String})
    if out is not None:
        write_table(table, out)
    return GenerateResult(table, len(histories), short)

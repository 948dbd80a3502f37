"""One shard of a batch job: its histories in, its table out."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import polars as pl

from genrec.batch import generate
from genrec.recommender import Recommender
from genrec.sharding.job import SCHEMA, ShardedJob
from genrec.sharding.opened import OpenedJob


def make_shard(job: ShardedJob, opened: OpenedJob, shard: int, chunk: int = 2048) -> dict[str, Any]:
    """Recommend for the users of a shard and write its table; readers see a whole file or none.

    Args:
        job: Where it stands and where it goes.
        opened: The recommender, and what is the same for all users.
        shard: Its number.
        chunk: Users asked at once; it has no influence on the result.

    Returns:
        Counts: ``users``, ``rows``, ``short`` (users with fewer than ``k`` items), ``problems`` of the histories.
    """
    recommender: Recommender = opened.recommender
    histories, report = job.spool.histories(shard, recommender.item_ids)
    made = generate(
        recommender,
        histories,
        opened.settings.k,
        exclude_seen=opened.settings.exclude_seen,
        allow=opened.allow,
        deny=opened.deny,
        titles=opened.titles,
        request=opened.request,
        chunk=chunk,
    )
    frame = made.frame
    names = [name for name in SCHEMA if name in frame.columns or (name != "title" or opened.titles is not None)]
    if not frame.height:
        frame = pl.DataFrame(schema={name: SCHEMA[name] for name in names})
    counts = {
        "users": made.users,
        "rows": frame.height,
        "short": made.short,
        "problems": {problem.kind: problem.count for problem in report.problems if problem.kind in COUNTED},
    }
    write_shard(frame.select(pl.col(name).cast(SCHEMA[name]) for name in names), job.path(shard), counts)
    return counts


COUNTED = ("missing-ids", "unreadable-timestamps", "unknown-items", "users-without-items")
"""What is said about the histories in the end: what was left out."""


def write_shard(frame: pl.DataFrame, path: Path, counts: dict[str, Any]) -> None:
    """Write a Parquet file with its counts inside, whole and on the disk before it gets its name."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        frame.write_parquet(temporary, metadata={"genrec": json.dumps(counts, sort_keys=True)})
        with temporary.open("rb") as stream:
            os.fsync(stream.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)

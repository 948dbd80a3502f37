"""One shard of a batch job: histories in, table out."""

from __future__ import annotations

import io
import json
from typing import Any

import polars as pl

from genrec.batch import generate
from genrec.data.histories import Histories
from genrec.schema import Columns
from genrec.sharding.job import SCHEMA, ShardedJob, part_name
from genrec.sharding.opened import OpenedJob
from genrec.sharding.prints import KEY, as_text, history_prints
from genrec.sharding.store import Store


def make_shard(job: ShardedJob, opened: OpenedJob, shard: int) -> dict[str, Any]:
    """Recommend for the users of a shard and write its table; see :func:`recommend_shard`."""
    histories, problems = job.histories(shard, opened.recommender.item_ids)
    return recommend_shard(job.store, opened, shard, histories, problems)


def recommend_shard(
    store: Store, opened: OpenedJob, shard: int, histories: Histories, problems: dict[str, int]
) -> dict[str, Any]:
    """Recommend for some users and write their table; readers see a whole file or none.

    Args:
        store: Where it goes.
        opened: The recommender, and what is the same for all users.
        shard: Its number.
        histories: Of its users.
        problems: Counts of what was left out of them.

    Returns:
        Counts: ``users``, ``rows``, ``short`` (users with fewer than ``k`` items), ``problems``; and the ``notes`` of
        ``opened``.
    """
    made = generate(
        opened.recommender,
        histories,
        opened.request,
        titles=opened.titles,
    )
    schema = {name: kind for name, kind in SCHEMA.items() if name != Columns.Title or opened.titles is not None}
    frame = made.frame if made.frame.height else pl.DataFrame(schema=schema)
    counts = {"users": made.users, "rows": frame.height, "short": made.short, "problems": problems}
    content = io.BytesIO()
    frame.select(pl.col(name).cast(kind) for name, kind in schema.items()).write_parquet(
        content,
        metadata={
            "genrec": json.dumps(counts, sort_keys=True),
            KEY: as_text(history_prints(histories, opened.recommender.item_ids)),
        },
    )
    store.write(part_name(shard), content.getvalue())
    return {**counts, "notes": opened.notes}

"""Shards made by the actors of a Ray cluster, through Ray Data (the extra ``ray``)."""

from __future__ import annotations

import io
import json
import logging
import os
from collections.abc import Callable
from typing import Any

import numpy as np
import polars as pl

from genrec.data.histories import Histories
from genrec.errors import ConfigError, MissingExtraError
from genrec.sharding.job import WORK, JobSettings, ShardedJob
from genrec.sharding.opened import OpenedJob
from genrec.sharding.shard import recommend_shard
from genrec.sharding.store import Store
from genrec.wording import count

Done = Callable[[dict[str, Any]], None]


class ShardActor:
    """Loads the recommender once and makes shards; Ray starts it anew where its process dies."""

    def __init__(self, store: Store, settings: JobSettings) -> None:
        self.store, self.opened = store, OpenedJob.open(settings)

    def __call__(self, batch: dict[str, Any]) -> dict[str, Any]:
        """One row is one shard: the name of the file with its users; its counts come back as JSON."""
        counts = []
        for name in batch["name"]:
            shard, histories, problems = _read_histories(self.store.read(str(name)))
            counts.append(json.dumps(recommend_shard(self.store, self.opened, shard, histories, problems)))
        return {"counts": np.array(counts, dtype=object)}


def run_ray(
    job: ShardedJob, settings: JobSettings, shards: list[int], actors: int, address: str | None, done: Done
) -> None:
    """Make shards with actors of a Ray cluster.

    The users of a shard stand in a file of their own, and its name is one block of the data set: an actor reads only
    what it makes. An actor that dies is started again and its shard made again; a shard is written whole.

    Args:
        job: Where everything stands; its store must be seen by all nodes.
        settings: Every actor opens the recommender with them: their paths must be seen by all nodes, too.
        shards: Those that are left.
        actors: Number of actors, one core (or device) each.
        address: Of the cluster; None: one is started on this machine.
        done: Called with the counts of every finished shard.

    Raises:
        MissingExtraError: Ray is not installed.
        ConfigError: The cluster has too few cores: Ray reads files with a task of one core beside the actors.
    """
    try:
        import ray
    except ImportError:
        raise MissingExtraError("ray", "ray") from None
    started = not ray.is_initialized()
    if started:
        if address is None:  # else its processes run at the lowest priority but one, and starve beside any other work
            os.environ.setdefault("RAY_worker_niceness", "0")
        # Cores of a cluster that we start ourselves are only counted: room for the tasks that read.
        local: dict[str, Any] = {"num_cpus": actors + 1, "include_dashboard": False} if address is None else {}
        ray.init(address=address, log_to_driver=False, logging_level=logging.WARNING, **local)
    try:
        _check_cores(ray.cluster_resources().get("CPU", 0), actors)
        item_ids = OpenedJob.open(settings).recommender.item_ids
        names = [_write_histories(job, shard, item_ids) for shard in shards]
        _run(job, settings, names, actors, done)
    finally:
        if started:
            ray.shutdown()


def _check_cores(cores: float, actors: int) -> None:
    if actors + 1 > cores:
        raise ConfigError(
            f"{count(actors, 'actor')} and the task that reads need {count(actors + 1, 'core')}, and the "
            f"cluster has {cores:g}.",
            where="--workers",
            expected=f"at most {max(int(cores) - 1, 1)}",
            hint="Ray would wait for ever. Use fewer workers or a larger cluster.",
        )


def _write_histories(job: ShardedJob, shard: int, item_ids: np.ndarray) -> str:
    histories, problems = job.histories(shard, item_ids)
    row = pl.DataFrame(
        {
            "shard": [shard],
            "user_ids": [histories.user_ids.tolist()],
            "offsets": [histories.offsets.tolist()],
            "items": [histories.items.tolist()],
            "problems": [list(problems)],
            "counts": [list(problems.values())],
        },
        schema_overrides={
            "user_ids": pl.List(pl.String),
            "offsets": pl.List(pl.Int64),
            "items": pl.List(pl.Int32),
            "problems": pl.List(pl.String),
            "counts": pl.List(pl.Int64),
        },
    )
    content = io.BytesIO()
    row.write_parquet(content)
    name = f"{WORK}/histories/part-{shard:05d}.parquet"
    job.store.write(name, content.getvalue())
    return name


def _read_histories(content: bytes) -> tuple[int, Histories, dict[str, int]]:
    """Number, users and what was left out of a shard, as :func:`_write_histories` wrote them."""
    row = pl.read_parquet(io.BytesIO(content)).row(0, named=True)
    histories = Histories(
        np.array(row["user_ids"], dtype=object),
        np.array(row["offsets"], dtype=np.int64),
        np.array(row["items"], dtype=np.int32),
    )
    return int(row["shard"]), histories, dict(zip(row["problems"], row["counts"], strict=True))


def _run(job: ShardedJob, settings: JobSettings, names: list[str], actors: int, done: Done) -> None:
    import ray

    # Names, not rows: read_parquet of several files fails now and then where aiohttp is missing (Ray 2.60).
    rows = ray.data.from_items([{"name": name} for name in names], override_num_blocks=len(names))
    made = rows.map_batches(
        ShardActor,
        fn_constructor_args=(job.store, settings),
        compute=ray.data.ActorPoolStrategy(size=actors),
        num_cpus=1,
        num_gpus=1 if (settings.device or "").startswith("cuda") else 0,
        batch_size=1,
    )
    for row in made.iter_rows():
        done(json.loads(row["counts"]))

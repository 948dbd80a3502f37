"""``genrec generate`` into a folder of shards."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from genrec.cli.columns import Tables
from genrec.cli.console import duration, say, summary
from genrec.cli.outputs import claim_job
from genrec.cli.progress import progress
from genrec.cli.reading import tell
from genrec.schema import Columns
from genrec.wording import count

if TYPE_CHECKING:
    from genrec.sharding.spool import HistoryColumns

Engine = Literal["local", "ray"]


def generate_shards(
    model: Path,
    histories: Path,
    out: str,
    job: dict[str, Any],
    tables: Tables,
    score_column: str | None,
    shard_users: int | None,
    workers: int,
    engine: Engine,
    address: str | None,
    overwrite: bool,
) -> None:
    """Run a sharded job and say what it made.

    Args:
        model: Folder of the recommender.
        histories: File or folder of the histories.
        out: Folder or URI of the result.
        job: Further settings of :class:`genrec.sharding.JobSettings`.
        tables: How tables are read.
        score_column: Of the table of the prior.
        shard_users: Users of a shard, about.
        workers: Processes or actors.
        engine: Who runs them.
        address: Of a Ray cluster.
        overwrite: Replace a job with other inputs or settings.
    """
    from genrec.data.report import DataReport
    from genrec.loading import saved_columns
    from genrec.sharding import JobSettings, run_sharded
    from genrec.sharding.run import SHARD_USERS

    if "://" not in out:
        claim_job(Path(out))
    known = [saved_columns(folder) for folder in (model, job["index"] or model / "index")]
    tables = tables.remembering(*known)
    columns = _columns(tables, histories)
    lists = {name: _list_column(tables, job[name]) for name in ("allow", "deny", "prior") if job[name] is not None}
    paths = {name: None if job[name] is None else str(job[name]) for name in ("index", "allow", "deny", "prior")}
    settings = JobSettings(
        **{**job, **paths},
        model=str(model),
        id_columns=tuple(sorted(lists.items())),
        score_column=score_column or Columns.Score,
    )
    began = time.monotonic()
    say("A stop loses nothing: the same command goes on.")
    with progress("generating") as update:
        made = run_sharded(
            settings,
            histories,
            out,
            shard_users=shard_users or SHARD_USERS,
            workers=workers,
            engine=engine,
            address=address,
            columns=columns,
            overwrite=overwrite,
            allow_lost=tables.how.get("allow_lost"),
            progress=lambda what, *now: update(what, *now) if what == "generating" else None,
        )
    report = DataReport("histories")
    for kind, number in made["left_out"].items():
        report.add(kind, number)
    tell([report])
    seconds = time.monotonic() - began
    size = f"{count(len(made['parts']), 'file')}, {count(made['rows'], 'row')}"
    shown: dict[str, object] = {
        "shards": f"{out} ({size}; generate.json says what they hold)",
        "users": f"{made['users']:,} in {duration(seconds)} ({made['users'] / max(seconds, 1e-9):,.0f} users/s)",
    }
    if made["short"]:
        shown["fewer than k"] = f"{count(made['short'], 'user')}, because fewer items are allowed for them"
    summary(shown)


def _columns(tables: Tables, histories: Path) -> HistoryColumns:
    """Names of the columns of the histories, by the first of their files."""
    from genrec.data.interaction_columns import find_time_column
    from genrec.data.pieces import table_files
    from genrec.data.tables import table_start
    from genrec.sharding.spool import HistoryColumns

    first = table_files(histories)[0]
    names = tables.of_interactions(first)
    start = table_start(first)
    others = (names["user_column"], names["item_column"])
    moment = find_time_column(start, names.get("time_column", Columns.Timestamp), others, str(first))
    if moment is None:
        say("There is no time column: the order of the rows is the order of the interactions.")
    return HistoryColumns(names["user_column"] or Columns.User, names["item_column"] or Columns.Item, moment)


def _list_column(tables: Tables, path: Path) -> str:
    return str(tables.of_list(path)["id_column"])

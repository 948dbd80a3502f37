"""``genrec generate`` into a folder of shards."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from genrec.cli.columns import Tables
from genrec.cli.console import duration, say, summary
from genrec.cli.outputs import claim_job
from genrec.cli.page import LONGEST_SHOWN
from genrec.cli.progress import progress
from genrec.cli.reading import free_path, shell_command, tell
from genrec.schema import Columns
from genrec.wording import count

if TYPE_CHECKING:
    from genrec.sharding import JobSettings
    from genrec.sharding.spool import HistoryColumns

Engine = Literal["local", "ray"]


@dataclass(frozen=True)
class Job:
    """What a job asks of a recommender, in one process or in shards.

    Attributes:
        model: Folder of the recommender.
        k: Items a user.
        exclude_seen: Whether items of the history cannot be recommended.
        changes: Decoding settings, ``key=value``.
        where: Conditions on items.
        lists: Tables of items by what they are for: ``allow``, ``deny``, ``prior``.
        score_column: Of the table of the prior.
        index: In place of the saved one.
        device: Such as ``cuda``.
        hold_out: Newest items of every history that are not shown to it.
        checkpoints: Where language models under adapters are now, if they have moved.
    """

    model: Path
    k: int
    exclude_seen: bool
    changes: tuple[str, ...] = ()
    where: tuple[str, ...] = ()
    lists: dict[str, Path] = field(default_factory=dict)
    score_column: str = Columns.Score
    index: Path | None = None
    device: str | None = None
    hold_out: int = 0
    checkpoints: tuple[str, ...] = ()

    def settings(self, tables: Tables) -> JobSettings:
        """The same as :mod:`genrec.sharding` takes it."""
        from genrec.loading import moved_checkpoint
        from genrec.sharding import JobSettings
        from genrec.trust import trusts_remote_code

        columns = {name: str(tables.of_list(path)["id_column"]) for name, path in self.lists.items()}
        return JobSettings(
            str(self.model),
            k=self.k,
            exclude_seen=self.exclude_seen,
            changes=self.changes,
            where=self.where,
            **{name: str(path) for name, path in self.lists.items()},
            id_columns=tuple(sorted(columns.items())),
            score_column=self.score_column,
            index=None if self.index is None else str(self.index),
            device=self.device,
            hold_out=self.hold_out,
            checkpoint=moved_checkpoint(self.model, self.checkpoints),
            trust_remote_code=trusts_remote_code(),
        )


@dataclass(frozen=True)
class Plan:
    """How a job is cut up, and who does it.

    Attributes:
        shard_users: Users of a shard, about.
        workers: Processes or actors.
        engine: Who runs them.
        address: Of a Ray cluster.
    """

    shard_users: int | None = None
    workers: int = 1
    engine: Engine = "local"
    address: str | None = None

    @property
    def asked(self) -> bool:
        """Whether anything of this was said."""
        return self != Plan()


def generate_shards(job: Job, plan: Plan, histories: Path, out: str, tables: Tables, *, overwrite: bool) -> None:
    """Run a sharded job and say what it made.

    Args:
        job: What is asked for.
        plan: How it is cut up.
        histories: File or folder of the histories.
        out: Folder or URI of the result.
        tables: How tables are read.
        overwrite: Replace a job with other inputs or settings.
    """
    from genrec.loading import saved_columns
    from genrec.sharding import run_sharded
    from genrec.sharding.run import SHARD_USERS

    if "://" not in out:
        claim_job(Path(out))
    tables = tables.remembering(*(saved_columns(folder) for folder in (job.model, job.index or job.model / "index")))
    columns, settings = _columns(tables, histories), job.settings(tables)
    began = time.monotonic()
    say("A stop loses nothing: the same command goes on.")
    with progress("generating") as update:
        made = run_sharded(
            settings,
            histories,
            out,
            shard_users=plan.shard_users or SHARD_USERS,
            workers=plan.workers,
            engine=plan.engine,
            address=plan.address,
            columns=columns,
            overwrite=overwrite,
            allow_lost=tables.how.get("allow_lost"),
            progress=lambda what, *now: update(what, *now) if what == "generating" else None,
        )
    _show(made, out, time.monotonic() - began, look_at(job, histories, tables))


def _show(made: dict[str, Any], out: str, seconds: float, then: list[str]) -> None:
    from genrec.data.report import DataReport

    report = DataReport("histories")
    for kind, number in made["left_out"].items():
        report.add(kind, number)
    tell([report])
    size = f"{count(len(made['parts']), 'file')}, {count(made['rows'], 'row')}"
    shown: dict[str, object] = {
        "shards": f"{out} ({size}; generate.json says what they hold)",
        "users": f"{made['users']:,} in {duration(seconds)} ({made['users'] / max(seconds, 1e-9):,.0f} users/s)",
    }
    if made["short"]:
        shown["fewer than k"] = f"{count(made['short'], 'user')}, because fewer items are allowed for them"
    summary(shown, then)


def look_at(job: Job, histories: Path, tables: Tables) -> list[str]:
    """What to run after a job: a page on which its lists can be judged; nothing where a page cannot be made alike."""
    if job.index is not None or job.where or job.lists or job.checkpoints or not histories.is_file():
        return []
    options: list[object] = [] if job.exclude_seen else ["--include-seen"]
    options += ["--hold-out", job.hold_out] if job.hold_out else []
    options += [word for change in job.changes for word in ("--set", change)]
    page = free_path(f"{job.model}-page.html")
    same = (job.model, "--histories", histories, *tables.how_options(), *options)
    return [shell_command("page", *same, "--k", job.k, "--out", page)] if job.k <= LONGEST_SHOWN else []


def _columns(tables: Tables, histories: Path) -> HistoryColumns:
    """Names of the columns of the histories, by the first of their files that has rows."""
    from genrec.data.interaction_columns import find_time_column
    from genrec.data.pieces import table_files
    from genrec.data.tables import table_start
    from genrec.sharding.spool import HistoryColumns

    quotes, files = tables.how.get("quotes", "doubled"), table_files(histories)
    starts = ((file, table_start(file, quotes=quotes)) for file in files)
    first, start = next(((file, start) for file, start in starts if start.height), (files[0], table_start(files[0])))
    names = tables.of_interactions(first)
    others = (names["user_column"], names["item_column"])
    moment = find_time_column(start, names.get("time_column", Columns.Timestamp), others, str(first))
    if moment is None and start.height:
        say("There is no time column: the order of the rows is the order of the interactions.")
    user, item = names["user_column"] or Columns.User, names["item_column"] or Columns.Item
    return HistoryColumns(user, item, moment, quotes)

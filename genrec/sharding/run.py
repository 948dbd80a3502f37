"""A whole sharded batch job: measure, cut, make the shards that are left, close."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Literal

from genrec.artifacts import output_lock
from genrec.artifacts.files import require_writable
from genrec.data.histories import none_longer
from genrec.data.interactions import all_unknown
from genrec.data.report import ALLOW_UNKNOWN, LOST_IN_READING, RULES, UNKNOWN, DataReport
from genrec.data.tables import require_file
from genrec.errors import DataError
from genrec.progress import Progress
from genrec.sharding.cut import mark_cut, read_cut
from genrec.sharding.job import MANIFEST, WORK, JobSettings, ShardedJob, check_counts, read_manifest
from genrec.sharding.spool import ROWS_READ, HistoryColumns, Measured, left_out, measure
from genrec.sharding.store import LocalStore, Store, open_store

logger = logging.getLogger(__name__)

_ENOUGH = 10_000
SHARD_USERS = 50_000
"""Users of a shard, about: large enough for full batches, small enough that a stop costs little."""


def run_sharded(
    settings: JobSettings,
    histories: Path | str,
    out: Path | str,
    *,
    shard_users: int = SHARD_USERS,
    workers: int = 1,
    engine: Literal["local", "ray"] = "local",
    address: str | None = None,
    columns: HistoryColumns | None = None,
    overwrite: bool = False,
    allow_lost: float | None = None,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Recommend for every user of a table of any size, into a folder of Parquet files.

    The same call again goes on after any stop, and ends with the same bytes. Memory does not grow with the users.

    Args:
        settings: Which recommender, and how.
        histories: File or folder: csv, tsv, jsonl or Parquet with one row an interaction.
        out: Folder of the result, or a URI that all nodes of a cluster see (``engine="ray"``).
        shard_users: Users of a shard, about.
        workers: Processes on this machine, or actors of Ray.
        engine: ``local``, or ``ray`` (the extra ``ray``).
        address: Of a Ray cluster; None: this machine.
        columns: Names of the columns of ``histories``.
        overwrite: Replace a job with other inputs or settings.
        allow_lost: Largest share of rows that may be lost; None: :data:`genrec.data.report.ALLOW_LOST` of rows that
            cannot be read, :data:`genrec.data.report.ALLOW_UNKNOWN` of rows of unknown items. A job that was refused
            goes on when more is allowed.
        progress: Called with what is being done, users done, and users in all.

    Returns:
        The manifest: ``users``, ``rows``, ``short``, ``left_out`` (counts by kind) and ``parts``.

    Raises:
        ArtifactError: ``out`` holds something else, cannot be written, or another process is writing it.
        DataError: The histories cannot be read, or too many rows of them are lost.
    """
    check_counts(shard_users, workers, engine)
    source, store = _there(Path(histories)), open_store(out)
    columns = columns or HistoryColumns()
    with _reserved(store), _working_folder(store) as work:
        measured = measure(source, columns)
        shards = max(1, round(measured.users / shard_users))
        read = {"files": measured.files, **columns.identity()}
        identity = {"histories": read, "settings": settings.identity(), "shard_users": shard_users}
        job = ShardedJob(store, work, identity, shards, columns)
        if job.open(overwrite=overwrite):
            return _made_before(store, source, settings.hold_out)
        _spool(job, source, measured, allow_lost, progress)
        left = job.left()
        bound, done = partial(_require_few_lost, source, allow_lost), measured.users * (shards - len(left)) // shards
        try:
            if left:
                _make(job, settings, left, workers, engine, address, _Tally(done, measured.users, bound, progress))
            return job.finish(partial(_check_end, source, allow_lost, settings.hold_out))
        finally:
            job.sweep()  # what workers that were killed or ended had begun


def _there(histories: Path) -> Path:
    if not histories.is_dir():  # a folder of tables will do, too
        require_file(histories)
    return histories


def _require_few_lost(source: Path, allow_lost: float | None, counts: dict[str, int]) -> None:
    """Refuse a job whose shards lost too many rows of the histories.

    Raises:
        DataError: They did.
    """
    report = DataReport("histories", rows={"histories": counts[ROWS_READ]}, allow_lost=allow_lost)
    for kind in LOST_IN_READING + UNKNOWN:
        report.add(kind, counts.get(kind, 0))
    report.require_few_lost(source)
    report.require_few_lost(source, UNKNOWN, ALLOW_UNKNOWN)


def _made_before(store: Store, source: Path, hold_out: int) -> dict[str, Any]:
    """The manifest of a finished job; versions before ended one for nobody, too."""
    made = read_manifest(store) or {}
    _require_somebody(source, hold_out, made.get("users", 0), made.get("left_out", {}))
    return made


def _check_end(source: Path, allow_lost: float | None, hold_out: int, users: int, counts: dict[str, int]) -> None:
    _require_few_lost(source, allow_lost, counts)
    _require_somebody(source, hold_out, users, counts)


def _require_somebody(source: Path, hold_out: int, users: int, counts: dict[str, int]) -> None:
    """Refuse a job of which no user is left, however many rows may be lost.

    Raises:
        DataError: Nobody is; says the same as for one table.
    """
    if users:
        return
    if counts.get("held-out-whole"):
        raise none_longer(hold_out)
    unknown = counts.get("unknown-items", 0)
    if unknown and not any(counts.get(kind) for kind in LOST_IN_READING):
        raise all_unknown(unknown, unknown, source)
    lost = {kind: counts[kind] for kind in (*LOST_IN_READING, *UNKNOWN) if counts.get(kind)}
    raise DataError(
        "No interaction can be used.",
        where=f"{source}: " + ", ".join(f"{number:,} {kind}" for kind, number in lost.items()),
        expected="rows with a user, a time and an item of the catalogue",
        hint=RULES[max(lost, key=lambda kind: lost[kind])].fix if lost else None,
    )


@dataclass
class _Tally:
    """Called with the counts of every shard that is made: tells how far the job is, and stops a hopeless one early.

    What workers noted when they opened the job is logged once, here: their own logs may be on other machines.

    Attributes:
        done: Users so far.
        users: Users in all.
        bound: Refuses counts with too many lost rows.
        progress: Called with what is being done, users done, and users in all.
        told: Lines that were logged.
    """

    done: int
    users: int
    bound: Callable[[dict[str, int]], None]
    progress: Progress | None
    told: set[str] = field(default_factory=set)

    def __call__(self, counts: dict[str, Any]) -> None:
        for line in counts.get("notes", ()):
            if line not in self.told:
                self.told.add(line)
                logger.warning("%s", line)
        self.done += int(counts["users"])
        if counts["problems"].get(ROWS_READ, 0) >= _ENOUGH:
            self.bound(counts["problems"])  # users of a shard are drawn by chance: the others are like them
        if self.progress is not None:
            self.progress("generating", min(self.done, self.users), self.users)


@contextmanager
def _reserved(store: Store) -> Iterator[None]:
    """Be the only one who writes a local result, which must be writable."""
    if not isinstance(store, LocalStore):  # places of a cluster know no locks
        yield
        return
    require_writable(store.folder / MANIFEST)
    with output_lock(store.folder):
        yield


@contextmanager
def _working_folder(store: Store) -> Iterator[Path]:
    """Inside a local result, where a later run finds it; for another place a temporary one."""
    if isinstance(store, LocalStore):
        yield store.folder / WORK
        return
    with tempfile.TemporaryDirectory(prefix="genrec-") as folder:
        yield Path(folder) / WORK


def _spool(
    job: ShardedJob, source: Path, measured: Measured, allow_lost: float | None, progress: Progress | None
) -> None:
    """Cut the histories, unless a run before has done so."""
    spool = job.spool
    if read_cut(job.work, spool) is not None:
        return
    job.remove_work()
    spool.folder.mkdir(parents=True)
    spool.report.allow_lost = allow_lost
    spool.fill(source, measured, progress)
    spool.report.require_few_lost(source)
    for problem in spool.report.problems:
        if problem.effect == "assumed":
            logger.warning("%s", problem.line())
    counts = left_out(spool.report)
    # the other rows are counted again by the shards that they are in
    counts[ROWS_READ] = sum(count for kind, count in counts.items() if kind != ROWS_READ)
    mark_cut(job.work, spool, counts)


def _make(
    job: ShardedJob,
    settings: JobSettings,
    left: list[int],
    workers: int,
    engine: str,
    address: str | None,
    count: Callable[[dict[str, Any]], None],
) -> None:
    tempfile.gettempdir()  # libraries of the workers need one: one error here in place of one a worker
    if engine == "ray":
        from genrec.sharding.ray_engine import run_ray

        run_ray(job, settings, left, workers, address, count)
    elif workers > 1:
        from genrec.sharding.workers import run_workers

        run_workers(job, settings, left, workers, count)
    else:
        from genrec.sharding.opened import OpenedJob
        from genrec.sharding.shard import make_shard

        opened = OpenedJob.open(settings)
        for shard in left:
            count(make_shard(job, opened, shard))

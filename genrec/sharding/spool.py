"""Histories cut into shards by user, on disk: memory does not grow with the number of users."""

from __future__ import annotations

import hashlib
import io
import json
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from genrec.artifacts import read_json
from genrec.data.columns import are_decimals
from genrec.data.delimited import Quotes
from genrec.data.histories import Histories
from genrec.data.interactions import Interactions
from genrec.data.pieces import table_files, table_pieces
from genrec.data.report import DataReport
from genrec.data.rules import MISSING
from genrec.data.sorting import distinct
from genrec.data.timestamps import SettledTimes, TimesInPieces, parse_times
from genrec.data.user_names import UserNames
from genrec.errors import ArtifactError, DataError
from genrec.progress import Progress
from genrec.schema import Columns

_SKETCH = 1 << 16
"""Smallest hashes that are kept to estimate how many users there are (standard error .4 %)."""
_TIMES = "times.json"
_IDS = "ids.json"
_FRAME = struct.Struct("<Q")
ROWS_READ = "rows-read"
"""Beside the counts of what was left out: how many rows there were."""


@dataclass(frozen=True)
class HistoryColumns:
    """Names of the columns of the histories table, and how it is read.

    Attributes:
        user: Column of the users.
        item: Column of the items.
        time: Column of the times; None: the order of the rows counts.
        quotes: What ``"`` means in csv and tsv files: see :data:`genrec.data.delimited.Quotes`.
    """

    user: str = Columns.User
    item: str = Columns.Item
    time: str | None = Columns.Timestamp
    quotes: Quotes = "doubled"

    @property
    def names(self) -> list[str]:
        """Those that are read."""
        return [self.user, self.item, *([] if self.time is None else [self.time])]

    def identity(self) -> dict[str, object]:
        """What makes another job of the same files."""
        return {"columns": self.names, **({} if self.quotes == "doubled" else {"quotes": self.quotes})}

    @property
    def options(self) -> list[str]:
        """The Python arguments that map them, for messages."""
        return ["user_column", "item_column", "time_column"][: len(self.names)]


@dataclass(frozen=True)
class Measured:
    """A histories table after one pass.

    Attributes:
        files: ``name, bytes, sha256`` of every file.
        rows: Readable rows.
        users: How many users there are, estimated to half a percent where there are many.
        names: What is strange about their ids.
    """

    files: list[dict[str, object]]
    rows: int
    users: int
    names: UserNames = field(default_factory=UserNames)


def left_out(report: DataReport) -> dict[str, int]:
    """Counts of the rows and users that histories lost, and of the rows that there were."""
    lost = {problem.kind: problem.count for problem in report.problems if problem.effect in ("lost", "merged")}
    return {ROWS_READ: sum(report.rows.values()), **lost}


def user_hashes(users: pl.Series) -> np.ndarray:
    """``(n,)`` uint64, the same for the same id on every machine and in every version."""
    distinct = users.unique(maintain_order=True)
    codes = {
        user: int.from_bytes(hashlib.blake2b(user.encode(), digest_size=8).digest(), "little")
        for user in distinct.to_list()
    }
    return users.replace_strict(codes, return_dtype=pl.UInt64).to_numpy()


def measure(source: Path, columns: HistoryColumns) -> Measured:
    """Fingerprint a histories table and estimate the number of its users, in memory that does not grow with them."""
    smallest = np.zeros(0, dtype=np.uint64)
    rows, names = 0, UserNames()
    how: dict[str, Any] = {"options": ["user_column"], "quotes": columns.quotes}
    for piece in table_pieces(source, [columns.user], DataReport("histories"), **how):
        users = piece[columns.user].cast(pl.String).str.strip_chars().drop_nulls()
        rows += piece.height
        if len(users):
            names.read(users)
            smallest = distinct(np.r_[smallest, user_hashes(users)])[:_SKETCH]
    if not rows:
        raise DataError("There are no histories.", where=source, expected="one row for each interaction")
    files: list[dict[str, object]] = [
        {"name": path.name, "bytes": path.stat().st_size, "sha256": _digest(path)} for path in table_files(source)
    ]
    full = len(smallest) == _SKETCH
    users_in_all = round((_SKETCH - 1) * 2.0**64 / float(smallest[-1])) if full else len(smallest)
    return Measured(files, rows, users_in_all, names)


@dataclass
class Spool:
    """Rows of a histories table, one file a shard; the rows of a user are all in one shard, in the order of the table.

    Args:
        folder: Where the files stand; emptied by :meth:`fill`.
        shards: Number of shards.
        columns: Of the table.
    """

    folder: Path
    shards: int
    columns: HistoryColumns
    report: DataReport = field(default_factory=lambda: DataReport("histories"))

    def fill(self, source: Path, measured: Measured, progress: Progress | None = None) -> None:
        """Cut a table into the shards.

        Args:
            source: The table.
            measured: The same table after the first pass.
            progress: Called with what is being done, rows done, and rows in all.

        Raises:
            DataError: It cannot be read, or too many dates with slashes do not tell day and month apart.
        """
        done, missing, times, rows = 0, 0, TimesInPieces(), measured.rows
        decimals = dict.fromkeys((self.columns.user, self.columns.item), True)
        bounds = np.linspace(0, 2.0**64, self.shards + 1)[1:-1].astype(np.uint64)
        how: dict[str, Any] = {"options": self.columns.options, "quotes": self.columns.quotes}
        for piece in table_pieces(source, self.columns.names, self.report, **how):
            done += piece.height
            if self.columns.time is not None:
                times.add(piece[self.columns.time].cast(pl.String))
            known = piece.with_columns(pl.col(self.columns.user).cast(pl.String).str.strip_chars())
            known = known.filter(~pl.col(self.columns.user).is_in(MISSING))
            missing += piece.height - known.height
            for name in decimals:
                decimals[name] = decimals[name] and _only_decimals(piece[name])
            if known.height:
                measured.names.read_again(known[self.columns.user])
                shard = np.searchsorted(bounds, user_hashes(known[self.columns.user]), side="right")
                self._append(known, shard)
            if progress is not None:
                progress("reading histories", min(done, rows), rows)
        self.report.add("missing-ids", missing)
        measured.names.note(self.columns.user, rows, measured.users, self.report)
        (self.folder / _IDS).write_text(json.dumps([name for name in decimals if decimals[name]]), encoding="utf-8")
        self._settle(times, source)

    def _settle(self, times: TimesInPieces, source: Path) -> None:
        """Write down how the times of every shard are read: alone, two shards may tell day and month differently."""
        found = times.slashes.order()
        if found is not None:
            self.report.add("slash-dates", found.rows, [f"{found.order}: {found.proof!r} can mean nothing else"])
        elif times.slashes.rows:
            shown = [f"day and month cannot be told apart, such as in {times.slashes.example!r}"]
            self.report.add("unreadable-timestamps", times.slashes.rows, shown)
            self.report.require_few_lost(source)
            self.report.add("unreadable-timestamps", 0)  # the shards count theirs
        (self.folder / _TIMES).write_text(json.dumps(times.settled()._asdict()), encoding="utf-8")

    def _append(self, rows: pl.DataFrame, shard: np.ndarray) -> None:
        order = np.argsort(shard, kind="stable")
        numbers, starts = np.unique(shard[order], return_index=True)
        grouped = rows[order]
        for number, start, stop in zip(numbers, starts, [*starts[1:], len(order)], strict=True):
            buffer = io.BytesIO()
            grouped[int(start) : int(stop)].write_ipc(buffer, compression="zstd")
            with self._file(int(number)).open("ab") as stream:
                stream.write(_FRAME.pack(buffer.tell()))
                stream.write(buffer.getvalue())

    def histories(self, shard: int, item_ids: np.ndarray) -> tuple[Histories, DataReport]:
        """The users of one shard, oldest item first, in the order of their first appearance."""
        frames = list(self._frames(shard))
        if not frames:
            return Histories.from_lists([], []), DataReport("histories")
        rows, decimals = pl.concat(frames, how="vertical_relaxed"), self._decimals()
        if decimals is None:
            raise self._damaged()
        rows = rows.with_columns(_without_decimals(rows[name]) for name in decimals)
        if self.columns.time is not None:
            settled = self._settled()
            if settled is None:
                raise self._damaged()
            rows = rows.with_columns(settled.of(rows[self.columns.time].cast(pl.String)))
        items = rows[self.columns.item].cast(pl.String).str.strip_chars()
        known = items.is_in(pl.Series(item_ids.tolist(), dtype=pl.String).implode()).fill_null(False).to_numpy()
        readable, named = self._readable(rows), ~items.is_in(MISSING).fill_null(True).to_numpy()
        if not (known & readable & named).any():
            report = DataReport("histories")
            report.read(rows.height)
            report.add("missing-ids", int((~named).sum()))
            report.add("unreadable-timestamps", int((named & ~readable).sum()))
            report.add("unknown-items", int((named & readable).sum()))
            report.add("users-without-items", rows[self.columns.user].n_unique())
            return Histories.from_lists([], []), report
        table = Interactions.from_frame(
            rows,
            user_column=self.columns.user,
            item_column=self.columns.item,
            time_column=self.columns.time,
            allow_lost=1.0,  # a shard is not the table; the job counts
            where=f"histories, shard {shard}",
            decimals=False,
        )
        return table.histories(item_ids), table.report

    def is_settled(self) -> bool:
        """Whether it says how times and ids are read, which versions before did not write down."""
        return self._decimals() is not None and (self.columns.time is None or self._settled() is not None)

    def sizes(self) -> dict[str, int]:
        """Bytes of every file by name; none where the folder is no folder."""
        if self.folder.is_symlink() or not self.folder.is_dir():
            return {}
        return {path.name: path.stat().st_size for path in sorted(self.folder.iterdir()) if path.is_file()}

    def _settled(self) -> SettledTimes | None:
        """How times are read; None where it is not said."""
        try:
            found = SettledTimes(**read_json(self.folder / _TIMES))
        except (OSError, ValueError, TypeError):
            return None
        known = found.slashes in (None, "day first", "month first") and isinstance(found.dates, bool)
        return found if known else None

    def _decimals(self) -> list[str] | None:
        """Columns whose ids all have a ``.0`` that a float column gave them; None where it is not said."""
        try:
            found = read_json(self.folder / _IDS)
        except (OSError, ValueError):
            return None
        columns = [self.columns.user, self.columns.item]
        return found if isinstance(found, list) and all(name in columns for name in found) else None

    def _readable(self, rows: pl.DataFrame) -> np.ndarray:
        """Rows whose time can be read, ``(n,)`` bool."""
        if self.columns.time is None:
            return np.ones(rows.height, dtype=bool)
        try:
            return parse_times(rows[self.columns.time], "histories").readable
        except DataError:
            return np.zeros(rows.height, dtype=bool)

    def _frames(self, shard: int) -> Iterator[pl.DataFrame]:
        path = self._file(shard)
        if not path.is_file():
            return
        names, left = set(self.columns.names), path.stat().st_size
        with path.open("rb") as stream:
            while head := stream.read(_FRAME.size):
                left -= _FRAME.size
                if len(head) < _FRAME.size or (size := _FRAME.unpack(head)[0]) > left:
                    raise self._damaged()
                left -= size
                try:
                    frame = pl.read_ipc(io.BytesIO(stream.read(size)))
                except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError):
                    raise self._damaged() from None
                if set(frame.columns) != names:
                    raise self._damaged()
                yield frame

    def _damaged(self) -> ArtifactError:
        return ArtifactError(
            "The working files of this job are damaged.",
            where=self.folder,
            hint="Remove this folder; the same command cuts the histories again, and no finished shard is lost.",
        )

    def _file(self, shard: int) -> Path:
        return self.folder / f"rows-{shard:05d}.bin"


def _only_decimals(ids: pl.Series) -> bool:
    texts = ids.cast(pl.String).str.strip_chars().drop_nulls()
    return bool(are_decimals(texts.filter(~texts.is_in(MISSING))).all())


def _without_decimals(ids: pl.Series) -> pl.Series:
    texts = ids.cast(pl.String).str.strip_chars()
    return texts.str.strip_suffix(".0").alias(ids.name)


def _digest(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()

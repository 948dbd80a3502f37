"""What a sharded batch job is: inputs, settings, what of it is done, and the manifest that ties them together."""

from __future__ import annotations

import hashlib
import json
import logging
import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from genrec.artifacts import mend, parse_json, sha256_of
from genrec.artifacts.kinds import PERMISSION
from genrec.config import MOST_PROCESSES
from genrec.data.histories import Histories
from genrec.data.rules import RULES
from genrec.errors import ArtifactError, ConfigError
from genrec.schema import Columns
from genrec.sharding.cut import are_counts, is_count, read_cut
from genrec.sharding.spool import ROWS_READ, HistoryColumns, Spool, left_out
from genrec.sharding.store import Store

logger = logging.getLogger(__name__)

MANIFEST = "generate.json"
FORMAT = 2
"""2: shards say from which histories they were made."""
WORK = ".work"
_OUTPUTS = re.compile(rf"part-\d{{5,}}\.parquet|{re.escape(MANIFEST)}")
SCHEMA = {
    Columns.User: pl.String,
    Columns.Rank: pl.Int32,
    Columns.Item: pl.String,
    Columns.Score: pl.Float32,
    Columns.Title: pl.String,
}
"""Columns of a shard; ``title`` only where the recommender's catalogue has titles."""


@dataclass(frozen=True)
class JobSettings:
    """How every shard is made; plain values, so that another process can be given them.

    Attributes:
        model: Folder of the recommender.
        k: Items a user.
        exclude_seen: Never recommend an item of the user's history.
        index: Folder of a grown index to use instead of the saved one.
        device: Such as ``cuda``; None: CPU.
        changes: ``key=value`` changes of the decoding settings.
        where: Conditions on the catalogue, such as ``price<=20``.
        allow: Table of the only items.
        deny: Table of items that are never recommended.
        prior: Table of item scores that are added.
        id_columns: Pairs of ``allow``, ``deny`` or ``prior`` and the column with the item ids of that table.
        score_column: Scores of the table of ``prior``.
        checkpoint: Where the language model under an adapter is now, if it has moved.
        hold_out: Newest items of every history that the recommender does not see.
        trust_remote_code: The caller trusts code that the recommender's language model brings.
    """

    model: str
    k: int = 10
    exclude_seen: bool = True
    index: str | None = None
    device: str | None = None
    changes: tuple[str, ...] = ()
    where: tuple[str, ...] = ()
    allow: str | None = None
    deny: str | None = None
    prior: str | None = None
    id_columns: tuple[tuple[str, str], ...] = ()
    score_column: str = Columns.Score
    checkpoint: str | None = None
    hold_out: int = 0
    trust_remote_code: bool = False

    def identity(self) -> dict[str, Any]:
        """What decides the result: values, and the content of files instead of their paths."""
        from genrec.recommender import MANIFEST as RECOMMENDER

        for folder in (self.model, self.index):
            if folder is not None:
                mend(folder)
        decides: dict[str, Any] = {
            "k": self.k,
            "exclude_seen": self.exclude_seen,
            "changes": sorted(self.changes),
            "where": list(self.where),
            "id_columns": [list(pair) for pair in self.id_columns],
            "score_column": self.score_column,
            "model": sha256_of(Path(self.model) / RECOMMENDER),
            **({"hold_out": self.hold_out} if self.hold_out else {}),
        }
        for name in ("allow", "deny", "prior"):
            path = getattr(self, name)
            decides[name] = None if path is None else sha256_of(Path(path))
        decides["index"] = None if self.index is None else sha256_of(Path(self.index) / "index.json")
        return decides


@dataclass
class ShardedJob:
    """A batch job whose result is a folder of shards.

    ``part-00000.parquet …`` appear one by one, each whole; ``generate.json`` holds what they were made of, and in the
    end what each holds.

    Args:
        store: Where the result stands.
        work: Folder of this machine for the histories, cut by shard, until the job has ended.
        identity: Inputs and settings that decide the result.
        shards: Number of shards.
        columns: Of the histories table.
    """

    store: Store
    work: Path
    identity: dict[str, Any]
    shards: int
    columns: HistoryColumns = field(default_factory=HistoryColumns)

    @property
    def spool(self) -> Spool:
        """The histories, cut by shard."""
        return Spool(self.work / "rows", self.shards, self.columns)

    def histories(self, shard: int, item_ids: np.ndarray) -> tuple[Histories, dict[str, int]]:
        """The users of a shard without what is held out, and counts of what was left out."""
        known, report = self.spool.histories(shard, item_ids)
        histories = known.held_out(int(self.identity["settings"].get("hold_out", 0)))
        report.add("held-out-whole", len(known) - len(histories))
        return histories, left_out(report)

    def open(self, *, overwrite: bool) -> bool:
        """Begin the job, or go on with it; whether it had already ended.

        Raises:
            ArtifactError: The folder holds something else, or a job with other inputs or settings (it says which).
        """
        self.sweep()
        saved = read_manifest(self.store)
        if saved is None:
            if set(self.store.names()) - {WORK}:
                raise ArtifactError(
                    "The output folder already exists and is no batch job of genrec.",
                    where=self.store.where,
                    hint="Choose another place (--out).",
                )
        else:
            differ = differences(saved["identity"], self.identity)
            if not differ:
                self._remove_damaged(saved)
                self._tell_strange()
            if not differ and saved.get("complete") and not self.left():
                self.remove_work()
                return True
            if not differ:
                return False
            if not overwrite:
                raise ArtifactError(
                    "The output folder holds a job with other inputs or settings.",
                    where=self.store.where,
                    expected="the same; different: " + "; ".join(differ[:5]),
                    hint=PERMISSION,
                )
            self._clear(saved)
        self._write({"complete": False})
        return False

    def _clear(self, saved: dict[str, Any]) -> None:
        """Remove what the job of a manifest made, and nothing else."""
        for name in {part_name(shard) for shard in range(int(saved["shards"]))} & set(self.store.names()):
            self.store.remove(name)
        self.remove_work()
        self.store.remove(MANIFEST)

    def _remove_damaged(self, saved: dict[str, Any]) -> None:
        """Remove shards that are not what the job wrote, so that they are made again.

        A finished job knows the hash of each; before that a shard must be readable.
        """
        made = {str(part["file"]): part["sha256"] for part in saved["parts"]} if saved.get("complete") else {}
        for name in sorted({part_name(shard) for shard in range(self.shards)} & set(self.store.names())):
            content = self.store.read(name)
            try:
                shard_counts(content, name)
                sound = made.get(name) in (None, hashlib.sha256(content).hexdigest())
            except ArtifactError:
                sound = False
            if not sound:
                logger.warning("%s/%s was changed or damaged: it is made again", self.store.where, name)
                self.store.remove(name)

    def _tell_strange(self) -> None:
        """Name files that look like shards of this job and are none."""
        own = {part_name(shard) for shard in range(self.shards)} | {MANIFEST}
        for name in self.store.names():
            if _OUTPUTS.fullmatch(name) and name not in own:
                logger.warning(
                    "%s/%s is no shard of this job; who reads part-*.parquet reads it, too", self.store.where, name
                )

    def remove_work(self) -> None:
        """Remove the working files; of a link in their place the link, and nothing behind it."""
        shutil.rmtree(self.work, ignore_errors=True)
        self.store.remove(WORK)

    def sweep(self) -> None:
        """Remove the unfinished files of processes that were killed."""
        self.store.sweep(_OUTPUTS)

    def _write(self, state: dict[str, Any]) -> dict[str, Any]:
        content = {"format_version": FORMAT, "shards": self.shards, "identity": self.identity, **state}
        self.store.write(MANIFEST, (json.dumps(content, indent=2, ensure_ascii=False) + "\n").encode())
        return content

    def left(self) -> list[int]:
        """Shards that are not done."""
        there = set(self.store.names())
        return [shard for shard in range(self.shards) if part_name(shard) not in there]

    def finish(self, check: Callable[[int, dict[str, int]], None] | None = None) -> dict[str, Any]:
        """Write what every shard holds and remove the working files; returns the manifest.

        Args:
            check: Called with the users and all counts before; may refuse them. The job then stays as it is, to be
                gone on with.

        Raises:
            ArtifactError: A shard is damaged.
        """
        parts, left_out = [], read_cut(self.work, self.spool)
        if left_out is None:
            hint = "Run the same again: it cuts the histories again, and no finished shard is lost."
            raise ArtifactError("The working files of this job are damaged.", where=self.work, hint=hint)
        for shard in range(self.shards):
            name = part_name(shard)
            content = self.store.read(name)
            counts = shard_counts(content, f"{self.store.where}/{name}")
            for kind, count in counts.pop("problems").items():
                left_out[kind] = left_out.get(kind, 0) + count
            parts.append({"file": name, **counts, "sha256": hashlib.sha256(content).hexdigest()})
        totals = {name: sum(int(part[name]) for part in parts) for name in ("users", "rows", "short")}
        if check is not None:
            check(totals["users"], left_out)
        left_out.pop(ROWS_READ, None)
        written = self._write({"complete": True, **totals, "left_out": left_out, "parts": parts})
        self.remove_work()
        return written


def part_name(shard: int) -> str:
    """File of a shard."""
    return f"part-{shard:05d}.parquet"


def read_manifest(store: Store) -> dict[str, Any] | None:
    """The manifest of a job; None where there is none.

    Raises:
        ArtifactError: It is damaged, or of a newer version.
    """
    if MANIFEST not in store.names():
        return None
    where = f"{store.where}/{MANIFEST}"
    try:
        content = parse_json(store.read(MANIFEST))
        whole = isinstance(content["identity"], dict) and 1 <= int(content["shards"]) <= 10**6
        whole = whole and (not content.get("complete") or _is_whole(content))
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError, OSError):
        whole = False
    if not whole:
        raise ArtifactError("The manifest of this batch job is damaged.", where=where, hint="Remove the folder.")
    if content.get("format_version") != FORMAT:
        raise ArtifactError(
            f"This batch job has format version {content.get('format_version')}.",
            where=where,
            expected=f"version {FORMAT}",
            hint="Use the genrec version that wrote it.",
        )
    return content  # type: ignore[no-any-return]


def _is_whole(content: dict[str, Any]) -> bool:
    """Whether the manifest of a finished job holds what every reader of it needs."""
    parts, left_out = content["parts"], content["left_out"]
    counts = [content[name] for name in ("users", "rows", "short")] + list(left_out.values())
    named = all(isinstance(part[key], str) for part in parts for key in ("file", "sha256"))
    known = left_out.keys() <= RULES.keys() and len(parts) == int(content["shards"])
    return named and known and all(type(one) is int and one >= 0 for one in counts)


def shard_counts(content: bytes, where: str) -> dict[str, Any]:
    """``users``, ``rows``, ``short`` and ``problems`` of a finished shard, from its own metadata.

    Raises:
        ArtifactError: It is damaged.
    """
    try:
        counts = parse_json(pl.read_parquet_metadata(content)["genrec"].encode())
        whole = are_counts(counts["problems"]) and all(is_count(counts[name]) for name in ("users", "rows", "short"))
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, KeyError, ValueError, TypeError, AttributeError):
        whole = False
    if not whole:
        hint = "Remove it; the same command makes it again."
        raise ArtifactError("A shard is damaged.", where=where, hint=hint)
    return counts  # type: ignore[no-any-return]


def differences(saved: Any, now: Any, name: str = "") -> list[str]:
    """What differs between two identities, one text each."""
    if isinstance(saved, dict) and isinstance(now, dict):
        found = []
        for key in sorted({*saved, *now}):
            found += differences(saved.get(key), now.get(key), f"{name}.{key}" if name else str(key))
        return found
    if saved == now:
        return []
    shown = [_short(value) for value in (saved, now)]
    return [f"{name} was {shown[0]}, is {shown[1]}"]


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 40 else text[:37] + "..."


def check_counts(shard_users: int, workers: int, engine: str = "local") -> None:
    """Refuse sizes that make no sense.

    Raises:
        ConfigError: One of them is below 1, or there are more processes than one machine holds.
    """
    if engine == "local" and workers > MOST_PROCESSES:
        raise ConfigError(f"workers is {workers}.", expected=f"at most {MOST_PROCESSES}")
    for name, value in (("shard_users", shard_users), ("workers", workers)):
        if value < 1:
            raise ConfigError(f"{name} is {value}.", expected="at least 1")

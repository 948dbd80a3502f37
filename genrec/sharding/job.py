"""What a sharded batch job is: inputs, settings, what of it is done, and the manifest that ties them together."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl

from genrec.artifacts import sha256_of, write_atomic
from genrec.data.report import DataReport
from genrec.errors import ArtifactError, ConfigError
from genrec.schema import Columns
from genrec.sharding.spool import HistoryColumns, Spool

MANIFEST = "generate.json"
FORMAT = 1
WORK = ".work"
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
    trust_remote_code: bool = False

    def identity(self) -> dict[str, Any]:
        """What decides the result: values, and the content of files instead of their paths."""
        from genrec.recommender import MANIFEST as RECOMMENDER

        decides: dict[str, Any] = {
            "k": self.k,
            "exclude_seen": self.exclude_seen,
            "changes": sorted(self.changes),
            "where": list(self.where),
            "model": sha256_of(Path(self.model) / RECOMMENDER),
        }
        for name in ("allow", "deny", "prior"):
            path = getattr(self, name)
            decides[name] = None if path is None else sha256_of(Path(path))
        decides["index"] = None if self.index is None else sha256_of(Path(self.index) / "index.json")
        return decides


@dataclass
class ShardedJob:
    """A batch job whose result is a folder of shards.

    ``OUT/part-00000.parquet …`` appear one by one, each whole; ``OUT/generate.json`` holds what they were made of, and
    in the end what each holds. ``OUT/.work`` holds the histories cut by shard until the job has ended.

    Args:
        out: Folder of the result.
        identity: Inputs and settings that decide the result.
        shards: Number of shards.
    """

    out: Path
    identity: dict[str, Any]
    shards: int
    columns: HistoryColumns = field(default_factory=HistoryColumns)

    @property
    def spool(self) -> Spool:
        """The histories, cut by shard."""
        return Spool(self.out / WORK / "rows", self.shards, self.columns)

    def path(self, shard: int) -> Path:
        """Where a shard stands when it is done."""
        return self.out / f"part-{shard:05d}.parquet"

    def open(self, *, overwrite: bool) -> bool:
        """Begin the job, or go on with it; whether it had already ended.

        Raises:
            ArtifactError: The folder holds something else, or a job with other inputs or settings (it says which).
        """
        saved = read_manifest(self.out)
        if saved is None:
            if self.out.is_file() or (self.out.is_dir() and any(self.out.iterdir())):
                raise ArtifactError(
                    "The output folder already exists and is no batch job of genrec.",
                    where=self.out,
                    hint="Choose another --out.",
                )
        else:
            differ = differences(saved["identity"], self.identity)
            if not differ:
                return bool(saved.get("complete"))
            if not overwrite:
                raise ArtifactError(
                    "The output folder holds a job with other inputs or settings.",
                    where=self.out,
                    expected="the same; different: " + "; ".join(differ[:5]),
                    hint="Choose another --out, or pass --overwrite.",
                )
            self._clear(saved)
        self.out.mkdir(parents=True, exist_ok=True)
        self._write({"complete": False})
        return False

    def _clear(self, saved: dict[str, Any]) -> None:
        """Remove what the job of a manifest made, and nothing else."""
        for shard in range(int(saved["shards"])):
            self.path(shard).unlink(missing_ok=True)
        shutil.rmtree(self.out / WORK, ignore_errors=True)
        (self.out / MANIFEST).unlink()

    def _write(self, state: dict[str, Any]) -> None:
        content = {"format_version": FORMAT, "shards": self.shards, "identity": self.identity, **state}
        write_atomic(self.out / MANIFEST, json.dumps(content, indent=2, ensure_ascii=False) + "\n")

    def left(self) -> list[int]:
        """Shards that are not done."""
        return [shard for shard in range(self.shards) if not self.path(shard).is_file()]

    def finish(self) -> dict[str, Any]:
        """Write what every shard holds and remove the working files; returns the manifest.

        Raises:
            ArtifactError: A shard is damaged.
        """
        parts, report = [], DataReport("histories")
        spooled = json.loads((self.out / WORK / "spooled.json").read_text(encoding="utf-8"))
        for shard in range(self.shards):
            path = self.path(shard)
            counts = shard_counts(path)
            for kind, count in counts.pop("problems").items():
                report.add(kind, report.count(kind) + count)
            parts.append({"file": path.name, **counts, "sha256": sha256_of(path)})
        for kind, count in spooled.items():
            report.add(kind, report.count(kind) + count)
        totals = {name: sum(int(part[name]) for part in parts) for name in ("users", "rows", "short")}
        problems = {problem.kind: problem.count for problem in report.problems}
        self._write({"complete": True, **totals, "left_out": problems, "parts": parts})
        shutil.rmtree(self.out / WORK, ignore_errors=True)
        return json.loads((self.out / MANIFEST).read_text(encoding="utf-8"))  # type: ignore[no-any-return]


def read_manifest(out: Path) -> dict[str, Any] | None:
    """The manifest of a job; None where there is none.

    Raises:
        ArtifactError: It is damaged, or of a newer version.
    """
    path = out / MANIFEST
    if not path.is_file():
        return None
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        whole = isinstance(content["identity"], dict) and 1 <= int(content["shards"]) <= 10**6
    except (ValueError, KeyError, TypeError, OSError):
        whole = False
    if not whole:
        raise ArtifactError("The manifest of this batch job is damaged.", where=path, hint="Remove the folder.")
    if content.get("format_version") != FORMAT:
        raise ArtifactError(
            f"This batch job has format version {content.get('format_version')}.",
            where=path,
            expected=f"version {FORMAT}",
            hint="Use the genrec version that wrote it.",
        )
    return content  # type: ignore[no-any-return]


def shard_counts(path: Path) -> dict[str, Any]:
    """``users``, ``rows``, ``short`` and ``problems`` of a finished shard, from its own metadata."""
    try:
        return json.loads(pl.read_parquet_metadata(path)["genrec"])  # type: ignore[no-any-return]
    except (pl.exceptions.PolarsError, KeyError, ValueError, OSError):
        raise ArtifactError(
            "A shard is damaged.", where=path, hint="Remove it; the same command makes it again."
        ) from None


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


def check_counts(shard_users: int, workers: int) -> None:
    """Refuse sizes that make no sense.

    Raises:
        ConfigError: One of them is below 1.
    """
    for name, value in (("shard_users", shard_users), ("workers", workers)):
        if value < 1:
            raise ConfigError(f"{name} is {value}.", expected="at least 1")

"""Raw public data sets to the two canonical tables."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import polars as pl

from genrec.artifacts import atomic_dir, require_free
from genrec.data.catalog import Catalog
from genrec.data.fields import Html
from genrec.data.filters import k_core as filter_k_core
from genrec.data.interactions import Interactions
from genrec.data.raw.amazon import read_amazon_2014, read_amazon_2018, read_amazon_2023
from genrec.data.raw.files import Paths, RawTables
from genrec.data.raw.movielens import read_movielens, read_movielens_1m, read_movielens_csv
from genrec.data.raw.steam import read_steam
from genrec.data.raw.yelp import read_yelp
from genrec.data.report import DataReport
from genrec.data.tables import write_table
from genrec.errors import unknown_name
from genrec.schema import Columns
from genrec.wording import count

__all__ = ["RAW_READERS", "RawTables", "prepare"]

RAW_READERS: dict[str, Callable[[Paths], RawTables]] = {
    "amazon-2014": read_amazon_2014,
    "amazon-2018": read_amazon_2018,
    "amazon-2023": read_amazon_2023,
    "movielens": read_movielens,
    "movielens-1m": read_movielens_1m,
    "movielens-25m": read_movielens_csv,
    "movielens-latest-small": read_movielens_csv,
    "steam": read_steam,
    "yelp": read_yelp,
}
"""Readers of public data sets: the folder or the files to :class:`RawTables`."""


def prepare(
    name: str,
    paths: Paths,
    out: Path | str,
    *,
    k_core: int | None = 5,
    allow_lost: float | None = None,
    html: Html = "plain",
    overwrite: bool = False,
) -> DataReport:
    """Turn a raw public data set into ``items.jsonl`` and ``interactions.csv``, with a README of what was done.

    Args:
        name: A key of :data:`RAW_READERS`.
        paths: The folder with the raw files, or the files.
        out: Folder to make.
        k_core: Fewest interactions of every user and item, by repeated filtering; only items that are left are written.
            None: keep all.
        allow_lost: Largest share of rows of a file that cannot be read; None: :data:`genrec.data.report.ALLOW_LOST`.
        html: ``plain`` turns HTML entities and tags of the text into plain text, ``keep`` leaves them.
        overwrite: Replace ``out`` if it exists.

    Returns:
        The report; its facts hold the counts of what was written.

    Raises:
        ConfigError: Unknown name.
        ArtifactError: ``out`` exists.
        DataError: Files are missing or cannot be read, too many rows are lost, or nothing is left.
    """
    if name not in RAW_READERS:
        raise unknown_name("data set", name, RAW_READERS)
    require_free(out, overwrite=overwrite, makes="tables")
    raw = RAW_READERS[name](paths)
    for table in raw.report.rows:
        replace(raw.report, table=table, allow_lost=allow_lost).require_few_lost(table)
    interactions = Interactions.from_frame(raw.interactions, allow_lost=allow_lost, where=name)
    report = raw.report
    report.facts |= {"raw_interactions": raw.interactions.height, "raw_items": raw.items.height}
    if k_core is not None:
        interactions = filter_k_core(interactions, users=k_core, items=k_core)
    items = _with_all_items(raw.items, interactions, used_only=k_core is not None, report=report)
    catalog = Catalog.from_frame(items, html=html, where=name)
    report.merge(interactions.report)
    report.merge(catalog.report)
    report.facts |= {"interactions": len(interactions), "users": len(interactions.user_ids), "items": len(catalog)}
    with atomic_dir(out, overwrite=overwrite) as folder:
        write_table(catalog.frame, folder / "items.jsonl")
        write_table(interactions.frame, folder / "interactions.csv")
        (folder / "README.md").write_text(_readme(name, raw, k_core, catalog, report), encoding="utf-8")
    return report


def _with_all_items(
    items: pl.DataFrame, interactions: Interactions, *, used_only: bool, report: DataReport
) -> pl.DataFrame:
    """The items with metadata (all, or those with interactions), then those that only the interactions have."""
    used = interactions.item_ids.alias(Columns.Item).to_frame()
    own, before = DataReport("items"), items.height
    if used_only:
        items = items.join(used, on=Columns.Item, how="semi", maintain_order="left")
    bare = used.join(items, on=Columns.Item, how="anti", maintain_order="left")
    own.read(before - items.height)
    own.add("dropped-items", before - items.height)
    names = [f"item {item!r}" for item in bare[Columns.Item].head(3).to_list()]
    own.add("items-without-metadata", bare.height, names)
    report.merge(own)
    return pl.concat([items, bare], how="diagonal")


def _readme(name: str, raw: RawTables, k_core: int | None, catalog: Catalog, report: DataReport) -> str:
    facts = report.facts
    core = f"{k_core}-core (users and items with fewer interactions left out, repeatedly)" if k_core else "none"
    lines = [
        f"# {name}, prepared by genrec",
        "",
        f"Read: {', '.join(path.name for path in raw.files)}",
        f"({count(facts['raw_interactions'], 'interaction')}, {count(facts['raw_items'], 'item')} with metadata).",
        f"Filter: {core}.",
        "",
        "| users | items | interactions |",
        "|---|---|---|",
        f"| {facts['users']:,} | {facts['items']:,} | {facts['interactions']:,} |",
        "",
        f"* `items.jsonl`: `item_id`, {', '.join(f'`{field}`' for field in catalog.fields)}",
        "* `interactions.csv`: `user_id`, `item_id`, `timestamp`; by user, oldest first.",
        "",
        "| table | problem | count | rule |",
        "|---|---|---|---|",
        *(f"| {p.table} | {p.kind} | {p.count:,} | {p.rule} |" for p in report.problems),
        "",
    ]
    return "\n".join(lines)

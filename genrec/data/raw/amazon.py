"""Amazon Reviews of 2014, 2018 and 2023 (McAuley Lab, UC San Diego).

Sources: He & McAuley, WWW 2016 (2014); Ni, Li & McAuley, EMNLP 2019 (2018); Hou et al., arXiv 2403.03952 (2023).
Every review counts as an interaction, whatever its rating.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import polars as pl

from genrec.data.delimited import parse_delimited
from genrec.data.raw.files import (
    Paths,
    RawTables,
    Role,
    clean_lists,
    clean_text,
    find_files,
    note,
    read_json,
    read_literal,
    with_id,
)
from genrec.data.report import N_EXAMPLES, DataReport
from genrec.data.tables import read_text
from genrec.errors import DataError
from genrec.schema import Columns

_TEXTS = pl.List(pl.String)
# titles of 2018 that are a piece of the page's script call getTime() and assign, define or end a statement
_CALL, _SCRIPT = r"getTime\s*\(\s*\)", r"\bvar\s+\w+\s*=|\bfunction\s*\w*\s*\(|getTime\s*\(\s*\)\s*;"


def read_amazon_2014(paths: Paths) -> RawTables:
    """Amazon 2014: ``reviews_X_5.json.gz`` or ``reviews_X.json.gz`` and ``meta_X.json.gz`` (Python literals)."""
    roles = {
        "metadata": Role(r"meta_.*\.json", "meta_X.json.gz"),
        "reviews": Role(r".*\.json|ratings_.*\.csv", "reviews_X_5.json.gz, or ratings_X.csv"),
    }
    files = find_files(paths, roles, "amazon-2014")
    report = DataReport("interactions")
    interactions = _reviews(files["reviews"], report, ("reviewerID", "asin", "unixReviewTime"), "user,item,rating,time")
    schema = dict.fromkeys(("asin", "title", "brand", "description"), pl.String)
    types: dict[str, Any] = schema | {"categories": _TEXTS, "price": pl.Float64}
    items = read_json(files["metadata"], types, report, _record_2014).rename({"asin": Columns.Item})
    items = items.with_columns(*clean_text("title", "brand", "description"), *clean_lists("categories"))
    return RawTables(with_id(items, report), interactions, report, _all(files))


def read_amazon_2018(paths: Paths) -> RawTables:
    """Amazon 2018: ``X_5.json.gz`` or ``X.json.gz`` (or the ratings ``X.csv``) and ``meta_X.json.gz``."""
    roles = {
        "metadata": Role(r"meta_.*\.json", "meta_X.json.gz"),
        "reviews": Role(r".*\.json|.*\.csv", "X_5.json.gz or X.json.gz, or X.csv (ratings only)"),
    }
    files = find_files(paths, roles, "amazon-2018")
    report = DataReport("interactions")
    interactions = _reviews(files["reviews"], report, ("reviewerID", "asin", "unixReviewTime"), "item,user,rating,time")
    types: dict[str, Any] = dict.fromkeys(("asin", "title", "brand", "price"), pl.String)
    types |= dict.fromkeys(("category", "description", "feature"), _TEXTS)
    items = read_json(files["metadata"], types, report)
    items = items.rename({"asin": Columns.Item, "category": "categories", "feature": "features"})
    items = items.with_columns(
        *clean_text("title", "brand", "price"), *clean_lists("categories", "description", "features")
    ).with_columns(_as_path("categories"), pl.col("description").list.join(" "))
    return RawTables(with_id(_without_scripts(items, report), report), interactions, report, _all(files))


def read_amazon_2023(paths: Paths) -> RawTables:
    """Amazon 2023: ``X.jsonl`` or the ratings ``X.csv``, and ``meta_X.jsonl`` (all also ``.gz``)."""
    roles = {
        "metadata": Role(r"meta_.*\.jsonl", "meta_X.jsonl.gz"),
        "reviews": Role(r".*\.jsonl|.*\.csv", "X.jsonl.gz, or X.csv.gz (ratings only)"),
    }
    files = find_files(paths, roles, "amazon-2023")
    report = DataReport("interactions")
    interactions = _reviews(files["reviews"], report, ("user_id", "parent_asin", "timestamp"), None)
    types: dict[str, Any] = dict.fromkeys(("parent_asin", "title", "store", "main_category", "price"), pl.String)
    types |= dict.fromkeys(("categories", "features", "description"), _TEXTS) | {"details": pl.String}
    items = read_json(files["metadata"], types, report).rename({"parent_asin": Columns.Item})
    items = items.with_columns(
        *clean_text("title", "store", "main_category"),
        *clean_lists("categories", "features", "description"),
        pl.col("price").cast(pl.Float64, strict=False),
    ).with_columns(_as_path("categories"), pl.col("description").list.join(" "))
    return RawTables(with_id(items, report), interactions, report, _all(files))


def _all(files: dict[str, list[Path]]) -> list[Path]:
    return [path for paths in files.values() for path in paths]


def _reviews(
    paths: Sequence[Path], report: DataReport, names: tuple[str, str, str], ratings: str | None
) -> pl.DataFrame:
    """User, item and time of all reviews; ``ratings`` is the header that csv files of that year lack, if they do."""
    frames = []
    schema: dict[str, Any] = {names[0]: pl.String, names[1]: pl.String, names[2]: pl.Int64}
    for path in paths:
        if ".csv" not in path.suffixes:
            frame = read_json([path], schema, report)
        else:
            frame = _ratings(path, names, ratings, report)
        columns = dict(zip(names, (Columns.User, Columns.Item, Columns.Timestamp), strict=True))
        frames.append(frame.select(names).rename(columns))
    return pl.concat([frame.with_columns(pl.col(Columns.Timestamp).cast(pl.Int64, strict=False)) for frame in frames])


def _ratings(path: Path, names: tuple[str, str, str], header: str | None, report: DataReport) -> pl.DataFrame:
    data = read_text(path)
    if header is not None:
        data = f"{header}\n".encode() + data
        names_of = dict(zip(("user", "item", "time"), names, strict=True))
        return note(parse_delimited(data, ",", path, first_line=0), path, report).rename(names_of)
    frame = note(parse_delimited(data, ",", path), path, report)
    missing = [name for name in names if name not in frame.columns]
    if missing:
        raise DataError(
            f"The ratings have no column '{missing[0]}' (they have {', '.join(frame.columns)}).",
            where=path,
            expected="user_id,parent_asin,rating,timestamp",
        )
    return frame


def _record_2014(line: str) -> Any:
    """An item of 2014, whose categories are lists of steps."""
    record = read_literal(line)
    if isinstance(record, dict) and isinstance(record.get("categories"), list):
        record["categories"] = [" > ".join(steps) for steps in record["categories"]]
    return record


def _without_scripts(items: pl.DataFrame, report: DataReport) -> pl.DataFrame:
    script = items["title"].str.contains(_CALL) & items["title"].str.contains(_SCRIPT)
    titles = items["title"].filter(script.fill_null(False))
    own = DataReport("items")
    own.add("script-titles", len(titles), [repr(title[:60]) for title in titles.head(N_EXAMPLES).to_list()])
    report.merge(own)
    return items.with_columns(items["title"].set(script, None))


def _as_path(name: str) -> pl.Expr:
    """The steps of one category path as a list with that path."""
    filled = pl.col(name).list.eval(pl.element().filter(pl.element() != ""))
    return pl.when(filled.list.len() > 0).then(pl.concat_list(filled.list.join(" > "))).alias(name)

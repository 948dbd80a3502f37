"""Steam reviews and games (McAuley Lab; Kang & McAuley, ICDM 2018; Pathak, Gupta & McAuley, SIGIR 2017).

The lines are Python literals. Every review counts as an interaction.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl

from genrec.data.raw.files import (
    Paths,
    RawTables,
    Role,
    clean_text,
    find_files,
    read_json,
    read_literal,
    with_id,
)
from genrec.data.report import DataReport
from genrec.schema import Columns

_ROLES = {
    "games": Role(r"steam_games.*\.json", "steam_games.json.gz"),
    "reviews": Role(
        r"australian_user_reviews.*\.json|steam_reviews.*\.json|steam_new.*\.json",
        "steam_reviews.json.gz or australian_user_reviews.json.gz",
    ),
}
_LISTS = ("genres", "tags", "specs")
_TEXTS = ("title", "app_name", "developer", "publisher", "release_date", "price")
_YEAR_OF_CRAWL = 2016


def read_steam(paths: Paths) -> RawTables:
    """Steam: ``steam_reviews.json.gz`` or ``australian_user_reviews.json.gz``, and ``steam_games.json.gz``.

    Users of ``steam_reviews`` are told apart by ``username``. Dates of ``australian_user_reviews`` without a year are
    of the year of the crawl: the one after the newest year in the file.
    """
    files = find_files(paths, _ROLES, "steam")
    report = DataReport("interactions")
    interactions = pl.concat([_reviews(path, report) for path in files["reviews"]])
    schema: dict[str, Any] = dict.fromkeys(("id", *_TEXTS), pl.String) | dict.fromkeys(_LISTS, pl.List(pl.String))
    games = read_json(files["games"], schema, report)
    title = pl.coalesce(pl.when(pl.col(name) != "").then(pl.col(name)) for name in ("title", "app_name"))
    games = games.with_columns(title.alias("title")).drop("app_name").rename({"id": Columns.Item})
    games = games.with_columns(clean_text("title", "developer", "publisher"))
    return RawTables(with_id(games, report), interactions, report, files["reviews"] + files["games"])


def _reviews(path: Path, report: DataReport) -> pl.DataFrame:
    if path.name.lower().startswith("australian"):
        texts = pl.List(pl.String)
        users = read_json([path], {"user_id": pl.String, "items": texts, "posted": texts}, report, _user_record)
        rows = users.explode("items", "posted").drop_nulls("items")
        return pl.DataFrame(
            {Columns.User: rows["user_id"], Columns.Item: rows["items"], Columns.Timestamp: _posted(rows["posted"])}
        )
    rows = read_json([path], dict.fromkeys(("username", "product_id", "date"), pl.String), report)
    times = rows["date"].str.to_datetime("%Y-%m-%d", strict=False).dt.epoch("s")
    return pl.DataFrame({Columns.User: rows["username"], Columns.Item: rows["product_id"], Columns.Timestamp: times})


def _user_record(line: str) -> Any:
    """Items and dates of one user, who has all reviews in one line."""
    record = read_literal(line)
    if not isinstance(record, dict) or not isinstance(record.get("reviews"), list):
        raise ValueError("no 'reviews' of a user")
    reviews = record["reviews"]
    return {
        "user_id": record.get("user_id"),
        "items": [str(review.get("item_id", "")) for review in reviews],
        "posted": [str(review.get("posted", "")) for review in reviews],
    }


def _posted(texts: pl.Series) -> pl.Series:
    """Seconds since 1970 of texts such as ``Posted November 5, 2011.`` or ``Posted July 14.``."""
    parts = texts.str.extract_groups(r"Posted (\w+ \d{1,2})(?:, (\d{4}))?").struct.unnest()
    day, year = parts.to_series(0), parts.to_series(1).cast(pl.Int32)
    years = year.drop_nulls().to_list()
    year = year.fill_null(max(years) + 1 if years else _YEAR_OF_CRAWL)
    dates = (day + " " + year.cast(pl.String)).str.to_datetime("%B %d %Y", strict=False)
    return dates.dt.epoch("s").alias("posted")

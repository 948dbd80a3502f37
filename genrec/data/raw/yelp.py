"""Yelp Open Dataset (yelp.com/dataset). Every review counts as an interaction."""

from __future__ import annotations

from typing import Any

import polars as pl

from genrec.data.raw.files import Paths, RawTables, Role, clean_text, find_files, read_json, with_id
from genrec.data.report import DataReport
from genrec.data.timestamps import parse_iso
from genrec.schema import Columns

_ROLES = {
    "businesses": Role(r"(yelp_academic_dataset_)?business\.json", "yelp_academic_dataset_business.json"),
    "reviews": Role(r"(yelp_academic_dataset_)?review\.json", "yelp_academic_dataset_review.json"),
}


def read_yelp(paths: Paths) -> RawTables:
    """Yelp: ``yelp_academic_dataset_review.json`` and ``yelp_academic_dataset_business.json``."""
    files = find_files(paths, _ROLES, "yelp")
    report = DataReport("interactions")
    rows = read_json(files["reviews"], dict.fromkeys(("user_id", "business_id", "date"), pl.String), report)
    interactions = rows.select(
        pl.col("user_id").alias(Columns.User),
        pl.col("business_id").alias(Columns.Item),
        parse_iso(rows["date"]).dt.epoch("s").alias(Columns.Timestamp),
    )
    schema: dict[str, Any] = dict.fromkeys(("business_id", "name", "categories", "city", "state"), pl.String)
    found = read_json(files["businesses"], schema, report)
    categories = pl.col("categories").str.split(",").list.eval(pl.element().str.strip_chars())
    items = found.with_columns(categories).rename({"business_id": Columns.Item, "name": Columns.Title})
    items = items.with_columns(clean_text("title", "city", "state"))
    return RawTables(with_id(items, report), interactions, report, files["reviews"] + files["businesses"])

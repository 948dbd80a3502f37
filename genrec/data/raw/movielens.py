"""MovieLens latest-small, 1M, 10M and 25M (GroupLens; Harper & Konstan, ACM TiiS 5(4), 2015).

Every rating counts as an interaction, whatever its value.
"""

from __future__ import annotations

from pathlib import Path

import polars as pl

from genrec.data.columns import require_column
from genrec.data.delimited import parse_delimited
from genrec.data.raw.files import Paths, RawTables, Role, find_files, note
from genrec.data.report import DataReport
from genrec.data.tables import read_text
from genrec.errors import DataError
from genrec.schema import Columns

_CSV = {
    "ratings": Role(r"ratings\.csv", "ratings.csv"),
    "movies": Role(r"movies\.csv", "movies.csv"),
    "tags": Role(r"tags\.csv", "tags.csv", required=False),
}
_DAT = {
    "ratings": Role(r"ratings\.dat", "ratings.dat"),
    "movies": Role(r"movies\.dat", "movies.dat"),
    "users": Role(r"users\.dat", "users.dat", required=False),
}
_ANY = {
    "ratings": Role(r"ratings\.(csv|dat)", "ratings.csv or ratings.dat"),
    "movies": Role(r"movies\.(csv|dat)", "movies.csv or movies.dat"),
    "tags": Role(r"tags\.(csv|dat)", "tags.csv", required=False),
    "users": Role(r"users\.dat", "users.dat", required=False),
}
_MOST_TAGS = 20
_NO_GENRES = "(no genres listed)"


def read_movielens(paths: Paths) -> RawTables:
    """Any MovieLens release: the 1M and 10M files (``.dat``) or those of the later ones (``.csv``)."""
    return _read(find_files(paths, _ANY, "movielens"))


def read_movielens_csv(paths: Paths) -> RawTables:
    """MovieLens latest-small or 25M: ``ratings.csv``, ``movies.csv`` and perhaps ``tags.csv``."""
    return _read(find_files(paths, _CSV, "movielens (csv)"))


def read_movielens_1m(paths: Paths) -> RawTables:
    """MovieLens 1M: ``ratings.dat`` and ``movies.dat``, fields separated by ``::``; UTF-8 (10M) or Latin-1 (1M)."""
    return _read(find_files(paths, _DAT, "movielens-1m"))


def _read(files: dict[str, list[Path]]) -> RawTables:
    report = DataReport("interactions")
    ratings = _table(files["ratings"][0], ("userId", "movieId", "rating", "timestamp"), report)
    names = {"userId": Columns.User, "movieId": Columns.Item, "timestamp": Columns.Timestamp}
    items = _movies(_table(files["movies"][0], ("movieId", "title", "genres"), report))
    if files.get("tags"):
        tags = _tags(_table(files["tags"][0], ("userId", "movieId", "tag", "timestamp"), report))
        items = items.join(tags, on=Columns.Item, how="left", maintain_order="left")
    used = [path for role in ("ratings", "movies", "tags") for path in files.get(role, [])]
    return RawTables(items, ratings.select(*names).rename(names), report, used)


def _table(path: Path, columns: tuple[str, ...], report: DataReport) -> pl.DataFrame:
    if ".dat" in path.suffixes:
        data = read_text(path, "utf-8", "latin-1").replace(b"\t", b" ").replace(b"::", b"\t")
        if data.split(b"\n", 1)[0].count(b"\t") != len(columns) - 1:
            fields = "::".join(columns)
            raise DataError("This is not a MovieLens .dat file.", where=path, expected=f"lines such as {fields}")
        header = "\t".join(columns).encode() + b"\n"
        return note(parse_delimited(header + data, "\t", path, quotes="none", first_line=0), path, report)
    frame = note(parse_delimited(read_text(path), ",", path), path, report)
    for name in columns:
        require_column(frame, name, None, path)
    return frame


def _movies(movies: pl.DataFrame) -> pl.DataFrame:
    """Title and year apart; genres as a list."""
    parts = pl.col("title").str.strip_chars().str.extract_groups(r"^(.*?)\s*\((\d{4})(?:[-–]\d{0,4}\s*)?\)$")
    genres = pl.when(pl.col("genres") != _NO_GENRES).then(pl.col("genres").str.split("|"))
    return movies.select(
        pl.col("movieId").alias(Columns.Item),
        pl.coalesce(parts.struct.field("1"), pl.col("title").str.strip_chars()).alias("title"),
        parts.struct.field("2").alias("year"),
        genres.alias("categories"),
    )


def _tags(tags: pl.DataFrame) -> pl.DataFrame:
    """The most frequent tags of every movie, lower case, by number of times given."""
    return (
        tags.select(pl.col("movieId").alias(Columns.Item), pl.col("tag").str.to_lowercase().str.strip_chars())
        .filter(pl.col("tag").fill_null("") != "")
        .group_by(Columns.Item, "tag")
        .len()
        .sort(Columns.Item, "len", "tag", descending=[False, True, False])
        .group_by(Columns.Item, maintain_order=True)
        .agg(pl.col("tag").head(_MOST_TAGS).alias("tags"))
    )

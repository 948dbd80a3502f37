"""Parquet files as other programs write them: zones by offset, text without its mark, decimals as ids, maps."""

import base64
import os
import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import polars as pl
import pytest

from genrec.data import Catalog, Interactions, read_table
from genrec.data.pieces import table_pieces
from genrec.data.report import DataReport
from genrec.data.tables import table_start
from genrec.data.timestamps import parse_times
from genrec.encoders.precomputed import PrecomputedEncoder, PrecomputedSettings
from genrec.errors import DataError

MOMENTS = [datetime(2020, 1, 1, hour, tzinfo=UTC) for hour in (3, 1, 2)]
SCHEMA = rb"[A-Za-z0-9+/]{200,}=*"
ZONE = "POLARS_IGNORE_TIMEZONE_PARSE_ERROR"


@pytest.fixture
def written(tmp_path):
    """A function that writes a table of three rows, some of its columns as given."""

    def write(**columns):
        usual = {"user_id": ["u", "v", "u"], "item_id": ["a", "b", "b"], "timestamp": [3, 1, 2]}
        pl.DataFrame({**usual, **columns}).write_parquet(tmp_path / "t.parquet")
        return tmp_path / "t.parquet"

    return write


def rename_zone(path, old, new):
    """Give a column another zone of as many letters, as polars itself cannot: in the Arrow schema of the file."""

    def renamed(schema):
        return base64.b64encode(base64.b64decode(schema[0]).replace(old.encode(), new.encode()))

    path.write_bytes(re.sub(SCHEMA, renamed, path.read_bytes(), count=1))


@pytest.mark.parametrize(("zone", "as_long"), [("+05:30", "Israel"), ("-0800", "Japan"), ("+00:00", "Poland")])
def test_moments_with_an_offset_are_read_as_pandas_writes_them(zone, as_long, written, capfd):
    path = written(timestamp=pl.Series(MOMENTS, dtype=pl.Datetime("us", "UTC")).dt.convert_time_zone(as_long))
    rename_zone(path, as_long, zone)
    assert zone.encode() in base64.b64decode(re.search(SCHEMA, path.read_bytes())[0])
    table = Interactions.read(path)
    epochs = sorted(int(moment.timestamp()) for moment in MOMENTS)
    assert sorted(table.timestamps.tolist()) == epochs
    assert table.timestamps.tolist()[:2] == [epochs[1], epochs[2]]  # of the first user
    assert read_table(path)["timestamp"].to_list() == MOMENTS
    assert table_start(path)["timestamp"].to_list() == MOMENTS
    (piece,) = table_pieces(path, ["user_id", "timestamp"], DataReport())
    assert parse_times(piece["timestamp"], path).values.tolist() == [int(moment.timestamp()) for moment in MOMENTS]
    assert ZONE not in os.environ
    assert "panicked" not in capfd.readouterr().err


def test_text_that_does_not_say_that_it_is_text(written):
    """As Hive, Impala and older Spark write strings."""
    path = written(user_id=[b"u", b"v", b"u"], item_id=[b"\xc3\xa9", b"b", None])
    table = Interactions.read(path, allow_lost=0.5)
    assert list(table.user_ids) == ["u", "v"]
    assert set(table.item_ids) == {"é", "b"}
    (piece,) = table_pieces(path, ["item_id"], DataReport())
    assert piece["item_id"].to_list() == ["é", "b", None]
    assert Catalog.read(written(title=[b"red cup", b"tea", b"tea"]), allow_lost=1).titles() == ["red cup", "tea"]
    path = written(picture=[b"\xff\xd8", b"\xff", b""])
    with pytest.raises(DataError, match=r"picture.*bytes") as error:
        Catalog.read(path)
    assert error.value.where == str(path)
    assert "column" in error.value.hint


@pytest.mark.parametrize(
    ("ids", "read"),
    [
        (pl.Series([Decimal(7), Decimal(12), None], dtype=pl.Decimal(38, 0)), ["7", "12", None]),
        (pl.Series([Decimal("7.00"), Decimal("12.00"), None], dtype=pl.Decimal(10, 2)), ["7", "12", None]),
        (pl.Series([Decimal("7.50"), Decimal("12.00"), None], dtype=pl.Decimal(10, 2)), ["7.50", "12.00", None]),
    ],
)
def test_decimals_are_ids_as_data_warehouses_export_them(ids, read, written):
    path = written(item_id=ids, user_id=["u", "u", "u"])
    table = Interactions.read(path, allow_lost=0.5)
    assert set(table.item_ids) == set(read) - {None}
    (piece,) = table_pieces(path, ["item_id"], DataReport())
    assert piece["item_id"].to_list() == read


def test_fields_of_any_kind_are_text(written):
    spans = pl.Series([timedelta(seconds=90), None, timedelta(days=1)])
    catalog = Catalog.read(written(item_id=["a", "b", "c"], length=spans))
    assert catalog.frame["length"].to_list() == ["1m 30s", None, "1d"]


@pytest.mark.skipif(not hasattr(pl, "Map"), reason="polars has maps since 2.1")
def test_maps_are_read_as_objects_are(written):
    """Attributes of products, as Spark writes them."""
    kind = pl.Map(pl.String, pl.String)
    maps = pl.Series([{"colour": "red", "size": "L"}, {}, None], dtype=kind)
    many = pl.Series([[{"colour": "red"}, {"colour": "blue"}], [], None], dtype=pl.List(kind))
    frame = pl.DataFrame({"item_id": ["a", "b", "c"], "spec": maps, "variants": many})
    catalog = Catalog.from_frame(frame)
    assert catalog.frame["spec"].to_list() == [["colour: red", "size: L"], [], None]
    assert catalog.frame["variants"].to_list() == [["colour: red", "colour: blue"], [], None]


def test_one_name_twice_is_told_as_it_is(tmp_path):
    path = tmp_path / "t.parquet"
    pl.DataFrame({"user_id": ["u"], "item_id": ["a"], "item_ix": ["b"]}).write_parquet(path)
    path.write_bytes(path.read_bytes().replace(b"item_ix", b"item_id"))
    for read in (Catalog.read, Interactions.read, lambda path: list(table_pieces(path, ["item_id"], DataReport()))):
        with pytest.raises(DataError, match=r"two columns of one name.*item_id"):
            read(path)


def test_item_vectors_are_read_in_the_same_way(written):
    vectors = pl.Series([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]], dtype=pl.List(pl.Float32))
    path = written(item_id=[b"c", b"a", b"b"], vector=vectors)
    catalog = Catalog.from_frame(pl.DataFrame({"item_id": ["a", "b", "c"], "title": ["x", "y", "z"]}))
    encoder = PrecomputedEncoder(PrecomputedSettings(path=str(path)))
    encoder.fit(catalog)
    assert encoder.encode(catalog).tolist() == [[0, 1], [1, 1], [1, 0]]

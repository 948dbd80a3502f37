import datetime as dt

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genrec.data.timestamps import parse_times, show_time, to_timestamp, unit_of
from genrec.errors import DataError

DAY = int(dt.datetime(2021, 1, 5, tzinfo=dt.UTC).timestamp())


def read(values, dtype=None):
    return parse_times(pl.Series("t", values, dtype=dtype), "t.csv")


@pytest.mark.parametrize("values", [[1, 2**62, -5], [1609804800, 1609804800123, 20210105]])
def test_integers_are_kept_as_given(values):
    assert read(values).values.tolist() == values
    assert read([str(value) for value in values]).values.tolist() == values
    assert read([f" {value} " for value in values]).values.tolist() == values


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("2021-01-05", DAY),
        ("2021-01-05T00:00:07", DAY + 7),
        ("2021-01-05 00:01:07", DAY + 67),
        ("2021-01-05 00:01", DAY + 60),
        ("2021-01-05T00:00:07Z", DAY + 7),
        ("2021-01-05T02:00:07+02:00", DAY + 7),
        ("2021-01-04T19:30:00-04:30", DAY),
        ("2021-01-05 02:00:07.25+0200", DAY + 7),
        ("2021-01-05 00:00:07 UTC", DAY + 7),
        ("2021-01-05T00:00:07.999", DAY + 7),
    ],
)
def test_iso_dates_become_seconds(text, seconds):
    assert read([text]).values.tolist() == [seconds]
    assert read(["2020-02-30", None, text, "soon", ""]).readable.tolist() == [False, False, True, False, False]


@settings(deadline=None, derandomize=True)
@given(st.datetimes(dt.datetime(1971, 1, 1), dt.datetime(2100, 1, 1)), st.integers(-840, 840))
def test_iso_agrees_with_the_standard_library(moment, minutes):
    zoned = moment.replace(tzinfo=dt.timezone(dt.timedelta(minutes=minutes)))
    micro = (zoned - dt.datetime(1970, 1, 1, tzinfo=dt.UTC)) // dt.timedelta(microseconds=1)
    times = read([zoned.isoformat()])
    assert times.values[0] == micro // 1_000_000
    assert times.order[0] == micro


def test_decimals_keep_their_order_and_lose_their_fraction():
    times = read([2.75, float("nan"), None, 2.25, float("inf")])
    assert times.readable.tolist() == [True, False, False, True, False]
    assert times.values[[0, 3]].tolist() == [2, 2]
    assert times.order[0] > times.order[3]
    assert times.fractional == 2
    assert read(["12.0", "1e3", "nan", ""]).values.tolist() == [12, 1000, 0, 0]
    assert read(["1609804800.0", "1609804801.0"]).fractional == 0


def test_large_integers_beside_blanks_lose_nothing():
    big = 2**60 + 1
    assert read([str(big), "", "x"]).values.tolist()[0] == big


def test_date_columns():
    assert read([dt.date(2021, 1, 5), None]).values.tolist()[0] == DAY
    aware = pl.Series("t", [dt.datetime(2021, 1, 5)]).dt.replace_time_zone("Europe/Paris")
    assert parse_times(aware, "t").values.tolist() == [DAY - 3600]
    assert read([dt.datetime(2021, 1, 5)], pl.Datetime("ns")).values.tolist() == [DAY]


@pytest.mark.parametrize("values", [["soon", "later"], [None, None], [float("nan")], [True], ["31/12/2020"]])
def test_columns_without_any_time_are_refused(values):
    with pytest.raises(DataError, match=r"No time in the column 't'(.|\n)*time_column=None"):
        read(values)


def test_units_and_moments():
    assert [unit_of(np.array([n])) for n in (5, 20210105, 1609804800, 1609804800000, 1609804800 * 10**6)] == [
        None,
        None,
        "s",
        "ms",
        "us",
    ]
    seconds = np.array([DAY])
    assert to_timestamp("2021-01-05", seconds) == DAY
    assert to_timestamp("2021-01-05T01:00:00+01:00", seconds * 1000) == DAY * 1000
    assert to_timestamp(17, seconds) == to_timestamp("17", seconds) == 17
    with pytest.raises(DataError, match="not a date"):
        to_timestamp("soon", seconds)
    with pytest.raises(DataError, match="no epoch times"):
        to_timestamp("2021-01-05", np.array([1, 2]))
    assert show_time(DAY, "s") == "2021-01-05 00:00"
    assert show_time(17, None) == "17"

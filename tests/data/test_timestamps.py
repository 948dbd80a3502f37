import datetime as dt
import math

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
        ("2021-01-05 00:00:07 GMT", DAY + 7),
        ("2021-01-05 12:00:07 AM", DAY + 7),
        ("Jan 5, 2021, 12:00:07 AM", DAY + 7),
        ("January 5th, 2021 at 1:00 PM", DAY + 13 * 3600),
        ("5 Jan 2021", DAY),
        ("05-Jan-2021 00:01", DAY + 60),
        ("Tue, 05 Jan 2021 02:00:07 +0200", DAY + 7),
        ("Mon Jan 04 19:30:00 -0430 2021", DAY),
        ("Tue Jan  5 00:00:07 2021", DAY + 7),
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


def test_integers_beside_other_forms_keep_every_digit():
    """One row such as 1e3 makes no decimals of its neighbours."""
    values = [9007199254740993, 9007199254740992, 2**63 - 1, -(2**60) - 1]
    for form, value in (("1e3", 1000), ("2.5", 2), ("-0.5", -1), ("7.", 7), ("+8.0", 8), (".5", 0), ("-1.5e1", -15)):
        times = read([form, *map(str, values)])
        assert times.values.tolist() == [value, *values]
        assert np.argsort(times.order).tolist() == np.argsort(times.values).tolist()
    exact = pl.Series("t", ["9007199254740993", "1.50"]).cast(pl.Decimal(20, 2))
    assert parse_times(exact, "t").values.tolist() == [9007199254740993, 1]


decimals = st.decimals(allow_nan=False, allow_infinity=False, places=3, min_value=-(2**62), max_value=2**62)


@settings(deadline=None, derandomize=True)
@given(st.lists(decimals | st.integers(-(2**63), 2**63 - 1), min_size=1, max_size=8))
def test_numbers_in_text_agree_with_exact_arithmetic(numbers):
    times = read([*map(str, numbers), ""])
    assert times.values[:-1].tolist() == [math.floor(n) for n in numbers]
    assert times.readable.tolist() == [True] * len(numbers) + [False]
    expected = sorted(range(len(numbers)), key=lambda n: numbers[n])
    assert sorted(range(len(numbers)), key=lambda n: times.order[n]) == expected


@pytest.mark.parametrize("form", ["int", "text", "decimal", "blank"])
def test_units_mixed_in_one_column_are_read_in_the_finest(form):
    values = [DAY, DAY * 1000 + 1, DAY + 9, DAY + 1]
    given = {
        "int": values,
        "text": [str(value) for value in values],
        "decimal": [float(value) for value in values],
        "blank": [*map(str, values[:3]), f" {values[3]}.0"],
    }[form]
    times = read(given)
    assert times.values.tolist() == [DAY * 1000, DAY * 1000 + 1, DAY * 1000 + 9000, DAY * 1000 + 1000]
    assert times.order.argsort().tolist() == [0, 1, 3, 2]
    assert times.mixed.unit == "ms"
    assert times.mixed.counts == {"s": 3, "ms": 1}
    assert times.mixed.odd.tolist() == [False, True, False, False]


def test_fractions_of_mixed_units_become_whole_where_they_can():
    times = read([f"{DAY}.25", f"{DAY}249.5", f"{DAY * 10**6}"])
    assert times.values.tolist() == [DAY * 10**6 + 250_000, DAY * 10**6 + 249_500, DAY * 10**6]
    assert times.fractional == 0
    assert times.mixed.unit == "us"


@pytest.mark.parametrize(
    "values",
    [[DAY, DAY + 1], [5, 5000, 5_000_000], [2020, 20210105, 1609804800], [0, 1, DAY, DAY * 1000], [DAY, 2**62]],
)
def test_numbers_of_one_unit_or_of_none_stay(values):
    times = read(values)
    assert times.mixed is None
    assert times.values.tolist() == values


def test_date_columns():
    assert read([dt.date(2021, 1, 5), None]).values.tolist()[0] == DAY
    far = pl.Series("t", [0, 2**31 - 1, -(2**31), None], dtype=pl.Int32).cast(pl.Date)
    assert parse_times(far, "t").values.tolist() == [0, (2**31 - 1) * 86400, -(2**31) * 86400, 0]
    aware = pl.Series("t", [dt.datetime(2021, 1, 5)]).dt.replace_time_zone("Europe/Paris")
    assert parse_times(aware, "t").values.tolist() == [DAY - 3600]
    assert read([dt.datetime(2021, 1, 5)], pl.Datetime("ns")).values.tolist() == [DAY]


@pytest.mark.parametrize(
    ("text", "iso"),
    [
        ("31.05.2024", "2024-05-31"),
        ("1.5.2024", "2024-05-01"),
        ("01.05.2024 08:30", "2024-05-01 08:30:00"),
        ("1.5.2024, 8:30:15 Uhr", "2024-05-01 08:30:15"),
        ("2024/05/31", "2024-05-31"),
        ("2024/5/1 23:59:59", "2024-05-01 23:59:59"),
        ("2024.05.31", "2024-05-31"),
        ("2024年5月1日", "2024-05-01"),
        ("2024年05月01日 08:30", "2024-05-01 08:30"),
        ("2024년 5월 1일", "2024-05-01"),
    ],
)
def test_dates_that_can_mean_one_day_only_are_read_in_any_spelling(text, iso):
    times = read([f" {text} ", None, iso, "soon"])
    assert times.kind == "date"
    assert times.values[0] == times.values[2] > 0
    assert times.readable.tolist() == [True, False, True, False]


def test_a_day_that_does_not_exist_is_not_read_in_any_spelling():
    assert read(["31.05.2024", "31.02.2024", "5.13.2024", "2024/13/01"]).readable.tolist() == [
        True,
        False,
        False,
        False,
    ]


@pytest.mark.parametrize("text", ["04/05/2024", "4-5-2024", "04/05/24"])
def test_where_day_and_month_cannot_be_told_apart_it_is_said(text):
    with pytest.raises(DataError, match="Day and month cannot be told apart"):
        read([text])


@pytest.mark.parametrize("values", [["soon", "later"], [None, None], [float("nan")], [True], ["04/05/2020"]])
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
    assert show_time(-99_999_999_999, "s") == "-99999999999"


@pytest.mark.parametrize(
    ("times", "expected"),
    [
        (["44927.5", "44928.25", "45001"], "line 2: 44927.5 is 2023-01-01 12:00"),
        (["44927", "44927", "45001"], "line 2: 44927 is 2023-01-01 00:00"),
        (["44927", "1", "45001"], None),
        (["1970-01-01 10:30:00", "1970-01-01 11:00:00", "1970-01-01 12:00:00"], None),
    ],
)
def test_days_since_1900_are_told(times, expected, tmp_path):
    from genrec.data import Interactions

    path = tmp_path / "events.csv"
    path.write_text("user_id,item_id,timestamp\n" + "".join(f"u,i{n},{time}\n" for n, time in enumerate(times)))
    report = Interactions.read(path).report
    if expected is None:
        assert report.count("day-numbers") == 0
        return
    problem = next(one for one in report.problems if one.kind == "day-numbers")
    assert (problem.count, problem.examples) == (3, (expected,))
    assert report.count("fractional-timestamps") == 0  # of days, not of seconds
    assert any("days since 1900" in line for line in report.lines())

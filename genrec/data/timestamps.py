"""Times of any kind as integers: epoch numbers as given, dates as seconds, fractions used for the order only."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import ROUND_FLOOR, Decimal
from typing import NamedTuple

import numpy as np
import polars as pl

from genrec.data.month_names import without_month_names
from genrec.data.slash_dates import SlashOrder, SlashTally, in_order, without_slashes
from genrec.data.time_units import UNITS, MixedUnits, mixed_units
from genrec.errors import DataError

_MICROSECOND = 1_000_000
_DAY = 24 * 60 * 60
_ISO_FORMATS = ("%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%d", "%Y-%m-%d %H:%M")
_OTHER_DATES = (
    (r"^(?<d>\d{1,2})\.(?<m>\d{1,2})\.(?<y>\d{4})(?:,? +(?<t>\d{1,2}:\d{2}(?::\d{2}(?:\.\d+)?)?)(?: Uhr)?)?$"),
    (r"^(?<y>\d{4})[/.](?<m>\d{1,2})[/.](?<d>\d{1,2})(?: +(?<t>\d{1,2}:\d{2}(?::\d{2}(?:\.\d+)?)?))?$"),
    (r"^(?<y>\d{4})[年년] ?(?<m>\d{1,2})[月월] ?(?<d>\d{1,2})[日일](?: *(?<t>\d{1,2}:\d{2}(?::\d{2}(?:\.\d+)?)?))?$"),
)
"""Spellings of dates that can mean one day only: dots stand between day, month and year, or the year comes first."""
_ISO_DATE = r"^\d{4}-\d{2}-\d{2}"
_SLASHES = r"^\d{1,2}[/-]\d{1,2}[/-]\d{2,4}\b"
_SHEET_1970 = 25_569  # 1970-01-01 in days since 1900
_SHEET_DAYS = (36_526, 51_136)  # 2000 to 2040
_LEAST = {"s": 10**8, "ms": 10**11, "us": 10**14, "ns": 10**17}


@dataclass(frozen=True)
class Times:
    """One time column as integers.

    Attributes:
        values: ``(n_rows,)`` int64; 0 where unreadable.
        order: ``(n_rows,)`` int64, the same or finer: also by fractions of a second.
        readable: ``(n_rows,)`` bool.
        kind: ``integer``, ``decimal`` or ``date``.
        fractional: Number of readable rows whose fraction was cut off.
        mixed: The units, where numbers of several were in the column and are now in the finest of them.
        slashes: What dates such as 25/06/2024 mean, where there are some and it is sure.
    """

    values: np.ndarray
    order: np.ndarray
    readable: np.ndarray
    kind: str
    fractional: int = 0
    mixed: MixedUnits | None = None
    slashes: SlashOrder | None = None


def parse_times(series: pl.Series, where: object) -> Times:
    """Read a time column; the kind that reads the most rows is taken for the whole column.

    Integers are kept as given, whatever their unit, and exactly; decimals are cut; dates and datetimes (ISO 8601, and
    spellings that mean one day only, such as ``31.05.2024``; without a zone they are UTC) become seconds since 1970.
    Where seconds, milliseconds and the like are mixed, all are read in the finest unit.

    Raises:
        DataError: No row can be read.
    """
    kind = series.dtype
    if kind.is_integer():
        times = _integers(series.cast(pl.Int64, strict=False))
    elif kind.is_float():
        times = _decimals(series.cast(pl.Float64))
    elif kind.is_temporal() and kind not in (pl.Time, pl.Duration):
        times = _days(series) if kind == pl.Date else _dates(series)
    elif kind == pl.String or kind.is_decimal():
        times = _from_text(series.cast(pl.String))
    else:
        times = Times(np.zeros(0), np.zeros(0), np.zeros(len(series), dtype=bool), str(kind))
    if not times.readable.any():
        example = next((value for value in series.head(1000).to_list() if value is not None), None)
        slashes = isinstance(example, str) and re.match(_SLASHES, example.strip())
        either = "Day and month cannot be told apart, in no row. " if slashes else ""
        raise DataError(
            f"No time in the column '{series.name}' can be read" + (f" (such as {example!r})." if example else "."),
            where=where,
            expected="integers (epoch seconds or milliseconds), decimals, or ISO dates such as 2024-05-31T12:00:00 or "
            "2024-05-31 (also 31.05.2024 and May 31, 2024)",
            hint=f"{either}Convert the column, or use the order of the rows: --time-column none (time_column=None in "
            "Python).",
        )
    return times


def _numbers(values: np.ndarray, fractions: np.ndarray | None, readable: np.ndarray) -> Times:
    """Times from whole parts ``(n,)`` int64 and fractions ``(n,)`` float64 from 0 to 1, brought to one unit."""
    kind = "integer" if fractions is None else "decimal"
    mixed = mixed_units(values, readable)
    if mixed is not None:
        fits = np.abs(values) < 2**62 // mixed.factors
        readable, values = readable & fits, np.where(fits, values * mixed.factors, 0)
        if fractions is not None:
            finer = fractions * mixed.factors
            values, fractions = values + np.floor(finer).astype(np.int64), finer - np.floor(finer)
    if fractions is None or not fractions.any():
        return Times(values, values, readable, kind, mixed=mixed)
    order = _dense_ranks(values, fractions)
    return Times(values, order, readable, kind, int((fractions[readable] > 0).sum()), mixed)


def _dense_ranks(values: np.ndarray, fractions: np.ndarray) -> np.ndarray:
    """Places of pairs among all distinct ones, ``(n,)`` int64: a float would round large numbers."""
    order = np.lexsort((fractions, values))
    new = (np.diff(values[order], prepend=values[order][:1]) != 0) | (np.diff(fractions[order], prepend=-1) != 0)
    ranks = np.empty(len(values), dtype=np.int64)
    ranks[order] = np.cumsum(new)
    return ranks


def _integers(series: pl.Series) -> Times:
    return _numbers(series.fill_null(0).to_numpy(), None, series.is_not_null().to_numpy())


def _decimals(series: pl.Series) -> Times:
    series = series.set(~(series.is_finite() & (series.abs() < 2**63)), None)
    given = series.fill_null(0.0).to_numpy()
    whole = np.floor(given)
    return _numbers(whole.astype(np.int64), given - whole, series.is_not_null().to_numpy())


def _days(series: pl.Series) -> Times:
    """Dates by their number: polars has no moments for those before -262143 and after 262142."""
    values = series.cast(pl.Int32).cast(pl.Int64).fill_null(0).to_numpy() * _DAY
    return Times(values, values, series.is_not_null().to_numpy(), "date")


def _dates(series: pl.Series) -> Times:
    micro = series.dt.epoch("us")
    readable = micro.is_not_null().to_numpy()
    order = micro.fill_null(0).to_numpy()
    values = order // _MICROSECOND
    return Times(values, order, readable, "date", int((order % _MICROSECOND != 0).sum()))


def _from_text(series: pl.Series) -> Times:
    integers = series.cast(pl.Int64, strict=False)
    if not integers.null_count():
        return _integers(integers)
    text, slashes = without_slashes(iso_spelled(series.str.strip_chars()))
    numbers = text.cast(pl.Float64, strict=False)
    n_numbers = int(numbers.is_finite().sum())
    if n_numbers < text.str.contains(_ISO_DATE).sum():
        return replace(_dates(parse_iso(text)), slashes=slashes)
    whole = text.cast(pl.Int64, strict=False)
    if len(whole) - whole.null_count() == n_numbers:
        return _integers(whole)
    values, fractions, readable = _decimal_text(text.set(~numbers.is_finite().fill_null(False), None), whole)
    return _numbers(values, fractions, readable)


def _decimal_text(text: pl.Series, whole: pl.Series) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Whole parts, fractions and readable rows of numbers in text, to the last digit of the whole parts."""
    parts = text.str.extract_groups(r"^([+-]?\d{1,18})(\.\d*)$").struct.unnest()
    before, after = parts.to_series(0).cast(pl.Int64, strict=False), parts.to_series(1)
    values = whole.fill_null(before).fill_null(0).to_numpy().copy()
    fractions = ("0" + after.fill_null(".") + "0").cast(pl.Float64).to_numpy().copy()
    below = text.str.starts_with("-").fill_null(False).to_numpy() & (fractions > 0)
    values[below] -= 1
    fractions[below] = 1 - fractions[below]
    readable = (whole.is_not_null() | before.is_not_null()).to_numpy().copy()
    for row in np.flatnonzero(text.is_not_null().to_numpy() & ~readable).tolist():  # such as 1e3
        number = Decimal(text[row])
        if abs(number) < 2**63:
            values[row], readable[row] = int(number.to_integral_value(ROUND_FLOOR)), True
            fractions[row] = float(number - int(values[row]))
    return values, fractions, readable


class TimesInPieces:
    """What a time column that is read in pieces means as a whole: no piece settles it for itself.

    Attributes:
        slashes: Dates whose order of day and month all pieces tell together.
    """

    def __init__(self) -> None:
        self.slashes = SlashTally()
        self._numbers = self._dates = 0

    def add(self, text: pl.Series) -> None:
        """Count the times of a piece.

        Args:
            text: String.
        """
        text = iso_spelled(text.str.strip_chars())
        self.slashes.add(text)
        self._numbers += int(text.cast(pl.Float64, strict=False).is_finite().sum())
        self._dates += int(text.str.contains(_ISO_DATE).sum())

    def settled(self) -> SettledTimes:
        """How to read every piece."""
        found = self.slashes.order()
        dates = self._dates + (0 if found is None else found.rows)
        return SettledTimes(None if found is None else found.order, self._numbers < dates)


class SettledTimes(NamedTuple):
    """How all pieces of a time column are read.

    Attributes:
        slashes: ``day first`` or ``month first``; None: dates with slashes cannot be read.
        dates: Dates are read, and not numbers.
    """

    slashes: str | None
    dates: bool

    def of(self, text: pl.Series) -> pl.Series:
        """Times of a piece, null where the column as a whole cannot be read like that."""
        text = in_order(iso_spelled(text.str.strip_chars()), self.slashes)
        numbers = text.cast(pl.Float64, strict=False).is_not_null()
        return text.set(numbers if self.dates else ~numbers, None)


def iso_spelled(text: pl.Series) -> pl.Series:
    """Dates in other spellings that mean one day only, as ISO dates; everything else as it is.

    >>> iso_spelled(pl.Series(["1.5.2024 8:30", "2024/05/31", "2024年5月1日", "1/5/2024"])).to_list()
    ['2024-05-01 08:30', '2024-05-31', '2024-05-01', '1/5/2024']
    """
    text = without_month_names(text)
    for pattern in _OTHER_DATES:
        if not text.str.contains(pattern).any():
            continue
        parts = text.str.extract_groups(pattern).struct.unnest()
        date = parts["y"] + "-" + parts["m"].str.zfill(2) + "-" + parts["d"].str.zfill(2)
        clock = (" " + parts["t"].str.replace(r"^(\d):", "0${1}:")).fill_null("")
        text = (date + clock).fill_null(text)
    return text


def parse_iso(text: pl.Series) -> pl.Series:
    """ISO dates and datetimes as Datetime in microseconds (UTC, no zone); null where unreadable."""
    plain = text.str.replace(r"^(\d{4}-\d{2}-\d{2})[Tt]", "${1} ").str.replace(r"(?:[Zz]| ?UTC| ?GMT)$", "")
    zoned = plain.str.contains(r":\d{2}.*[+-]\d{2}(:?\d{2})?$").fill_null(False)
    if not zoned.any():
        return _local(plain)
    return _zoned(plain.set(~zoned, None)).zip_with(zoned, _local(plain.set(zoned, None)))


def _local(text: pl.Series) -> pl.Series:
    parsed = pl.Series(text.name, [], dtype=pl.Datetime("us")).extend_constant(None, len(text))
    for form in _ISO_FORMATS:
        if parsed.null_count() > text.null_count():
            parsed = parsed.zip_with(parsed.is_not_null(), text.str.to_datetime(form, strict=False, time_unit="us"))
    return parsed


def _zoned(text: pl.Series) -> pl.Series:
    """Datetimes with an offset such as +02:00: the local time, less the offset."""
    parts = text.str.extract_groups(r"^(.*?) ?([+-])(\d{2}):?(\d{2})?$").struct.unnest()
    local, sign, hours, minutes = (parts.to_series(n) for n in range(4))
    offset = hours.cast(pl.Int64) * 60 + minutes.cast(pl.Int64).fill_null(0)
    shift = (offset * (sign == "+").cast(pl.Int64) * 2 - offset) * 60 * _MICROSECOND
    return (_local(local).dt.epoch("us") - shift).cast(pl.Datetime("us"))


def looks_like_days(values: np.ndarray) -> bool:
    """Whether numbers are days since 1900 as spreadsheets store dates: all of them from 2000 to 2040.

    >>> looks_like_days(np.array([44_927, 45_001])), looks_like_days(np.array([1, 44_927]))
    (True, False)
    """
    return bool(len(values)) and int(values.min()) >= _SHEET_DAYS[0] and int(values.max()) <= _SHEET_DAYS[1]


def day_of(days: float) -> str:
    """The date of a number of days since 1900, as spreadsheets count them.

    >>> day_of(44_927.5)
    '2023-01-01 12:00'
    """
    return show_time(round((days - _SHEET_1970) * _DAY), "s")


def unit_of(timestamps: np.ndarray) -> str | None:
    """The probable unit of epoch numbers: ``s``, ``ms``, ``us`` or ``ns``; None for small numbers (years, counters)."""
    largest = int(np.abs(timestamps).max(initial=0))
    return next((name for name in reversed(_LEAST) if largest >= _LEAST[name]), None)


def to_timestamp(moment: int | str, timestamps: np.ndarray) -> int:
    """A moment in the unit of some timestamps.

    Args:
        moment: A number in that unit, or an ISO date or datetime (UTC unless it has a zone).
        timestamps: ``(n,)`` int64, from whose size the unit is told.

    Raises:
        DataError: The text is no date, or the timestamps are no dates.
    """
    if not isinstance(moment, str):
        return int(moment)
    if moment.strip().lstrip("-").isdigit() and len(moment.strip()) != 4:
        return int(moment)
    try:
        date = datetime.fromisoformat(moment.strip())
    except ValueError:
        raise DataError(f"'{moment}' is not a date.", expected="an ISO date such as 2014-05-31, or a number") from None
    unit = unit_of(timestamps)
    if unit is None:
        raise DataError(
            f"The timestamps (at most {int(timestamps.max(initial=0))}) are no epoch times; '{moment}' means nothing.",
            expected="a number in the unit of the timestamps",
        )
    return int((date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp() * UNITS[unit])


def show_time(timestamp: int, unit: str | None) -> str:
    """A timestamp for people: an ISO date where the unit is known, else the number."""
    if unit is None:
        return str(timestamp)
    try:
        return datetime.fromtimestamp(timestamp / UNITS[unit], UTC).strftime("%Y-%m-%d %H:%M")
    except (ValueError, OverflowError, OSError):  # before the year 1 or after 9999
        return str(timestamp)

"""Times of any kind as integers: epoch numbers as given, dates as seconds, fractions used for the order only."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
import polars as pl

from genrec.errors import DataError

_MICROSECOND = 1_000_000
_ISO_FORMATS = ("%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%d", "%Y-%m-%d %H:%M")
_UNITS = (("s", 1e8, 1), ("ms", 1e11, 10**3), ("us", 1e14, 10**6), ("ns", 1e17, 10**9))


@dataclass(frozen=True)
class Times:
    """One time column as integers.

    Attributes:
        values: ``(n_rows,)`` int64; 0 where unreadable.
        order: ``(n_rows,)`` int64 or float64, finer than ``values`` where there are fractions of a second.
        readable: ``(n_rows,)`` bool.
        kind: ``integer``, ``decimal`` or ``date``.
        fractional: Number of readable rows whose fraction was cut off.
    """

    values: np.ndarray
    order: np.ndarray
    readable: np.ndarray
    kind: str
    fractional: int = 0


def parse_times(series: pl.Series, where: object) -> Times:
    """Read a time column; the kind that reads the most rows is taken for the whole column.

    Integers are kept as given, whatever their unit; decimals are cut; dates and datetimes (ISO 8601; without a zone
    they are UTC) become seconds since 1970.

    Raises:
        DataError: No row can be read.
    """
    kind = series.dtype
    if kind.is_integer():
        times = _integers(series.cast(pl.Int64, strict=False))
    elif kind.is_float() or kind.is_decimal():
        times = _decimals(series.cast(pl.Float64))
    elif kind.is_temporal() and kind not in (pl.Time, pl.Duration):
        times = _dates(series.cast(pl.Datetime("us")) if kind == pl.Date else series)
    elif kind == pl.String:
        times = _from_text(series)
    else:
        times = Times(np.zeros(0), np.zeros(0), np.zeros(len(series), dtype=bool), str(kind))
    if not times.readable.any():
        example = next((value for value in series.head(1000).to_list() if value is not None), None)
        raise DataError(
            f"No time in the column '{series.name}' can be read" + (f" (such as {example!r})." if example else "."),
            where=where,
            expected="integers (epoch seconds or milliseconds), decimals, or ISO dates such as 2024-05-31T12:00:00",
            hint="Convert the column, or use the order of the rows: --time-column none (time_column=None in Python).",
        )
    return times


def _integers(series: pl.Series) -> Times:
    readable = series.is_not_null().to_numpy()
    values = series.fill_null(0).to_numpy()
    return Times(values, values, readable, "integer")


def _decimals(series: pl.Series) -> Times:
    series = series.set(~(series.is_finite() & (series.abs() < 2**63)), None)
    readable = series.is_not_null().to_numpy()
    order = series.fill_null(0.0).to_numpy()
    values = np.floor(order).astype(np.int64)
    fractional = int((values != order).sum())
    return Times(values, order if fractional else values, readable, "decimal", fractional)


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
    text = series.str.strip_chars()
    numbers = text.cast(pl.Float64, strict=False)
    n_numbers = int(numbers.is_finite().sum())
    if n_numbers < text.str.contains(r"^\d{4}-\d{2}-\d{2}").sum():
        return _dates(parse_iso(text))
    whole = text.cast(pl.Int64, strict=False)
    return _integers(whole) if len(whole) - whole.null_count() == n_numbers else _decimals(numbers)


def parse_iso(text: pl.Series) -> pl.Series:
    """ISO dates and datetimes as Datetime in microseconds (UTC, no zone); null where unreadable."""
    plain = text.str.replace(r"^(\d{4}-\d{2}-\d{2})[Tt]", "${1} ").str.replace(r"(?:[Zz]| ?UTC)$", "")
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


def unit_of(timestamps: np.ndarray) -> str | None:
    """The probable unit of epoch numbers: ``s``, ``ms``, ``us`` or ``ns``; None for small numbers (years, counters)."""
    largest = int(np.abs(timestamps).max(initial=0))
    return next((name for name, least, _ in reversed(_UNITS) if largest >= least), None)


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
    factor = next(size for name, _, size in _UNITS if name == unit)
    return int((date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp() * factor)


def show_time(timestamp: int, unit: str | None) -> str:
    """A timestamp for people: an ISO date where the unit is known, else the number."""
    factor = next((size for name, _, size in _UNITS if name == unit), None)
    if factor is None:
        return str(timestamp)
    return datetime.fromtimestamp(timestamp / factor, UTC).strftime("%Y-%m-%d %H:%M")

"""Dates with the name of a month, and ISO dates with half a day's clock, as ISO dates: they mean one day only."""

from __future__ import annotations

import polars as pl

_MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
_NAMES = {name: f"{number:02d}" for number, name in enumerate(_MONTHS, start=1)}
_MONTH = (
    r"(?<b>(?i:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?"
    r"|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?))\.?"
)
_WEEKDAY = r"(?:(?i:mon|tue|wed|thu|fri|sat|sun)[a-z]*,? +)?"
_DAY = r"(?<d>\d{1,2})(?i:st|nd|rd|th)?"
_YEAR = r"(?<y>\d{4})"
_CLOCK = r"(?<h>\d{1,2}):(?<m>\d{2}(?::\d{2}(?:\.\d+)?)?)(?: ?(?<half>[AaPp])\.?[Mm]\.?)?"
_HALVES = _CLOCK.removesuffix("?")
_ZONE = r"(?: ?(?<z>[+-]\d{2}:?\d{2}|Z|UTC|GMT))?"
_AFTER = rf"(?:,?(?: at)? +{_CLOCK}{_ZONE})?$"
_PATTERNS = (
    rf"^{_WEEKDAY}{_MONTH} +{_DAY},? +{_YEAR}{_AFTER}",  # Jan 5, 2024, 4:51:28 PM
    rf"^{_WEEKDAY}{_DAY}[ -]{_MONTH}[ -]{_YEAR}{_AFTER}",  # Fri, 05 Jan 2024 16:51:28 +0100
    rf"^{_WEEKDAY}{_MONTH} +{_DAY} +{_CLOCK}{_ZONE} +{_YEAR}$",  # Fri Jan 05 16:51:28 -0700 2024
    rf"^{_YEAR}-(?<b>\d{{2}})-(?<d>\d{{2}})[ T]+{_HALVES}{_ZONE}$",  # 2024-01-05 04:51 PM
)
_LOOKS = r"(?i)[a-z]{3}.*\d{4}|\d ?[ap]\.?m\b"


def without_month_names(text: pl.Series) -> pl.Series:
    """Dates in English words as ISO dates; everything else as it is.

    >>> given = ["Jan 5, 2024, 4:51 PM", "5 January 2024", "Sat Oct 17 09:05:00 -0700 2015"]
    >>> without_month_names(pl.Series(given)).to_list()
    ['2024-01-05 16:51', '2024-01-05', '2015-10-17 09:05:00-0700']
    """
    if not text.str.contains(_LOOKS).any():
        return text
    for pattern in _PATTERNS:
        if text.str.contains(pattern).any():
            text = _spelled(text.str.extract_groups(pattern).struct.unnest()).fill_null(text).alias(text.name)
    return text


def clock_of(hour: pl.Series, minutes: pl.Series, half: pl.Series) -> pl.Series:
    """The time of day with 24 hours behind a blank; nothing where there is none.

    Args:
        hour: Digits.
        minutes: ``51`` or ``51:28``.
        half: ``a`` or ``p``; null: there are 24 hours already.
    """
    number, half = hour.cast(pl.Int64, strict=False), half.str.to_lowercase()
    number = pl.select(
        pl.when(half == "p").then(number % 12 + 12).when(half == "a").then(number % 12).otherwise(number)
    ).to_series()
    return (" " + number.cast(pl.String).str.zfill(2) + ":" + minutes).fill_null("")


def _spelled(parts: pl.DataFrame) -> pl.Series:
    """ISO dates of the parts of others; null where a row has none."""
    nothing = pl.Series([None], dtype=pl.String).new_from_index(0, parts.height)
    named = {name: parts[name] if name in parts.columns else nothing for name in ("y", "b", "d", "h", "m", "half", "z")}
    month = named["b"].str.to_lowercase().str.head(3)
    month = month.replace_strict(_NAMES, default=month, return_dtype=pl.String)
    date = named["y"] + "-" + month + "-" + named["d"].str.zfill(2)
    zone = named["z"].str.replace("^(?:Z|UTC|GMT)$", "+00:00").fill_null("")
    return date + clock_of(named["h"], named["m"], named["half"]) + zone

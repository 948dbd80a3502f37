"""Dates such as 25/06/2024: which of the first two numbers is the day is told by the whole column, or by nothing."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

_PATTERN = (
    r"^(?<a>\d{1,2})[/-](?<b>\d{1,2})[/-](?<y>\d{4})"
    r"(?:,?[ T]+(?<h>\d{1,2}):(?<m>\d{2}(?::\d{2}(?:\.\d+)?)?)(?: ?(?<half>[AaPp])\.?[Mm]\.?)?)?$"
)
_MONTHS = 12
_FEW = 0.05


@dataclass(frozen=True)
class SlashOrder:
    """What a column of such dates means.

    Attributes:
        order: ``day first`` or ``month first``.
        rows: How many dates there are.
        proof: One that can mean nothing else.
    """

    order: str
    rows: int
    proof: str


def without_slashes(text: pl.Series) -> tuple[pl.Series, SlashOrder | None]:
    """Dates with slashes (or dashes) and the year at the end as ISO dates, where it is sure what they mean.

    It is sure where one of the first two numbers is above twelve in some row, and the other hardly ever.

    Returns:
        The column, and what was found; None: nothing was changed.

    >>> text, found = without_slashes(pl.Series(["25/06/2024 7:05", "01/02/2024"]))
    >>> text.to_list(), found.order, found.proof
    (['2024-06-25 07:05', '2024-02-01'], 'day first', '25/06/2024 7:05')
    >>> without_slashes(pl.Series(["01/02/2024"]))[1] is None
    True
    """
    dates = text.str.contains(_PATTERN).fill_null(False)
    if not dates.any():
        return text, None
    parts = text.str.extract_groups(_PATTERN).struct.unnest()
    first, second = (parts[name].cast(pl.Int64, strict=False) for name in ("a", "b"))
    above = (first > _MONTHS).fill_null(False), (second > _MONTHS).fill_null(False)
    counts = int(above[0].sum()), int(above[1].sum())
    if min(counts) > _FEW * max(counts) or not any(counts):
        return text, None
    day_first = counts[0] > counts[1]
    day, month = (parts["a"], parts["b"]) if day_first else (parts["b"], parts["a"])
    date = parts["y"] + "-" + month.str.zfill(2) + "-" + day.str.zfill(2)
    hour = parts["h"].cast(pl.Int64, strict=False)
    half = parts["half"].str.to_lowercase()
    hour = pl.select(
        pl.when(half == "p").then(hour % 12 + 12).when(half == "a").then(hour % 12).otherwise(hour)
    ).to_series()
    clock = (" " + hour.cast(pl.String).str.zfill(2) + ":" + parts["m"]).fill_null("")
    proof = text.filter(above[0] if day_first else above[1])[0]
    found = SlashOrder("day first" if day_first else "month first", int(dates.sum()), proof)
    return (date + clock).fill_null(text).alias(text.name), found

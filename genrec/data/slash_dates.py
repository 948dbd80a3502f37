"""Dates such as 25/06/2024: which of the first two numbers is the day is told by the whole column, or by nothing."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from genrec.data.month_names import clock_of

_PATTERN = (
    r"^(?<a>\d{1,2})[/-](?<b>\d{1,2})[/-](?<y>\d{4})"
    r"(?:,?[ T]+(?<h>\d{1,2}):(?<m>\d{2}(?::\d{2}(?:\.\d+)?)?)(?: ?(?<half>[AaPp])\.?[Mm]\.?)?)?$"
)
_MONTHS = 12
_FEW = 0.05
_ORDERS = {"day first": "a", "month first": "b"}
"""Of either order the number that is the day, and so may be above twelve."""


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


class SlashTally:
    """Counts of such dates over all pieces of a column: what they mean is settled once.

    Attributes:
        rows: How many there are.
        example: One of them.
    """

    def __init__(self) -> None:
        self.rows, self.example = 0, ""
        self._above: dict[str, int] = dict.fromkeys(_ORDERS, 0)
        self._proofs: dict[str, str] = {}

    def add(self, text: pl.Series) -> None:
        """Count those of a piece."""
        dates = text.filter(text.str.contains(_PATTERN).fill_null(False))
        if not len(dates):
            return
        self.rows, self.example = self.rows + len(dates), self.example or dates[0]
        parts = dates.str.extract_groups(_PATTERN).struct.unnest()
        for order, part in _ORDERS.items():
            above = dates.filter(parts[part].cast(pl.Int64) > _MONTHS)
            self._above[order] += len(above)
            if len(above):
                self._proofs.setdefault(order, above[0])

    def order(self) -> SlashOrder | None:
        """What they mean: sure where one of the first two numbers is above twelve somewhere, the other hardly ever."""
        most = max(self._above, key=lambda order: self._above[order])
        if not self._above[most] or min(self._above.values()) > _FEW * self._above[most]:
            return None
        return SlashOrder(most, self.rows, self._proofs[most])


def without_slashes(text: pl.Series) -> tuple[pl.Series, SlashOrder | None]:
    """Dates with slashes (or dashes) and the year at the end as ISO dates, where it is sure what they mean.

    Returns:
        The column, and what was found; None: nothing was changed.

    >>> text, found = without_slashes(pl.Series(["25/06/2024 7:05", "01/02/2024"]))
    >>> text.to_list(), found.order, found.proof
    (['2024-06-25 07:05', '2024-02-01'], 'day first', '25/06/2024 7:05')
    >>> without_slashes(pl.Series(["01/02/2024"]))[1] is None
    True
    """
    tally = SlashTally()
    tally.add(text)
    found = tally.order()
    return (text, None) if found is None else (in_order(text, found.order), found)


def in_order(text: pl.Series, order: str | None) -> pl.Series:
    """A column with such dates as ISO dates.

    Args:
        text: String.
        order: ``day first`` or ``month first``; None: nobody knows, and they become null.
    """
    dates = text.str.contains(_PATTERN).fill_null(False)
    if order is None or not dates.any():
        return text.set(dates, None)
    parts = text.str.extract_groups(_PATTERN).struct.unnest()
    day, month = (parts["a"], parts["b"]) if order == "day first" else (parts["b"], parts["a"])
    date = parts["y"] + "-" + month.str.zfill(2) + "-" + day.str.zfill(2)
    clock = clock_of(parts["h"], parts["m"], parts["half"])
    return (date + clock).fill_null(text).alias(text.name)

"""Rows of interactions whose user nobody named: blank below the first row of an order, or one id for all guests."""

from __future__ import annotations

import shlex

import numpy as np
import polars as pl

from genrec.data.likely_columns import nearest_column
from genrec.data.report import N_EXAMPLES, DataReport
from genrec.schema import Columns
from genrec.wording import count as counted

_NOBODY = {"guest", "guests", "anonymous", "anon", "unknown", "undefined", "not set", "na", "nobody", "gast", "invité"}
_NUMBERS = ("0", "-1")
_LARGE = 5.0
"""A user with so many times the rows of a usual one is probably many people."""
_NEARLY_ALL, _HARDLY_ANY = 0.9, 0.1


def advice_on_missing(frame: pl.DataFrame, user_column: str, missing: np.ndarray) -> str | None:
    """What to do about rows without a user, where the table tells more than that they are blank.

    Args:
        frame: The table.
        user_column: Its column of users.
        missing: ``(n_rows,)`` bool, rows without a user.
    """
    if not missing.any():
        return None
    rest = [name for name in frame.columns if name != user_column]
    other = nearest_column(rest, Columns.User)
    filled = 0 if other is None else int((_present(frame[other]) & missing).sum())
    if other is not None and filled >= _NEARLY_ALL * missing.sum():
        return (
            f"'{other}' has an id in {counted(filled, 'of these rows', 'of these rows')}: name it with --user-column "
            f"{shlex.quote(other)} (user_column={other!r} in Python)."
        )
    for name in rest:
        same = (frame[name] == frame[name].shift(1)).fill_null(False).to_numpy()
        if not missing.all() and same[missing].mean() >= _NEARLY_ALL and same[~missing].mean() <= _HARDLY_ANY:
            return f"Only the first row of each '{name}' names the user: fill its user and time into the rows below it."
    return None


def note_guests(user_ids: pl.Series, users: np.ndarray, report: DataReport) -> None:
    """Tell of ids that stand for nobody or for all guests, and so make one user of many people.

    Args:
        user_ids: Distinct ids.
        users: ``(n_rows,)`` positions in them.
        report: Gets ``guests``.
    """
    counts = np.bincount(users, minlength=len(user_ids))
    note_counted_guests(user_ids, counts, float(counts.mean()), report)


def note_counted_guests(user_ids: pl.Series, counts: np.ndarray, usual: float, report: DataReport) -> None:
    """Like :func:`note_guests`, of ids whose rows are counted.

    Args:
        user_ids: Distinct ids.
        counts: ``(n_ids,)`` rows of each.
        usual: Rows of a usual user.
        report: Gets ``guests``.
    """
    many = counts >= _LARGE * max(usual, 1.0)
    named = may_be_nobody(user_ids).to_numpy() & (~user_ids.is_in(_NUMBERS).to_numpy() | many)
    found = np.flatnonzero(named & (counts > 0))
    shown = [f"user {user_ids[int(row)]!r}: {counted(int(counts[row]), 'row')}" for row in found[:N_EXAMPLES]]
    report.add("guests", int(counts[found].sum()), shown)


def may_be_nobody(user_ids: pl.Series) -> pl.Series:
    """Whether ids, String, are words for nobody, or numbers that are one where they have many rows."""
    words = user_ids.str.to_lowercase().str.strip_chars("()[]<>{}_ .").str.replace_all("[-_/]", "")
    return words.is_in(sorted(_NOBODY)) | user_ids.is_in(_NUMBERS)


def _present(series: pl.Series) -> np.ndarray:
    texts = series.cast(pl.String, strict=False)
    return (texts.is_not_null() & (texts.str.strip_chars() != "").fill_null(False)).to_numpy()

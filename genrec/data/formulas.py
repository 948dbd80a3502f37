"""Texts that a spreadsheet program would run as formulas when it opens a csv file."""

from __future__ import annotations

import polars as pl

from genrec.wording import count

_BEGINS = r"^[\t\r]*[=+\-@\uff1d\uff0b\uff0d\uff20]"
_NUMBER = r"^[+-][0-9][0-9.,]*(?:[eE][+-]?[0-9]+)?$"


def formula_note(frame: pl.DataFrame) -> str | None:
    """What is said of a table whose texts begin as formulas do; None where none does.

    The texts are written as they are: a program that reads the file gets what was there.

    >>> formula_note(pl.DataFrame({"title": ["=1+1", "Cup"], "price": [-1, 2]}))
    "1 text (1 of title, such as '=1+1') begins with =, +, - or @: spreadsheet programs run that as a formula."
    >>> formula_note(pl.DataFrame({"title": ["-5", "a=b"]}))
    """
    found, total = [], 0
    for series in frame.get_columns():
        if series.dtype != pl.String:
            continue
        texts = series.filter(series.str.contains(_BEGINS).fill_null(False))
        texts = texts.filter(~texts.str.contains(_NUMBER))
        if len(texts):
            total += len(texts)
            found.append(f"{len(texts):,} of {series.name}, such as {texts[0][:40]!r}")
    if not found:
        return None
    begin, what = ("begins", "that as a formula") if total == 1 else ("begin", "those as formulas")
    return f"{count(total, 'text')} ({'; '.join(found)}) {begin} with =, +, - or @: spreadsheet programs run {what}."

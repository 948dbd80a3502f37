"""Rows that may be no interest at all: returns, cancellations, and events of several kinds in one table."""

from __future__ import annotations

import re
from collections.abc import Collection

import polars as pl

from genrec.data.report import DataReport, Lines

_QUANTITY = re.compile(
    r"^(?:quantity|qty|amount|units|menge|anzahl|stück|stueck|quantidade|qtd|cantidad|quantit[éeà]|qté|aantal|ilo[śs][ćc]"
    r"|数量|수량)$",
    re.IGNORECASE,
)
_STATUS = re.compile(
    r"status|state|situa[çc][ãa]o|estado|statut|stato|[ée]tat|cancel|refund|return|ステータス|状態|状况|状态|상태",
    re.IGNORECASE,
)
_UNDONE = (
    r"(?i)cancel|storn|return|retour|refund|erstatt|annul|devol|reembols|rimbors|charge.?back|void"
    r"|キャンセル|返品|返金|取消|退款|退货|退貨|취소|반품|환불"
)
_KIND = re.compile(
    r"^(?:event|action|activity|behaviou?r|interaction)(?:[_ ]?(?:type|name|kind))?$|^type$|^ereignis|^aktion",
    re.IGNORECASE,
)
_KNOWN_KIND = r"(?i)view|click|impression|cart|wish|purchase|buy|order|transaction|rate|like|play|search|remove"
_MOST_KINDS = 30


def note_kinds(frame: pl.DataFrame, others: Collection[str | None], report: DataReport, lines: Lines) -> None:
    """Count rows of a table of interactions that look returned or cancelled, and tell of kinds that count alike.

    Args:
        frame: The table, all columns.
        others: Columns that are something else: users, items, times.
        report: Gets ``undone-rows`` and ``kinds-of-rows``.
        lines: Where the rows stand.
    """
    undone = pl.Series("undone", [False]).new_from_index(0, frame.height)
    examples: list[str] = []
    for name in (name for name in frame.columns if name not in others):
        found = _undone(frame[name])
        if found is not None and found.any():
            row = int(found.arg_max() or 0)
            examples.append(f"{lines.of(row)}: {name} {frame[name][row]!r}")
            undone |= found
        if _KIND.search(name.strip()) and frame[name].dtype == pl.String:
            _note_kinds(frame[name], report)
    report.add("undone-rows", int(undone.sum()), examples)


def _undone(series: pl.Series) -> pl.Series | None:
    """Rows whose value of this column says that they were taken back; None: it is no such column."""
    name = series.name.strip()
    if _QUANTITY.search(name):
        if series.dtype.is_numeric():
            return (series < 0).fill_null(False)
        return series.str.contains(r"^\s*-\s*\d").fill_null(False) if series.dtype == pl.String else None
    if _STATUS.search(name) and series.dtype == pl.String:
        words = series.unique()
        taken = words.filter(words.str.contains(_UNDONE).fill_null(False))
        return series.is_in(taken.implode()).fill_null(False) if len(words) <= max(_MOST_KINDS, 1) else None
    return None


def _note_kinds(series: pl.Series, report: DataReport) -> None:
    counts = series.drop_nulls().value_counts(sort=True)
    known = counts[series.name].str.contains(_KNOWN_KIND).any()
    if 2 <= counts.height <= _MOST_KINDS and known:
        shown = ", ".join(f"{number:,} {kind!r}" for kind, number in counts.head(4).rows())
        report.add("kinds-of-rows", len(series), [f"{series.name}: {shown}"])

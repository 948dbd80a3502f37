"""Official evaluation rows of public repositories: one case a row, a history and the item that came next."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from genrec.data.columns import MISSING, as_strings, require_column
from genrec.data.histories import Histories
from genrec.data.split import EvaluationSet
from genrec.data.tables import read_table
from genrec.errors import DataError
from genrec.schema import Columns
from genrec.wording import agree, count

HISTORY_NAMES = ("history_item_id", "history_item_ids", "history", "item_history", "history_ids", "input_ids", "inputs")
"""Names that the column of histories is looked for under."""
_SEPARATORS = (r"\s+", r"\s*,\s*", r"\s*;\s*", r"\s*\|\s*")
_LOOKED_AT = 1000
_MOST_LOST = 0.5


def read_cases(
    path: Path | str,
    item_ids: np.ndarray,
    *,
    user_column: str = Columns.User,
    history_column: str | None = None,
    target_column: str = Columns.Item,
) -> tuple[EvaluationSet, dict[str, int]]:
    """Cases from a table with a history and a target in every row.

    A history is a list (JSON lines, Parquet), the text of one (``[1, 2]``, ``['a', 'b']``), or ids with blanks, commas,
    semicolons or bars between them: of these the separator that gives the most known items.

    Args:
        path: The table; without a column of users every row is a user of its own.
        item_ids: ``(n_items,)`` the catalogue.
        user_column: Users.
        history_column: Histories, oldest item first; None: the usual names.
        target_column: The items that came next.

    Returns:
        The cases in the order of the rows, and what was left out: ``unknown-history-items``, ``unknown-targets`` and
        ``empty-histories``, each with its number.

    Raises:
        DataError: A column is missing, a history cannot be read, or most rows have to be left out.
    """
    frame = read_table(path)
    history_column = _history_column(frame, history_column, path)
    require_column(frame, target_column, "target_column", path)
    positions = {str(item): place for place, item in enumerate(item_ids.tolist())}
    lists = _lists(frame[history_column], positions, path)
    targets = [positions.get(text.strip(), -1) if text else -1 for text in as_strings(frame[target_column], path)]
    users = (
        as_strings(frame[user_column], path).to_list()
        if user_column in frame.columns
        else [str(row) for row in range(frame.height)]
    )
    known = [[positions[item] for item in items if item in positions] for items in lists]
    lost = {
        "unknown-history-items": sum(len(items) - len(kept) for items, kept in zip(lists, known, strict=True)),
        "unknown-targets": sum(target < 0 for target in targets),
        "empty-histories": sum(target >= 0 and not items for target, items in zip(targets, known, strict=True)),
    }
    rows = [row for row in range(frame.height) if targets[row] >= 0 and known[row]]
    if len(rows) < (1 - _MOST_LOST) * frame.height:
        raise DataError(
            f"Only {len(rows):,} of {count(frame.height, 'case')} can be used: "
            f"{count(lost['unknown-targets'], 'target')} {agree(lost['unknown-targets'], 'is', 'are')} not in "
            f"the catalogue, {count(lost['empty-histories'], 'history')} without an item of it.",
            where=path,
            expected="the ids of the catalogue in history and target",
            hint="Check that both tables use the same ids.",
        )
    histories = Histories.from_lists([known[row] for row in rows], [users[row] or f"row {row}" for row in rows])
    return EvaluationSet(histories, np.array([targets[row] for row in rows], dtype=np.int32)), lost


def _history_column(frame: pl.DataFrame, name: str | None, path: Path | str) -> str:
    if name is not None:
        return require_column(frame, name, "history_column", path)
    found = next((known for known in HISTORY_NAMES if known in frame.columns), None)
    if found is None:
        raise DataError(
            "There is no column of histories.",
            where=path,
            expected=f"one of {', '.join(HISTORY_NAMES)}; the columns are: {', '.join(frame.columns)}",
            hint="Name it: --history-column COLUMN.",
        )
    return found


def _lists(column: pl.Series, positions: dict[str, int], path: Path | str) -> list[list[str]]:
    """Item ids of every row."""
    if isinstance(column.dtype, pl.List):
        return [[_id(item) for item in items or ()] for items in column.to_list()]
    texts = [(text or "").strip() for text in as_strings(column, path)]
    texts = ["" if text in MISSING else text for text in texts]
    plain = [text for text in texts if text and not text.startswith("[")][:_LOOKED_AT]
    separator = max(
        _SEPARATORS, key=lambda one: sum(item in positions for text in plain for item in re.split(one, text))
    )
    return [_items(text, separator, row, path) for row, text in enumerate(texts)]


def _items(text: str, separator: str, row: int, path: Path | str) -> list[str]:
    if not text.startswith("["):
        return [item for item in re.split(separator, text) if item]
    for read in (json.loads, ast.literal_eval):  # both read values only, nothing is run
        try:
            items = read(text)
        except (ValueError, SyntaxError, MemoryError, RecursionError, TypeError):
            continue
        if isinstance(items, list):
            return [_id(item) for item in items]
    raise DataError(
        f"The history {text[:60]!r} cannot be read.", where=f"{path}: row {row + 1}", expected="a list of item ids"
    )


def _id(item: Any) -> str:
    return str(int(item)) if isinstance(item, float) and item.is_integer() else str(item).strip()

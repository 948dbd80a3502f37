"""Ranking within a given list of candidates for every case, instead of the whole catalogue."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp

from genrec.baselines import ScoringBaseline
from genrec.baselines.ranking import tie_order
from genrec.data.delimited import Quotes
from genrec.data.histories import Histories
from genrec.data.interactions import Interactions
from genrec.data.report import DataReport
from genrec.data.sorting import distinct
from genrec.data.split import EvaluationSet
from genrec.errors import DataError
from genrec.recommender import Recommendations, Recommender
from genrec.schema import Columns
from genrec.wording import agree, count

CANDIDATES_REMARK = "ranked within given candidates"
_CELLS = 1 << 24


def read_candidates(
    path: Path | str,
    item_ids: Sequence[str] | np.ndarray,
    cases: EvaluationSet,
    *,
    user_column: str = Columns.User,
    item_column: str = Columns.Item,
    quotes: Quotes = "doubled",
    allow_lost: float | None = None,
    report: DataReport | None = None,
) -> Histories:
    """Candidate lists from a table ``user_id, item_id``, one list a case (users with several cases use one list).

    Args:
        path: The table; other columns are ignored.
        item_ids: ``(n_items,)`` the catalogue.
        cases: The cases.
        user_column: Name of the column with the user ids.
        item_column: Name of the column with the item ids.
        quotes: What ``"`` means in csv and tsv files: see :data:`genrec.data.delimited.Quotes`.
        allow_lost: Largest share of rows that cannot be read; None: :data:`genrec.data.report.ALLOW_LOST`.
        report: Takes over what was found.

    Returns:
        One list a case, in the order of the cases.

    Raises:
        DataError: The table cannot be read, an item is not in the catalogue, or a user of a case has no list.
    """
    table = Interactions.read(
        path,
        user_column=user_column,
        item_column=item_column,
        time_column=None,
        quotes=quotes,
        allow_lost=allow_lost,
    )
    lists = table.histories(item_ids, unknown="error", consecutive_repeats="keep")
    if report is not None:
        report.merge(table.report.renamed("candidates"))
    rows = {user: row for row, user in enumerate(lists.user_ids.tolist())}
    missing = [user for user in dict.fromkeys(cases.histories.user_ids.tolist()) if user not in rows]
    if missing:
        raise DataError(
            f"{count(len(missing), 'user')} of the cases {agree(len(missing), 'has', 'have')} no candidates.",
            where=f"{path}: users {', '.join(map(repr, missing[:3]))}",
            expected="a list for every user that is evaluated",
        )
    return lists.select(np.array([rows[user] for user in cases.histories.user_ids], dtype=np.int64))


def check_candidates(candidates: Histories, n_cases: int, n_items: int) -> None:
    """Refuse candidate lists of other cases or of another catalogue.

    Raises:
        DataError: Not one list a case, an empty list, or a position outside the catalogue.
    """
    if len(candidates) != n_cases:
        raise DataError(
            f"{count(len(candidates), 'candidate list')} for {count(n_cases, 'case')}.", expected="one list a case"
        )
    if n_cases and not candidates.lengths.min():
        raise DataError("A candidate list is empty.", where=f"case {int(candidates.lengths.argmin())}")
    if n_cases and not 0 <= candidates.items.min() <= candidates.items.max() < n_items:
        raise DataError(
            "A candidate is not in the recommender's catalogue.", expected=f"positions from 0 to {n_items - 1}"
        )


def candidates_remark(candidates: Histories, targets: np.ndarray) -> str:
    """What a reader of the figures must know about the lists."""
    rows = np.repeat(np.arange(len(candidates)), candidates.lengths)
    hits = candidates.items == np.repeat(targets, candidates.lengths)
    share = float((np.bincount(rows[hits], minlength=len(candidates)) > 0).mean())
    size = f"mean {candidates.lengths.mean():.0f} items"
    held = f"{share:.1%}".replace("%", " %")
    return f"{CANDIDATES_REMARK} ({size}), which hold {held} of the targets"


def rank_candidates(
    recommender: Recommender, histories: Histories, candidates: Histories, k: int, *, exclude_seen: bool
) -> Recommendations:
    """The best ``k`` candidates of every history.

    Baselines score all candidates at once; recommenders with an option ``allow_each`` are given the lists. Any other
    is asked once for every distinct list, by its ``allow`` option: exact, but slow where every user has another list.

    Args:
        recommender: Anything with ``recommend``.
        histories: ``n`` histories.
        candidates: ``n`` lists of positions; their order means nothing.
        k: Length of a list.
        exclude_seen: Never recommend an item of the history.

    Returns:
        ``n`` ranked lists, each a part of its candidates.
    """
    n_items = len(recommender.item_ids)
    k = min(k, n_items)
    items = np.full((len(histories), k), -1, dtype=np.int32)
    scores = np.full((len(histories), k), -np.inf, dtype=np.float32)
    if isinstance(recommender, ScoringBaseline):
        size = int(np.clip(_CELLS // n_items, 1, 1024))
        for start in range(0, len(histories), size):
            part = np.arange(start, min(start + size, len(histories)))
            chosen = _best(recommender, histories.select(part), candidates.select(part), k, exclude_seen)
            items[part], scores[part] = chosen
        return Recommendations(items, scores, recommender.item_ids)
    if _takes_lists(recommender):
        ask: Any = recommender.recommend
        each = [recommender.item_ids[own].tolist() for own in candidates]
        return ask(histories, k, exclude_seen=exclude_seen, allow_each=each)
    for users, allowed in _groups(candidates):
        allow = recommender.item_ids[allowed].tolist()
        lists = recommender.recommend(histories.select(users), k, exclude_seen=exclude_seen, allow=allow)
        width = min(k, lists.items.shape[1])
        items[users, :width], scores[users, :width] = lists.items[:, :width], lists.scores[:, :width]
    return Recommendations(items, scores, recommender.item_ids)


def _takes_lists(recommender: Recommender) -> bool:
    """Whether it can be given one list of allowed items a user: it searches, or has a ``recommend`` of its own."""
    if getattr(recommender, "searches", False):
        return True
    plain = getattr(type(recommender), "recommend", None) is Recommender.recommend
    return not plain and "allow_each" in inspect.signature(recommender.recommend).parameters


def _groups(candidates: Histories) -> list[tuple[np.ndarray, np.ndarray]]:
    """Users by their set of candidates."""
    groups: dict[bytes, list[int]] = {}
    sets = [np.unique(items) for items in candidates]
    for user, items in enumerate(sets):
        groups.setdefault(items.tobytes(), []).append(user)
    return [(np.array(users), sets[users[0]]) for users in groups.values()]


def _best(
    baseline: ScoringBaseline, histories: Histories, candidates: Histories, k: int, exclude_seen: bool
) -> tuple[np.ndarray, np.ndarray]:
    n_items = len(baseline.item_ids)
    table = _dense(baseline.score(histories), baseline.background(), n_items)
    keys = distinct(np.repeat(np.arange(len(candidates)), candidates.lengths) * n_items + candidates.items)
    if exclude_seen:
        seen = np.repeat(np.arange(len(histories)), histories.lengths) * n_items + histories.items
        keys = keys[~np.isin(keys, seen)]
    at, item = np.divmod(keys, n_items)
    value = table[at, item]
    at, item, value = at[value > -np.inf], item[value > -np.inf], value[value > -np.inf]
    order = np.lexsort((tie_order(baseline.popularity)[item], -value, at))
    at, item, value = at[order], item[order], value[order]
    column = np.arange(len(at)) - np.searchsorted(at, at)
    at, item, value, column = (array[column < k] for array in (at, item, value, column))
    items = np.full((len(histories), k), -1, dtype=np.int32)
    scores = np.full((len(histories), k), -np.inf, dtype=np.float32)
    items[at, column], scores[at, column] = item, value
    return items, scores


def _dense(scores: np.ndarray | sp.sparray, background: np.ndarray | None, n_items: int) -> np.ndarray:
    """Scores as ``(n_users, n_items)`` float32; what a sparse matrix does not store has the background's score."""
    if isinstance(scores, np.ndarray):
        return scores.astype(np.float32)
    stored = sp.csr_array(scores).tocoo()
    filler = np.full(n_items, -np.inf, dtype=np.float32) if background is None else background.astype(np.float32)
    table = np.tile(filler, (stored.shape[0], 1))
    table[stored.row, stored.col] = stored.data
    return table

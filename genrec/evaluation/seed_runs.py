"""What several seeds of one run reach on the same validation cases, and what their networks add."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from genrec.data.split import EvaluationSet
from genrec.evaluation.seeds import over_seeds
from genrec.evaluation.uncertainty import paired_difference
from genrec.generative.recommender import GenerativeRecommender
from genrec.generative.without_network import without_network
from genrec.metrics import ndcg_at, recall_at
from genrec.recommender import Recommender
from genrec.training.validation import ALONE

Row = dict[str, Any]


def compare_seeds(runs: Iterable[tuple[int, GenerativeRecommender]], cases: EvaluationSet) -> list[Row]:
    """Measure the recommenders of several seeds.

    Where words or counts are added to the network, it is compared with the same words and counts without it, user by
    user: for every seed, and for the mean over seeds.

    Args:
        runs: Seeds and recommenders, one after the other, so that one is in memory at a time.
        cases: Of validation, the same for all.

    Returns:
        A row a seed, then one of all seeds, whose figures are means with ``_std`` and the ends of their intervals by
        Student's t. Figures are ``ndcg@k`` and ``recall@k`` as it decodes, ``alone_ndcg@k`` of the network alone and
        ``without_ndcg@k`` without it; ``gain`` is the mean difference to the latter, with ``gain_low``, ``gain_high``
        and ``p``. What has no such row has None there.
    """
    rows: list[Row] = []
    together: list[np.ndarray] = []
    without: list[np.ndarray] = []
    users = cases.histories.user_ids
    for seed, recommender in runs:
        row, own, bare = _measured(seed, recommender, cases)
        rows.append(row)
        together.append(own)
        if bare is not None:
            without.append(bare)
    if not rows:
        return []
    [whole] = over_seeds(rows, keys=("split", "cases"))
    if len(without) == len(rows):
        whole |= _gain(np.mean(together, axis=0), np.mean(without, axis=0), users)
    return [*rows, whole]


def _measured(
    seed: int, recommender: GenerativeRecommender, cases: EvaluationSet
) -> tuple[Row, np.ndarray, np.ndarray | None]:
    """The row of a seed, and NDCG of every case with the network and without it."""
    settings = recommender.config.validation
    k, usual = settings.k, {"beams": settings.beams}

    def ranks(one: Recommender, options: dict[str, Any] | None = None) -> np.ndarray:
        more: dict[str, Any] = {} if options is None else {"options": options}
        found = one.recommend(cases.histories, k, exclude_seen=settings.exclude_seen, **more)
        return found.ranks_of(cases.targets)

    placed = ranks(recommender, usual)
    own = np.asarray(ndcg_at(placed, k), dtype=np.float64)
    row: Row = {"seed": seed, "split": "validation", "cases": len(cases)}
    row |= {f"ndcg@{k}": float(own.mean()), f"recall@{k}": float(recall_at(placed, k).mean())}
    row |= {f"alone_ndcg@{k}": None, f"without_ndcg@{k}": None, "gain": None, "gain_low": None, "gain_high": None}
    row["p"] = None
    bare = without_network(recommender)
    if bare is None:
        return row, own, None
    less = np.asarray(ndcg_at(ranks(bare), k), dtype=np.float64)
    alone = ndcg_at(ranks(recommender, usual | ALONE), k)
    row |= {f"alone_ndcg@{k}": float(alone.mean()), f"without_ndcg@{k}": float(less.mean())}
    return row | _gain(own, less, cases.histories.user_ids), own, less


def _gain(first: np.ndarray, second: np.ndarray, users: np.ndarray) -> Row:
    found = paired_difference(first, second, users)
    return {"gain": found.mean, "gain_low": found.low, "gain_high": found.high, "p": found.p_value}

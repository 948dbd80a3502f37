"""What beam width costs: searches of several widths against the exact ranking of the whole catalogue."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from genrec.artifacts import write_atomic
from genrec.data.split import EvaluationSet
from genrec.decoding.request import Request
from genrec.errors import ConfigError
from genrec.generative.recommender import GenerativeRecommender
from genrec.metrics import ndcg_at, recall_at
from genrec.progress import Progress
from genrec.recommender import Recommendations
from genrec.wording import count

WIDTHS = (10, 20, 50, 100)


def beam_regret(
    recommender: GenerativeRecommender,
    cases: EvaluationSet,
    *,
    k: int = 10,
    widths: Sequence[int] = WIDTHS,
    exclude_seen: bool = True,
    chunk: int = 256,
    progress: Progress | None = None,
    on_row: Callable[[list[dict[str, Any]]], None] | None = None,
) -> list[dict[str, Any]]:
    """Compare beam search with exact scoring on the same users.

    Args:
        recommender: What is searched.
        cases: Histories and one target each.
        k: Length of the lists.
        widths: Beam widths.
        exclude_seen: See :meth:`genrec.recommender.Recommender.recommend`.
        chunk: Cases given to ``recommend`` at once.
        progress: Called with (what, cases done, cases in all).
        on_row: Called with the rows so far after every search, because the exact one takes long.

    Returns:
        One row for exact scoring and one per width: ``beams`` (None: exact), ``recall@k`` and ``ndcg@k`` of the
        targets, ``overlap`` (share of the exact list that was found), ``first`` (share of users whose best item is the
        exact one), ``score_gap`` (how much lower the mean log-probability of a list is), ``seconds``, ``cpu_seconds``
        and ``users_per_second``.

    Raises:
        ConfigError: No widths, or one below 1.
    """
    if not widths or min(widths) < 1:
        raise ConfigError(f"Beam widths {list(widths)}.", expected="numbers from 1")
    rows, truth = [], None
    for beams in (None, *sorted(set(widths))):
        name = "exact" if beams is None else f"{count(beams, 'beam')}"
        options = {"exact": True, "batch_users": None} if beams is None else {"exact": False, "beams": beams}
        began, worked = time.perf_counter(), time.process_time()
        found = _recommend(recommender, cases, k, exclude_seen, options, chunk, name, progress)
        seconds, cpu_seconds = time.perf_counter() - began, time.process_time() - worked
        truth = found if truth is None else truth
        ranks = found.ranks_of(cases.targets)
        rows.append(
            {
                "beams": beams,
                f"recall@{k}": float(recall_at(ranks, k).mean()),
                f"ndcg@{k}": float(ndcg_at(ranks, k).mean()),
                **_against(found, truth),
                "seconds": round(seconds, 2),
                "cpu_seconds": round(cpu_seconds, 2),
                "cases_per_second": round(len(cases) / seconds, 1),
                "cases": len(cases),
                "users": len(set(cases.histories.user_ids.tolist())),
                "items": len(recommender.item_ids),
            }
        )
        if on_row is not None:
            on_row(rows)
    return rows


def write_regret(folder: Path, rows: Sequence[Mapping[str, Any]], **more: object) -> None:
    """Write ``beam-regret.json`` and ``beam-regret.md``.

    Args:
        folder: Where to.
        rows: From :func:`beam_regret`.
        more: What every row is of, such as ``dataset`` and ``command``.
    """
    content = [
        {"benchmark": "beam-regret", "recommender": "generative", "kind": "generative", **more, **row} for row in rows
    ]
    write_atomic(folder / "beam-regret.json", json.dumps(content, indent=1) + "\n")
    columns = [key for key in rows[0] if key not in ("cases", "users", "items")]
    size = f"{count(rows[0]['cases'], 'case')} of {count(rows[0]['users'], 'user')}, {count(rows[0]['items'], 'item')}"
    lines = [
        f"# Beam search against exact scoring: {more.get('dataset', '')}, {size}",
        "",
        "| " + " | ".join(columns) + " |",
        "|---" * len(columns) + "|",
    ]
    lines += ["| " + " | ".join(_cell(row[key]) for key in columns) + " |" for row in rows]
    if "command" in more:
        lines += ["", f"`{more['command']}`"]
    write_atomic(folder / "beam-regret.md", "\n".join(lines) + "\n")


def _cell(value: Any) -> str:
    if value is None:
        return "exact"
    return f"{value:.4f}" if isinstance(value, float) and abs(value) < 10 else f"{value:,}"


def _recommend(
    recommender: GenerativeRecommender,
    cases: EvaluationSet,
    k: int,
    exclude_seen: bool,
    options: dict[str, Any],
    chunk: int,
    name: str,
    progress: Progress | None,
) -> Recommendations:
    parts, request = [], Request(k, exclude_seen, options=recommender.options.for_once(options))
    for at in range(0, len(cases), chunk):
        histories = cases.histories.select(np.arange(at, min(at + chunk, len(cases))))
        parts.append(recommender.answer(histories, request))
        if progress is not None:
            progress(name, min(at + chunk, len(cases)), len(cases))
    items, scores = (np.concatenate([getattr(part, key) for part in parts]) for key in ("items", "scores"))
    return Recommendations(items, scores, recommender.item_ids)


def _against(found: Recommendations, truth: Recommendations) -> dict[str, float]:
    real = truth.items >= 0
    hit = (truth.items[:, :, None] == found.items[:, None, :]).any(2) & real
    lengths = np.maximum(real.sum(1), 1)
    means = [np.where(one.items >= 0, one.scores, 0).sum(1) / lengths for one in (truth, found)]
    return {
        "overlap": float((hit.sum(1) / lengths).mean()),
        "first": float((truth.items[:, 0] == found.items[:, 0]).mean()),
        "score_gap": float((means[0] - means[1]).mean()),
    }

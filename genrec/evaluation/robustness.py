"""Robustness curves: how much a recommender loses when histories are noisy."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np

from genrec.artifacts import write_atomic
from genrec.data.histories import Histories
from genrec.data.split import EvaluationSet
from genrec.errors import ConfigError, DataError
from genrec.evaluation.evaluator import EvaluationResult, evaluate
from genrec.evaluation.report import Row
from genrec.evaluation.tables import as_markdown
from genrec.evaluation.uncertainty import bootstrap_metrics
from genrec.progress import Progress
from genrec.recommender import Recommender
from genrec.wording import count

Noise = Literal["replace", "delete", "inject-popular"]
NOISES: tuple[Noise, ...] = get_args(Noise)
SHARES = (0.1, 0.2, 0.4)
METRICS = ("recall@10", "ndcg@10")
_MEANING = {
    "replace": "replaced by random items",
    "delete": "left out",
    "inject-popular": "followed by a popular item",
}


def perturb(
    cases: EvaluationSet, noise: Noise, share: float, popularity: np.ndarray, *, seed: int = 0
) -> EvaluationSet:
    """The same cases with noise in their histories; targets stay.

    Every event is hit with probability ``share``, by one random number an event: what is hit at 10 % is so at 20 %.
    ``replace`` puts a random item of the catalogue in its place, ``delete`` leaves it out (of a history that would
    become empty the last item stays), ``inject-popular`` puts an item after it that is drawn by popularity. The target
    itself is never put in: where seen items are excluded it could not be hit.

    Args:
        cases: What is evaluated.
        noise: One of :data:`NOISES`.
        share: From 0 to 1.
        popularity: ``(n_items,)`` training counts.
        seed: Same seed, same noise.

    Returns:
        Cases with the same users and targets; histories without timestamps.

    Raises:
        ConfigError: Unknown noise, or a share outside 0 to 1.
        DataError: Nothing can be put in: no item but the target has any training interaction.

    >>> cases = EvaluationSet(Histories.from_lists([[0, 1, 2]]), np.array([3]))
    >>> perturb(cases, "delete", 1.0, np.ones(4)).histories.items.tolist()
    [2]
    """
    if noise not in NOISES:
        raise ConfigError(f"Unknown noise '{noise}'.", expected=", ".join(NOISES))
    if not 0 <= share <= 1:
        raise ConfigError(f"The share of noise is {share}.", expected="a number from 0 to 1")
    histories = cases.histories
    owners = np.repeat(np.arange(len(histories)), histories.lengths)
    rng = np.random.default_rng([seed, NOISES.index(noise)])
    hit = rng.random(len(owners)) < share
    if noise == "delete":
        return EvaluationSet(_without(histories, owners, hit), cases.targets, cases.timestamps)
    weights = np.ones(len(popularity)) if noise == "replace" else np.asarray(popularity, dtype=np.float64)
    drawn = _draw(weights, cases.targets[owners], rng)  # for every event, so that shares share their noise
    if noise == "replace":
        items = np.where(hit, drawn, histories.items).astype(np.int32)
        return EvaluationSet(Histories(histories.user_ids, histories.offsets, items), cases.targets, cases.timestamps)
    copies = 1 + hit.astype(np.int64)
    items = np.repeat(histories.items, copies)
    ends = np.cumsum(copies) - 1
    items[ends[hit]] = drawn[hit]
    offsets = np.r_[0, np.cumsum(copies)][histories.offsets].astype(np.int64)
    return EvaluationSet(Histories(histories.user_ids, offsets, items), cases.targets, cases.timestamps)


def robustness(
    recommender: Recommender,
    cases: EvaluationSet,
    popularity: np.ndarray,
    *,
    noises: Sequence[Noise] = NOISES,
    shares: Sequence[float] = SHARES,
    metrics: Sequence[str] = METRICS,
    exclude_seen: bool = True,
    seed: int = 0,
    clean: EvaluationResult | None = None,
    progress: Progress | None = None,
    more: dict[str, Any] | None = None,
) -> list[Row]:
    """Metrics of a recommender under growing noise in the histories.

    Args:
        recommender: Anything with ``recommend``.
        cases: What is evaluated.
        popularity: ``(n_items,)`` training counts, see :func:`perturb`.
        noises: Kinds of noise.
        shares: How many events are hit.
        metrics: Such as ``recall@10``.
        exclude_seen: Never recommend items of the (noisy) history.
        seed: Of the noise.
        clean: Result on the same cases without noise, if it is there.
        progress: Called with (what, evaluations done, evaluations in all).
        more: Further keys of the rows.

    Returns:
        One row a noise and share, without noise first (``share`` 0): ``recommender``, ``noise``, ``share``, ``cases``,
        each metric with the ends of its 95 % interval, and ``METRIC_kept``, its share of the value without noise.

    Raises:
        DataError: The popularity is of another catalogue.
    """
    if len(popularity) != len(recommender.item_ids):
        raise DataError(f"{count(len(popularity), 'popularity')} for {count(len(recommender.item_ids), 'item')}.")
    ks = sorted({int(metric.partition("@")[2]) for metric in metrics})
    plan = [(noise, share) for noise in noises for share in shares]
    start = clean or evaluate(recommender, cases, ks=ks, exclude_seen=exclude_seen)
    rows = []
    for done, (noise, share) in enumerate([(noise, 0.0) for noise in noises] + plan, start=1):
        result = start
        if share:
            noisy = perturb(cases, noise, share, popularity, seed=seed)
            result = evaluate(recommender, noisy, ks=ks, exclude_seen=exclude_seen, slices=())
        figures = _figures(result, start, metrics)
        about = {"recommender": recommender.name, "kind": recommender.kind, "seed": seed, "cases": len(cases)}
        rows.append({"benchmark": "robustness", **about, "noise": noise, "share": share, **figures, **(more or {})})
        if progress is not None:
            progress(f"{recommender.name}, noisy histories", done, len(noises) + len(plan))
    order = {noise: place for place, noise in enumerate(noises)}
    return sorted(rows, key=lambda row: (order[row["noise"]], row["share"]))


def robustness_lines(rows: Sequence[Row], metric: str = "recall@10") -> list[dict[str, str]]:
    """Cells of a table: one line a noise and recommender, one column a share."""
    shares = sorted({row["share"] for row in rows})
    lines = []
    for noise, name in dict.fromkeys((row["noise"], row["recommender"]) for row in rows):
        own = {row["share"]: row for row in rows if (row["noise"], row["recommender"]) == (noise, name)}
        cells = {f"{share:.0%}".replace("%", " %"): _cell(own.get(share), metric) for share in shares}
        lines.append({"events": _MEANING.get(noise, noise), "recommender": name, **cells})
    return lines


def write_robustness(folder: Path, rows: Sequence[Row], *, command: str) -> None:
    """Write ``robustness.json`` (the rows) and ``robustness.md`` (a table a metric).

    Args:
        folder: It exists.
        rows: Of :func:`robustness`.
        command: What repeats it.
    """
    write_atomic(folder / "robustness.json", json.dumps(list(rows), indent=1, ensure_ascii=False) + "\n")
    page = ["# Noisy histories", "", f"`{command}`", ""]
    for metric in METRICS:
        page += [f"## {metric}", "", as_markdown(robustness_lines(rows, metric)), ""]
    page += [
        "Columns: share of the events that are hit. In brackets: share of the value without noise that is kept.",
        "",
    ]
    write_atomic(folder / "robustness.md", "\n".join(page))


def _cell(row: Row | None, metric: str) -> str:
    if row is None or row.get(metric) is None:
        return "–"
    kept = row.get(f"{metric}_kept")
    return f"{row[metric]:.4f}" + ("" if kept is None or not row["share"] else f" ({kept * 100:.0f} %)")


def _figures(result: EvaluationResult, clean: EvaluationResult, metrics: Sequence[str]) -> Row:
    intervals = bootstrap_metrics(result.ranks, metrics, result.owners)
    figures: Row = {}
    for name, interval in intervals.items():
        before = float(clean.values(name).mean())
        figures |= {name: interval.mean, f"{name}_low": interval.low, f"{name}_high": interval.high}
        figures[f"{name}_kept"] = interval.mean / before if before else None
    return figures


def _without(histories: Histories, owners: np.ndarray, hit: np.ndarray) -> Histories:
    """Histories without the rows that are hit; the last one stays where nothing else would."""
    left = np.bincount(owners[~hit], minlength=len(histories))
    emptied = np.flatnonzero((left == 0) & (histories.lengths > 0))
    keep = ~hit
    keep[histories.offsets[1:][emptied] - 1] = True
    kept = histories.take(keep)
    return Histories(kept.user_ids, kept.offsets, kept.items)


def _draw(weights: np.ndarray, forbidden: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """One item for each forbidden one, drawn by weight from all others: ``(n,)`` int32."""
    if len(forbidden) and ((weights.sum() - weights[forbidden]) <= 0).any():
        raise DataError("No item but the target has training interactions.", where="noise in histories")
    below = np.r_[0.0, np.cumsum(weights)]
    # cut the target's piece out of the line of weights, draw a place, and shift what lies behind the cut
    place = rng.random(len(forbidden)) * (below[-1] - weights[forbidden])
    place += np.where(place >= below[forbidden], weights[forbidden], 0.0)
    drawn = np.minimum(np.searchsorted(below, place, side="right") - 1, len(weights) - 1)
    return drawn.astype(np.int32)

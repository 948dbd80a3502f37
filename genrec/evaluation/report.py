"""Reports: flat rows for machines, tables for people, one line a user for further analysis."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from genrec.artifacts import write_atomic
from genrec.data.tables import write_table
from genrec.evaluation.candidates import CANDIDATES_REMARK
from genrec.evaluation.evaluator import EvaluationResult
from genrec.evaluation.tables import as_markdown
from genrec.evaluation.uncertainty import Interval, bootstrap_metrics
from genrec.schema import Columns

Row = dict[str, Any]
_IN_ROWS = ("recall", "ndcg", "mrr", "hit")
SHOWN = ("recall@5", "ndcg@5", "recall@10", "ndcg@10")
_BEYOND = (
    "novelty",
    "popularity_lift",
    "diversity",
    "id_recall",
    "id_ndcg",
    "collision_inflation",
)
_SPREAD = ("coverage", "gini")
MAIN_SLICES = ("all", "novel", "repeat")
REPEATS_NOTE = "Seen items were excluded, so repeat targets could not be hit."


def rows(
    result: EvaluationResult,
    *,
    benchmark: str,
    dataset: str,
    split: str = "test",
    targets: Sequence[str] = ("all", "novel"),
    seed: int | None = None,
    command: str | None = None,
    device: str = "cpu",
    commit: str | None = None,
    resamples: int = 1000,
    more: Mapping[str, Any] | None = None,
) -> list[Row]:
    """Flat rows of one result, one a slice, each metric with the ends of its 95 % interval.

    Args:
        result: What was measured.
        benchmark: Name of the benchmark, kebab-case.
        dataset: Name of the dataset.
        split: ``test`` or ``validation``.
        targets: Slices that get a row.
        seed: Of the recommender, None for what has none.
        command: What repeats it.
        device: Where it ran.
        commit: Of the code.
        resamples: Of the bootstrap; 0 leaves the intervals out.
        more: Further keys.

    Returns:
        Rows whose values JSON can hold; what is undefined is None.

    Raises:
        DataError: A slice that the result does not have.
    """
    made = []
    for name in targets:
        row = {
            "benchmark": benchmark,
            "dataset": dataset,
            "split": split,
            "targets": name,
            "recommender": result.recommender,
            "kind": result.kind,
            "seed": seed,
            "cases": int(result.mask(name).sum()),
            "users": result.users(name),
            "items": result.items,
            **_figures(result, name, resamples),
            **{key: value for key, value in result.metrics.items() if key.split("@")[0] in _SPREAD and name == "all"},
            **_conditions(result),
            "command": command,
            "device": device,
            "commit": commit,
            **(more or {}),
        }
        made.append({key: _plain(value) for key, value in row.items()})
    return made


def _conditions(result: EvaluationResult) -> dict[str, Any]:
    """How a recommender was asked, and how far it could answer."""
    return {
        "exclude_seen": result.exclude_seen,
        "valid": result.valid,
        "short_users": result.short_users,
        "missing": result.missing,
        "remark": result.remark,
        "seconds": round(result.seconds, 3),
    }


def _figures(result: EvaluationResult, targets: str, resamples: int) -> dict[str, float]:
    means = result.slice_metrics(targets)
    names = [f"{kind}@{k}" for k in result.ks for kind in _IN_ROWS]
    beyond = {name: value for name, value in means.items() if name.split("@")[0] in _BEYOND}
    if not resamples:
        return {name: means[name] for name in names} | beyond
    intervals = slice_intervals(result, targets, names, resamples=resamples)
    figures: dict[str, float] = {}
    for name in names:
        figures |= {name: means[name], f"{name}_low": intervals[name].low, f"{name}_high": intervals[name].high}
    return figures | beyond


def slice_intervals(
    result: EvaluationResult, targets: str, metrics: Sequence[str], *, resamples: int = 1000
) -> dict[str, Interval]:
    """95 % intervals of a slice, drawn by user: a figure has the same one wherever a report shows it.

    Args:
        result: What was measured.
        targets: Slice.
        metrics: Such as ``ndcg@10``.
        resamples: Of the bootstrap.
    """
    mask = result.mask(targets)
    # All of them are always drawn together: with fewer metrics the same users would be drawn in another order.
    names = dict.fromkeys([*(f"{kind}@{k}" for k in result.ks for kind in _IN_ROWS), *metrics])
    owners = None if result.owners is None else result.owners[mask]
    intervals = bootstrap_metrics(result.ranks[mask], list(names), owners, resamples=resamples)
    return {name: intervals[name] for name in metrics}


def _plain(value: Any) -> Any:
    value = value.item() if isinstance(value, np.generic) else value
    return None if isinstance(value, float) and not math.isfinite(value) else value


def write_results(
    folder: Path | str,
    name: str,
    content: Sequence[Row],
    *,
    title: str,
    command: str,
    sections: Sequence[str] = (),
    further: Sequence[Row] = (),
    metrics: Sequence[str] | None = None,
) -> None:
    """Write ``NAME.json`` (the rows) and ``NAME.md`` (the same as a table, with the command that repeats it).

    Args:
        folder: Made if it does not exist.
        name: Kebab-case, without a suffix.
        content: Rows of :func:`rows`.
        title: Heading of the page.
        command: What repeats it.
        sections: Further parts of the page, Markdown, below the main table.
        further: Rows for the JSON file only, such as those of :func:`genrec.evaluation.seeds.over_seeds`.
        metrics: Those that the table shows; None: the usual ones.
    """
    folder, shown = Path(folder), SHOWN if metrics is None else tuple(metrics)
    write_atomic(folder / f"{name}.json", json.dumps([*content, *further], indent=1, ensure_ascii=False) + "\n")
    main = [row for row in content if row.get("targets") in MAIN_SLICES]
    others = [row for row in content if row.get("targets") not in MAIN_SLICES]
    page = [f"# {title}", "", f"`{command}`", "", markdown_table(main, shown), "", _notes(content), "", *sections]
    if others:
        page += ["## Slices", "", markdown_table(others, shown, about_run=False), ""]
    if beyond := beyond_lines(content):
        page += ["## Beyond accuracy", "", as_markdown(beyond), ""]
    write_atomic(folder / f"{name}.md", "\n".join(page))


def markdown_table(content: Sequence[Row], metrics: Sequence[str] = SHOWN, *, about_run: bool = True) -> str:
    """Rows as a Markdown table, each figure with its interval where it has one; seconds and remarks if asked for."""
    leading = ("dataset", "split", "targets", "recommender", "seed", "cases", "users")
    always = ("targets", "recommender", "users" if all("cases" not in row for row in content) else "cases")
    several = {key for key in ("dataset", "split", "seed") if len(_values(content, key)) > 1}
    if any(row.get("cases", row.get("users")) != row.get("users") for row in content):
        several.add("users")
    many = [key for key in leading if key in always or key in several]
    own, _ = split_remarks([row.get("remark") or "" for row in content])
    lines = [
        {
            **{key: _text(row.get(key)) for key in many},
            **{metric: _with_interval(row, metric) for metric in metrics if any(metric in r for r in content)},
            **({"seconds": _text(row.get("seconds"))} if about_run else {}),
            **({"remark": remark or "–"} if any(own) and about_run else {}),
        }
        for row, remark in zip(content, own, strict=True)
    ]
    return as_markdown(lines)


def split_remarks(remarks: Sequence[str]) -> tuple[list[str], list[str]]:
    """What each says of its own, and what all of them say, which a reader should have to read once.

    >>> split_remarks(["within lists", "seen items allowed; within lists"])
    (['', 'seen items allowed'], ['within lists'])
    """
    parts = [remark.split("; ") if remark else [] for remark in remarks]
    shared = [part for part in parts[0] if all(part in others for others in parts)] if parts else []
    return ["; ".join(part for part in own if part not in shared) for own in parts], shared


def beyond_lines(content: Sequence[Row], k: int = 10) -> list[dict[str, str]]:
    """Cells of a table beyond accuracy, one line a row over all targets; columns that no row has are left out.

    Args:
        content: Rows of :func:`rows`.
        k: Cut-off of the figures that have one.
    """
    over_all = [row for row in content if row.get("targets") == "all"]
    keys = [key for key in (f"{name}@{k}" for name in (*_SPREAD, *_BEYOND)) if any(key in row for row in over_all)]
    if not keys:
        return []
    several = len(_values(over_all, "seed")) > 1
    return [
        {
            "recommender": _text(row.get("recommender")),
            **({"seed": _text(row.get("seed"))} if several else {}),
            **{key: _beyond_text(key, row.get(key)) for key in keys},
            "valid": "–" if row.get("valid") is None else f"{row['valid']:.1%}",
            "short lists": _text(row.get("short_users")),
        }
        for row in over_all
    ]


def _beyond_text(key: str, value: float | None) -> str:
    if value is None:
        return "–"
    return f"{value:.2f}" if key.startswith(("novelty", "popularity_lift")) else f"{value:.4f}"


def _values(content: Sequence[Row], key: str) -> set[Any]:
    return {row.get(key) for row in content}


def _text(value: Any) -> str:
    if value is None:
        return "–"
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)


def _with_interval(row: Row, metric: str) -> str:
    value, low, high = (row.get(key) for key in (metric, f"{metric}_low", f"{metric}_high"))
    if value is None:
        return "–"
    return f"{value:.4f}" if low is None or high is None else f"{value:.4f} ({low:.4f}–{high:.4f})"


def _notes(content: Sequence[Row]) -> str:
    _, shared = split_remarks([row.get("remark") or "" for row in content])
    within = any(CANDIDATES_REMARK in part for part in shared)
    ranking = "; ".join(shared) if within else "full ranking of the catalogue"
    notes = [f"Item level, {ranking}. In brackets: 95 % bootstrap interval over users{_several_cases(content)}."]
    if any(row.get("exclude_seen") for row in content):
        notes.append(REPEATS_NOTE)
    return "\n".join(notes)


def _several_cases(content: Sequence[Row]) -> str:
    """What a reader must know of the intervals where users have several cases."""
    several = any(row.get("cases", row.get("users")) != row.get("users") for row in content)
    return ", each drawn with all of its cases" if several else ""


def per_user_frame(result: EvaluationResult, item_ids: np.ndarray) -> pl.DataFrame:
    """One line a case: ``user_id``, ``item_id`` (the target), ``rank`` (null where it is not in the list), slices.

    Where they were measured also ``id_rank`` and the figures beyond accuracy.

    Args:
        result: What was measured.
        item_ids: ``(n_items,)`` ids of the catalogue.
    """
    return pl.DataFrame(
        {
            Columns.User: pl.Series(result.user_ids.tolist(), dtype=pl.String),
            Columns.Item: pl.Series(item_ids[result.targets].tolist(), dtype=pl.String),
            Columns.Rank: _nullable(result.ranks),
            **{name: mask for name, mask in result.masks.items() if name != "all"},
            **({} if result.id_ranks is None else {"id_rank": _nullable(result.id_ranks)}),
            **result.figures,
        }
    )


def _nullable(ranks: np.ndarray) -> pl.Series:
    series = pl.Series(ranks, dtype=pl.Int32)
    return series.set(series == 0, None)


def write_per_user(path: Path | str, result: EvaluationResult, item_ids: np.ndarray) -> None:
    """Write :func:`per_user_frame`; the suffix of the path says how (``.parquet``)."""
    write_table(per_user_frame(result, item_ids), Path(path))

"""The evaluation report as one self-contained HTML page, for somebody who did not run it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from genrec.evaluation import plots
from genrec.evaluation.candidates import CANDIDATES_REMARK
from genrec.evaluation.compare import ComparedResult, Comparison
from genrec.evaluation.report import MAIN_SLICES, REPEATS_NOTE, SHOWN, Row, beyond_lines
from genrec.evaluation.robustness import robustness_lines
from genrec.pages import drawn, filled
from genrec.wording import count

TEMPLATE = "report.html.jinja"
_FEWEST_IN_PLOT = 30
_MOST_IN_PLOT = 5
_MEANINGS = {
    "recall": "share of the cases whose target is among the first k recommended items (here equal to the hit rate)",
    "ndcg": "the same, but a target further down counts less: 1 / log2(rank + 1)",
    "coverage": "share of the catalogue that at least one user was recommended",
    "gini": "0: all items are recommended equally often; near 1: always the same few",
    "novelty": "mean surprise of the recommended items in bits, from their share of all training interactions",
    "popularity_lift": "mean popularity of recommended items over that of items in histories; above 1: more popular",
    "diversity": "mean of 1 - cosine between the items of one list, in the space of the item vectors",
    "id_recall": "recall where any item with the target's semantic ID before disambiguation counts as a hit",
    "id_ndcg": "NDCG counted in the same way",
    "collision_inflation": "id_recall - recall: what a report at ID level would claim too much",
}


@dataclass(frozen=True)
class ReportContent:
    """What a report tells.

    Attributes:
        dataset: Its name.
        part: ``test`` or ``validation``.
        split: How the interactions were split; may be empty.
        command: What repeats it.
        rows: Rows of :func:`genrec.evaluation.report.rows`, of all recommenders and slices.
        comparison: All recommenders against one of them.
        noisy: Rows of :func:`genrec.evaluation.robustness.robustness`; may be empty.
    """

    dataset: str
    part: str
    split: str
    command: str
    rows: list[Row]
    comparison: Comparison
    noisy: list[Row] = field(default_factory=list)


def render_html(content: ReportContent) -> str:
    """The page. Plots are inside it where matplotlib is installed; else the page says how to get them.

    Args:
        content: What is told.
    """
    over_all = [row for row in content.rows if row["targets"] == "all"]
    slices = [row for row in content.rows if row["targets"] != "all"]
    k = _cut_off(over_all)
    recall = f"recall@{k}"
    rows_drawn = [
        row
        for row in content.rows
        if row["recommender"] in _drawn(over_all, content.comparison) and row["cases"] >= _FEWEST_IN_PLOT
    ]
    palette = plots.colours([row["recommender"] for row in [*over_all, *content.noisy]])
    context = {
        "content": content,
        "facts": _facts(content, over_all),
        "in_short": _in_short(content.comparison, over_all),
        "main": _main_lines(over_all),
        "differences": [_difference(row, content.comparison.reference) for row in content.comparison.rows],
        "slices": _slice_lines(slices, recall),
        "beyond": beyond_lines(content.rows, k),
        "noise": robustness_lines(content.noisy, recall) if content.noisy else [],
        "remarks": _remarks(over_all, slices),
        "meanings": _meanings(over_all),
        "interval_plot": drawn(plots.interval_plot, over_all, [recall, f"ndcg@{k}"], palette),
        "slice_plot": drawn(plots.slice_plot, rows_drawn, recall, palette) if len(rows_drawn) > len(over_all) else None,
        "noise_plot": drawn(plots.noise_plot, content.noisy, recall, palette) if content.noisy else None,
        "k": k,
        "fewest": _FEWEST_IN_PLOT,
        "most": _MOST_IN_PLOT if len(over_all) > _MOST_IN_PLOT else None,
    }
    return filled(Path(__file__).parent / TEMPLATE, context)


def _cut_off(rows: Sequence[Row]) -> int:
    ks = sorted(int(key.partition("@")[2]) for key in rows[0] if key.startswith("recall@") and key[7:].isdigit())
    return max((k for k in ks if k <= 10), default=ks[0])


def _drawn(rows: Sequence[Row], comparison: Comparison) -> set[str]:
    """Recommenders in the plot of slices: all, or the reference and the best of the others."""
    best = [row.recommender for row in comparison.rows if row.recommender != comparison.reference]
    return (
        {comparison.reference, *best[: _MOST_IN_PLOT - 1]}
        if len(rows) > _MOST_IN_PLOT
        else {*best, comparison.reference}
    )


def _facts(content: ReportContent, rows: Sequence[Row]) -> list[tuple[str, str]]:
    first = rows[0]
    seen = "excluded: items of the history are never recommended" if first["exclude_seen"] else "may be recommended"
    within = next((r["remark"] for r in rows if CANDIDATES_REMARK in (r["remark"] or "")), None)
    facts = [
        ("Dataset", content.dataset),
        ("Cases", f"{_cases(first, content.part)}, one target item each"),
        ("Ranking", within or f"the whole catalogue of {count(first['items'], 'item')}"),
        ("Seen items", seen),
        ("Recommenders", ", ".join(f"{row['recommender']} ({row['kind']})" for row in rows)),
    ]
    if content.split:
        facts.insert(1, ("Split", content.split))
    return facts


def _cases(row: Row, part: str) -> str:
    """``22,363 test cases``, and of how many users where some have several."""
    users = "" if row["users"] == row["cases"] else f" of {count(row['users'], 'user')}"
    return f"{row['cases']:,} {part} case{'' if row['cases'] == 1 else 's'}{users}"


def _in_short(comparison: Comparison, rows: Sequence[Row]) -> list[str]:
    """A few sentences that claim no more than the tests."""
    best = comparison.rows[0]
    interval = best.interval
    sentences = [
        f"Highest {comparison.metric}: {best.recommender} with {interval.mean:.4f} (95 % interval "
        f"{interval.low:.4f} to {interval.high:.4f})."
    ]
    for verdict, words in (
        ("better", "are really better than {0}"),
        ("not different", "cannot be told from {0} by these users"),
        ("worse", "are really worse than {0}"),
    ):
        names = [row.recommender for row in comparison.rows if row.verdict == verdict]
        if names:
            words = words.replace("are ", "is ") if len(names) == 1 else words
            sentences.append(f"{', '.join(names)} {words.format(comparison.reference)}.")
    broken = [row["recommender"] for row in rows if row["valid"] is not None and row["valid"] < 1]
    if broken:
        sentences.append(
            f"Not all recommended entries of {', '.join(broken)} are valid: look at it before anything else."
        )
    return sentences


def _main_lines(rows: Sequence[Row]) -> list[dict[str, Any]]:
    there = [key for key in rows[0] if key.startswith(("recall@", "ndcg@")) and key.split("@")[1].isdigit()]
    metrics = [metric for metric in SHOWN if metric in there] or there
    best = {m: max((row[m] for row in rows if row[m] is not None), default=None) for m in metrics}
    return [
        {
            "recommender": row["recommender"],
            "cells": [
                {
                    "metric": m,
                    "value": _number(row[m]),
                    "range": _range(row, m),
                    "best": row[m] is not None and row[m] == best[m],
                }
                for m in metrics
            ],
            "seconds": f"{row['seconds']:,.1f}",
        }
        for row in rows
    ]


def _slice_lines(rows: Sequence[Row], metric: str) -> dict[str, Any]:
    names = list(dict.fromkeys(row["recommender"] for row in rows))
    lines = []
    for one in dict.fromkeys(row["targets"] for row in rows):
        own = {row["recommender"]: row for row in rows if row["targets"] == one}
        cases = next(iter(own.values()))["cases"]
        cells = [
            {"value": _number(own[name].get(metric)), "range": _range(own[name], metric)} if name in own else None
            for name in names
        ]
        lines.append({"slice": one, "cases": f"{cases:,}", "cells": cells})
    return {"metric": metric, "recommenders": names, "lines": lines}


def _difference(row: ComparedResult, reference: str) -> dict[str, str]:
    if row.difference is None or row.adjusted_p is None:
        return {"recommender": row.recommender, "verdict": row.verdict, "change": "", "range": "", "p": ""}
    return {
        "recommender": row.recommender,
        "verdict": row.verdict,
        "change": f"{row.difference.mean:+.4f}",
        "range": f"{row.difference.low:+.4f} to {row.difference.high:+.4f}",
        "p": "below 0.0002" if row.adjusted_p < 0.0002 else f"{row.adjusted_p:.4f}",
    }


def _remarks(over_all: Sequence[Row], slices: Sequence[Row]) -> list[str]:
    remarks = [f"{row['recommender']}: {row['remark']}." for row in over_all if row["remark"]]
    if any(row["exclude_seen"] for row in over_all) and any(row["targets"] == MAIN_SLICES[2] for row in slices):
        remarks.append(REPEATS_NOTE)
    short = [row for row in over_all if row["short_users"]]
    remarks += [
        f"{row['recommender']}: {count(row['short_users'], 'case')} got fewer items than asked for." for row in short
    ]
    return remarks


def _meanings(rows: Sequence[Row]) -> list[tuple[str, str]]:
    there = {key.partition("@")[0] for row in rows for key in row if "@" in key}
    return [(name, text) for name, text in _MEANINGS.items() if name in there]


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.4f}"


def _range(row: Row, metric: str) -> str:
    low, high = row.get(f"{metric}_low"), row.get(f"{metric}_high")
    return "" if low is None or high is None else f"{low:.4f} – {high:.4f}"

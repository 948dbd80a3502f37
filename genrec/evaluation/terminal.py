"""Results as tables of plain text, for a terminal."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from genrec.evaluation.case_labels import LABELS
from genrec.evaluation.evaluator import EvaluationResult
from genrec.evaluation.report import REPEATS_NOTE, SHOWN, split_remarks
from genrec.evaluation.tables import plain_table


def result_table(
    results: Sequence[EvaluationResult], metrics: Sequence[str] = SHOWN, targets: Sequence[str] | None = None
) -> str:
    """Plain text table of results for a terminal, one line a recommender and slice, with notes below.

    Args:
        results: In the order of the lines.
        metrics: Columns; those beyond the evaluated cut-offs are left out.
        targets: Slices; None: all that have cases.
    """
    lines = []
    own, shared = split_remarks([result.remark for result in results])
    for name in targets or _slices(results):
        for result, remark in zip(results, own, strict=True):
            if name not in result.masks:
                continue
            means = result.slice_metrics(name)
            lines.append(
                {
                    "targets": name,
                    "recommender": result.recommender,
                    "cases": f"{int(result.mask(name).sum()):,}",
                    "users": "" if result.owners is None else f"{result.users(name):,}",
                    **{metric: _number(means[metric]) for metric in metrics if metric in means},
                    "cases/s": f"{result.cases_per_second:,.0f}" if name == "all" else "",
                    "remark": remark,
                }
            )
    notes = [f"All of them: {part}." for part in shared]
    notes += [
        f"{result.recommender}: {1 - result.valid:.2%} of the recommended entries are not valid."
        for result in results
        if result.valid < 1.0
    ]
    if any(result.exclude_seen and result.masks.get("repeat", np.zeros(1)).any() for result in results):
        notes.append(REPEATS_NOTE)
    return "\n".join([plain_table(lines), *notes])


def label_table(results: Sequence[EvaluationResult], metric: str = "ndcg@10") -> str:
    """Plain text table for a terminal: one metric by what a case asks for, one column a recommender.

    Args:
        results: With the slices of :func:`genrec.evaluation.case_labels.by_transition`.
        metric: Such as ``ndcg@10``.

    Returns:
        The table, or the empty string where no result has these slices.
    """
    names = [name for name in LABELS if name in results[0].masks and results[0].masks[name].any()]
    lines = []
    for name in names:
        mask = results[0].mask(name)
        cells = {result.recommender: _number(float(result.values(metric, name).mean())) for result in results}
        lines.append({"the case asks for": name, "share": f"{mask.mean():.1%}".replace("%", " %"), **cells})
    return plain_table(lines) if lines else ""


def _slices(results: Sequence[EvaluationResult]) -> list[str]:
    names = dict.fromkeys(name for result in results for name, mask in result.masks.items() if mask.any())
    return list(names)


def _number(value: float) -> str:
    return "–" if math.isnan(value) else f"{value:.4f}"

"""Evaluation at item level: metrics, slices, intervals, comparison and reports."""

from __future__ import annotations

from genrec.evaluation.compare import Comparison, compare
from genrec.evaluation.evaluator import EvaluationResult, evaluate
from genrec.evaluation.report import result_table, rows, write_per_user, write_results
from genrec.evaluation.uncertainty import Difference, Interval, bootstrap, paired_difference

__all__ = [
    "Comparison",
    "Difference",
    "EvaluationResult",
    "Interval",
    "bootstrap",
    "compare",
    "evaluate",
    "paired_difference",
    "result_table",
    "rows",
    "write_per_user",
    "write_results",
]

"""Evaluation at item level: metrics, slices, intervals, comparison and reports."""

from __future__ import annotations

from genrec.evaluation.beyond import ItemFacts
from genrec.evaluation.compare import Comparison, compare
from genrec.evaluation.evaluator import EvaluationResult, evaluate
from genrec.evaluation.report import rows, write_per_user, write_results
from genrec.evaluation.robustness import perturb, robustness
from genrec.evaluation.seeds import over_seeds, read_rows
from genrec.evaluation.slices import default_slices
from genrec.evaluation.terminal import result_table
from genrec.evaluation.uncertainty import Difference, Interval, bootstrap, paired_difference

__all__ = [
    "Comparison",
    "Difference",
    "EvaluationResult",
    "Interval",
    "ItemFacts",
    "bootstrap",
    "compare",
    "default_slices",
    "evaluate",
    "over_seeds",
    "paired_difference",
    "perturb",
    "read_rows",
    "result_table",
    "robustness",
    "rows",
    "write_per_user",
    "write_results",
]

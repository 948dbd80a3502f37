"""Several results on the same users, side by side, with a mark on what is really different."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from genrec.errors import DataError
from genrec.evaluation.evaluator import EvaluationResult
from genrec.evaluation.report import slice_intervals, split_remarks
from genrec.evaluation.tables import as_markdown, plain_table
from genrec.evaluation.uncertainty import Difference, Interval, holm, paired_difference
from genrec.wording import count


@dataclass(frozen=True)
class ComparedResult:
    """One line of a comparison.

    Attributes:
        recommender: Name.
        interval: Mean of the metric and its interval.
        difference: Paired difference to the reference (this minus reference); None for the reference itself.
        adjusted_p: Its p-value after Holm's correction; None for the reference.
        verdict: ``reference``, ``better``, ``worse`` or ``not different``.
        remark: Of the result.
    """

    recommender: str
    interval: Interval
    difference: Difference | None
    adjusted_p: float | None
    verdict: str
    remark: str = ""


@dataclass(frozen=True)
class Comparison:
    """Results in the order of the metric, best first.

    Attributes:
        metric: Such as ``ndcg@10``.
        targets: Slice.
        cases: Number of cases in it.
        reference: What everything is compared with.
        rows: One a result.
    """

    metric: str
    targets: str
    cases: int
    reference: str
    rows: list[ComparedResult]

    def table(self) -> str:
        """Plain text for a terminal."""
        return plain_table(self.lines())

    def markdown(self) -> str:
        """A section of a Markdown page."""
        note = (
            f"Paired permutation test of {self.metric} on the same {count(self.cases, 'case')}, p-values "
            "adjusted for the "
            "number of comparisons (Holm). Not different: these users cannot tell, not that the two are equal."
        )
        return f"## What is really different\n\n{as_markdown(self.lines())}\n\n{note}\n"

    def lines(self) -> list[dict[str, str]]:
        """Cells of a table, one line a result; what all results remark is left to the table of the figures."""
        own, _ = split_remarks([row.remark for row in self.rows])
        return [
            {
                "recommender": row.recommender,
                self.metric: f"{row.interval.mean:.4f}",
                "95 % interval": f"{row.interval.low:.4f} to {row.interval.high:.4f}",
                f"against {self.reference}": "" if row.difference is None else f"{row.difference.mean:+.4f}",
                "p (adjusted)": "" if row.adjusted_p is None else f"{row.adjusted_p:.4f}",
                "verdict": row.verdict,
                "remark": remark,
            }
            for row, remark in zip(self.rows, own, strict=True)
        ]


def compare(
    results: Sequence[EvaluationResult],
    metric: str = "ndcg@10",
    *,
    targets: str = "all",
    reference: str | None = None,
    alpha: float = 0.05,
    seed: int = 0,
) -> Comparison:
    """Compare results on the same cases.

    A result differs from the reference when the p-value of the paired permutation test, adjusted for the number of
    comparisons, is below ``alpha``. Not different means that these users cannot tell, not that the two are equal.

    Args:
        results: At least one; the same cases in each, in any order.
        metric: Such as ``ndcg@10``.
        targets: Slice.
        reference: Name of the result to compare with; None: the best one.
        alpha: Level of the test.
        seed: Of the resampling.

    Raises:
        DataError: Nothing to compare, two results of one name, other cases, or an unknown reference.
    """
    results = _aligned(results)
    values = {result.recommender: result.values(metric, targets) for result in results}
    means = {name: float(v.mean()) if len(v) else float("nan") for name, v in values.items()}
    order = sorted(values, key=lambda name: (-np.nan_to_num(means[name], nan=-1.0), name))
    reference = order[0] if reference is None else reference
    if reference not in values:
        raise DataError(f"There is no result '{reference}' to compare with.", expected="one of " + ", ".join(values))
    mask = results[0].mask(targets)
    users = None if results[0].owners is None else results[0].owners[mask]
    differences = {
        name: paired_difference(values[name], values[reference], users, seed=seed)
        for name in order
        if name != reference
    }
    adjusted = dict(zip(differences, holm(np.array([d.p_value for d in differences.values()])).tolist(), strict=True))
    by_name = {result.recommender: result for result in results}
    rows = [
        ComparedResult(
            recommender=name,
            interval=slice_intervals(by_name[name], targets, [metric])[metric],
            difference=differences.get(name),
            adjusted_p=adjusted.get(name),
            verdict=_verdict(differences.get(name), adjusted.get(name), alpha),
            remark=by_name[name].remark,
        )
        for name in order
    ]
    return Comparison(metric, targets, int(mask.sum()), reference, rows)


def _verdict(difference: Difference | None, adjusted: float | None, alpha: float) -> str:
    if difference is None or adjusted is None:
        return "reference"
    if not adjusted < alpha:
        return "not different"
    return "better" if difference.mean > 0 else "worse"


def _aligned(results: Sequence[EvaluationResult]) -> list[EvaluationResult]:
    """The results with their cases in the order of the first."""
    if not results:
        raise DataError("There is nothing to compare.", expected="at least one result")
    names = [result.recommender for result in results]
    if len(set(names)) != len(names):
        twice = sorted({name for name in names if names.count(name) > 1})
        raise DataError(f"Two results are called '{twice[0]}'.", hint="Rename one of them.")
    first = results[0]
    aligned, back = [first], None
    for result in results[1:]:
        same, by = _same_cases(result, first), np.arange(first.cases)
        if not same and result.cases == first.cases:
            back = np.argsort(_by_user(first), kind="stable") if back is None else back
            by = _by_user(result)[back]
            same = bool((result.user_ids[by] == first.user_ids).all() and (result.targets[by] == first.targets).all())
        if not same:
            raise DataError(
                f"'{result.recommender}' and '{first.recommender}' were not evaluated on the same cases.",
                expected="the same users and targets",
                hint="Evaluate them with the same interactions and split.",
            )
        aligned.append(
            replace(
                result,
                ranks=result.ranks[by],
                targets=first.targets,
                user_ids=first.user_ids,
                masks={name: mask[by] for name, mask in result.masks.items()},
                figures={name: values[by] for name, values in result.figures.items()},
                id_ranks=None if result.id_ranks is None else result.id_ranks[by],
            )
        )
    return aligned


def _same_cases(result: EvaluationResult, first: EvaluationResult) -> bool:
    """Whether the cases are the same, in the same order."""
    return np.array_equal(result.targets, first.targets) and np.array_equal(result.user_ids, first.user_ids)


def _by_user(result: EvaluationResult) -> np.ndarray:
    """Order of the cases by user and target, ``(n_cases,)``."""
    return np.lexsort((result.targets, result.user_ids.astype(str)))

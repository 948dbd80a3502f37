"""A whole evaluation: recommenders and honest baselines on the same cases, written to one folder."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal

import numpy as np

from genrec.artifacts import atomic_dir
from genrec.baselines import BASELINES, fit_baselines
from genrec.data.split import Split
from genrec.errors import DataError
from genrec.evaluation.compare import Comparison, compare
from genrec.evaluation.evaluator import KS, EvaluationResult, evaluate
from genrec.evaluation.report import rows, write_per_user, write_results
from genrec.evaluation.slices import Slicer, by_novelty
from genrec.recommender import Recommender

NamedProgress = Callable[[str, int, int], None]


def evaluate_all(
    recommenders: Sequence[Recommender],
    split: Split,
    *,
    part: Literal["validation", "test"] = "test",
    baselines: Sequence[str] = BASELINES,
    ks: Sequence[int] = KS,
    exclude_seen: bool = True,
    slices: Sequence[Slicer] = (by_novelty,),
    users: int | None = None,
    seed: int = 0,
    progress: NamedProgress | None = None,
) -> list[EvaluationResult]:
    """Evaluate recommenders and baselines on the same cases.

    Args:
        recommenders: Over one catalogue.
        split: Baselines learn from its training part and choose their settings on its validation part.
        part: Which cases are ranked.
        baselines: Names, see :data:`genrec.baselines.BASELINES`.
        ks: Cut-offs.
        exclude_seen: The one switch for all of them.
        slices: Slicers, see :mod:`genrec.evaluation.slices`.
        users: Only this many cases, a fixed sample; None: all.
        seed: Of the sample.
        progress: Called with (name, cases done, cases in all).

    Raises:
        DataError: The recommenders have different catalogues.
    """
    item_ids = recommenders[0].item_ids
    for other in recommenders[1:]:
        if len(other.item_ids) != len(item_ids) or (other.item_ids != item_ids).any():
            raise DataError(
                f"'{other.name}' and '{recommenders[0].name}' recommend from different catalogues.",
                hint="Compare recommenders of the same index.",
            )
    cases = split.test if part == "test" else split.validation
    if users is not None and users < len(cases):
        cases = cases.select(np.sort(np.random.default_rng(seed).permutation(len(cases))[:users]))
    everybody = [*recommenders, *fit_baselines(split, item_ids, baselines, exclude_seen=exclude_seen)]
    return [
        evaluate(
            one,
            cases,
            ks=ks,
            exclude_seen=exclude_seen,
            slices=slices,
            progress=None if progress is None else _named(progress, one.name),
        )
        for one in everybody
    ]


def _named(progress: NamedProgress, name: str) -> Callable[[int, int], None]:
    return lambda done, total: progress(name, done, total)


def write_evaluation(
    out: Path | str,
    results: Sequence[EvaluationResult],
    item_ids: np.ndarray,
    *,
    dataset: str,
    part: str,
    command: str,
    device: str = "cpu",
    overwrite: bool = False,
) -> Comparison:
    """Write ``metrics.json`` (flat rows), ``metrics.md`` (the same as a table) and ``users/NAME.parquet``.

    Returns:
        Everything compared with the first result, by NDCG@10 (or the largest cut-off below).

    Raises:
        ArtifactError: ``out`` exists and ``overwrite`` is false.
    """
    first = results[0]
    # Without repeat targets "novel" is "all" again.
    repeats = first.masks.get("repeat")
    targets = ["all", "novel", "repeat"] if repeats is not None and repeats.any() else ["all"]
    k = max((k for k in first.ks if k <= 10), default=first.ks[0])
    comparison = compare(results, f"ndcg@{k}", reference=first.recommender)
    content = [
        row
        for result in results
        for row in rows(
            result,
            benchmark="evaluate",
            dataset=dataset,
            split=part,
            targets=targets,
            command=command,
            device=device,
        )
    ]
    with atomic_dir(out, overwrite=overwrite) as folder:
        write_results(folder, "metrics", content, title=f"{dataset}, {part} cases", command=command)
        (folder / "users").mkdir()
        for result in results:
            write_per_user(folder / "users" / f"{result.recommender}.parquet", result, item_ids)
    return comparison

"""A whole evaluation: recommenders and honest baselines on the same cases, written to one folder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from genrec.artifacts import atomic_dir, write_atomic
from genrec.baselines import QUICK_BASELINES, FitInputs
from genrec.baselines.fit import fit_baselines
from genrec.data.histories import Histories
from genrec.data.split import EvaluationSet, Split
from genrec.errors import DataError
from genrec.evaluation.beyond import ItemFacts
from genrec.evaluation.compare import Comparison, compare
from genrec.evaluation.evaluator import KS, EvaluationResult, evaluate
from genrec.evaluation.gains import NetworkGain, gain_section, network_gains
from genrec.evaluation.html import ReportContent, render_html
from genrec.evaluation.names import file_names
from genrec.evaluation.report import MAIN_SLICES, Row, rows, write_per_user, write_results
from genrec.evaluation.robustness import robustness, write_robustness
from genrec.evaluation.slices import Slicer, default_slices
from genrec.progress import Progress
from genrec.recommender import Recommender

if TYPE_CHECKING:
    from scipy.sparse import csr_array

Part = Literal["validation", "test"]


def evaluate_all(
    recommenders: Sequence[Recommender],
    split: Split,
    *,
    part: Part = "test",
    baselines: Sequence[str] = QUICK_BASELINES,
    ks: Sequence[int] = KS,
    exclude_seen: bool = True,
    slices: Sequence[Slicer] | None = None,
    facts: ItemFacts | None = None,
    words: csr_array | None = None,
    candidates: Histories | None = None,
    users: int | None = None,
    seed: int = 0,
    progress: Progress | None = None,
) -> list[EvaluationResult]:
    """Evaluate recommenders and baselines on the same cases.

    Args:
        recommenders: Over one catalogue.
        split: Baselines learn from its training part and choose their settings on its validation part.
        part: Which cases are ranked.
        baselines: Names, see :data:`genrec.baselines.BASELINES`; those that need item vectors take those of ``facts``.
        ks: Cut-offs.
        exclude_seen: The one switch for all of them.
        slices: Slicers, see :mod:`genrec.evaluation.slices`; None: :func:`genrec.evaluation.slices.default_slices`.
        facts: What is known of the items; None: their popularity in training. A recommender with a semantic index is
            measured at ID level by its own codes.
        words: Words of the items, for the baselines that need them.
        candidates: One list a case of ``part`` within which is ranked; None: the whole catalogue.
        users: Only the cases of so many users, a fixed sample; None: all.
        seed: Of the sample.
        progress: Called with (name, cases done, cases in all).

    Raises:
        DataError: The recommenders have different catalogues.
    """
    item_ids = _one_catalogue(recommenders)
    cases, chosen = sampled_cases(split, part, users, seed)
    known = facts or ItemFacts.of(split.train, len(item_ids))
    inputs = FitInputs(vectors=known.vectors, words=words, exclude_seen=exclude_seen, seed=seed)
    fitted = fit_baselines(split, item_ids, baselines, inputs)
    everybody = [*recommenders, *fitted]
    return [
        evaluate(
            one,
            cases,
            ks=ks,
            exclude_seen=exclude_seen,
            slices=default_slices(split, item_ids) if slices is None else slices,
            facts=_own_facts(one, known),
            candidates=None if candidates is None else candidates.select(chosen),
            progress=progress,
        )
        for one in everybody
    ]


def sampled_cases(split: Split, part: Part, users: int | None, seed: int = 0) -> tuple[EvaluationSet, np.ndarray]:
    """The cases of a part, or those of a fixed sample of its users, and their numbers ``(n,)``.

    Args:
        split: With the cases.
        part: Which ones.
        users: The cases of so many users; None: all.
        seed: Of the sample.
    """
    cases = split.test if part == "test" else split.validation
    if users is None or users >= len(cases):
        return cases, np.arange(len(cases))
    _, first, owners = np.unique(cases.histories.user_ids.astype(str), return_index=True, return_inverse=True)
    places = np.argsort(np.argsort(first))[owners]  # users numbered in the order of their first case
    chosen = np.flatnonzero(np.isin(places, np.random.default_rng(seed).permutation(len(first))[:users]))
    return cases.select(chosen), chosen


def robustness_all(
    recommenders: Sequence[Recommender],
    split: Split,
    *,
    part: Part = "test",
    beside: Sequence[Recommender] | None = None,
    users: int = 1000,
    exclude_seen: bool = True,
    seed: int = 0,
    progress: Progress | None = None,
    more: dict[str, Any] | None = None,
) -> list[Row]:
    """Robustness curves of recommenders and transition counts, see :mod:`genrec.evaluation.robustness`.

    Args:
        recommenders: Over one catalogue.
        split: Transition counts learn from its training part.
        part: Which cases.
        beside: What they are shown beside; None: transition counts, which are fitted here.
        users: The cases of so many users, a fixed sample.
        exclude_seen: The one switch for all of them.
        seed: Of sample and noise.
        progress: Called with (name, steps done, steps in all).
        more: Further keys of the rows.
    """
    item_ids = _one_catalogue(recommenders)
    cases, _ = sampled_cases(split, part, users, seed)
    popularity = np.bincount(split.train.items, minlength=len(item_ids))
    if beside is None:
        beside = fit_baselines(split, item_ids, ["transition-counts"], FitInputs(exclude_seen=exclude_seen))
    return [
        row
        for one in [*recommenders, *beside]
        for row in robustness(
            one,
            cases,
            popularity,
            exclude_seen=exclude_seen,
            seed=seed,
            progress=progress,
            more=more,
        )
    ]


def _content(results: Sequence[EvaluationResult], gains: Sequence[NetworkGain], **about: Any) -> list[Row]:
    """Rows of all results, a slice after the other; rows of all targets also say what the network adds."""
    masks = results[0].masks
    targets = [name for name, mask in masks.items() if mask.any() and (name in MAIN_SLICES or not mask.all())]
    added: dict[str, Any] = {gain.recommender: gain.keys() for gain in gains}
    return [
        {**row, **(added.get(row["recommender"], {}) if row["targets"] == "all" else {})}
        for name in targets
        for result in results
        for row in rows(result, targets=[name], benchmark="evaluate", **about)
    ]


def _one_catalogue(recommenders: Sequence[Recommender]) -> np.ndarray:
    item_ids = recommenders[0].item_ids
    for other in recommenders[1:]:
        if len(other.item_ids) != len(item_ids) or (other.item_ids != item_ids).any():
            raise DataError(
                f"'{other.name}' and '{recommenders[0].name}' recommend from different catalogues.",
                hint="Compare recommenders of the same index.",
            )
    return item_ids


def _own_facts(recommender: Recommender, facts: ItemFacts) -> ItemFacts:
    index = getattr(recommender, "index", None)
    return facts if index is None else replace(facts, codes=index.codes[:, : index.quantizer_levels])


def write_evaluation(
    out: Path | str,
    results: Sequence[EvaluationResult],
    item_ids: np.ndarray,
    *,
    dataset: str,
    part: str,
    command: str,
    split: str = "",
    device: str = "cpu",
    noisy: Sequence[Row] = (),
    without: Mapping[str, str] | None = None,
    overwrite: bool = False,
) -> Comparison:
    """Write a report that can be read without having run anything.

    ``report.html`` (one self-contained page), ``metrics.json`` (flat rows), ``metrics.md`` (the same as tables),
    ``users/NAME.parquet`` (one line a case) and, with ``noisy``, ``robustness.json`` and ``robustness.md``.

    Args:
        out: Folder.
        results: The first one is what all others are compared with.
        item_ids: ``(n_items,)`` the catalogue.
        dataset: Its name.
        part: ``test`` or ``validation``.
        command: What repeats it.
        split: How the interactions were split.
        device: Where it ran.
        noisy: Rows of :func:`robustness_all`.
        without: Recommender to the name of the result without its network; rows of the first then say what the
            network adds (``METRIC_gain`` with its interval, and ``p``).
        overwrite: Replace what is at ``out``.

    Returns:
        Everything compared with the first result, by NDCG@10 (or the largest cut-off below).

    Raises:
        ArtifactError: ``out`` exists and ``overwrite`` is false.
    """
    first = results[0]
    k = max((k for k in first.ks if k <= 10), default=first.ks[0])
    comparison = compare(results, f"ndcg@{k}", reference=first.recommender)
    gains = network_gains(results, without or {}, comparison.metric)
    content = _content(results, gains, dataset=dataset, split=part, command=command, device=device)
    page = ReportContent(dataset, part, split, command, content, comparison, list(noisy))
    with atomic_dir(out, overwrite=overwrite) as folder:
        sections = [gain_section(gains), comparison.markdown()]
        title = f"{dataset}, {part} cases"
        write_results(folder, "metrics", content, title=title, command=command, sections=sections)
        write_atomic(folder / "report.html", render_html(page))
        if noisy:
            write_robustness(folder, noisy, command=command)
        (folder / "users").mkdir()
        files = file_names([result.recommender for result in results])
        for name, result in zip(files, results, strict=True):
            write_per_user(folder / "users" / f"{name}.parquet", result, item_ids)
    return comparison

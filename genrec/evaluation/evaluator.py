"""Evaluation of anything that ranks items: full ranking of the catalogue, item level, one target a case."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from genrec.data.histories import Histories
from genrec.data.split import EvaluationSet
from genrec.errors import ConfigError, DataError
from genrec.evaluation.beyond import ItemFacts, id_metrics, mean_figures
from genrec.evaluation.candidates import candidates_remark, check_candidates, rank_candidates
from genrec.evaluation.slices import Slicer, by_novelty
from genrec.evaluation.tally import Tally
from genrec.metrics import mean_metrics, metric_values
from genrec.progress import Progress
from genrec.recommender import Recommender
from genrec.wording import count

KS = (1, 5, 10, 20)
REPEATS_REMARK = "seen items allowed: it can only repeat them"


@dataclass(frozen=True)
class EvaluationResult:
    """What came out, case by case and in means.

    Attributes:
        recommender: Name.
        kind: ``generative`` or ``baseline``.
        ks: Cut-offs, increasing.
        ranks: ``(n_cases,)`` int32 rank of the target, from 1; 0 where it is not among the first ``max(ks)``.
        targets: ``(n_cases,)`` int32 catalogue positions.
        user_ids: ``(n_cases,)`` object array of str.
        masks: Slices, ``{name: (n_cases,) bool}``; ``all`` is always there.
        metrics: Means over all cases as a flat dictionary: ``recall@k``, ``ndcg@k``, ``mrr@k``, ``hit@k``, ``map@k``;
            ``coverage@k``, the share of the catalogue that somebody got among the first ``k``, and ``gini@k`` of how
            often its items were shown; where the facts of the items allow, also ``novelty@k``, ``popularity_lift@k``,
            ``diversity@k``, ``id_recall@k``, ``id_ndcg@k`` and ``collision_inflation@k`` (see
            :mod:`genrec.evaluation.beyond`).
        cases: Their number.
        items: Size of the catalogue.
        exclude_seen: Whether seen items could not be recommended.
        valid: Share of recommended entries that are items of the catalogue, not repeated in their list and not seen
            where seen items are excluded: 1.0, or the recommender is broken.
        short_users: Cases that got fewer than ``max(ks)`` items.
        missing: Entries that these lists lack together.
        exposure: ``(n_items,)`` int64, how often every item was among the first ``max(ks)``.
        seconds: Time of ``recommend``.
        remark: What a reader of the figures must know, or the empty string.
        figures: Figures beyond accuracy, ``{name: (n_cases,) float32}``, see
            :class:`genrec.evaluation.beyond.ListFigures`.
        id_ranks: ``(n_cases,)`` int32 rank of the first item with the target's semantic ID; None where semantic IDs
            are not known.
    """

    recommender: str
    kind: str
    ks: tuple[int, ...]
    ranks: np.ndarray
    targets: np.ndarray
    user_ids: np.ndarray
    masks: dict[str, np.ndarray]
    metrics: dict[str, float]
    cases: int
    items: int
    exclude_seen: bool
    valid: float
    short_users: int
    missing: int
    exposure: np.ndarray
    seconds: float
    remark: str = ""
    figures: dict[str, np.ndarray] = field(default_factory=dict)
    id_ranks: np.ndarray | None = None

    @property
    def cases_per_second(self) -> float:
        """Cases ranked in a second."""
        return self.cases / self.seconds if self.seconds else float("nan")

    def users(self, targets: str = "all") -> int:
        """Number of distinct users in a slice."""
        mask = self.mask(targets)
        return int(mask.sum()) if self.owners is None else len(np.unique(self.owners[mask]))

    @cached_property
    def owners(self) -> np.ndarray | None:
        """Number of the user of every case, ``(n_cases,)`` int64; None where every user has one case."""
        users = self.user_ids.tolist()
        if len(set(users)) == len(users):
            return None
        numbers: dict[str, int] = {}
        return np.array([numbers.setdefault(user, len(numbers)) for user in users], dtype=np.int64)

    def values(self, metric: str, targets: str = "all") -> np.ndarray:
        """Values of a metric case by case, of one slice: ``(n,)`` float64.

        Raises:
            DataError: Unknown metric or slice, or a cut-off beyond the evaluated lists.
        """
        values = metric_values(self.ranks[self.mask(targets)], metric)
        if int(metric.partition("@")[2]) > self.ks[-1]:
            raise DataError(f"{metric} needs longer lists than were evaluated.", expected=f"at most @{self.ks[-1]}")
        return values

    def slice_metrics(self, targets: str) -> dict[str, float]:
        """Means over one slice, as in ``metrics`` (without coverage and Gini); NaN where the slice is empty."""
        mask = self.mask(targets)
        return _means(self.ranks, self.figures, self.id_ranks, self.ks, mask)

    def mask(self, targets: str) -> np.ndarray:
        """Cases of a slice, ``(n_cases,)`` bool.

        Raises:
            DataError: There is no such slice.
        """
        if targets not in self.masks:
            raise DataError(f"There is no slice '{targets}'.", expected="one of " + ", ".join(self.masks))
        return self.masks[targets]


def evaluate(
    recommender: Recommender,
    cases: EvaluationSet,
    *,
    ks: Sequence[int] = KS,
    exclude_seen: bool = True,
    slices: Sequence[Slicer] = (by_novelty,),
    facts: ItemFacts | None = None,
    candidates: Histories | None = None,
    batch_users: int = 1024,
    progress: Progress | None = None,
) -> EvaluationResult:
    """Rank the whole catalogue (or given candidates) for every case and look where its target is.

    A recommender that can only repeat the history (``repeats_only``, see :class:`genrec.baselines.RepeatLast`) is
    evaluated with seen items allowed, which its result says in ``exclude_seen`` and ``remark``.

    Args:
        recommender: Anything with ``recommend``.
        cases: Histories and one target each.
        ks: Cut-offs.
        exclude_seen: Never recommend items of the history; a target that is in the history then cannot be hit, which
            the slice ``repeat`` shows.
        slices: Slicers, see :mod:`genrec.evaluation.slices`.
        facts: What is known of the items, for figures beyond accuracy.
        candidates: One list of positions a case (their order means nothing) within which is ranked; None: the whole
            catalogue. A target outside its list cannot be hit; the remark of the result says how many are inside.
        batch_users: Cases given to ``recommend`` at once.
        progress: Called with (name of the recommender, cases done, cases in all), after every batch.

    Raises:
        ConfigError: A cut-off or batch below 1.
        DataError: No cases, a target outside the catalogue, or slices, facts or candidates that do not fit them.

    >>> from genrec.baselines import Popularity
    >>> train = Histories.from_lists([[0, 1], [1, 2]])
    >>> cases = EvaluationSet(Histories.from_lists([[0], [2]]), np.array([1, 0]))
    >>> evaluate(Popularity().fit(train, ["a", "b", "c"]), cases, ks=[1, 2]).metrics["recall@1"]
    0.5
    """
    if not ks or min(ks) < 1 or batch_users < 1:
        raise ConfigError(
            f"Cut-offs {list(ks)} and batches of {count(batch_users, 'user')}.", expected="numbers from 1"
        )
    facts = facts or ItemFacts()
    _check(cases, len(recommender.item_ids), facts, candidates)
    repeats = exclude_seen and bool(getattr(recommender, "repeats_only", False))
    excluded = exclude_seen and not repeats
    masks = _masks(cases, slices)
    tally = Tally(len(cases), len(recommender.item_ids), tuple(sorted(set(ks))), facts)
    for batch in _batches(len(cases), batch_users):
        _add_batch(tally, recommender, cases.select(batch), batch, excluded, candidates)
        if progress is not None:
            progress(recommender.name, int(batch[-1]) + 1, len(cases))
    remarks = [REPEATS_REMARK] if repeats else []
    if candidates is not None:
        remarks.append(candidates_remark(candidates, cases.targets))
    return _result(tally, recommender, cases, masks, excluded, remarks)


def _result(
    tally: Tally,
    recommender: Recommender,
    cases: EvaluationSet,
    masks: dict[str, np.ndarray],
    exclude_seen: bool,
    remarks: Sequence[str],
) -> EvaluationResult:
    return EvaluationResult(
        recommender=recommender.name,
        kind=recommender.kind,
        ks=tally.ks,
        ranks=tally.ranks,
        targets=cases.targets,
        user_ids=cases.histories.user_ids,
        masks=masks,
        metrics=_means(tally.ranks, tally.figures, tally.id_ranks, tally.ks) | tally.spread(),
        cases=len(cases),
        items=tally.n_items,
        exclude_seen=exclude_seen,
        valid=tally.valid,
        short_users=tally.short_users,
        missing=tally.missing,
        exposure=tally.exposure[:, -1].copy(),
        seconds=tally.seconds,
        remark="; ".join(remarks),
        figures=tally.figures,
        id_ranks=tally.id_ranks,
    )


def _add_batch(
    tally: Tally,
    recommender: Recommender,
    cases: EvaluationSet,
    batch: np.ndarray,
    exclude_seen: bool,
    candidates: Histories | None,
) -> None:
    k = tally.ks[-1]
    started = time.perf_counter()
    if candidates is None:
        lists = recommender.recommend(cases.histories, k, exclude_seen=exclude_seen)
    else:
        own = candidates.select(batch)
        lists = rank_candidates(recommender, cases.histories, own, k, exclude_seen=exclude_seen)
    tally.seconds += time.perf_counter() - started
    tally.add(batch, lists, cases.targets, cases.histories, seen_allowed=not exclude_seen)


def _means(
    ranks: np.ndarray,
    figures: dict[str, np.ndarray],
    id_level: np.ndarray | None,
    ks: tuple[int, ...],
    mask: np.ndarray | None = None,
) -> dict[str, float]:
    if mask is not None:
        ranks, figures = ranks[mask], {name: values[mask] for name, values in figures.items()}
        id_level = None if id_level is None else id_level[mask]
    means = mean_metrics(ranks, ks) | mean_figures(figures, ks)
    return means if id_level is None else means | id_metrics(id_level, ranks, ks)


def _batches(n: int, size: int) -> Iterator[np.ndarray]:
    return (np.arange(start, min(start + size, n)) for start in range(0, n, size))


def _check(cases: EvaluationSet, n_items: int, facts: ItemFacts, candidates: Histories | None) -> None:
    targets = cases.targets
    if not len(targets):
        raise DataError("There are no evaluation cases.", hint="Use longer histories, or another split.")
    if len(targets) != len(cases.histories):
        raise DataError(f"{count(len(cases.histories), 'history')} but {count(len(targets), 'target')}.")
    if not 0 <= targets.min() <= targets.max() < n_items:
        raise DataError(
            "A target is not in the recommender's catalogue.",
            where=f"position {int(targets.min()) if targets.min() < 0 else int(targets.max())}",
            expected=f"positions from 0 to {n_items - 1}",
            hint="Build the cases with the catalogue that the recommender was made for.",
        )
    facts.check(n_items)
    if candidates is not None:
        check_candidates(candidates, len(targets), n_items)


def _masks(cases: EvaluationSet, slices: Sequence[Slicer]) -> dict[str, np.ndarray]:
    masks = {"all": np.ones(len(cases.targets), dtype=bool)}
    for slicer in slices:
        for name, mask in slicer(cases).items():
            if name in masks:
                raise ConfigError(f"Two slices are called '{name}'.", hint="Give one of them another name.")
            masks[name] = np.asarray(mask, dtype=bool)
    return masks

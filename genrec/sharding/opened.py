"""A job's recommender and the rest of its request, as every worker opens them for itself."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from genrec.decoding.request import Request
from genrec.loading import saved_kind
from genrec.recommender import Recommender
from genrec.schema import Columns
from genrec.sharding.job import JobSettings
from genrec.trust import trusting
from genrec.wording import count


@dataclass
class OpenedJob:
    """What is needed to make a shard.

    Attributes:
        settings: Of the job.
        recommender: Loaded.
        request: What is asked for, for every user.
        titles: Of the catalogue, or None.
        notes: Lines that the caller should read: what of the settings and lists makes no difference.
    """

    settings: JobSettings
    recommender: Recommender
    request: Request
    titles: list[str] | None = None
    notes: list[str] = field(default_factory=list)

    @classmethod
    def open(cls, settings: JobSettings) -> OpenedJob:
        """Load the recommender and the tables that a job names.

        Raises:
            GenRecError: One of them is not there or does not fit.
        """
        notes: list[str] = []
        with trusting(settings.trust_remote_code):
            recommender = _load(settings, notes)
        columns = dict(settings.id_columns)
        allowed, denied = (
            _ids(path, recommender, f"{name} list", columns.get(name, Columns.Item), notes, needed=needed)
            for name, path, needed in (("allow", settings.allow, True), ("deny", settings.deny, False))
        )
        request = Request(settings.k, settings.exclude_seen, allowed, denied)
        index = getattr(recommender, "index", None)
        if index is None:
            return cls(settings, recommender, request, notes=notes)
        completed = _completed(request, recommender, settings, notes)
        return cls(settings, recommender, completed, index.catalog.titles(), notes)


def _load(settings: JobSettings, notes: list[str]) -> Recommender:
    if saved_kind(settings.model) == "baseline":
        return Recommender.from_pretrained(settings.model, device=settings.device)
    from genrec.decoding.options import idle_lines
    from genrec.generative.changes import without_effect
    from genrec.generative.recommender import GenerativeRecommender
    from genrec.index import SemanticIndex

    grown = None if settings.index is None else SemanticIndex.load(settings.index)
    more = {"index": grown, "device": settings.device, "checkpoint": settings.checkpoint}
    recommender = GenerativeRecommender.from_pretrained(settings.model, **more)  # type: ignore[arg-type]
    changed = recommender.options.changed(list(settings.changes))
    idle = without_effect(recommender, changed, prior=settings.prior is not None)
    notes += idle_lines(idle, idle)
    recommender.options = changed
    return recommender


def _completed(request: Request, recommender: Any, settings: JobSettings, notes: list[str]) -> Request:
    from genrec.data.conditions import items_where
    from genrec.data.item_lists import read_scores
    from genrec.data.report import DataReport

    catalog = recommender.index.catalog
    if settings.where:
        name = " and ".join(settings.where)
        mask = items_where(catalog, list(settings.where))
        notes.append(f"{int(mask.sum()):,} of {count(len(mask), 'item')}: {name}")
        recommender.define(name, recommender.item_ids[mask])
        request = replace(request, within=name)
    if settings.prior is not None:
        report = DataReport()
        scores = read_scores(
            settings.prior,
            recommender.item_ids,
            id_column=dict(settings.id_columns).get("prior", Columns.Item),
            score_column=settings.score_column,
            report=report,
        )
        notes += report.lines()
        request = replace(request, prior=scores)
    return request


def _ids(
    path: str | None, recommender: Recommender, name: str, column: str, notes: list[str], *, needed: bool
) -> list[str] | None:
    if path is None:
        return None
    from genrec.data.item_lists import read_item_list

    found = read_item_list(path, recommender.item_ids, name=name, needed=needed, id_column=column)
    notes += found.report.lines()
    return found.ids

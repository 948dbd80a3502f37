"""A job's recommender and the rest of its request, as every worker opens them for itself."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from typing import Any

from genrec.decoding.request import Request
from genrec.loading import saved_kind
from genrec.recommender import Recommender
from genrec.schema import Columns
from genrec.sharding.job import JobSettings
from genrec.trust import trusting

logger = logging.getLogger(__name__)


@dataclass
class OpenedJob:
    """What is needed to make a shard.

    Attributes:
        settings: Of the job.
        recommender: Loaded.
        titles: Of the catalogue, or None.
        request: What is asked for, for every user.
    """

    settings: JobSettings
    recommender: Recommender
    request: Request
    titles: list[str] | None = None

    @classmethod
    def open(cls, settings: JobSettings) -> OpenedJob:
        """Load the recommender and the tables that a job names.

        Raises:
            GenRecError: One of them is not there or does not fit.
        """
        with trusting(settings.trust_remote_code):
            recommender = _load(settings)
        columns = dict(settings.id_columns)
        allowed, denied = (
            _ids(path, recommender, f"{name} list", columns.get(name, Columns.Item), needed=needed)
            for name, path, needed in (("allow", settings.allow, True), ("deny", settings.deny, False))
        )
        request = Request(settings.k, settings.exclude_seen, allowed, denied)
        index = getattr(recommender, "index", None)
        if index is None:
            return cls(settings, recommender, request)
        return cls(settings, recommender, _completed(request, recommender, settings), index.catalog.titles())


def _load(settings: JobSettings) -> Recommender:
    if saved_kind(settings.model) == "baseline":
        return Recommender.from_pretrained(settings.model, device=settings.device)
    from genrec.generative.recommender import GenerativeRecommender
    from genrec.index import SemanticIndex

    grown = None if settings.index is None else SemanticIndex.load(settings.index)
    more = {"index": grown, "device": settings.device, "checkpoint": settings.checkpoint}
    recommender = GenerativeRecommender.from_pretrained(settings.model, **more)  # type: ignore[arg-type]
    recommender.options = recommender.options.changed(list(settings.changes))
    return recommender


def _completed(request: Request, recommender: Any, settings: JobSettings) -> Request:
    from genrec.data.conditions import items_where
    from genrec.data.item_lists import read_scores

    catalog = recommender.index.catalog
    if settings.where:
        name = " and ".join(settings.where)
        recommender.define(name, recommender.item_ids[items_where(catalog, list(settings.where))])
        request = replace(request, within=name)
    if settings.prior is not None:
        scores = read_scores(
            settings.prior,
            recommender.item_ids,
            id_column=dict(settings.id_columns).get("prior", Columns.Item),
            score_column=settings.score_column,
        )
        request = replace(request, prior=scores)
    return request


def _ids(path: str | None, recommender: Recommender, name: str, column: str, *, needed: bool) -> list[str] | None:
    if path is None:
        return None
    from genrec.data.item_lists import read_item_list

    found = read_item_list(path, recommender.item_ids, name=name, needed=needed, id_column=column)
    for line in found.report.lines():
        logger.warning("%s", line)
    return found.ids

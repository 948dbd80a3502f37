"""A job's recommender and the rest of its request, as every worker opens them for itself."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import Any

from genrec.loading import saved_kind
from genrec.recommender import Recommender
from genrec.sharding.job import JobSettings

logger = logging.getLogger(__name__)


@dataclass
class OpenedJob:
    """What is needed to make a shard.

    Attributes:
        settings: Of the job.
        recommender: Loaded.
        titles: Of the catalogue, or None.
        allow: The only items, or None.
        deny: Items that are never recommended, or None.
        request: Further arguments of ``recommend``.
    """

    settings: JobSettings
    recommender: Recommender
    titles: list[str] | None = None
    allow: list[str] | None = None
    deny: list[str] | None = None
    request: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def open(cls, settings: JobSettings) -> OpenedJob:
        """Load the recommender and the tables that a job names.

        Raises:
            GenRecError: One of them is not there or does not fit.
        """
        opened = cls(settings, _load(settings))
        opened.allow = _ids(settings.allow, opened.recommender, "allow list", needed=True)
        opened.deny = _ids(settings.deny, opened.recommender, "deny list")
        index = getattr(opened.recommender, "index", None)
        if index is not None:
            opened.titles = index.catalog.titles()
            opened.request = _request(opened.recommender, settings)
        return opened


def _load(settings: JobSettings) -> Recommender:
    if saved_kind(settings.model) == "baseline":
        return Recommender.from_pretrained(settings.model, device=settings.device)
    from genrec.generative.recommender import GenerativeRecommender
    from genrec.index import SemanticIndex

    grown = None if settings.index is None else SemanticIndex.load(settings.index)
    recommender = GenerativeRecommender.from_pretrained(settings.model, index=grown, device=settings.device)
    recommender.options = recommender.options.changed(list(settings.changes))
    return recommender


def _request(recommender: Any, settings: JobSettings) -> dict[str, Any]:
    from genrec.data.conditions import items_where
    from genrec.data.item_lists import read_scores

    request: dict[str, Any] = {}
    catalog = recommender.index.catalog
    if settings.where:
        name = " and ".join(settings.where)
        recommender.define(name, recommender.item_ids[items_where(catalog, list(settings.where))])
        request["within"] = name
    if settings.prior is not None:
        request["prior"] = read_scores(settings.prior, recommender.item_ids)
    return request


def _ids(path: str | None, recommender: Recommender, name: str, *, needed: bool = False) -> list[str] | None:
    if path is None:
        return None
    from genrec.data.item_lists import read_item_list

    found = read_item_list(path, recommender.item_ids, name=name, needed=needed)
    for line in found.report.lines():
        logger.warning("%s", line)
    return found.ids

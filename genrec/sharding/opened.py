"""A job's recommender and the rest of its request, as every worker opens them for itself."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from genrec.loading import saved_kind
from genrec.recommender import Recommender
from genrec.sharding.job import JobSettings


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
        opened.allow, opened.deny = _ids(settings.allow), _ids(settings.deny)
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
    from genrec.data.scores import read_scores

    request: dict[str, Any] = {}
    catalog = recommender.index.catalog
    if settings.where:
        name = " and ".join(settings.where)
        recommender.define(name, recommender.item_ids[items_where(catalog, list(settings.where))])
        request["within"] = name
    if settings.prior is not None:
        request["prior"] = read_scores(settings.prior, catalog)
    return request


def _ids(path: str | None) -> list[str] | None:
    if path is None:
        return None
    from genrec.data.catalog import Catalog

    return Catalog.read(Path(path)).item_ids.tolist()

"""Catalogues that are learned from together: what each is, and how they are read."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from genrec.data.catalog import Catalog
from genrec.data.delimited import Quotes
from genrec.data.fields import Html
from genrec.data.interactions import Interactions
from genrec.data.naming import ColumnNames
from genrec.data.report import DataReport
from genrec.data.split import Split, split_interactions
from genrec.data.tables import table_start
from genrec.errors import ConfigError
from genrec.training.pretrain_config import DomainSettings, PretrainConfig


@dataclass(frozen=True)
class Domain:
    """One catalogue and what its users did.

    Attributes:
        name: Unique among the domains.
        catalog: The items.
        split: Only the training part is learned from.
        report: What was found in its tables.
    """

    name: str
    catalog: Catalog
    split: Split
    report: DataReport = field(default_factory=DataReport)

    @property
    def identity(self) -> str:
        """Digest of items and training histories."""
        digest = hashlib.sha256(self.catalog.fingerprint().encode())
        for array in (self.split.train.offsets, self.split.train.items):
            digest.update(np.ascontiguousarray(array).tobytes())
        return digest.hexdigest()[:16]


def read_domains(
    config: PretrainConfig, *, allow_lost: float | None = None, quotes: Quotes = "doubled", html: Html = "plain"
) -> list[Domain]:
    """Read the tables that a configuration names.

    Args:
        config: Its domains are read, and cut by its split.
        allow_lost: Largest share of a table's rows that may be lost; see :meth:`Catalog.read`, like the others.
        quotes: What ``"`` means in csv and tsv files.
        html: What is done about HTML in texts.

    Raises:
        ConfigError: No domains, or two of the same name.
        DataError: A table cannot be read.
    """
    names = [domain.name for domain in config.domains]
    if not names or len(set(names)) < len(names):
        raise ConfigError(
            "Pretraining needs at least one domain, each with a name of its own.",
            where="domains",
            expected="a list of name, items and interactions",
            hint="Give --domain NAME=ITEMS,INTERACTIONS, several times.",
        )
    how: dict[str, Any] = {"allow_lost": allow_lost, "quotes": quotes}
    return [_read_domain(settings, config, how, html) for settings in config.domains]


def _read_domain(settings: DomainSettings, config: PretrainConfig, how: dict[str, Any], html: Html) -> Domain:
    starts = [table_start(path, quotes=how["quotes"]).columns for path in (settings.items, settings.interactions)]
    items: dict[str, Any] = settings.columns.of_items(ColumnNames(), starts[0]).arguments()
    events: dict[str, Any] = settings.columns.of_interactions(ColumnNames(), starts[1]).arguments()
    catalog = Catalog.read(settings.items, html=html, **how, **items)
    table = Interactions.read(
        settings.interactions, part_column=config.split.options.get("part_column"), **how, **events
    )
    split = split_interactions(table, catalog.item_ids, config.split, config.drop_consecutive_repeats)
    report = catalog.report.copy()
    report.merge(table.report)
    return Domain(settings.name, catalog, split, report)

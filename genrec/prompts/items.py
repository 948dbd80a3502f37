"""The items of an index as what templates read: codes, title, category and every field."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from genrec.data.catalog import Catalog
from genrec.encoders.text import field_text
from genrec.errors import unknown_name
from genrec.prompts.keywords import CodeTexts
from genrec.prompts.marks import without_marks

if TYPE_CHECKING:
    from genrec.models.llm.code_tokens import CodeTokens

_CATEGORIES = ("category", "categories", "genres")
_UNKNOWN = ("unknown", "n/a", "none")


class ItemTexts:
    """Texts of every item.

    Args:
        catalog: Items in the order of the index.
        codes: ``(n_items, n_levels)`` of the semantic index.
        tokens: The code tokens.

    Attributes:
        codes: As given.
        tokens: As given.
        titled: ``(n_items,)`` bool: which items have a title or another text to call them by.

    Example:
        >>> from genrec.models.llm.code_tokens import CodeTokens
        >>> catalog = Catalog.from_frame(pl.DataFrame({"item_id": ["a"], "title": ["Red cup"]}))
        >>> ItemTexts(catalog, np.array([[3, 1]]), CodeTokens((4, 4)))[0]
        {'title': 'Red cup', 'category': '', 'codes': '<a_3><b_1>'}
    """

    def __init__(self, catalog: Catalog, codes: np.ndarray, tokens: CodeTokens) -> None:
        self.codes, self.tokens = np.asarray(codes), tokens
        columns = [field_text(name, catalog.frame.schema[name]).alias(name) for name in catalog.fields]
        table = catalog.frame.select(columns) if columns else pl.DataFrame()
        self._texts = {name: _known(table[name].to_list()) for name in table.columns}
        titles = [
            without_marks(title) or str(item) for title, item in zip(catalog.titles(), catalog.item_ids, strict=True)
        ]
        self.titled = np.array([title != item for title, item in zip(titles, catalog.item_ids, strict=True)])
        self._texts["title"] = titles
        if "category" not in self._texts:
            source = next((name for name in _CATEGORIES if name in self._texts), None)
            self._texts["category"] = _first(catalog.frame[source]) if source else [""] * len(titles)

    def __len__(self) -> int:
        return len(self.codes)

    def __getitem__(self, item: int) -> dict[str, str]:
        """Texts of one item by name."""
        texts = {name: values[item] for name, values in self._texts.items()}
        return {**texts, "codes": self.tokens.text(self.codes[item])}

    @cached_property
    def of_codes(self) -> CodeTexts:
        """Texts of every code: what the items that carry it have in common."""
        return CodeTexts(self._texts["title"], self.codes, self.tokens)

    def target_texts(self, field: str) -> list[str]:
        """What the model answers for every item; ``""`` where an item has no such text.

        Args:
            field: ``codes``, ``title``, ``category`` or a field of the catalogue.

        Raises:
            ConfigError: There is no such field.
        """
        if field == "codes":
            return [self.tokens.text(row) for row in self.codes]
        if field not in self._texts:
            raise unknown_name("target", field, ["codes", *self._texts], where="the task's front matter")
        texts = self._texts[field]
        return [text if titled else "" for text, titled in zip(texts, self.titled, strict=True)]


def _known(texts: list[str]) -> list[str]:
    return ["" if text.lower() in _UNKNOWN else without_marks(text) for text in texts]


def _first(series: pl.Series) -> list[str]:
    """The first entry of a field that may be a list: a category path stays whole."""
    first = series.list.first() if isinstance(series.dtype, pl.List) else series
    return [without_marks(text) for text in first.cast(pl.String).fill_null("").str.strip_chars()]

"""The words of items as sparse vectors: a brand or a model number can be what counts, and sentence models blur it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from genrec.data.catalog import Catalog
from genrec.encoders.text import WORD, field_text, short_fields, text_fields

if TYPE_CHECKING:
    from scipy.sparse import csr_array

SHORT = 30
"""Words that a field has on average at most: titles, brands, categories, but no descriptions."""


def word_vectors(catalog: Catalog) -> csr_array:
    """TF-IDF of the words of every item, rows of unit length.

    Only short fields are read (see :data:`SHORT`), or all where there is none: by the words of long descriptions, items
    resemble each other for the way they are described. A word that stands ``n`` times in the item and in ``m`` of ``N``
    items weighs ``(1 + log n) (1 + log((1 + N) / (1 + m)))``; Salton and Buckley, 1988
    (https://doi.org/10.1016/0306-4573(88)90021-0).

    Returns:
        ``(n_items, n_words)`` float32; a row without entries where an item has no text.

    >>> frame = pl.DataFrame({"item_id": ["a", "b"], "title": ["Red shoe", "Blue SHOE, blue"]})
    >>> word_vectors(Catalog(frame)).shape
    (2, 3)
    """
    from scipy.sparse import csr_array

    counts = _counts(catalog)
    n_items, n_words = len(catalog), int(counts["word"].n_unique())
    rows, times = counts["row"].to_numpy(), counts["len"].to_numpy()
    columns = (counts["word"].rank("dense") - 1).to_numpy().astype(np.int64) if n_words else rows
    idf = 1 + np.log((1 + n_items) / (1 + np.bincount(columns, minlength=n_words)))
    weights = (1 + np.log(times)) * idf[columns] if n_words else np.zeros(0)
    lengths = np.sqrt(np.bincount(rows, weights**2, minlength=n_items))
    values = (weights / np.maximum(lengths[rows], 1e-12)).astype(np.float32)
    return csr_array((values, (rows, columns)), shape=(n_items, n_words))


def _counts(catalog: Catalog) -> pl.DataFrame:
    """How often every word stands in every item: ``row``, ``word`` and ``len``, sorted."""
    fields = short_fields(catalog, text_fields(catalog), SHORT)
    texts = [catalog.frame.select(field_text(name, catalog.frame.schema[name])).to_series() for name in fields]
    words = [text.str.to_lowercase().str.extract_all(WORD) for text in texts]
    schema = {"row": pl.Int64, "word": pl.String}
    parts = [
        pl.DataFrame({"row": np.arange(len(catalog)), "word": one}).explode("word").drop_nulls().cast(schema)  # type: ignore[arg-type]
        for one in words
    ]
    together = pl.concat(parts) if parts else pl.DataFrame(schema=schema)
    return together.group_by("row", "word").len().sort("row", "word")

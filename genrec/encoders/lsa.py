"""Latent semantic analysis: the item encoder that needs no model and no network."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
from pydantic import Field

from genrec.config import LARGEST_WIDTH, Seed, Settings
from genrec.data.catalog import Catalog
from genrec.data.histories import Histories
from genrec.encoders.base import TextItemEncoder, normalize_rows, truncated_svd
from genrec.encoders.text import TextTemplate, TextView

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

_CHUNK = 20_000


class LsaSettings(Settings):
    """Settings of :class:`LsaEncoder`."""

    name: Literal["lsa"] = "lsa"
    text: TextTemplate = Field(TextTemplate(name="item-values"), description="how items become text")
    dim: int = Field(
        default=256,
        ge=1,
        le=LARGEST_WIDTH,
        description="Length of a vector; shorter where the texts have a lower rank.",
    )
    max_features: int = Field(
        default=30_000, ge=1, description="The most frequent words and pairs of words that are kept."
    )
    ngrams: int = Field(default=2, ge=1, le=3, description="Longest run of words that counts as one term.")
    fit_items: int = Field(
        default=200_000, ge=1, description="At most this many items are learned from; all are encoded."
    )
    seed: Seed = Field(default=0, description="seed of the decomposition")


class LsaEncoder(TextItemEncoder[LsaSettings]):
    """TF-IDF of words and word pairs, reduced by a truncated singular value decomposition, rows of unit length.

    Items without any known term get zero vectors. The result does not depend on the order of the items: the
    decomposition sees the texts sorted.

    Deerwester et al.: Indexing by Latent Semantic Analysis, 1990
    (https://doi.org/10.1002/(SICI)1097-4571(199009)41:6%3C391::AID-ASI1%3E3.0.CO;2-9).
    """

    name: ClassVar[str] = "lsa"
    settings_type: ClassVar[type[Settings]] = LsaSettings

    _terms: list[str]
    _idf: np.ndarray
    _components: np.ndarray

    def _fit(self, catalog: Catalog, train: Histories | None) -> None:
        self._freeze_text(self.settings.text, catalog)
        texts = sorted(self.texts(catalog))
        if len(texts) > self.settings.fit_items:
            rows = np.linspace(0, len(texts) - 1, self.settings.fit_items).astype(np.int64)
            texts = [texts[row] for row in rows]
        self._terms, counts = self._learn_terms(texts)
        frequency = np.bincount(counts.indices, minlength=len(self._terms))  # items that hold each term
        self._idf = (np.log((1 + len(texts)) / (1 + frequency)) + 1).astype(np.float32)
        _, _, components = truncated_svd(self._weigh(counts), self.settings.dim, seed=self.settings.seed)
        self._components = np.ascontiguousarray(components, dtype=np.float32)

    def _encode(self, catalog: Catalog) -> np.ndarray:
        texts = self.texts(catalog)
        vectors = np.zeros((len(texts), max(1, len(self._components))), dtype=np.float32)
        if not len(self._components):
            return vectors
        counter = self._counter(self._terms)
        basis = np.ascontiguousarray(self._components.T)
        for start in range(0, len(texts), _CHUNK):
            weighed = self._weigh(counter.transform(texts[start : start + _CHUNK]))
            vectors[start : start + _CHUNK] = normalize_rows(weighed @ basis)
            self.tell(min(start + _CHUNK, len(texts)), len(texts))
        return vectors

    def state(self) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        """The terms, their weights and the directions."""
        tensors = {"idf": self._idf, "components": self._components}
        return tensors, {"terms": self._terms, "text": self._view.to_dict()}

    def _load(self, tensors: dict[str, np.ndarray], rest: dict[str, Any]) -> None:
        self._idf, self._components = tensors["idf"], tensors["components"]
        self._terms = list(rest["terms"])
        self._view = TextView.from_dict(rest["text"])

    def _counter(self, terms: list[str] | None = None) -> Any:
        from sklearn.feature_extraction.text import CountVectorizer

        return CountVectorizer(
            vocabulary=terms,
            ngram_range=(1, self.settings.ngrams),
            max_features=None if terms else self.settings.max_features,
            token_pattern=r"(?u)\b\w+\b",  # noqa: S106 - a pattern, no password; single letters and digits count too
            dtype=np.float32,
        )

    def _learn_terms(self, texts: list[str]) -> tuple[list[str], csr_matrix]:
        """Terms in alphabetical order and their counts, ``(n_texts, n_terms)``."""
        from scipy.sparse import csr_matrix

        counter = self._counter()
        try:
            counts = counter.fit_transform(texts)
        except ValueError:  # scikit-learn's word for "not one term in any text"
            return [], csr_matrix((len(texts), 0), dtype=np.float32)
        return counter.get_feature_names_out().tolist(), counts

    def _weigh(self, counts: csr_matrix) -> csr_matrix:
        """Sublinear TF-IDF with rows of unit length; changes ``counts`` in place."""
        from sklearn.preprocessing import normalize

        if not counts.shape[1]:
            return counts
        counts.sort_indices()
        counts.data = (1 + np.log(counts.data)) * self._idf[counts.indices]
        return normalize(counts, copy=False)

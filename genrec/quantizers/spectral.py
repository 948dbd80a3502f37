"""Collaborative codes: spectral clustering of what is bought together."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from pydantic import Field

from genrec.config import MOST_ROUNDS, Settings
from genrec.encoders.base import normalize_rows, truncated_svd
from genrec.encoders.cooccurrence import count_pairs
from genrec.errors import DataError
from genrec.quantizers.base import MOST_LEVELS, MOST_SIZE, ItemContext, nearest
from genrec.quantizers.item_table import ItemTable, require_train
from genrec.quantizers.kmeans import Backend, kmeans

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix


class SpectralSettings(Settings):
    """Settings of :class:`SpectralCodes`."""

    levels: int = Field(
        2, ge=1, le=MOST_LEVELS, description="codes per item; items of a cluster are numbered by the disambiguation"
    )
    codebook_size: int = Field(32, ge=2, le=MOST_SIZE, description="clusters that a cluster is cut into")
    smallest: int = Field(16, ge=1, description="a cluster of at most so many items is not cut further")
    window: int = Field(5, ge=1, description="two items of a history count when at most this many places apart")
    iterations: int = Field(25, ge=1, le=MOST_ROUNDS, description="rounds of Lloyd's algorithm per cluster")
    backend: Backend = Field(
        "scikit-learn", description="what fits the centroids: auto takes faiss where it is installed"
    )


class SpectralCodes(ItemTable):
    """The collaborative indexing of How to Index Item IDs (arXiv 2305.06569), a control without text.

    The graph of items that are near to each other in a training history is cut by normalised spectral clustering (Ng,
    Jordan, Weiss 2001), each cluster again, and so on. Items that no training history holds, and new items, join the
    final cluster whose items' vectors have the nearest mean: the one place where the item encoder comes in. Only
    training histories are read.

    Example:
        >>> SpectralCodes(SpectralSettings(levels=3, codebook_size=10)).codebook_sizes
        (10, 10, 10)
    """

    name: ClassVar[str] = "spectral"
    Config: ClassVar[type[Settings]] = SpectralSettings

    def __init__(self, settings: SpectralSettings | None = None) -> None:
        super().__init__()
        self.settings: SpectralSettings = settings or SpectralSettings()
        self._paths = np.empty((0, 0), dtype=np.int32)  # (m, n_levels) final clusters
        self._means = np.empty((0, 0), dtype=np.float32)  # (m, dim)

    @property
    def codebook_sizes(self) -> tuple[int, ...]:
        """Number of codes of every level."""
        return (self.settings.codebook_size,) * self.settings.levels

    def _learn(self, x: np.ndarray, items: ItemContext, seed: int) -> np.ndarray:
        train = require_train(items, self.name)
        graph = count_pairs(train.items, train.offsets, len(x), self.settings.window)
        linked = np.flatnonzero(np.diff(graph.indptr))
        if not len(linked):
            raise DataError(
                "No training history has two different items, so nothing says which items belong together.",
                where=f"quantizer '{self.name}'",
                expected="histories of two items or more",
                hint="Use more interactions, or a quantizer that reads only vectors.",
            )
        codes = np.zeros((len(x), self.settings.levels), dtype=np.int32)
        self._cut(graph, linked, 0, codes, seed)
        self._paths, groups = np.unique(codes[linked], axis=0, return_inverse=True)
        counts = np.bincount(groups)
        self._means = np.zeros((len(counts), x.shape[1]), dtype=np.float32)
        np.add.at(self._means, groups, np.asarray(x[linked], dtype=np.float32))
        self._means /= counts[:, None]
        alone = np.setdiff1d(np.arange(len(x)), linked)
        if len(alone):
            codes[alone] = self._unknown(np.asarray(x[alone], dtype=np.float32), len(x))
        return codes

    def _cut(self, graph: csr_matrix, rows: np.ndarray, level: int, codes: np.ndarray, seed: int) -> None:
        """Write the codes of one cluster's rows from a level on, ``codes (n, n_levels)`` in place."""
        if level == self.settings.levels or len(rows) <= self.settings.smallest:
            return
        points = _embedding(graph[rows][:, rows], self.settings.codebook_size, seed)
        settings = self.settings
        centroids = kmeans(
            points, settings.codebook_size, iterations=settings.iterations, seed=seed, backend=settings.backend
        )
        codes[rows, level] = nearest(points, centroids)
        for code in np.unique(codes[rows, level]):
            self._cut(graph, rows[codes[rows, level] == code], level + 1, codes, seed)

    def _unknown(self, x: np.ndarray, fitted: int) -> np.ndarray:
        return self._paths[nearest(np.asarray(x, dtype=np.float32), self._means)]

    def state(self) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        """Hashes of the ids, the codes, and the final clusters with their means."""
        tensors, rest = super().state()
        return tensors | {"paths": self._paths, "means": self._means}, rest

    def load_state(self, tensors: Mapping[str, np.ndarray], rest: Mapping[str, Any]) -> None:
        """Take back what :meth:`state` gave."""
        super().load_state(tensors, rest)
        self._paths, self._means = np.asarray(tensors["paths"]), np.asarray(tensors["means"])


def _embedding(graph: csr_matrix, dim: int, seed: int) -> np.ndarray:
    """Rows of the leading eigenvectors of the normalised adjacency matrix, of unit length, ``(n, dim)`` float32.

    Singular vectors serve: half the identity is added, which makes the eigenvalues that matter the largest in size.
    """
    from scipy.sparse import diags, identity

    degrees = np.asarray(graph.sum(axis=1)).ravel()
    scale = diags(np.divide(1.0, np.sqrt(degrees), out=np.zeros_like(degrees), where=degrees > 0))
    u, _, _ = truncated_svd((scale @ graph @ scale + identity(len(degrees))).tocsr() * 0.5, dim, seed=seed)
    return normalize_rows(np.asarray(u, dtype=np.float32))

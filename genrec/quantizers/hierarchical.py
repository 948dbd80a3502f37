"""Hierarchical balanced k-means: every cluster is cut into clusters of about the same size."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from pydantic import Field

from genrec.config import MOST_ROUNDS, Settings
from genrec.quantizers.assignment import spread
from genrec.quantizers.base import (
    MOST_LEVELS,
    MOST_SIZE,
    ItemContext,
    Quantizer,
    centroid_scores,
    check_vectors,
    chunks,
    nearest,
    not_fitted,
    sample_rows,
)
from genrec.quantizers.kmeans import Backend, kmeans, means, resolve_backend

Path = tuple[int, ...]


class HierarchicalSettings(Settings):
    """Settings of :class:`HierarchicalKMeans`."""

    levels: int = Field(
        3, ge=2, le=MOST_LEVELS, description="codes per item; the last one numbers the items of a cluster"
    )
    codebook_size: int = Field(32, ge=2, le=MOST_SIZE, description="clusters that a cluster is cut into")
    slack: float = Field(1.2, ge=1, description="a cluster may be so many times as large as an even share")
    rounds: int = Field(
        3, ge=1, le=MOST_ROUNDS, description="times that capacities and centroids are fitted to each other"
    )
    iterations: int = Field(
        25, ge=1, le=MOST_ROUNDS, description="rounds of Lloyd's algorithm at the start of every cluster"
    )
    sample: int | None = Field(65_536, ge=1, description="most rows used for fitting; None: all")
    backend: Backend = Field("auto", description="what fits the centroids: auto takes faiss where it is installed")


class HierarchicalKMeans(Quantizer):
    """Hierarchical constrained k-means, the item indexing of ColaRec (arXiv 2403.18480).

    The items are cut into ``codebook_size`` clusters of limited size, each of these again, and so on; the last code is
    the running number in the cluster. A cluster with ``r`` codes still to come takes at most ``codebook_size ** r``
    items (and, when the index is built, ``slack`` times the even share), so all paths are distinct as long as there
    are no more items than paths. Capacities are kept by prices and rounds, see
    :func:`genrec.quantizers.assignment.spread`. The codes of a level mean another thing under every parent: there are
    no codebooks. Use it on collaborative vectors (``encoder.name=cooccurrence``) as ColaRec does, or on any other.

    New items go down the tree to the nearest cluster with room, and take the next number there.

    Example:
        >>> quantizer = HierarchicalKMeans(HierarchicalSettings(levels=2, codebook_size=4))
        >>> x = np.eye(8, dtype=np.float32)
        >>> quantizer.fit(x, seed=0)
        >>> len(np.unique(quantizer.place(x), axis=0))
        8
    """

    name: ClassVar[str] = "hierarchical-kmeans"
    Config: ClassVar[type[Settings]] = HierarchicalSettings
    numbering: ClassVar[int] = 1

    def __init__(self, settings: HierarchicalSettings | None = None) -> None:
        self.settings: HierarchicalSettings = settings or HierarchicalSettings()
        self._children: dict[Path, np.ndarray] = {}  # path -> (codebook_size, dim) centroids of its clusters

    @property
    def codebook_sizes(self) -> tuple[int, ...]:
        """Number of codes of every level."""
        return (self.settings.codebook_size,) * self.settings.levels

    def room(self) -> int | None:
        """One item for every path."""
        return int(self.settings.codebook_size**self.settings.levels)

    @property
    def moves(self) -> bool:
        """Clusters have limited room, so items may go to another than the nearest one."""
        return True

    def fit(self, x: np.ndarray, *, seed: int, items: ItemContext | None = None) -> None:
        """Cut (a sample of) the vectors level by level; see :meth:`Quantizer.fit`."""
        check_vectors(x)
        rows, backend = sample_rows(x, self.settings.sample, seed), resolve_backend(self.settings.backend)
        self._children = {}
        open_: dict[Path, np.ndarray] = {(): np.arange(len(rows))}
        for level in range(self.settings.levels - 1):
            cut: dict[Path, np.ndarray] = {}
            for path, members in open_.items():
                centroids, chosen = self._cut(rows[members], seed + level, backend)
                self._children[path] = centroids
                cut |= {(*path, int(code)): members[chosen == code] for code in np.unique(chosen)}
            open_ = cut

    def _cut(self, x: np.ndarray, seed: int, backend: Backend) -> tuple[np.ndarray, np.ndarray]:
        """Centroids ``(codebook_size, dim)`` and clusters ``(n,)`` of one cluster's rows."""
        settings = self.settings
        live = kmeans(x, settings.codebook_size, iterations=settings.iterations, seed=seed, backend=backend)
        # fewer distinct rows than clusters: copies, so that equal rows can be spread over several clusters
        centroids = live[np.arange(settings.codebook_size) % len(live)]
        room = np.full(settings.codebook_size, self._share(len(x)))
        chosen = spread(centroid_scores(x, centroids), room)
        for _ in range(settings.rounds - 1):
            centroids = means(x, chosen, centroids)
            chosen = spread(centroid_scores(x, centroids), room)
        return centroids, chosen

    def _share(self, n: int) -> int:
        return int(np.ceil(min(n, self.settings.slack * n / self.settings.codebook_size)))  # no cluster has more

    def encode(self, x: np.ndarray, *, items: ItemContext | None = None) -> np.ndarray:
        """The nearest clusters whether they have room or not, and the number 0; see :meth:`Quantizer.encode`."""
        if not self._children:
            raise not_fitted(self.name)
        check_vectors(x, dim=self._children[()].shape[1])
        codes = np.zeros((len(x), self.settings.levels), dtype=np.int32)
        for start, chunk in chunks(x):
            block = codes[start : start + len(chunk)]
            for level in range(self.settings.levels - 1):
                for path, rows in _by_path(block[:, :level]):
                    block[rows, level] = nearest(chunk[rows], self._centroids(path))
        return codes

    def place(
        self, x: np.ndarray, *, items: ItemContext | None = None, published: np.ndarray | None = None
    ) -> np.ndarray:
        """Down the tree to the nearest clusters with room; see :meth:`Quantizer.place`."""
        if not self._children:
            raise not_fitted(self.name)
        check_vectors(x, dim=self._children[()].shape[1])
        settings, n = self.settings, len(x)
        taken = np.empty((0, settings.levels), dtype=np.int32) if published is None else published
        codes = np.concatenate([np.zeros((n, settings.levels), dtype=np.int32), taken])
        for level in range(settings.levels - 1):
            hard = settings.codebook_size ** (settings.levels - 1 - level)
            for path, rows in _by_path(codes[:, :level]):
                new, old = rows[rows < n], rows[rows >= n]
                if len(new):
                    most = hard if len(old) else min(hard, self._share(len(new)))
                    most = max(most, -(-len(rows) // settings.codebook_size))
                    room = np.maximum(most - np.bincount(codes[old, level], minlength=settings.codebook_size), 0)
                    scores = centroid_scores(np.asarray(x[new], dtype=np.float32), self._centroids(path))
                    codes[new, level] = spread(scores, room)
        for _, rows in _by_path(codes[:, :-1]):
            new, old = rows[rows < n], rows[rows >= n]
            first = int(codes[old, -1].max()) + 1 if len(old) else 0
            codes[new, -1] = (first + np.arange(len(new))) % settings.codebook_size
        return codes[:n]

    def _centroids(self, path: Path) -> np.ndarray:
        root = self._children[()]
        return self._children.get(path, np.zeros_like(root))

    def state(self) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        """Centroids of every cluster that was cut, level by level."""
        tensors: dict[str, np.ndarray] = {}
        for level in range(self.settings.levels - 1 if self._children else 0):
            paths = sorted(path for path in self._children if len(path) == level)
            tensors[f"paths_{level}"] = np.array(paths, dtype=np.int32).reshape(len(paths), level)
            tensors[f"centroids_{level}"] = np.stack([self._children[path] for path in paths])
        return tensors, {}

    def load_state(self, tensors: Mapping[str, np.ndarray], rest: Mapping[str, Any]) -> None:
        """Take back what :meth:`state` gave."""
        self._children = {}
        for level in range(self.settings.levels - 1):
            for path, centroids in zip(tensors[f"paths_{level}"], tensors[f"centroids_{level}"], strict=True):
                self._children[tuple(int(code) for code in path)] = np.asarray(centroids)


def _by_path(codes: np.ndarray) -> list[tuple[Path, np.ndarray]]:
    """Rows of every distinct path, ``(n, depth) -> [(path, rows)]``, sorted."""
    if not codes.shape[1]:
        return [((), np.arange(len(codes)))]
    paths, groups = np.unique(codes, axis=0, return_inverse=True)
    order = np.argsort(groups, kind="stable")
    split = np.split(order, np.cumsum(np.bincount(groups))[:-1])
    return [(tuple(int(code) for code in path), rows) for path, rows in zip(paths, split, strict=True)]

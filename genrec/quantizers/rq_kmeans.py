"""Residual k-means: every level clusters what the levels before it left over."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from pydantic import Field

from genrec.config import MOST_ROUNDS, Settings
from genrec.quantizers.base import (
    MOST_LEVELS,
    MOST_SIZE,
    ItemContext,
    check_vectors,
    chunks,
    nearest,
    not_fitted,
    residual_decode,
    residual_encode,
    sample_rows,
)
from genrec.quantizers.kmeans import Backend, balance, kmeans, means, resolve_backend
from genrec.quantizers.placement import LastLevelSettings, SpreadsLastLevel

_SETTLE_ROUNDS = 3


class ResidualKMeansSettings(LastLevelSettings):
    """Settings of :class:`ResidualKMeans`."""

    levels: int = Field(3, ge=1, le=MOST_LEVELS, description="codes per item")
    codebook_size: int = Field(256, ge=1, le=MOST_SIZE, description="centroids per level")
    iterations: int = Field(25, ge=1, le=MOST_ROUNDS, description="rounds of Lloyd's algorithm per level")
    sample: int | None = Field(65_536, ge=1, description="most rows used for fitting; None: all")
    normalize: bool = Field(False, description="scale vectors to unit length first")
    balanced: bool = Field(False, description="give every code about as many items, at some cost in precision")
    backend: Backend = Field("auto", description="what fits the centroids: auto takes faiss where it is installed")


class ResidualKMeans(SpreadsLastLevel):
    """Residual k-means (RQ-KMeans), the tokenizer of OneRec (arXiv 2502.18965) and GRID (arXiv 2507.22224).

    Level 0 clusters the vectors; each further level clusters the residuals. A level for which there are fewer distinct
    residuals than codes uses fewer codes; the centroids of the others are zero and never chosen. ``balanced`` evens
    out the items per code, as OneRec does, by prices that are learned once and hold for new items too.
    ``last_level: uniform`` gives items that share all earlier codes different last ones, see
    :class:`~genrec.quantizers.placement.SpreadsLastLevel`.

    Example:
        >>> quantizer = ResidualKMeans(ResidualKMeansSettings(levels=2, codebook_size=4))
        >>> quantizer.fit(np.eye(8, dtype=np.float32), seed=0)
        >>> quantizer.encode(np.eye(8, dtype=np.float32)).shape
        (8, 2)
    """

    name: ClassVar[str] = "rq-kmeans"
    Config: ClassVar[type[Settings]] = ResidualKMeansSettings

    def __init__(self, settings: ResidualKMeansSettings | None = None) -> None:
        self.settings: ResidualKMeansSettings = settings or ResidualKMeansSettings()
        self._live: list[np.ndarray] = []  # per level (live_l, dim): centroids that are in use
        self._biases: list[np.ndarray] | None = None  # per level (live_l,): head starts that balance the codes
        self._backend = ""

    @property
    def codebook_sizes(self) -> tuple[int, ...]:
        """Number of codes of every level."""
        return (self.settings.codebook_size,) * self.settings.levels

    @property
    def codebooks(self) -> list[np.ndarray] | None:
        """``(codebook_size, dim)`` float32 per level, in the space of the vectors; unused rows are zero."""
        size = self.settings.codebook_size
        return [np.pad(live, ((0, size - len(live)), (0, 0))) for live in self._live] or None

    def fit(self, x: np.ndarray, *, seed: int, items: ItemContext | None = None) -> None:
        """Fit one k-means per level on (a sample of) the vectors; see :meth:`Quantizer.fit`."""
        check_vectors(x)
        self._backend = resolve_backend(self.settings.backend)
        rows = self._prepare(sample_rows(x, self.settings.sample, seed))
        rest: np.ndarray = rows.copy() if self.moves else rows
        live, biases = [], []
        for level in range(self.settings.levels):
            centroids = kmeans(
                rest,
                self.settings.codebook_size,
                iterations=self.settings.iterations,
                seed=seed + level,
                backend=self._backend,  # type: ignore[arg-type]
            )
            bias = None
            handed_out = self.moves and level == self.settings.levels - 1
            if self.settings.balanced and not handed_out and len(centroids) == self.settings.codebook_size:
                centroids, bias = balance(rest, centroids)
            for start, chunk in chunks(rest):
                rest[start : start + len(chunk)] -= centroids[nearest(chunk, centroids, bias)]
            live.append(centroids)
            biases.append(np.zeros(len(centroids), dtype=np.float32) if bias is None else bias)
        self._live, self._biases = live, biases if self.settings.balanced else None
        if self.moves and len(live[-1]) == self.settings.codebook_size:
            self._settle(rows)

    def _settle(self, rows: np.ndarray) -> None:
        """Move the centroids of the last level to the rows that it is handed out to, a few times."""
        codes = self.encode(rows)
        before = residual_decode(codes[:, :-1], self._live[:-1]) if len(self._live) > 1 else 0
        left = np.array(self._prepare(rows))  # what the last level of encode sees
        for level, live in enumerate(self._live[:-1]):
            left -= live[codes[:, level]]
        bias = None if self._biases is None else self._biases[-1]
        for _ in range(_SETTLE_ROUNDS):
            for start, chunk in chunks(left):
                codes[start : start + len(chunk), -1] = nearest(chunk, self._live[-1], bias)
            handed_out = self._spread(rows, codes)
            if (handed_out == codes).all():
                return
            self._live[-1] = means(rows - before, handed_out[:, -1], self._live[-1])

    def encode(self, x: np.ndarray, *, items: ItemContext | None = None) -> np.ndarray:
        """Nearest centroid per level; see :meth:`Quantizer.encode`."""
        if not self._live:
            raise not_fitted(self.name)
        check_vectors(x, dim=self._live[0].shape[1])
        codes = np.empty((len(x), self.settings.levels), dtype=np.int32)
        for start, chunk in chunks(x):
            codes[start : start + len(chunk)] = residual_encode(self._prepare(chunk), self._live, self._biases)
        return codes

    def latents(self, x: np.ndarray) -> np.ndarray:
        """The vectors themselves, ``(n, dim)`` float32; of unit length where ``normalize`` is set."""
        return self._prepare(np.asarray(x, dtype=np.float32))

    def reconstruct(self, codes: np.ndarray) -> np.ndarray:
        """Sum of the centroids, ``(n, dim)``; of unit-length vectors where ``normalize`` is set."""
        books = self.codebooks
        if books is None:
            raise not_fitted(self.name)
        return residual_decode(codes, books)

    def state(self) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        """Centroids in use and head starts per level, and the backend that found them."""
        tensors = {f"centroids_{level}": live for level, live in enumerate(self._live)}
        tensors |= {f"bias_{level}": bias for level, bias in enumerate(self._biases or ())}
        return tensors, {"backend": self._backend}

    def load_state(self, tensors: Mapping[str, np.ndarray], rest: Mapping[str, Any]) -> None:
        """Take back what :meth:`state` gave."""
        levels = range(self.settings.levels)
        self._live = [np.asarray(tensors[f"centroids_{level}"]) for level in levels]
        self._biases = [np.asarray(tensors[f"bias_{level}"]) for level in levels] if self.settings.balanced else None
        self._backend = str(rest["backend"])

    def _prepare(self, x: np.ndarray) -> np.ndarray:
        if not self.settings.normalize:
            return x
        norms = np.linalg.norm(x, axis=1, keepdims=True)
        return x / np.where(norms > 0, norms, 1)

"""Product quantization: the vector is cut into parts, and each part has its own k-means."""

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
    sample_rows,
)
from genrec.quantizers.kmeans import Backend, kmeans, means, resolve_backend
from genrec.quantizers.placement import LastLevelSettings, SpreadsLastLevel


class ProductSettings(LastLevelSettings):
    """Settings of :class:`ProductQuantizer`."""

    slots: int = Field(4, ge=1, le=MOST_LEVELS, description="codes per item; each sees its own part of the vector")
    codebook_size: int = Field(256, ge=1, le=MOST_SIZE, description="centroids per slot")
    optimise: bool = Field(True, description="turn the vectors first so that the parts lose least (OPQ)")
    rounds: int = Field(
        10, ge=0, le=MOST_ROUNDS, description="times that rotation and centroids are fitted to each other"
    )
    iterations: int = Field(25, ge=1, le=MOST_ROUNDS, description="rounds of Lloyd's algorithm at the start")
    sample: int | None = Field(65_536, ge=1, description="most rows used for fitting; None: all")
    backend: Backend = Field("auto", description="what fits the centroids: auto takes faiss where it is installed")


class ProductQuantizer(SpreadsLastLevel):
    """Product quantization (Jégou 2011) and OPQ (Ge 2013), the parallel semantic IDs of RPG (arXiv 2506.05781).

    OPQ starts from the principal directions, dealt to the slots so that each carries about the same variance, and then
    alternates: centroids for the turned vectors, and the rotation that brings the vectors nearest to their centroids.
    Dimensions that do not divide by the slots are padded with zeros.

    ``codebooks`` are in the turned space, ``(codebook_size, ceil(dim / slots))`` per slot; unused rows are zero.

    Example:
        >>> quantizer = ProductQuantizer(ProductSettings(slots=2, codebook_size=4))
        >>> quantizer.fit(np.eye(8, dtype=np.float32), seed=0)
        >>> quantizer.encode(np.eye(8, dtype=np.float32)).shape
        (8, 2)
    """

    name: ClassVar[str] = "product"
    Config: ClassVar[type[Settings]] = ProductSettings
    parallel: ClassVar[bool] = True

    def __init__(self, settings: ProductSettings | None = None) -> None:
        self.settings: ProductSettings = settings or ProductSettings()
        self._mean = np.empty(0, dtype=np.float32)
        self._rotation = np.empty((0, 0), dtype=np.float32)  # (dim, slots * width), orthonormal rows
        self._live: list[np.ndarray] = []  # per slot (live, width)

    @property
    def codebook_sizes(self) -> tuple[int, ...]:
        """Number of codes of every slot."""
        return (self.settings.codebook_size,) * self.settings.slots

    @property
    def codebooks(self) -> list[np.ndarray] | None:
        """``(codebook_size, width)`` float32 per slot, in the turned space."""
        size = self.settings.codebook_size
        return [np.pad(live, ((0, size - len(live)), (0, 0))) for live in self._live] or None

    def fit(self, x: np.ndarray, *, seed: int, items: ItemContext | None = None) -> None:
        """Fit rotation and centroids on (a sample of) the vectors; see :meth:`Quantizer.fit`."""
        check_vectors(x)
        settings, rows = self.settings, sample_rows(x, self.settings.sample, seed)
        self._mean = rows.mean(axis=0, dtype=np.float64).astype(np.float32)
        rows -= self._mean
        self._rotation = _start(rows, settings.slots, principal=settings.optimise)
        backend, parts = resolve_backend(settings.backend), self._parts(rows)
        self._live = [
            kmeans(parts[:, n], settings.codebook_size, iterations=settings.iterations, seed=seed + n, backend=backend)
            for n in range(settings.slots)
        ]
        for _ in range(settings.rounds if settings.optimise else 0):
            codes = self._nearest(parts)
            self._live = [means(parts[:, n], codes[:, n], live) for n, live in enumerate(self._live)]
            u, _, vt = np.linalg.svd(rows.T @ self._decode(codes), full_matrices=False)
            self._rotation = np.ascontiguousarray(u @ vt, dtype=np.float32)
            parts = self._parts(rows)

    def encode(self, x: np.ndarray, *, items: ItemContext | None = None) -> np.ndarray:
        """Nearest centroid of every part; see :meth:`Quantizer.encode`."""
        if not self._live:
            raise not_fitted(self.name)
        check_vectors(x, dim=len(self._mean))
        codes = np.empty((len(x), self.settings.slots), dtype=np.int32)
        for start, chunk in chunks(x):
            codes[start : start + len(chunk)] = self._nearest(self.latents(chunk))
        return codes

    def latents(self, x: np.ndarray) -> np.ndarray:
        """Turned and cut vectors, ``(n, slots, width)`` float32."""
        return self._parts(np.asarray(x, dtype=np.float32) - self._mean)

    def reconstruct(self, codes: np.ndarray) -> np.ndarray:
        """The chosen centroids side by side, turned back, ``(n, dim)`` float32."""
        if not self._live:
            raise not_fitted(self.name)
        return self._decode(codes) @ self._rotation.T + self._mean

    def state(self) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        """Mean, rotation and the centroids in use."""
        tensors = {f"centroids_{slot}": live for slot, live in enumerate(self._live)}
        return tensors | {"mean": self._mean, "rotation": self._rotation}, {}

    def load_state(self, tensors: Mapping[str, np.ndarray], rest: Mapping[str, Any]) -> None:
        """Take back what :meth:`state` gave."""
        self._mean, self._rotation = np.asarray(tensors["mean"]), np.asarray(tensors["rotation"])
        self._live = [np.asarray(tensors[f"centroids_{slot}"]) for slot in range(self.settings.slots)]

    def _parts(self, centred: np.ndarray) -> np.ndarray:
        return (centred @ self._rotation).reshape(len(centred), self.settings.slots, -1)

    def _nearest(self, parts: np.ndarray) -> np.ndarray:
        return np.stack([nearest(parts[:, n], live) for n, live in enumerate(self._live)], axis=1)

    def _decode(self, codes: np.ndarray) -> np.ndarray:
        books = self.codebooks or []
        return np.concatenate([book[codes[:, n]] for n, book in enumerate(books)], axis=1)


def _start(centred: np.ndarray, slots: int, *, principal: bool) -> np.ndarray:
    """First rotation, ``(dim, slots * width)`` float32: principal directions dealt to the slots, or none."""
    dim = centred.shape[1]
    width = -(-dim // slots)
    if not principal:
        return np.eye(dim, slots * width, dtype=np.float32)
    values, vectors = np.linalg.eigh(centred.T.astype(np.float64) @ centred)
    largest = np.abs(vectors).argmax(axis=0)
    vectors = vectors * np.where(vectors[largest, np.arange(dim)] < 0, -1.0, 1.0)
    rotation, filled, carried = np.zeros((dim, slots, width)), [0] * slots, [0.0] * slots
    for n in np.argsort(-values, kind="stable"):  # eigenvalue allocation: the next direction to the poorest slot
        slot = min((s for s in range(slots) if filled[s] < width), key=lambda s: (carried[s], s))
        rotation[:, slot, filled[slot]] = vectors[:, n]
        filled[slot] += 1
        carried[slot] += float(max(values[n], 0.0))
    return np.ascontiguousarray(rotation.reshape(dim, -1), dtype=np.float32)

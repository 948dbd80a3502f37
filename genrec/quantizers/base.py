"""The one interface of everything that turns item vectors into codes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np

from genrec.config import Settings, parse
from genrec.errors import ArtifactError, DataError
from genrec.wording import count

if TYPE_CHECKING:
    from genrec.data.catalog import Catalog
    from genrec.data.histories import Histories

CHUNK = 16_384

MOST_LEVELS = 64
"""Codes per item that a method may be asked for; every one is a step of the search."""

MOST_SIZE = 1 << 30
"""Codes per level that a method may be asked for; codes are 32-bit numbers."""


@dataclass(frozen=True)
class ItemContext:
    """What a quantizer may look at beside the vectors. Rows are those of the vectors, in the order of their ids.

    Attributes:
        item_ids: ``(n,)`` ids.
        catalog: The items with their fields, where the caller has them.
        train: Training histories as positions into these rows, where there are any; never validation or test.
    """

    item_ids: Sequence[str] | np.ndarray
    catalog: Catalog | None = None
    train: Histories | None = None


class Quantizer(ABC):
    """Maps float vectors ``(n, dim)`` to codes ``(n, n_levels)``.

    Subclasses set ``name``, ``Config`` and, where the codes do not build on each other, ``parallel``.

    Args:
        settings: The method's settings; its defaults when not given.

    Attributes:
        codebook_sizes: Number of codes of every level.
    """

    name: ClassVar[str]
    """Name in recipes."""
    Config: ClassVar[type[Settings]]
    """Settings of the method."""
    parallel: ClassVar[bool] = False
    """True: slots that do not depend on each other; False: residual levels, coarse to fine."""
    numbering: ClassVar[int] = 0
    """Last levels that only number the items of a group: another number there is no other place."""

    settings: Settings

    def __repr__(self) -> str:
        settings = ", ".join(
            f"{key}={value!r}"
            for key, value in self.settings.model_dump(exclude={"name"}, exclude_defaults=True).items()
        )
        return f"{type(self).__name__}({settings})"

    @classmethod
    def from_settings(cls, content: Mapping[str, Any]) -> Self:
        """Build from plain settings, with unknown keys refused.

        Raises:
            ConfigError: A key is unknown or a value is wrong.
        """
        return cls(parse(cls.Config, content, where="quantizer"))  # type: ignore[call-arg]

    @property
    @abstractmethod
    def codebook_sizes(self) -> tuple[int, ...]:
        """Number of codes of every level, known before fitting."""

    def room(self) -> int | None:
        """Most items that the method can tell apart, known before fitting; None: items may share their codes."""
        return None

    @property
    def moves(self) -> bool:
        """Whether :meth:`place` may give an item other codes than :meth:`encode`."""
        return False

    def fitted_sizes(self, rest: Mapping[str, Any]) -> tuple[int, ...]:
        """Number of codes of every level of a saved quantizer, from the JSON part of its state alone."""
        return self.codebook_sizes

    @abstractmethod
    def fit(self, x: np.ndarray, *, seed: int, items: ItemContext | None = None) -> None:
        """Learn from vectors.

        Args:
            x: ``(n, dim)`` float32; may be memory-mapped.
            seed: The same seed, rows and machine give the same codes.
            items: The items themselves, for the methods that look at ids, fields or interactions.

        Raises:
            DataError: No rows, another shape, or values that are not finite.
        """

    @abstractmethod
    def encode(self, x: np.ndarray, *, items: ItemContext | None = None) -> np.ndarray:
        """Codes of vectors, ``(n, n_levels)`` int32, worked out in chunks, each item for itself.

        Args:
            x: ``(n, dim)`` float32; may be memory-mapped.
            items: The items themselves, for the methods that look at ids, fields or interactions.

        Raises:
            DataError: The vectors do not fit what was fitted.
            ArtifactError: The quantizer was not fitted.
        """

    def place(
        self, x: np.ndarray, *, items: ItemContext | None = None, published: np.ndarray | None = None
    ) -> np.ndarray:
        """Codes of items that enter an index together: those of :meth:`encode`, unless the method spreads items.

        Args:
            x: ``(n, dim)`` float32.
            items: The items themselves.
            published: ``(n_published, n_levels)`` int32 codes of items that are in the index already and stay.

        Returns:
            ``(n, n_levels)`` int32.

        Raises:
            DataError: There is no room; names the remedy.
        """
        return self.encode(x, items=items)

    def place_all(self, x: np.ndarray, *, items: ItemContext | None = None) -> tuple[np.ndarray, np.ndarray | None]:
        """Codes of all items of a new index, by :meth:`place`.

        Returns:
            ``(n, n_levels)`` int32, and the codes of :meth:`encode` where they were worked out on the way.
        """
        return self.place(x, items=items), None

    @property
    def codebooks(self) -> list[np.ndarray] | None:
        """``(codebook_size, code_dim)`` float32 per level where the method has them, else None.

        In the space of the vectors for k-means, in the latent space of the method otherwise.
        """
        return None

    def latents(self, x: np.ndarray) -> np.ndarray | None:
        """Vectors in the space of :attr:`codebooks`, for rules that look for a near code; None where there is none.

        Returns:
            ``(n, code_dim)`` for residual levels, whose entries add up to it, or ``(n, n_levels, code_dim)`` for
            parallel slots.
        """
        return None

    def reconstruct(self, codes: np.ndarray) -> np.ndarray | None:
        """Vectors that codes stand for, ``(n, n_levels) -> (n, dim)`` float32, or None where not defined."""
        return None

    @abstractmethod
    def state(self) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        """What :meth:`encode` needs: arrays (to safetensors) and a small JSON-able rest."""

    @abstractmethod
    def load_state(self, tensors: Mapping[str, np.ndarray], rest: Mapping[str, Any]) -> None:
        """Take back what :meth:`state` gave."""


def check_vectors(x: np.ndarray, *, dim: int | None = None) -> None:
    """Refuse what cannot be quantized.

    Raises:
        DataError: Not two-dimensional, no rows or columns, another dimension, or values that are not finite.
    """
    if x.ndim != 2 or 0 in x.shape:
        raise DataError(f"Item vectors of shape {x.shape}.", expected="(n_items, dim) with at least one row and column")
    if dim is not None and x.shape[1] != dim:
        raise DataError(
            f"Item vectors have {count(x.shape[1], 'dimension')}.",
            expected=f"{dim}, as when the quantizer was fitted",
            hint="Use the encoder with which the index was built.",
        )
    for start, chunk in chunks(x):
        bad = ~np.isfinite(chunk).all(axis=1)
        if bad.any():
            raise DataError(
                "An item vector holds values that are not finite (NaN or infinity).",
                where=f"row {start + int(np.flatnonzero(bad)[0])}",
                expected="finite numbers",
                hint="Check the item encoder or the precomputed vectors of that item.",
            )


def chunks(x: np.ndarray, size: int = CHUNK) -> Iterator[tuple[int, np.ndarray]]:
    """Consecutive float32 blocks of rows with their first row number."""
    for start in range(0, len(x), size):
        yield start, np.ascontiguousarray(x[start : start + size], dtype=np.float32)


def sample_rows(x: np.ndarray, size: int | None, seed: int) -> np.ndarray:
    """At most ``size`` rows drawn without replacement, in their order, as a float32 copy."""
    if size is None or len(x) <= size:
        return np.array(x, dtype=np.float32)
    return np.array(x[sample_indices(len(x), size, seed)], dtype=np.float32)


def sample_indices(n: int, size: int | None, seed: int) -> np.ndarray:
    """At most ``size`` of ``n`` row numbers, drawn without replacement, sorted."""
    if size is None or n <= size:
        return np.arange(n)
    return np.sort(np.random.default_rng(seed).choice(n, size, replace=False))


def centroid_scores(x: np.ndarray, centroids: np.ndarray) -> np.ndarray:
    """``(n, k)`` float32, the higher the nearer: minus half the squared distance, up to a constant of the row."""
    scores = x @ centroids.T
    scores -= 0.5 * np.einsum("kd,kd->k", centroids, centroids)
    return scores


def nearest(x: np.ndarray, centroids: np.ndarray, bias: np.ndarray | None = None) -> np.ndarray:
    """Number of the nearest centroid of every row, ``(n, dim), (k, dim) -> (n,)`` int32.

    Args:
        x: Rows.
        centroids: Centroids.
        bias: ``(k,)`` head start of every centroid, in units of half the squared distance.
    """
    scores = centroid_scores(x, centroids)
    if bias is not None:
        scores += bias
    return scores.argmax(axis=1).astype(np.int32)


def residual_encode(
    x: np.ndarray, codebooks: Sequence[np.ndarray], biases: Sequence[np.ndarray] | None = None
) -> np.ndarray:
    """Greedy residual codes, ``(n, dim) -> (n, n_levels)`` int32: nearest centroid of what earlier levels left."""
    rest = np.array(x, dtype=np.float32)
    codes = np.empty((len(x), len(codebooks)), dtype=np.int32)
    for level, codebook in enumerate(codebooks):
        codes[:, level] = nearest(rest, codebook, None if biases is None else biases[level])
        rest -= codebook[codes[:, level]]
    return codes


def residual_decode(codes: np.ndarray, codebooks: Sequence[np.ndarray]) -> np.ndarray:
    """Sum of the chosen centroids, ``(n, n_levels) -> (n, dim)`` float32."""
    total = np.zeros((len(codes), codebooks[0].shape[1]), dtype=np.float32)
    for level, codebook in enumerate(codebooks):
        total += codebook[codes[:, level]]
    return total


def not_fitted(name: str) -> ArtifactError:
    """The error for using a quantizer before it was fitted."""
    return ArtifactError(f"The quantizer '{name}' was not fitted.", hint="Call fit, or load a saved index.")

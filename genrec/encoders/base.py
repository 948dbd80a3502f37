"""The interface of item encoders: items in, one finite float32 vector each out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from contextlib import AbstractContextManager, nullcontext
from typing import Any, ClassVar, Generic, TypeVar

import numpy as np

from genrec.config import Settings
from genrec.data.catalog import Catalog
from genrec.data.histories import Histories
from genrec.encoders.text import TextTemplate, TextView
from genrec.errors import DataError, ModelError
from genrec.progress import Progress
from genrec.wording import count

S = TypeVar("S", bound=Settings)

_CHUNK = 65_536


class ItemEncoder(ABC, Generic[S]):
    """Turns the items of a catalogue into vectors; fitted once, then frozen so that new items can be encoded.

    Subclasses set ``name`` and ``settings_type`` and implement :meth:`_encode`, :meth:`state` and
    :meth:`load_state`; those that learn something implement :meth:`_fit`.
    """

    name: ClassVar[str]
    settings_type: ClassVar[type[Settings]]
    needs_interactions: bool = False
    """Whether :meth:`fit` needs training histories."""
    ready_made: bool = False
    """Whether :meth:`fit` learns nothing but a scale, so that vectors of different catalogues can be compared."""

    settings: S
    progress: Progress | None = None
    """Optional hook of encoders that take long; see :meth:`tell`."""

    def __init__(self, settings: S | None = None) -> None:
        self.settings = self.settings_type() if settings is None else settings  # type: ignore[assignment]
        self._fitted = False

    def tell(self, done: int, total: int, what: str = "encoding items") -> None:
        """Tell ``progress``, where there is one, how many of all texts are encoded, or how far another stage is."""
        if self.progress is not None:
            self.progress(what, done, total)

    def __repr__(self) -> str:
        settings = ", ".join(
            f"{key}={value!r}"
            for key, value in self.settings.model_dump(exclude={"name"}, exclude_defaults=True).items()
        )
        return f"{type(self).__name__}({'' if self._fitted else 'not fitted; '}{settings})"

    def fit(self, catalog: Catalog, train: Histories | None = None) -> None:
        """Learn what the encoder needs.

        Args:
            catalog: The items.
            train: Training histories over ``catalog``, never validation or test items.

        Raises:
            DataError: ``train`` is missing where it is needed, or names positions outside the catalogue.
        """
        if self.needs_interactions and train is None:
            raise DataError(
                f"The item encoder '{self.name}' learns from interactions, and none were given.",
                where=f"encoder '{self.name}'",
                expected="training histories",
                hint="Give interactions, such as genrec index build --interactions FILE (train=... in Python), or "
                "choose an encoder that reads only text, such as 'lsa'.",
            )
        if train is not None and len(train.items) and not 0 <= train.items.min() <= train.items.max() < len(catalog):
            raise DataError(
                "The training histories name items outside the catalogue.",
                where=f"encoder '{self.name}'",
                expected=f"positions from 0 to {len(catalog) - 1}",
                hint="Build the histories with Interactions.histories(catalog).",
            )
        self._fit(catalog, train)
        self._fitted = True

    def encode(self, catalog: Catalog) -> np.ndarray:
        """Vectors of the items, ``(n_items, dim)`` float32, all finite.

        Raises:
            ModelError: The encoder was neither fitted nor loaded.
            DataError: A vector is not finite; names the items.
        """
        if not self._fitted:
            raise ModelError(
                f"The item encoder '{self.name}' was not fitted.", hint="Call fit(catalog), or load_state(...)."
            )
        return check_vectors(self._encode(catalog), catalog.item_ids, f"item encoder '{self.name}'")

    def load_state(self, tensors: dict[str, np.ndarray], rest: dict[str, Any]) -> None:
        """Take over what :meth:`state` gave, so that new items are encoded as they would have been then."""
        self._load(tensors, rest)
        self._fitted = True

    @abstractmethod
    def state(self) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        """Arrays (for safetensors) and the JSON-able rest: all that encoding new items needs beside the settings."""

    def _fit(self, catalog: Catalog, train: Histories | None) -> None:
        """Learn; encoders with nothing to learn keep this."""

    @abstractmethod
    def _encode(self, catalog: Catalog) -> np.ndarray:
        """``(n_items, dim)`` vectors, not yet checked."""

    @abstractmethod
    def _load(self, tensors: dict[str, np.ndarray], rest: dict[str, Any]) -> None:
        """Inverse of :meth:`state`."""


class TextItemEncoder(ItemEncoder[S]):
    """Base of encoders that read items as text: the template and its fields are frozen when fitted."""

    _view: TextView

    def _freeze_text(self, template: TextTemplate, catalog: Catalog) -> None:
        self._view = template.view(catalog)

    def texts(self, catalog: Catalog) -> list[str]:
        """The text of every item as the encoder reads it."""
        return self._view.render(catalog)


def check_vectors(vectors: np.ndarray, item_ids: np.ndarray, where: str) -> np.ndarray:
    """Vectors as float32 after a check of shape and values; memory-mapped input stays memory-mapped.

    Args:
        vectors: ``(n_items, dim)``.
        item_ids: ``(n_items,)`` ids, for the error message.
        where: What made the vectors.

    Returns:
        ``(n_items, dim)`` float32.

    Raises:
        DataError: Wrong shape or type, or rows with NaN or infinity.
    """
    if vectors.ndim != 2 or len(vectors) != len(item_ids) or vectors.shape[1] == 0:
        raise DataError(
            f"The item vectors have shape {vectors.shape}.",
            where=where,
            expected=f"({len(item_ids)}, dim) with dim > 0",
        )
    if vectors.dtype.kind not in "fiub":
        raise DataError(f"The item vectors have type {vectors.dtype}.", where=where, expected="numbers")
    if vectors.dtype != np.float32:
        with np.errstate(over="ignore"):  # a value beyond float32 becomes inf and is reported below
            vectors = vectors.astype(np.float32)
    broken: list[int] = []
    for start in range(0, len(vectors), _CHUNK):
        finite = np.isfinite(vectors[start : start + _CHUNK]).all(axis=1)
        broken.extend((start + np.flatnonzero(~finite)).tolist())
    if broken:
        raise DataError(
            f"The vectors of {count(len(broken), 'item')} are not finite: {shown_ids(item_ids[broken])}.",
            where=where,
            expected="no NaN and no infinity",
            hint="Mend or remove these items.",
        )
    return vectors


def shown_ids(item_ids: np.ndarray, limit: int = 5) -> str:
    """The first few ids, for an error message.

    >>> import numpy as np
    >>> shown_ids(np.array(["a", "b", "c"]), limit=2)
    "'a', 'b' and 1 more"
    """
    shown = ", ".join(f"'{item}'" for item in item_ids[:limit])
    more = len(item_ids) - limit
    return f"{shown} and {more} more" if more > 0 else shown


def normalize_rows(vectors: np.ndarray) -> np.ndarray:
    """Rows scaled to unit length as float32; zero rows stay zero."""
    vectors = np.ascontiguousarray(vectors, dtype=np.float32)
    norms = np.sqrt(np.einsum("nd,nd->n", vectors, vectors, dtype=np.float64))
    scale = np.divide(1.0, norms, out=np.zeros_like(norms), where=norms > 1e-12)
    return vectors * scale[:, None].astype(np.float32)


_ONE_THREAD = 1e9
"""Operations of a decomposition up to which threads cost more than they save: those of OpenBLAS spin as they wait."""


def _threads_for(operations: float) -> AbstractContextManager[Any]:
    """One thread for a small decomposition.

    Measured beside busy processes on two cores: a training that begins with five decompositions of 1,500 rows took
    60 and 65 seconds with two threads of OpenBLAS, and 49 and 50 with one.
    """
    from threadpoolctl import threadpool_limits

    return threadpool_limits(1) if operations < _ONE_THREAD else nullcontext()


def truncated_svd(matrix: Any, dim: int, *, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Leading singular vectors of a sparse matrix, with deterministic signs and without directions of rank 0.

    Halko, Martinsson, Tropp: Finding Structure with Randomness (https://arxiv.org/abs/0909.4061).

    Args:
        matrix: ``(n, m)`` scipy sparse matrix.
        dim: At most this many directions; fewer where the rank is lower.
        seed: Of the random projection.

    Returns:
        ``u (n, rank)``, ``s (rank,)`` not increasing, ``vt (rank, m)``; rank 0 for a matrix of zeros.
    """
    from sklearn.utils.extmath import randomized_svd

    limit = min(dim, *matrix.shape)
    if limit == 0 or matrix.nnz == 0:
        return np.zeros((matrix.shape[0], 0)), np.zeros(0), np.zeros((0, matrix.shape[1]))
    with _threads_for(max(matrix.shape) * limit**2):
        u, s, vt = randomized_svd(matrix, limit, n_iter=5, random_state=seed, flip_sign=True)
    rank = int(np.count_nonzero(s > s[0] * 1e-5))
    return u[:, :rank], s[:rank], vt[:rank]

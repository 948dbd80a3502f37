"""Several item encoders as one: text beside collaborative signal."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, ClassVar, Literal

import numpy as np
from pydantic import Field

from genrec.config import LARGEST_WIDTH, Settings
from genrec.data.catalog import Catalog
from genrec.data.histories import Histories
from genrec.encoders.base import ItemEncoder, normalize_rows
from genrec.encoders.shared_space import fit_shared, project_shared
from genrec.errors import ConfigError
from genrec.wording import count

_CHUNK = 16_384
_SHARED = 64


class FusedSettings(Settings):
    """Settings of :class:`FusedEncoder`."""

    name: Literal["fused"] = "fused"
    encoders: tuple[dict[str, Any], ...] = Field(
        default=({"name": "lsa"}, {"name": "cooccurrence"}),
        min_length=1,
        description="Settings of each encoder, with its name.",
    )
    weights: tuple[float, ...] | None = Field(
        default=None, description="Length of each part of a vector; None: all alike."
    )
    dim: int | None = Field(
        default=None,
        ge=1,
        le=LARGEST_WIDTH,
        description="Reduce to this many principal components; None: do not reduce.",
    )
    fill: Literal["ridge", "none"] = Field(
        default="ridge", description="What stands for a collaborative part that is missing."
    )
    ridge: float = Field(default=1.0, gt=0, description="Strength of the penalty when the missing part is predicted.")
    fusion: Literal["concat", "shared"] = Field(
        default="concat",
        description="concat: parts side by side; shared: learned directions in which text and collaborative agree.",
    )


def part_of(settings: dict[str, Any]) -> ItemEncoder[Any]:
    """An encoder inside another one, by its settings with their name."""
    from genrec.encoders import build_encoder

    return build_encoder(settings)


class FusedEncoder(ItemEncoder[FusedSettings]):
    """Joins the vectors of several encoders: each part of unit length, times its weight, one after the other.

    The weights are scaled so that an item that has every part has a vector of unit length. An item without one part
    (zero vector) keeps zeros there, with one exception: collaborative parts (encoders that need interactions) are
    predicted from the other parts by ridge regression (``fill: ridge``, the default). With zeros, all items that
    nobody has bought yet would crowd together, far from the items that they resemble, and share a few semantic IDs;
    the prediction puts them beside similar items. It is left as short as the regression makes it, because a short
    prediction is an unsure one.

    ``fusion: shared`` learns the joint space instead of putting the parts side by side: directions of the text parts
    and of the collaborative parts that vary together (canonical correlation), each item where the two say on average,
    and directions on which they disagree made short. ``weights`` count within the text and within the collaborative
    parts; ``dim`` (64 when not given) is the number of directions.

    Content and collaborative signal joined before quantizing as in MSCGRec and hybrid indexing
    (https://arxiv.org/abs/2305.06569).
    """

    name: ClassVar[str] = "fused"
    settings_type: ClassVar[type[Settings]] = FusedSettings

    _tensors: dict[str, np.ndarray]

    def __init__(self, settings: FusedSettings | None = None) -> None:
        super().__init__(settings)
        self.parts = [part_of(content) for content in self.settings.encoders]
        self.needs_interactions = any(part.needs_interactions for part in self.parts)
        self._scales = _scales(self.settings.weights, len(self.parts))

    def _fit(self, catalog: Catalog, train: Histories | None) -> None:
        self._tensors = {}
        for part in self.parts:
            part.progress = self.progress
            part.fit(catalog, train)
        order = np.argsort(catalog.item_ids.astype(str), kind="stable")  # sums do not depend on the catalogue's order
        vectors = [normalize_rows(part.encode(catalog)) for part in self.parts]
        if self.settings.fusion == "shared":
            text, pairs = self._two_kinds(vectors)
            self._tensors = fit_shared(text, pairs, order, self.settings.ridge, self.settings.dim or _SHARED)
            return
        self._tensors = _fit_fill(self._sources(vectors), self._targets(vectors), order, self.settings.ridge)
        if self.settings.dim is not None:
            self._tensors |= _fit_pca(self._join(vectors), order, self.settings.dim)

    def _encode(self, catalog: Catalog) -> np.ndarray:
        vectors = []
        for part in self.parts:
            part.progress = self.progress
            vectors.append(normalize_rows(part.encode(catalog)))
        if self.settings.fusion == "shared":
            return self._shared(*self._two_kinds(vectors))
        joined = self._join(vectors)
        if "pca_basis" not in self._tensors:
            return joined
        return _project(joined, self._tensors["pca_mean"], self._tensors["pca_basis"])

    def _two_kinds(self, vectors: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        """Text parts side by side and collaborative parts side by side, ``(n_items, d)`` and ``(n_items, e)``."""
        scaled = [np.float32(scale) * vector for vector, scale in zip(vectors, self._scales, strict=True)]
        kinds = [
            [vector for vector, part in zip(scaled, self.parts, strict=True) if part.needs_interactions is needs]
            for needs in (False, True)
        ]
        if not all(kinds):
            raise ConfigError(
                "Shared fusion joins two kinds of vectors, and only one is given.",
                where="encoders",
                expected="at least one encoder that reads text and one that needs interactions",
                hint="Add one, or use fusion: concat.",
            )
        return np.hstack(kinds[0]), np.hstack(kinds[1])

    def _shared(self, text: np.ndarray, pairs: np.ndarray) -> np.ndarray:
        if not self._tensors:  # nothing to learn from: no item has both kinds
            return text
        return project_shared(text, pairs, self._tensors)

    def state(self) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        """The states of the parts, numbered, and what was learned to join them."""
        tensors = dict(self._tensors)
        rests = []
        for n, part in enumerate(self.parts):
            own, rest = part.state()
            tensors |= {f"part{n}.{key}": value for key, value in own.items()}
            rests.append(rest)
        return tensors, {"parts": rests}

    def _load(self, tensors: dict[str, np.ndarray], rest: dict[str, Any]) -> None:
        self._tensors = {key: value for key, value in tensors.items() if not key.startswith("part")}
        for n, part in enumerate(self.parts):
            prefix = f"part{n}."
            own = {key.removeprefix(prefix): value for key, value in tensors.items() if key.startswith(prefix)}
            part.load_state(own, rest["parts"][n])

    def _sources(self, vectors: list[np.ndarray]) -> list[np.ndarray]:
        return [v for v, part in zip(vectors, self.parts, strict=True) if not part.needs_interactions]

    def _targets(self, vectors: list[np.ndarray]) -> dict[int, np.ndarray]:
        if self.settings.fill == "none":
            return {}
        return {n: v for n, (v, part) in enumerate(zip(vectors, self.parts, strict=True)) if part.needs_interactions}

    def _join(self, vectors: list[np.ndarray]) -> np.ndarray:
        """Fill what is missing, weigh and concatenate: ``(n_items, sum of dims)`` float32; changes ``vectors``."""
        sources = self._sources(vectors)
        for n, target in self._targets(vectors).items():
            if (coefficients := self._tensors.get(f"fill{n}")) is not None:
                _fill(target, sources, coefficients)
        joined = np.empty((len(vectors[0]), sum(v.shape[1] for v in vectors)), dtype=np.float32)
        start = 0
        for vector, scale in zip(vectors, self._scales, strict=True):
            np.multiply(vector, np.float32(scale), out=joined[:, start : start + vector.shape[1]])
            start += vector.shape[1]
        return joined


def _scales(weights: tuple[float, ...] | None, n_parts: int) -> list[float]:
    chosen = (1.0,) * n_parts if weights is None else weights
    if len(chosen) != n_parts:
        raise ConfigError(
            f"{count(len(chosen), 'weight')} for {count(n_parts, 'encoder')}.",
            where="weights",
            expected="one for each encoder",
        )
    if not all(math.isfinite(weight) and weight > 0 for weight in chosen):
        raise ConfigError(f"The weights are {list(chosen)}.", where="weights", expected="numbers above 0")
    length = math.sqrt(sum(weight * weight for weight in chosen))
    return [weight / length for weight in chosen]


def _fit_fill(
    sources: list[np.ndarray], targets: dict[int, np.ndarray], order: np.ndarray, penalty: float
) -> dict[str, np.ndarray]:
    """Ridge regression of every target part on all source parts, over the items that have both.

    Args:
        sources: ``(n_items, dim)`` each.
        targets: Part number → ``(n_items, dim)``.
        order: ``(n_items,)`` rows in the order of summing.
        penalty: Of the squared coefficients; the constant term is free.

    Returns:
        ``fill<part>`` → coefficients ``(1 + sum of source dims, dim)`` float32, the constant first.
    """
    result: dict[str, np.ndarray] = {}
    if not sources:
        return result
    width = 1 + sum(source.shape[1] for source in sources)
    for n, target in targets.items():
        gram, moment, used = np.zeros((width, width)), np.zeros((width, target.shape[1])), 0
        for rows in _chunks(order):
            x = _with_constant(sources, rows)
            y = target[rows].astype(np.float64)
            both = x[:, 1:].any(axis=1) & y.any(axis=1)
            gram += x[both].T @ x[both]
            moment += x[both].T @ y[both]
            used += int(both.sum())
        if used:
            gram[np.arange(1, width), np.arange(1, width)] += penalty
            result[f"fill{n}"] = np.ascontiguousarray(np.linalg.solve(gram, moment), dtype=np.float32)
    return result


def _fill(target: np.ndarray, sources: list[np.ndarray], coefficients: np.ndarray) -> None:
    """Predict the zero rows of ``target`` in place, where the sources say anything; no longer than unit length."""
    for rows in _chunks(np.flatnonzero(~target.any(axis=1))):
        x = _with_constant(sources, rows)
        known = x[:, 1:].any(axis=1)
        predicted = x[known] @ coefficients.astype(np.float64)
        lengths = np.linalg.norm(predicted, axis=1, keepdims=True)
        target[rows[known]] = predicted / np.maximum(lengths, 1.0)


def _with_constant(sources: list[np.ndarray], rows: np.ndarray) -> np.ndarray:
    return np.hstack([np.ones((len(rows), 1)), *(source[rows] for source in sources)])


def _fit_pca(vectors: np.ndarray, order: np.ndarray, dim: int) -> dict[str, np.ndarray]:
    """Mean ``(d,)`` and leading eigenvectors ``(d, at most dim)`` of the covariance, signs fixed."""
    width = vectors.shape[1]
    total, gram = np.zeros(width), np.zeros((width, width))
    for rows in _chunks(order):
        x = vectors[rows].astype(np.float64)
        total += x.sum(axis=0)
        gram += x.T @ x
    mean = total / len(order)
    values, basis = np.linalg.eigh(gram / len(order) - np.outer(mean, mean))
    basis = basis[:, ::-1][:, : min(dim, int(np.count_nonzero(values > 1e-10)))]  # directions of rank 0 are noise
    if not basis.shape[1]:
        basis = np.zeros((width, 1))
    largest = np.abs(basis).argmax(axis=0)
    basis = basis * np.where(basis[largest, np.arange(basis.shape[1])] < 0, -1.0, 1.0)
    return {"pca_mean": mean.astype(np.float32), "pca_basis": np.ascontiguousarray(basis, dtype=np.float32)}


def _project(vectors: np.ndarray, mean: np.ndarray, basis: np.ndarray) -> np.ndarray:
    result = np.empty((len(vectors), basis.shape[1]), dtype=np.float32)
    for start in range(0, len(vectors), _CHUNK):
        result[start : start + _CHUNK] = (vectors[start : start + _CHUNK] - mean) @ basis
    return result


def _chunks(rows: np.ndarray) -> Iterator[np.ndarray]:
    return (rows[start : start + _CHUNK] for start in range(0, len(rows), _CHUNK))

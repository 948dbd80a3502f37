"""Numbers that say how good a semantic index is."""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from genrec.index.agreement import CodeAgreement, prefix_groups, split_agreement
from genrec.index.cosine import Cosine
from genrec.trie import group_paths

if TYPE_CHECKING:
    from genrec.data.catalog import Catalog
    from genrec.data.split import Split
    from genrec.index.item_tokenizer import ItemTokenizer
    from genrec.index.recipe import TokenizerRecipe

_ROWS = 65_536
_BLOCK = 1 << 14

__all__ = ["CodeAgreement", "IndexStats", "LevelStats", "compute_stats", "level_stats"]


@dataclass(frozen=True)
class LevelStats:
    """How one level's codes are used.

    Attributes:
        level: Number from 1.
        kind: ``residual``, ``slot``, ``number`` (of the quantizer, but it only numbers items) or ``disambiguation``.
        size: Number of codes.
        used: Codes that at least one item has.
        utilisation: ``used / size``.
        perplexity: Number of equally frequent codes that would be as varied, from 1 to ``size``.
        gini: Unevenness of the items per code, 0 (all alike) to 1 (one code has all).
        largest: Share of the items that have the most frequent code.
    """

    level: int
    kind: str
    size: int
    used: int
    utilisation: float
    perplexity: float
    gini: float
    largest: float


@dataclass(frozen=True)
class IndexStats:
    """Numbers about an index.

    Attributes:
        tokenizer: Name of the recipe.
        quantizer: Name of the quantizer.
        n_items: Items.
        codebook_sizes: Of all levels.
        quantizer_levels: Levels before disambiguation.
        collision_rate: ``1 - distinct paths / items`` before disambiguation.
        colliding_items: Share of the items whose path before disambiguation belongs to another item too.
        largest_bucket: Most items on one path before disambiguation.
        buckets: ``(items on a path, number of such paths)`` before disambiguation, small to large.
        duplicate_rate: ``1 - distinct vectors / items``: the collision rate that no quantizer of vectors can avoid.
        levels: Usage of every level.
        reconstruction_error: Share of the vectors' variance that the codes lose, ``|x - x'|² / |x - mean|²`` over at
            most 65,536 items; None where the quantizer cannot reconstruct.
        similarity_random: Mean cosine of random pairs of items, vectors centred.
        similarity_by_level: The same for pairs that share the codes of the levels up to this one (residual levels) or
            the code of this slot; one for every level of the quantizer, None where no two items do.
        similarity_second: The same for pairs that share the first two codes, whatever the kind of levels.
        nearest_collision_rate: ``collision_rate`` if every item had its nearest codes, none moved to tell it apart.
        nearest_colliding_items: ``colliding_items`` if every item had its nearest codes.
        moved_items: Items that have other codes than their nearest ones.
        nearest_reconstruction_error: ``reconstruction_error`` of the nearest codes; the rest is what moving costs.
        agreement: How near in code space the items are that people buy together; empty without interactions.
    """

    tokenizer: str
    quantizer: str
    n_items: int
    codebook_sizes: tuple[int, ...]
    quantizer_levels: int
    collision_rate: float
    colliding_items: float
    largest_bucket: int
    buckets: tuple[tuple[int, int], ...]
    duplicate_rate: float
    levels: tuple[LevelStats, ...]
    reconstruction_error: float | None
    similarity_random: float | None
    similarity_by_level: tuple[float | None, ...]
    similarity_second: float | None
    nearest_collision_rate: float = 0.0
    nearest_colliding_items: float = 0.0
    moved_items: int = 0
    nearest_reconstruction_error: float | None = None
    agreement: tuple[CodeAgreement, ...] = ()

    @property
    def similarity_first(self) -> float | None:
        """Mean cosine of pairs that share the first code; None where no two items do."""
        return self.similarity_by_level[0]

    @property
    def min_utilisation(self) -> float:
        """Lowest share of codes in use among the describing levels, relative to what the number of items permits."""
        return min(level.used / min(level.size, self.n_items) for level in self.describing)

    @property
    def describing(self) -> tuple[LevelStats, ...]:
        """Levels that say something about an item: those of the quantizer but numbers, or all if none is left."""
        own = self.levels[: self.quantizer_levels]
        return tuple(level for level in own if level.kind != "number") or own

    def to_dict(self) -> dict[str, Any]:
        """JSON-able row; levels and agreement as lists of rows."""
        row = {**asdict(self), "min_utilisation": self.min_utilisation, "similarity_first": self.similarity_first}
        row["agreement"] = [one.to_dict() for one in self.agreement]
        return row


class Measurable(Protocol):
    """What is read of a semantic index to measure it; see :class:`genrec.index.semantic_index.SemanticIndex`."""

    @property
    def codes(self) -> np.ndarray:
        """``(n_items, n_levels)`` int32."""

    @property
    def quantizer_codes(self) -> np.ndarray:
        """Codes before disambiguation."""

    @property
    def nearest_codes(self) -> np.ndarray:
        """Codes that are nearest to every item's vector."""

    @property
    def codebook_sizes(self) -> tuple[int, ...]:
        """Of every level."""

    @property
    def quantizer_levels(self) -> int:
        """Levels that the quantizer gives."""

    @property
    def n_levels(self) -> int:
        """All levels."""

    @property
    def recipe(self) -> TokenizerRecipe:
        """How it was built."""

    @property
    def tokenizer(self) -> ItemTokenizer:
        """Encoder and quantizer."""

    @property
    def fingerprint(self) -> str:
        """Of ids and codes."""

    @property
    def catalog(self) -> Catalog:
        """The items."""

    @property
    def item_ids(self) -> np.ndarray:
        """``(n_items,)`` object array of str."""

    def vectors(self) -> np.ndarray:
        """``(n_items, dim)`` float32."""

    def __len__(self) -> int: ...


def compute_stats(index: Measurable, *, seed: int = 0, split: Split | None = None) -> IndexStats:
    """Measure an index.

    Args:
        index: The index.
        seed: Draws the pairs of items that are compared.
        split: Interactions over the index's items, for the agreement with what people buy; of its test part nothing
            is looked at.
    """
    depth = index.quantizer_levels
    sizes = index.codebook_sizes[:depth]
    codes, nearest = index.codes[:, :depth], index.nearest_codes
    parallel = index.tokenizer.quantizer.parallel
    buckets = np.bincount(group_paths(index.quantizer_codes, sizes))
    alone = np.bincount(group_paths(nearest, sizes))
    lost = _reconstruction_error(index, codes)
    cosine = Cosine(index.vectors())
    similar = tuple(cosine.of_pairs(groups, seed) for groups in prefix_groups(codes, sizes, parallel))
    return IndexStats(
        tokenizer=index.recipe.name,
        quantizer=str(index.recipe.quantizer["name"]),
        n_items=len(index),
        codebook_sizes=index.codebook_sizes,
        quantizer_levels=depth,
        collision_rate=1 - len(buckets) / len(index),
        colliding_items=float(buckets[buckets > 1].sum() / len(index)),
        largest_bucket=int(buckets.max()),
        buckets=_histogram(buckets),
        duplicate_rate=1 - _distinct_rows(index.vectors()) / len(index),
        levels=_levels(index, "slot" if parallel else "residual"),
        reconstruction_error=lost,
        similarity_random=cosine.of_pairs(np.zeros(len(index), dtype=np.int64), seed),
        similarity_by_level=similar,
        similarity_second=cosine.of_pairs(group_paths(codes[:, :2], sizes[:2]), seed) if depth > 1 else None,
        nearest_collision_rate=1 - len(alone) / len(index),
        nearest_colliding_items=float(alone[alone > 1].sum() / len(index)),
        moved_items=int((nearest != codes)[:, : depth - index.tokenizer.quantizer.numbering].any(axis=1).sum()),
        nearest_reconstruction_error=lost if (nearest == codes).all() else _reconstruction_error(index, nearest),
        agreement=() if split is None else split_agreement(codes, sizes, parallel, split),
    )


def level_stats(codes: np.ndarray, size: int, *, level: int = 1, kind: str = "residual") -> LevelStats:
    """Usage of one level's codes.

    Args:
        codes: ``(n_items,)`` integers below ``size``.
        size: Number of codes.
        level: Number of the level, from 1.
        kind: What the level is.
    """
    counts = np.bincount(codes, minlength=size)
    shares = counts[counts > 0] / len(codes)
    ordered = np.sort(counts)
    gini = float((2 * np.arange(1, size + 1) - size - 1) @ ordered / (size * len(codes)))
    return LevelStats(
        level=level,
        kind=kind,
        size=size,
        used=len(shares),
        utilisation=len(shares) / size,
        perplexity=float(np.exp(-(shares * np.log(shares)).sum())),
        gini=gini,
        largest=float(shares.max()),
    )


def _levels(index: Measurable, kind: str) -> tuple[LevelStats, ...]:
    numbers = index.tokenizer.quantizer.numbering
    kinds = [kind] * (index.quantizer_levels - numbers) + ["number"] * numbers
    kinds += ["disambiguation"] * (index.n_levels - index.quantizer_levels)
    return tuple(
        level_stats(index.codes[:, n], index.codebook_sizes[n], level=n + 1, kind=name) for n, name in enumerate(kinds)
    )


def _histogram(buckets: np.ndarray) -> tuple[tuple[int, int], ...]:
    sizes, counts = np.unique(buckets, return_counts=True)
    return tuple(zip(sizes.tolist(), counts.tolist(), strict=True))


def _distinct_rows(vectors: np.ndarray) -> int:
    """Number of distinct rows, by their bytes; reads them in blocks, so memory-mapped vectors stay on disk."""
    blocks = (vectors[start : start + _BLOCK] for start in range(0, len(vectors), _BLOCK))
    keys = np.concatenate([_key(np.asarray(block)) for block in blocks])
    order = np.argsort(keys, kind="stable")
    like_next = keys[order][1:] == keys[order][:-1]
    shared = order[np.r_[like_next, False] | np.r_[False, like_next]]  # rows that may be alike
    digests = {hashlib.blake2b(vectors[row].tobytes(), digest_size=12).digest() for row in np.sort(shared)}
    return len(vectors) - len(shared) + len(digests)


def _key(block: np.ndarray) -> np.ndarray:
    """A number for each row, the same for rows of the same bytes, ``(n,)`` uint32."""
    return np.bitwise_xor.reduce(np.ascontiguousarray(block).view(np.uint32), axis=1)


def _reconstruction_error(index: Measurable, codes: np.ndarray) -> float | None:
    rows = np.arange(len(index)) if len(index) <= _ROWS else np.linspace(0, len(index) - 1, _ROWS).astype(np.int64)
    again = index.tokenizer.quantizer.reconstruct(codes[rows])
    if again is None:
        return None
    x = index.vectors()[rows]
    total = float(((x - x.mean(axis=0)) ** 2).sum(dtype=np.float64))
    lost = float(((x - again) ** 2).sum(dtype=np.float64))
    return lost / total if total > 1e-9 * len(x) else 0.0

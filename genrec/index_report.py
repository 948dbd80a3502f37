"""What a semantic index is like: numbers, and a page that a person understands."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from genrec.errors import DataError
from genrec.schema import Columns
from genrec.trie import group_paths

if TYPE_CHECKING:
    from genrec.index import SemanticIndex

_PAIRS = 20_000
_ROWS = 65_536


@dataclass(frozen=True)
class LevelStats:
    """How one level's codes are used.

    Attributes:
        level: Number from 1.
        kind: ``residual``, ``slot`` or ``disambiguation``.
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
        levels: Usage of every level.
        reconstruction_error: Share of the vectors' variance that the codes lose, ``|x - x'|² / |x - mean|²`` over at
            most 65,536 items; None where the quantizer cannot reconstruct.
        similarity_random: Mean cosine of random pairs of items, vectors centred.
        similarity_first: The same for pairs that share the code of level 1; None where no two items do.
        similarity_second: The same for pairs that share the codes of levels 1 and 2.
        nearest_collision_rate: ``collision_rate`` if every item had its nearest codes, none moved to tell it apart.
        moved_items: Items that have other codes than their nearest ones.
        nearest_reconstruction_error: ``reconstruction_error`` of the nearest codes; the rest is what moving costs.
    """

    tokenizer: str
    quantizer: str
    n_items: int
    codebook_sizes: tuple[int, ...]
    quantizer_levels: int
    collision_rate: float
    colliding_items: float
    largest_bucket: int
    levels: tuple[LevelStats, ...]
    reconstruction_error: float | None
    similarity_random: float | None
    similarity_first: float | None
    similarity_second: float | None
    nearest_collision_rate: float = 0.0
    moved_items: int = 0
    nearest_reconstruction_error: float | None = None

    @property
    def min_utilisation(self) -> float:
        """Lowest share of codes in use among the quantizer's levels, relative to what the number of items permits."""
        return min(level.used / min(level.size, self.n_items) for level in self.levels[: self.quantizer_levels])

    def to_dict(self) -> dict[str, Any]:
        """Flat JSON-able row; the levels as a list."""
        return {**asdict(self), "min_utilisation": self.min_utilisation}


def compute_stats(index: SemanticIndex, *, seed: int = 0) -> IndexStats:
    """Measure an index; ``seed`` draws the pairs of items that are compared."""
    depth = index.quantizer_levels
    sizes, nearest, codes = index.codebook_sizes[:depth], index.nearest_codes, index.codes[:, :depth]
    buckets = np.bincount(group_paths(index.quantizer_codes, sizes))
    lost = _reconstruction_error(index, codes)
    kind = "slot" if index.tokenizer.quantizer.parallel else "residual"
    kinds = [kind] * depth + ["disambiguation"] * (index.n_levels - depth)
    cosine, first_two = _Cosine(index.vectors()), index.codes[:, :2]
    return IndexStats(
        tokenizer=index.recipe.name,
        quantizer=str(index.recipe.quantizer["name"]),
        n_items=len(index),
        codebook_sizes=index.codebook_sizes,
        quantizer_levels=depth,
        collision_rate=1 - len(buckets) / len(index),
        colliding_items=float(buckets[buckets > 1].sum() / len(index)),
        largest_bucket=int(buckets.max()),
        levels=tuple(
            level_stats(index.codes[:, n], index.codebook_sizes[n], level=n + 1, kind=kind)
            for n, kind in enumerate(kinds)
        ),
        reconstruction_error=lost,
        similarity_random=cosine.of_pairs(np.zeros(len(index), dtype=np.int64), seed),
        similarity_first=cosine.of_pairs(index.codes[:, 0].astype(np.int64), seed),
        similarity_second=cosine.of_pairs(group_paths(first_two, index.codebook_sizes[:2]), seed)
        if depth > 1
        else None,
        nearest_collision_rate=1 - (int(group_paths(nearest, sizes).max()) + 1) / len(index),
        moved_items=int((nearest != codes)[:, : depth - index.tokenizer.quantizer.numbering].any(axis=1).sum()),
        nearest_reconstruction_error=lost if (nearest == codes).all() else _reconstruction_error(index, nearest),
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


class _Cosine:
    """Cosines between items' vectors after taking the mean off (text vectors all point the same way otherwise)."""

    def __init__(self, vectors: np.ndarray) -> None:
        self.vectors = vectors
        self.mean = vectors.mean(axis=0, dtype=np.float64).astype(np.float32)

    def units(self, rows: np.ndarray) -> np.ndarray:
        """Centred unit vectors of rows, ``(n, dim)``; zero where a vector equals the mean."""
        centred = self.vectors[rows] - self.mean
        norms = np.linalg.norm(centred, axis=1, keepdims=True)
        return centred / np.where(norms > 1e-6, norms, np.inf)

    def of_pairs(self, groups: np.ndarray, seed: int) -> float | None:
        """Mean cosine of random pairs of different items of one group, or None where every group is a single item.

        Args:
            groups: ``(n_items,)`` group numbers.
            seed: Of the draw.
        """
        order = np.argsort(groups, kind="stable")
        ordered = groups[order]
        starts = np.searchsorted(ordered, ordered)
        sizes = np.searchsorted(ordered, ordered, side="right") - starts
        eligible = np.flatnonzero(sizes > 1)
        if not len(eligible):
            return None
        rng = np.random.default_rng(seed)
        first = eligible[rng.integers(0, len(eligible), _PAIRS)]
        step = rng.integers(1, sizes[first])
        second = starts[first] + (first - starts[first] + step) % sizes[first]
        return float(np.einsum("nd,nd->n", self.units(order[first]), self.units(order[second])).mean())

    def central(self, rows: np.ndarray, k: int) -> np.ndarray:
        """The ``k`` rows nearest to the middle of a group, nearest first."""
        units = self.units(rows[:_ROWS])
        return rows[np.argsort(-(units @ units.mean(axis=0)), kind="stable")[:k]]

    def nearest(self, row: int, rows: np.ndarray, k: int) -> np.ndarray:
        """The ``k`` of ``rows`` most similar to ``row``, nearest first."""
        similar = self.units(rows[:_ROWS]) @ self.units(np.array([row]))[0]
        return rows[np.argsort(-similar, kind="stable")[:k]]


def _reconstruction_error(index: SemanticIndex, codes: np.ndarray) -> float | None:
    rows = np.arange(len(index)) if len(index) <= _ROWS else np.linspace(0, len(index) - 1, _ROWS).astype(np.int64)
    again = index.tokenizer.quantizer.reconstruct(codes[rows])
    if again is None:
        return None
    x = index.vectors()[rows]
    total = float(((x - x.mean(axis=0)) ** 2).sum(dtype=np.float64))
    lost = float(((x - again) ** 2).sum(dtype=np.float64))
    return lost / total if total > 1e-9 * len(x) else 0.0


def verdicts(stats: IndexStats) -> list[str]:
    """What the numbers mean, one sentence each, the most important first."""
    own = 1 - stats.colliding_items
    result = [
        f"{own:.1%} of the {stats.n_items:,} items have codes of their own before disambiguation "
        f"(collision rate {stats.collision_rate:.2%}, largest group {stats.largest_bucket:,} items)."
    ]
    if stats.collision_rate > 0.02:
        result.append(
            "Many items collide: their last code says little about them. More levels, larger codebooks, or items "
            "with more text help."
        )
    if stats.min_utilisation < 0.8:
        result.append(
            f"A level uses only {stats.min_utilisation:.0%} of the codes it could: smaller codebooks would do the same."
        )
    if stats.similarity_first is not None and stats.similarity_random is not None:
        gain = stats.similarity_first - stats.similarity_random
        result.append(
            f"Items that share their first code resemble each other {'' if gain > 0.1 else 'little '}more than random "
            f"pairs do (mean cosine {stats.similarity_first:.2f} against {stats.similarity_random:.2f})."
        )
    return result


def render_report(index: SemanticIndex, stats: IndexStats | None = None, *, examples: int = 5) -> str:
    """The page of ``genrec index show``, Markdown.

    Args:
        index: The index.
        stats: Its numbers, if they are known already.
        examples: Number of first codes, and of two-code prefixes, that are shown with titles.
    """
    stats = stats or compute_stats(index)
    lines = [f"# Semantic index of {stats.n_items:,} items, tokenizer {stats.tokenizer}", ""]
    lines += [f"- {sentence}" for sentence in verdicts(stats)]
    lines += ["", "## Levels", "", *_level_table(stats), "", "## Quality", "", *_quality(stats), ""]
    cosine, titles = _Cosine(index.vectors()), index.catalog.titles()
    for length in (1, 2)[: min(2, stats.quantizer_levels)]:
        lines += [f"## Largest prefixes of {length} code{'s' if length > 1 else ''}, with their most typical items", ""]
        for prefix in _largest_prefixes(index, length, examples):
            rows = index.trie.items_under(prefix)
            shown = "; ".join(_short(titles[row]) for row in cosine.central(rows, 5))
            lines.append(f"- `{_path(prefix)}` ({len(rows):,} items): {shown}")
        lines.append("")
    return "\n".join(lines)


def _level_table(stats: IndexStats) -> list[str]:
    lines = [
        "| level | kind | codes | in use | utilisation | perplexity | Gini | largest code |",
        "|--:|---|--:|--:|--:|--:|--:|--:|",
    ]
    lines += [
        f"| {s.level} | {s.kind} | {s.size:,} | {s.used:,} | {s.utilisation:.1%} | {s.perplexity:,.1f} | {s.gini:.2f} "
        f"| {s.largest:.1%} |"
        for s in stats.levels
    ]
    return lines


def _quality(stats: IndexStats) -> list[str]:
    similar = (stats.similarity_random, stats.similarity_first, stats.similarity_second)
    cosines = ["–" if value is None else f"{value:.3f}" for value in similar]
    errors = (stats.reconstruction_error, stats.nearest_reconstruction_error)
    lost, nearest = ("–" if value is None else f"{value:.1%}" for value in errors)
    rows = [
        ("collision rate before disambiguation", f"{stats.collision_rate:.2%}"),
        ("items that share their codes before disambiguation", f"{stats.colliding_items:.2%}"),
        ("collision rate of the nearest codes", f"{stats.nearest_collision_rate:.2%}"),
        ("items moved from their nearest codes", f"{stats.moved_items:,}"),
        ("collision rate after disambiguation", "0.00%"),
        ("largest collision group", f"{stats.largest_bucket:,} items"),
        ("variance of the vectors lost by the codes", lost),
        ("variance lost if no item had been moved", nearest),
        ("mean cosine of random pairs", cosines[0]),
        ("mean cosine of pairs that share code 1", cosines[1]),
        ("mean cosine of pairs that share codes 1 and 2", cosines[2]),
    ]
    return ["| what | value |", "|---|--:|", *(f"| {name} | {value} |" for name, value in rows)]


def _largest_prefixes(index: SemanticIndex, length: int, k: int) -> list[list[int]]:
    starts = index.trie.leaf_starts(length - 1)
    nodes = np.argsort(-np.diff(starts), kind="stable")[:k]
    return index.trie.paths()[starts[nodes], :length].tolist()


def show_item(index: SemanticIndex, item_id: str, *, neighbours: int = 5) -> str:
    """One item: its codes, its fields, and the items nearest to it under each of its prefixes, longest first.

    Raises:
        DataError: The index does not have the item.
    """
    row = index.position(item_id)
    titles, cosine = index.catalog.titles(), _Cosine(index.vectors())
    codes = index.codes[row].tolist()
    lines = [f"# {titles[row]}", "", f"- {Columns.Item}: {item_id}", f"- codes: `{_path(codes)}`"]
    for field, value in index.catalog.frame.row(row, named=True).items():
        if field != Columns.Item and value not in (None, "", [], titles[row]):
            lines.append(f"- {field}: {_short(', '.join(value) if isinstance(value, list) else str(value), 300)}")
    shown = {row}
    for length in range(index.n_levels - 1, 0, -1):
        rows = index.trie.items_under(codes[:length])
        others = rows[~np.isin(rows, list(shown))]
        lines += ["", f"## {len(rows):,} item{'s' if len(rows) > 1 else ''} under `{_path(codes[:length])}`", ""]
        nearest = cosine.nearest(row, others, neighbours) if len(others) else others
        lines += [f"- `{_path(index.codes[n])}` {_short(titles[n])} ({index.item_ids[n]})" for n in nearest]
        if not len(nearest):
            lines.append("- no other item" if len(rows) == 1 else "- only items shown above")
        shown.update(nearest.tolist())
    return "\n".join(lines) + "\n"


def show_prefix(index: SemanticIndex, prefix: Sequence[int], *, items: int = 10) -> str:
    """The items under a code prefix: the most typical ones, and those of its most frequent next codes.

    Raises:
        DataError: No item has the prefix; names codes that exist.
    """
    prefix = [int(code) for code in prefix]
    rows = index.trie.items_under(prefix)
    if not len(rows):
        known = next(n for n in range(len(prefix) - 1, -1, -1) if len(index.trie.items_under(prefix[:n])))
        follow = index.trie.children(prefix[:known]).tolist()
        raise DataError(
            f"No item has the codes {_path(prefix)}.",
            expected=f"after '{_path(prefix[:known])}' one of {follow[:20]}{' …' if len(follow) > 20 else ''}",
        )
    titles, cosine = index.catalog.titles(), _Cosine(index.vectors())
    lines = [f"# {len(rows):,} items under `{_path(prefix)}` ({len(rows) / len(index):.2%} of all)", ""]
    lines += [
        f"- `{_path(index.codes[n])}` {_short(titles[n])} ({index.item_ids[n]})" for n in cosine.central(rows, items)
    ]
    if len(prefix) < index.quantizer_levels:
        codes, counts = np.unique(index.codes[rows, len(prefix)], return_counts=True)
        lines += ["", f"## Next codes: {len(codes):,} in use", ""]
        for code in codes[np.argsort(-counts, kind="stable")[:items]].tolist():
            below = index.trie.items_under([*prefix, code])
            shown = "; ".join(_short(titles[n], 50) for n in cosine.central(below, 3))
            lines.append(f"- `{code}` ({len(below):,} items): {shown}")
    return "\n".join(lines) + "\n"


def _path(codes: Sequence[int] | np.ndarray) -> str:
    return " ".join(str(int(code)) for code in codes)


def _short(text: str, width: int = 70) -> str:
    text = " ".join(text.split())
    return text if len(text) <= width else text[: width - 1].rstrip() + "…"

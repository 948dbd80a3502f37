"""Placing items that enter an index together: distinct codes at the last level where there is room."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Literal

import numpy as np
from pydantic import Field

from genrec.config import Settings
from genrec.quantizers.assignment import Method, assign
from genrec.quantizers.base import ItemContext, Quantizer, centroid_scores, residual_decode
from genrec.trie import group_paths

Group = tuple[np.ndarray, np.ndarray]
"""Rows of new items and rows of published items that share all codes but the last."""

_BLOCK = 4_096


class LastLevelSettings(Settings):
    """The setting that quantizers with :class:`SpreadsLastLevel` share."""

    last_level: Literal["nearest", "uniform"] = Field(
        "nearest",
        description="nearest: items may share all codes; uniform: items that share all earlier codes get different "
        "last codes, at the least loss",
    )


class SpreadsLastLevel(Quantizer):
    """A quantizer with codebooks whose last level can be handed out instead of chosen (``last_level: uniform``).

    Items that enter an index together and share all codes but the last get distinct last codes, so that the sum of
    squared errors is smallest: uniform semantic mapping (LC-Rec, arXiv 2311.09049), which LETTER (arXiv 2405.07314)
    uses too. Items with the same text are then told apart, arbitrarily but at no more cost than a suffix. New items
    take the nearest codes that are free. Only when more items share the earlier codes than the last level has codes
    do some of them still collide.
    """

    @property
    def moves(self) -> bool:
        """Whether the last level is handed out."""
        return getattr(self.settings, "last_level", "nearest") == "uniform"

    def place(
        self, x: np.ndarray, *, items: ItemContext | None = None, published: np.ndarray | None = None
    ) -> np.ndarray:
        """Codes of items that enter together; see :meth:`Quantizer.place`."""
        codes = self.encode(x, items=items)
        return self._spread(x, codes, published) if self.moves else codes

    def place_all(self, x: np.ndarray, *, items: ItemContext | None = None) -> tuple[np.ndarray, np.ndarray | None]:
        """Codes of :meth:`place` and of :meth:`encode`, encoded once; see :meth:`Quantizer.place_all`."""
        codes = self.encode(x, items=items)
        return (self._spread(x, codes) if self.moves else codes), codes

    def _spread(self, x: np.ndarray, codes: np.ndarray, published: np.ndarray | None = None) -> np.ndarray:
        """Codes with a last level that is handed out, from those of :meth:`encode`."""
        sizes = self.codebook_sizes
        return spread_last_level(codes, sizes, lambda rows: last_level_scores(self, x, codes, rows), published)


def last_level_scores(quantizer: Quantizer, x: np.ndarray, codes: np.ndarray, rows: np.ndarray) -> np.ndarray | None:
    """How near every code of the last level is, given the codes before it.

    Args:
        quantizer: A fitted quantizer.
        x: ``(n, dim)`` vectors.
        codes: ``(n, n_levels)`` codes of them.
        rows: ``(m,)`` rows of interest.

    Returns:
        ``(m, last codebook size)`` float32, minus half the squared distance up to a constant of the row, or None where
        the quantizer has no codebooks.
    """
    latents, books = quantizer.latents(np.asarray(x[rows], dtype=np.float32)), quantizer.codebooks
    if latents is None or books is None:
        return None
    if latents.ndim == 3:
        return centroid_scores(latents[:, -1], books[-1])
    if len(books) > 1:
        latents = latents - residual_decode(codes[rows, :-1], books[:-1])
    return centroid_scores(latents, books[-1])


def spread_last_level(
    codes: np.ndarray,
    codebook_sizes: tuple[int, ...],
    scores_of: Callable[[np.ndarray], np.ndarray | None],
    published: np.ndarray | None = None,
    method: Method = "exact",
) -> np.ndarray:
    """Change last codes so that items which share the codes before get different ones, where there is room.

    A group without conflicts keeps its codes. In a group with more items than codes, every code gets as even a share
    as published items allow.

    Args:
        codes: ``(n, n_levels)`` int32 nearest codes.
        codebook_sizes: Of all levels.
        scores_of: From ``(m,)`` rows to ``(m, last size)`` scores of the last codes, the higher the nearer.
        published: ``(n_published, n_levels)`` int32 paths that are taken and do not move.
        method: How a group is solved, see :func:`genrec.quantizers.assignment.assign`.

    Returns:
        ``(n, n_levels)`` int32; only the last column differs.
    """
    taken = np.empty((0, codes.shape[1]), dtype=np.int32) if published is None else published
    size, result = codebook_sizes[-1], codes.copy()
    for block in _blocks(_conflicts(codes, taken, codebook_sizes)):
        scores = scores_of(np.concatenate([rows for rows, _ in block]))
        if scores is None:
            return codes
        first = 0
        for rows, used in block:
            load = np.bincount(taken[used, -1], minlength=size)
            result[rows, -1] = _spread_group(scores[first : first + len(rows)], load, method)
            first += len(rows)
    return result


def _spread_group(scores: np.ndarray, load: np.ndarray, method: Method) -> np.ndarray:
    """Last codes of a group, ``(m, size) -> (m,)`` int32; every code once before any is used twice, and so on.

    Args:
        scores: ``(m, size)``.
        load: ``(size,)`` published items that have each code.
        method: How the group is solved.
    """
    result, load, left = np.empty(len(scores), dtype=np.int32), load.copy(), np.arange(len(scores))
    share = max(1, (len(scores) + int(load.sum())) // len(load))
    while len(left):  # one round, unless there are more items than codes
        chosen = assign(scores[left], np.maximum(share - load, 0), method)
        placed = chosen >= 0
        result[left[placed]] = chosen[placed]
        load += np.bincount(chosen[placed], minlength=len(load))
        share, left = share + 1, left[~placed]
    return result


def _blocks(groups: Iterable[Group]) -> Iterator[list[Group]]:
    """Groups taken together until they have some thousands of rows, so that scores are worked out in bulk."""
    block: list[Group] = []
    size = 0
    for group in groups:
        block.append(group)
        size += len(group[0])
        if size >= _BLOCK:
            yield block
            block, size = [], 0
    if block:
        yield block


def _conflicts(codes: np.ndarray, taken: np.ndarray, sizes: tuple[int, ...]) -> Iterator[Group]:
    """Groups by all codes but the last in which a path occurs twice: their new rows and their published rows."""
    n, both = len(codes), np.concatenate([codes, taken])
    groups = group_paths(both[:, :-1], sizes[:-1]) if len(sizes) > 1 else np.zeros(len(both), dtype=np.int64)
    paths = group_paths(both, sizes)
    shared = np.bincount(paths)[paths[:n]] > 1
    crowded = np.zeros(int(groups.max()) + 1, dtype=bool)
    crowded[groups[:n][shared]] = True
    order = np.flatnonzero(crowded[groups])
    order = order[np.argsort(groups[order], kind="stable")]
    for rows in np.split(order, np.flatnonzero(np.diff(groups[order])) + 1):
        if len(rows):
            yield rows[rows < n], rows[rows >= n] - n

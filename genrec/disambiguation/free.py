"""The nearest code path that is free."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from genrec.disambiguation.base import QuantizedItems
from genrec.errors import ConfigError, DataError
from genrec.wording import agree, count

_WIDTH = 32
_ROWS = 64


def free_paths(items: QuantizedItems, rows: np.ndarray, taken: np.ndarray, capacity: int = 1) -> np.ndarray:
    """Quantizer paths with room that are near to items, one after the other in the order given.

    Candidates come from a beam search over the codebooks, which widens until one has room, so the result is the nearest
    path that was looked at, not always the nearest of all.

    Args:
        items: The items; their quantizer must have codebooks.
        rows: ``(m,)`` items that need a path, the first served first.
        taken: ``(n_taken, quantizer_levels)`` paths in use, as often as they are used.
        capacity: Items that a path takes.

    Returns:
        ``(m, quantizer_levels)`` int32.

    Raises:
        ConfigError: The quantizer cannot say which codes are near.
        DataError: All paths are full; names the remedy.
    """
    result = np.empty((len(rows), taken.shape[1]), dtype=np.int32)
    if not len(rows):
        return result
    books = items.quantizer.codebooks
    latents = items.quantizer.latents(np.asarray(items.vectors[rows], dtype=np.float32))
    if latents is None or books is None:
        raise no_near_codes(items)
    used = Counter(map(bytes, np.ascontiguousarray(taken, dtype=np.int32)))
    for start in range(0, len(rows), _ROWS):
        block = near_paths(latents[start : start + _ROWS], books, _WIDTH)
        for n, paths in enumerate(block, start=start):
            result[n] = _first_with_room(paths, used, capacity)
            width = _WIDTH
            while result[n, 0] < 0:
                if width >= np.prod([len(book) for book in books], dtype=np.float64):
                    raise _full(items, int(rows[n]), capacity)
                width *= 8
                result[n] = _first_with_room(near_paths(latents[n : n + 1], books, width)[0], used, capacity)
            used[result[n].tobytes()] += 1
    return result


def _first_with_room(paths: np.ndarray, used: Counter[bytes], capacity: int) -> np.ndarray:
    for path in paths:
        if used[path.tobytes()] < capacity:
            return path
    return np.full(paths.shape[1], -1, dtype=np.int32)


def near_paths(latents: np.ndarray, codebooks: Sequence[np.ndarray], width: int) -> np.ndarray:
    """Code paths in the order of their distance, by beam search.

    Args:
        latents: ``(m, code_dim)`` for residual levels, ``(m, n_levels, code_dim)`` for slots.
        codebooks: ``(codebook_size, code_dim)`` per level.
        width: Paths that are kept at each level.

    Returns:
        ``(m, width or as many as there are, n_levels)`` int32, the nearest first.
    """
    m, slots = len(latents), latents.ndim == 3
    rest = latents[:, :1] if slots else latents[:, None]  # (m, beams, code_dim)
    scores, paths = np.zeros((m, 1), dtype=np.float32), np.empty((m, 1, 0), dtype=np.int32)
    for level, book in enumerate(codebooks):
        if slots:
            rest = np.repeat(latents[:, level : level + 1], scores.shape[1], axis=1)
        squares = np.einsum("kd,kd->k", book, book) - 2 * (rest @ book.T) + (rest**2).sum(axis=2, keepdims=True)
        # in residual levels the distance so far is that of the rest alone; slots add up
        total = (-squares + scores[:, :, None] if slots else -squares).reshape(m, -1)
        chosen = np.argsort(-total, axis=1, kind="stable")[:, :width]
        beam, code = np.divmod(chosen, len(book))
        earlier = np.take_along_axis(paths, beam[..., None], 1)
        paths = np.concatenate([earlier, code[..., None]], axis=2).astype(np.int32)
        scores = np.take_along_axis(total, chosen, 1)
        if not slots:
            rest = np.take_along_axis(rest, beam[..., None], 1) - book[code]
    return np.ascontiguousarray(paths)


def no_near_codes(items: QuantizedItems) -> ConfigError:
    """The error for a rule that needs codebooks and a quantizer without."""
    return ConfigError(
        f"The quantizer '{items.quantizer.name}' has no codebooks, so no code is nearer than another.",
        where="disambiguation.name",
        expected="a quantizer with codebooks, such as rq-kmeans, rq-vae, fsq or product",
        hint="Use disambiguation.name=suffix.",
    )


def _full(items: QuantizedItems, row: int, capacity: int) -> DataError:
    paths = int(np.prod([float(size) for size in items.codebook_sizes]))
    return DataError(
        f"{agree(paths, 'The', 'All')} {count(paths, 'code path')} {agree(paths, 'is', 'are')} full.",
        where=f"item {items.item_ids[row]!r}",
        expected=f"at most {count(capacity, 'item')} for each path",
        hint="Use more quantizer levels, larger codebooks, a larger disambiguation.capacity or "
        "disambiguation.name=suffix.",
    )

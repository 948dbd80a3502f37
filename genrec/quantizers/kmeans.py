"""k-means with the same bytes for the same seed: faiss where installed, scikit-learn otherwise."""

from __future__ import annotations

import importlib.util
from typing import Literal

import numpy as np

from genrec.errors import MissingExtraError
from genrec.quantizers.base import centroid_scores, sample_indices

Backend = Literal["auto", "faiss", "scikit-learn"]

_PART = 40
"""Rows for each centroid in the part that finds the starts."""
_MANY = 20_480
"""Fewer rows are not worth a part."""


def resolve_backend(backend: Backend) -> Literal["faiss", "scikit-learn"]:
    """The backend that will be used.

    Raises:
        MissingExtraError: faiss is asked for and not installed.
    """
    installed = importlib.util.find_spec("faiss") is not None
    if backend == "faiss" and not installed:
        raise MissingExtraError("faiss-cpu", "ann")
    if backend == "auto":
        return "faiss" if installed else "scikit-learn"
    return backend


def kmeans(x: np.ndarray, k: int, *, iterations: int, seed: int, backend: Backend = "auto") -> np.ndarray:
    """Centroids of Lloyd's k-means (MacQueen 1967; k-means++ starts, Arthur & Vassilvitskii 2007, in scikit-learn).

    Of more than 20,480 rows, a part finds the starts first; two fifths of the rounds with all rows then settle them.

    Args:
        x: ``(n, dim)`` float32, finite.
        k: Number of centroids wanted.
        iterations: Most rounds of Lloyd's algorithm.
        seed: Seed of the starts.
        backend: Implementation.

    Returns:
        ``(live, dim)`` float32 distinct centroids with ``1 <= live <= min(k, distinct rows)``.
    """
    distinct = _distinct_rows(x, k)
    if distinct is not None:
        return distinct
    run = _faiss if resolve_backend(backend) == "faiss" else _sklearn
    part = x[sample_indices(len(x), max(_PART * k, _MANY // 2), seed)] if len(x) > max(2 * _PART * k, _MANY) else x
    if part is x or _distinct_rows(part, k) is not None:
        return _distinct_in_order(run(x, _plus_plus(x, k, seed), iterations, seed))
    starts = run(part, _plus_plus(part, k, seed), iterations, seed)
    return _distinct_in_order(run(x, starts, -(-iterations * 2 // 5), seed))


def _distinct_rows(x: np.ndarray, k: int) -> np.ndarray | None:
    """The distinct rows, sorted, when there are at most ``k``: they are then the best centroids."""
    if len(x) > 4 * k and len(np.unique(x[: 4 * k], axis=0)) > k:  # the usual case, found without sorting all rows
        return None
    rows = np.unique(x, axis=0)
    return rows if len(rows) <= k else None


def _distinct_in_order(centroids: np.ndarray) -> np.ndarray:
    _, first = np.unique(centroids, axis=0, return_index=True)
    return np.ascontiguousarray(centroids[np.sort(first)], dtype=np.float32)


def _faiss(x: np.ndarray, starts: np.ndarray, iterations: int, seed: int) -> np.ndarray:
    import faiss

    # faiss would start from random rows, which leaves more of the deeper levels unused
    model = faiss.Kmeans(
        x.shape[1],
        len(starts),
        niter=iterations,
        seed=seed % (1 << 31),
        min_points_per_centroid=1,
        max_points_per_centroid=len(x),
    )
    model.train(x, init_centroids=starts)
    return np.array(model.centroids, dtype=np.float32)


def _sklearn(x: np.ndarray, starts: np.ndarray, iterations: int, seed: int) -> np.ndarray:
    from sklearn.cluster import KMeans
    from threadpoolctl import threadpool_limits

    # More threads add partial sums in the order in which they finish: the last bits would differ between runs.
    with threadpool_limits(1):
        model = KMeans(len(starts), init=starts, n_init=1, max_iter=iterations, tol=1e-4)
        return np.asarray(model.fit(x).cluster_centers_, dtype=np.float32)


def _plus_plus(x: np.ndarray, k: int, seed: int) -> np.ndarray:
    from sklearn.cluster import kmeans_plusplus
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1):
        return np.asarray(kmeans_plusplus(x, k, random_state=seed % (1 << 32))[0], dtype=np.float32)


def balance(
    x: np.ndarray, centroids: np.ndarray, *, rounds: int = 4, steps: int = 10, softness: float = 0.03
) -> tuple[np.ndarray, np.ndarray]:
    """Centroids and head starts that give every centroid about the same number of rows.

    The head starts are the dual prices of the optimal-transport problem with equal shares, found by Sinkhorn steps
    (Cuturi 2013, arXiv 1306.0895), in turn with moving the centroids to the means of their rows. They are kept, so
    that later rows are spread by the same rule: :func:`genrec.quantizers.base.nearest` with ``bias``.

    Args:
        x: ``(n, dim)`` float32.
        centroids: ``(k, dim)`` float32 to start from.
        rounds: Times that the centroids move.
        steps: Sinkhorn steps per round.
        softness: Temperature as a share of half the median squared length of the rows.

    Returns:
        ``(k, dim)`` float32 centroids and ``(k,)`` float32 head starts, at most 0.
    """
    bias = np.zeros(len(centroids), dtype=np.float32)
    temperature = softness * float(np.median(np.einsum("nd,nd->n", x, x))) / 2
    if temperature <= 0:
        return centroids, bias
    for _ in range(rounds):
        scores = centroid_scores(x, centroids)
        bias = _prices(scores, bias, temperature, steps)
        centroids = means(x, (scores + bias).argmax(axis=1), centroids)
    return centroids, _prices(centroid_scores(x, centroids), bias, temperature, steps)


def _prices(scores: np.ndarray, bias: np.ndarray, temperature: float, steps: int) -> np.ndarray:
    for _ in range(steps):
        shares = (scores + bias) / temperature
        shares -= shares.max(axis=1, keepdims=True)
        np.exp(shares, out=shares)
        shares /= shares.sum(axis=1, keepdims=True)
        load = shares.mean(axis=0, dtype=np.float64) * len(bias)
        bias = (bias - temperature * np.log(np.maximum(load, 1e-12))).astype(np.float32)
    return bias - bias.max()


def means(x: np.ndarray, chosen: np.ndarray, centroids: np.ndarray) -> np.ndarray:
    """Mean of the rows that chose each centroid, ``(k, dim)`` float32; a centroid without rows stays."""
    order = np.argsort(chosen, kind="stable")
    live, starts, counts = np.unique(chosen[order], return_index=True, return_counts=True)
    moved = centroids.copy()
    moved[live] = np.add.reduceat(x[order], starts, axis=0) / counts[:, None]
    return moved

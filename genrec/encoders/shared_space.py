"""A space in which text and collaborative vectors agree: regularised canonical correlation."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

_CHUNK = 16_384


def fit_shared(
    text: np.ndarray, pairs: np.ndarray, order: np.ndarray, penalty: float, dim: int
) -> dict[str, np.ndarray]:
    """Directions of both kinds of vectors that vary together (Hotelling 1936), from the items that have both.

    Args:
        text: ``(n_items, d)`` float32 vectors that every item has.
        pairs: ``(n_items, e)`` float32 collaborative vectors, zero where unknown.
        order: ``(n_items,)`` rows in the order of summing.
        penalty: Added to the diagonals of the sums of squares.
        dim: Most directions.

    Returns:
        ``text_mean (d,)``, ``pairs_mean (e,)``, ``text_basis (d, k)``, ``pairs_basis (e, k)`` and
        ``correlations (k,)``, float32; empty when no two items have both.
    """
    both = order[text[order].any(axis=1) & pairs[order].any(axis=1)]
    if len(both) < 2:
        return {}
    joined = [np.hstack([text[rows], pairs[rows]]).astype(np.float64) for rows in _chunks(both)]
    mean = sum(block.sum(axis=0) for block in joined) / len(both)
    gram = sum((block - mean).T @ (block - mean) for block in joined)
    d = text.shape[1]
    white = [_inverse_root(part, penalty) for part in (gram[:d, :d], gram[d:, d:])]
    u, correlations, vt = np.linalg.svd(white[0] @ gram[:d, d:] @ white[1], full_matrices=False)
    signs = np.where(u[np.abs(u).argmax(axis=0), np.arange(u.shape[1])] < 0, -1.0, 1.0)
    scale = np.sqrt(len(both)) * signs  # unit variance along every direction
    tensors = {
        "text_mean": mean[:d],
        "pairs_mean": mean[d:],
        "text_basis": (white[0] @ u * scale)[:, :dim],
        "pairs_basis": (white[1] @ vt.T * scale)[:, :dim],
        "correlations": correlations[:dim],
    }
    return {name: np.ascontiguousarray(value, dtype=np.float32) for name, value in tensors.items()}


def project_shared(text: np.ndarray, pairs: np.ndarray, tensors: dict[str, np.ndarray]) -> np.ndarray:
    """Vectors in the shared space, ``(n_items, k)`` float32.

    The mean of what text and pairs say along each direction, times the correlation there, so that directions on which
    they disagree count little. Where the pairs are unknown, the best guess from the text stands for them: what the text
    says, times the correlation.
    """
    correlations = tensors["correlations"]
    result = np.empty((len(text), len(correlations)), dtype=np.float32)
    for rows in _chunks(np.arange(len(text))):
        mine = (text[rows] - tensors["text_mean"]) @ tensors["text_basis"]
        theirs = (pairs[rows] - tensors["pairs_mean"]) @ tensors["pairs_basis"]
        known = pairs[rows].any(axis=1, keepdims=True)
        result[rows] = (mine + np.where(known, theirs, mine * correlations)) / 2 * correlations
    return result


def _inverse_root(gram: np.ndarray, penalty: float) -> np.ndarray:
    values, vectors = np.linalg.eigh(gram + penalty * np.eye(len(gram)))
    return vectors / np.sqrt(np.maximum(values, 1e-12)) @ vectors.T


def _chunks(rows: np.ndarray) -> Iterator[np.ndarray]:
    return (rows[start : start + _CHUNK] for start in range(0, len(rows), _CHUNK))

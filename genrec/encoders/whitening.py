"""Item vectors on a scale that catalogues share: centred, decorrelated and of unit length.

Sentence vectors of one catalogue point nearly the same way ("Sports & Outdoors > ..." stands in every text), and a few
directions carry most of the variance. Both differ between catalogues, and neither needs interactions to be removed.
"""

from __future__ import annotations

import numpy as np

from genrec.encoders.base import normalize_rows

_SAMPLE = 262_144
_CHUNK = 16_384


class Whitening:
    """Mean and inverse square root of the covariance of one catalogue's vectors.

    The matrix is symmetric (ZCA), so that component ``n`` still means what component ``n`` meant, in every catalogue.

    Args:
        mean: ``(dim,)``.
        matrix: ``(dim, dim)``.

    Kessy, Lewin, Strimmer: Optimal whitening and decorrelation (https://arxiv.org/abs/1512.00809).
    """

    def __init__(self, mean: np.ndarray, matrix: np.ndarray) -> None:
        self.mean, self.matrix = mean, matrix

    @classmethod
    def of(cls, vectors: np.ndarray, shrinkage: float = 0.3, order: np.ndarray | None = None) -> Whitening:
        """Measure vectors; rows of zeros, which stand for items without text, do not count.

        Args:
            vectors: ``(n_items, dim)``; may be memory-mapped. Of large catalogues evenly spaced rows are read.
            shrinkage: Share of the average variance that is added to every direction, so that directions in which a
                catalogue hardly differs (a small one has many) are not blown up.
            order: ``(n_items,)`` rows in the order of summing; None: as they are.
        """
        step = -(-len(vectors) // _SAMPLE)
        rows = np.asarray(vectors[::step] if order is None else vectors[order[::step]], dtype=np.float64)
        rows = rows[rows.any(axis=1)]
        mean = rows.mean(axis=0) if len(rows) else np.zeros(rows.shape[1])
        centred = rows - mean
        values, axes = np.linalg.eigh(centred.T @ centred / max(1, len(rows)))
        values = values.clip(min=0)
        scale = (values + shrinkage * values.mean() + 1e-12) ** -0.5
        return cls(mean.astype(np.float32), ((axes * scale) @ axes.T).astype(np.float32))

    def apply(self, vectors: np.ndarray) -> np.ndarray:
        """Whitened rows of unit length, ``(n, dim)`` float32; zero where nothing is known, and at the mean.

        Products are summed in double precision: float32 sums differ in their last bits with the number of rows, and an
        item would get another vector alone than among others.
        """
        mean, matrix = self.mean.astype(np.float64), self.matrix.astype(np.float64)
        result = np.empty(vectors.shape, dtype=np.float32)
        for start in range(0, len(vectors), _CHUNK):
            part = np.asarray(vectors[start : start + _CHUNK], dtype=np.float64)
            result[start : start + len(part)] = normalize_rows((part - mean) @ matrix)
            result[start : start + len(part)][~part.any(axis=1)] = 0
        return result

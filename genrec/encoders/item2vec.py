"""item2vec: collaborative vectors by skip-grams with negative samples."""

from __future__ import annotations

import logging
import warnings
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np
from pydantic import Field

from genrec.config import LARGEST_WIDTH, MOST_ROUNDS, Seed, Settings
from genrec.encoders.base import normalize_rows
from genrec.encoders.cooccurrence import PairEncoder

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

logger = logging.getLogger(__name__)


class Item2VecSettings(Settings):
    """Settings of :class:`Item2VecEncoder`."""

    name: Literal["item2vec"] = "item2vec"
    dim: int = Field(default=64, ge=1, le=LARGEST_WIDTH, description="Length of a vector.")
    window: int = Field(
        default=5, ge=1, description="Two items of a history count when at most this many places apart."
    )
    epochs: int = Field(
        default=10, ge=1, le=MOST_ROUNDS, description="Passes; one draws as many pairs as there are different ones."
    )
    negatives: int = Field(default=5, ge=1, le=LARGEST_WIDTH, description="Random items for every pair.")
    smoothing: float = Field(
        default=0.75, ge=0, le=1, description="Exponent of the frequency with which random items are drawn."
    )
    batch_size: int = Field(default=4096, ge=1, description="Pairs per step.")
    learning_rate: float = Field(default=0.2, gt=0, description="Of Adagrad.")
    seed: Seed = Field(default=0, description="seed of start and draws")


class Item2VecEncoder(PairEncoder[Item2VecSettings]):
    """Skip-gram with negative sampling over training histories (Barkan, Koenigstein: item2vec, arXiv 1603.04259).

    Pairs are drawn from the counts of near items (a pair at distance d counts 1/d, the same in both directions) instead
    of walking through the histories, so the order of the users does not matter. Vectors have unit length. The matrix
    factorisation of ``cooccurrence`` is quicker and comes to nearly the same; this one has no cut-off rank and gives
    rare pairs more weight.
    """

    name: ClassVar[str] = "item2vec"
    settings_type: ClassVar[type[Settings]] = Item2VecSettings

    def _window(self) -> int:
        return self.settings.window

    def _learn(self, counts: csr_matrix) -> np.ndarray:
        import torch
        from torch import nn
        from torch.nn.functional import logsigmoid

        settings, rng = self.settings, np.random.default_rng(self.settings.seed)
        left = np.repeat(np.arange(counts.shape[0]), np.diff(counts.indptr))
        pairs, items = np.cumsum(counts.data), np.cumsum(np.asarray(counts.sum(axis=1)).ravel() ** settings.smoothing)
        start = rng.normal(size=(2, counts.shape[0], settings.dim)).astype(np.float32) / settings.dim
        tables = [nn.Embedding.from_pretrained(torch.from_numpy(one), freeze=False, sparse=True) for one in start]
        optimizer = torch.optim.Adagrad([table.weight for table in tables], lr=settings.learning_rate)
        for epoch in range(settings.epochs):
            total = 0.0
            for size in _batches(counts.nnz, settings.batch_size):
                chosen = _draw(pairs, size, rng)
                others = _draw(items, (size, settings.negatives), rng)
                right = np.concatenate([counts.indices[chosen][:, None], others], axis=1)
                a = tables[0](torch.from_numpy(left[chosen]))
                b = tables[1](torch.from_numpy(right.astype(np.int64)))
                scores = (a[:, None] * b).sum(dim=2)
                loss = -(logsigmoid(scores[:, 0]).sum() + logsigmoid(-scores[:, 1:]).sum()) / size
                optimizer.zero_grad(set_to_none=True)
                loss.backward()
                with warnings.catch_warnings():
                    warnings.filterwarnings("ignore", message="Sparse invariant checks")
                    optimizer.step()
                total += float(loss.detach()) * size
            logger.debug("epoch %d: loss %.4f", epoch + 1, total / counts.nnz)
        return normalize_rows(tables[0].weight.detach().numpy())


def _batches(n: int, size: int) -> list[int]:
    return [min(size, n - start) for start in range(0, n, size)]


def _draw(cumulated: np.ndarray, size: int | tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    """Positions drawn in proportion to weights, given their running sums."""
    found = np.searchsorted(cumulated, rng.random(size) * cumulated[-1], side="right")
    return np.minimum(found, len(cumulated) - 1)

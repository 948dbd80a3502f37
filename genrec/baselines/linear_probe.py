"""A linear map on item vectors: the cheapest test of what text knows about behaviour."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from pydantic import Field

from genrec.baselines.base import FitInputs
from genrec.baselines.neural import NeuralBaseline
from genrec.baselines.optimise import NeuralSettings
from genrec.baselines.sparse import newest
from genrec.baselines.tuning import product
from genrec.baselines.vectors import item_vectors, products, profiles, unit_rows
from genrec.config import LARGEST_WIDTH, MOST_ROUNDS, Settings
from genrec.data.histories import Histories
from genrec.errors import DataError
from genrec.tensors import seeded

if TYPE_CHECKING:
    from torch import Tensor, nn

Pairs = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]
"""Context items end to end, their offsets ``(rows,)``, targets ``(rows,)`` and negatives ``(n_negatives,)``."""


class LinearProbeSettings(NeuralSettings):
    """Settings of :class:`LinearProbe`."""

    epochs: int = Field(20, ge=1, le=MOST_ROUNDS, description="most passes over the training part")
    patience: int = Field(2, ge=1, description="stop after so many epochs without a better validation NDCG@10")
    batch_size: int = Field(1024, ge=1, description="pairs of a history and its next item per step")
    dim: int = Field(
        128, ge=1, le=LARGEST_WIDTH, description="width of the mapped vectors, at most that of the item vectors"
    )
    temperature: float = Field(0.1, gt=0, description="divides the cosines in the softmax")
    negatives: int = Field(2048, ge=1, le=LARGEST_WIDTH, description="items drawn for the softmax of a step")
    last: int | None = Field(10, ge=1, description="newest items of a history that are averaged; None: all")


class LinearProbe(NeuralBaseline):
    r"""``score(j) = cos(W u, W x_j)``, where ``x_j`` is an item vector and ``u`` the mean of the user's item vectors.

    ``W`` is trained to find the next item of every training history among drawn items, softmax of cosine over
    temperature; it starts from the principal directions of the vectors, where it does nothing but what text
    neighbours do. The one-matrix version of AlphaRec: Sheng et al., Language Representations Can be What Recommenders
    Need (https://arxiv.org/abs/2407.05441). Not as there: histories are prefixes, of which the newest items are read.
    Items that nobody had are recommended like all others.
    """

    name = "linear-probe"
    Config: ClassVar[type[Settings]] = LinearProbeSettings
    needs_vectors: ClassVar[bool] = True

    settings: LinearProbeSettings
    _mapped: np.ndarray
    """``(n_items, dim)`` float32, not normalised: the map is linear, so a mean can be taken after it."""

    @classmethod
    def candidates(cls, train: Histories) -> list[dict[str, Any]]:
        """A sharper and a smoother softmax, short and longer means."""
        return product(last=(3, 20), temperature=(0.07, 0.15))

    def _learn(self, train: Histories, inputs: FitInputs) -> None:
        import torch
        from torch import nn

        raw = item_vectors(inputs.vectors, len(self.item_ids), self.name)
        rows = _targets(train, self.name)
        with seeded(inputs.seed):
            network = nn.Linear(raw.shape[1], min(self.settings.dim, raw.shape[1]), bias=False)
            network.weight.data.copy_(torch.from_numpy(_principal(raw, network.out_features)))
            network.to(inputs.device or "cpu")
            vectors = torch.from_numpy(np.array(raw)).to(network.weight.device)

            def refresh() -> None:
                with torch.inference_mode():
                    self._mapped = network(vectors).cpu().numpy()

            self._train(
                network,
                lambda epoch: self._batches(train, rows, inputs.seed, epoch),
                lambda batch: self._loss(network, vectors, batch),
                inputs,
                refresh,
            )
            refresh()

    def _loss(self, network: nn.Module, vectors: Tensor, batch: Pairs) -> Tensor:
        import torch
        from torch.nn import functional as F

        context, offsets, targets, negatives = (torch.from_numpy(part).to(vectors.device) for part in batch)
        users = F.normalize(network(F.embedding_bag(context, vectors, offsets, mode="mean")), dim=1)
        right = F.normalize(network(vectors[targets]), dim=1)
        others = users @ F.normalize(network(vectors[negatives]), dim=1).T
        others = others.masked_fill(targets[:, None] == negatives, -torch.inf)  # the target is no negative of its row
        logits = torch.cat([(users * right).sum(1, keepdim=True), others], dim=1) / self.settings.temperature
        return F.cross_entropy(logits, torch.zeros_like(targets))

    def _batches(self, train: Histories, rows: np.ndarray, seed: int, epoch: int) -> Iterator[Pairs]:
        rng = np.random.default_rng([seed, epoch])
        starts = np.repeat(train.offsets[:-1], train.lengths)
        if self.settings.last is not None:
            starts = np.maximum(starts, np.arange(len(starts)) - self.settings.last)
        order = rng.permutation(rows)
        for begin in range(0, len(order), self.settings.batch_size):
            batch = order[begin : begin + self.settings.batch_size]
            context = train.cut(starts[batch], batch, np.zeros(len(batch), dtype=np.int64))
            negatives = rng.integers(0, len(self.item_ids), self.settings.negatives)
            yield (
                context.items.astype(np.int64),
                context.offsets[:-1],
                train.items[batch].astype(np.int64),
                negatives,
            )

    def score(self, histories: Histories) -> np.ndarray:
        """Cosines of mapped vectors, ``(n_users, n_items)`` float32; zeros for users without items."""
        users = unit_rows(profiles(newest(histories, self.settings.last), self._mapped))
        return products(users, unit_rows(self._mapped))

    def _state(self) -> dict[str, np.ndarray]:
        return {"mapped": self._mapped}

    def _load(self, tensors: Mapping[str, np.ndarray], device: str | None) -> None:
        self._mapped = tensors["mapped"]


def _targets(train: Histories, name: str) -> np.ndarray:
    """Rows that have an older item of the same user before them, ``(n,)`` int64."""
    rows = np.setdiff1d(np.arange(len(train.items)), train.offsets[:-1])
    if not len(rows):
        raise DataError(
            "No training history has two items.",
            where=f"baseline '{name}'",
            expected="users with at least 4 interactions under leave-one-out",
        )
    return rows


def _principal(vectors: np.ndarray, dim: int) -> np.ndarray:
    """Directions that keep most of the inner products, ``(dim, vector_dim)`` float32, the largest first."""
    wide = vectors.astype(np.float64)
    directions = np.linalg.eigh(wide.T @ wide)[1][:, ::-1]
    return np.ascontiguousarray(directions[:, :dim].T, dtype=np.float32)

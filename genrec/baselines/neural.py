"""What the baselines share that train a network: settings, early stopping, saving."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from pydantic import Field

from genrec.baselines.base import FitInputs
from genrec.baselines.optimise import NeuralSettings
from genrec.baselines.scoring import ScoringBaseline
from genrec.config import LARGEST_WIDTH, MOST_ROUNDS, Settings
from genrec.data.histories import Histories
from genrec.data.split import EvaluationSet
from genrec.errors import ConfigError, DataError
from genrec.metrics import ndcg_at, ranks_from_scores
from genrec.tensors import from_arrays, seeded, to_arrays
from genrec.wording import count

if TYPE_CHECKING:
    from torch import Tensor, nn

    from genrec.baselines.transformer import ItemTransformer

_SCORE_BATCH = 256
_LONG = 50  # median history from which little dropout is the likeliest
_PATIENT_STEPS, _MOST_PATIENCE = 800, 20


class TransformerSettings(NeuralSettings):
    """Settings of a Transformer over items."""

    epochs: int = Field(40, ge=1, le=MOST_ROUNDS, description="most passes over the training part")
    schedule: Literal["constant", "linear"] = Field("linear", description="linear: falls to zero after all epochs")
    dim: int = Field(64, ge=1, le=LARGEST_WIDTH, description="width of embeddings and states")
    layers: int = Field(2, ge=1, le=LARGEST_WIDTH, description="number of blocks")
    heads: int = Field(2, ge=1, le=LARGEST_WIDTH, description="attention heads; must divide dim")
    dropout: float = Field(
        0.5, ge=0, lt=1, description="dropout of embeddings, attention and the outputs of every block"
    )
    max_items: int = Field(50, ge=2, le=LARGEST_WIDTH, description="newest items of a history that are read")


class NeuralBaseline(ScoringBaseline):
    """A baseline whose network is trained with early stopping on validation NDCG@10 (of a fixed sample of cases).

    Attributes:
        curve: Validation NDCG@10 after every epoch.
    """

    settings: NeuralSettings
    curve: list[float]

    def _train(
        self,
        network: nn.Module,
        batches: Callable[[int], Iterable[Any]],
        loss_of: Callable[[Any], Tensor],
        inputs: FitInputs,
        refresh: Callable[[], None] | None = None,
    ) -> None:
        """Train in place.

        :meth:`score` must use the network as it is, at the latest after ``refresh``, which is called before measuring.
        """
        from genrec.baselines.optimise import optimise

        cases = _sample(inputs.validation, self.settings.validation_users, inputs.seed)

        def measure() -> float:
            if refresh is not None:
                refresh()
            return 0.0 if cases is None else self._quick_ndcg(cases, inputs.exclude_seen)

        measured = None if cases is None else measure
        self.curve = optimise(network, batches, loss_of, measured, self.settings, inputs, self.name)

    def _quick_ndcg(self, cases: EvaluationSet, exclude_seen: bool) -> float:
        """NDCG@10 by counting better items, which needs no lists."""
        values = []
        for users in self._chunks(len(cases)):
            histories = cases.histories.select(users)
            scores = np.asarray(self.score(histories))
            if exclude_seen:
                scores[np.repeat(np.arange(len(users)), histories.lengths), histories.items] = -np.inf
            values.append(ndcg_at(ranks_from_scores(scores, cases.targets[users]), 10))
        return float(np.concatenate(values).mean())


class TransformerBaseline(NeuralBaseline):
    """A baseline on :class:`genrec.baselines.transformer.ItemTransformer`; subclasses say how it is trained."""

    settings: TransformerSettings
    causal: bool
    _network: ItemTransformer

    @classmethod
    def candidates(cls, train: Histories) -> list[dict[str, Any]]:
        """Dropout and width, the likeliest first; the rest follows from the data, see :func:`sizes_for`."""
        pairs = [(0.5, 64), (0.5, 128), (0.2, 64)]
        if len(train) and np.median(train.lengths) >= _LONG:
            pairs.reverse()
        return [{"dropout": dropout, "dim": dim, **sizes_for(train, cls.Config)} for dropout, dim in pairs]

    def _learn(self, train: Histories, inputs: FitInputs) -> None:

        usable = train.select(train.lengths >= 2)
        if not len(usable):
            raise DataError(
                "No training history has two items.",
                where=f"baseline '{self.name}'",
                expected="users with at least 4 interactions under leave-one-out",
            )
        with seeded(inputs.seed):
            self._network = self._build(inputs.device)
            batches = self._batches(usable, inputs.seed)
            self._train(self._network, batches, self._loss, inputs)

    def _build(self, device: str | None) -> ItemTransformer:
        from genrec.baselines.transformer import ItemTransformer

        settings = self.settings
        check_heads(settings, self.name)
        network = ItemTransformer(
            len(self.item_ids),
            settings.max_items,
            settings.dim,
            settings.layers,
            settings.heads,
            settings.dropout,
            causal=self.causal,
        )
        return network.to(device or "cpu")

    @abstractmethod
    def _batches(self, train: Histories, seed: int) -> Callable[[int], Iterable[Any]]:
        """Batches of an epoch, a function of seed and epoch."""

    @abstractmethod
    def _loss(self, batch: Any) -> Tensor:
        """Loss of a batch."""

    @abstractmethod
    def _inputs(self, histories: Histories) -> np.ndarray:
        """What the network reads for a recommendation, ``(n_users, length)`` padded with -1 on the right."""

    def score(self, histories: Histories) -> np.ndarray:
        """Inner products of the state after the history and the item vectors, ``(n_users, n_items)`` float32.

        The network is in evaluation mode, from the end of every epoch on: threads share it.
        """
        import torch

        states = np.zeros((len(histories), self.settings.dim), dtype=np.float32)
        order = np.argsort(histories.lengths, kind="stable")
        network, device = self._network, self._network.table.device
        with torch.inference_mode():
            for start in range(0, len(order), _SCORE_BATCH):
                users = order[start : start + _SCORE_BATCH]
                read = self._inputs(histories.select(users))
                filled = (read >= 0).any(axis=1)
                if filled.any():
                    newest = network.newest(torch.from_numpy(read[filled].astype(np.int64)).to(device))
                    states[users[filled]] = newest.cpu().numpy()
            scores = (torch.from_numpy(states).to(device) @ network.items.T).cpu().numpy()
        return np.asarray(scores)

    def _state(self) -> dict[str, np.ndarray]:

        return to_arrays(self._network, "network")

    def _load(self, tensors: Mapping[str, np.ndarray], device: str | None) -> None:
        import torch

        from genrec.models.saved import check_counts, check_skeleton

        own = "network."
        shapes = {name.removeprefix(own): array.shape for name, array in tensors.items() if name.startswith(own)}
        check_counts(self.settings.model_dump(), shapes, f"baseline '{self.name}'")
        with torch.device("meta"):  # before memory is taken
            check_skeleton(self._build("meta"), shapes, f"baseline '{self.name}'")
        self._network = self._build(None)
        from_arrays(self._network, tensors, "network")
        self._network.to(device or "cpu").eval()


def check_heads(settings: TransformerSettings, name: str) -> None:
    """Refuse a width that the heads cannot share.

    Raises:
        ConfigError: They cannot.
    """
    if settings.dim % settings.heads:
        raise ConfigError(
            f"A width of {settings.dim} cannot be divided among {count(settings.heads, 'head')}.",
            where=f"baseline '{name}'",
            expected="dim as a multiple of heads",
        )


def sizes_for(train: Histories, settings: type[Settings]) -> dict[str, int]:
    """A length that holds nine of ten training histories, batches small enough for a hundred steps, and patience.

    Patience is counted in epochs, but what is learned and how much validation wavers depend on steps: few users get
    more epochs than the default of ``settings``.
    """
    longest = float(np.quantile(train.lengths, 0.9)) if len(train) else 0.0
    length = next((size for size in (50, 100) if longest < size), 200)
    rows = int(np.ceil(train.lengths / length).sum())
    batch = next((size for size in (128, 64, 32) if rows >= 100 * size), 16)
    patience = max(settings.model_fields["patience"].default, int(np.ceil(_PATIENT_STEPS * batch / max(1, rows))))
    return {"max_items": length, "batch_size": batch, "patience": min(patience, _MOST_PATIENCE)}


def _sample(cases: EvaluationSet | None, users: int, seed: int) -> EvaluationSet | None:
    if cases is None or not len(cases):
        return None
    return cases.select(np.sort(np.random.default_rng([seed, 1]).permutation(len(cases))[:users]))

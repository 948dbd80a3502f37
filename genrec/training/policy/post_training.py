"""What all objectives of post-training share: examples, the network's distribution, the start, what is told."""

from __future__ import annotations

import time
from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, ClassVar

import torch
from pydantic import Field
from torch import Tensor

from genrec.config import Settings
from genrec.decoding.options import DecodingOptions
from genrec.errors import ConfigError
from genrec.models.base import CodeModel
from genrec.models.outputs import CodeModelOutput, TrainingBatches
from genrec.training.distributed import in_pieces
from genrec.training.objectives.base import Forward, Objective
from genrec.training.policy.distribution import ItemDistribution
from genrec.training.policy.examples import NextItemCollator, NextItems
from genrec.training.policy.frozen import FrozenWeights
from genrec.training.policy.monitor import Monitor

if TYPE_CHECKING:
    from genrec.data.histories import Histories
    from genrec.generative.config import TrainConfig
    from genrec.index.semantic_index import SemanticIndex


class PostTrainingSettings(Settings):
    """What every objective of post-training has."""

    likelihood: float = Field(0.0, ge=0, description="weight of the likelihood of what the user took, beside the rest")
    dropout: bool = Field(False, description="learn with dropout; without, what is learned is what recommends")
    newest: int | None = Field(None, ge=1, description="targets a user, the newest; None: all")


class PostTraining(Objective):
    """An objective that starts from a recommender and looks at single items after histories.

    Subclasses implement :meth:`learn`.
    """

    Config: ClassVar[type[Settings]] = PostTrainingSettings
    over_targets: ClassVar[bool] = False
    goes_on: ClassVar[bool] = True
    needs_start: ClassVar[bool] = False
    """Whether it needs a copy of the weights at the start, whatever the settings say."""
    start: FrozenWeights | None = None

    def prepare(self, model: CodeModel, index: SemanticIndex, config: TrainConfig) -> None:
        """See :meth:`Objective.prepare`."""
        super().prepare(model, index, config)
        self.model = model
        self.distribution = ItemDistribution(model, index.trie, checkpoints=True)
        self.monitor = Monitor(len(index.item_ids))
        self._began = time.perf_counter()
        if self.needs_start or float(getattr(self.settings, "kl", 0)) > 0:
            self.start = FrozenWeights(model)

    def settings_ignored(self) -> frozenset[str]:
        """See :meth:`Objective.settings_ignored`: it makes its own rows, and learns without dropout unless asked."""
        settings: Any = self.settings
        rows = {"examples.mode", "examples.candidates", "prompts.rows_per_epoch"}
        quiet = set() if settings.dropout else {"model.dropout", "model.label_smoothing"}
        return super().settings_ignored() | rows | quiet

    def decoding(self, options: DecodingOptions) -> DecodingOptions:
        """See :meth:`Objective.decoding`: by what is learned, shares among legal children."""
        if self.distribution.at_once or "normalize" in options.model_fields_set:
            return options
        return options.model_copy(update={"normalize": "children"})

    def batches(
        self, model: CodeModel, index: SemanticIndex, histories: Histories, config: TrainConfig
    ) -> TrainingBatches:
        """See :meth:`Objective.batches`."""
        settings: Any = self.settings
        examples = NextItems(
            histories,
            config.model.max_items,
            drop=config.examples.drop,
            seed=config.seed,
            newest=settings.newest,
            repeats=model.repeats,
        )
        return TrainingBatches(examples, NextItemCollator(model.others_reader(index, histories, config)))

    def loss(self, forward: Forward, batch: dict[str, Any]) -> CodeModelOutput:
        """See :meth:`Objective.loss`."""
        if in_pieces(self.model):
            what = "Post-training does not work with weights that are cut among processes."
            raise ConfigError(what, where="objective.name", hint="Start it in one process, or with ddp.yaml.")
        settings: Any = self.settings
        self._began = time.perf_counter()
        if not settings.dropout:
            self.model.eval()
        loss = self.learn(forward, batch)
        return CodeModelOutput(loss=loss, n_targets=torch.tensor(len(batch["targets"]), device=loss.device))

    @abstractmethod
    def learn(self, forward: Forward, batch: dict[str, Any]) -> Tensor:
        """The loss of a batch, a mean over its rows."""

    def ask(
        self, forward: Forward, inputs: dict[str, Any], question: Callable[[Any, dict[str, Any]], Tensor]
    ) -> Tensor:
        """What the network answers, through all that is around it; ``question(model, inputs)`` asks it."""

        def ask(model: Any, given: dict[str, Any]) -> CodeModelOutput:
            found = question(model, given)
            return CodeModelOutput(loss=found.sum(), log_likelihood=found)

        found: Any = forward({**inputs, "ask": ask}).log_likelihood
        return found  # type: ignore[no-any-return]

    def of_items(self, forward: Forward, inputs: dict[str, Any], items: Tensor) -> Tensor:
        """Log-probabilities of the codes of items, ``(rows, n, levels)``."""
        return self.ask(forward, inputs, lambda model, given: self.distribution.of_items(model, given, items))

    @contextmanager
    def at_start(self) -> Iterator[None]:
        """The network as it was, without gradients."""
        if self.start is None:
            raise ConfigError("The weights at the start were not kept.", where="objective")
        with self.start.inside(self.model), torch.no_grad():
            yield

    @contextmanager
    def timed(self, name: str) -> Iterator[None]:
        """Seconds of a part of a step, for :meth:`figures`."""
        began = time.perf_counter()
        yield
        self.monitor.add({f"{name}_seconds": time.perf_counter() - began})

    def end_step(self) -> None:
        """See :meth:`Objective.end_step`: seconds of a step, beside which those of its parts are read."""
        self.monitor.add({"step_seconds": time.perf_counter() - self._began})

    def figures(self) -> dict[str, float]:
        """See :meth:`Objective.figures`."""
        return self.monitor.take()

    def state(self) -> dict[str, Tensor]:
        """See :meth:`Objective.state`."""
        return self.monitor.state()

    def load_state(self, tensors: Mapping[str, Tensor]) -> None:
        """See :meth:`Objective.load_state`."""
        self.monitor.load_state(tensors)


def k3(policy: Tensor, reference: Tensor) -> Tensor:
    """Schulman's estimate of the divergence from a reference, ``exp(d) - d - 1`` with ``d = reference - policy``."""
    gap = reference - policy
    return exponential(gap) - gap - 1


def exponential(value: Tensor) -> Tensor:
    """``exp``, which goes on as a straight line where it would leave the numbers, so that a weight of 0 undoes it."""
    bounded = value.detach().clamp_max(_LARGEST)
    return bounded.exp() * (1 + value - bounded)


_LARGEST = 80.0

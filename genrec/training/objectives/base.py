"""The one interface of everything that training can make smaller."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from torch import Tensor

from genrec.config import Settings
from genrec.models.outputs import CodeModelOutput, TrainingBatches

if TYPE_CHECKING:
    from genrec.data.histories import Histories
    from genrec.decoding.options import DecodingOptions
    from genrec.generative.config import TrainConfig
    from genrec.index.semantic_index import SemanticIndex
    from genrec.models.base import CodeModel

Forward = Callable[[dict[str, Any]], CodeModelOutput]
"""A forward pass of the model in training, through all that is around it: a batch → its output, with gradients."""


class ObjectiveSettings(Settings):
    """Settings of an objective that has none."""


class Objective(ABC):
    """A loss over batches of examples, in three steps: :meth:`prepare` once, :meth:`batches` once, :meth:`loss` often.

    Everything may be asked of the network that :class:`~genrec.models.base.CodeModel` offers, and nothing else, so that
    an objective works with networks that it does not know.

    Args:
        settings: Of the class's ``Config``.
    """

    Config: ClassVar[type[Settings]] = ObjectiveSettings
    """Settings of the objective: the keys of ``objective`` beside ``name``."""
    over_targets: ClassVar[bool] = True
    """True: the loss is the network's own, a mean over targets that counts them over micro-batches and processes.
    False: a mean over the examples of a batch, which are as many in every micro-batch."""

    goes_on: ClassVar[bool] = False
    """Whether it makes a network better that has learned already."""

    same_as: ClassVar[str | None] = None
    """Setting that asks for the same objective; a network that does not read it has no use for the objective."""

    def __init__(self, settings: Any = None) -> None:
        self.settings = self.Config() if settings is None else settings

    def prepare(self, model: CodeModel, index: SemanticIndex, config: TrainConfig) -> None:
        """Before anything else, with the weights at the start; an objective that needs a copy of them makes it here.

        Args:
            model: Will be trained.
            index: Of the catalogue.
            config: Settings of the run.
        """
        model.prepare(index.trie, trie_masked_loss=False)

    def batches(
        self, model: CodeModel, index: SemanticIndex, histories: Histories, config: TrainConfig
    ) -> TrainingBatches:
        """What is learned from: what the network asks for, unless the objective needs something else.

        Args:
            model: Will be trained.
            index: Of the catalogue.
            histories: The training part only.
            config: Settings of the run.
        """
        return model.training_batches(index, histories, config)

    def decoding(self, options: DecodingOptions) -> DecodingOptions:
        """How what is learned is decoded, where the settings do not say; after :meth:`prepare`."""
        return options

    def settings_ignored(self) -> frozenset[str]:
        """Dotted names of settings that make no difference to a run with this objective, whatever the network reads."""
        return frozenset({"model.trie_masked_loss"})

    def begin_step(self, step: int) -> None:
        """Told before every step (of micro-batches: before each), with the number of steps that are done."""
        return

    def end_step(self) -> None:
        """Told after every step (of micro-batches: after each), before the weights change."""
        return

    def finish(self, model: CodeModel) -> None:
        """After the last step, with the weights that are kept: take out of the network what was put into it."""
        return

    def figures(self) -> dict[str, float]:
        """What is to be logged beside the loss, since the last call."""
        return {}

    def state(self) -> dict[str, Tensor]:
        """What must be kept with a checkpoint, so that a stopped run goes on as if it had not been."""
        return {}

    def load_state(self, tensors: Mapping[str, Tensor]) -> None:
        """Take back what :meth:`state` gave."""
        return

    @abstractmethod
    def loss(self, forward: Forward, batch: dict[str, Any]) -> CodeModelOutput:
        """The loss of a batch.

        Args:
            forward: The network; its output holds its own loss and the log-likelihood of every example.
            batch: From the ``collate`` of :meth:`batches`.

        Returns:
            ``loss``, a scalar, and ``n_targets``, what it is a mean over.
        """

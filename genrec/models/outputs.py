"""What passes between networks, training and search: batches, outputs, the state of a search."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor
from transformers.utils import ModelOutput

from genrec.errors import ConfigError


@dataclass
class CodeModelOutput(ModelOutput):
    """Result of a training pass.

    Attributes:
        loss: Mean negative log-likelihood of a code, summed over the levels of an item.
        n_targets: Number of predicted items that the mean is over.
        log_likelihood: ``(rows,)`` log-probability of all targets of every example of the batch, label smoothing apart:
            what objectives are made of that weigh or compare examples.
        states: ``(n_targets, dim)`` what every target was predicted from: the state of its user before it. What
            objectives of alignment are made of; not every network has it, see :meth:`need`.
        targets: ``(n_targets, n_levels)`` int64 codes of the targets.
        rows: ``(n_targets,)`` int64 example of every target.
        places: ``(n_targets,)`` int64 column of every target in its example.
    """

    loss: Tensor | None = None
    n_targets: Tensor | None = None
    log_likelihood: Tensor | None = None
    states: Tensor | None = None
    targets: Tensor | None = None
    rows: Tensor | None = None
    places: Tensor | None = None

    @classmethod
    def of(
        cls,
        terms: tuple[Tensor, Tensor],
        rows: Tensor,
        n_rows: int,
        *,
        places: Tensor | None = None,
        states: Tensor | None = None,
        targets: Tensor | None = None,
    ) -> CodeModelOutput:
        """The output from what every target adds.

        Args:
            terms: Of :func:`level_terms`, each ``(n_targets,)``.
            rows: ``(n_targets,)`` int64 example of every target.
            n_rows: Examples of the batch.
            places: ``(n_targets,)`` int64 column of every target.
            states: ``(n_targets, dim)``, where the network has one state before a target.
            targets: ``(n_targets, n_levels)`` int64 codes.
        """
        loss, likelihood = terms
        per_row = likelihood.new_zeros(n_rows).index_add(0, rows, likelihood)
        return cls(loss.mean(), torch.tensor(len(rows), device=rows.device), per_row, states, targets, rows, places)

    def need(self, name: str) -> Tensor:
        """A field that only some networks give.

        Raises:
            ConfigError: This one does not.
        """
        found: Tensor | None = getattr(self, name)
        if found is None:
            raise ConfigError(
                f"The objective needs the {name} of the network, and this network gives none.",
                where="objective.name",
                expected="a network that says what each item was predicted from",
                hint="Use model.architecture: item-decoder, or another objective.",
            )
        return found

    def adding(self, term: Tensor) -> CodeModelOutput:
        """The same with something added to the loss, a scalar."""
        return CodeModelOutput(**{**self, "loss": term if self.loss is None else self.loss + term})


def together(outputs: Sequence[CodeModelOutput]) -> CodeModelOutput:
    """One output of the parts of a batch: the mean loss over the targets of all, and the rest one after the other.

    Args:
        outputs: At least one, each with ``n_targets``, all with the same fields; ``rows`` count through the batch.
    """
    counts = torch.stack([one.need("n_targets") for one in outputs])
    losses = torch.stack([one.need("loss") for one in outputs])
    lists = set(outputs[0]) - {"loss", "n_targets"}
    joined = {name: torch.cat([one[name] for one in outputs]) for name in lists}
    return CodeModelOutput((losses * counts).sum() / counts.sum().clamp_min(1), counts.sum(), **joined)


def also_asked(forward: Callable[..., CodeModelOutput]) -> Callable[..., CodeModelOutput]:
    """A forward pass that can be asked for something else than the network's own loss.

    With ``ask``, it returns ``ask(model, inputs)``. So an objective that needs more than a loss (log-probabilities of
    many items after one reading of a history) still goes through everything that is put around ``forward``: several
    processes, mixed precision.
    """

    @functools.wraps(forward)
    def asked(
        self: Any, *args: Any, ask: Callable[..., CodeModelOutput] | None = None, **inputs: Any
    ) -> CodeModelOutput:
        return forward(self, *args, **inputs) if ask is None else ask(self, inputs)

    return asked


Reader = Callable[[Any], dict[str, Any]]
"""Histories → a batch of tensors."""
UserReader = Callable[[Any, Any], dict[str, Any]]
"""Histories, and whose they are ``(rows,)`` int64 among those of the training part → a batch of tensors."""


@dataclass(frozen=True)
class AnyUser:
    """Reads histories alike, whoever's they are.

    Attributes:
        read: Histories → a batch.
    """

    read: Reader

    def __call__(self, histories: Any, users: Any) -> dict[str, Any]:
        """What :attr:`read` makes of the histories."""
        return self.read(histories)


class TrainingBatches(NamedTuple):
    """What a network learns from.

    Attributes:
        examples: A dataset with ``sampler(batch_size, pool=..., seed=...)``, see
            :class:`~genrec.models.history_batches.HistoryExamples`.
        collate: Rows of it → arguments of the network's ``forward``.
    """

    examples: Any
    collate: Callable[[list[Any]], dict[str, Any]]


@dataclass
class StepState:
    """What a model remembers between the levels of one search; a model subclasses it.

    Attributes:
        level: The level whose codes are predicted next.
        reader: What goes on with this state, in models that choose between several.
    """

    level: int = 0
    reader: Any = None

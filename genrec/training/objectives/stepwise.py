"""What objectives share that look at every latent step of a network."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, ClassVar

import torch
from torch import Tensor

from genrec.models.outputs import CodeModelOutput
from genrec.training.objectives.aligned import Alignment


class Stepwise(Alignment):
    """The likelihood from what the network writes from, and terms over the states of its steps.

    Subclasses implement :meth:`over_steps`.
    """

    needs: ClassVar[frozenset[str]] = frozenset({"step_states", "terms_from", "logits_from"})

    def learn(self, model: Any, batch: dict[str, Any]) -> tuple[CodeModelOutput, dict[str, tuple[float, Tensor]]]:
        """See :meth:`Alignment.learn`."""
        steps, targets = model.step_states(**batch)
        right = batch["codes"][targets]
        rows, places = targets.nonzero(as_tuple=True)
        states = model.pool(steps)
        terms = model.terms_from(states, right)
        known = {"places": places, "states": states, "targets": right}
        output = CodeModelOutput.of(terms, rows, len(targets), **known)
        return output, self.over_steps(model, steps, output, batch)

    @abstractmethod
    def over_steps(
        self, model: Any, steps: Tensor, output: CodeModelOutput, batch: dict[str, Any]
    ) -> dict[str, tuple[float, Tensor]]:
        """Terms by name, each with its weight.

        Args:
            model: In training.
            steps: ``(1 + steps, n_targets, dim)`` states before and after every step.
            output: What is known of the targets.
            batch: What the network was given.
        """


def shares(model: Any, steps: Tensor, right: Tensor) -> list[Tensor]:
    """Log-probabilities of codes behind the right ones at every step: per level ``(1 + steps, n, codebook_size)``."""
    count, n = steps.shape[:2]
    logits = model.logits_from(steps.flatten(0, 1), right.repeat(count, 1))
    return [level.log_softmax(-1).unflatten(0, (count, n)) for level in logits]


def divergence(left: Tensor, right: Tensor) -> Tensor:
    """Kullback-Leibler divergence of log-probabilities over the last axis, ``sum p (log p - log q)``; 0 where p is."""
    gaps = torch.where(left > -torch.inf, left - right, torch.zeros_like(right))
    return (left.exp() * gaps).sum(-1)

"""What decoding asks of a model and what it gets: the whole contract between networks and searches."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Protocol

import torch
from torch import Tensor


@dataclass(frozen=True)
class StepOutput:
    """Scores of the next level's codes, from a model whose vocabulary holds more than these codes.

    Attributes:
        logits: ``(users, beams, codebook_size)`` of the codes of the level.
        log_normalizer: Gives ``(users, beams)``, the log-sum-exp of the logits of everything the model could say. A
            function, because it can cost more than all the rest; it is called only where a search asks for it.
    """

    logits: Tensor
    log_normalizer: Callable[[], Tensor]


@dataclass
class ItemScores:
    """Search state of a model that scores whole items at once: there is nothing left to search.

    Attributes:
        scores: ``(users, n_items)`` logits by catalogue position.
        by_beam: Whether beams may look for the best ones, too, see :mod:`genrec.decoding.item_beams`.
        known_from: ``(users,)`` scores below are estimates of what is lower than this; None: all are exact.
        exact_for: Gives all scores of some users exactly, ``(n,)`` int64 rows to ``(n, n_items)``.
    """

    scores: Tensor
    by_beam: bool = False
    known_from: Tensor | None = None
    exact_for: Callable[[Tensor], Tensor] | None = None

    def whole(self) -> ItemScores:
        """The same with all scores exact."""
        return self._exact(torch.ones(len(self.scores), dtype=torch.bool, device=self.scores.device))

    @property
    def known(self) -> Tensor:
        """The scores, where estimates are what they are lower than."""
        return self.scores if self.known_from is None else self.scores.maximum(self.known_from[:, None])

    def settled(self, items: Tensor) -> ItemScores:
        """The same with all scores exact of users for whom one of these items ``(users, n)`` has an estimate.

        Args:
            items: Catalogue positions, -1 for padding.
        """
        if self.known_from is None:
            return self
        found = self.scores.gather(1, items.clamp_min(0))
        return self._exact(((found < self.known_from[:, None]) & (items >= 0)).any(1))

    def _exact(self, users: Tensor) -> ItemScores:
        if self.known_from is None or self.exact_for is None or not bool(users.any()):
            return self
        rows = users.nonzero()[:, 0]
        scores = self.scores.index_copy(0, rows, self.exact_for(rows))
        return replace(self, scores=scores, known_from=self.known_from.masked_fill(users, -torch.inf))


class CodePredictor(Protocol):
    """A model that can be decoded. :class:`genrec.models.base.CodeModel` documents the shapes.

    Its search state comes from a ``prefill`` whose arguments are the model's own affair. A state that has dataclass
    fields, caches of transformers and :class:`~genrec.models.beam_tree.BeamTree` can be continued in several
    directions, see :func:`genrec.models.beam_tree.fork`.
    """

    def step(self, state: Any, codes: Tensor | None = None, parents: Tensor | None = None) -> Tensor | StepOutput:
        """Scores of the next level's codes; plain logits mean that the model knows nothing but these codes."""

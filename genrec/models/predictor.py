"""What decoding asks of a model and what it gets: the whole contract between networks and searches."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

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
    """

    scores: Tensor
    by_beam: bool = False


class CodePredictor(Protocol):
    """A model that can be decoded. :class:`genrec.models.base.CodeModel` documents the shapes.

    Its search state comes from a ``prefill`` whose arguments are the model's own affair. A state that has dataclass
    fields, caches of transformers and :class:`~genrec.models.beam_tree.BeamTree` can be continued in several
    directions, see :func:`genrec.models.beam_tree.fork`.
    """

    def step(self, state: Any, codes: Tensor | None = None, parents: Tensor | None = None) -> Tensor | StepOutput:
        """Scores of the next level's codes; plain logits mean that the model knows nothing but these codes."""

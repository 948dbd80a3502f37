"""The likelihood among what the catalogue holds: every code is told apart from its siblings in the trie alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from genrec.training.objectives import OBJECTIVES
from genrec.training.objectives.likelihood import Likelihood

if TYPE_CHECKING:
    from genrec.generative.config import TrainConfig
    from genrec.index.semantic_index import SemanticIndex
    from genrec.models.base import CodeModel

objective = OBJECTIVES.add


@objective("trie-masked")
class TrieMasked(Likelihood):
    """MSCGRec's training loss (https://arxiv.org/abs/2509.25522): no capacity is spent on paths that are never taken.

    Scores of other codes then mean nothing, so a run with it decodes with ``normalize: children``, unless the settings
    say something else.
    """

    same_as: ClassVar[str | None] = "model.trie_masked_loss"

    def prepare(self, model: CodeModel, index: SemanticIndex, config: TrainConfig) -> None:
        """See :meth:`Objective.prepare`."""
        model.prepare(index.trie, trie_masked_loss=True)

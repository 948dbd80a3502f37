"""The likelihood of what users did next: over codes, over items, or over text, as the network has it."""

from __future__ import annotations

from typing import Any

from genrec.models.outputs import CodeModelOutput
from genrec.training.objectives import OBJECTIVES
from genrec.training.objectives.base import Forward, Objective

objective = OBJECTIVES.add


@objective("likelihood")
class Likelihood(Objective):
    """The network's own loss: the negative log-likelihood of the targets.

    Networks that write codes have it over the codes of every level, those with an item head over items, and language
    models also over the text of other tasks.
    """

    def settings_ignored(self) -> frozenset[str]:
        """See :meth:`Objective.settings_ignored`: none."""
        return frozenset()

    def loss(self, forward: Forward, batch: dict[str, Any]) -> CodeModelOutput:
        """See :meth:`Objective.loss`."""
        return forward(batch)

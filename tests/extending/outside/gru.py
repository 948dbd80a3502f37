"""A network: a GRU over items (GRU4Rec, https://arxiv.org/abs/1511.06939) that writes the codes of the next one."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from genrec.models import CodeModel, CodeModelConfig
from genrec.models.beam_tree import newest_of
from genrec.models.outputs import CodeModelOutput, StepState
from genrec.models.parts import CodeTable, Start, level_terms


class GRUConfig(CodeModelConfig):
    """Configuration of :class:`GRUModel`.

    Attributes:
        hidden: Width of embeddings and states.
    """

    model_type = "outside-gru"

    hidden: int = 32


@dataclass
class GRUState(StepState):
    """Search state: what predicts the next code of every beam, ``(users, beams, hidden)``."""

    hidden: Tensor | None = None


class GRUModel(CodeModel):
    """One state per item; a level is predicted from it and from the codes of the levels before."""

    config_class = GRUConfig
    config: GRUConfig

    def __init__(self, config: GRUConfig) -> None:
        super().__init__(config)
        self.input_table = CodeTable(self.codebook_sizes, config.hidden)
        self.output_table = CodeTable(self.codebook_sizes, config.hidden)
        self.start = Start(config.hidden)
        self.gru = nn.GRU(config.hidden, config.hidden, batch_first=True)
        self.post_init()

    def _states(self, codes: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """State before the first and after every item, ``(users, 1 + items, hidden)``, and their mask."""
        vectors, columns = self.start(self.input_table.embed(codes).sum(-2), mask)
        return self.gru(F.dropout(vectors, self.config.dropout, self.training))[0], columns

    def forward(
        self, codes: Tensor, mask: Tensor, target_mask: Tensor | None = None, vectors: Tensor | None = None
    ) -> CodeModelOutput:
        """See :meth:`CodeModel.forward`."""
        targets = mask if target_mask is None else mask & target_mask
        states, right = self._states(codes, mask)[0][:, :-1][targets], codes[targets]
        before = F.pad(self.input_table.embed(right).cumsum(1)[:, :-1], (0, 0, 1, 0))  # codes of the levels before
        smoothing = self.config.label_smoothing if self.training else 0.0
        terms = level_terms(self.output_table, states[:, None] + before, right, smoothing, self.legal)
        return CodeModelOutput.of(terms, targets.nonzero()[:, 0], len(codes))

    def prefill(self, codes: Tensor, mask: Tensor, vectors: Tensor | None = None) -> GRUState:
        """See :meth:`CodeModel.prefill`."""
        return GRUState(hidden=newest_of(*self._states(codes, mask))[:, None])

    def step(self, state: StepState, codes: Tensor | None = None, parents: Tensor | None = None) -> Tensor:
        """See :meth:`CodeModel.step`."""
        if not isinstance(state, GRUState) or state.hidden is None:
            raise TypeError("step needs the state that prefill returned.")
        if codes is not None and parents is not None:
            users = torch.arange(len(codes), device=codes.device)[:, None]
            known = self.input_table.embed(codes[..., None], state.level - 1)[..., 0, :]
            state.hidden = state.hidden[users, parents] + known
        state.level += 1
        return self.output_table.logits(state.hidden, state.level - 1)

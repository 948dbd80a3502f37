"""Codes in any order, and agreement of orders as confidence: REG4Rec (https://arxiv.org/abs/2508.15308).

Codes of parallel codebooks have no order. In training every item is written in an order of its own, and each step is
told which codebook comes next, so any code can be predicted from any others. In search a beam's codes are read in
several orders; what these say of the next code is averaged, and where they disagree the code counts less.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from genrec.config import Width
from genrec.errors import ConfigError
from genrec.models.config import Count, Weight
from genrec.models.item_decoder import ItemDecoder, ItemDecoderConfig, ItemDecoderState
from genrec.models.outputs import StepState
from genrec.models.registry import network
from genrec.trie import Trie

if TYPE_CHECKING:
    from genrec.models.settings import ModelSettings


class REG4RecConfig(ItemDecoderConfig):
    """Configuration of :class:`REG4Rec`.

    Attributes:
        slots: Levels from the first on that have no order; what disambiguates comes after them. 0: all.
        orders: Most orders in which a beam's codes are read in search; 1: as they stand.
        doubt: How many standard deviations over orders a code's log-probability is lowered by.
    """

    model_type = "genrec-reg4rec"

    slots: Count = 0
    orders: Width = 3
    doubt: Weight = 0.5


@dataclass
class REG4RecState(ItemDecoderState):
    """Search state: the codes of every beam, ``(users, beams, level)``."""

    paths: Tensor | None = None


@network("reg4rec")
class REG4Rec(ItemDecoder):
    """The item decoder whose codes are written in any order."""

    config_class = REG4RecConfig
    config: REG4RecConfig

    def __init__(self, config: REG4RecConfig) -> None:
        super().__init__(config)
        self.asked = nn.Parameter(torch.randn(self.n_levels, self.code_table.weight.shape[1]) * 0.02)
        self.free = min(config.slots or self.n_levels, self.n_levels)
        self.post_init()

    @classmethod
    def fields(cls, settings: ModelSettings, quantizer: Mapping[str, Any], vector_dim: int) -> dict[str, Any]:
        """See :meth:`CodeModel.fields`; slots follow from the quantizer, unless the settings say."""
        return {"slots": int(quantizer.get("slots", 0)), **super().fields(settings, quantizer, vector_dim)}

    def prepare(self, trie: Trie, *, trie_masked_loss: bool) -> None:
        """See :meth:`CodeModel.prepare`.

        Raises:
            ConfigError: The loss is to be restricted to legal codes, which are legal in one order only.
        """
        if trie_masked_loss:
            raise ConfigError(
                "Codes in any order have no legal children.",
                where="objective.name",
                expected="likelihood",
                hint="Leave trie_masked_loss out.",
            )
        super().prepare(trie, trie_masked_loss=False)

    def draw(self, n: int) -> Tensor:
        """Orders of the levels of ``n`` items, ``(n, levels)`` int64: by chance in training, as they stand else."""
        levels = torch.arange(self.n_levels, device=self.asked.device).expand(n, -1)
        if not self.training:
            return levels
        chance = torch.rand(n, self.free, device=self.asked.device).argsort(1)
        return torch.cat([chance, levels[:, self.free :]], dim=1)

    def write(self, states: Tensor, right: Tensor) -> Tensor:
        """See :meth:`ItemDecoder.write`; the state that predicts a level knows those ahead of it in the order drawn."""
        order = self.draw(len(right))
        known = _taken(self.code_table.embed(right), order)[:, :-1]
        inputs = torch.cat([self.bridge(states)[:, None], known], dim=1) + self.asked[order]
        inputs = F.dropout(inputs, self.config.dropout, self.training)
        hidden: Tensor = self.codes(inputs_embeds=inputs, use_cache=False).last_hidden_state
        return _taken(hidden, order.argsort(1))

    def prefill(self, codes: Tensor, mask: Tensor, vectors: Tensor | None = None, **more: Tensor) -> REG4RecState:
        """See :meth:`ItemDecoder.prefill`."""
        return REG4RecState(user=super().prefill(codes, mask, vectors, **more).user)

    def step(self, state: StepState, codes: Tensor | None = None, parents: Tensor | None = None) -> Tensor:
        """See :meth:`CodeModel.step`; log-probabilities, lowered where orders disagree."""
        if not isinstance(state, REG4RecState) or state.user is None:
            raise TypeError("step needs the state that prefill returned.")
        level = state.level
        if codes is None or parents is None or state.paths is None:
            state.paths = torch.zeros(len(state.user), 1, 0, dtype=torch.int64, device=state.user.device)
        else:
            before = state.paths.gather(1, parents[..., None].expand(-1, -1, level - 1))
            state.paths = torch.cat([before, codes[..., None]], dim=2)
        state.level += 1
        known = self.code_table.embed(state.paths)
        user = state.user[:, None].expand(-1, known.shape[1], -1, -1)
        said = torch.stack([self._said(user, known, order) for order in self.readings(level)])
        return said.mean(0) - self.config.doubt * said.std(0, unbiased=False)

    def readings(self, level: int) -> list[list[int]]:
        """Orders in which the codes of the levels so far are read: rotations of those that have none."""
        free, rest = list(range(min(level, self.free))), list(range(self.free, level))
        turns = range(max(1, min(len(free), self.config.orders)))
        return [[*free[turn:], *free[:turn], *rest] for turn in turns]

    def _said(self, user: Tensor, known: Tensor, order: list[int]) -> Tensor:
        """Log-probabilities of the next level's codes from one order, ``(users, beams, codebook_size)``."""
        level = len(order)
        inputs = torch.cat([user, known[:, :, order]], dim=2) + self.asked[[*order, level]]
        hidden: Any = self.codes(inputs_embeds=inputs.flatten(0, 1), use_cache=False).last_hidden_state
        newest = hidden[:, -1].unflatten(0, known.shape[:2])
        return self.output_table.logits(newest, level).log_softmax(-1)


def _taken(vectors: Tensor, order: Tensor) -> Tensor:
    """Rows of every item in an order, ``(n, levels, dim)`` by ``(n, levels)``."""
    return vectors.gather(1, order[..., None].expand_as(vectors))

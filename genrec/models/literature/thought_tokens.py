"""An item decoder that writes what the next item adds to the history before it writes the item: STREAM-Rec."""

from __future__ import annotations

from typing import Annotated, ClassVar

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from genrec.models.config import Weight
from genrec.models.fused_layers import dropout
from genrec.models.item_decoder import ItemDecoder, ItemDecoderConfig
from genrec.models.outputs import CodeModelOutput
from genrec.models.parts import level_terms, mean_before
from genrec.models.registry import network


class ThoughtTokensConfig(ItemDecoderConfig):
    """Configuration of :class:`ThoughtTokens`.

    Attributes:
        thoughts: Tokens that are written ahead of an item's codes; 0: none, as the item decoder.
        thought_weight: Of their likelihood in the loss, a mean over them.
    """

    model_type = "genrec-thought-tokens"

    thoughts: Annotated[int, Field(ge=0, le=64)] = 2
    thought_weight: Weight = 0.5


@network("thought-tokens")
class ThoughtTokens(ItemDecoder):
    """Thoughts are codes of any level, or nothing; in training they are a greedy fit of what the history lacks.

    What an item adds is its vector less the mean of the history's. The first thought is the code whose vector is
    nearest to that, the next one is nearest to what is then left. In search the likeliest thoughts are written, one
    after another, and the codes behind them.
    """

    config_class = ThoughtTokensConfig
    config: ThoughtTokensConfig
    answers: ClassVar[frozenset[str]] = ItemDecoder.answers - {"layer_states"}  # its loss is over thoughts, too

    def __init__(self, config: ThoughtTokensConfig) -> None:
        super().__init__(config)
        code_dim = self.codes.config.hidden_size
        self.nothing = nn.Parameter(torch.empty(2, code_dim))  # as it is read, and as it is written
        nn.init.normal_(self.nothing, std=0.02)
        self.post_init()

    def forward(
        self,
        codes: Tensor,
        mask: Tensor,
        target_mask: Tensor | None = None,
        vectors: Tensor | None = None,
        **more: Tensor,
    ) -> CodeModelOutput:
        """See :meth:`ItemDecoder.forward`; in training the thoughts before an item are known."""
        if not (self.training and self.config.thoughts):
            return super().forward(codes, mask, target_mask, vectors, **more)
        targets = mask if target_mask is None else mask & target_mask
        states = self.states(codes, mask, vectors, **more)[0][:, :-1][targets]
        right = codes[targets]
        thoughts = self.fit(self.lacking(codes, mask)[targets])
        hidden = self._written(states, thoughts, right)
        ahead = self.config.thoughts
        terms = level_terms(self.output_table, hidden[:, ahead:], right, self.config.label_smoothing, self.legal)
        thought_loss = F.cross_entropy(
            self._thought_logits(hidden[:, :ahead]).transpose(1, 2), thoughts, reduction="none"
        )
        loss = terms[0] + self.config.thought_weight * thought_loss.mean(1)
        rows, places = targets.nonzero(as_tuple=True)
        return CodeModelOutput.of((loss, terms[1]), rows, len(codes), places=places, states=states, targets=right)

    @torch.no_grad()
    def lacking(self, codes: Tensor, mask: Tensor) -> Tensor:
        """The vector of every item less the mean of those before it, ``(users, items, dim)``."""
        embedded = self.input_table.embed(codes).sum(-2)
        return embedded - mean_before(embedded, mask)

    @torch.no_grad()
    def fit(self, lacking: Tensor) -> Tensor:
        """Codes whose vectors add up to what is lacking, found greedily, ``(n, dim) -> (n, thoughts)`` int64.

        A number is a row of the code table; the number behind the last one is nothing, which leaves what is left as it
        is. So no thought ever makes what is left longer.
        """
        table = torch.cat([self.input_table.weight, torch.zeros_like(self.input_table.weight[:1])])
        found, left = [], lacking
        for _ in range(self.config.thoughts):
            # of |left - row|² only what depends on the row
            chosen = (2 * left @ table.T - table.square().sum(-1)).argmax(-1)
            found.append(chosen)
            left = left - table[chosen]
        return torch.stack(found, dim=1)

    @torch.no_grad()
    def think(self, states: Tensor) -> Tensor:
        """The thoughts that are likeliest one after another, ``(n, dim) -> (n, thoughts)`` int64."""
        begun, found = super().begin(states), torch.zeros(len(states), 0, dtype=torch.long, device=states.device)
        for _ in range(self.config.thoughts):
            inputs = torch.cat([begun, self._thought_vectors(found)], dim=1)
            hidden = self.codes(inputs_embeds=inputs, use_cache=False).last_hidden_state[:, -1]
            found = torch.cat([found, self._thought_logits(hidden).argmax(-1, keepdim=True)], dim=1)
        return found

    def begin(self, states: Tensor) -> Tensor:
        """See :meth:`ItemDecoder.begin`: the state, and what is thought after it."""
        return torch.cat([super().begin(states), self._thought_vectors(self.think(states))], dim=1)

    def write(self, states: Tensor, right: Tensor) -> Tensor:
        """See :meth:`ItemDecoder.write`: behind the thoughts that search would write."""
        return self._written(states, self.think(states), right)[:, self.config.thoughts :]

    def _written(self, states: Tensor, thoughts: Tensor, right: Tensor) -> Tensor:
        """States that predict thoughts and codes, ``(n, thoughts + levels, code_dim)``."""
        known = self.code_table.embed(right[:, :-1])
        inputs = torch.cat([super().begin(states), self._thought_vectors(thoughts), known], dim=1)
        inputs = dropout(inputs, self.config.dropout, self.training)
        hidden: Tensor = self.codes(inputs_embeds=inputs, use_cache=False).last_hidden_state
        return hidden

    def _thought_vectors(self, thoughts: Tensor) -> Tensor:
        return F.embedding(thoughts, torch.cat([self.code_table.weight, self.nothing[:1]]))

    def _thought_logits(self, hidden: Tensor) -> Tensor:
        return hidden @ torch.cat([self.output_table.weight, self.nothing[1:]]).T

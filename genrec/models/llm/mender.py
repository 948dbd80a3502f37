"""A stated preference, read by a text encoder beside the vectors of a history: Mender (arXiv 2412.08604)."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from genrec.models.llm.known_items import ItemReader
from genrec.models.llm.text_encoder import TextEncoderModel, TextEncoderModelConfig
from genrec.models.registry import network
from genrec.models.t5.stock_blocks import key_bias


class PreferenceDecoderConfig(TextEncoderModelConfig):
    """Configuration of :class:`PreferenceDecoder`."""

    model_type = "genrec-preference-decoder"


@network("preference-decoder")
class PreferenceDecoder(ItemReader, TextEncoderModel):
    """A code decoder over two kinds of memory: words of the prompt, and one vector an item of the history.

    The encoder does not see code tokens. Where an item begins in the prompt stands its projected vector from the index,
    with a vector for how long ago it was chosen; the encoder's states stand where the words are.
    """

    config_class = PreferenceDecoderConfig
    config: PreferenceDecoderConfig

    def _add_parts(self, base: Any) -> None:
        super()._add_parts(base)
        dim = self.bridge.out_features
        self.item_bridge = nn.Sequential(nn.LayerNorm(self.config.vector_dim), nn.Linear(self.config.vector_dim, dim))
        self.ago = nn.Embedding(self.config.max_items, dim)
        nn.init.normal_(self.ago.weight, std=0.1)

    def _encode(self, input_ids: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """See :meth:`TextEncoderModel._encode`."""
        rows, width = input_ids.shape
        starts, vectors = self.known_items().find(input_ids, self.labels)
        words = mask.bool() & ~torch.isin(input_ids, torch.from_numpy(self.tokens.all_ids).to(input_ids.device))
        hidden = self.base(input_ids=input_ids, attention_mask=words.long()).last_hidden_state
        memory = self.bridge(hidden.to(self.bridge.weight.dtype))
        row = starts // width
        after = torch.arange(len(starts), device=row.device).flip(0)  # items behind this one, in all later rows too
        later = torch.bincount(row, minlength=rows).flip(0).cumsum(0).flip(0)  # items of this row and the later ones
        ago = after - (later - torch.bincount(row, minlength=rows))[row]
        items = self.item_bridge(vectors.to(memory.dtype)) + self.ago(ago.clamp_max(self.config.max_items - 1))
        memory = memory.flatten(0, 1).index_copy(0, starts, items.to(memory.dtype)).view_as(memory)
        read = words.flatten().index_fill(0, starts, True).view_as(words)
        return memory, key_bias(read, memory.dtype)

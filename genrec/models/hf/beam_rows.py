"""Any Hugging Face model as decoding wants it, one row a beam: for families whose beams cannot share a sequence."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor
from transformers import DynamicCache, EncoderDecoderCache

from genrec.models.hf.base import HFPredictor
from genrec.models.hf.item_causal import read_prompts
from genrec.models.hf.vocabulary_head import CodeTokenIds, VocabularyHead, output_scale
from genrec.models.hf.whole_rows import decoder_start
from genrec.models.outputs import StepState
from genrec.models.predictor import StepOutput


@dataclass
class HFRowsState(StepState):
    """Search state: the newest hidden states, the cache of all beams, and what all their columns may see."""

    newest: Tensor | None = None
    cache: DynamicCache | EncoderDecoderCache | None = None
    mask: Tensor | None = None
    memory: Tensor | None = None


class HFRowsPredictor(HFPredictor):
    """Puts ``prefill`` and ``step`` on an unmodified model of any family, with the cache that the family has.

    Every beam is a row of the batch with its own copy of the cache: slower than the predictors that keep the beams of a
    user in one sequence, and right for BART, sliding windows, and positions counted by columns.

    Args:
        model: ``AutoModelForCausalLM``, ``AutoModelForSeq2SeqLM`` or a PEFT model around one, in evaluation mode.
        code_token_ids: Per level ``(codebook_size,)`` token ids, code 0 first.
        item_causal: See :class:`~genrec.models.hf.base.HFPredictor`.
    """

    def __init__(self, model: Any, code_token_ids: CodeTokenIds, *, item_causal: bool = False) -> None:
        super().__init__(model, code_token_ids, item_causal=item_causal)
        self.head = VocabularyHead(self.model, code_token_ids, scale=output_scale(self.model))

    def prefill(self, input_ids: Tensor, attention_mask: Tensor) -> HFRowsState:
        """Read prompts: ``input_ids (users, n)`` int64 and ``attention_mask (users, n)``, 1 at real tokens."""
        if self.seq2seq:
            memory = read_prompts(self.model, input_ids, attention_mask, self.order(input_ids))
            state = HFRowsState(
                cache=EncoderDecoderCache(DynamicCache(), DynamicCache()), mask=attention_mask, memory=memory
            )
            start = torch.full((len(memory), 1), decoder_start(self.model), device=memory.device)
            return self._read(state, start)
        ids, mask = left_padded(input_ids, attention_mask)
        return self._read(HFRowsState(cache=DynamicCache(config=self.model.config), mask=mask), ids)

    def step(self, state: HFRowsState, codes: Tensor | None = None, parents: Tensor | None = None) -> StepOutput:
        """See :meth:`genrec.models.base.CodeModel.step`."""
        if state.newest is None or state.cache is None or state.mask is None:
            raise TypeError("step needs the state that prefill returned.")
        level, users = state.level, 0
        if codes is None or parents is None:
            hidden = state.newest[:, None]
        else:
            users, beams = codes.shape
            before = len(state.newest) // users
            rows = (torch.arange(users, device=codes.device)[:, None] * before + parents).flatten()
            state.cache.reorder_cache(cast(Any, rows))  # which also layers of linear attention have
            state.mask = state.mask[rows]
            state.memory = None if state.memory is None else state.memory[rows]
            if not self.seq2seq:
                state.mask = torch.cat([state.mask, state.mask.new_ones(len(rows), 1)], dim=1)
            self._read(state, self.head.tokens(codes, level - 1).reshape(-1, 1))
            hidden = state.newest.view(users, beams, -1)
        state.level += 1
        return self.head.output(hidden, level)

    def _read(self, state: HFRowsState, ids: Tensor) -> HFRowsState:
        """Run some more columns of every row and keep the last hidden state."""
        network = self.model.get_decoder()
        arguments: dict[str, Any] = {"use_cache": True}
        if "cache_params" in inspect.signature(network.forward).parameters:
            # Mamba and its kin: the name differs, and the mask is of the columns that are read alone.
            arguments |= {"cache_params": state.cache, "attention_mask": cast(Tensor, state.mask)[:, -ids.shape[1] :]}
        elif self.seq2seq:
            memory = {"encoder_hidden_states": state.memory, "encoder_attention_mask": state.mask}
            arguments |= {"past_key_values": state.cache, **memory}
        else:
            arguments |= {"past_key_values": state.cache, "attention_mask": state.mask}
            arguments |= position_arguments(network, state.mask, ids.shape[1])
        output = network(input_ids=ids, **arguments)
        state.newest = output.last_hidden_state[:, -1]
        return state


def position_arguments(network: Any, mask: Tensor | None, columns: int) -> dict[str, Tensor]:
    """``position_ids`` of the last columns where the network takes them: by real tokens, whichever side is padded."""
    if mask is None or "position_ids" not in inspect.signature(network.forward).parameters:
        return {}
    return {"position_ids": (mask.long().cumsum(1) - 1).clamp_min(0)[:, -columns:]}


def left_padded(ids: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    """The same rows with their padding on the left, so that the newest token is the last column."""
    order = mask.long().argsort(dim=1, stable=True)
    return ids.gather(1, order), mask.gather(1, order)

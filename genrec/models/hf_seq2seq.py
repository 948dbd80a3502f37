"""A Hugging Face T5 with code tokens in its vocabulary, as decoding wants it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from transformers import DynamicCache, EncoderDecoderCache

from genrec.errors import ModelError
from genrec.models.base import StepState
from genrec.models.hf_head import T5_FAMILY, CodeTokenIds, VocabularyHead, output_scale
from genrec.models.predictor import StepOutput
from genrec.models.t5_tree import key_bias, level_bias, run_blocks
from genrec.models.tree import BeamTree, additive


@dataclass
class HFSeq2SeqState(StepState):
    """Search state: encoder output once per user, both caches, the tree of the decoder and its columns' levels."""

    memory: Tensor | None = None
    memory_bias: Tensor | None = None
    cache: EncoderDecoderCache | None = None
    tree: BeamTree | None = None
    columns: Tensor | None = None


class HFSeq2SeqPredictor:
    """Puts ``prefill`` and ``step`` on an unmodified ``T5ForConditionalGeneration`` (T5, FLAN-T5, mT5).

    The input is encoded once per user, its keys and values are projected once, and all beams of a user share them.

    Args:
        model: The model or a PEFT model around it, in evaluation mode.
        code_token_ids: Per level ``(codebook_size,)`` token ids, code 0 first.

    Raises:
        ModelError: Another family. Those number their decoder's positions by columns, which beams in one sequence
            break.
    """

    def __init__(self, model: Any, code_token_ids: CodeTokenIds) -> None:
        self.model = model.get_base_model() if hasattr(model, "get_base_model") else model
        config = self.model.config
        if config.model_type not in T5_FAMILY:
            raise ModelError(
                f"Beams in one sequence are not possible with a decoder of type '{config.model_type}'.",
                expected=" or ".join(T5_FAMILY),
                hint="Use model.generate with genrec.decoding.hf.CatalogLogitsProcessor.",
            )
        self.head = VocabularyHead(self.model, code_token_ids, scale=output_scale(self.model))
        self.start = int(config.decoder_start_token_id)

    @property
    def codebook_sizes(self) -> tuple[int, ...]:
        """Number of codes of every level."""
        return self.head.codebook_sizes

    @property
    def device(self) -> torch.device:
        """Where the model is."""
        return next(self.model.parameters()).device

    def prefill(self, input_ids: Tensor, attention_mask: Tensor) -> HFSeq2SeqState:
        """Encode inputs: ``input_ids (users, n)`` int64 and ``attention_mask (users, n)``, 1 at real tokens."""
        memory = self.model.encoder(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
        root = torch.ones(len(memory), 1, dtype=torch.bool, device=memory.device)
        return HFSeq2SeqState(
            memory=memory,
            memory_bias=key_bias(attention_mask.bool(), memory.dtype),
            cache=EncoderDecoderCache(DynamicCache(), DynamicCache()),
            tree=BeamTree(root),
            columns=torch.zeros(1, dtype=torch.int64, device=memory.device),
        )

    def step(self, state: HFSeq2SeqState, codes: Tensor | None = None, parents: Tensor | None = None) -> StepOutput:
        """See :meth:`genrec.models.base.CodeModel.step`."""
        if state.memory is None or state.tree is None or state.columns is None:
            raise TypeError("step needs the state that prefill returned.")
        level, stack = state.level, self.model.decoder
        if codes is None or parents is None:
            tokens = torch.full((len(state.memory), 1), self.start, device=state.memory.device)
            bias = level_bias(stack, 0, state.columns)
        else:
            tokens = self.head.tokens(codes, level - 1)
            state.columns = torch.cat([state.columns, torch.full_like(codes[0], level)])
            bias = level_bias(stack, level, state.columns) + additive(state.tree.grow(parents), state.memory.dtype)
        vectors = self.model.get_input_embeddings()(tokens)
        hidden = run_blocks(stack, vectors, bias, state.memory, state.memory_bias, state.cache)
        state.level += 1
        return StepOutput(self.head.logits(hidden, level), lambda: self.head.log_normalizer(hidden))

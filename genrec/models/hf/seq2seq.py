"""A Hugging Face T5 with code tokens in its vocabulary, as decoding wants it."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from genrec.errors import ModelError
from genrec.models.hf.base import HFPredictor
from genrec.models.hf.vocabulary_head import T5_FAMILY, CodeTokenIds, VocabularyHead, output_scale
from genrec.models.hf.whole_rows import decoder_start
from genrec.models.predictor import StepOutput
from genrec.models.t5.fused import Rows
from genrec.models.t5.search import T5Search, T5State


class HFSeq2SeqPredictor(HFPredictor):
    """Puts ``prefill`` and ``step`` on an unmodified ``T5ForConditionalGeneration`` (T5, FLAN-T5, mT5).

    The input is encoded once per user, its keys and values are projected once, and all beams of a user share them.

    Args:
        model: The model or a PEFT model around it, in evaluation mode.
        code_token_ids: Per level ``(codebook_size,)`` token ids, code 0 first.
        item_causal: See :class:`~genrec.models.hf.base.HFPredictor`.

    Raises:
        ModelError: Another family. Those number their decoder's positions by columns, which beams in one sequence
            break.
    """

    def __init__(self, model: Any, code_token_ids: CodeTokenIds, *, item_causal: bool = False) -> None:
        super().__init__(model, code_token_ids, item_causal=item_causal)
        config = self.model.config
        if config.model_type not in T5_FAMILY:
            raise ModelError(
                f"Beams in one sequence are not possible with a decoder of type '{config.model_type}'.",
                expected=" or ".join(T5_FAMILY),
                hint="Use model.generate with genrec.decoding.logits_processor.CatalogLogitsProcessor.",
            )
        self.head = VocabularyHead(self.model, code_token_ids, scale=output_scale(self.model))
        self.start = decoder_start(self.model)
        self.embeddings = self.model.get_input_embeddings()
        self.search = T5Search(self.model.encoder, self.model.decoder)

    def prefill(self, input_ids: Tensor, attention_mask: Tensor) -> T5State:
        """Encode inputs: ``input_ids (users, n)`` int64 and ``attention_mask (users, n)``, 1 at real tokens."""
        return self.search.prefill(self._embedded(input_ids), attention_mask.bool(), self.order(input_ids))

    def step(self, state: T5State, codes: Tensor | None = None, parents: Tensor | None = None) -> StepOutput:
        """See :meth:`genrec.models.base.CodeModel.step`."""
        level = state.level
        if codes is None:
            tokens = torch.full((state.users, 1), self.start, device=self.device)
        else:
            tokens = self.head.tokens(codes, level - 1)
        return self.head.output(self.search.step(state, self._embedded(tokens), parents), level)

    def _embedded(self, tokens: Tensor) -> Tensor | Rows:
        """Vectors of tokens ``(users, n)``, or where they stand if an embedding is nothing but a table."""
        if type(self.embeddings) is nn.Embedding:
            return Rows((self.embeddings.weight,), tokens)
        vectors: Tensor = self.embeddings(tokens)
        return vectors

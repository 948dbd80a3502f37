"""What all predictors around a model of transformers share: the model, and the tokens of its codes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import torch
from torch import Tensor

from genrec.models.hf.item_causal import item_order
from genrec.models.hf.vocabulary_head import CodeTokenIds
from genrec.models.predictor import StepOutput


class HFPredictor(ABC):
    """Puts ``prefill`` and ``step`` on an unmodified model with code tokens in its vocabulary.

    Args:
        model: ``AutoModelForCausalLM``, ``AutoModelForSeq2SeqLM`` or a PEFT model around one, in evaluation mode.
        code_token_ids: Per level ``(codebook_size,)`` token ids, code 0 first.
        item_causal: What an encoder sees from an item of a prompt: the item itself and what stands before it
            (:mod:`genrec.models.hf.item_causal`), or all.

    Raises:
        ModelError: The model cannot be decoded this way; says why.
    """

    def __init__(self, model: Any, code_token_ids: CodeTokenIds, *, item_causal: bool = False) -> None:
        self.item_causal = item_causal
        self.model = model.get_base_model() if hasattr(model, "get_base_model") else model
        self.seq2seq = bool(self.model.config.is_encoder_decoder)
        self.token_ids = [torch.as_tensor(ids, dtype=torch.int64, device=self.device) for ids in code_token_ids]

    @property
    def codebook_sizes(self) -> tuple[int, ...]:
        """Number of codes of every level."""
        return tuple(len(ids) for ids in self.token_ids)

    @property
    def device(self) -> torch.device:
        """Where the model is."""
        return next(self.model.parameters()).device

    def order(self, ids: Tensor) -> Tensor | None:
        """How many items have begun at every token ``(rows, n)`` of prompts; None where an encoder sees all."""
        return item_order(ids, self.token_ids[0]) if self.item_causal and self.seq2seq else None

    @abstractmethod
    def prefill(self, input_ids: Tensor, attention_mask: Tensor) -> Any:
        """Read prompts.

        Args:
            input_ids: ``(users, n)`` int64 tokens.
            attention_mask: ``(users, n)``, 1 at real tokens; padding may stand on either side.

        Returns:
            The state that :meth:`step` goes on from.
        """

    @abstractmethod
    def step(self, state: Any, codes: Tensor | None = None, parents: Tensor | None = None) -> StepOutput:
        """See :meth:`genrec.models.base.CodeModel.step`."""

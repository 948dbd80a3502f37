"""What all predictors around a model of transformers share: the model, and the tokens of its codes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import torch
from torch import Tensor

from genrec.models.hf.vocabulary_head import CodeTokenIds
from genrec.models.predictor import StepOutput


class HFPredictor(ABC):
    """Puts ``prefill`` and ``step`` on an unmodified model with code tokens in its vocabulary.

    Args:
        model: ``AutoModelForCausalLM``, ``AutoModelForSeq2SeqLM`` or a PEFT model around one, in evaluation mode.
        code_token_ids: Per level ``(codebook_size,)`` token ids, code 0 first.

    Raises:
        ModelError: The model cannot be decoded this way; says why.
    """

    def __init__(self, model: Any, code_token_ids: CodeTokenIds) -> None:
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

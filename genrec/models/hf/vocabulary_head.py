"""The output layer of a Hugging Face language model, read only where it is needed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from genrec.errors import ModelError
from genrec.models.packed_products import ChunkedProduct, log_sum_exp
from genrec.models.predictor import StepOutput

CodeTokenIds = Sequence[Sequence[int] | Tensor | np.ndarray]
"""Per level, the token ids of all its codes."""
T5_FAMILY = ("t5", "mt5")


class VocabularyHead:
    """Scores of a level's code tokens, and what normalises them over the whole vocabulary.

    Args:
        model: With an output layer.
        code_token_ids: Per level ``(codebook_size,)`` token ids, code 0 first.
        scale: Factor on the hidden states.
        chunk: Vocabulary rows whose logits are computed at once.

    Raises:
        ModelError: The model has no output layer, or a token is not in its vocabulary.
    """

    def __init__(self, model: Any, code_token_ids: CodeTokenIds, *, scale: float = 1.0, chunk: int = 2048) -> None:
        head = model.get_output_embeddings()
        if head is None:
            raise ModelError(f"{type(model).__name__} has no output layer.", expected="a model made for generation")
        self.head, self._product = _unwrapped(head), ChunkedProduct(chunk)
        device = next(model.parameters()).device
        self.token_ids = [torch.as_tensor(ids, dtype=torch.int64, device=device) for ids in code_token_ids]
        vocabulary = int(head.weight.shape[0])
        for level, ids in enumerate(self.token_ids):
            if not len(ids) or int(ids.min()) < 0 or int(ids.max()) >= vocabulary:
                raise ModelError(
                    f"The code tokens of level {level} are not in the model's vocabulary of {vocabulary:,}.",
                    hint="Add them to the tokenizer and call resize_token_embeddings.",
                )
        self._rows = [_as_slice(ids) for ids in self.token_ids]
        config = model.config.get_text_config()
        self.scale = scale * float(getattr(config, "logit_scale", None) or 1)
        self.scale /= float(getattr(config, "logits_scaling", None) or 1)
        self.softcap = getattr(config, "final_logit_softcapping", None)
        self.bias: Tensor | None = getattr(model, "final_logits_bias", None)  # (1, vocabulary), of BART and its like

    @property
    def codebook_sizes(self) -> tuple[int, ...]:
        """Number of code tokens of every level."""
        return tuple(len(ids) for ids in self.token_ids)

    def tokens(self, codes: Tensor, level: int) -> Tensor:
        """Token ids of codes of one level, of the same shape."""
        if self.token_ids[level].device != codes.device:
            self.token_ids = [ids.to(codes.device) for ids in self.token_ids]
        return self.token_ids[level][codes]

    def output(self, hidden: Tensor, level: int) -> StepOutput:
        """Scores of a level's codes and their normaliser, for states ``(users, beams, dim)``.

        A small vocabulary is multiplied once for both.
        """
        if len(self.head.weight) > self._product.chunk or type(self.head) is not nn.Linear:
            return StepOutput(self.logits(hidden, level), lambda: self.log_normalizer(hidden))
        ((columns, product),) = self._product(self._scaled(hidden).flatten(0, -2), self.head.weight)
        if self.head.bias is not None:
            product = product + self.head.bias
        everything = self._finish(product, columns).float().view(*hidden.shape[:-1], -1)
        return StepOutput(everything[..., self._rows[level]], lambda: log_sum_exp(everything))

    def logits(self, hidden: Tensor, level: int) -> Tensor:
        """Scores of a level's codes: ``(..., dim) -> (..., codebook_size)``."""
        rows = self._rows[level]
        if type(self.head) is not nn.Linear:  # wrapped, by an adapter for instance: only its forward is right
            return self._finish(self.head(hidden.to(self.head.weight.dtype))[..., rows], rows)
        bias = None if self.head.bias is None else self.head.bias[rows]
        states = self._scaled(hidden)
        if states.dtype == torch.bfloat16:
            states = states.float()  # few rows, and scores that differ by less than bfloat16 can tell
        return self._finish(_linear(states, self.head.weight[rows], bias), rows)

    def all_logits(self, hidden: Tensor) -> Tensor:
        """Scores of the whole vocabulary: ``(..., dim) -> (..., vocabulary)``."""
        return self._finish(self.head(self._scaled(hidden).to(self.head.weight.dtype)), slice(None))

    def log_normalizer(self, hidden: Tensor, without: Tensor | None = None) -> Tensor:
        """Log-sum-exp over the vocabulary: ``(..., dim) -> (...)`` float32, without ever holding all logits.

        Args:
            hidden: States.
            without: ``(vocabulary,)`` bool, tokens that do not count; at least one other has to be there.
        """
        if type(self.head) is not nn.Linear:
            logits = self.all_logits(hidden).float()
            return log_sum_exp(logits if without is None else logits.masked_fill_(without, -torch.inf))
        rows = self._scaled(hidden).flatten(0, -2)
        total = torch.full((len(rows),), -torch.inf, device=hidden.device)
        for columns, part in self._product(rows, self.head.weight):
            if self.head.bias is not None:
                part = part + self.head.bias[columns]
            logits = self._finish(part, columns).float()
            if without is not None and bool(without[columns].any()):
                if bool(without[columns].all()):
                    continue
                logits = logits.masked_fill(without[columns], -torch.inf)
            total = torch.logaddexp(total, log_sum_exp(logits))
        return total.view(hidden.shape[:-1])

    def pair_logits(self, hidden: Tensor, ids: Tensor) -> Tensor:
        """The score of one token for every state, ``(..., n, dim)`` and ``(n,)`` to ``(..., n)`` float32."""
        if type(self.head) is not nn.Linear:
            return self.all_logits(hidden).float()[..., torch.arange(len(ids), device=ids.device), ids]
        logits = (self._scaled(hidden).float() * self.head.weight[ids].float()).sum(-1)
        if self.head.bias is not None:
            logits = logits + self.head.bias[ids].float()
        return self._finish(logits, ids)

    @property
    def _early(self) -> bool:
        """Whether states are scaled instead of logits, of which there are more."""
        return type(self.head) is nn.Linear and self.head.bias is None

    def _scaled(self, hidden: Tensor) -> Tensor:
        return hidden * self.scale if self._early and self.scale != 1 else hidden

    def _finish(self, logits: Tensor, rows: slice | Tensor) -> Tensor:
        if not self._early and self.scale != 1:
            logits = logits * self.scale
        if self.bias is not None:
            logits = logits + self.bias[0, rows].to(logits)
        return self.softcap * torch.tanh(logits / self.softcap) if self.softcap else logits


def _linear(hidden: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """A linear layer in the type of ``hidden``, which may be wider than that of the weights."""
    return F.linear(hidden, weight.to(hidden.dtype), None if bias is None else bias.to(hidden.dtype))


def output_scale(model: Any) -> float:
    """What families of T5 multiply their states by before the output layer; 1 for every other, mT5 among them."""
    config = model.config
    told = getattr(config, "scale_decoder_outputs", None)  # T5, LongT5, Pop2Piano
    tied = config.model_type in ("umt5", "switch_transformers", "udop") and config.tie_word_embeddings
    return float(config.d_model**-0.5) if told or tied else 1.0


def _unwrapped(head: Any) -> Any:
    """The layer inside an adapter of single rows, while these stand in the layer itself."""
    adapter = getattr(head, "token_adapter", head)
    return adapter.get_base_layer() if getattr(adapter, "merged", False) else head


def _as_slice(ids: Tensor) -> slice | Tensor:
    """Consecutive token ids as a slice, so that their rows are read in place."""
    first = int(ids[0])
    consecutive = torch.equal(ids, torch.arange(first, first + len(ids), device=ids.device))
    return slice(first, first + len(ids)) if consecutive else ids

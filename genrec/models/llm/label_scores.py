"""The training loss of a language model without logits of the whole vocabulary.

A label needs its own logit and the log-sum-exp over the vocabulary. The rows of words are frozen, so their part needs
no gradient of the table, and is computed some rows at a time. The few rows of code tokens are read in float32.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from genrec.models.llm.code_tokens import CodeTokens

_CHUNK = 4096  # rows of the vocabulary at a time


@dataclass
class LabelScores:
    """Logits of an output layer whose words are frozen, where they are needed.

    Attributes:
        words: ``(vocabulary, dim)`` frozen rows; those of code tokens in it are not read.
        codes: ``(n_codes, dim)`` float32 rows of all code tokens.
        ids: ``(n_codes,)`` int64 their token ids.
        levels: ``codebook_size`` of every level, as the rows of ``codes`` are ordered.
        scale: Factor on the states.
    """

    words: Tensor
    codes: Tensor
    ids: Tensor
    levels: tuple[int, ...]
    scale: float = 1.0

    @classmethod
    def of(cls, model: Any, tokens: CodeTokens, scale: float, *, frozen: bool = True) -> LabelScores | None:
        """Of a model, or None where its output layer does more than a product with rows.

        Args:
            model: Of transformers, inside a PEFT model or not.
            tokens: The code tokens.
            scale: Factor on the states that the family has.
            frozen: Only where its words are not trained.
        """
        config, head = model.config.get_text_config(), model.get_output_embeddings()
        layer = getattr(head, "token_adapter", head)
        base = getattr(layer, "base_layer", layer)
        plain = type(base) is nn.Linear and base.bias is None and type(base.weight) is nn.Parameter
        if not plain or (frozen and base.weight.requires_grad) or getattr(config, "final_logit_softcapping", None):
            return None
        if getattr(model, "final_logits_bias", None) is not None or torch.is_autocast_enabled(base.weight.device.type):
            return None
        scale *= float(getattr(config, "logit_scale", None) or 1) / float(getattr(config, "logits_scaling", None) or 1)
        ids = torch.from_numpy(tokens.all_ids).to(base.weight.device)
        rows = _trained(layer, ids)
        if rows is None:
            return None
        return cls(base.weight, rows.float(), ids, tuple(len(level) for level in tokens.ids), scale)

    def of_level(self, hidden: Tensor, level: int) -> Tensor:
        """Float32 logits of a level's codes, ``(n, dim) -> (n, codebook_size)``; nothing else is computed."""
        first = sum(self.levels[:level])
        return self._scaled(hidden) @ self.codes[first : first + self.levels[level]].T

    def terms(self, hidden: Tensor, right: Tensor, label_smoothing: float = 0.0) -> tuple[Tensor, Tensor]:
        """What every label adds to the loss, and its log-probability, among all tokens; each ``(n,)`` float32.

        Args:
            hidden: ``(n, dim)`` states.
            right: ``(n,)`` int64 token ids.
            label_smoothing: Mass taken from the right token and spread over all.
        """
        states = self._scaled(hidden)
        codes = states @ self.codes.T
        total = torch.logaddexp(FrozenLogSumExp.apply(states, self.words, self.ids), codes.logsumexp(-1))
        places = torch.full((len(self.words),), -1, dtype=torch.int64, device=right.device)
        places[self.ids] = torch.arange(len(self.ids), device=right.device)
        place = places[right]
        of_codes = codes.gather(1, place.clamp_min(0)[:, None])[:, 0]
        logit = of_codes
        if bool((place < 0).any()):
            logit = torch.where(place < 0, (states * self.words[right].float()).sum(-1), of_codes)
        likelihood = logit - total
        if not label_smoothing:
            return -likelihood, likelihood
        everything = self.words.float().sum(0) - self.words[self.ids].float().sum(0)
        mean = (states @ everything + codes.sum(1)) / len(self.words)
        return label_smoothing * (total - mean) - (1 - label_smoothing) * likelihood, likelihood

    def _scaled(self, hidden: Tensor) -> Tensor:
        return hidden.float() * self.scale if self.scale != 1 else hidden.float()


def _trained(layer: Any, ids: Tensor) -> Tensor | None:
    """Rows of the code tokens as an output layer has them now; None where that is not plain."""
    if not hasattr(layer, "trainable_tokens_delta"):
        return layer.weight[ids] if type(layer) is nn.Linear else None  # type: ignore[no-any-return]
    if layer.merged or layer.disable_adapters or len(layer.active_adapters) != 1:
        return None
    adapter = layer.active_adapters[0]
    rows: Tensor = layer.trainable_tokens_delta[adapter]
    same = list(layer.token_indices[adapter]) == ids.tolist()
    return rows if same else None


class FrozenLogSumExp(torch.autograd.Function):
    """Log-sum-exp of the products of states with frozen rows, of which some are left out.

    The way there also sums the rows by their probabilities, which is the gradient of the states: so no logit is kept
    and none is computed twice.
    """

    @staticmethod
    def forward(ctx: Any, states: Tensor, rows: Tensor, without: Tensor) -> Tensor:
        """The log-sum-exp.

        Args:
            ctx: Of autograd.
            states: ``(n, dim)`` float32.
            rows: ``(vocabulary, dim)``; products are computed in their number format.
            without: ``(m,)`` int64 rows that do not count.
        """
        learns = ctx.needs_input_grad[0]
        low = states.to(rows.dtype)
        highest = states.new_full((len(states), 1), -torch.inf)
        total = torch.zeros_like(highest)
        sums = torch.zeros_like(states) if learns else None
        left_out = torch.zeros(len(rows), dtype=torch.bool, device=rows.device)
        left_out[without] = True
        for start in range(0, len(rows), _CHUNK):
            part = rows[start : start + _CHUNK]
            logits = F.linear(low, part).float()
            hidden = left_out[start : start + _CHUNK]
            if bool(hidden.all()):
                continue
            if bool(hidden.any()):
                logits.masked_fill_(hidden, -torch.inf)
            new = torch.maximum(highest, logits.amax(1, keepdim=True))
            weights, before = logits.sub_(new).exp_(), (highest - new).exp_()
            total = total * before + weights.sum(1, keepdim=True)
            if sums is not None:
                sums.mul_(before).add_(weights.to(rows.dtype) @ part)
            highest = new
        if sums is not None:
            ctx.save_for_backward(sums.div_(total))
        return (highest + total.log())[:, 0]

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:  # type: ignore[override]
        """Gradient of the states."""
        (means,) = ctx.saved_tensors
        return gradient[:, None] * means, None, None

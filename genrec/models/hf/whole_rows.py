"""Any language model as decoding wants it, without a cache: every prompt with every beam is read anew at each level."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor
from transformers.modeling_outputs import BaseModelOutput

from genrec.models.hf.base import HFPredictor
from genrec.models.hf.item_causal import read_prompts
from genrec.models.outputs import StepState
from genrec.models.packed_products import log_sum_exp
from genrec.models.predictor import StepOutput

_CELLS = 1 << 24  # logits of the vocabulary that are held at once


@dataclass
class HFWholeState(StepState):
    """Search state: every user's prompt without padding, and the tokens that each beam has written."""

    prompts: tuple[Tensor, ...] = ()
    paths: Tensor | None = None


class HFWholePredictor(HFPredictor):
    """Puts ``prefill`` and ``step`` on a model through nothing but its own ``forward``.

    The last resort, slow and right: for families without a cache that beams can share, or whose own forward does more
    than an output layer after the last state. Rows of one length are read together, so nothing is ever padded.

    Args:
        model: ``AutoModelForCausalLM``, ``AutoModelForSeq2SeqLM`` or a PEFT model around one, in evaluation mode.
        code_token_ids: Per level ``(codebook_size,)`` token ids, code 0 first.
    """

    def prefill(self, input_ids: Tensor, attention_mask: Tensor) -> HFWholeState:
        """Keep prompts: ``input_ids (users, n)`` int64 and ``attention_mask (users, n)``, 1 at real tokens."""
        rows = zip(input_ids, attention_mask.bool(), strict=True)
        return HFWholeState(prompts=tuple(ids[mask] for ids, mask in rows))

    def step(self, state: HFWholeState, codes: Tensor | None = None, parents: Tensor | None = None) -> StepOutput:
        """See :meth:`genrec.models.base.CodeModel.step`."""
        level, users = state.level, len(state.prompts)
        if codes is None or parents is None:
            paths = torch.empty(users, 1, 0, dtype=torch.int64, device=self.device)
        else:
            before = torch.empty(users, 1, 0, dtype=torch.int64, device=self.device)
            before = before if state.paths is None else state.paths
            known = before.gather(1, parents[..., None].expand(-1, -1, before.shape[2]))
            paths = torch.cat([known, self.token_ids[level - 1][codes][..., None]], dim=2)
        state.paths = paths
        state.level += 1
        scores, totals = self._scores(state.prompts, paths, level)
        return StepOutput(scores, lambda: totals)

    def _scores(self, prompts: tuple[Tensor, ...], paths: Tensor, level: int) -> tuple[Tensor, Tensor]:
        """Logits of a level's codes ``(users, beams, codes)`` and log-sum-exp of all logits ``(users, beams)``."""
        users, beams = paths.shape[:2]
        scores = torch.empty(users * beams, len(self.token_ids[level]), device=self.device)
        totals = torch.empty(users * beams, device=self.device)
        for rows, ids in self._equal_rows(prompts, paths):
            logits = self._last_logits(ids, paths.flatten(0, 1)[rows]).float()
            scores[rows], totals[rows] = logits[:, self.token_ids[level]], log_sum_exp(logits)
        return scores.view(users, beams, -1), totals.view(users, beams)

    def _equal_rows(self, prompts: tuple[Tensor, ...], paths: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
        """Rows whose prompts have one length, some at a time, with these prompts ``(rows, n)``."""
        beams = paths.shape[1]
        lengths = torch.tensor([len(prompt) for prompt in prompts])
        width = int(self.model.config.get_text_config().vocab_size)
        for length in lengths.unique().tolist():
            same = (lengths == length).nonzero()[:, 0]
            rows = (same[:, None] * beams + torch.arange(beams)).flatten().to(self.device)
            ids = torch.stack([prompts[int(user)] for user in same]).repeat_interleave(beams, dim=0)
            logits = width * (1 if self.seq2seq else int(length) + paths.shape[2])
            size = max(1, _CELLS // max(1, logits))
            yield from zip(rows.split(size), ids.split(size), strict=True)

    def _last_logits(self, ids: Tensor, paths: Tensor) -> Tensor:
        return own_logits(self.model, ids, torch.ones_like(ids), paths, self.order(ids))[:, -1]


@dataclass
class _Read(BaseModelOutput):
    """What an encoder has made of prompts, for models that also ask how its experts were chosen (NLLB-MoE)."""

    router_logits: Any = None


def own_logits(model: Any, ids: Tensor, mask: Tensor, answers: Tensor, order: Tensor | None = None) -> Tensor:
    """What a model's own forward says after a prompt and after each token of an answer.

    Args:
        model: Of transformers, with its output layer.
        ids: ``(rows, n)`` int64 prompts, all real tokens.
        mask: ``(rows, n)``.
        answers: ``(rows, m)`` int64.
        order: Of an encoder's tokens, see :func:`~genrec.models.hf.item_causal.item_order`.

    Returns:
        ``(rows, m + 1, vocabulary)``.
    """
    if model.config.is_encoder_decoder:
        start = torch.full_like(ids[:, :1], int(decoder_start(model)))
        known = torch.cat([start, answers], dim=1)
        read = {"input_ids": ids} if order is None else read_prompts(model, ids, mask, order)
        return answer_logits(model, known, mask, read)
    known = torch.cat([ids, answers], dim=1)
    mask = torch.cat([mask, torch.ones_like(answers)], dim=1)
    logits = model(input_ids=known, attention_mask=mask, use_cache=False).logits
    return logits[:, ids.shape[1] - 1 :]


def answer_logits(model: Any, known: Tensor, mask: Tensor, read: dict[str, Tensor] | Tensor) -> Tensor:
    """Logits of an encoder-decoder's own forward, ``(rows, m, vocabulary)``.

    Args:
        model: Of transformers.
        known: ``(rows, m)`` int64 what the decoder reads.
        mask: ``(rows, n)`` what it sees of the prompt.
        read: The prompts as ``input_ids``, or ``(rows, n, dim)`` what the encoder has made of them.
    """
    given = read if isinstance(read, dict) else {"encoder_outputs": _Read(last_hidden_state=cast(Any, read))}
    logits: Tensor = model(**given, attention_mask=mask, decoder_input_ids=known, use_cache=False).logits
    return logits


def decoder_start(model: Any) -> int:
    """The token that an encoder-decoder begins every answer with."""
    settings = [model.config, getattr(model, "generation_config", None), model.config.get_text_config(decoder=True)]
    names = ("decoder_start_token_id", "bos_token_id", "pad_token_id")
    found = (getattr(one, name, None) for name in names for one in settings)
    return int(next((token for token in found if token is not None), 0))

"""A pretrained language model that speaks semantic IDs: a decoder or an encoder-decoder, trained on text and codes."""

from __future__ import annotations

import inspect
from typing import Any

import torch
from torch import Tensor

from genrec.models.beam_tree import positions
from genrec.models.hf.vocabulary_head import CodeTokenIds, VocabularyHead, output_scale
from genrec.models.hf.whole_rows import decoder_start
from genrec.models.legal_codes import code_terms
from genrec.models.llm.base import IGNORE, LanguageBase, Targets
from genrec.models.llm.config import LanguageConfig
from genrec.models.llm.readers import make_predictor
from genrec.models.outputs import StepState
from genrec.models.predictor import StepOutput
from genrec.models.registry import network


class LanguageModelConfig(LanguageConfig):
    """Configuration of :class:`LanguageModel`.

    Attributes:
        decoding: One of :data:`~genrec.models.llm.readers.WAYS`, as a check before training has found it right; None
            goes by the family.
        own_logits: Train through the model's own forward and its logits of every token, because it does more than an
            output layer after the last state.
    """

    model_type = "genrec-language-model"

    decoding: str | None = None
    own_logits: bool = False


@network("language-model")
class LanguageModel(LanguageBase):
    """Reads a prompt and writes the codes of the next item, or the text of any other task.

    The output layer is computed only where there is a label, which gives the same loss at a fraction of the cost.
    """

    config_class = LanguageModelConfig
    config: LanguageModelConfig

    def targets(self, input_ids: Tensor, attention_mask: Tensor, labels: Tensor) -> Targets:
        """See :meth:`LanguageBase.targets`: every token with a label is one."""
        if self.seq2seq:
            hidden, chosen = self._read_pair(input_ids, attention_mask, labels), labels
        else:
            hidden, chosen = self._read(input_ids, attention_mask)[:, :-1], labels[:, 1:]
        real = chosen != IGNORE
        return Targets(self._terms(hidden[real], chosen[real]), real.nonzero()[:, 0])

    def _read(self, input_ids: Tensor, mask: Tensor) -> Tensor:
        if self.config.own_logits:
            logits: Tensor = self.base(input_ids=input_ids, attention_mask=mask, use_cache=False).logits
            return logits
        network = self.base.get_decoder()
        arguments: dict[str, Any] = {"input_ids": input_ids, "attention_mask": mask, "use_cache": False}
        if "position_ids" in inspect.signature(network.forward).parameters:
            arguments["position_ids"] = positions(mask)
        hidden: Tensor = network(**arguments).last_hidden_state
        return hidden

    def _read_pair(self, input_ids: Tensor, mask: Tensor, labels: Tensor) -> Tensor:
        base = self.base
        first = torch.full_like(labels[:, :1], decoder_start(base))
        known = torch.cat([first, labels[:, :-1]], dim=1)
        known = known.masked_fill(known == IGNORE, int(base.config.pad_token_id or 0))
        if self.config.own_logits:
            prompt = {"input_ids": input_ids, "attention_mask": mask}
            logits: Tensor = base(**prompt, decoder_input_ids=known, use_cache=False).logits
            return logits
        memory = base.get_encoder()(input_ids=input_ids, attention_mask=mask).last_hidden_state
        hidden: Tensor = base.get_decoder()(
            input_ids=known, encoder_hidden_states=memory, encoder_attention_mask=mask, use_cache=False
        ).last_hidden_state
        return hidden

    def _terms(self, hidden: Tensor, right: Tensor) -> tuple[Tensor, Tensor]:
        """What every label adds to the loss, and its log-probability.

        Args:
            hidden: ``(n, dim)`` states, or ``(n, vocabulary)`` logits.
            right: ``(n,)`` token ids.
        """
        head: VocabularyHead | _NoHead = _NoHead(self.tokens.ids)
        if not self.config.own_logits:
            head = VocabularyHead(self.base, self.tokens.ids, scale=output_scale(self.base))
        smoothing = self.config.label_smoothing if self.training else 0.0
        if self.legal is None:
            return code_terms(head.all_logits(hidden).float(), right, label_smoothing=smoothing)
        starts, codes = self.labels.find(right)
        masks = self.legal.masks(codes)
        text = torch.ones_like(right, dtype=torch.bool)
        parts, places = [], []
        for level, mask in enumerate(masks):
            text[starts + level] = False
            places.append(starts + level)
            logits = head.logits(hidden[starts + level], level).float()
            parts.append(code_terms(logits, codes[:, level], mask, smoothing))
        if bool(text.any()):
            places.append(text.nonzero()[:, 0])
            parts.append(code_terms(head.all_logits(hidden[text]).float(), right[text], label_smoothing=smoothing))
        order = torch.cat(places).argsort()
        loss, likelihood = (torch.cat(part)[order] for part in zip(*parts, strict=True))
        return loss, likelihood

    def prefill(self, input_ids: Tensor, attention_mask: Tensor) -> StepState:  # type: ignore[override]
        """Read prompts: ``input_ids (users, n)`` int64, ``attention_mask (users, n)``; padding on either side."""
        predictor = self._predictor or self._make_predictor()
        window = getattr(predictor, "window", None)
        if window is not None and input_ids.shape[1] + self.n_levels > window:
            predictor = make_predictor("rows", self.lm, self.tokens.ids)
        state: StepState = predictor.prefill(input_ids, attention_mask)
        state.reader = predictor
        return state

    def step(  # type: ignore[override]
        self, state: StepState, codes: Tensor | None = None, parents: Tensor | None = None
    ) -> StepOutput:
        """See :meth:`CodeModel.step`; the scores come with what normalises them over the vocabulary."""
        output: StepOutput = state.reader.step(state, codes, parents)
        return output

    def _make_predictor(self) -> Any:
        return make_predictor(self.config.decoding, self.lm, self.tokens.ids)


class _NoHead:
    """Takes the place of an output layer where logits are known already."""

    def __init__(self, code_token_ids: CodeTokenIds) -> None:
        self.token_ids = code_token_ids

    def all_logits(self, logits: Tensor) -> Tensor:
        """As they are, ``(..., vocabulary)``."""
        return logits

    def logits(self, logits: Tensor, level: int) -> Tensor:
        """Those of a level's codes."""
        return logits[..., torch.as_tensor(self.token_ids[level], device=logits.device)]

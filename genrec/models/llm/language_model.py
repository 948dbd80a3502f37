"""A pretrained language model that speaks semantic IDs: a decoder or an encoder-decoder, trained on text and codes."""

from __future__ import annotations

import inspect
import logging
from typing import TYPE_CHECKING, Any, Self

import torch
from torch import Tensor

from genrec.errors import ModelError
from genrec.models.beam_tree import positions
from genrec.models.hf.item_causal import reads_item_causally
from genrec.models.hf.packed_prompts import NAME, PackedPrompts, read_packed, use_packed_attention, use_plain_attention
from genrec.models.hf.vocabulary_head import CodeTokenIds, VocabularyHead, output_scale
from genrec.models.hf.whole_rows import decoder_start
from genrec.models.legal_codes import code_terms
from genrec.models.llm.base import IGNORE, LanguageBase, Targets
from genrec.models.llm.config import LanguageConfig
from genrec.models.llm.creation import language_fields, row_start
from genrec.models.llm.label_scores import LabelScores
from genrec.models.llm.readers import make_predictor
from genrec.models.llm.whole_answers import order_of, read_whole, split_answers
from genrec.models.outputs import StepState
from genrec.models.predictor import StepOutput
from genrec.models.registry import network
from genrec.models.settings import HistoryAttention, RunSettings
from genrec.prompts import load_task

if TYPE_CHECKING:
    from genrec.index.semantic_index import SemanticIndex

logger = logging.getLogger(__name__)


class LanguageModelConfig(LanguageConfig):
    """Configuration of :class:`LanguageModel`.

    Attributes:
        decoding: One of :data:`~genrec.models.llm.readers.WAYS`, as a check before training has found it right; None
            goes by the family.
        own_logits: Train through the model's own forward and its logits of every token, because it does more than an
            output layer after the last state.
        history_attention: What the encoder of an encoder-decoder sees from an item of a prompt: ``full``, or
            ``item-causal``, the item itself and what stands before it, so that all items of a history are learned from
            one reading.
    """

    model_type = "genrec-language-model"

    decoding: str | None = None
    own_logits: bool = False
    history_attention: HistoryAttention = "full"


@network("language-model")
class LanguageModel(LanguageBase):
    """Reads a prompt and writes the codes of the next item, or the text of any other task.

    The output layer is computed only where there is a label, which gives the same loss at a fraction of the cost.
    """

    config_class = LanguageModelConfig
    config: LanguageModelConfig
    packs: bool = False
    """Whether training reads a batch as one sequence."""

    @property
    def fits_code_rows(self) -> bool:
        """Where it writes codes, not titles."""
        return self.named_by == "codes"

    @classmethod
    def create(cls, index: SemanticIndex, config: RunSettings) -> Self:
        """See :meth:`LanguageBase.create`; an encoder-decoder reads as it is trained, whole histories or pairs."""
        attention: HistoryAttention = "item-causal" if config.examples.mode == "whole" else "full"
        fields = language_fields(config, index, cls.config_class)
        fitted = config.model.llm.fit_code_rows > 0 and cls.named_by == "codes"
        fields = {"history_attention": attention, "own_output": fitted, **fields}
        model = cls.build(cls.config_class(**fields), row_start(config, index))
        if model.reads_whole and not reads_item_causally(model.base):
            logger.info("%s learns pairs: its encoder takes no mask between items.", type(model.base).__name__)
            model.config.history_attention = "full"
        return model

    @classmethod
    def settings_read(cls, config: RunSettings) -> frozenset[str]:
        """See :meth:`CodeModel.settings_read`; it has no dropout of its own, and codes only where it writes them."""
        codes = {"model.llm.fit_code_rows", "model.trie_masked_loss"}
        read = super().settings_read(config) - {"model.dropout"}
        if any(load_task(task.prompt).whole for task in config.tasks):
            read |= {"examples.mode"}
        return read | codes if cls.named_by == "codes" else read - codes

    def targets(self, input_ids: Tensor, attention_mask: Tensor, labels: Tensor) -> Targets:
        """See :meth:`LanguageBase.targets`: every token with a label is one."""
        hidden, right, rows = self.label_states(input_ids, attention_mask, labels)
        return Targets(self.label_terms(hidden, right), rows)

    def label_states(self, input_ids: Tensor, attention_mask: Tensor, labels: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """States that every label is predicted from, ``(n, dim)``, these labels, and their rows, each ``(n,)``.

        The arguments are those of :meth:`forward`. A model that learns through its own logits gives these as states.
        """
        if self.reads_whole:
            return self._whole_states(input_ids, attention_mask, labels)
        if self.seq2seq:
            chosen, real = labels, labels != IGNORE
            hidden = self._read_pair(input_ids, attention_mask, labels)[real]
        else:
            chosen, real = labels[:, 1:], labels[:, 1:] != IGNORE
            hidden = self._read_at(input_ids, attention_mask, real)
        return hidden, chosen[real], real.nonzero()[:, 0]

    def _read_at(self, input_ids: Tensor, mask: Tensor, wanted: Tensor) -> Tensor:
        """States of some tokens of every row but the last, ``(n, dim)``.

        Args:
            input_ids: ``(rows, n)``.
            mask: ``(rows, n)``.
            wanted: ``(rows, n - 1)`` bool.
        """
        packed = PackedPrompts.of(input_ids, mask) if self._packing(input_ids) else None
        if packed is None:
            return self._read(input_ids, mask)[:, :-1][wanted]
        return read_packed(self.base.get_decoder(), packed)[packed.places()[:, :-1][wanted]]

    def _packing(self, input_ids: Tensor) -> bool:
        plain = not self.config.own_logits and not torch.is_autocast_enabled("cpu")
        return self.packs and plain and input_ids.device.type == "cpu"

    def pack_prompts(self, packs: bool) -> None:
        """Read the rows of a batch as one sequence, see :mod:`genrec.models.hf.packed_prompts`; or each by itself.

        Only :func:`~genrec.training.self_check.check_language_model` should say so: it knows whether that is the same.

        Raises:
            ModelError: This network reads prompts and answers apart, or has another attention than ``sdpa``.
        """
        network = None if self.seq2seq else self.base.get_decoder()
        if packs and (network is None or network.config._attn_implementation not in ("sdpa", NAME)):
            raise ModelError("The rows of this network cannot be packed.", expected="a decoder with sdpa attention")
        if network is not None:
            (use_packed_attention if packs else use_plain_attention)(network)
        self.packs = packs

    @property
    def reads_whole(self) -> bool:
        """See :attr:`LanguageBase.reads_whole`."""
        return self.seq2seq and self.config.history_attention == "item-causal"

    def _whole_states(self, input_ids: Tensor, mask: Tensor, labels: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        order = order_of(input_ids, self.tokens.ids)
        answers = split_answers(labels, order, torch.as_tensor(self.tokens.ids[0]), self.n_levels, IGNORE)
        pad = int(self.base.config.pad_token_id or 0)
        given = tuple(one._replace(tokens=one.tokens.masked_fill(one.tokens == IGNORE, pad)) for one in answers)
        states = read_whole(self.base, input_ids, mask, order, given, logits=self.config.own_logits)
        real = [one.tokens != IGNORE for one in answers]
        hidden = torch.cat([state[kept] for state, kept in zip(states, real, strict=True)])
        right = torch.cat([one.tokens[kept] for one, kept in zip(answers, real, strict=True)])
        rows = torch.cat([one.rows[kept.nonzero()[:, 0]] for one, kept in zip(answers, real, strict=True)])
        return hidden, right, rows

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

    def label_terms(self, hidden: Tensor, right: Tensor) -> tuple[Tensor, Tensor]:
        """What every label adds to the loss, and its log-probability.

        Args:
            hidden: ``(n, dim)`` states, or ``(n, vocabulary)`` logits.
            right: ``(n,)`` token ids.
        """
        smoothing = self.config.label_smoothing if self.training else 0.0
        scores = self.label_scores()
        if self.legal is None:
            return scores.terms(hidden, right, smoothing)
        starts, codes = self.labels.find(right)
        masks = self.legal.masks(codes)
        text = torch.ones_like(right, dtype=torch.bool)
        parts, places = [], []
        for level, mask in enumerate(masks):
            text[starts + level] = False
            places.append(starts + level)
            parts.append(code_terms(scores.of_level(hidden[starts + level], level), codes[:, level], mask, smoothing))
        if bool(text.any()):
            places.append(text.nonzero()[:, 0])
            parts.append(scores.terms(hidden[text], right[text], smoothing))
        order = torch.cat(places).argsort()
        loss, likelihood = (torch.cat(part)[order] for part in zip(*parts, strict=True))
        return loss, likelihood

    def label_scores(self) -> LabelScores | _AllScores:
        """The output layer as the loss reads it: the fast way where the model has nothing else in it."""
        if self.config.own_logits:
            return _AllScores(_NoHead(self.tokens.ids))
        scale = output_scale(self.base)
        fast = LabelScores.of(self.base, self.tokens, scale)
        return fast or _AllScores(VocabularyHead(self.base, self.tokens.ids, scale=scale))

    def prefill(self, input_ids: Tensor, attention_mask: Tensor) -> StepState:  # type: ignore[override]
        """Read prompts: ``input_ids (users, n)`` int64, ``attention_mask (users, n)``; padding on either side."""
        predictor = self._predictor or self._make_predictor()
        window = getattr(predictor, "window", None)
        if window is not None and input_ids.shape[1] + self.n_levels > window:
            predictor = make_predictor("rows", self.lm, self.tokens.ids, item_causal=self.reads_whole)
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
        return make_predictor(self.config.decoding, self.lm, self.tokens.ids, item_causal=self.reads_whole)


class _AllScores:
    """Logits of every token, for output layers that need them all or are trained."""

    def __init__(self, head: VocabularyHead | _NoHead) -> None:
        self._head = head

    def of_level(self, hidden: Tensor, level: int) -> Tensor:
        """Float32 logits of a level's codes."""
        return self._head.logits(hidden, level).float()

    def terms(self, hidden: Tensor, right: Tensor, label_smoothing: float = 0.0) -> tuple[Tensor, Tensor]:
        """See :meth:`LabelScores.terms`."""
        return code_terms(self._head.all_logits(hidden).float(), right, label_smoothing=label_smoothing)


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

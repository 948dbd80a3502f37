"""A T5-style encoder-decoder over code tokens: TIGER (Rajput et al. 2023, arXiv 2305.05065)."""

from __future__ import annotations

from typing import Any, ClassVar, get_args

import torch
from torch import Tensor
from torch.nn import functional as F
from transformers import T5Config, T5Model

from genrec.errors import ModelError
from genrec.models.base import CodeModel
from genrec.models.beam_tree import additive, causal_mask, last_real
from genrec.models.config import CodeModelConfig
from genrec.models.outputs import CodeModelOutput, StepState
from genrec.models.parts import CodeTable, Start, level_terms
from genrec.models.registry import network
from genrec.models.settings import HistoryAttention, RunSettings
from genrec.models.t5.fused import Rows
from genrec.models.t5.search import T5Search, T5State
from genrec.models.t5.stock_blocks import first_attention, key_bias, run_blocks
from genrec.models.t5.whole import item_of_columns, read_history, read_rows

NO_WORDS = {"vocab_size": 1, "pad_token_id": 0, "eos_token_id": None}
"""Fields of a ``T5Config`` whose vocabulary is never read."""


class CodeSeq2SeqConfig(CodeModelConfig):
    """Configuration of :class:`CodeSeq2Seq`.

    Attributes:
        history_attention: What the encoder sees from an item of the history. ``full``: everything, so a history has
            to be read anew for every next item that is learned. ``item-causal``: the item itself and those before it,
            so all items of a history are learned from one reading.
    """

    model_type = "genrec-seq2seq"

    history_attention: HistoryAttention = "full"


@network("seq2seq")
class CodeSeq2Seq(CodeModel):
    """Encoder over the history's codes, decoder over the codes of the next item."""

    config_class = CodeSeq2SeqConfig
    config: CodeSeq2SeqConfig
    answers: ClassVar[frozenset[str]] = frozenset({"states"})

    def __init__(self, config: CodeSeq2SeqConfig) -> None:
        super().__init__(config)
        if config.history_attention not in get_args(HistoryAttention):
            raise ModelError(
                f"The encoder has no attention called {config.history_attention!r}.",
                where="model.options.history_attention",
                expected=" or ".join(get_args(HistoryAttention)),
            )
        settings = {"dropout_rate": config.dropout, **without_type(config.backbone)}
        try:
            t5_config = T5Config(**{**settings, **NO_WORDS, "decoder_start_token_id": 0})
        except (TypeError, ValueError) as error:
            raise ModelError(f"transformers cannot build this T5: {error}", where="model.backbone") from None
        self.t5 = T5Model(t5_config)
        dim = t5_config.d_model
        self.input_table = CodeTable(self.codebook_sizes, dim, std=1.0)
        self.output_table = CodeTable(self.codebook_sizes, dim, std=dim**-0.5)
        self.encoder_start = Start(dim, std=1.0)
        self.decoder_start = Start(dim, std=1.0)
        self.search = T5Search(self.t5.encoder, self.t5.decoder)
        self.post_init()

    @classmethod
    def settings_read(cls, config: RunSettings) -> frozenset[str]:
        """See :meth:`CodeModel.settings_read`; pairs only, where the encoder looks ahead."""
        causal = config.model.options.get("history_attention", cls.config_class.history_attention) == "item-causal"
        either = causal or config.examples.mode == "prefixes"
        return super().settings_read(config) - (frozenset() if either else {"examples.mode"})

    @property
    def state_dim(self) -> int:
        """See :attr:`CodeModel.state_dim`."""
        return int(self.t5.config.d_model)

    @property
    def pairs_only(self) -> bool:
        """See :attr:`CodeModel.pairs_only`: where the encoder looks ahead inside a history."""
        return self.config.history_attention == "full"

    def _tokens(self, codes: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Vectors of the start and of every code, ``(users, 1 + items * levels, dim)``, and their mask."""
        tokens = self.input_table.embed(codes).flatten(1, 2)
        return self.encoder_start(tokens, mask.repeat_interleave(self.n_levels, dim=1))

    def _order(self, items: int) -> Tensor | None:
        """Which item every token of ``items`` items belongs to; None where the encoder sees all at once."""
        if self.pairs_only:
            return None
        return item_of_columns(1 + items * self.n_levels, self.n_levels, self.encoder_start.vector.device)

    def forward(
        self, codes: Tensor, mask: Tensor, target_mask: Tensor | None = None, vectors: Tensor | None = None
    ) -> CodeModelOutput:
        """See :meth:`CodeModel.forward`. Item vectors are not read.

        With ``history_attention: full``, a row has ONE target, its newest item, and ``target_mask`` is not read.
        """
        targets = mask if target_mask is None else mask & target_mask
        if self.pairs_only:
            targets = F.one_hot(last_real(mask), mask.shape[1]).bool()
        states = self._newest if bool((targets.sum(1) == 1).all()) else self._all
        right, smoothing = codes[targets], self.config.label_smoothing if self.training else 0.0
        hidden = states(codes, mask, targets)
        terms = level_terms(self.output_table, hidden, right, smoothing, self.legal)
        rows, places = targets.nonzero(as_tuple=True)
        return CodeModelOutput.of(terms, rows, len(codes), places=places, states=hidden[:, 0], targets=right)

    def _newest(self, codes: Tensor, mask: Tensor, targets: Tensor) -> Tensor:
        """States that predict the one target of every row, ``(users, n_levels, dim)``."""
        history = mask & (targets.long().cumsum(1) == 0)
        tokens, known = self._tokens(codes, history)
        memory = read_history(self.t5.encoder, tokens, self.search.bias(known, order=self._order(codes.shape[1])))
        rows = self._answers(codes[targets][:, None])
        return read_rows(self.t5.decoder, rows, memory, key_bias(known, tokens.dtype))[:, 0]

    def _all(self, codes: Tensor, mask: Tensor, targets: Tensor) -> Tensor:
        """States that predict all targets after one reading of every history, ``(n_targets, n_levels, dim)``."""
        items, levels = codes.shape[1:]
        tokens, known = self._tokens(codes[:, :-1], mask[:, :-1])
        order = item_of_columns(tokens.shape[1], levels, tokens.device)
        memory = read_history(self.t5.encoder, tokens, self.search.bias(known, order=order))
        seen = torch.arange(items, device=order.device).repeat_interleave(levels)[:, None] >= order
        plain = causal_mask(known) is None  # padding on the right is seen by padding alone
        visible = additive(seen[None] if plain else seen & known[:, None], tokens.dtype)
        return read_rows(self.t5.decoder, self._answers(codes), memory, visible)[targets]

    def _answers(self, codes: Tensor) -> Tensor:
        """What the decoder reads to predict codes ``(users, items, n_levels)``: the start, and all codes but the last.

        Returns:
            ``(users, items, n_levels, dim)``.
        """
        start = self.decoder_start.vector.expand(*codes.shape[:2], 1, -1)
        return torch.cat([start, self.input_table.embed(codes[..., :-1])], dim=2)

    def prefill(self, codes: Tensor, mask: Tensor, vectors: Tensor | None = None) -> T5State:
        """See :meth:`CodeModel.prefill`."""
        known = mask.repeat_interleave(self.n_levels, dim=1)
        rows = F.pad(self.input_table.rows(codes).flatten(1), (1, 0), value=len(self.input_table.weight))
        table = self.input_table.weight, self.encoder_start.vector
        known = F.pad(known, (1, 0), value=True)
        return self.search.prefill(Rows(table, rows), known, self._order(codes.shape[1]))

    def step(self, state: StepState, codes: Tensor | None = None, parents: Tensor | None = None) -> Tensor:
        """See :meth:`CodeModel.step`."""
        hidden = read_codes(self.search, self.decoder_start, self.input_table, state, codes, parents)
        return self.output_table.logits(hidden, state.level - 1)


def read_answers(
    stack: Any, start: Start, table: CodeTable, right: Tensor, memory: Tensor, memory_bias: Tensor
) -> Tensor:
    """States of a T5 decoder that predict known codes.

    Args:
        stack: The decoder.
        start: What stands in front of the codes.
        table: Vectors of codes.
        right: ``(rows, n_levels)`` int64 codes.
        memory: ``(rows, n, dim)`` what is read.
        memory_bias: ``(rows, 1, 1, n)`` additive mask over it.

    Returns:
        ``(rows, n_levels, dim)``.
    """
    n = right.shape[1]
    known = torch.ones(len(right), n - 1, dtype=torch.bool, device=right.device)
    vectors, _ = start(table.embed(right[:, :-1]), known)
    causal = torch.ones(1, n, n, dtype=torch.bool, device=right.device).tril()
    bias = first_attention(stack).compute_bias(n, n, device=right.device)
    return run_blocks(stack, vectors, bias + additive(causal, vectors.dtype), memory, memory_bias)


def read_codes(
    search: T5Search, start: Start, table: CodeTable, state: StepState, codes: Tensor | None, parents: Tensor | None
) -> Tensor:
    """States of a T5 decoder after the codes of one more level, ``(users, beams, dim)``; advances the state.

    Arguments as in :func:`read_answers` and :meth:`CodeModel.step`.
    """
    if not isinstance(state, T5State):
        raise TypeError("step needs the state that prefill returned.")
    if codes is None:
        rows = torch.full((state.users, 1), len(table.weight), device=start.vector.device)
    else:
        rows = table.rows(codes[..., None], state.level - 1)[..., 0]
    return search.step(state, Rows((table.weight, start.vector), rows), parents).to(table.weight.dtype)


def without_type(settings: dict[str, Any] | None) -> dict[str, Any]:
    """Settings of a backbone without ``model_type``, which is T5 here in any case."""
    return {key: value for key, value in (settings or {}).items() if key != "model_type"}

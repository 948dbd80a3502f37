"""A T5-style encoder-decoder over code tokens: TIGER (Rajput et al. 2023, arXiv 2305.05065)."""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.nn import functional as F
from transformers import T5Config, T5Model

from genrec.errors import ModelError
from genrec.models.base import CodeModel, CodeModelConfig
from genrec.models.beam_tree import additive, last_real
from genrec.models.outputs import CodeModelOutput, StepState
from genrec.models.parts import CodeTable, Start, level_terms
from genrec.models.registry import network
from genrec.models.t5.fused import Rows
from genrec.models.t5.search import T5Search, T5State
from genrec.models.t5.stock_blocks import first_attention, key_bias, run_blocks


class CodeSeq2SeqConfig(CodeModelConfig):
    """Configuration of :class:`CodeSeq2Seq`."""

    model_type = "genrec-seq2seq"


@network("seq2seq")
class CodeSeq2Seq(CodeModel):
    """Encoder over the history's codes, decoder over the codes of the next item."""

    config_class = CodeSeq2SeqConfig
    pairs_only: ClassVar[bool] = True
    answers: ClassVar[frozenset[str]] = frozenset({"states"})

    def __init__(self, config: CodeSeq2SeqConfig) -> None:
        super().__init__(config)
        settings = {"dropout_rate": config.dropout, **without_type(config.backbone)}
        try:
            t5_config = T5Config(**{**settings, "vocab_size": 1, "pad_token_id": 0, "decoder_start_token_id": 0})
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

    @property
    def state_dim(self) -> int:
        """See :attr:`CodeModel.state_dim`."""
        return int(self.t5.config.d_model)

    def _tokens(self, codes: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Vectors of the start and of every code, ``(users, 1 + items * levels, dim)``, and their mask."""
        tokens = self.input_table.embed(codes).flatten(1, 2)
        return self.encoder_start(tokens, mask.repeat_interleave(self.n_levels, dim=1))

    def forward(
        self, codes: Tensor, mask: Tensor, target_mask: Tensor | None = None, vectors: Tensor | None = None
    ) -> CodeModelOutput:
        """See :meth:`CodeModel.forward`. A row has ONE target, its newest item; the items before it are the history.

        ``target_mask`` and ``vectors`` are not read: this architecture is trained on (history, next item) pairs.
        """
        users = torch.arange(len(codes), device=codes.device)
        newest = last_real(mask)
        history_mask = mask.clone()
        history_mask[users, newest] = False
        right = codes[users, newest]
        tokens, token_mask = self._tokens(codes, history_mask)
        memory, memory_bias = self.search.encode(tokens, token_mask), key_bias(token_mask, tokens.dtype)
        hidden = read_answers(self.t5.decoder, self.decoder_start, self.input_table, right, memory, memory_bias)
        smoothing = self.config.label_smoothing if self.training else 0.0
        terms = level_terms(self.output_table, hidden, right, smoothing, self.legal)
        return CodeModelOutput.of(terms, users, len(codes), places=newest, states=hidden[:, 0], targets=right)

    def prefill(self, codes: Tensor, mask: Tensor, vectors: Tensor | None = None) -> T5State:
        """See :meth:`CodeModel.prefill`."""
        known = mask.repeat_interleave(self.n_levels, dim=1)
        rows = F.pad(self.input_table.rows(codes).flatten(1), (1, 0), value=len(self.input_table.weight))
        table = self.input_table.weight, self.encoder_start.vector
        return self.search.prefill(Rows(table, rows), F.pad(known, (1, 0), value=True))

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

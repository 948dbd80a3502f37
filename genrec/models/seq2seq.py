"""A T5-style encoder-decoder over code tokens: TIGER (Rajput et al. 2023, arXiv 2305.05065)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from transformers import DynamicCache, EncoderDecoderCache, T5Config, T5Model

from genrec.errors import ModelError
from genrec.models.base import CodeModel, CodeModelConfig, CodeModelOutput, CodeTable, Start, StepState, level_loss
from genrec.models.t5_tree import first_attention, key_bias, level_bias, run_blocks
from genrec.models.tree import BeamTree, additive, causal_mask, last_real, positions


class CodeSeq2SeqConfig(CodeModelConfig):
    """Configuration of :class:`CodeSeq2Seq`."""

    model_type = "genrec-seq2seq"


@dataclass
class CodeSeq2SeqState(StepState):
    """Search state: encoder output once per user, both caches, the tree of the decoder and its columns' levels."""

    memory: Tensor | None = None
    memory_bias: Tensor | None = None
    cache: EncoderDecoderCache | None = None
    tree: BeamTree | None = None
    columns: Tensor | None = None

    @classmethod
    def of(cls, memory: Tensor, memory_bias: Tensor) -> CodeSeq2SeqState:
        """The state before the first level, from ``memory (users, n, dim)`` and its additive mask."""
        return cls(
            memory=memory,
            memory_bias=memory_bias,
            cache=EncoderDecoderCache(DynamicCache(), DynamicCache()),
            tree=BeamTree(torch.ones(len(memory), 1, dtype=torch.bool, device=memory.device)),
            columns=torch.zeros(1, dtype=torch.int64, device=memory.device),
        )


class CodeSeq2Seq(CodeModel):
    """Encoder over the history's codes, decoder over the codes of the next item."""

    config_class = CodeSeq2SeqConfig

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
        self.post_init()

    def _encode(self, codes: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Encoder output ``(users, n, dim)`` and the additive mask of its columns."""
        tokens = self.input_table.embed(codes).flatten(1, 2)
        vectors, token_mask = self.encoder_start(tokens, mask.repeat_interleave(self.n_levels, dim=1))
        visible = key_bias(token_mask, vectors.dtype)
        return run_blocks(self.t5.encoder, vectors, self._encoder_bias(token_mask) + visible), visible

    def _encoder_bias(self, token_mask: Tensor) -> Tensor:
        """Relative bias by distance between real columns, ``(users or 1, heads, n, n)``."""
        n = token_mask.shape[1]
        table = first_attention(self.t5.encoder).compute_bias(n, n, device=token_mask.device)
        if causal_mask(token_mask) is None:  # padded on the right: columns are positions
            return table
        place = positions(token_mask)
        return table[0][:, place[:, :, None], place[:, None, :]].transpose(0, 1)

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
        memory, memory_bias = self._encode(codes, history_mask)
        hidden = read_answers(self.t5.decoder, self.decoder_start, self.input_table, right, memory, memory_bias)
        smoothing = self.config.label_smoothing if self.training else 0.0
        loss = level_loss(self.output_table, hidden, right, smoothing, self.legal)
        return CodeModelOutput(loss=loss, n_targets=torch.tensor(len(codes), device=codes.device))

    def prefill(self, codes: Tensor, mask: Tensor, vectors: Tensor | None = None) -> CodeSeq2SeqState:
        """See :meth:`CodeModel.prefill`."""
        return CodeSeq2SeqState.of(*self._encode(codes, mask))

    def step(self, state: StepState, codes: Tensor | None = None, parents: Tensor | None = None) -> Tensor:
        """See :meth:`CodeModel.step`."""
        hidden = read_codes(self.t5.decoder, self.decoder_start, self.input_table, state, codes, parents)
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
    stack: Any, start: Start, table: CodeTable, state: StepState, codes: Tensor | None, parents: Tensor | None
) -> Tensor:
    """States of a T5 decoder after the codes of one more level, ``(users, beams, dim)``; advances the state.

    Arguments as in :func:`read_answers` and :meth:`CodeModel.step`.
    """
    if not isinstance(state, CodeSeq2SeqState) or state.memory is None or state.tree is None:
        raise TypeError("step needs the state that prefill returned.")
    level = state.level
    if codes is None or parents is None or state.columns is None:
        vectors = start.vector.expand(len(state.memory), 1, -1)
        bias = level_bias(stack, 0, torch.zeros(1, dtype=torch.int64, device=vectors.device))
    else:
        vectors = table.embed(codes[..., None], level - 1)[..., 0, :]
        state.columns = torch.cat([state.columns, torch.full_like(codes[0], level)])
        visible = additive(state.tree.grow(parents), vectors.dtype)
        bias = level_bias(stack, level, state.columns) + visible
    state.level += 1
    return run_blocks(stack, vectors, bias, state.memory, state.memory_bias, state.cache)


def without_type(settings: dict[str, Any] | None) -> dict[str, Any]:
    """Settings of a backbone without ``model_type``, which is T5 here in any case."""
    return {key: value for key, value in (settings or {}).items() if key != "model_type"}

"""A T5-style encoder-decoder over code tokens: TIGER (Rajput et al. 2023, arXiv 2305.05065)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from transformers import DynamicCache, EncoderDecoderCache, T5Config, T5Model

from genrec.errors import ModelError
from genrec.models.base import CodeModel, CodeModelConfig, CodeModelOutput, CodeTable, Start, StepState, level_loss
from genrec.models.tree import BeamTree, additive, causal_mask, last_real, positions


class CodeSeq2SeqConfig(CodeModelConfig):
    """Configuration of :class:`CodeSeq2Seq`."""

    model_type = "genrec-seq2seq"


@dataclass
class CodeSeq2SeqState(StepState):
    """Search state: encoder output once per user, both caches, the tree of the decoder."""

    memory: Tensor | None = None
    memory_mask: Tensor | None = None
    cache: EncoderDecoderCache | None = None
    tree: BeamTree | None = None
    columns: list[int] | None = None


class CodeSeq2Seq(CodeModel):
    """Encoder over the history's codes, decoder over the codes of the next item."""

    config_class = CodeSeq2SeqConfig

    def __init__(self, config: CodeSeq2SeqConfig) -> None:
        super().__init__(config)
        settings = {"dropout_rate": config.dropout, **_without_type(config.backbone)}
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
        tokens = self.input_table.embed(codes).flatten(1, 2)
        vectors, token_mask = self.encoder_start(tokens, mask.repeat_interleave(self.n_levels, dim=1))
        bias = self._encoder_bias(token_mask)
        hidden = self.t5.encoder.dropout(vectors)
        visible = additive(token_mask[:, None, :].expand(-1, token_mask.shape[1], -1), vectors.dtype)
        for block in self.t5.encoder.block:
            hidden = block(hidden, attention_mask=visible, position_bias=bias)[0]
        return self.t5.encoder.dropout(self.t5.encoder.final_layer_norm(hidden)), token_mask

    def _encoder_bias(self, token_mask: Tensor) -> Tensor:
        """Relative bias by distance between real columns, ``(users or 1, heads, n, n)``."""
        attention = _first_attention(self.t5.encoder)
        n = token_mask.shape[1]
        table = attention.compute_bias(n, n, device=token_mask.device)
        if causal_mask(token_mask) is None:  # padded on the right: columns are positions
            return table
        place = positions(token_mask)
        return table[0][:, place[:, :, None], place[:, None, :]].transpose(0, 1)

    def _decoder_bias(self, query_level: int, columns: list[int]) -> Tensor:
        """Bias of queries at one level towards columns at their true levels, ``(1, heads, 1, columns)``."""
        attention = _first_attention(self.t5.decoder)
        table = attention.compute_bias(query_level + 1, query_level + 1, device=self.output_table.weight.device)
        return table[:, :, query_level : query_level + 1, columns]

    def _decode(
        self,
        vectors: Tensor,
        mask: Tensor,
        bias: Tensor,
        memory: Tensor,
        memory_mask: Tensor,
        cache: EncoderDecoderCache | None = None,
    ) -> Tensor:
        hidden = self.t5.decoder.dropout(vectors)
        cross = additive(memory_mask[:, None, :].expand(-1, vectors.shape[1], -1), vectors.dtype)
        zero = torch.zeros(1, 1, 1, 1, dtype=vectors.dtype, device=vectors.device)
        for block in self.t5.decoder.block:
            hidden = block(
                hidden,
                attention_mask=mask,
                position_bias=bias,
                encoder_hidden_states=memory,
                encoder_attention_mask=cross,
                encoder_decoder_position_bias=zero,
                past_key_values=cache,
            )[0]
        return self.t5.decoder.dropout(self.t5.decoder.final_layer_norm(hidden))

    def forward(self, codes: Tensor, mask: Tensor, target_mask: Tensor | None = None) -> CodeModelOutput:
        """See :meth:`CodeModel.forward`. A row has ONE target, its newest item; the items before it are the history.

        ``target_mask`` is not read: this architecture is trained on (history, next item) pairs.
        """
        users = torch.arange(len(codes), device=codes.device)
        newest = last_real(mask)
        history_mask = mask.clone()
        history_mask[users, newest] = False
        right = codes[users, newest]
        memory, memory_mask = self._encode(codes, history_mask)
        n = self.n_levels
        vectors, _ = self.decoder_start(self.input_table.embed(right[:, :-1]), mask.new_ones(len(codes), n - 1))
        causal = torch.ones(n, n, dtype=torch.bool, device=codes.device).tril().expand(len(codes), n, n)
        attention = _first_attention(self.t5.decoder)
        bias = attention.compute_bias(n, n, device=codes.device)
        hidden = self._decode(vectors, additive(causal, vectors.dtype), bias, memory, memory_mask)
        smoothing = self.config.label_smoothing if self.training else 0.0
        loss = level_loss(self.output_table, hidden, right, smoothing)
        return CodeModelOutput(loss=loss, n_targets=torch.tensor(len(codes), device=codes.device))

    def prefill(self, codes: Tensor, mask: Tensor) -> CodeSeq2SeqState:
        """See :meth:`CodeModel.prefill`."""
        memory, memory_mask = self._encode(codes, mask)
        cache = EncoderDecoderCache(DynamicCache(), DynamicCache())
        tree = BeamTree(torch.ones(len(codes), 1, dtype=torch.bool, device=codes.device))
        return CodeSeq2SeqState(memory=memory, memory_mask=memory_mask, cache=cache, tree=tree, columns=[0])

    def step(self, state: StepState, codes: Tensor | None = None, parents: Tensor | None = None) -> Tensor:
        """See :meth:`CodeModel.step`."""
        if not isinstance(state, CodeSeq2SeqState) or state.memory is None or state.tree is None:
            raise TypeError("step needs the state that prefill returned.")
        level = state.level
        if codes is None or parents is None:
            vectors = self.decoder_start.vector.expand(len(state.memory), 1, -1)
            mask = torch.ones(len(state.memory), 1, 1, dtype=torch.bool, device=vectors.device)
        else:
            mask = state.tree.grow(parents)
            vectors = self.input_table.embed(codes[..., None], level - 1)[..., 0, :]
            state.columns = [*(state.columns or []), *[level] * codes.shape[1]]
        bias = self._decoder_bias(level, state.columns or [0])
        hidden = self._decode(vectors, additive(mask, vectors.dtype), bias, state.memory, _mask(state), state.cache)
        state.level += 1
        return self.output_table.logits(hidden, level)


def _mask(state: CodeSeq2SeqState) -> Tensor:
    if state.memory_mask is None:
        raise TypeError("step needs the state that prefill returned.")
    return state.memory_mask


def _first_attention(stack: Any) -> Any:
    """The layer that holds the relative position bias of a T5 stack."""
    return stack.block[0].layer[0].SelfAttention


def _without_type(settings: dict[str, Any] | None) -> dict[str, Any]:
    return {key: value for key, value in (settings or {}).items() if key != "model_type"}

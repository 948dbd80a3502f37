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
        n = self.n_levels
        vectors, _ = self.decoder_start(self.input_table.embed(right[:, :-1]), mask.new_ones(len(codes), n - 1))
        causal = torch.ones(1, n, n, dtype=torch.bool, device=codes.device).tril()
        bias = first_attention(self.t5.decoder).compute_bias(n, n, device=codes.device)
        hidden = run_blocks(self.t5.decoder, vectors, bias + additive(causal, vectors.dtype), memory, memory_bias)
        smoothing = self.config.label_smoothing if self.training else 0.0
        loss = level_loss(self.output_table, hidden, right, smoothing, self.legal)
        return CodeModelOutput(loss=loss, n_targets=torch.tensor(len(codes), device=codes.device))

    def prefill(self, codes: Tensor, mask: Tensor, vectors: Tensor | None = None) -> CodeSeq2SeqState:
        """See :meth:`CodeModel.prefill`."""
        memory, memory_bias = self._encode(codes, mask)
        return CodeSeq2SeqState(
            memory=memory,
            memory_bias=memory_bias,
            cache=EncoderDecoderCache(DynamicCache(), DynamicCache()),
            tree=BeamTree(torch.ones(len(codes), 1, dtype=torch.bool, device=codes.device)),
            columns=torch.zeros(1, dtype=torch.int64, device=codes.device),
        )

    def step(self, state: StepState, codes: Tensor | None = None, parents: Tensor | None = None) -> Tensor:
        """See :meth:`CodeModel.step`."""
        if not isinstance(state, CodeSeq2SeqState) or state.memory is None or state.tree is None:
            raise TypeError("step needs the state that prefill returned.")
        level = state.level
        if codes is None or parents is None or state.columns is None:
            vectors = self.decoder_start.vector.expand(len(state.memory), 1, -1)
            bias = level_bias(self.t5.decoder, 0, torch.zeros(1, dtype=torch.int64, device=vectors.device))
        else:
            vectors = self.input_table.embed(codes[..., None], level - 1)[..., 0, :]
            state.columns = torch.cat([state.columns, torch.full_like(codes[0], level)])
            visible = additive(state.tree.grow(parents), vectors.dtype)
            bias = level_bias(self.t5.decoder, level, state.columns) + visible
        hidden = run_blocks(self.t5.decoder, vectors, bias, state.memory, state.memory_bias, state.cache)
        state.level += 1
        return self.output_table.logits(hidden, level)


def _without_type(settings: dict[str, Any] | None) -> dict[str, Any]:
    return {key: value for key, value in (settings or {}).items() if key != "model_type"}

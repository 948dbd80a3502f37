"""The baseline of decoding: ``generate`` with ``prefix_allowed_tokens_fn`` over a trie of Python dictionaries."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from genrec.trie import Trie

TEXT_TOKENS = 70
"""Tokens of the small encoder-decoder that are no codes."""


def build_t5(codebook_sizes: tuple[int, ...], seed: int = 0) -> tuple[Any, list[range]]:
    """An encoder-decoder of the size of TIGER (4 + 4 layers, width 128), random weights, and its code tokens."""
    from transformers import T5Config, T5ForConditionalGeneration

    torch.manual_seed(seed)
    size: dict[str, Any] = {"d_model": 128, "d_kv": 64, "d_ff": 1024, "num_layers": 4, "num_heads": 6}
    config = T5Config(vocab_size=TEXT_TOKENS + sum(codebook_sizes), **(size | {"decoder_start_token_id": 0}))
    return T5ForConditionalGeneration(config).eval(), code_tokens(codebook_sizes, TEXT_TOKENS)


def build_decoder(codebook_sizes: tuple[int, ...], vocabulary: int, seed: int = 0) -> tuple[Any, list[range]]:
    """A decoder like a small Qwen (8 layers, width 512, tied head over text and codes), and its code tokens."""
    from transformers import Qwen2Config, Qwen2ForCausalLM

    torch.manual_seed(seed)
    config = Qwen2Config(
        vocab_size=vocabulary + sum(codebook_sizes),
        hidden_size=512,
        intermediate_size=1536,
        num_hidden_layers=8,
        num_attention_heads=8,
        num_key_value_heads=2,
        tie_word_embeddings=True,
        pad_token_id=0,
        eos_token_id=1,
        bos_token_id=2,
    )
    return Qwen2ForCausalLM(config).eval(), code_tokens(codebook_sizes, vocabulary)


def code_tokens(codebook_sizes: tuple[int, ...], first: int) -> list[range]:
    """Consecutive token ids per level."""
    stops = np.cumsum(codebook_sizes) + first
    return [range(int(stop) - size, int(stop)) for stop, size in zip(stops, codebook_sizes, strict=True)]


def random_catalogue(n_items: int, codebook_sizes: tuple[int, ...], seed: int = 0) -> np.ndarray:
    """Distinct random paths, ``(n_items, n_levels)`` int32."""
    rng = np.random.default_rng(seed)
    spread = [rng.integers(0, size, n_items + n_items // 20 + 100) for size in codebook_sizes]
    return rng.permutation(np.unique(np.stack(spread, axis=1), axis=0))[:n_items].astype(np.int32)


def dictionary_trie(codes: np.ndarray, tokens: list[range]) -> dict[int, Any]:
    """Nested dictionaries of tokens, the usual thing."""
    root: dict[int, Any] = {}
    for path in (codes + np.array([level.start for level in tokens])).tolist():
        node = root
        for token in path:
            node = node.setdefault(token, {})
    return root


def allowed_tokens(root: dict[int, Any], prompt_length: int, eos: int) -> Callable[[int, Tensor], list[int]]:
    """The function that ``generate`` asks for every beam at every step."""

    def allowed(row: int, ids: Tensor) -> list[int]:
        node = root
        for token in ids[prompt_length:].tolist():
            node = node.get(token, {})
        return list(node) or [eos]

    return allowed


class HFGenerate:
    """Constrained beam search of transformers.

    Args:
        model: With a ``generate`` method.
        trie: Of the catalogue, to look found paths up.
        root: The same as dictionaries.
        tokens: Per level, the token ids of the codes.
    """

    def __init__(self, model: Any, trie: Trie, root: dict[int, Any], tokens: list[range]) -> None:
        self.model, self.trie, self.root = model, trie, root
        self.first = np.array([level.start for level in tokens])

    @torch.inference_mode()
    def __call__(self, ids: Tensor, mask: Tensor, beams: int, *, scores: bool = False) -> tuple[np.ndarray, Any]:
        """Items ``(users, beams)`` and, if wanted, their scores."""
        start = 1 if self.model.config.is_encoder_decoder else ids.shape[1]
        levels = len(self.first)
        found = self.model.generate(
            input_ids=ids,
            attention_mask=mask,
            num_beams=beams,
            num_return_sequences=beams,
            max_new_tokens=levels,
            do_sample=False,
            length_penalty=0.0,
            early_stopping=False,
            prefix_allowed_tokens_fn=allowed_tokens(self.root, start, int(self.model.config.eos_token_id)),
            return_dict_in_generate=True,
            output_scores=scores,
        )
        paths = found.sequences[:, start : start + levels].cpu().numpy() - self.first
        items = self.trie.find(paths).reshape(len(ids), beams)
        return items, found.sequences_scores.view(len(ids), beams).float().cpu().numpy() if scores else None

"""A language model that reads titles both ways: mean-pooled vectors, and three losses to tune it (LLM2Rec)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from genrec.encoders.sentence_files import check_sentence_model
from genrec.encoders.sentence_model import SentenceModel
from genrec.errors import ModelError
from genrec.trust import trusts_remote_code

IGNORE = -100


class TitleReader(nn.Module):
    """A pretrained decoder or encoder of text.

    Args:
        source: Where its files are.
        max_length: Longest text, in tokens.
        last_layers: Only the last so many layers are tuned; None: everything.

    Raises:
        ModelError: The files are not those of a language model, or it would run code of its own.
    """

    def __init__(self, source: SentenceModel, max_length: int, last_layers: int | None = None) -> None:
        super().__init__()
        self.tokenizer, self.network, self.causal = _loaded(source)
        self.max_length = max_length
        if self.tokenizer.pad_token_id is None:
            self.tokenizer.pad_token = self.tokenizer.eos_token
        self.end = [token for token in (self.tokenizer.eos_token_id, self.tokenizer.sep_token_id) if token is not None][
            :1
        ]
        self._freeze(last_layers)

    def _freeze(self, last_layers: int | None) -> None:
        if last_layers is None:
            return
        size = int(self.network.config.num_hidden_layers)
        stacks = [one for one in self.network.modules() if isinstance(one, nn.ModuleList) and len(one) == size]
        if not stacks:
            raise ModelError(
                "The layers of this model are not known by name.", where="last_layers", hint="Leave it out."
            )
        self.network.requires_grad_(False)
        for layer in stacks[0][-last_layers:]:
            layer.requires_grad_(True)

    def tokens(self, text: str) -> list[int]:
        """Tokens of a text without special ones, cut to the longest."""
        ids: list[int] = self.tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"]
        return ids[: self.max_length]

    def states(self, ids: Tensor, mask: Tensor, *, both_ways: bool, dropout: float = 0.0) -> Tensor:
        """States of tokens, ``(rows, n, dim)``.

        Args:
            ids: ``(rows, n)`` int64, padded on the right.
            mask: ``(rows, n)`` bool.
            both_ways: Tokens see what stands behind them, too; encoders do in any case.
            dropout: Of input vectors, also in evaluation mode.
        """
        vectors = F.dropout(self.network.get_input_embeddings()(ids), dropout, dropout > 0)
        arguments: dict[str, Any] = {"attention_mask": mask.long()}
        if self.causal:
            arguments["use_cache"] = False
            if both_ways:
                seen = mask[:, None, None, :].expand(-1, 1, ids.shape[1], -1)
                arguments["attention_mask"] = torch.zeros_like(seen, dtype=vectors.dtype).masked_fill(
                    ~seen, torch.finfo(vectors.dtype).min
                )
            base = self.network.get_decoder()
        else:
            base = self.network
        hidden: Tensor = base(inputs_embeds=vectors, **arguments).last_hidden_state
        return hidden

    def logits(self, states: Tensor) -> Tensor:
        """Scores of the vocabulary; an encoder without an output layer is asked through its input table."""
        head = self.network.get_output_embeddings() if self.causal else None
        found: Tensor = head(states) if head is not None else states @ self.network.get_input_embeddings().weight.T
        return found

    def pooled(self, rows: Sequence[Sequence[int]], *, both_ways: bool, dropout: float = 0.0) -> Tensor:
        """Mean of the states of every text's tokens, ``(rows, dim)``."""
        ids, mask = self.padded(rows)
        states = self.states(ids, mask, both_ways=both_ways, dropout=dropout)
        weights = mask[..., None].to(states.dtype)
        return (states * weights).sum(1) / weights.sum(1).clamp_min(1)

    def padded(self, rows: Sequence[Sequence[int]], filler: int | None = None) -> tuple[Tensor, Tensor]:
        """Rows of tokens, and which are real, ``(rows, longest)`` each."""
        pad = int(self.tokenizer.pad_token_id or 0) if filler is None else filler
        ids = torch.full((len(rows), max(map(len, rows))), pad, dtype=torch.int64)
        mask = torch.zeros(ids.shape, dtype=torch.bool)
        for n, row in enumerate(rows):
            ids[n, : len(row)] = torch.tensor(list(row), dtype=torch.int64)
            mask[n, : len(row)] = True
        device = next(self.network.parameters()).device
        return ids.to(device), mask.to(device)

    # -- what is learned --

    def next_title(self, histories: Sequence[Sequence[int]], answers: Sequence[Sequence[int]]) -> Tensor:
        """Loss of the title that comes next after the titles of a history, over its tokens alone.

        A decoder predicts each token from those before it; an encoder all of them from masks in their places.
        """
        if not self.causal:
            return self._filled(histories, answers)
        rows = [[*history, *answer] for history, answer in zip(histories, answers, strict=True)]
        told = [[IGNORE] * len(history) + list(answer) for history, answer in zip(histories, answers, strict=True)]
        ids, mask = self.padded(rows)
        labels, _ = self.padded(told, IGNORE)
        states = self.states(ids, mask, both_ways=False)[:, :-1]
        real = labels[:, 1:] != IGNORE
        return F.cross_entropy(self.logits(states[real]).float(), labels[:, 1:][real])

    def _filled(self, histories: Sequence[Sequence[int]], answers: Sequence[Sequence[int]]) -> Tensor:
        rows = [[*one, *[self._mask()] * len(answer)] for one, answer in zip(histories, answers, strict=True)]
        told = [[IGNORE] * len(one) + list(answer) for one, answer in zip(histories, answers, strict=True)]
        ids, mask = self.padded(rows)
        labels, _ = self.padded(told, IGNORE)
        real = labels != IGNORE
        return F.cross_entropy(self.logits(self.states(ids, mask, both_ways=True)[real]).float(), labels[real])

    def masked(self, rows: Sequence[Sequence[int]], share: float, rng: np.random.Generator) -> Tensor:
        """Loss of tokens that are blanked, read in both directions; a decoder predicts them one place earlier."""
        ids, mask = self.padded(rows)
        blank = torch.from_numpy(rng.random(ids.shape) < share).to(mask.device) & mask
        shift = 1 if self.causal else 0  # the first token has no place before it
        blank[:, :shift] = False
        if not bool(blank.any()):
            return next(self.network.parameters()).new_zeros(()).requires_grad_()
        states = self.states(ids.masked_fill(blank, self._mask()), mask, both_ways=True)
        if shift:
            states = torch.cat([states[:, :1], states[:, :-1]], dim=1)
        return F.cross_entropy(self.logits(states[blank]).float(), ids[blank])

    def contrast(self, rows: Sequence[Sequence[int]], dropout: float, scale: float) -> Tensor:
        """Loss of telling a text from the others of the batch by its vector, under two drops of its input (SimCSE)."""
        one, other = (F.normalize(self.pooled(rows, both_ways=True, dropout=dropout), dim=1) for _ in range(2))
        return F.cross_entropy(scale * one @ other.T, torch.arange(len(rows), device=one.device))

    def _mask(self) -> int:
        """The token that stands for a blank: the tokenizer's, or one that says nothing."""
        known = (self.tokenizer.mask_token_id, self.tokenizer.unk_token_id, self.tokenizer.eos_token_id)
        return int(next((token for token in known if token is not None), 0))


def _loaded(source: SentenceModel) -> tuple[Any, Any, bool]:
    """Tokenizer, model, and whether it is a decoder."""
    from transformers import AutoConfig, AutoModel, AutoModelForCausalLM, AutoTokenizer
    from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING

    trusted = trusts_remote_code()
    if not trusted:
        check_sentence_model(source.folder)
    options: dict[str, Any] = {"local_files_only": True, "trust_remote_code": trusted}
    try:
        config = AutoConfig.from_pretrained(str(source.folder), **options)
        named = str((config.architectures or [""])[0])
        causal = type(config) in MODEL_FOR_CAUSAL_LM_MAPPING and named.endswith(("CausalLM", "LMHeadModel"))
        tokenizer = AutoTokenizer.from_pretrained(str(source.folder), **options)
        loader: Any = AutoModelForCausalLM if causal else AutoModel
        weights = {} if trusted else {"use_safetensors": True}
        model = loader.from_pretrained(str(source.folder), attn_implementation="eager", **options, **weights)
    except Exception as error:  # transformers raises whatever a damaged or foreign file makes of it
        raise ModelError(
            f"The language model '{source.name}' cannot be loaded: {error}",
            where=source.folder,
            expected="a decoder or an encoder of text, as transformers writes it",
        ) from error
    return tokenizer, model.float().eval(), causal

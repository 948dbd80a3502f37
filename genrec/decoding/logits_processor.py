"""For those who keep ``model.generate``: a logits processor that lets only catalogue items through."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from transformers import LogitsProcessor

from genrec.decoding.device_trie import DeviceTrie
from genrec.errors import ConfigError, ModelError
from genrec.trie import Trie
from genrec.wording import count


class CatalogLogitsProcessor(LogitsProcessor):
    """Masks all tokens that do not continue the code path of a catalogue item; after a whole path, all but the end.

    Every row is looked up from its own tokens alone, so reordered beams, batches and repeated calls do no harm. It
    works with greedy decoding, sampling and beams, and with both kinds of models. genrec's own search
    (:func:`genrec.decoding.beam.beam_search`) gives the same items many times faster.

    Hugging Face scores over the whole vocabulary and divides by the length: set ``length_penalty=0`` and
    ``early_stopping=False`` to get sums of log-probabilities. Where a catalogue has fewer items than there are beams,
    ``generate`` fills up with paths that are no items; :meth:`items` gives -1 for them.

    Args:
        trie: The catalogue's.
        code_token_ids: Per level ``(codebook_size,)`` token ids, code 0 first.
        prompt_length: Columns before the first code: the width of ``input_ids`` for a decoder, 1 (the start token) for
            a sequence-to-sequence model.
        eos_token_id: The only token after a whole path; None: ``generate`` must stop there, by ``max_new_tokens``.

    Raises:
        ConfigError: Tokens and levels do not fit.
    """

    def __init__(
        self,
        trie: Trie | DeviceTrie,
        code_token_ids: Sequence[Sequence[int] | Tensor],
        *,
        prompt_length: int,
        eos_token_id: int | None = None,
    ) -> None:
        self.trie = trie if isinstance(trie, DeviceTrie) else DeviceTrie(trie)
        device = self.trie.device
        self.token_ids = [torch.as_tensor(ids, dtype=torch.int64, device=device) for ids in code_token_ids]
        largest = [int(code.max()) for code in self.trie.codes]
        if len(largest) != len(self.token_ids) or any(
            code >= len(ids) for code, ids in zip(largest, self.token_ids, strict=False)
        ):
            raise ConfigError(
                f"Tokens for codebooks of {[len(ids) for ids in self.token_ids]}.",
                expected=f"{count(len(largest), 'level')} with at least {[code + 1 for code in largest]} codes",
            )
        self.prompt_length, self.eos_token_id = prompt_length, eos_token_id
        self.code_of = [_inverse(ids) for ids in self.token_ids]

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        """Scores ``(rows, vocabulary)`` with -inf at illegal tokens, for rows ``input_ids (rows, n)``."""
        if self.trie.device != input_ids.device:
            self._to(input_ids.device)
        level = input_ids.shape[1] - self.prompt_length
        masked = torch.full_like(scores, -torch.inf)
        if level >= self.trie.n_levels:
            if self.eos_token_id is None:
                raise ModelError(
                    f"generate asked for token {level + 1} of an item that has {self.trie.n_levels}.",
                    hint=f"Set max_new_tokens={self.trie.n_levels}, or give eos_token_id.",
                )
            masked[:, self.eos_token_id] = scores[:, self.eos_token_id]
            return masked
        nodes, alive = self._walk(input_ids[:, self.prompt_length :])
        _, codes, exists = self.trie.children(level, nodes[:, None])
        # Slots without a child repeat the first child, which is always there.
        tokens = self.token_ids[level][torch.where(exists, codes, codes[:, :, :1])[:, 0]]
        masked.scatter_(1, tokens, scores.gather(1, tokens))
        return masked.masked_fill_(~alive[:, None], -torch.inf)

    def items(self, sequences: Tensor) -> Tensor:
        """Catalogue positions of what ``generate`` returned, ``(rows, n) -> (rows,)`` int64, -1 where it is no item."""
        paths = sequences[:, self.prompt_length : self.prompt_length + self.trie.n_levels]
        leaves, alive = self._walk(paths)
        return self.trie.items_of(leaves, alive)

    def _walk(self, tokens: Tensor) -> tuple[Tensor, Tensor]:
        """Node after some code tokens ``(rows, n)``, and whether there is one."""
        nodes = torch.zeros(len(tokens), dtype=torch.int64, device=tokens.device)
        alive = torch.ones_like(nodes, dtype=torch.bool)
        for level in range(tokens.shape[1]):
            table = self.code_of[level]
            codes = table[tokens[:, level].clamp_max(len(table) - 1)]
            nodes, found = self.trie.child(level, nodes, codes)
            alive &= found
        return nodes, alive

    def _to(self, device: torch.device) -> None:
        self.trie = self.trie.to(device)
        self.token_ids = [ids.to(device) for ids in self.token_ids]
        self.code_of = [table.to(device) for table in self.code_of]


def _inverse(ids: Tensor) -> Tensor:
    """Code of every token, ``(largest token + 2,)`` int64, -1 where it is none."""
    table = torch.full((int(ids.max()) + 2,), -1, dtype=torch.int64, device=ids.device)
    table[ids] = torch.arange(len(ids), device=ids.device)
    return table

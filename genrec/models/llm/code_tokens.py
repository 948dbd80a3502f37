"""One token of a language model's vocabulary per (level, code), such as ``<a_12>`` for code 12 of the first level."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from genrec.errors import ModelError
from genrec.index.code_names import code_name
from genrec.wording import count


class CodeTokens:
    """The code tokens of a semantic index, and their ids once a tokenizer knows them.

    Args:
        codebook_sizes: Number of codes of every level.

    Attributes:
        codebook_sizes: The same, as a tuple.
        names: Per level, the token of every code.
        ids: Per level ``(codebook_size,)`` int64 token ids; empty until :meth:`add_to` was called.

    Example:
        >>> tokens = CodeTokens((2, 3))
        >>> tokens.names
        [['<a_0>', '<a_1>'], ['<b_0>', '<b_1>', '<b_2>']]
        >>> tokens.text([1, 2])
        '<a_1><b_2>'
    """

    def __init__(self, codebook_sizes: Sequence[int]) -> None:
        self.codebook_sizes = tuple(int(size) for size in codebook_sizes)
        self.names = [
            [code_name(level, code) for code in range(size)] for level, size in enumerate(self.codebook_sizes)
        ]
        self.ids: list[np.ndarray] = []

    def __len__(self) -> int:
        return sum(self.codebook_sizes)

    @property
    def n_levels(self) -> int:
        """Number of code tokens of one item."""
        return len(self.codebook_sizes)

    @property
    def all_ids(self) -> np.ndarray:
        """Ids of all code tokens, level by level, ``(sum of codebook sizes,)`` int64."""
        return np.concatenate(self._known())

    def add_to(self, tokenizer: Any) -> None:
        """Make sure that a tokenizer knows every code token, and remember their ids; doing it twice changes nothing.

        Args:
            tokenizer: Of transformers; changed in place.

        Raises:
            ModelError: The tokenizer does not keep a code token in one piece.
        """
        from tokenizers import AddedToken

        flat = [name for level in self.names for name in level]
        missing = set(flat) - set(tokenizer.get_vocab())
        # Not normalised: a tokenizer that lower-cases or strips would otherwise cut the token into pieces.
        tokenizer.add_tokens(
            [AddedToken(name, normalized=False, special=False) for name in flat if name in missing],
            special_tokens=False,
        )
        self.ids = [np.asarray(tokenizer.convert_tokens_to_ids(level), dtype=np.int64) for level in self.names]
        if len(set(self.all_ids.tolist())) != len(flat):
            raise ModelError(
                f"{type(tokenizer).__name__} does not take new tokens.",
                expected=f"one id for each of {count(len(flat), 'code token')} such as {flat[0]}",
                hint="Use a tokenizer of transformers that takes add_tokens.",
            )

    def text(self, codes: Sequence[int] | np.ndarray) -> str:
        """The tokens of one semantic ID as text, ``(n_levels,)`` codes."""
        return "".join(self.names[level][int(code)] for level, code in enumerate(codes))

    def ids_of(self, codes: np.ndarray) -> np.ndarray:
        """Token ids of codes ``(..., n_levels)``, int64 of the same shape.

        Raises:
            ModelError: No tokenizer knows the tokens yet, or the codes have another number of levels.
        """
        known, codes = self._known(), np.asarray(codes)
        if codes.ndim == 0 or codes.shape[-1] != self.n_levels:
            raise ModelError(f"Codes of shape {codes.shape}.", expected=f"(..., {self.n_levels})")
        return np.stack([ids[codes[..., level]] for level, ids in enumerate(known)], axis=-1)

    def _known(self) -> list[np.ndarray]:
        if not self.ids:
            raise ModelError("The code tokens have no ids yet.", hint="Call add_to(tokenizer) first.")
        return self.ids

"""White space around code tokens, for tokenizers that lose it there or put in what was not written.

A tokenizer reads the text between two added tokens as if it began anew. SentencePiece's kind (T5, XLM-R, Llama 2) then
puts a space before ``,`` in ``<a_1>, <a_2>``, and many of them drop the space before the second token. The model would
read other text than the prompt says. Here such text is read so that it has exactly the spaces that are written.
"""

from __future__ import annotations

import json
import re
from typing import Any

_SPACE = "▁"  # how these tokenizers write a space
_FIRST_WORD = re.compile(r"\S+")


class SpacedPieces:
    """Token ids of texts with code tokens in them, with the spaces that are written.

    Args:
        tokenizer: Of transformers.
        codes: Finds code tokens in a text.

    """

    def __init__(self, tokenizer: Any, codes: re.Pattern[str]) -> None:
        self.tokenizer, self.codes = tokenizer, codes
        backend = getattr(tokenizer, "backend_tokenizer", None)
        self._bare = None if backend is None else _without_prefix(backend)
        self._space = None if self._bare is None else self._bare.token_to_id(_SPACE)

    @property
    def needed(self) -> bool:
        """Whether this tokenizer puts a space before any text; others are left alone."""
        return self._bare is not None

    def __call__(self, text: str, *, begins: bool = True) -> list[int]:
        """Token ids of a text, without special tokens around it.

        Args:
            text: Any.
            begins: Whether nothing stands before it.
        """
        if not self.needed:
            return self._read(text)
        ids: list[int] = []
        at = 0
        for found in self.codes.finditer(text):
            ids += self._between(text[at : found.start()], begins=begins and at == 0, before_code=True)
            ids += self._read(found.group())
            at = found.end()
        return ids + self._between(text[at:], begins=begins and at == 0, before_code=False)

    def _between(self, text: str, *, begins: bool, before_code: bool) -> list[int]:
        ids: list[int] = []
        rest = text
        if not begins and self._bare is not None and (word := _FIRST_WORD.match(text)):
            ids, rest = self._bare.encode(word.group(), add_special_tokens=False).ids, text[word.end() :]
        if rest.strip():
            ids = [*ids, *self._read(rest)]
        # what stands between two tokens, or ends before one, is a space that many of these tokenizers drop
        dropped = before_code and rest[-1:].isspace() and self._space is not None and ids[-1:] != [self._space]
        return [*ids, self._space] if dropped else ids  # type: ignore[list-item]

    def _read(self, text: str) -> list[int]:
        ids: list[int] = self.tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"]
        return ids


def _without_prefix(backend: Any) -> Any:
    """A tokenizer that reads like another without the space that the other puts before any text, if it does."""
    parts = [part for part in (backend.normalizer, backend.pre_tokenizer) if part is not None]
    if not any(_drop_prefix(json.loads(part.__getstate__())) for part in parts):
        return None
    from tokenizers import Tokenizer

    content = json.loads(backend.to_str())
    for name in ("normalizer", "pre_tokenizer"):
        if content[name] is not None:
            _drop_prefix(content[name])
    return Tokenizer.from_str(json.dumps(content))


def _drop_prefix(part: dict[str, Any]) -> bool:
    """Change a normalizer or pre-tokenizer so that it adds nothing; whether it did at every text."""
    inner = part.get("normalizers", part.get("pretokenizers"))
    if inner is not None:
        dropped = [_drop_prefix(one) for one in inner]
        return any(dropped)
    if part["type"] == "Metaspace" and part["prepend_scheme"] == "always":
        part["prepend_scheme"] = "never"
        return True
    if part["type"] == "Prepend" and part["prepend"] == _SPACE:
        part["prepend"] = ""
        return True
    return False

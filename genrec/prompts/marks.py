"""Where a prompt is data: text of items and users stays text, also where it spells a special or a code token.

While a template is rendered, what it prints is marked with characters that no text holds (Unicode's noncharacters).
Semantic IDs are marked apart: they alone may become code tokens, whatever filters a template puts them through.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any

from genrec.prompts.spaces import SpacedPieces

_CODES, _DATA = "\ufdd0\ufdd1", "\ufdd2\ufdd3"
_ALL = re.compile(f"[{_CODES}{_DATA}]")
_CODE_RUNS = re.compile(f"({_CODES[0]}[^{_CODES}]*{_CODES[1]}?)")
_ONE_CODE = r"<[a-z]+_[0-9]+>"


@dataclass(frozen=True)
class MarkedText:
    """A text, and which parts of it are data.

    Attributes:
        text: Without marks.
        data: ``(start, stop)`` of every part that is data, in order.
    """

    text: str
    data: tuple[tuple[int, int], ...] = ()

    @classmethod
    def read(cls, marked: str, *, strip: bool = True) -> MarkedText:
        """Take the marks out of what a template has printed, and white space at both ends if it is to be stripped."""
        parts: list[str] = []
        data: list[tuple[int, int]] = []
        at = depth = 0
        for piece in re.split(f"([{_CODES}{_DATA}])", marked):
            if _ALL.fullmatch(piece):
                depth = max(0, depth + (piece == _DATA[0]) - (piece == _DATA[1]))
                continue
            if depth and piece:
                data.append((at, at + len(piece)))
            parts.append(piece)
            at += len(piece)
        text = "".join(parts)
        if not strip:
            return cls(text, tuple(data))
        first, length = len(text) - len(text.lstrip()), len(text.strip())
        cut = [(max(0, start - first), min(length, stop - first)) for start, stop in data]
        return cls(text.strip(), tuple((start, stop) for start, stop in cut if start < stop))

    @classmethod
    def whole(cls, text: str) -> MarkedText:
        """A text that is nothing but data."""
        return cls(text, ((0, len(text)),))

    def marked(self) -> str:
        """The text with marks, as :meth:`read` reads it."""
        parts, at = [], 0
        for start, stop in self.data:
            parts += [self.text[at:start], _DATA[0], self.text[start:stop], _DATA[1]]
            at = stop
        return "".join([*parts, self.text[at:]])


def without_marks(text: str) -> str:
    """A text of a user, without the characters that mark data here."""
    return _ALL.sub("", text)


def as_codes(text: str) -> str:
    """Mark the tokens of a semantic ID before a template sees them."""
    return f"{_CODES[0]}{text}{_CODES[1]}"


def as_data(value: Any) -> str:
    """Mark what a template prints, but for semantic IDs in it and numbers, which it made; Jinja's ``finalize``."""
    if isinstance(value, int | float):
        return str(value)
    parts = _CODE_RUNS.split(str(value))
    return "".join(part if n % 2 else f"{_DATA[0]}{part}{_DATA[1]}" if part else "" for n, part in enumerate(parts))


class TextTokens:
    """Token ids of texts whose data never becomes a special or a code token.

    A text in which none is spelled is read in one piece, as a tokenizer reads any text; else the spelling is cut, and
    the pieces are read one by one. White space around code tokens is read as it is written; see
    :class:`~genrec.prompts.spaces.SpacedPieces`.

    Args:
        tokenizer: Of transformers.
    """

    def __init__(self, tokenizer: Any) -> None:
        self.tokenizer = tokenizer
        self._spaced = SpacedPieces(tokenizer, re.compile(_ONE_CODE))
        added = getattr(tokenizer, "added_tokens_decoder", {}).values()
        special = {str(token) for token in added if token.special} | set(tokenizer.all_special_tokens)
        names = sorted((name for name in special if len(name) > 1), key=len, reverse=True)
        self._spelled = re.compile("|".join([_ONE_CODE, *map(re.escape, names)]), re.IGNORECASE)

    def __call__(self, text: MarkedText, *, special: bool) -> list[int]:
        """Token ids.

        Args:
            text: With what of it is data.
            special: Put the special tokens around it that the tokenizer puts around every text.
        """
        cuts = self._cuts(text)
        if not cuts and not self._spaced.needed:
            read: Callable[..., Any] = self.tokenizer
            whole: list[int] = read(text.text, add_special_tokens=special, verbose=False)["input_ids"]
            return whole
        ends = [0, *cuts, len(text.text)]
        pieces = [text.text[start:stop] for start, stop in pairwise(ends)]
        ids = [token for n, piece in enumerate(pieces) for token in self._spaced(piece, begins=n == 0)]
        before, after = self._around if special else ([], [])
        return [*before, *ids, *after]

    @cached_property
    def _around(self) -> tuple[list[int], list[int]]:
        """The special tokens that the tokenizer puts before and after every text."""
        plain, whole = (
            self.tokenizer("a", add_special_tokens=more, verbose=False)["input_ids"] for more in (False, True)
        )
        size = len(plain)
        place = next((n for n in range(len(whole) - size + 1) if whole[n : n + size] == plain), len(whole))
        return whole[:place], whole[place + size :]

    def _cuts(self, text: MarkedText) -> list[int]:
        """Where to cut a text, so that no spelling of a token is left that data takes part in."""
        cuts: list[int] = []
        at = 0
        for start, stop in text.data:
            while found := self._spelled.search(text.text, at):
                if found.start() >= stop:
                    break
                if found.end() <= start:
                    at = found.end()
                else:
                    at = max(found.start() + 1, start)
                    cuts.append(at)
        return cuts

"""How long a text a model reads: tables of learned or precomputed positions end somewhere, rotary ones do not."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from genrec.errors import ModelError
from genrec.models.llm.adapted_layers import read_a_few_tokens

logger = logging.getLogger(__name__)

_WORDS = ("position", "n_ctx", "max_seq", "seq_length", "context_length")
_ROOM = 8  # rows that some families keep at the head of their table, for padding


def longest_input(model: Any, wanted: int) -> int:
    """The longest input that a model reads, at most ``wanted`` tokens.

    A model whose configuration leaves room is believed. Any other is tried, because the same field is a bound in one
    family and a hint in another.

    Args:
        model: Of transformers.
        wanted: Tokens of the longest prompt that may come.

    Raises:
        ModelError: It does not even read a few tokens.
    """
    stated = _stated(model.config)
    if stated and min(stated) >= wanted + _ROOM:
        return wanted
    if next(model.parameters()).device.type != "cpu":  # an index beyond a table ends the whole process there
        return min([wanted, *(limit - _ROOM for limit in stated if limit > _ROOM)])
    return _longest(lambda tokens: read_a_few_tokens(model, tokens), wanted)


def reads_answers(model: Any, tokens: int) -> bool:
    """Whether the decoder of an encoder-decoder writes answers of so many tokens."""
    stated = _stated(model.config)
    if stated and min(stated) >= tokens + _ROOM:
        return True
    try:
        read_a_few_tokens(model, answer=tokens)
    except ModelError:
        return False
    return True


def _stated(config: Any) -> list[int]:
    """What a configuration calls a number of positions, and its parts do."""
    text = config.get_text_config()
    decoder = config.get_text_config(decoder=True)
    found = []
    for part in (config, text, decoder):
        for name, value in part.to_dict().items():
            if isinstance(value, int) and value > 1 and any(word in name for word in _WORDS):
                found.append(value)
    return found


def _longest(read: Callable[[int], Any], wanted: int) -> int:
    """By halving: the first number of tokens is tried whole, because most models have no bound."""
    try:
        read(wanted)
        return wanted
    except ModelError:
        read(1)
    works, fails = 1, wanted
    while fails - works > 1:
        middle = (works + fails) // 2
        try:
            read(middle)
            works = middle
        except ModelError:
            fails = middle
    return works

"""How codes are written: ``<a_12>`` is code 12 of the first level, as language models and public systems have it."""

from __future__ import annotations

import re

_NAME = re.compile(r"<([a-z]+)_(\d+)>")


def code_name(level: int, code: int) -> str:
    """The name of a code.

    >>> code_name(0, 12), code_name(1, 0)
    ('<a_12>', '<b_0>')
    """
    return f"<{level_letter(level)}_{code}>"


def parse_code_name(name: str) -> tuple[int, int] | None:
    """Level and code of a name; None where it is none.

    >>> parse_code_name("<b_7>"), parse_code_name("b7")
    ((1, 7), None)
    """
    found = _NAME.fullmatch(name)
    if found is None or len(found[1]) > 2 or len(found[2]) > 9:
        return None
    level = 0
    for letter in found[1]:
        level = 26 * level + ord(letter) - ord("a") + 1
    return level - 1, int(found[2])


def level_letter(level: int) -> str:
    """``a`` for the first level, ``b`` for the second; ``aa`` after ``z``.

    >>> level_letter(0), level_letter(26)
    ('a', 'aa')
    """
    letters = ""
    level += 1
    while level:
        level, rest = divmod(level - 1, 26)
        letters = chr(ord("a") + rest) + letters
    return letters

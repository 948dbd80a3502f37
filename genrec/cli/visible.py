"""Text of other people's data on a terminal: shown as it is, never obeyed."""

from __future__ import annotations

import json
import logging
import re
from typing import Any

# Signs that a terminal obeys or that turn the order of signs around, and halves of surrogate pairs.
_OBEYED = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def visible(text: str) -> str:
    r"""Text in which signs that would move the cursor, colour, ring or reorder are written out.

    Line ends and tabs stay.

    >>> print(visible("red \x1b[31mcup"))
    red \x1b[31mcup
    """
    return _OBEYED.sub(_written_out, text)


def one_line(value: object) -> str:
    """A value for the cell of a table: visible, line ends and tabs as blanks."""
    return visible(re.sub(r"(?:\r?\n|\t)+", " ", str(value)))


def json_text(content: Any, *, indent: int | None = None) -> str:
    """JSON for machines whose text no terminal obeys; the values that a reader gets back are the same."""
    text = json.dumps(content, indent=indent, ensure_ascii=False)
    return _OBEYED.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


class VisibleFormatter(logging.Formatter):
    """Log lines whose text no terminal obeys."""

    def format(self, record: logging.LogRecord) -> str:
        """One record as text."""
        return visible(super().format(record))


def _written_out(match: re.Match[str]) -> str:
    code = ord(match[0])
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"

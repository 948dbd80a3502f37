"""Tables and Markdown as lines of text, for pipes and files: nothing is cut, nothing is wrapped."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

_RULE = re.compile(r"^\|[\s:|-]+\|$")
_BETWEEN = re.compile(r"(?<!\\)\|")
_MARKS = re.compile(r"\*\*(.+?)\*\*|(?<![\w*])\*([^\s*](?:[^*]*[^\s*])?)\*(?![\w*])|`([^`]+)`")


def aligned(rows: Sequence[Sequence[str]], right: Sequence[bool]) -> Iterator[str]:
    """Rows of cells as lines, columns under each other.

    Args:
        rows: All of the same length.
        right: Which columns stand at the right of their room.

    >>> list(aligned([["a", "n"], ["long", "7"]], [False, True]))
    ['a     n', 'long  7']
    """
    widths = [max(len(row[at]) for row in rows) for at in range(len(right))]
    for row in rows:
        parts = zip(row, widths, right, strict=True)
        yield "  ".join(cell.rjust(width) if to else cell.ljust(width) for cell, width, to in parts).rstrip()


def plain_markdown(text: str) -> str:
    r"""Markdown without its signs: headings as lines, tables in columns; lists stay.

    >>> print(plain_markdown("# Items\n\n| what | n |\n|---|--:|\n| `cup` | 12 |"))
    Items
    <BLANKLINE>
    what   n
    cup   12
    """
    lines: list[str] = []
    block: list[str] = []
    for line in [*text.split("\n"), ""]:
        if line.startswith("|") and line.endswith("|"):
            block.append(line)
            continue
        lines += _table(block)
        block = []
        lines.append(_without_marks(re.sub(r"^#+ ", "", line)))
    return "\n".join(lines[:-1])


def _table(block: Sequence[str]) -> list[str]:
    if not block:
        return []
    rules = [line for line in block if _RULE.match(line)]
    cells = [
        [_without_marks(cell.strip()).replace("\\|", "|") for cell in _BETWEEN.split(line)[1:-1]]
        for line in block
        if line not in rules
    ]
    width = max(len(row) for row in cells)
    signs = [cell.strip() for cell in _BETWEEN.split(rules[0])[1:-1]] if rules else []
    right = [at < len(signs) and signs[at].endswith("-:") and not signs[at].startswith(":") for at in range(width)]
    return list(aligned([row + [""] * (width - len(row)) for row in cells], right))


def _without_marks(text: str) -> str:
    return _MARKS.sub(lambda match: match[1] or match[2] or match[3], text)

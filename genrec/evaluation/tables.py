"""Cells as tables: Markdown for pages, aligned columns for a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence


def as_markdown(lines: Sequence[Mapping[str, str]]) -> str:
    r"""Cells as a Markdown table; the empty string where there are no lines.

    >>> print(as_markdown([{"name": "a|b", "n": "10"}]))
    | name | n |
    | --- | --- |
    | a\|b | 10 |
    """
    if not lines:
        return ""
    head = list(lines[0])
    table = [head, ["---"] * len(head), *([line[key] for key in head] for line in lines)]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |" for cells in table)


def plain_table(lines: Sequence[Mapping[str, str]]) -> str:
    """Text cells in aligned columns; columns of figures to the right, columns that are empty everywhere left out.

    >>> print(plain_table([{"name": "a", "n": "10"}, {"name": "long", "n": "2"}]))
    name   n
    ----  --
    a     10
    long   2
    """
    keys = [key for key in dict.fromkeys(key for line in lines for key in line) if any(line.get(key) for line in lines)]
    cells = [keys, *([line.get(key, "") for key in keys] for line in lines)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(keys))]
    right = [_figures_only(row[column] for row in cells[1:]) for column in range(len(keys))]
    cells.insert(1, ["-" * width for width in widths])
    return "\n".join(
        "  ".join(c.rjust(w) if r else c.ljust(w) for c, w, r in zip(row, widths, right, strict=True)).rstrip()
        for row in cells
    )


def _figures_only(cells: Iterable[str]) -> bool:
    return all(not cell or cell == "–" or cell.lstrip("+-")[:1].isdigit() for cell in cells)

"""Signs that no text may hold: NUL, and halves of surrogate pairs. They are replaced by U+FFFD and counted."""

from __future__ import annotations

import re

import polars as pl

from genrec.data.report import N_EXAMPLES, DataReport, Lines

REPLACEMENT = "\ufffd"
_ESCAPES = re.compile(
    rb"\\\\"  # an escaped backslash, so that what follows it is no escape
    rb"|\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"  # a whole pair
    rb"|(?P<half>\\u[dD][89a-fA-F][0-9a-fA-F]{2})"
)


def mended(text: str) -> str:
    r"""Text that any file can hold: pairs of surrogates joined, single ones and NUL replaced.

    >>> mended("a\x00b \ud83d\ude00 \ud83d") == "a\ufffdb \U0001f600 \ufffd"
    True
    """
    if not text.isascii():
        text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text.replace("\x00", REPLACEMENT)


def without_halves(data: bytes) -> tuple[bytes, list[int]]:
    """JSON text in which escapes of single surrogates are escapes of U+FFFD.

    Returns:
        The text, and where each one stood.
    """
    if b"\\u" not in data:
        return data, []
    found: list[int] = []

    def replace(match: re.Match[bytes]) -> bytes:
        if match["half"] is None:
            return match[0]
        found.append(match.start())
        return b"\\ufffd"

    return _ESCAPES.sub(replace, data), found


def without_nul(frame: pl.DataFrame, report: DataReport, lines: Lines) -> pl.DataFrame:
    """The table with every NUL in its text replaced; values that had one are counted with those noted before.

    Categories become text on the way.
    """
    words = [name for name, kind in frame.schema.items() if kind in (pl.Categorical, pl.Enum)]
    frame = frame.with_columns(pl.col(words).cast(pl.String)) if words else frame
    texts = [name for name, kind in frame.schema.items() if kind in (pl.String, pl.List(pl.String))]
    changed: list[pl.Series] = []
    for name in texts:
        series = frame[name]
        joined = series.list.join("") if series.dtype != pl.String else series
        holds = joined.str.contains("\x00", literal=True).fill_null(False)
        if not holds.any():
            continue
        rows = holds.arg_true().to_numpy()
        report.add_to("replaced-signs", len(rows), lines.examples(rows, [f"{name} holds NUL"] * N_EXAMPLES))
        clean = pl.element().str.replace_all("\x00", REPLACEMENT, literal=True)
        whole = series.str.replace_all("\x00", REPLACEMENT, literal=True) if series.dtype == pl.String else None
        changed.append(series.list.eval(clean) if whole is None else whole)
    return frame.with_columns(changed) if changed else frame

"""Ids that look alike: accents written in two ways, signs that are not seen, blanks of two kinds."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from genrec.data.report import N_EXAMPLES, DataReport

_UNSEEN = r"[\p{Cf}\p{Cc}\u034f\u115f\u1160\u180b-\u180f\ufe00-\ufe0f\U000e0100-\U000e01ef]"
_BLANKS = r"[\s\u2800\u3164\uffa0]+"
_PLAIN = r"^[!-~]+(?: [!-~]+)*$"
"""Ids that look like themselves only: letters, digits and signs of ASCII, single blanks between them."""


def note_alike(
    ids: pl.Series, name: str, report: DataReport, known: pl.Series | None = None, *, advice: str | None = None
) -> None:
    r"""Note ids that a person cannot tell apart; they stay different ids.

    Args:
        ids: Distinct ids, String; nulls are passed over.
        name: Of their column.
        report: Where they are noted.
        known: Distinct ids that are there already, and with which they are compared, too.
        advice: What to say beside it.

    >>> report = DataReport("items")
    >>> note_alike(pl.Series(["caf\u00e9", "cafe\u0301"]), "item_id", report)
    >>> report.problems[0].examples[0].encode("ascii", "replace").decode()
    "item_id 'caf?' (U+00E9) and 'cafe?' (U+0065 U+0301)"
    """
    table = ids.drop_nulls().alias("id").to_frame().with_columns(new=True)
    if known is not None:
        table = pl.concat([known.alias("id").to_frame().with_columns(new=False), table])
    strange = is_odd(table["id"])
    odd = table.filter(strange)
    if not odd.height:
        return
    odd = odd.with_columns(key=looks(odd["id"]))
    plain = table.filter(~strange & table["id"].is_in(odd["key"].implode())).with_columns(key="id")
    _note("alike-ids", pl.concat([plain, odd]), name, report, advice)


def note_case(ids: pl.Series, name: str, report: DataReport) -> None:
    """Note ids that differ in upper and lower case alone.

    Args:
        ids: Distinct ids, String.
        name: Of their column.
        report: Where they are noted.
    """
    table = pl.DataFrame([ids.alias("id"), ids.str.to_lowercase().alias("key")]).with_columns(new=True)
    _note("ids-by-case", table, name, report)


def told_apart(first: str, second: str) -> tuple[str, str]:
    r"""Two ids as texts that differ for a reader: with the code points of what is not the same.

    >>> told_apart("a1", "A1")
    ("'a1'", "'A1'")
    >>> told_apart("ab", "a\u200bb")
    ("'ab'", "'a\\u200bb' (U+200B)")
    """
    if first.isascii() and second.isascii():
        return repr(first), repr(second)
    start = _shared(first, second)
    end = _shared(first[start:][::-1], second[start:][::-1])
    middles = (text[start : len(text) - end] for text in (first, second))
    points = [" ".join(f"U+{ord(sign):04X}" for sign in middle) for middle in middles]
    shown = [
        f"{text!r} ({point})" if point else repr(text) for text, point in zip((first, second), points, strict=True)
    ]
    return shown[0], shown[1]


def _shared(first: str, second: str) -> int:
    """Length of the start that two texts share."""
    same = (one == other for one, other in zip(first, second, strict=False))
    return next((place for place, equal in enumerate(same) if not equal), min(len(first), len(second)))


def is_odd(ids: pl.Series) -> pl.Series:
    """Whether ids, String, may look like others: all but those of plain letters, digits, signs and single blanks."""
    return ~ids.str.contains(_PLAIN)


def looks(ids: pl.Series) -> pl.Series:
    """What is seen of ids, String."""
    seen = ids.str.normalize("NFC").str.replace_all(_BLANKS, " ").str.replace_all(_UNSEEN, "")
    return seen.str.strip_chars()


def _note(kind: str, table: pl.DataFrame, name: str, report: DataReport, advice: str | None = None) -> None:
    """Note the ids of one key: ``id``, ``key``, and whether it is ``new``; one of a group must be."""
    groups = table.group_by("key", maintain_order=True).agg("id", pl.col("new").any())
    groups = groups.filter(pl.col("new") & (pl.col("id").list.len() > 1))
    if groups.height:
        examples = [_example(name, found) for found in groups["id"].head(N_EXAMPLES).to_list()]
        report.add_to(kind, int(groups["id"].list.len().sum()), examples, advice)


def _example(name: str, ids: Sequence[str]) -> str:
    first, second = told_apart(*ids[:2])
    return f"{name} {first} and {second}"

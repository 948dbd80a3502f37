"""Pages about an index for a terminal or a Markdown file."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from genrec.errors import DataError
from genrec.index.cosine import Cosine
from genrec.index.report.verdicts import MATTERS, checks, overall
from genrec.index.stats import IndexStats, compute_stats
from genrec.schema import Columns
from genrec.wording import count

if TYPE_CHECKING:
    from genrec.index.semantic_index import SemanticIndex


def render_report(index: SemanticIndex, stats: IndexStats | None = None, *, examples: int = 5) -> str:
    """The page of ``genrec index show``, Markdown.

    Args:
        index: The index.
        stats: Its numbers, if they are known already.
        examples: Number of first codes, and of two-code prefixes, that are shown with titles.
    """
    stats = stats or compute_stats(index)
    lines = [f"# Semantic index of {count(stats.n_items, 'item')}, tokenizer {stats.tokenizer}", "", overall(stats), ""]
    lines += [*_check_table(stats), "", *(f"- {check.sentence}" for check in checks(stats)), ""]
    lines += ["## Levels", "", *_level_table(stats), "", "## Quality", "", *_table(quality(stats)), ""]
    if stats.agreement:
        lines += ["## Bought together", "", *_agreement_table(stats), ""]
    for length, prefixes in example_prefixes(index, stats, examples):
        lines += [f"## Largest prefixes of {count(length, 'code')}, with their most typical items", ""]
        lines += [f"- `{path}` ({count(n, 'item')}): {'; '.join(titles)}" for path, n, titles in prefixes]
        lines.append("")
    return "\n".join(lines)


def example_prefixes(
    index: SemanticIndex, stats: IndexStats, examples: int
) -> list[tuple[int, list[tuple[str, int, list[str]]]]]:
    """The largest prefixes of one and of two codes: length, then codes, number of items and typical titles of each."""
    cosine, titles = Cosine(index.vectors()), index.catalog.titles()
    result = []
    for length in (1, 2)[: min(2, stats.quantizer_levels)]:
        shown = []
        for prefix in _largest_prefixes(index, length, examples):
            rows = index.trie.items_under(prefix)
            shown.append((_path(prefix), len(rows), [_short(titles[row]) for row in cosine.central(rows, 5)]))
        result.append((length, shown))
    return result


def _check_table(stats: IndexStats) -> list[str]:
    lines = ["| check | verdict | value | rule | matters to |", "|---|---|--:|---|---|"]
    return lines + [
        f"| {one.topic} | {one.grade} | {one.value} | {one.rule} | {MATTERS[one.matters]} |" for one in checks(stats)
    ]


def _level_table(stats: IndexStats) -> list[str]:
    lines = [
        "| level | kind | codes | in use | utilisation | perplexity | Gini | largest code |",
        "|--:|---|--:|--:|--:|--:|--:|--:|",
    ]
    lines += [
        f"| {s.level} | {s.kind} | {s.size:,} | {s.used:,} | {s.utilisation:.1%} | {s.perplexity:,.1f} | {s.gini:.2f} "
        f"| {s.largest:.1%} |"
        for s in stats.levels
    ]
    return lines


def quality(stats: IndexStats) -> list[tuple[str, str]]:
    """Names and values of what does not belong to one level."""
    errors = (stats.reconstruction_error, stats.nearest_reconstruction_error)
    lost, nearest = ("–" if value is None else f"{value:.1%}" for value in errors)
    rows = [
        ("collision rate before disambiguation", f"{stats.collision_rate:.2%}"),
        ("collision rate that equal vectors alone cause", f"{stats.duplicate_rate:.2%}"),
        ("items that share their codes before disambiguation", f"{stats.colliding_items:.2%}"),
        ("collision rate of the nearest codes", f"{stats.nearest_collision_rate:.2%}"),
        ("items that share their nearest codes", f"{stats.nearest_colliding_items:.2%}"),
        ("items moved from their nearest codes", f"{stats.moved_items:,}"),
        ("collision rate after disambiguation", "0.00%"),
        ("largest collision group", count(stats.largest_bucket, "item")),
        ("variance of the vectors lost by the codes", lost),
        ("variance lost if no item had been moved", nearest),
        ("mean cosine of random pairs", _cosine(stats.similarity_random)),
    ]
    for level, value in zip(stats.levels, stats.similarity_by_level, strict=False):
        which = f"code {level.level}" if level.kind == "slot" or level.level == 1 else f"codes 1 to {level.level}"
        rows.append((f"mean cosine of pairs that share {which}", _cosine(value)))
    return rows


def _cosine(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


def _table(rows: Sequence[tuple[str, str]]) -> list[str]:
    return ["| what | value |", "|---|--:|", *(f"| {name} | {value} |" for name, value in rows)]


def _agreement_table(stats: IndexStats) -> list[str]:
    names = [f"{'slot' if level.kind == 'slot' else 'up to level'} {level.level}" for level in stats.levels]
    names = names[: stats.quantizer_levels]
    lines = [f"| pairs | number | {' | '.join(names)} | common codes |", "|---|--:|" + "--:|" * (len(names) + 1)]
    for one in stats.agreement:
        for name, shares, total in (
            (one.part, one.by_level, one.shared),
            (f"{one.part}, by chance", one.random_by_level, one.shared_random),
        ):
            cells = " | ".join(f"{share:.2%}" for share in shares)
            lines.append(f"| {name} | {one.pairs:,} | {cells} | {total:.3f} |")
    return lines


def _largest_prefixes(index: SemanticIndex, length: int, k: int) -> list[list[int]]:
    starts = index.trie.leaf_starts(length - 1)
    nodes = np.argsort(-np.diff(starts), kind="stable")[:k]
    return index.trie.paths()[starts[nodes], :length].tolist()


def show_item(index: SemanticIndex, item_id: str, *, neighbours: int = 5) -> str:
    """One item: its codes, its fields, and the items nearest to it under each of its prefixes, longest first.

    Raises:
        DataError: The index does not have the item.
    """
    row = index.position(item_id)
    titles, cosine = index.catalog.titles(), Cosine(index.vectors())
    codes = index.codes[row].tolist()
    lines = [f"# {titles[row]}", "", f"- {Columns.Item}: {item_id}", f"- codes: `{_path(codes)}`"]
    for field, value in index.catalog.frame.row(row, named=True).items():
        if field != Columns.Item and value not in (None, "", [], titles[row]):
            lines.append(f"- {field}: {_short(', '.join(value) if isinstance(value, list) else str(value), 300)}")
    shown = {row}
    for length in range(index.n_levels - 1, 0, -1):
        rows = index.trie.items_under(codes[:length])
        others = rows[~np.isin(rows, list(shown))]
        lines += ["", f"## {count(len(rows), 'item')} under `{_path(codes[:length])}`", ""]
        nearest = cosine.nearest(row, others, neighbours) if len(others) else others
        lines += [f"- `{_path(index.codes[n])}` {_short(titles[n])} ({index.item_ids[n]})" for n in nearest]
        if not len(nearest):
            lines.append("- no other item" if len(rows) == 1 else "- only items shown above")
        shown.update(nearest.tolist())
    return "\n".join(lines) + "\n"


def show_prefix(index: SemanticIndex, prefix: Sequence[int], *, items: int = 10) -> str:
    """The items under a code prefix: the most typical ones, and those of its most frequent next codes.

    Raises:
        DataError: No item has the prefix; names codes that exist.
    """
    prefix = [int(code) for code in prefix]
    rows = index.trie.items_under(prefix)
    if not len(rows):
        known = next(n for n in range(len(prefix) - 1, -1, -1) if len(index.trie.items_under(prefix[:n])))
        follow = index.trie.children(prefix[:known]).tolist()
        raise DataError(
            f"No item has the codes {_path(prefix)}.",
            expected=f"after '{_path(prefix[:known])}' one of {follow[:20]}{' …' if len(follow) > 20 else ''}",
        )
    titles, cosine = index.catalog.titles(), Cosine(index.vectors())
    lines = [f"# {count(len(rows), 'item')} under `{_path(prefix)}` ({len(rows) / len(index):.2%} of all)", ""]
    lines += [
        f"- `{_path(index.codes[n])}` {_short(titles[n])} ({index.item_ids[n]})" for n in cosine.central(rows, items)
    ]
    if len(prefix) < index.quantizer_levels:
        codes, counts = np.unique(index.codes[rows, len(prefix)], return_counts=True)
        lines += ["", f"## Next codes: {len(codes):,} in use", ""]
        for code in codes[np.argsort(-counts, kind="stable")[:items]].tolist():
            below = index.trie.items_under([*prefix, code])
            shown = "; ".join(_short(titles[n], 50) for n in cosine.central(below, 3))
            lines.append(f"- `{code}` ({count(len(below), 'item')}): {shown}")
    return "\n".join(lines) + "\n"


def _path(codes: Sequence[int] | np.ndarray) -> str:
    return " ".join(str(int(code)) for code in codes)


def _short(text: str, width: int = 70) -> str:
    text = " ".join(text.split())
    return text if len(text) <= width else text[: width - 1].rstrip() + "…"

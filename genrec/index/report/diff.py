"""What changed between two indexes."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from genrec.wording import count

if TYPE_CHECKING:
    from genrec.index.semantic_index import SemanticIndex

Lineage = Literal["same", "grown", "older", "branched", "none"]

_LINEAGES: dict[Lineage, str] = {
    "same": "The two are the same index.",
    "grown": "The second grew from the first: recommenders trained on the first work with the second.",
    "older": "The first grew from the second: recommenders trained on the first do not work with the second.",
    "branched": "Both grew from a common index: recommenders trained on that one work with both, others do not.",
    "none": "They are no relatives: recommenders trained on one do not work with the other.",
}


@dataclass(frozen=True)
class LevelChange:
    """One level of two indexes.

    Attributes:
        level: Number from 1.
        before: Codes of the level in the first index; None: it has no such level.
        after: The same of the second.
        changed: Items of both indexes with another code here; None where one of the two lacks the level.
    """

    level: int
    before: int | None
    after: int | None
    changed: int | None


@dataclass(frozen=True)
class IndexDiff:
    """Differences of two indexes, seen from the first.

    Attributes:
        lineage: ``same``, ``grown`` (the second from the first), ``older`` (the first from the second), ``branched``
            (both from a third), ``none``.
        items: Numbers of items of both.
        added: Ids of items that only the second has, in its order.
        removed: Ids of items that only the first has, in its order.
        moved: Ids of items of both with another semantic ID, in the order of the first.
        kept: Number of items of both with the same semantic ID.
        levels: Every level of either.
        recipe: Settings of the recipe that differ: key → both values.
    """

    lineage: Lineage
    items: tuple[int, int]
    added: tuple[str, ...]
    removed: tuple[str, ...]
    moved: tuple[str, ...]
    kept: int
    levels: tuple[LevelChange, ...]
    recipe: dict[str, tuple[Any, Any]]

    def to_dict(self) -> dict[str, Any]:
        """JSON-able row."""
        return asdict(self)


def diff_indexes(first: SemanticIndex, second: SemanticIndex) -> IndexDiff:
    """Compare two indexes by item id.

    Args:
        first: The older one, as it were.
        second: The newer one.
    """
    place = second.catalog.positions(first.item_ids)  # (n_first,), -1: gone
    mine, theirs = np.flatnonzero(place >= 0), place[place >= 0]
    width = min(first.n_levels, second.n_levels)
    differ = first.codes[mine, :width] != second.codes[theirs, :width]
    moved = differ.any(axis=1) | (first.n_levels != second.n_levels)
    new = first.catalog.positions(second.item_ids) < 0
    levels = tuple(
        LevelChange(
            level + 1,
            first.codebook_sizes[level] if level < first.n_levels else None,
            second.codebook_sizes[level] if level < second.n_levels else None,
            int(differ[:, level].sum()) if level < width else None,
        )
        for level in range(max(first.n_levels, second.n_levels))
    )
    return IndexDiff(
        lineage=_lineage(first.lineage, second.lineage),
        items=(len(first), len(second)),
        added=tuple(second.item_ids[new].tolist()),
        removed=tuple(first.item_ids[place < 0].tolist()),
        moved=tuple(first.item_ids[mine[moved]].tolist()),
        kept=int((~moved).sum()),
        levels=levels,
        recipe=_changed(first.recipe.model_dump(mode="json"), second.recipe.model_dump(mode="json")),
    )


def render_diff(first: SemanticIndex, second: SemanticIndex, *, examples: int = 5) -> str:
    """The page of ``genrec index diff``, Markdown.

    Args:
        first: The older index.
        second: The newer one.
        examples: Items that are named of each kind.
    """
    diff = diff_indexes(first, second)
    lines = [f"# From {diff.items[0]:,} to {count(diff.items[1], 'item')}", "", _LINEAGES[diff.lineage], ""]
    lines += ["| items | number |", "|---|--:|"]
    kinds = (("added", diff.added), ("removed", diff.removed), ("moved (another semantic ID)", diff.moved))
    lines += [f"| {name} | {len(ids):,} |" for name, ids in kinds] + [f"| kept as they are | {diff.kept:,} |"]
    lines += [
        "",
        "## Levels",
        "",
        "| level | codes before | codes after | items with another code |",
        "|--:|--:|--:|--:|",
    ]
    lines += [
        f"| {one.level} | {_count(one.before)} | {_count(one.after)} | {_count(one.changed)} |" for one in diff.levels
    ]
    if diff.recipe:
        lines += ["", "## Recipe", ""]
        lines += [f"- {key}: {before!r} → {after!r}" for key, (before, after) in diff.recipe.items()]
    for name, ids, index in (("Added", diff.added, second), ("Removed", diff.removed, first)):
        if ids:
            lines += ["", f"## {name}", ""] + [_item(index, item) for item in ids[:examples]] + _more(ids, examples)
    if diff.moved:
        lines += ["", "## Moved", ""]
        for item in diff.moved[:examples]:
            codes = second.codes[second.position(item)].tolist()
            lines.append(f"{_item(first, item)} → `{' '.join(map(str, codes))}`")
        lines += _more(diff.moved, examples)
    return "\n".join(lines) + "\n"


def _lineage(first: list[str], second: list[str]) -> Lineage:
    if first[-1] == second[-1]:
        return "same"
    if first[-1] in second:
        return "grown"
    if second[-1] in first:
        return "older"
    return "branched" if set(first) & set(second) else "none"


def _changed(before: Any, after: Any, key: str = "") -> dict[str, tuple[Any, Any]]:
    """Leaves of two nested settings that differ, by dotted key."""
    if isinstance(before, dict) and isinstance(after, dict):
        names = list(dict.fromkeys([*before, *after]))
        parts = (_changed(before.get(n), after.get(n), f"{key}.{n}" if key else n) for n in names)
        return {name: pair for part in parts for name, pair in part.items()}
    return {} if before == after else {key: (before, after)}


def _item(index: SemanticIndex, item_id: str) -> str:
    row = index.position(item_id)
    title = index.catalog.select([row]).titles()[0]
    return f"- {item_id} ({title[:70]}) `{' '.join(map(str, index.codes[row].tolist()))}`"


def _more(ids: tuple[str, ...], examples: int) -> list[str]:
    return [f"- and {len(ids) - examples:,} more"] if len(ids) > examples else []


def _count(value: int | None) -> str:
    return "–" if value is None else f"{value:,}"

"""All checks of an audit, and what they say together."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from genrec.audit import events, leaks, order, shortcuts, structure
from genrec.audit.finding import GRADES, Finding, listed
from genrec.audit.material import Material
from genrec.audit.shortcuts import SOLVED, Shortcut
from genrec.baselines import TransitionCounts
from genrec.data.catalog import Catalog
from genrec.data.histories import Histories
from genrec.data.interactions import Interactions
from genrec.data.split import Split, custom_split, make_split
from genrec.encoders import build_encoder
from genrec.encoders.base import normalize_rows
from genrec.errors import DataError, unknown_name
from genrec.progress import Progress
from genrec.wording import count

VECTORS: dict[str, dict[str, Any]] = {
    "lsa": {"name": "lsa", "dim": 128},
    "minilm": {"name": "sentence"},
}
"""Item encoders that an audit can use for texts, with their settings."""

_STEPS = 4 + len(TransitionCounts.candidates(Histories.from_lists([])))
_SAMPLED = "Checks of cases and shortcuts read a fixed sample of {cases_read:,} of the {cases:,} test cases."
_REPEATS = "Repeats in a row are kept here ({events}); training counts them once unless it is told otherwise."


@dataclass(frozen=True)
class Audit:
    """What an audit found.

    Attributes:
        facts: Counts of the dataset.
        split: Name of the split.
        vectors: Name of the item vectors, or ``none``.
        shortcuts: Rankings without learning, best first.
        findings: Worst first.
        seconds: How long it took.
    """

    facts: dict[str, Any]
    split: str
    vectors: str
    shortcuts: list[Shortcut]
    findings: list[Finding]
    seconds: float

    def graded(self, grade: str) -> list[Finding]:
        """Findings of one grade."""
        return [finding for finding in self.findings if finding.grade == grade]

    def finding(self, check: str) -> Finding:
        """The finding of one check.

        Raises:
            DataError: There is no such finding.
        """
        found = next((finding for finding in self.findings if finding.check == check), None)
        if found is None:
            raise DataError(f"This audit has no finding '{check}'.", expected=", ".join(f.check for f in self.findings))
        return found

    def verdict(self) -> str:
        """Which shortcuts would solve this dataset, in a few sentences."""
        plain = [one for one in self.shortcuts if one.name in shortcuts.NAMES]
        strongest = plain[0]
        solving = [one for one in plain if one.recall >= SOLVED]
        rule = f"a Recall@10 of {SOLVED:.2f} or more".replace("0.", ".")
        if solving:
            names = listed([f"{one.name} ({one.recall:.3f})".replace("(0.", "(.") for one in solving])
            first = f"Shortcuts that solve this dataset ({rule} without learning): {names}."
        else:
            value = f"{strongest.recall:.4f}".removeprefix("0")
            first = f"No shortcut solves this dataset ({rule}); the strongest is {strongest.name} with {value}."
        serious = [finding.title.lower() for finding in self.graded("serious")]
        if serious:
            return f"{first} Before figures on it mean anything, deal with: {listed(serious)}."
        return f"{first} Nothing was found that makes figures on it meaningless."

    def to_dict(self) -> dict[str, Any]:
        """JSON-able form."""
        return {
            "verdict": self.verdict(),
            "facts": self.facts,
            "split": self.split,
            "vectors": self.vectors,
            "shortcuts": [one.to_dict() for one in self.shortcuts],
            "findings": [finding.to_dict() for finding in self.findings],
            "seconds": round(self.seconds, 1),
        }

    def markdown(self, title: str = "Audit") -> str:
        """A page for people."""
        lines = [f"# {title}", "", self.verdict(), "", self.facts_line(), "", "## Shortcuts", ""]
        lines += ["| shortcut | Recall@1 | Recall@10 | NDCG@10 | what it does |", "| --- | --- | --- | --- | --- |"]
        for name, *cells, how in self.shortcut_rows():
            lines.append(f"| {name} | {' | '.join(cells)} | {how} |")
        for grade, meaning in GRADES.items():
            found = self.graded(grade)
            if found:
                lines += ["", f"## {grade.capitalize()}: {meaning}", ""]
                lines += [
                    f"- **{one.title}.** {one.text}{' *' + one.advice + '*' if one.advice else ''}" for one in found
                ]
        return "\n".join(lines) + "\n"

    def facts_line(self) -> str:
        """Size of the dataset in one sentence."""
        f = self.facts
        return (
            f"{count(f['events'], 'event')} of {count(f['users'], 'user')} with {count(f['items'], 'item')} "
            f"(median history {f['length_median']:g}, longest {f['length_max']:,}); split: {self.split}; "
            f"item texts: {self.vectors}."
            + (f" {_SAMPLED.format(**f)}" if f["cases_read"] < f["cases"] else "")
            + (f" {_REPEATS.format(events=count(f['in_a_row'], 'event'))}" if f["in_a_row"] else "")
        )

    def shortcut_rows(self) -> list[tuple[str, ...]]:
        """Name, Recall@1, Recall@10 and NDCG@10 with intervals, and description of every shortcut."""
        return [
            (one.name, *(_cell(one.intervals[metric]) for metric in shortcuts.METRICS), one.how)
            for one in self.shortcuts
        ]


def _cell(interval: Any) -> str:
    return f"{interval.mean:.4f} ({interval.low:.4f}–{interval.high:.4f})"


def audit(
    catalog: Catalog,
    interactions: Interactions,
    *,
    split: str | Split = "leave-one-out",
    options: Mapping[str, Any] | None = None,
    vectors: str | np.ndarray | None = "lsa",
    seed: int = 0,
    progress: Progress | None = None,
) -> Audit:
    """Look for shortcuts, leaks and traps in a dataset.

    Events are taken as they are, the same item several times in a row included. The test part is read (this is about
    the benchmark itself), settings of the transition counts are chosen on validation.

    Args:
        catalog: The items.
        interactions: The events.
        split: Name of a split (``leave-one-out``, ``global-time``, or ``custom`` where the interactions were read with
            ``part_column``), or a split over ``catalog``.
        options: Of the named split.
        vectors: ``lsa``, ``minilm``, ``(n_items, dim)`` vectors of the items, or None: no checks of texts as vectors.
        seed: Of samples and shuffles.
        progress: Called with (what, steps done, steps in all).

    Raises:
        DataError: The tables do not fit each other, or the split is not possible.
        ConfigError: Unknown name of a split or of vectors.

    Example:
        >>> import polars as pl
        >>> items = Catalog.from_frame(pl.DataFrame({"item_id": list("abcd"), "title": ["tea", "cup", "pot", "mat"]}))
        >>> rows = [(user, item) for user in "uvwxyz" for item in "abcd"]
        >>> table = Interactions.from_frame(pl.DataFrame(rows, schema=["user_id", "item_id"], orient="row"))
        >>> audit(items, table).finding("leaked-targets").grade
        'fine'
    """
    began = time.perf_counter()
    tick = _ticker(progress)
    material = _material(catalog, interactions, split, options or {}, vectors, seed)
    tick()
    found = _checks(material)
    tick()
    rankings = _shortcuts(material, found, tick)
    grades = list(GRADES)
    findings = sorted((one for one in found if one is not None), key=lambda one: grades.index(one.grade))
    best = sorted(rankings, key=lambda one: (-one.recall, one.name))
    facts = events.facts(material)
    return Audit(facts, material.split.name, material.vectors_name, best, findings, time.perf_counter() - began)


def _material(
    catalog: Catalog,
    interactions: Interactions,
    split: str | Split,
    options: Mapping[str, Any],
    vectors: str | np.ndarray | None,
    seed: int,
) -> Material:
    histories = interactions.histories(catalog, consecutive_repeats="keep")
    if isinstance(split, Split):
        parts = split
    elif split == "custom":
        parts = custom_split(interactions, catalog)
    else:
        parts = make_split(histories, split, **options)
    table, name = _vectors(catalog, vectors)
    return Material(catalog, interactions, histories, parts, table, name, seed)


def _checks(material: Material) -> list[Finding | None]:
    """What needs no ranking."""
    return [
        events.duplicates(material),
        events.repeats(material),
        events.equal_times(material),
        events.cold(material),
        events.size(material),
        leaks.leaked_targets(material),
        leaks.future(material),
        leaks.copied_sequences(material),
        leaks.shared_cases(material),
        structure.branching(material),
        structure.smoothness(material),
        structure.near_duplicates(material),
    ]


def _shortcuts(material: Material, found: list[Finding | None], tick: Callable[[], None]) -> list[Shortcut]:
    """Rankings without learning; their findings are appended to ``found``."""
    copied, popular = shortcuts.copy_last(material), shortcuts.popularity(material)
    text = shortcuts.last_text(material)
    counts, single = shortcuts.transitions(material, lambda *_: tick())
    found += [
        shortcuts.copying(copied),
        shortcuts.popular(popular),
        shortcuts.counting(counts, popular, material.cases),
        order.beyond_last(material, counts, single),
    ]
    mixed = order.without_order(material, counts)
    found.append(order.order(material, counts, mixed))
    tick()
    rankings = [copied, popular, counts, mixed]
    if single.settings != counts.settings:
        rankings.append(single)
    ties = order.without_tie_order(material, counts)
    if ties is not None:
        place, times = next((n, one) for n, one in enumerate(found) if one is not None and one.check == "equal-times")
        found[place] = order.tie_order(times, counts, ties)
        rankings.append(ties)
    if text is not None:
        found.append(shortcuts.similar_text(text, counts, material.cases))
        rankings.append(text)
    words = shortcuts.history_words(material)
    if words is not None:
        rankings.append(words)
    found.append(shortcuts.zero_shot([one for one in (text, words) if one is not None], popular, material.cases))
    tick()
    return rankings


def _vectors(catalog: Catalog, vectors: str | np.ndarray | None) -> tuple[np.ndarray | None, str]:
    """Item vectors of unit length and their name."""
    if vectors is None or (isinstance(vectors, str) and vectors == "none"):
        return None, "none"
    if isinstance(vectors, np.ndarray):
        if vectors.ndim != 2 or len(vectors) != len(catalog):
            raise DataError(f"The item vectors have shape {vectors.shape}.", expected=f"({len(catalog)}, dim)")
        return normalize_rows(vectors), "given vectors"
    if vectors not in VECTORS:
        raise unknown_name("kind of item vectors", vectors, [*VECTORS, "none"])
    encoder = build_encoder(VECTORS[vectors])
    try:
        encoder.fit(catalog)
    except DataError:  # no field holds text: everything that needs no text is checked all the same
        return None, "none"
    return normalize_rows(encoder.encode(catalog)), vectors


def _ticker(progress: Progress | None) -> Callable[[], None]:
    done = 0

    def tick() -> None:
        nonlocal done
        done += 1
        if progress is not None:
            progress("auditing", min(done, _STEPS), _STEPS)

    return tick

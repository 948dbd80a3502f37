"""Plots of an index as SVG text; needs matplotlib (extra ``report``)."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np

from genrec.drawing import COLOURS, svg
from genrec.index.stats import IndexStats
from genrec.wording import count

_RANDOM = "#9aa3af"
_POINTS = 256


def usage_plot(codes: np.ndarray, stats: IndexStats) -> str:
    """Items per code of every level, most frequent code first, against a perfectly even level.

    Args:
        codes: ``(n_items, n_levels)``; only the quantizer's levels are drawn.
        stats: Numbers of the index.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """

    def draw(figure: Any) -> None:
        axis = figure.subplots()
        for level, colour in zip(
            stats.levels[: stats.quantizer_levels], COLOURS * stats.quantizer_levels, strict=False
        ):
            shares = np.sort(np.bincount(codes[:, level.level - 1], minlength=level.size))[::-1] * level.size
            shown = np.unique(np.linspace(0, level.size - 1, min(level.size, _POINTS)).astype(np.int64))
            axis.plot(100 * (shown + 1) / level.size, shares[shown] / len(codes), color=colour, label=_name(level))
        axis.axhline(1, color=_RANDOM, linestyle="--", linewidth=1, label="all codes alike")
        axis.set_xlabel("codes of the level, most frequent first (%)")
        axis.set_ylabel("items, as a multiple of an even share")
        axis.set_xlim(0, 100)
        axis.set_ylim(bottom=0)
        axis.legend(ncols=2)

    return svg("usage", draw, 2.8)


def likeness_plot(stats: IndexStats) -> str:
    """Mean cosine of pairs that share codes, against random pairs.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    names = [_shared(level.kind, level.level) for level in stats.levels[: stats.quantizer_levels]]
    values = [0.0 if value is None else value for value in stats.similarity_by_level]

    def draw(figure: Any) -> None:
        axis = figure.subplots()
        axis.barh(range(len(names) + 1), [stats.similarity_random or 0.0, *values], 0.6, color=_bars(len(names)))
        axis.set_yticks(range(len(names) + 1), ["random pairs", *names])
        axis.invert_yaxis()
        axis.grid(visible=False, axis="y")
        axis.axvline(0, color=_RANDOM, linewidth=0.8)
        axis.set_xlabel("mean cosine of their vectors")

    return svg("likeness", draw, 0.8 + 0.27 * (len(names) + 1))


def groups_plot(stats: IndexStats) -> str:
    """How many items share their codes with how many others, before disambiguation.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    edges = [1, 2, 3, 4, 8, 16, 32, 64, 1 << 62]
    names = ["alone", "2", "3", "4–7", "8–15", "16–31", "32–63", "64 and more"]
    items = [sum(size * n for size, n in stats.buckets if low <= size < high) for low, high in pairwise(edges)]
    last = max(place for place, n in enumerate(items) if n)

    def draw(figure: Any) -> None:
        axis = figure.subplots()
        shares = [100 * n / stats.n_items for n in items[: last + 1]]
        bars = axis.bar(names[: last + 1], shares, 0.6, color=[COLOURS[0]] + [COLOURS[1]] * last)
        axis.bar_label(bars, [f"{share:.1f} %" if share < 99.95 else "100 %" for share in shares], padding=2)
        axis.grid(visible=False, axis="x")
        axis.set_xlabel("items on the same codes before disambiguation")
        axis.set_ylabel("% of the items")
        axis.set_xlim(-0.6, max(3, last) + 0.6)
        axis.set_ylim(0, max(shares) * 1.15)

    return svg("groups", draw, 2.4)


def agreement_plot(stats: IndexStats) -> str:
    """Share of pairs bought together that have codes in common, against chance, one panel a part.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    names = [_shared(level.kind, level.level) for level in stats.levels[: stats.quantizer_levels]]

    def draw(figure: Any) -> None:
        axes = figure.subplots(1, len(stats.agreement), sharey=True, squeeze=False)[0]
        for axis, one in zip(axes, stats.agreement, strict=True):
            places = np.arange(len(names))
            axis.barh(places - 0.18, [100 * v for v in one.by_level], 0.34, color=COLOURS[0], label="bought together")
            axis.barh(places + 0.18, [100 * v for v in one.random_by_level], 0.34, color=_RANDOM, label="by chance")
            axis.set_title(f"{one.part}: {count(one.pairs, 'pair')}")
            axis.set_xlabel("% of the pairs")
            axis.grid(visible=False, axis="y")
        axes[0].set_yticks(range(len(names)), names)
        axes[0].invert_yaxis()
        handles, labels = axes[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside upper center", ncols=2)

    return svg("agreement", draw, 1.3 + 0.35 * len(names))


def _name(level: Any) -> str:
    return f"{'slot' if level.kind == 'slot' else 'level'} {level.level}"


def _shared(kind: str, level: int) -> str:
    if kind == "slot":
        return f"same code of slot {level}"
    return "same first code" if level == 1 else f"same first {count(level, 'code')}"


def _bars(n: int) -> list[str]:
    return [_RANDOM, *([COLOURS[0]] * n)]

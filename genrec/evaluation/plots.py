"""Plots of reports as SVG text; needs matplotlib (extra ``report``)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from genrec.drawing import COLOURS, available
from genrec.drawing import svg as _svg
from genrec.evaluation.report import Row

__all__ = ["available", "colours", "interval_plot", "noise_plot", "slice_plot"]


def colours(recommenders: Sequence[str]) -> dict[str, str]:
    """One colour a recommender, the same in every plot of a report."""
    return {name: COLOURS[place % len(COLOURS)] for place, name in enumerate(dict.fromkeys(recommenders))}


def interval_plot(rows: Sequence[Row], metrics: Sequence[str], palette: Mapping[str, str]) -> str:
    """Every recommender's metrics with their intervals, one panel a metric; best on top.

    Args:
        rows: One a recommender.
        metrics: Such as ``ndcg@10``.
        palette: Of :func:`colours`.

    Returns:
        SVG text.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    ordered = sorted(rows, key=lambda row: row.get(metrics[-1]) or 0.0)

    def draw(figure: Any) -> None:
        axes = figure.subplots(1, len(metrics), sharey=True, squeeze=False)[0]
        for axis, metric in zip(axes, metrics, strict=True):
            for place, row in enumerate(ordered):
                style = {"fmt": "o", "color": palette[row["recommender"]], "capsize": 3, "markersize": 6}
                axis.errorbar(row.get(metric) or 0.0, place, xerr=_reach(row, metric), **style)
            axis.set_xlabel(metric)
            axis.set_xlim(left=0)
            axis.grid(visible=False, axis="y")
            axis.set_ylim(-0.6, len(ordered) - 0.4)
        axes[0].set_yticks(range(len(ordered)), [row["recommender"] for row in ordered])

    return _svg("intervals", draw, 0.7 + 0.3 * len(rows))


def slice_plot(rows: Sequence[Row], metric: str, palette: Mapping[str, str]) -> str:
    """One metric in every slice, bars side by side with intervals.

    Args:
        rows: One a recommender and slice.
        metric: Such as ``recall@10``.
        palette: Of :func:`colours`.

    Returns:
        SVG text.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    names = list(dict.fromkeys(row["recommender"] for row in rows))
    cases = {row["targets"]: row["cases"] for row in rows}
    slices = list(cases)
    height = 0.8 / len(names)

    def draw(figure: Any) -> None:
        axis = figure.subplots()
        for number, name in enumerate(names):
            shown = [row for row in rows if row["recommender"] == name and row.get(metric) is not None]
            places = [slices.index(row["targets"]) + number * height for row in shown]
            low, high = zip(*([side[0] for side in _reach(row, metric)] for row in shown), strict=True)
            style = {"color": palette[name], "label": name, "error_kw": {"lw": 0.8, "ecolor": "#374151"}}
            axis.barh(places, [row[metric] for row in shown], height * 0.9, xerr=[low, high], **style)
        middle = (len(names) - 1) * height / 2
        labels = [f"{one} ({cases[one]:,})" for one in slices]
        axis.set_yticks([place + middle for place in range(len(slices))], labels)
        axis.set_ylim(len(slices) - 0.15, -0.2)
        axis.set_xlim(left=0)
        axis.grid(visible=False, axis="y")
        axis.set_xlabel(f"{metric}; in brackets: cases")
        axis.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=min(5, len(names)))

    return _svg("slices", draw, 0.9 + len(slices) * (0.15 + 0.11 * len(names)))


def noise_plot(rows: Sequence[Row], metric: str, palette: Mapping[str, str]) -> str:
    """Robustness curves, one panel a kind of noise.

    Args:
        rows: Of :func:`genrec.evaluation.robustness.robustness`.
        metric: Such as ``recall@10``.
        palette: Of :func:`colours`.

    Returns:
        SVG text.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    noises = list(dict.fromkeys(row["noise"] for row in rows))
    names = list(dict.fromkeys(row["recommender"] for row in rows))

    def draw(figure: Any) -> None:
        axes = figure.subplots(1, len(noises), sharey=True, squeeze=False)[0]
        for axis, noise in zip(axes, noises, strict=True):
            for name in names:
                own = [row for row in rows if (row["noise"], row["recommender"]) == (noise, name)]
                share = [row["share"] * 100 for row in own]
                axis.plot(share, [row[metric] for row in own], "o-", color=palette[name], label=name, markersize=4)
                low, high = ([row[f"{metric}_{end}"] for row in own] for end in ("low", "high"))
                axis.fill_between(share, low, high, color=palette[name], alpha=0.12, linewidth=0)
            axis.set_title(noise)
            axis.set_xlabel("% of the events")
            axis.set_ylim(bottom=0)
        axes[0].set_ylabel(metric)
        handles, labels = axes[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside upper center", ncols=min(5, len(names)))

    return _svg("noise", draw, 2.9)


def _reach(row: Row, metric: str) -> list[list[float]]:
    """How far the interval goes to both sides, as matplotlib wants it."""
    value = row.get(metric) or 0.0
    low, high = row.get(f"{metric}_low"), row.get(f"{metric}_high")
    return [[max(0.0, value - (value if low is None else low))], [max(0.0, (value if high is None else high) - value)]]

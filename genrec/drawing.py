"""What the plots of all reports share: colours, style, and figures as SVG text; needs matplotlib (extra ``report``)."""

from __future__ import annotations

import importlib.util
import io
from collections.abc import Callable
from typing import Any

from genrec.errors import MissingExtraError

COLOURS = ("#2563a8", "#d97706", "#3f8f5f", "#a8427a", "#6b7280", "#0f9aa8", "#8a6d3b", "#7b5ea7")
_WIDTH = 8.6
_STYLE: dict[str, Any] = {
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.size": 9,
    "axes.titlesize": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#9aa3af",
    "axes.labelcolor": "#374151",
    "xtick.color": "#374151",
    "ytick.color": "#374151",
    "axes.grid": True,
    "grid.color": "#e5e7eb",
    "axes.axisbelow": True,
    "legend.frameon": False,
}


def available() -> bool:
    """Whether matplotlib is installed."""
    return importlib.util.find_spec("matplotlib") is not None


def svg(name: str, draw: Callable[[Any], None], height: float) -> str:
    """What ``draw`` puts on a figure, as an ``<svg>`` element; the same input gives the same text.

    Args:
        name: Distinguishes the ids inside this figure from those of others on a page.
        draw: Gets a matplotlib figure.
        height: In inches.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    if not available():
        raise MissingExtraError("matplotlib", "report")
    import matplotlib
    from matplotlib.figure import Figure

    buffer = io.StringIO()
    settings: Any = {**_STYLE, "svg.hashsalt": name}
    with matplotlib.rc_context(settings):
        figure = Figure(figsize=(_WIDTH, height), layout="constrained")
        draw(figure)
        figure.savefig(buffer, format="svg", metadata={"Date": None}, transparent=True)
    text = buffer.getvalue()
    return text[text.index("<svg") :].strip()

"""What the HTML reports share: one way to fill a template, and plots inside the page."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from genrec import drawing
from genrec.errors import MissingExtraError


def filled(template: Path, context: Mapping[str, Any]) -> str:
    """A page of HTML. All text is escaped but what :func:`drawn` gives; a name that ``context`` lacks is an error.

    Args:
        template: File of a Jinja template.
        context: What it shows. ``plots_hint`` is added: how to get plots, or None where they can be drawn.
    """
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(template.parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    hint = None if drawing.available() else MissingExtraError("matplotlib", "report").hint
    return environment.get_template(template.name).render({**context, "plots_hint": hint})


def drawn(draw: Callable[..., str], *arguments: Any) -> Any:
    """A plot that the template does not escape, or None without matplotlib."""
    from markupsafe import Markup

    return Markup(draw(*arguments)) if drawing.available() else None  # noqa: S704 - matplotlib escapes its text

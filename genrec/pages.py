"""Pages from templates: HTML reports with plots inside, and the cards of folders and repositories in Markdown."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from genrec import drawing
from genrec.errors import MissingExtraError
from genrec.wording import count


def filled(template: Path, context: Mapping[str, Any]) -> str:
    """A page of HTML. All text is escaped but what :func:`drawn` gives; a name that ``context`` lacks is an error.

    Args:
        template: File of a Jinja template.
        context: What it shows. ``plots_hint`` is added: how to get plots, or None where they can be drawn.
    """
    hint = None if drawing.available() else MissingExtraError("matplotlib", "report").hint
    return _rendered(template, {**context, "plots_hint": hint}, escape=True)


def card(template: Path, context: Mapping[str, Any]) -> str:
    """A page of Markdown; a name that ``context`` lacks is an error.

    Args:
        template: File of a Jinja template.
        context: What it shows. ``count`` is added, :func:`genrec.wording.count`.
    """
    return _rendered(template, {"count": count, **context}, escape=False)


def _rendered(template: Path, context: Mapping[str, Any], *, escape: bool) -> str:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(template.parent),
        autoescape=escape,  # noqa: S701 - Markdown is not escaped
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=not escape,
    )
    return environment.get_template(template.name).render(context)


def drawn(draw: Callable[..., str], *arguments: Any) -> Any:
    """A plot that the template does not escape, or None without matplotlib."""
    from markupsafe import Markup

    return Markup(draw(*arguments)) if drawing.available() else None  # noqa: S704 - matplotlib escapes its text

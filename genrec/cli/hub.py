"""Names of the hub in place of folders on the command line, and ``--revision``."""

from __future__ import annotations

import copy
import functools
import inspect
from collections.abc import Callable, Sequence
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, get_args, get_origin

import click
import typer

from genrec.cli.outputs import note_inputs

REVISION = "revision"
Revision = Annotated[
    str | None, typer.Option("--revision", help="Revision of a recommender or index on the hub: branch, tag or commit.")
]


def from_hub(**kinds: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Let a command take ``name/repo`` of the hub where it takes a folder; the command gets the folder.

    Args:
        kinds: What should be there (for messages), by the names of parameters; ``--revision`` is that of the first.
    """

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        signature = inspect.signature(command, eval_str=True)
        own = [
            one.replace(annotation=_of_text(one.annotation)) if one.name in kinds else one
            for one in signature.parameters.values()
        ]
        option = inspect.Parameter(REVISION, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=Revision)
        known = [*own, option]

        @functools.wraps(command)
        def run(*args: Any, **kwargs: Any) -> Any:
            revision = kwargs.pop(REVISION, None)
            for name, kind in kinds.items():
                if kwargs.get(name) is not None:
                    kwargs[name] = fetched(kwargs[name], kind, revision)
                    note_inputs(kwargs[name])
                revision = None
            return command(*args, **kwargs)

        run.__signature__ = signature.replace(parameters=known)  # type: ignore[attr-defined]
        run.__annotations__ = {one.name: one.annotation for one in known}
        return run

    return decorate


def fetched(given: Any, kind: str, revision: str | None) -> Any:
    """Folders of what was named: one for a text, several for several.

    Args:
        given: Folders or ids of the hub, as they were typed.
        kind: What should be there, for messages.
        revision: Of what is on the hub.

    Raises:
        ConfigError: A revision, and nothing of the hub.
        ArtifactError: The hub cannot be reached, or does not have it.
    """
    from genrec.artifacts.hub import at_hand, is_hub_id

    names: Sequence[Any] = given if isinstance(given, list | tuple) else [given]
    any_there = any(is_hub_id(name) for name in names)
    found = [at_hand(name, kind, revision if is_hub_id(name) or not any_there else None) for name in names]
    return found if names is given else found[0]


def _of_text(annotation: Any) -> Any:
    """The same parameter as text: as a path, ``./ann/shop`` and ``ann/shop`` would be the same."""
    kind, *notes = get_args(annotation)
    notes = [_completing_paths(one) for one in notes]
    return Annotated[(_text_for_path(kind), *notes)]  # type: ignore[return-value]


def _text_for_path(kind: Any) -> Any:
    if kind is Path:
        return str
    parts = tuple(_text_for_path(one) for one in get_args(kind))
    if get_origin(kind) is UnionType:
        return functools.reduce(lambda one, other: one | other, parts)
    return get_origin(kind)[parts] if parts else kind


def _completing_paths(note: Any) -> Any:
    changed = copy.copy(note)
    if hasattr(changed, "click_type"):
        changed.click_type = click.Path()
    return changed

"""``--trust-remote-code``: the one place where a user says that code of models may run."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Annotated, Any

import typer

from genrec.trust import trusting

_NAME = "trust_remote_code"
_Option = Annotated[
    bool,
    typer.Option(
        "--trust-remote-code", help="Permission to run Python code that the models named here bring. Read it first."
    ),
]


def loads_models(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command that loads models the option, and let it hold for as long as the command runs."""
    signature = inspect.signature(command, eval_str=True)
    option = inspect.Parameter(_NAME, inspect.Parameter.KEYWORD_ONLY, default=False, annotation=_Option)
    known = [*signature.parameters.values(), option]

    @functools.wraps(command)
    def run(*args: Any, **kwargs: Any) -> Any:
        with trusting(bool(kwargs.pop(_NAME, False))):
            return command(*args, **kwargs)

    run.__signature__ = signature.replace(parameters=known)  # type: ignore[attr-defined]
    run.__annotations__ = {one.name: one.annotation for one in known}
    return run

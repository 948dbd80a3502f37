"""Templates that somebody else wrote: what a sandbox lets them do takes no time and memory without end."""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from types import FrameType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jinja2.nodes import Template

SECONDS = 10.0
"""Work on one text, in time of the processor; usual ones take less than a thousandth."""
LENGTH = 10_000_000
"""Signs of one text."""
_OF_TEMPLATES = "<template>"
"""The file name that jinja2 gives to templates without a file."""


class EndlessTemplateError(Exception):
    """A template takes too long, or its text gets too long."""


@contextmanager
def bounded() -> Iterator[None]:
    """Around the rendering of one template in this thread, or several that were rendered for one text.

    Every line of a template looks at the clock. A single operation is not interrupted.

    Raises:
        EndlessTemplateError: There is no end in sight; says why.
    """
    end, begun = time.thread_time() + SECONDS, [True]

    def watch(frame: FrameType, event: str, _: Any) -> Any:
        if not begun:  # what an earlier text left behind is only now taken away
            return None
        if event != "line":  # an error while a generator is closed would be lost, and end the watch
            return watch
        if time.thread_time() > end:
            raise EndlessTemplateError(f"it takes more than {SECONDS:g} seconds for one text")
        for value in frame.f_locals.values():
            require_short(value)
        return watch

    def follow(frame: FrameType, *_: Any) -> Any:
        return watch if frame.f_code.co_filename == _OF_TEMPLATES else None

    before = sys.gettrace()
    sys.settrace(follow)
    try:
        yield
    finally:
        begun.clear()
        sys.settrace(before)


def require_short(text: object) -> None:
    """Refuse a text of absurd length.

    Raises:
        EndlessTemplateError: It is one.
    """
    if isinstance(text, str) and len(text) > LENGTH:
        raise EndlessTemplateError(f"it makes a text of more than {LENGTH:,} signs")


@lru_cache(maxsize=64)  # asked for every prompt; without this it is most of the time
def refuse_large_numbers(source: str) -> None:
    """Refuse powers and huge numbers, which no prompt needs: nothing ends one operation that takes for ever.

    Args:
        source: Jinja text.

    Raises:
        EndlessTemplateError: There is one.
        TemplateError: It is no Jinja text.
    """
    from jinja2 import Environment

    for _, kind, value in Environment(autoescape=True).lex(source):
        if kind == "operator" and value == "**":
            raise EndlessTemplateError("it raises numbers to a power (**)")
        if kind in ("integer", "float") and not re.fullmatch(r"[\d_.]{1,8}", value):
            raise EndlessTemplateError(f"it holds the number {value[:20]}")


def may_be_long(tree: Template) -> bool:
    """Whether a template can work more than its inputs are long: loops inside loops, calls, macros of its own."""
    from jinja2 import nodes

    loops = list(tree.find_all(nodes.For))
    nested = any(loop.recursive or any(True for _ in loop.find_all(nodes.For)) for loop in loops)
    macros = sum(1 for _ in tree.find_all(nodes.Macro))
    return nested or macros > 1 or any(True for _ in tree.find_all((nodes.Call, nodes.CallBlock, nodes.Mul)))

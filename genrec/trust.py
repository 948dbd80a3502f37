"""Whether code that comes with a model may run: only who calls a load can say so, never what is loaded.

A saved recommender, an index, a recipe and a preset are content. What they say about trust is not read; what they say
that would make a library fetch or run code is refused.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, TypeVar

from genrec.errors import ModelError

F = TypeVar("F", bound=Callable[..., Any])

_trusted: ContextVar[bool] = ContextVar("genrec_trust_remote_code", default=False)


def trusts_remote_code() -> bool:
    """Whether the caller of the load that is going on trusts the code of the models that it names."""
    return _trusted.get()


@contextmanager
def trusting(trust_remote_code: bool) -> Iterator[None]:
    """Around a load: what its caller has said, and nothing that came before.

    >>> with trusting(True), trusting(False):
    ...     trusts_remote_code()
    False
    """
    token = _trusted.set(trust_remote_code)
    try:
        yield
    finally:
        _trusted.reset(token)


def says_trust(run: F) -> F:
    """Let the argument ``trust_remote_code`` of a function hold for as long as the function runs."""

    @functools.wraps(run)
    def trusted(*args: Any, **kwargs: Any) -> Any:
        with trusting(bool(kwargs.get("trust_remote_code")) or trusts_remote_code()):
            return run(*args, **kwargs)

    return trusted  # type: ignore[return-value]


def brings_code(where: object, what: str = "This model brings Python code of its own") -> ModelError:
    """The error of a model that only code of its own can load."""
    return ModelError(
        f"{what}, which is not run.",
        where=where,
        expected="a model that the installed libraries know",
        hint="Read that code. If you trust it, say so yourself: --trust-remote-code, or trust_remote_code=True in "
        "Python. What a recommender, an index, a recipe or a preset says about it is not read.",
    )


def refuse_code(content: Any, where: object) -> None:
    """Refuse a model's configuration that has a library fetch and run compiled code: kernels of the hub.

    Args:
        content: Of a JSON file.
        where: The file or model.

    Raises:
        ModelError: It does, and the caller has not said that the code is trusted.
    """
    if not trusts_remote_code():
        _refuse_kernels(content, where)


def _refuse_kernels(content: Any, where: object) -> None:
    if isinstance(content, list):
        for value in content:
            _refuse_kernels(value, where)
    if not isinstance(content, Mapping):
        return
    for key, value in content.items():
        names = value.values() if isinstance(value, Mapping) else [value]
        # names of implementations that are no plain words are places on the hub
        if str(key).endswith("_implementation") and not all(_plain_word(name) for name in names):
            raise brings_code(where, f"The model's configuration asks for code from elsewhere ({key}: {value})")
        if key in ("use_kernels", "kernel_config") and value:
            raise brings_code(where, f"The model's configuration asks for kernels of the hub ({key})")
        _refuse_kernels(value, where)


def _plain_word(name: Any) -> bool:
    return name is None or (isinstance(name, str) and name.isidentifier())

"""One family of errors: each says what is wrong, where, what was expected and what to do."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from typing import Any


class GenRecError(Exception):
    """Something the user can fix.

    Args:
        what: One sentence: what is wrong.
        where: File, row, column or configuration key.
        expected: What would have been right.
        hint: What to do next.
    """

    def __init__(
        self, what: str, *, where: object = None, expected: str | None = None, hint: str | None = None
    ) -> None:
        self.what, self.where, self.expected, self.hint = what, where, expected, hint
        lines = [what]
        for label, value in (("where", where), ("expected", expected), ("to do", hint)):
            if value is not None:
                lines.append(f"  {label}: {value}")
        super().__init__("\n".join(lines))

    def __reduce__(self) -> tuple[Any, ...]:
        return _restored, (type(self), self.args, self.__dict__)


def _restored(cls: type[GenRecError], args: tuple[Any, ...], state: dict[str, Any]) -> GenRecError:
    """An error that another process has sent."""
    error = cls.__new__(cls)
    error.args = args
    error.__dict__.update(state)
    return error


class DataError(GenRecError):
    """A table cannot be used as it is."""


class ConfigError(GenRecError):
    """A setting, recipe or preset is wrong or unknown."""


class ArtifactError(GenRecError):
    """A saved index or recommender is missing, damaged or does not fit."""


class ModelError(GenRecError):
    """A model cannot be built, trained or decoded as asked."""


class MissingExtraError(GenRecError):
    """An optional dependency is not installed."""

    def __init__(self, package: str, extra: str) -> None:
        super().__init__(f"The package '{package}' is needed for this.", hint=f"pip install 'genrec[{extra}]'")


def unknown_name(kind: str, name: str, known: Iterable[str], where: object = None) -> ConfigError:
    """An error for a name that does not exist, with the nearest names that do.

    >>> print(unknown_name("quantizer", "rq-kmean", ["rq-kmeans", "fsq"]))
    Unknown quantizer 'rq-kmean'.
      expected: one of fsq, rq-kmeans
      to do: Did you mean 'rq-kmeans'?
    """
    names = sorted(known)
    near = _nearest(name, names)
    return ConfigError(
        f"Unknown {kind} '{name}'.",
        where=where,
        expected="one of " + ", ".join(names),
        hint=f"Did you mean '{near}'?" if near else None,
    )


def _nearest(name: str, names: Sequence[str]) -> str | None:
    """The name that somebody meant, or None; who types the beginning of a long name means that one.

    >>> _nearest("item-decodr", ["sdpo-item-decoder", "item-decoder-small"])
    'item-decoder-small'
    """

    def likeness(known: str) -> float:
        whole, start = (difflib.SequenceMatcher(None, name, part).ratio() for part in (known, known[: len(name)]))
        return max(whole, start if start >= 0.75 else 0.0)

    near = max(names, key=likeness, default=None)
    return near if near is not None and likeness(near) >= 0.4 else None

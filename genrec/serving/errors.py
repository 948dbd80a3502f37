"""Answers that refuse: a status, and for every fault the field and the reason."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from genrec.errors import GenRecError

Place = Sequence[str | int]


class Refusal(Exception):  # noqa: N818 - an answer, not a failure
    """Ends a request with an answer.

    Args:
        status: HTTP status.
        message: What is wrong.
        place: Where, such as ``("body", "k")``.
        kind: One word for programs.
        headers: More headers of the answer.
    """

    def __init__(
        self,
        status: int,
        message: str,
        place: Place = (),
        kind: str = "refused",
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status, self.headers = status, dict(headers or {})
        self.detail: list[dict[str, Any]] = [{"loc": list(place), "msg": message, "type": kind}]


def wrong(message: str, *place: str | int) -> Refusal:
    """A request with a wrong field: 422."""
    return Refusal(422, message, place, "value_error")


def of_error(error: GenRecError, *place: str | int) -> Refusal:
    """A request that genrec refuses: 422 with its words."""
    words = [error.what, error.expected and f"Expected: {error.expected}.", error.hint]
    return wrong(" ".join(str(word) for word in words if word), *place)


class QueueFullError(Exception):
    """Too many users wait.

    Args:
        retry_s: When it is worth trying again.
    """

    def __init__(self, retry_s: int) -> None:
        super().__init__("Too many users wait.")
        self.retry_s = retry_s

"""Parameters after the ``?`` of an address: what a place does not know is refused, as in a body (extra ``serve``)."""

from collections import Counter
from collections.abc import Awaitable, Callable
from inspect import isclass
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import BaseModel

from genrec.serving.answering import answer
from genrec.wording import count

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

_MOST = 20
_FREE = "_reads_nothing"
E = TypeVar("E", bound=Callable[..., Any])


def reads_nothing(endpoint: E) -> E:
    """Mark a page or a probe: what browsers, mailers and balancers append to its address is no wish, and is ignored."""
    setattr(endpoint, _FREE, True)
    return endpoint


class UnknownParametersError(Exception):
    """An address has parameters that its place does not know, or one twice.

    Args:
        faults: Place, message and type of each.
    """

    def __init__(self, faults: list[dict[str, Any]]) -> None:
        super().__init__("Unknown parameters.")
        self.faults = faults


def only_known() -> Callable[..., Awaitable[None]]:
    """A dependency of every route; it raises an :class:`UnknownParametersError`."""
    from fastapi import Request

    async def check(request: Request) -> None:
        refuse_unknown(request)

    return check


def refuse_unknown(request: "Request") -> None:
    """Look at the parameters of a request.

    Raises:
        UnknownParametersError: There are other parameters than its route has, or one that has a single value twice.
    """
    if not request.scope["query_string"]:
        return
    route = request.scope["route"]
    if getattr(route.endpoint, _FREE, False):
        return
    known, many = _parameters(route)
    faults = []
    for name, times in Counter(name for name, _ in request.query_params.multi_items()).items():
        if name not in known:
            listed = f"Known: {', '.join(sorted(known)) or 'none'}."
            hint = "Fields stand in the body." if request.method == "POST" else listed
            faults.append(_fault(name, f"There is no such parameter here. {hint}", "extra_forbidden"))
        elif times > 1 and name not in many:
            faults.append(_fault(name, f"It has one value, and is given {count(times, 'time')}.", "value_error"))
    if faults:
        raise UnknownParametersError(faults[:_MOST])


async def on_unknown(request: "Request", error: Exception) -> "Response":
    """The answer to parameters that are not known."""
    if not isinstance(error, UnknownParametersError):
        raise error
    return answer({"detail": error.faults}, 422)


def _fault(name: str, message: str, kind: str) -> dict[str, Any]:
    return {"loc": ["query", name[:200]], "msg": message, "type": kind}


def _parameters(route: Any) -> tuple[frozenset[str], frozenset[str]]:
    """Names of all parameters of a route, and of those that may be repeated."""
    known, many = set(), set()
    for field in route.dependant.query_params:
        kind = field.field_info.annotation
        fields = kind.model_fields if isclass(kind) and issubclass(kind, BaseModel) else {field.alias: field.field_info}
        known |= set(fields)
        many |= {name for name, info in fields.items() if "list" in str(info.annotation)}
    return frozenset(known), frozenset(many)

"""JSON answers (the extra ``serve``)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from genrec.serving.errors import Refusal
from genrec.serving.schema import Refused

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

REFUSALS: dict[int | str, dict[str, Any]] = {
    400: {"model": Refused, "description": "The request cannot be read"},
    413: {"model": Refused, "description": "The body is too large"},
    415: {"model": Refused, "description": "The body is packed"},
    422: {"model": Refused, "description": "A field is wrong"},
    503: {"model": Refused, "description": "Too many users wait, see Retry-After"},
    504: {"model": Refused, "description": "The time limit is over"},
}
"""Answers that any request for recommendations can get, for the OpenAPI page."""


def to_json(content: Any) -> bytes:
    """ASCII, so that whatever a request brought can be sent back; numbers that JSON does not know are an error."""
    return json.dumps(content, ensure_ascii=True, allow_nan=False, separators=(",", ":")).encode("ascii")


def answer(content: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """A JSON answer."""
    from starlette.responses import Response

    return Response(to_json(content), status, headers, media_type="application/json")


async def on_refusal(request: Request, error: Exception) -> Response:
    """The answer to what genrec refuses."""
    if not isinstance(error, Refusal):
        raise error
    return answer({"detail": error.detail}, error.status, error.headers)


async def on_invalid(request: Request, error: Exception) -> Response:
    """The answer to a request that is not as the schema says: every fault with its place, never what was sent."""
    from fastapi.exceptions import RequestValidationError

    if not isinstance(error, RequestValidationError):
        raise error
    faults = [
        {"loc": list(fault.get("loc", ())), "msg": str(fault.get("msg", "")), "type": str(fault.get("type", ""))}
        for fault in list(error.errors())[:20]
    ]
    sent = request.headers.get("content-type")
    if not is_json(sent) and any(fault["loc"] == ["body"] and fault["type"] in _NO_OBJECT for fault in faults):
        message = "The body is not read as JSON: send it with the header content-type: application/json."
        faults = [{"loc": ["header", "content-type"], "msg": message, "type": "content_type"}]
    return answer({"detail": faults}, 422)


_NO_OBJECT = ("model_attributes_type", "dict_type")


def is_json(content_type: str | None) -> bool:
    """Whether a body of this type is read as JSON."""
    kind = (content_type or "").partition(";")[0].strip().lower()
    return kind == "application/json" or (kind.startswith("application/") and kind.endswith("+json"))


async def on_http_error(request: Request, error: Exception) -> Response:
    """The answer where there is no such place or method, or the body cannot be read."""
    from starlette.exceptions import HTTPException

    if not isinstance(error, HTTPException):
        raise error
    fault = {"loc": [], "msg": str(error.detail), "type": "http_error"}
    return answer({"detail": [fault]}, error.status_code, error.headers)


async def on_failure(request: Request, error: Exception) -> Response:
    """The answer to a fault of the service; what it was stands in the log, not in the answer."""
    fault = {"loc": [], "msg": "The service has failed; its log says why.", "type": "internal_error"}
    return answer({"detail": [fault]}, 500)

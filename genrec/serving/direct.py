"""Routes that read their body straight from its bytes (the extra ``serve``)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ValidationError

_JSON = frozenset(("application/json", "application/json; charset=utf-8", "application/json;charset=utf-8"))

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine

    from fastapi import APIRouter
    from starlette.requests import Request
    from starlette.responses import Response


def add_direct(router: APIRouter, path: str, kind: type[BaseModel], **options: Any) -> Callable[[Any], Any]:
    """Decorator: a POST route whose only argument is its body.

    FastAPI describes it as any other. What it does for arguments of all sorts is left out: that costs as much as all
    else which happens to a request before it is decoded.

    Args:
        router: Gets the route.
        path: Of the route.
        kind: Model of the body.
        options: Of the route.
    """
    from fastapi.routing import APIRoute

    def decorate(endpoint: Callable[[Any], Awaitable[Response]]) -> Callable[[Any], Awaitable[Response]]:
        class Direct(APIRoute):
            def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
                usual = super().get_route_handler()

                async def handle(request: Request) -> Response:
                    if request.headers.get("content-type") in _JSON and not request.scope["query_string"]:
                        try:
                            body = kind.model_validate_json(await request.body())
                        except ValidationError:
                            pass
                        else:
                            return await endpoint(body)
                    return await usual(request)  # which says what is wrong, or reads what is written another way

                return handle

        router.add_api_route(path, endpoint, methods=["POST"], route_class_override=Direct, **options)
        return endpoint

    return decorate

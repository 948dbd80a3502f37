"""The web application: routers around one service (the extra ``serve``)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from genrec.errors import MissingExtraError
from genrec.serving.answering import on_failure, on_http_error, on_invalid, on_refusal
from genrec.serving.errors import Refusal
from genrec.serving.guard import Guard
from genrec.serving.parameters import UnknownParametersError, on_unknown, only_known
from genrec.serving.routes import admin, docs, events, items, monitor, page, recommend
from genrec.serving.service import Service

if TYPE_CHECKING:
    from fastapi import FastAPI

ROUTERS = (recommend.router, items.router, events.router, monitor.router, admin.router, docs.router, page.router)
"""What makes the routes, in their order; each is given the service."""


def build_app(service: Service, *, hosts: Sequence[str] | None = None, origins: Sequence[str] = ()) -> FastAPI:
    """The application of a service; when it ends, the service stops.

    Args:
        service: Models that are loaded.
        hosts: Names under which it may be asked for; None: any.
        origins: Sites whose pages may ask, such as ``https://shop.example``; none unless named.

    Raises:
        MissingExtraError: The extra ``serve`` is not installed.
    """
    try:
        from fastapi import Depends, FastAPI
        from fastapi.exceptions import RequestValidationError
        from starlette.exceptions import HTTPException
        from starlette.middleware.cors import CORSMiddleware
    except ImportError:
        raise MissingExtraError("fastapi", "serve") from None
    from genrec import __version__

    @asynccontextmanager
    async def lifespan(app: Any) -> AsyncIterator[None]:
        yield
        service.stop()

    app = FastAPI(
        title="genrec",
        version=__version__,
        summary="Generative recommendation",
        lifespan=lifespan,
        dependencies=[Depends(only_known())],
        docs_url=None,  # FastAPI's own pages load scripts from elsewhere
        redoc_url=None,
        redirect_slashes=False,  # a redirect would repeat the host that a client has made up
    )
    app.state.service = service
    for make in ROUTERS:
        app.include_router(make(service))
    app.add_exception_handler(Refusal, on_refusal)
    app.add_exception_handler(UnknownParametersError, on_unknown)
    app.add_exception_handler(RequestValidationError, on_invalid)
    app.add_exception_handler(HTTPException, on_http_error)
    app.add_exception_handler(Exception, on_failure)
    if origins:
        app.add_middleware(
            CORSMiddleware, allow_origins=list(origins), allow_methods=["GET", "POST"], allow_headers=["Content-Type"]
        )
    app.add_middleware(Guard, settings=service.settings, metrics=service.metrics, hosts=hosts)  # type: ignore[arg-type]
    return app

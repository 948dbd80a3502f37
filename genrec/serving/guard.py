"""What stands before every request: bounds of size and time, known hosts, and the numbers of it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from typing import Any

from genrec.serving.answering import to_json
from genrec.serving.bodies import fault_of
from genrec.serving.metrics import Metrics
from genrec.serving.settings import ServeSettings

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

_METHODS = frozenset(("GET", "POST", "HEAD", "OPTIONS", "PUT", "DELETE", "PATCH"))


class Guard:
    """An ASGI application around another one.

    A body is read whole, within its bounds, before the application sees the request: it never waits for a slow client.
    One that cannot be read is refused (see :mod:`genrec.serving.bodies`). ``HEAD`` gets the headers of ``GET``.

    Args:
        app: What is guarded.
        settings: Bounds.
        metrics: Gets the numbers.
        hosts: Names under which the service may be asked for, without ports; None: any. A page of another site that a
            browser is led to by a changed name then gets nothing.
        unlimited: Beginnings of paths whose answers may take as long as they do.
    """

    def __init__(
        self,
        app: App,
        settings: ServeSettings,
        metrics: Metrics,
        hosts: Sequence[str] | None = None,
        unlimited: tuple[str, ...] = ("/admin/",),
    ) -> None:
        self.app, self.settings, self.metrics, self.unlimited = app, settings, metrics, unlimited
        self.hosts = None if hosts is None else frozenset(host.lower() for host in hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See the ASGI specification."""
        if scope["type"] == "http":
            await _Exchange(self, scope, receive, send).run()
        elif scope["type"] == "lifespan":
            await self.app(scope, receive, send)
        else:  # a websocket
            await send({"type": "websocket.close", "code": 1000})

    def knows(self, scope: Scope) -> bool:
        """Whether the request names this service."""
        if self.hosts is None:
            return True
        named = [value for name, value in scope["headers"] if name == b"host"]
        host = named[0].decode("latin-1").lower() if len(named) == 1 else ""
        return (host if host.endswith("]") else host.rpartition(":")[0] or host) in self.hosts


class _Exchange:
    """One request and its answer."""

    def __init__(self, guard: Guard, scope: Scope, receive: Receive, send: Send) -> None:
        self.guard, self.scope, self._receive, self._send = guard, scope, receive, send
        self.status = 0
        self.asked = {**scope, "method": "GET"} if scope["method"] == "HEAD" else scope
        self.began = time.monotonic()

    async def run(self) -> None:
        metrics, settings = self.guard.metrics, self.guard.settings
        metrics.running(1)
        reading = True
        try:
            async with asyncio.timeout(settings.timeout_s) as limit:
                if not self.guard.knows(self.scope):
                    return await self._refuse(421, "unknown_host", "This service is not known by this name.")
                body = await self._body(settings.max_body)
                if body is None:
                    return await self._refuse(413, "too_large", f"The body is above {settings.max_body:,} bytes.")
                if (fault := fault_of(self.scope["headers"], body)) is not None:
                    return await self._refuse(*fault)
                reading = False
                if self.scope["path"].startswith(self.guard.unlimited):
                    limit.reschedule(None)
                await self.guard.app(self.asked, _Replay(body, self._receive), self.send)
        except TimeoutError:
            if self.status:
                raise  # half an answer: the connection is closed
            status, kind = (408, "slow_request") if reading else (504, "time_limit")
            await self._refuse(status, kind, f"The time limit of {settings.timeout_s:g} s is over.")
        except _GoneError:
            self.status = 499
        finally:
            metrics.running(-1)
            self._count()
        return None

    async def send(self, message: Message) -> None:
        """Pass a message on."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
        elif self.scope["method"] == "HEAD" and message["type"] == "http.response.body":
            message = {**message, "body": b""}
        await self._send(message)

    def _count(self) -> None:
        route = getattr(self.asked.get("route"), "path", None) or "none"
        method = self.scope["method"] if self.scope["method"] in _METHODS else "other"
        self.guard.metrics.answered(route, method, self.status or 500, time.monotonic() - self.began)

    async def _body(self, most: int) -> bytes | None:
        """The whole body; None: it is too large."""
        for name, value in self.scope["headers"]:
            if name == b"content-length" and value.isdigit() and (len(value) > 15 or int(value) > most):
                return None
        parts: list[bytes] = []
        size = 0
        while True:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                raise _GoneError
            size += len(message.get("body", b""))
            if size > most:
                return None
            parts.append(message.get("body", b""))
            if not message.get("more_body", False):
                return b"".join(parts)

    async def _refuse(self, status: int, kind: str, message: str, place: tuple[str, ...] = ()) -> None:
        body = to_json({"detail": [{"loc": list(place), "msg": message, "type": kind}]})
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
        headers.append((b"connection", b"close"))
        await self.send({"type": "http.response.start", "status": status, "headers": headers})
        await self.send({"type": "http.response.body", "body": body})


class _GoneError(Exception):
    """The client has gone before its request was whole."""


class _Replay:
    """Gives a body that was read already, then whatever comes."""

    def __init__(self, body: bytes, receive: Receive) -> None:
        self._body: bytes | None = body
        self._receive = receive

    async def __call__(self) -> Message:
        if self._body is None:
            return await self._receive()
        body, self._body = self._body, None
        return {"type": "http.request", "body": body, "more_body": False}

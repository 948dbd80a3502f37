"""The process that serves: a socket, uvicorn, and a clean end on signals (the extra ``serve``)."""

from __future__ import annotations

import contextlib
import ipaddress
import socket
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from genrec.errors import ConfigError, MissingExtraError
from genrec.serving.settings import ServeSettings

if TYPE_CHECKING:
    from fastapi import FastAPI

LOOPBACK = ("localhost", "127.0.0.1", "[::1]", "::1")
"""Names of a service that only this machine can ask."""


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach an address."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"


def open_socket(host: str, port: int) -> socket.socket:
    """A bound socket, before anything is loaded; nobody is let in yet.

    Raises:
        ConfigError: The address is taken, or not of this machine.
    """
    try:
        family, kind, proto, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        made = socket.socket(family, kind, proto)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind(address)
    except (OSError, OverflowError) as error:
        raise ConfigError(
            f"Cannot listen: {getattr(error, 'strerror', None) or error}.",
            where=f"{host}:{port}",
            hint="Is another service there? Choose another --port, or another --host of this machine.",
        ) from None
    return made


def serve(
    app: FastAPI,
    sock: socket.socket,
    settings: ServeSettings,
    signals: Callable[..., Any],
    started: Callable[[], None] | None = None,
) -> None:
    """Answer requests until a signal comes; those in flight are answered first.

    Args:
        app: Of :func:`genrec.serving.app.build_app`.
        sock: From :func:`open_socket`.
        settings: Of the service.
        signals: Context manager that lets a function answer signals, as
            :func:`genrec.cli.stopping.on_signals`.
        started: Called when the first request can come.

    Raises:
        MissingExtraError: The extra ``serve`` is not installed.
    """
    try:
        import uvicorn
    except ImportError:
        raise MissingExtraError("uvicorn", "serve") from None

    from uvicorn.protocols.http.auto import AutoHTTPProtocol

    class Server(uvicorn.Server):
        @contextlib.contextmanager
        def capture_signals(self) -> Iterator[None]:
            with signals(self._end):
                yield

        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            if started is not None:
                started()

        def _end(self, number: int, frame: Any) -> None:
            self.force_exit = self.should_exit  # the second signal does not wait
            self.should_exit = True
            app.state.service.ready = False

    config = uvicorn.Config(
        app,
        http=patient(bounded(AutoHTTPProtocol, settings.max_body), settings.header_s),
        log_config=None,
        access_log=False,
        server_header=False,
        limit_concurrency=settings.connections,
        timeout_graceful_shutdown=max(1, round(settings.stop_s)),
        timeout_keep_alive=30,
        ws="none",
        lifespan="on",
        proxy_headers=False,
    )
    Server(config).run(sockets=[sock])


_LONGEST_HEAD = 65_536
_PER_BYTE = 8  # sent for a byte of a body that comes in chunks of one


def bounded(protocol: Any, most: int) -> Any:
    """A protocol of uvicorn that reads only so much of a request: the quicker of its parsers keeps heads of any length.

    Args:
        protocol: The class.
        most: Bytes of a body.
    """

    class Bounded(protocol):  # type: ignore[misc]
        _received = 0
        _answering = False

        def data_received(self, data: bytes) -> None:
            if self._answering and not _is_answering(self):
                self._received = 0  # another request
            self._received += len(data)
            super().data_received(data)
            self._answering = _is_answering(self)
            if self._received > _LONGEST_HEAD + _PER_BYTE * most * self._answering:
                self.transport.abort()

    return Bounded


def patient(protocol: Any, seconds: float) -> Any:
    """A protocol of uvicorn that waits so long, and no longer, for the head of a request.

    Without it a client that sends a letter now and then holds its connection for ever.

    Args:
        protocol: The class.
        seconds: From the first byte, or from the connection, to the end of the head.
    """

    class Patient(protocol):  # type: ignore[misc]
        _deadline: Any = None

        def connection_made(self, transport: Any) -> None:
            super().connection_made(transport)
            self._expect()

        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            if _is_answering(self):
                self._expect(False)
            elif self._deadline is None:
                self._expect()

        def connection_lost(self, exc: Exception | None) -> None:
            self._expect(False)
            super().connection_lost(exc)

        def _expect(self, some: bool = True) -> None:
            if self._deadline is not None:
                self._deadline.cancel()
            self._deadline = self.loop.call_later(seconds, self._give_up) if some else None

        def _give_up(self) -> None:
            self._deadline = None
            if not _is_answering(self) and not self.transport.is_closing():
                self.transport.close()

    return Patient


def _is_answering(protocol: Any) -> bool:
    """Whether the head of a request was read and its answer is not complete."""
    return protocol.cycle is not None and not protocol.cycle.response_complete

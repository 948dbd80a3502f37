"""What stands between a socket and the application, with either parser of uvicorn: odd heads and endless requests."""

import asyncio
import socket
import threading
import time

import pytest

pytest.importorskip("uvicorn")

import uvicorn

from genrec.serving.guard import Guard
from genrec.serving.metrics import Metrics
from genrec.serving.server import bounded, patient
from genrec.serving.settings import ServeSettings

HEAD = b"POST / HTTP/1.1\r\nhost: localhost\r\n"
GOOD = HEAD + b"content-length: 2\r\n\r\n{}"
ODD = {
    "a line break in the place": b"GET /a\nb HTTP/1.1\r\nhost: localhost\r\n\r\n",
    "a blank in the place": b"GET /a b HTTP/1.1\r\nhost: localhost\r\n\r\n",
    "no place": b"GET HTTP/1.1\r\n\r\n",
    "no version": b"GET /\r\n\r\n",
    "a version of later": b"GET / HTTP/7.3\r\nhost: localhost\r\n\r\n",
    "letters of other tongues": "GET /ä HTTP/1.1\r\nhost: localhost\r\n\r\n".encode(),
    "nothing that is known": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 50,
    "a header without a name": b"GET / HTTP/1.1\r\n: x\r\n\r\n",
    "a null in a header": b"GET / HTTP/1.1\r\nhost: localhost\r\nx: a\0b\r\n\r\n",
    "a header in two lines": b"GET / HTTP/1.1\r\nhost: localhost\r\nx: a\r\n b\r\n\r\n",
    "two lengths": HEAD + b"content-length: 2\r\ncontent-length: 3\r\n\r\n{}",
    "a length and chunks": HEAD + b"content-length: 2\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
    "a length below nothing": HEAD + b"content-length: -2\r\n\r\n{}",
    "a length that is no number": HEAD + b"content-length: two\r\n\r\n{}",
    "a length of ever": HEAD + b"content-length: 99999999999999999999999\r\n\r\n{}",
    "a chunk of no size": HEAD + b"transfer-encoding: chunked\r\n\r\nxyz\r\n{}\r\n0\r\n\r\n",
    "a chunk of ever": HEAD + b"transfer-encoding: chunked\r\n\r\nffffffffffffffffff\r\n{}\r\n0\r\n\r\n",
    "another protocol": HEAD + b"connection: upgrade\r\nupgrade: websocket\r\ncontent-length: 2\r\n\r\n{}",
    "two hosts": HEAD + b"host: other\r\ncontent-length: 2\r\n\r\n{}",
}
ENDLESS = {
    "head": (b"GET / HTTP/1.1\r\nhost: localhost\r\n", b"x: " + b"y" * 4000 + b"\r\n"),
    "place": (b"GET /", b"a" * 4000),
    "body": (HEAD + b"transfer-encoding: chunked\r\n\r\n", b"fa0\r\n" + b"y" * 4000 + b"\r\n"),
    "trailers": (HEAD + b"transfer-encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n", b"x: " + b"y" * 4000 + b"\r\n"),
}


async def echo(scope, receive, send):
    """Says how long the body was."""
    size, more = 0, True
    while more:
        message = await receive()
        size, more = size + len(message.get("body", b"")), message.get("more_body", False)
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"1")]})
    await send({"type": "http.response.body", "body": str(size)[-1:].encode()})


@pytest.fixture(scope="module", params=["h11", "httptools"])
def port(request):
    """Of a server in a thread; a body may have 2,000 bytes, and a head half a second."""
    implementation = pytest.importorskip(f"uvicorn.protocols.http.{request.param}_impl")
    protocol = getattr(implementation, {"h11": "H11Protocol", "httptools": "HttpToolsProtocol"}[request.param])
    settings = ServeSettings(max_body=2000, header_s=0.5, timeout_s=1)
    config = uvicorn.Config(
        Guard(echo, settings, Metrics(), None),
        http=patient(bounded(protocol, settings.max_body), settings.header_s),
        log_config=None,
        access_log=False,
        lifespan="off",
        ws="none",
    )
    server = uvicorn.Server(config)
    sock = socket.create_server(("127.0.0.1", 0))
    thread = threading.Thread(target=lambda: asyncio.run(server.serve(sockets=[sock])), daemon=True)
    thread.start()
    yield sock.getsockname()[1]
    server.should_exit = True
    thread.join(20)


def answer(port, sent):
    """What comes back until the server closes the connection or is done, and after how many seconds."""
    began = time.monotonic()
    with socket.create_connection(("127.0.0.1", port), timeout=30) as client:
        client.sendall(sent)
        received = b""
        try:
            while (more := client.recv(4096)) and b"\r\n\r\n" not in received + more[:-1]:
                received += more
            received += more
        except ConnectionError:
            pass
    return received, time.monotonic() - began


@pytest.mark.parametrize("case", ODD)
def test_odd_heads_are_answered_or_let_go(case, port):
    received, seconds = answer(port, ODD[case])
    status = int(received.split(b" ", 2)[1]) if received else 0
    assert status in (0, 200) or 400 <= status < 500, received[:80]
    assert seconds < 10
    assert answer(port, GOOD)[0].startswith(b"HTTP/1.1 200")


def send_for_ever(client, more):
    for _ in range(8_000):
        client.sendall(more)


@pytest.mark.parametrize("case", ENDLESS)
def test_what_never_ends_is_cut_off(case, port):
    beginning, more = ENDLESS[case]
    with socket.create_connection(("127.0.0.1", port), timeout=30) as client:
        client.sendall(beginning)
        with pytest.raises(ConnectionError):
            send_for_ever(client, more)
    assert answer(port, GOOD)[0].startswith(b"HTTP/1.1 200")


def test_requests_one_after_the_other_on_one_connection(port):
    """The bound is of one request: many together may be longer."""
    body = b"x" * 1990
    one = HEAD + b"content-length: 1990\r\n\r\n" + body
    with socket.create_connection(("127.0.0.1", port), timeout=30) as client:
        for _ in range(45):
            client.sendall(one)
            received = b""
            while not received.endswith(b"\r\n\r\n0"):
                received += client.recv(4096)
            assert received.startswith(b"HTTP/1.1 200")

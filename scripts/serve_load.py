"""A bounded load on a service of this machine: clients that wait for their answers, and arrivals that do not."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

LOOPBACK = "127.0.0.1"
T = TypeVar("T")


@dataclass
class Load:
    """What came of a load.

    Attributes:
        seconds: Of every answered request.
        statuses: How many answers of each status; 0: no answer.
        wall: Seconds from the first request to the last answer.
    """

    seconds: list[float] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)
    wall: float = 0.0

    @property
    def rate(self) -> float:
        """Good answers a second."""
        return self.statuses[200] / max(self.wall, 1e-9)

    def ms(self, percent: float) -> float:
        """A percentile of the times, in milliseconds."""
        return float(np.percentile(self.seconds, percent)) * 1000 if self.seconds else float("nan")


class Client:
    """One kept connection; it does little of its own, for it shares the cores with the server."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.connection: Connection | None = None

    async def ask(self, method: str, path: str, body: bytes = b"", token: str = "") -> tuple[int, bytes]:
        """Status and body; opens the connection anew where it is closed."""
        if self.connection is None or self.connection.transport.is_closing():
            _, self.connection = await asyncio.get_running_loop().create_connection(Connection, LOOPBACK, self.port)
        head = f"{method} {path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"
        head += f"authorization: Bearer {token}\r\n" if token else ""
        try:
            status, content, closed = await self.connection.ask(
                f"{head}content-length: {len(body)}\r\n\r\n".encode("latin-1") + body
            )
        except BaseException:
            self.close()
            raise
        if closed:
            self.close()
        return status, content

    def close(self) -> None:
        """End the connection."""
        if self.connection is not None:
            self.connection.transport.close()
        self.connection = None


class Connection(asyncio.Protocol):
    """Sends one request at a time and waits for its answer, which says how long it is."""

    def __init__(self) -> None:
        self.transport: asyncio.Transport = None
        self.received = bytearray()
        self.waiting: asyncio.Future | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:
        """See asyncio."""
        self.transport = transport

    async def ask(self, request: bytes) -> tuple[int, bytes, bool]:
        """Status, body, and whether the server closes the connection."""
        self.waiting = asyncio.get_running_loop().create_future()
        self.received.clear()
        self.transport.write(request)
        return await self.waiting

    def data_received(self, data: bytes) -> None:
        """See asyncio."""
        self.received += data
        end = self.received.find(b"\r\n\r\n")
        if end < 0 or self.waiting is None or self.waiting.done():
            return
        head = bytes(self.received[:end]).lower()
        if (found := _LENGTH.search(head)) is None:
            self.waiting.set_exception(ValueError("an answer that does not say how long it is"))
            return
        length = int(found[1])
        if len(self.received) >= end + 4 + length:
            content = bytes(self.received[end + 4 : end + 4 + length])
            self.waiting.set_result((int(head.split(b" ", 2)[1]), content, b"connection: close" in head))

    def connection_lost(self, error: Exception | None) -> None:
        """See asyncio."""
        if self.waiting is not None and not self.waiting.done():
            self.waiting.set_exception(error or ConnectionResetError("closed by the server"))


_LENGTH = re.compile(rb"content-length: (\d+)")


def run(work: Coroutine[Any, Any, T]) -> T:
    """What a coroutine gives, by the loop of the service where there is one."""
    try:
        import uvloop
    except ImportError:
        return asyncio.run(work)
    return uvloop.run(work)


async def closed_loop(
    port: int, bodies: Sequence[bytes], clients: int, seconds: float, answers: float = float("inf")
) -> Load:
    """Every client asks again as soon as it has its answer, for so long or until there are so many answers."""
    load, began = Load(), time.monotonic()

    async def one(number: int) -> None:
        client, at = Client(port), number
        while time.monotonic() - began < seconds and load.statuses.total() + clients <= max(answers, clients):
            start = time.monotonic()
            try:
                status, _ = await client.ask("POST", "/recommend", bodies[at % len(bodies)])
                load.seconds.append(time.monotonic() - start)
            except OSError:
                status = 0
                await asyncio.sleep(0.05)
            load.statuses[status] += 1
            at += clients
        client.close()

    await asyncio.gather(*(one(number) for number in range(clients)))
    load.wall = time.monotonic() - began
    return load


async def open_loop(port: int, bodies: Sequence[bytes], rate: float, number: int, seed: int = 0) -> Load:
    """Requests come at random moments, whether the ones before are answered or not; time counts from the arrival."""
    rng, load = np.random.default_rng(seed), Load()
    moments = np.cumsum(rng.exponential(1 / rate, number))
    free: list[Client] = []
    began = time.monotonic()

    async def one(moment: float, body: bytes) -> None:
        client = free.pop() if free else Client(port)
        try:
            status, _ = await client.ask("POST", "/recommend", body)
            load.seconds.append(time.monotonic() - began - moment)
        except OSError:
            status = 0
        load.statuses[status] += 1
        free.append(client)

    tasks = []
    for at, moment in enumerate(moments):
        if (wait := moment - (time.monotonic() - began)) > 0:
            await asyncio.sleep(wait)
        tasks.append(asyncio.create_task(one(moment, bodies[at % len(bodies)])))
    await asyncio.gather(*tasks)
    for client in free:
        client.close()
    load.wall = time.monotonic() - began
    return load


@contextmanager
def server(command: Sequence[str], log: Path, **environment: str) -> Iterator[tuple[subprocess.Popen, int]]:
    """A process that says ``http://127.0.0.1:PORT`` when it answers; it is ended in the end."""
    with log.open("a") as errors:
        process = subprocess.Popen(
            [sys.executable, *command],
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            env={**os.environ, **environment},
        )
        try:
            for line in process.stdout:
                if found := re.search(r"http://127\.0\.0\.1:(\d+)", line):
                    break
            else:
                raise SystemExit(f"{' '.join(command)} has not started; see {log}")
            yield process, int(found[1])
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()


def cpu_seconds(pid: int) -> float:
    """CPU time of a process so far, all its threads."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def resident_mib(pid: int) -> float:
    """Memory of a process, in MiB."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE") / 2**20


def bodies_of(histories: Sequence[Sequence[str]], make: Callable[[Sequence[str]], dict] | None = None) -> list[bytes]:
    """Requests of some histories."""
    make = make or (lambda items: {"history": list(items), "k": 10})
    return [json.dumps(make(items)).encode() for items in histories]

"""What happens to the service under load: reloads, kill -9 and a new start, clients that are slow.

    python scripts/serve_faults.py

Writes scripts/results/serve-faults.json and .md together with fuzz_serve.py.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import threading
import time
from pathlib import Path
from typing import Any

import polars as pl
from serve_load import Client, bodies_of, closed_loop, resident_mib, server
from serve_results import TOKEN, noted, tiny_model

from genrec.data import Catalog
from genrec.index import SemanticIndex

HISTORIES = [[f"i{number:03d}", f"i{number + 6:03d}"] for number in range(50)]
_ITEMS = 60  # that the index has at first


def grow(index: Path, name: str) -> None:
    """Add an item to the index on disk, of another kind each time: a group of equal codes holds so many items only."""
    before = SemanticIndex.load(index)
    like = before.catalog.frame[len(before) % _ITEMS]
    new = like.with_columns(item_id=pl.lit(name), title=pl.col("title") + f" {name}")
    before.encode_new(Catalog.from_frame(new)).save(index, overwrite=True)


def reloads(command: list[str], log: Path, index: Path, seconds: float) -> dict[str, Any]:
    """Items are added and the index is reloaded, and rolled back, again and again while clients ask."""
    ends: list[str] = []

    async def administrate(port: int, until: float) -> None:
        client, number = Client(port), 0
        while time.monotonic() < until:
            await asyncio.to_thread(grow, index, f"new{number}")
            status, body = await client.ask("POST", "/admin/reload", b"{}", TOKEN)
            ends.append(json.loads(body)["result"] if status == 200 else f"{status}")
            if number % 3 == 2:
                status, _ = await client.ask("POST", "/admin/rollback", b"{}", TOKEN)
                ends.append("rolled back" if status == 200 else f"{status}")
                await client.ask("POST", "/admin/rollback", json.dumps({"version": number + 2}).encode(), TOKEN)
            number += 1
        client.close()

    async def both(port: int) -> Any:
        until = time.monotonic() + seconds
        load, _ = await asyncio.gather(closed_loop(port, bodies_of(HISTORIES), 16, seconds), administrate(port, until))
        return load

    with server(command, log, GENREC_ADMIN_TOKEN=TOKEN) as (process, port):
        before = resident_mib(process.pid)
        load = asyncio.run(both(port))
        after = resident_mib(process.pid)
    ended = {end: ends.count(end) for end in dict.fromkeys(ends)}
    return {
        "statuses": dict(load.statuses), "reloads": ended, "p99_ms": load.ms(99), "memory_before": before,
        "memory_after": after,
    }  # fmt: skip


def kills(command: list[str], log: Path, times: int) -> dict[str, Any]:
    """The process is killed under load and started again at the same port; clients try again."""
    fixed = [*command[: command.index("--port") + 1], "0", *command[command.index("--port") + 2 :]]
    with server(fixed, log) as (_, port):
        pass
    fixed[fixed.index("--port") + 1] = str(port)
    back, ours = [], threading.Event()
    total: dict[int, int] = {}

    def load() -> None:
        while not ours.is_set():
            for status, number in asyncio.run(closed_loop(port, bodies_of(HISTORIES), 8, 1.0)).statuses.items():
                total[status] = total.get(status, 0) + number

    asking = threading.Thread(target=load)
    asking.start()
    for _ in range(times):
        began = time.monotonic()
        with server(fixed, log) as (process, _):
            back.append(time.monotonic() - began)
            time.sleep(1.5)
            os.kill(process.pid, signal.SIGKILL)
    ours.set()
    asking.join()
    return {"kills": times, "seconds_to_come_back": max(back), "statuses": total}


def slow_clients(command: list[str], log: Path, number: int) -> dict[str, Any]:
    """Clients that send half a head, half a body, or never read; others are answered meanwhile as before."""

    async def run(port: int) -> tuple[Any, Any, int]:
        alone = await closed_loop(port, bodies_of(HISTORIES), 4, 3.0)
        held = []
        for n in range(number):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            head = b"POST /recommend HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"
            writer.write(
                (b"GET /hea", head + b"content-length: 900\r\n\r\n{", head + b"content-length: 2\r\n\r\n{}")[n % 3]
            )
            held.append((reader, writer))
        beside = await closed_loop(port, bodies_of(HISTORIES), 4, 3.0)
        await asyncio.sleep(4.0)
        gone = 0
        for at, (reader, writer) in enumerate(held):
            try:
                while at % 3 != 2 and await asyncio.wait_for(reader.read(1000), 3.0):
                    pass
                gone += at % 3 != 2
            except (TimeoutError, OSError):
                pass
            writer.close()
        return alone, beside, gone

    bounded = [*command, "--limit", "header_s=3", "--limit", "timeout_s=3"]
    with server(bounded, log) as (process, port):
        alone, beside, gone = asyncio.run(run(port))
        alive = process.poll() is None
    return {
        "slow_clients": number, "let_go_in_time": gone, "of_those_that_never_finished": number - number // 3,
        "p50_ms_without": alone.ms(50), "p50_ms_beside": beside.ms(50),
        "statuses": dict(beside.statuses), "alive": alive,
    }  # fmt: skip


def main() -> None:
    """Run and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60.0, help="Of the reloads.")
    parser.add_argument("--kills", type=int, default=5)
    parser.add_argument("--slow", type=int, default=300)
    parser.add_argument("--work", type=Path, default=Path("runs/serve"))
    given = parser.parse_args()
    model, _, index = tiny_model(given.work)
    log = given.work / "faults.log"
    command = ["-m", "genrec", "serve", f"shop={model}", "--index", f"shop={index}", "--port", "0", "--threads", "1"]
    noted("slow clients", slow_clients(command, log, given.slow))
    noted("killed under load", kills(command, log, given.kills))
    noted("reloaded under load", reloads(command, log, index, given.seconds))


if __name__ == "__main__":
    main()

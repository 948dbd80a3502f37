"""The service under load, beside the same weights behind a plain FastAPI handler with Hugging Face's ``generate``.

    python scripts/bench_serve.py --models t5 item-decoder

Everything is measured in turns in one run on one machine, each server with one thread for decoding: ``recommend()`` and
a batch in a process of their own, the service (closed loop with 1, 8, 32, 128 clients, and open loop), and the plain
handler. Ratios are medians over the rounds; those of CPU time do not depend on what else the machine does. Writes
scripts/results/serve.json and .md.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from serve_load import Load, bodies_of, closed_loop, cpu_seconds, open_loop, run, server

from genrec.wording import count

RESULTS = Path(__file__).resolve().parent / "results"
HERE = Path(__file__).resolve().parent
CLIENTS = (1, 8, 32, 128)
BASELINE_CLIENTS = (1, 32)
USERS = 1024
LONGEST = 120.0
"""Seconds of one load at most."""


class Reference:
    """The recommender in a process of its own: what one call and one batch cost there."""

    def __init__(self, folder: Path, model: Path) -> None:
        command = [sys.executable, __file__, "--reference", str(folder), str(model)]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.histories = json.loads(self.process.stdout.readline())

    def ask(self, what: str, n: int) -> Any:
        """Seconds of ``one`` call for user ``n`` or of a ``batch`` of ``n`` users; or the ``items`` of user ``n``."""
        self.process.stdin.write(json.dumps([what, n]) + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def one(self, number: int) -> float:
        """Seconds of one call."""
        return self.ask("one", number)["seconds"]

    def end(self) -> None:
        """End the process."""
        self.process.stdin.close()
        self.process.wait(20)


def reference(folder: Path, model: Path) -> None:
    """What the process of :class:`Reference` does."""
    import torch
    from serve_models import histories_of

    from genrec.generative.recommender import GenerativeRecommender

    torch.set_num_threads(1)
    recommender = GenerativeRecommender.from_pretrained(model)
    histories = histories_of(recommender, folder, USERS)
    known = recommender.to_histories(histories)
    recommender.recommend(histories[:24], 10)
    print(json.dumps(histories), flush=True)
    for line in sys.stdin:
        what, n = json.loads(line)
        cpu, began = time.process_time(), time.monotonic()
        if what == "items":
            print(json.dumps(list(recommender.recommend([histories[n]], 10).item_ids[0])), flush=True)
            continue
        if what == "one":
            recommender.recommend([histories[n % len(histories)]], 10)
        else:
            recommender.recommend(known.select(np.arange(n)), 10)
        print(json.dumps({"seconds": time.monotonic() - began, "cpu": time.process_time() - cpu}), flush=True)


def loaded(port: int, pid: int, bodies: Sequence[bytes], clients: int, answers: int) -> tuple[Load, float]:
    """A closed loop, and the server's CPU seconds an answer."""
    before = cpu_seconds(pid)
    load = run(closed_loop(port, bodies, clients, LONGEST, answers))
    return load, (cpu_seconds(pid) - before) / max(1, load.statuses[200])


def alternating(ref: Reference, port: int, bodies: Sequence[bytes], n: int) -> tuple[float, float]:
    """Medians of ``recommend()`` and of a request, one after the other, in seconds."""
    import http.client

    connection = http.client.HTTPConnection("127.0.0.1", port)
    alone, served = [], []
    for number in range(n):
        alone.append(ref.one(number))
        began = time.monotonic()
        headers = {"content-type": "application/json", "host": "localhost"}
        connection.request("POST", "/recommend", bodies[number % len(bodies)], headers)
        answer = connection.getresponse()
        answer.read()
        assert answer.status == 200
        served.append(time.monotonic() - began)
    return statistics.median(alone), statistics.median(served)


def same_items(ref: Reference, port: int, baseline: int, users: int = 50) -> tuple[float, float]:
    """Shares of users whose ten items, in their order, are those of ``recommend()``, and those of ``generate``."""
    import urllib.request

    def ask(to: int, body: bytes) -> list[str]:
        request = urllib.request.Request(
            f"http://127.0.0.1:{to}/recommend", body, {"content-type": "application/json", "host": "localhost"}
        )
        with urllib.request.urlopen(request, timeout=120) as answer:
            return [item["item_id"] for item in json.load(answer)["items"]]

    bodies = bodies_of(ref.histories[:users])
    served = [ask(port, body) for body in bodies]
    own = [items == ref.ask("items", number) for number, items in enumerate(served)]
    plain = [items == ask(baseline, body) for items, body in zip(served, bodies, strict=True)]
    return float(np.mean(own)), float(np.mean(plain))


def measure(name: str, folder: Path, model: Path, rounds: int, answers: int) -> list[dict[str, Any]]:
    """Rows of one network."""
    log = folder / f"{name}.log"
    ref = Reference(folder, model)
    bodies = bodies_of(ref.histories)
    rows: list[dict[str, Any]] = []
    serve = ["-m", "genrec", "serve", f"{name}={model}", "--port", "0", "--threads", "1"]
    with (
        server(serve, log) as (ours, port),
        server([str(HERE / "serve_baseline.py"), str(model)], log) as (theirs, other),
    ):
        own, same = same_items(ref, port, other)
        print(f"{name}: the ten items of recommend() for {own:.0%} of users, of generate for {same:.0%}", flush=True)
        for turn in range(rounds):
            batch = ref.ask("batch", 256)
            alone, served = alternating(ref, port, bodies, 30)
            row = {
                "network": name,
                "round": turn,
                "own": own,
                "same": same,
                "recommend_ms": alone * 1e3,
                "request_ms": served * 1e3,
            }
            row |= {"batch_users_s": 256 / batch["seconds"], "batch_cpu_ms": batch["cpu"] / 256 * 1e3}
            for clients in CLIENTS:
                load, cpu = loaded(port, ours.pid, bodies, clients, min(answers, 32 * clients))
                row[f"ours_{clients}"] = describe(load, cpu)
            for clients in BASELINE_CLIENTS:
                load, cpu = loaded(other, theirs.pid, bodies, clients, max(answers // 10, 8))
                row[f"plain_{clients}"] = describe(load, cpu)
            capacity = row["ours_32"]["rate"]
            for share in (0.5, 0.8, 1.5):
                row[f"open_{share}"] = describe(run(open_loop(port, bodies, capacity * share, answers // 2)), 0.0)
            rows.append(row)
            print(json.dumps(row), flush=True)
    ref.end()
    return rows


def describe(load: Load, cpu: float) -> dict[str, Any]:
    """Numbers of one load."""
    statuses = {str(status): n for status, n in sorted(load.statuses.items())}
    return {
        "rate": load.rate, "p50": load.ms(50), "p95": load.ms(95), "p99": load.ms(99), "cpu_ms": cpu * 1e3,
        "statuses": statuses,
    }  # fmt: skip


def page(rows: Sequence[dict[str, Any]], command: str) -> str:
    """The results as Markdown."""
    text = (
        "# The service under load\n\n"
        f"`{command}` on {platform.processor() or platform.machine()} with {os.cpu_count()} cores that the "
        f"clients shared, Python {platform.python_version()}. Networks of the presets' sizes with random weights on a "
        "demo shop of 10,000 items, 50 beams, ten items; decoding on one thread. Servers and the reference were "
        "measured in turns; figures are medians over the rounds. *CPU* is that of the server an answer: it does "
        "not depend on what else the machine does.\n\n"
    )
    for name in dict.fromkeys(row["network"] for row in rows):
        mine = [row for row in rows if row["network"] == name]
        text += f"## {name} ({count(len(mine), 'round')})\n\n" + ratios(mine) + latencies(mine)
    return text


def middle(rows: Sequence[dict[str, Any]], value: Any) -> float:
    """Median over rounds."""
    return statistics.median(value(row) for row in rows)


def ratios(rows: Sequence[dict[str, Any]]) -> str:
    """What was promised, and what came."""

    def cpu(row: dict[str, Any]) -> float:
        return row["plain_32"]["cpu_ms"] / row["ours_32"]["cpu_ms"]

    table = [
        ("answers a second at 32 clients, against the plain handler", "at least 6",
         middle(rows, lambda row: row["ours_32"]["rate"] / max(row["plain_32"]["rate"], 1e-9))),
        ("the same by CPU time an answer", "", middle(rows, cpu)),
        ("answers a second at 32 clients, against our own batch", "at least .85",
         middle(rows, lambda row: row["ours_32"]["rate"] / row["batch_users_s"])),
        ("the same by CPU time a user", "", middle(rows, lambda row: row["batch_cpu_ms"] / row["ours_32"]["cpu_ms"])),
        ("median of one client, against `recommend()`", "at most 1.15",
         middle(rows, lambda row: row["request_ms"] / row["recommend_ms"])),
        ("users with the ten items of `recommend()`, in order", "all", middle(rows, lambda row: row["own"])),
        ("users with the ten items of the plain handler, in order", "", middle(rows, lambda row: row["same"])),
    ]  # fmt: skip
    lines = [f"| {what} | {target} | {value:.2f} |" for what, target, value in table]
    return "| ratio | target | measured |\n|---|---|---|\n" + "\n".join(lines) + "\n\n"


def latencies(rows: Sequence[dict[str, Any]]) -> str:
    """Times of the closed and the open loop."""
    text = "| load | answers a second | p50 ms | p95 ms | p99 ms | CPU ms | refused (503) |\n"
    text += "|---|---|---|---|---|---|---|\n"
    for key, label in [
        *((f"ours_{n}", f"{n} clients") for n in CLIENTS),
        *((f"plain_{n}", f"plain handler, {n} clients") for n in BASELINE_CLIENTS),
        *((f"open_{share}", f"arrivals at {share:g} of the rate of 32 clients") for share in (0.5, 0.8, 1.5)),
    ]:
        parts = [middle(rows, lambda row, part=part, key=key: row[key][part]) for part in ("rate", "p50", "p95", "p99")]
        cpu = middle(rows, lambda row, key=key: row[key]["cpu_ms"])
        refused = sum(row[key]["statuses"].get("503", 0) for row in rows)
        cells = [f"{value:,.1f}" for value in parts] + [f"{cpu:.1f}" if cpu else "", f"{refused:,}"]
        text += f"| {label} | " + " | ".join(cells) + " |\n"
    return text + "\n"


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="+", default=["t5", "item-decoder"], choices=["t5", "item-decoder"])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--answers", type=int, default=1000, help="Of a load; a tenth of the plain handler's.")
    parser.add_argument("--items", type=int, default=10_000)
    parser.add_argument("--beams", type=int, default=50)
    parser.add_argument("--work", type=Path, default=Path("runs/serve"))
    parser.add_argument("--out", type=Path, default=RESULTS)
    parser.add_argument("--reference", nargs=2, type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.reference:
        reference(*given.reference)
        return
    from serve_models import make

    given.work.mkdir(parents=True, exist_ok=True)
    kept = given.out / "serve.json"
    before = json.loads(kept.read_text())["rows"] if kept.is_file() else []
    before = [row for row in before if "own" in row]  # rows of an older form are measured again
    command = f"python scripts/bench_serve.py --rounds {given.rounds} --answers {given.answers}"
    for name in given.models:
        model = make(given.work, name, given.items, given.beams)
        rows = measure(name, given.work, model, given.rounds, given.answers)
        before = [row for row in before if row["network"] != name] + rows
        given.out.mkdir(parents=True, exist_ok=True)
        kept.write_text(json.dumps({"command": command, "rows": before}, indent=1) + "\n")
        (given.out / "serve.md").write_text(page(before, command))


if __name__ == "__main__":
    main()

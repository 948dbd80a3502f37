"""Malformed requests, made from the service's own OpenAPI document, and a long run of mixed ones.

    python scripts/fuzz_serve.py --requests 100000            # no answer may be a 5xx, and the service must live
    python scripts/fuzz_serve.py --mixed 480                  # seconds of mixed good and bad requests; memory is noted

The service is a process of its own around a tiny model. A seed makes the same requests again. Writes
scripts/results/serve-faults.json and .md together with serve_faults.py.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import string
import time
import urllib.parse
import urllib.request
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from serve_load import Client, resident_mib, server
from serve_results import TOKEN, noted, tiny_model

STRANGE: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 10**9, 10**30, -(2**63), 1.5, 1e308, -0.0, "", " ", "\x00", "\ud800", "\udfff\ud800",
    "\u202e\U0001f600", "NaN", "../../etc/passwd", "file:///etc/passwd", "%00", "{{7*7}}", "<script>", "'; DROP TABLE",
    "a" * 2000, [], {}, [[]], [None], [[[[]]]], {"": ""}, {"$ref": "#"}, ["i000"] * 50, [1, "a", None], {"i000": "x"},
)  # fmt: skip
RAW = (
    b"", b"{", b"[", b"nul", b"\xff\xfe\x00", b"{}{}", b'{"k": 1, "k": 2}', b'{"history": [], "k": 1e400}',
    b'{"history": [], "prior": {"i000": NaN}}', b'{"history": [], "k": -Infinity}', b"[" * 900 + b"]" * 900,
    b'{"k": ' + b"1" * 4400 + b"}", b'"\\ud800"', b" " * 5000, b"\xef\xbb\xbf{}", b"\x1f\x8b\x08\x00", b"a=1&b=2",
)  # fmt: skip


class Requests:
    """Requests of every operation of an OpenAPI document: right ones, and ones with something wrong in them.

    Args:
        document: Of the service.
        seed: The same requests for the same seed.
        items: Ids that there are.
    """

    def __init__(self, document: dict[str, Any], seed: int, items: list[str]) -> None:
        self.document, self.rng, self.items = document, random.Random(seed), items
        self.operations = [
            (method.upper(), path, operation)
            for path, methods in document["paths"].items()
            for method, operation in methods.items()
            if path != "/metrics"
        ]

    def wild(self) -> tuple[str, str, bytes]:
        """Method, path and body of a request with at least one fault, most likely."""
        rng = self.rng
        method, path, operation = rng.choice(self.operations)
        if rng.random() < 0.03:
            method = rng.choice(["PUT", "DELETE", "PATCH", "BREW", "HEAD", "OPTIONS", method.lower()])
        path = self._path(path, operation, wrong=0.4)
        if rng.random() < 0.03:
            path += rng.choice(["/", "//", "/..", "?" * 3, "%", "%zz", "/%2e%2e/%2e%2e", "#x", "\xff", "/" * 200])
        if "requestBody" not in operation:
            return method, path, rng.choice(RAW) if rng.random() < 0.1 else b""
        if rng.random() < 0.15:
            return method, path, rng.choice(RAW)
        content = operation["requestBody"]["content"]["application/json"]["schema"]
        body = self._mutated(self.value(content), depth=0)
        text = json.dumps(body).encode()
        if rng.random() < 0.05:
            at = rng.randrange(len(text) + 1)
            text = text[:at] + bytes([rng.randrange(256)]) + text[at + rng.randrange(3) :]
        return method, path, text

    def right(self) -> tuple[str, str, bytes]:
        """A request that the schema allows."""
        method, path, operation = self.rng.choice(self.operations)
        body = operation.get("requestBody")
        content = (
            b"" if body is None else json.dumps(self.value(body["content"]["application/json"]["schema"])).encode()
        )
        return method, self._path(path, operation, wrong=0.0), content

    def value(self, schema: dict[str, Any], depth: int = 0) -> Any:
        """Something that a schema allows."""
        rng = self.rng
        while "$ref" in schema:
            found: Any = self.document
            for name in schema["$ref"].removeprefix("#/").split("/"):
                found = found[name]
            schema = found
        for several in ("anyOf", "oneOf", "allOf"):
            if several in schema:
                return self.value(rng.choice(schema[several]), depth)
        if "enum" in schema:
            return rng.choice(schema["enum"])
        kind = schema.get("type")
        if kind == "object":
            return self._object(schema, depth)
        if kind == "array":
            most = min(schema.get("maxItems", 5), rng.choice([1, 3, 5]))
            return [self.value(schema["items"], depth + 1) for _ in range(rng.randint(schema.get("minItems", 0), most))]
        if kind in ("integer", "number"):
            low, high = schema.get("minimum", -100), min(schema.get("maximum", 100), rng.choice([3, 30, 1e9]))
            return rng.randint(int(low), max(int(low), int(high))) if kind == "integer" else rng.uniform(low, high)
        if kind == "boolean":
            return rng.random() < 0.5
        return None if kind == "null" else self._text()

    def _object(self, schema: dict[str, Any], depth: int) -> dict[str, Any]:
        rng = self.rng
        known = schema.get("properties")
        if not known:
            inner = schema.get("additionalProperties")
            values = inner if isinstance(inner, dict) else {"type": "string"}
            return {self._text(): self.value(values, depth + 1) for _ in range(rng.randint(0, 4))}
        needed = schema.get("required", [])
        chosen = [name for name in known if name in needed or rng.random() < 0.15]
        made = {name: self.value(known[name], depth + 1) for name in chosen}
        if "histories" in known:  # exactly one of four
            who = rng.choice(["user", "history", "users", "histories"])
            made = {
                name: value for name, value in made.items() if name not in ("user", "history", "users", "histories")
            }
            made[who] = self.value(next(one for one in _options(known[who]) if one.get("type") != "null"), depth + 1)
        return made

    def _text(self) -> str:
        rng = self.rng
        choices = [rng.choice(self.items), rng.choice(self.items), f"u{rng.randint(0, 90):03d}", "title=x", "shop"]
        return rng.choice([*choices, "".join(rng.choices(string.printable, k=rng.randint(1, 12)))])

    def _path(self, path: str, operation: dict[str, Any], wrong: float) -> str:
        rng, query = self.rng, []
        for one in operation.get("parameters", ()):
            value = self.value(one["schema"])
            if rng.random() < wrong:
                value = rng.choice(STRANGE)
            text = value if isinstance(value, str) else json.dumps(value)
            text = urllib.parse.quote(text.encode("utf-8", "surrogatepass"), safe="")
            if one["in"] == "path":
                path = path.replace(f"{{{one['name']}}}", text)
            elif one.get("required") or rng.random() < 0.4:
                query += [f"{one['name']}={text}"] * rng.choice([1, 1, 1, 2])
        return path + (f"?{'&'.join(query)}" if query else "")

    def _mutated(self, value: Any, depth: int) -> Any:
        rng = self.rng
        if rng.random() < (0.08 if depth == 0 else 0.25):
            return rng.choice(STRANGE)
        if isinstance(value, dict):
            made = {name: self._mutated(one, depth + 1) for name, one in value.items() if rng.random() < 0.95}
            if rng.random() < 0.2:
                made[rng.choice(["kk", "", "__class__", "model", "k", "beams", "exact", self._text()])] = rng.choice(
                    STRANGE
                )
            return made
        return [self._mutated(one, depth + 1) for one in value] if isinstance(value, list) else value


def _options(schema: dict[str, Any]) -> list[dict[str, Any]]:
    return schema.get("anyOf", [schema])


def document_of(port: int) -> dict[str, Any]:
    """The OpenAPI document of the service."""
    request = urllib.request.Request(f"http://127.0.0.1:{port}/openapi.json", headers={"host": "localhost"})
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.load(answer)


async def ask_all(port: int, requests: Iterator[tuple[str, str, bytes]], pid: int, clients: int = 8) -> dict[str, Any]:
    """Send requests over some connections; statuses, the 5xx ones, and memory on the way."""
    statuses: Counter[int] = Counter()
    failed: list[str] = []
    memory: list[tuple[int, float]] = []

    async def one() -> None:
        client = Client(port)
        for method, path, body in requests:
            token = TOKEN if "/admin" in path else ""
            try:
                head = method == "HEAD"
                status = 0 if head else (await asyncio.wait_for(client.ask(method, path, body, token), 60))[0]
            except (OSError, asyncio.IncompleteReadError, AttributeError, TypeError, ValueError):
                client.close()
                status = -1  # the server ended a connection that made no sense, or the head was no HTTP
            statuses[status] += 1
            if status >= 500 and status != 503:
                failed.append(f"{status} {method} {path[:200]} {body[:300]!r}")
            if sum(statuses.values()) % 2000 == 0:
                memory.append((sum(statuses.values()), resident_mib(pid)))
        client.close()

    await asyncio.gather(*(one() for _ in range(clients)))
    return {"statuses": dict(sorted(statuses.items())), "failed": failed[:20], "memory": memory}


def timed(make: Requests, seconds: float) -> Iterator[tuple[str, str, bytes]]:
    """Right requests, and a wrong one in four, for so long."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        yield make.wild() if make.rng.random() < 0.25 else make.right()


def wild(make: Requests, number: int, seconds: float) -> Iterator[tuple[str, str, bytes]]:
    """So many malformed requests, or as many as so many seconds allow."""
    until = time.monotonic() + seconds
    for _ in range(number):
        if time.monotonic() > until:
            return
        yield make.wild()


def main() -> None:
    """Run and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=0)
    parser.add_argument("--longest", type=float, default=3600.0, help="Seconds of the malformed ones at most.")
    parser.add_argument("--mixed", type=float, default=0.0, help="Seconds.")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--work", type=Path, default=Path("runs/serve"))
    given = parser.parse_args()
    model, table, index = tiny_model(given.work)
    command = ["-m", "genrec", "serve", f"shop={model}", "--index", f"shop={index}", "--histories", str(table)]
    command += ["--part", "cups:categories=cup", "--port", "0", "--threads", "1"]
    with server(command, given.work / "fuzz.log", GENREC_ADMIN_TOKEN=TOKEN) as (process, port):
        items = [f"i{number:03d}" for number in range(60)]
        make = Requests(document_of(port), given.seed, items)
        began = time.monotonic()
        if given.requests:
            found = asyncio.run(ask_all(port, wild(make, given.requests, given.longest), process.pid))
            noted(
                "malformed",
                {
                    "requests": sum(found["statuses"].values()),
                    **found,
                    "seconds": time.monotonic() - began,
                    "alive": process.poll() is None,
                },
            )
        if given.mixed:
            began = time.monotonic()
            found = asyncio.run(ask_all(port, timed(make, given.mixed), process.pid))
            noted(
                "mixed",
                {
                    "requests": sum(found["statuses"].values()),
                    **found,
                    "seconds": time.monotonic() - began,
                    "alive": process.poll() is None,
                },
            )


if __name__ == "__main__":
    main()

"""How long millions of interactions take to load, to become histories and to be split, and how much memory.

    python scripts/bench_data.py --rows 10000000
    python scripts/bench_data.py --against CHECKOUT --rounds 3

Every run is a process of its own. Writes scripts/results/data-scale.json and .md; with another checkout nothing is
written: runs of both take turns, with one thread, and what they made is compared.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import polars as pl

from genrec.data import Catalog, Interactions, global_time, k_core, leave_one_out

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "scripts" / "results"
CHUNK = 1_000_000


def generate(folder: Path, rows: int, users: int, items: int, seed: int) -> None:
    """Write items.jsonl and interactions.csv: popular and rare items, long and short histories, times in no order."""
    rng = np.random.default_rng(seed)
    ids = pl.Series("item_id", np.arange(items)).cast(pl.String).str.zfill(8)
    ids = ("B" + ids).alias("item_id")
    pl.DataFrame([ids]).with_columns(title=pl.lit("Item ") + ids).write_ndjson(folder / "items.jsonl")
    with (folder / "interactions.csv").open("wb") as stream:
        for start in range(0, rows, CHUNK):
            n = min(CHUNK, rows - start)
            popular = (items * rng.random(n) ** 3).astype(np.int64)
            active = (users * rng.random(n) ** 2).astype(np.int64)
            frame = pl.DataFrame({"user": active, "item": popular, "timestamp": rng.integers(1.4e9, 1.6e9, n)})
            frame.select(
                ("A" + pl.col("user").cast(pl.String).str.zfill(9)).alias("user_id"),
                ("B" + pl.col("item").cast(pl.String).str.zfill(8)).alias("item_id"),
                "timestamp",
            ).write_csv(stream, include_header=start == 0)


def measure(folder: Path) -> tuple[list[dict[str, Any]], str]:
    rows: list[dict[str, Any]] = []

    def step(name: str, action: Callable[[], Any]) -> Any:
        start, busy = time.perf_counter(), time.process_time()
        result = action()
        seconds, cpu = time.perf_counter() - start, time.process_time() - busy
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        rows.append(
            {"step": name, "seconds": round(seconds, 2), "cpu_seconds": round(cpu, 2), "peak_gib": round(peak, 2)}
        )
        print(f"{name:24s} {seconds:7.2f} s   cpu {cpu:6.2f} s   peak {peak:.2f} GiB", file=sys.stderr, flush=True)
        return result

    catalog = step("read the catalogue", lambda: Catalog.read(folder / "items.jsonl"))
    table = step("read the interactions", lambda: Interactions.read(folder / "interactions.csv"))
    core = step("5-core", lambda: k_core(table))
    histories = step("histories", lambda: table.histories(catalog))
    split = step("leave-one-out split", lambda: leave_one_out(histories))
    made = digest(table.items, table.timestamps, core.items, split.train.items, split.test.targets)
    del split
    step("global-time split", lambda: global_time(histories, validation_from=0.8, test_from=0.9))
    total = {key: round(sum(row[key] for row in rows), 2) for key in ("seconds", "cpu_seconds")}
    rows.append({"step": "total", **total, "peak_gib": rows[-1]["peak_gib"]})
    print(f"{len(table):,} rows, {len(table.user_ids):,} users; total {total}", file=sys.stderr, flush=True)
    return rows, made


def digest(*arrays: np.ndarray) -> str:
    found = hashlib.sha256()
    for array in arrays:
        found.update(np.ascontiguousarray(array, dtype=np.int64))
    return found.hexdigest()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--users", type=int, default=1_000_000)
    parser.add_argument("--items", type=int, default=200_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--against", type=Path, help="another checkout")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.folder:
        print(json.dumps(measure(options.folder)))
        return
    with tempfile.TemporaryDirectory() as folder:
        generate(Path(folder), options.rows, options.users, options.items, options.seed)
        size = (Path(folder) / "interactions.csv").stat().st_size
        if options.against:
            compare(Path(folder), {"before": options.against.resolve(), "after": ROOT}, options.rounds)
            return
        measured, _ = run(Path(folder), ROOT, dict(os.environ))
    command = f"python scripts/bench_data.py --rows {options.rows}"
    common = {
        "benchmark": "data-scale",
        "rows": options.rows,
        "users": options.users,
        "items": options.items,
        "csv_mb": round(size / 1e6),
        "seed": options.seed,
        "device": f"{platform.machine()}, {pl.thread_pool_size()} threads",
        "command": command,
    }
    write(RESULTS, [common | row for row in measured])


def compare(folder: Path, checkouts: dict[str, Path], rounds: int) -> None:
    """Run both checkouts in turns with one thread and print the medians of CPU seconds and the peaks of memory."""
    one_thread = {**os.environ, "OMP_NUM_THREADS": "1", "POLARS_MAX_THREADS": "1"}
    found: dict[str, list[tuple[list[dict[str, Any]], str]]] = {name: [] for name in checkouts}
    for turn in range(rounds + 1):
        for name, checkout in checkouts.items():
            result = run(folder, checkout, one_thread)
            if turn:  # the first writes what Python and Numba keep on disk
                found[name].append(result)
    for at, step in enumerate(found["before"][0][0]):
        before, after = (median(rows[at]["cpu_seconds"] for rows, _ in found[name]) for name in checkouts)
        peaks = [max(rows[at]["peak_gib"] for rows, _ in found[name]) for name in checkouts]
        print(f"{step['step']:24s} cpu {before:.2f} -> {after:.2f} s ({before / after:.2f} times), peak {peaks} GiB")
    same = len({made for results in found.values() for _, made in results}) == 1
    print("the same rows" if same else "OTHER ROWS")


def run(folder: Path, checkout: Path, environment: dict[str, str]) -> tuple[list[dict[str, Any]], str]:
    """Measure a checkout in a process of its own."""
    command = [sys.executable, __file__, "--folder", str(folder)]
    done = subprocess.run(command, env={**environment, "PYTHONPATH": str(checkout)}, stdout=subprocess.PIPE, text=True)
    if done.returncode:
        raise SystemExit(done.returncode)
    rows, made = json.loads(done.stdout.splitlines()[-1])
    return rows, made


def write(folder: Path, rows: list[dict[str, Any]]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "data-scale.json").write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    first = rows[0]
    table = [
        f"| {row['step']} | {row['seconds']:.2f} | {row['cpu_seconds']:.2f} | {row['peak_gib']:.2f} |" for row in rows
    ]
    lines = [
        "# Loading and splitting many interactions",
        "",
        f"{first['rows']:,} rows of {first['users']:,} users and {first['items']:,} items, a csv file of "
        f"{first['csv_mb']:,} MB in no order of time ({first['device']}).",
        "",
        "| step | seconds | CPU seconds (all threads) | peak memory so far (GiB) |",
        "|---|---|---|---|",
        *table,
        "",
        f"`{first['command']}`",
        "",
    ]
    (folder / "data-scale.md").write_text("\n".join(lines), encoding="utf-8")


if __name__ == "__main__":
    main()

"""How long millions of interactions take to load, to become histories and to be split, and how much memory.

    python scripts/bench_data.py --rows 10000000

Writes scripts/results/data-scale.json and .md.
"""

from __future__ import annotations

import argparse
import json
import platform
import resource
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from genrec.data import Catalog, Interactions, global_time, k_core, leave_one_out

RESULTS = Path(__file__).parent / "results"
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


def measure(folder: Path) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []

    def step(name: str, action: Callable[[], Any]) -> Any:
        start, busy = time.perf_counter(), time.process_time()
        result = action()
        seconds, cpu = time.perf_counter() - start, time.process_time() - busy
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        rows.append(
            {"step": name, "seconds": round(seconds, 2), "cpu_seconds": round(cpu, 2), "peak_gib": round(peak, 2)}
        )
        print(f"{name:24s} {seconds:7.2f} s   cpu {cpu:6.2f} s   peak {peak:.2f} GiB", flush=True)
        return result

    catalog = step("read the catalogue", lambda: Catalog.read(folder / "items.jsonl"))
    table = step("read the interactions", lambda: Interactions.read(folder / "interactions.csv"))
    core = step("5-core", lambda: k_core(table))
    histories = step("histories", lambda: table.histories(catalog))
    step("leave-one-out split", lambda: leave_one_out(histories))
    step("global-time split", lambda: global_time(histories, validation_from=0.8, test_from=0.9))
    total = {key: round(sum(row[key] for row in rows), 2) for key in ("seconds", "cpu_seconds")}
    rows.append({"step": "total", **total, "peak_gib": rows[-1]["peak_gib"]})
    print(f"{len(table):,} rows, {len(table.user_ids):,} users; 5-core {len(core):,}; total {total}")
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--users", type=int, default=1_000_000)
    parser.add_argument("--items", type=int, default=200_000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        generate(Path(folder), options.rows, options.users, options.items, options.seed)
        size = (Path(folder) / "interactions.csv").stat().st_size
        measured = measure(Path(folder))
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

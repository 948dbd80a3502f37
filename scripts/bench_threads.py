"""What threads are worth: users a second with one thread, with threads that spin and with threads that sleep.

Alone, and beside busy processes; every row in a process of its own, in turns. Writes scripts/results/threads.*.

Usage: python scripts/bench_threads.py MODEL_FOLDER [--users 256] [--rounds 3] [--busy 2] [--write]
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

RESULTS = Path(__file__).parent / "results"
WAYS = {
    "one thread": {"threads": 1, "OMP_WAIT_POLICY": "PASSIVE"},
    "all cores, spinning": {"threads": 0, "OMP_WAIT_POLICY": "ACTIVE"},
    "all cores, sleeping (what genrec says)": {"threads": 0, "OMP_WAIT_POLICY": "PASSIVE"},
}


def measure(folder: str, users: int) -> None:
    """Print users a second, in the process that the main one has started."""
    import numpy as np

    import genrec

    model = genrec.load(folder)
    rng = np.random.default_rng(0)
    items = model.item_ids
    histories = [[items[place] for place in rng.integers(0, len(items), 10)] for _ in range(users)]
    model.recommend(histories[:32], 10)
    seconds = []
    for _ in range(3):
        begun = time.perf_counter()
        model.recommend(histories, 10)
        seconds.append(time.perf_counter() - begun)
    print(users / statistics.median(seconds))


def run(folder: str, users: int, way: dict[str, object]) -> float:
    """Users a second of one way."""
    environment = {**os.environ, "OMP_WAIT_POLICY": str(way["OMP_WAIT_POLICY"])}
    environment.pop("OMP_NUM_THREADS", None)
    if way["threads"]:
        environment["OMP_NUM_THREADS"] = str(way["threads"])
    command = [sys.executable, __file__, folder, "--users", str(users), "--child"]
    done = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
    return float(done.stdout.split()[-1])


def rows(folder: str, users: int, rounds: int, busy: int) -> dict[str, float]:
    """Median of the rounds, by way; beside so many busy processes."""
    beside = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(busy)]
    try:
        found: dict[str, list[float]] = {name: [] for name in WAYS}
        for _ in range(rounds):
            for name, way in WAYS.items():
                found[name].append(run(folder, users, way))
                print(f"busy {busy}: {name}: {found[name][-1]:.0f} users/s", file=sys.stderr)
    finally:
        for process in beside:
            process.kill()
    return {name: statistics.median(values) for name, values in found.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model")
    parser.add_argument("--users", type=int, default=256)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--busy", type=int, default=2)
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        measure(options.model, options.users)
        return
    tables = {number: rows(options.model, options.users, options.rounds, number) for number in (0, options.busy)}
    from genrec.threads import usable_cores

    lines = [
        "# Threads: users a second, alone and beside busy processes",
        "",
        f"`python scripts/bench_threads.py MODEL --users {options.users} --rounds {options.rounds}"
        f" --busy {options.busy} --write` with the model of `genrec demo`, {usable_cores()} cores.",
        "Medians of runs that take turns.",
        "",
        f"| way | alone | ratio to one thread | beside {options.busy} busy processes | ratio to one thread |",
        "|---|---|---|---|---|",
    ]
    alone, beside = tables[0], tables[options.busy]
    first = next(iter(WAYS))
    for name in WAYS:
        ratios = alone[name] / alone[first], beside[name] / beside[first]
        lines.append(f"| {name} | {alone[name]:.0f} | {ratios[0]:.2f} | {beside[name]:.0f} | {ratios[1]:.2f} |")
    print("\n".join(lines))
    if options.write:
        (RESULTS / "threads.md").write_text("\n".join(lines) + "\n", encoding="utf-8")
        (RESULTS / "threads.json").write_text(json.dumps(tables, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

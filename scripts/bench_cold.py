"""CPU time of a process from its start to its first recommendation, in turns with another checkout.

    python scripts/bench_cold.py MODEL INTERACTIONS --against CHECKOUT --rounds 5

MODEL is a folder of genrec train, INTERACTIONS the table it learned from; its first user is asked for. Both ways are
measured, the command and the library, with one thread, and the recommendations of both checkouts are compared.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median

ROOT = Path(__file__).resolve().parent.parent
LIBRARY = """
import csv, json, sys
from genrec import Recommender
recommender = Recommender.from_pretrained(sys.argv[1])
history = [row["item_id"] for row in csv.DictReader(open(sys.argv[2], encoding="utf-8"))]
print(json.dumps(recommender.recommend([history], 10).item_ids[0]))
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("interactions", type=Path)
    parser.add_argument("--against", type=Path, required=True, help="another checkout")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    checkouts = {"before": options.against.resolve(), "after": ROOT}
    with tempfile.TemporaryDirectory() as folder:
        one = first_user(options.interactions, Path(folder) / "one.csv")
        for way in ("library", "command"):
            spent: dict[str, list[float]] = {name: [] for name in checkouts}
            found: dict[str, list[str]] = {}
            for turn in range(options.rounds + 1):
                for name, checkout in checkouts.items():
                    seconds, found[name] = run(way, checkout, options.model, one, Path(folder))
                    if turn:  # the first writes what Python and Numba keep on disk
                        spent[name].append(seconds)
            before, after = (median(spent[name]) for name in checkouts)
            same = "the same items" if found["before"] == found["after"] else "OTHER ITEMS"
            print(f"{way}: {before:.2f} s -> {after:.2f} s of CPU ({before / after:.2f} times), {same}", flush=True)


def first_user(table: Path, target: Path) -> Path:
    """Write the rows of the user that the table begins with."""
    with table.open(encoding="utf-8", newline="") as source, target.open("w", encoding="utf-8", newline="") as out:
        rows = csv.DictReader(source)
        writer = csv.DictWriter(out, rows.fieldnames or [])
        writer.writeheader()
        user = None
        for row in rows:
            user = user or row["user_id"]
            if row["user_id"] == user:
                writer.writerow(row)
    return target


def run(way: str, checkout: Path, model: str, one: Path, folder: Path) -> tuple[float, list[str]]:
    """CPU seconds of one process, user and system, and the items that it recommends."""
    out = folder / "out.csv"
    command = [sys.executable, "-c", LIBRARY, model, str(one)]
    if way == "command":
        command = [sys.executable, "-m", "genrec", "generate", model, str(one), "--out", str(out), "--overwrite"]
    environment = {**os.environ, "PYTHONPATH": str(checkout), "OMP_NUM_THREADS": "1", "POLARS_MAX_THREADS": "1"}
    before = os.times()
    done = subprocess.run(command, env=environment, cwd=folder, capture_output=True, text=True)
    after = os.times()
    if done.returncode:
        raise SystemExit(done.stderr[-2000:])
    seconds = after.children_user + after.children_system - before.children_user - before.children_system
    if way == "library":
        return seconds, json.loads(done.stdout.splitlines()[-1])
    with out.open(encoding="utf-8", newline="") as table:
        return seconds, [row["item_id"] for row in csv.DictReader(table)]


if __name__ == "__main__":
    main()

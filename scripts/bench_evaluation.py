"""What evaluation costs beside the model's scoring, and whether a million users fit into a minute and 4 GB.

    python scripts/bench_evaluation.py

Made-up histories and targets, so that nothing has to be loaded. The scoring is the cheapest that ranks a whole
catalogue: one product of 64 numbers for every user and item, and the best 20. Writes
scripts/results/evaluation-scale.json and .md.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import platform
import resource
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from genrec.baselines.base import FitInputs
from genrec.baselines.scoring import ScoringBaseline
from genrec.data.histories import Histories
from genrec.data.split import EvaluationSet, Split, leave_one_out
from genrec.decoding.request import Request
from genrec.evaluation import ItemFacts, compare, default_slices, evaluate, rows, write_per_user
from genrec.recommender import Recommender

RESULTS = Path(__file__).resolve().parent / "results"
DIM = 64
Steps = list[dict[str, Any]]


class DenseScores(ScoringBaseline):
    """Scores every item for every user with one product of vectors."""

    name = "dense-scores"
    busy = wall = 0.0

    def recommend(self, *given: Any, **options: Any) -> Any:
        busy, wall = time.process_time(), time.perf_counter()
        lists = super().recommend(*given, **options)
        self.busy, self.wall = self.busy + time.process_time() - busy, self.wall + time.perf_counter() - wall
        return lists

    def _learn(self, train: Histories, inputs: FitInputs) -> None:
        self._vectors = np.random.default_rng(inputs.seed).normal(size=(len(self.item_ids), DIM)).astype(np.float32)

    def score(self, histories: Histories) -> np.ndarray:
        last = histories.items[histories.offsets[1:] - 1]
        return self._vectors[last] @ self._vectors.T


class ReadyLists(Recommender):
    """Gives lists that were made before, in the order of the cases."""

    name, kind = "ready-lists", "baseline"

    def __init__(self, item_ids: np.ndarray, lists: np.ndarray) -> None:
        self.item_ids, self._lists, self._at = item_ids, lists, 0

    def _rank(self, histories: Histories, request: Request) -> tuple[np.ndarray, np.ndarray]:
        items = self._lists[self._at : self._at + len(histories), : request.k]
        self._at += len(histories)
        return items, -np.broadcast_to(np.arange(items.shape[1], dtype=np.float32), items.shape)


def made_up(users: int, items: int, seed: int) -> Split:
    """Leave-one-out of histories of 5 to 20 items, few of which are popular."""
    rng = np.random.default_rng(seed)
    lengths = rng.integers(5, 21, users)
    offsets = np.r_[0, np.cumsum(lengths)].astype(np.int64)
    chosen = (items * rng.random(offsets[-1]) ** 3).astype(np.int32)
    return leave_one_out(Histories(np.array([f"u{n}" for n in range(users)], dtype=object), offsets, chosen))


def ids_of(items: int) -> np.ndarray:
    return np.array([f"i{n}" for n in range(items)], dtype=object)


class Clock:
    """Steps with their CPU seconds, their seconds on the clock and the peak memory of the process so far."""

    def __init__(self) -> None:
        self.steps: Steps = []

    def __call__(self, name: str, action: Callable[[], Any]) -> Any:
        start, busy = time.perf_counter(), time.process_time()
        result = action()
        self.add(name, time.process_time() - busy, time.perf_counter() - start)
        return result

    def add(self, name: str, cpu: float, wall: float) -> None:
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        self.steps.append(
            {"step": name, "seconds": round(cpu, 2), "wall_seconds": round(wall, 2), "peak_gib": round(peak, 2)}
        )
        print(f"  {name:44s} {cpu:7.2f} CPU s {wall:7.2f} s   peak {peak:.2f} GiB", flush=True)


def beside_scoring(users: int, items: int, seed: int) -> Steps:
    """Full ranking of the catalogue: what ranking costs, and what evaluation adds to it."""
    split, item_ids, clock = made_up(users, items, seed), ids_of(items), Clock()
    model = DenseScores().fit(split.train, item_ids, FitInputs(seed=seed))
    slices = default_slices(split, item_ids)
    start, busy = time.perf_counter(), time.process_time()
    result = evaluate(model, split.test, slices=slices, facts=ItemFacts.of(split.train, items))
    cpu, wall = time.process_time() - busy - model.busy, time.perf_counter() - start - model.wall
    clock.add("scoring and ranking, by the model", model.busy, model.wall)
    clock.add("metrics and slices of all cases", cpu, wall)
    report(clock, result, item_ids)
    return clock.steps


def ready_lists(users: int, items: int, seed: int) -> Steps:
    """Lists of ten that exist already; every ninth holds its target."""
    clock = Clock()
    split = clock("make histories, targets and lists up", lambda: made_up(users, items, seed))
    rng = np.random.default_rng(seed)
    first = rng.integers(0, items, (users, 1))
    lists = ((first + np.arange(10) * 17) % items).astype(np.int32)
    targets = np.array(split.test.targets)
    targets[::9] = lists[::9][np.arange(len(lists[::9])), rng.integers(0, 10, len(lists[::9]))]
    cases = EvaluationSet(split.test.histories, targets)
    slices, facts = default_slices(split, ids_of(items)), ItemFacts.of(split.train, items)
    model = ReadyLists(ids_of(items), lists)
    result = clock(
        "evaluate: metrics and slices",
        lambda: evaluate(model, cases, ks=(1, 5, 10), exclude_seen=False, slices=slices, facts=facts),
    )
    report(clock, result, model.item_ids)
    return clock.steps


def report(clock: Clock, result: Any, item_ids: np.ndarray) -> None:
    """Everything that a report holds: intervals of every slice, a paired comparison, one line a user."""
    filled = [name for name, mask in result.masks.items() if mask.any()]
    clock(
        f"bootstrap intervals of {len(filled)} slices",
        lambda: rows(result, benchmark="evaluation-scale", dataset="made-up", targets=filled),
    )
    other = replace(result, recommender="other", ranks=np.random.default_rng(0).permutation(result.ranks))
    clock("paired comparison with a second run", lambda: compare([result, other]))
    with tempfile.TemporaryDirectory() as folder:
        clock("one line a user, as Parquet", lambda: write_per_user(Path(folder) / "users.parquet", result, item_ids))
    work = [step for step in clock.steps if not step["step"].startswith(("make", "scoring"))]
    cpu, wall = (sum(step[key] for step in work) for key in ("seconds", "wall_seconds"))
    clock.add("all of the evaluation", cpu, wall)


HEAD = ("| step | CPU seconds | seconds on the clock | peak memory so far (GiB) |", "|---|---|---|---|")
PARTS = {"beside-scoring": (beside_scoring, 22_363, 12_101), "ready-lists": (ready_lists, 1_000_000, 100_000)}
TITLES = {
    "beside-scoring": "{users:,} users × {items:,} items, full ranking, lists of 20",
    "ready-lists": "{users:,} users, ready lists of 10 from {items:,} items",
}


def run(part: str, seed: int) -> Steps:
    action, users, items = PARTS[part]
    about = {"benchmark": "evaluation-scale", "part": part, "users": users, "items": items, "seed": seed}
    print(part, flush=True)
    return [{**about, **step} for step in action(users, items, seed)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=RESULTS)
    options = parser.parse_args()
    found: Steps = []
    for part in PARTS:  # each in a process of its own, so that its peak memory is its own
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            found += pool.apply(run, (part, options.seed))
    about = {"device": f"{platform.machine()} cpu", "command": "python scripts/bench_evaluation.py"}
    write(options.out, [{**row, **about} for row in found])


def write(folder: Path, found: Steps) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "evaluation-scale.json").write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    lines = ["# What evaluation costs", ""]
    for part, title in TITLES.items():
        own = [row for row in found if row["part"] == part]
        lines += [f"## {title.format(**own[0])}", "", *HEAD]
        lines += [
            f"| {row['step']} | {row['seconds']:.2f} | {row['wall_seconds']:.2f} | {row['peak_gib']:.2f} |"
            for row in own
        ]
        lines.append("")
    lines += [f"On {found[0]['device']}, beside other work. `OMP_NUM_THREADS=1 {found[0]['command']}`", ""]
    (folder / "evaluation-scale.md").write_text("\n".join(lines), encoding="utf-8")


if __name__ == "__main__":
    main()

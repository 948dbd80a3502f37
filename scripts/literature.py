"""Every system of the literature beside the network that it extends: the same data, seed and CPU time.

    python scripts/literature.py INDEX INTERACTIONS --seconds 180 [--only PRESET ...] [--users 22363] [--counts]

A few steps are timed first; the number of steps then follows from the budget, so that the learning rate falls to its
end within it. Four times on the way 2,000 validation users are ranked, and the best weights are kept. The test part is
ranked once. Writes scripts/results/literature.json after every row, and goes on where it was stopped; then
scripts/results/literature.md. Nothing of a preset is changed but the length of its training.
"""

from __future__ import annotations

import argparse
import json
import math
import shutil
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from literature_systems import SYSTEMS
from preset_rows import figures
from preset_tables import data_of
from transformers import TrainerCallback

from genrec.artifacts import write_atomic
from genrec.data import Interactions
from genrec.data.split import Split, split_for
from genrec.evaluation.uncertainty import paired_difference
from genrec.generative.config import load_train_config
from genrec.index.semantic_index import SemanticIndex
from genrec.metrics import ndcg_at
from genrec.training.train import train

RESULTS = Path(__file__).resolve().parent / "results"
PLAIN_CODES = "rq-kmeans-3x256-minilm-words"
"""Recipe of the index whose rows say nothing of codes."""
PROBE = 12
"""Steps that are timed, after as many that warm up."""


class Clock(TrainerCallback):
    """CPU seconds a step, after the first steps."""

    def __init__(self) -> None:
        self.times: list[float] = []

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Note the time."""
        self.times.append(time.process_time())

    def per_step(self) -> float:
        """Mean over the later half."""
        middle = len(self.times) // 2
        return (self.times[-1] - self.times[middle]) / max(1, len(self.times) - 1 - middle)


def trained(
    preset: str, changes: list[str], index: SemanticIndex, parts: Split, seconds: float
) -> tuple[Any, dict[str, Any]]:
    """The recommender after its budget, and what it cost."""
    folder = Path(tempfile.mkdtemp(prefix="literature-"))
    quick = [f"trainer.max_steps={2 * PROBE}", "trainer.eval_strategy=no", "trainer.save_strategy=no"]
    quick += ["trainer.load_best_model_at_end=false", "transforms=[]"]  # no step takes longer for what was left out
    clock = Clock()
    nobody = replace(parts, validation=parts.validation.select(np.zeros(0, dtype=np.int64)))
    train(index, nobody, load_train_config(preset, [*changes, *quick]), folder / "probe", callbacks=[clock])
    steps = max(PROBE, math.floor(seconds / max(clock.per_step(), 1e-6)))
    every = max(1, steps // 4)
    told = [f"trainer.{name}_strategy=steps" for name in ("eval", "save")]
    told += [f"trainer.{name}_steps={every}" for name in ("eval", "save")]
    length = [f"trainer.max_steps={4 * every}", f"trainer.warmup_steps={min(100, every // 2)}"]
    began = time.process_time()
    made = train(index, parts, load_train_config(preset, [*changes, *told, *length]), folder / "model")
    cost = {"steps": 4 * every, "training_cpu_seconds": round(time.process_time() - began, 1)}
    cost["parameters"] = made.metrics.get("trainable_parameters")
    shutil.rmtree(folder)
    return made, cost


def measure(given: argparse.Namespace) -> list[dict[str, Any]]:
    """Rows that are not there yet; ranks of those that are extended are kept for the paired tests."""
    path = given.out / "literature.json"
    rows: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else []
    name = given.interactions.resolve().parent.name
    index, interactions = SemanticIndex.load(given.index), Interactions.read(given.interactions)
    codes = None if index.recipe.name == PLAIN_CODES else index.recipe.name
    called = called_by(name, codes, given.counts)
    for preset, setup in SYSTEMS.items():
        place = {"dataset": name, "counts": given.counts, "recipe": codes}
        same = [row for row in rows if row["preset"] == preset and all(row.get(key) == place[key] for key in place)]
        if same or (given.only and preset not in given.only):
            continue
        torch.manual_seed(0)
        changes = [f"validation.users={given.validation_users}", *setup.changes, *given.set]
        if not given.counts:
            changes = ["generation.prior=null", "generation.words=0", "validation.network_alone=true", *changes]
        config = load_train_config(preset, changes)
        parts = split_for(interactions, index, config)
        chosen = np.sort(np.random.default_rng(0).permutation(len(parts.test))[: given.users])
        cases = parts.test.select(chosen)
        made, cost = trained(preset, changes, index, parts, given.seconds)
        began = time.process_time()
        ranks = made.recommend(cases.histories, 10).ranks_of(cases.targets)
        cost["users_per_second"] = round(len(cases) / (time.process_time() - began), 1)
        row = {
            "preset": preset,
            "base": setup.base,
            **place,
            "split": "test",
            "targets": "all",
            "seed": 0,
            "users": len(cases),
            **figures(ranks),
            **cost,
            **against(given.ranks, setup.base, called_by(name, setup.base_codes or codes, given.counts), ranks),
            "command": f"python scripts/literature.py INDEX INTERACTIONS --seconds {given.seconds:g} "
            f"--users {given.users} --validation-users {given.validation_users}"
            f"{' --counts' * given.counts}{' --set ' * bool(given.set)}{' '.join(given.set)}",
        }
        given.ranks.mkdir(parents=True, exist_ok=True)
        np.save(given.ranks / f"{called}-{preset}.npy", ranks)
        rows.append(row)
        write_atomic(path, json.dumps(rows, indent=1) + "\n")
        print(f"{preset}: NDCG@10 {row['ndcg@10']:.4f}, {row['steps']} steps", flush=True)
    return rows


def called_by(dataset: str, codes: str | None, counts: bool) -> str:
    """How files of ranks begin."""
    return "-".join([dataset, *([codes] if codes else []), *(["counts"] if counts else [])])


def against(folder: Path, base: str | None, name: str, ranks: np.ndarray) -> dict[str, Any]:
    """NDCG@10 against that of the network that it extends, paired."""
    path = folder / f"{name}-{base}.npy"
    if base is None or not path.is_file():
        return {}
    before = np.load(path)
    found = paired_difference(*(ndcg_at(np.where(one > 10, 0, one), 10) for one in (ranks, before)))
    return {"gain": found.mean, "gain_low": found.low, "gain_high": found.high, "p": found.p_value}


def table(rows: list[dict[str, Any]]) -> str:
    """All rows as Markdown, each system under the network that it extends."""
    lines = [
        "| preset | data | extends | R@10 | N@10 | against it | p | steps | CPU s | parameters | users a CPU second |"
    ]
    lines.append("|---|---|---|---|---|---|---|--:|--:|--:|--:|")
    for row in sorted(
        rows, key=lambda one: (data_of(one), one["base"] or one["preset"], one["base"] or "", one["preset"])
    ):
        gain = "–" if "gain" not in row else f"{row['gain']:+.4f} ({row['gain_low']:+.4f} to {row['gain_high']:+.4f})"
        about = f"{row['preset']} | {data_of(row)} | {row['base'] or '–'}"
        p = "–" if "p" not in row else format(row["p"], ".4f")
        cost = f"{row['steps']:,} | {row['training_cpu_seconds']:.0f} | {row['parameters'] or 0:,}"
        lines.append(
            f"| {about} | {interval(row, 'recall@10')} | {interval(row, 'ndcg@10')} | {gain} | {p} | {cost} | "
            f"{row['users_per_second']:.0f} |"
        )
    command = rows[0]["command"] if rows else ""
    head = "# Systems of the literature beside the network that they extend\n\n"
    head += (
        f"`{command}`\n\nTest, the network alone where nothing else is said, seen items excluded, seed 0, one thread.\n"
    )
    return head + "\n" + "\n".join(lines) + "\n"


def interval(row: dict[str, Any], key: str) -> str:
    """A figure with the 95 % interval over users."""
    return f"{row[key]:.4f} ({row[f'{key}_low']:.4f}–{row[f'{key}_high']:.4f})"


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("index", type=Path)
    parser.add_argument("interactions", type=Path)
    parser.add_argument("--seconds", type=float, default=180, help="CPU time of every training, without validation")
    parser.add_argument("--users", type=int, default=10**9, help="test users, a fixed sample")
    parser.add_argument("--validation-users", type=int, default=2000, help="who choose among four points of a run")
    parser.add_argument("--counts", action="store_true", help="with the counts and words of the preset")
    parser.add_argument("--set", nargs="*", default=[], metavar="KEY=VALUE", help="such as a teacher or a checkpoint")
    parser.add_argument("--only", nargs="*", default=[], help="presets")
    parser.add_argument(
        "--ranks", type=Path, default=Path("literature-ranks"), help="folder for ranks of the test cases"
    )
    parser.add_argument("--out", type=Path, default=RESULTS)
    given = parser.parse_args()
    rows = measure(given)
    write_atomic(given.out / "literature.md", table(rows))


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()

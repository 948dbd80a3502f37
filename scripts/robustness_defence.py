"""Curves of robustness before and after a defence, with attackers or noise in the training part.

    python scripts/robustness_defence.py INDEX INTERACTIONS --defences item-decoder-small lorec --kinds bandwagon random
    python scripts/robustness_defence.py INDEX INTERACTIONS --defences item-decoder-small llm4dsr --kinds replace \
        --set 'transforms.0.checkpoint=FOLDER'

The first preset is the one without a defence. ``random`` and ``bandwagon`` inject users who push rare items, as a share
of the real users; ``replace`` swaps that share of the real users' events. Everything else stays as it is, the test part
too. ``exposure`` is the share of real users whose ten items hold a pushed one. Writes defence.json after every row, and
goes on where it was stopped; then defence.md.
"""

from __future__ import annotations

import argparse
import json
import shlex
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from genrec.artifacts import write_atomic
from genrec.data import Interactions
from genrec.data.attacks import ATTACKS, inject
from genrec.data.histories import Histories
from genrec.data.split import Split, split_for
from genrec.evaluation.tables import as_markdown
from genrec.generative.config import load_train_config
from genrec.index.semantic_index import SemanticIndex
from genrec.metrics import ndcg_at, recall_at
from genrec.training.train import train

RESULTS = Path(__file__).resolve().parent / "results"
KINDS = (*ATTACKS, "replace")
PUSHED = 5
"""Items that attackers push."""


def disturbed(parts: Split, n_items: int, kind: str, share: float, seed: int) -> tuple[Split, np.ndarray]:
    """The split with attackers or noise in its training part, and the items that are pushed."""
    if kind == "replace":
        rng = np.random.default_rng([seed, 19])
        before = parts.train
        hit = rng.random(len(before.items)) < share
        items = np.where(hit, rng.integers(0, n_items, len(hit)), before.items).astype(np.int32)
        return replace(parts, train=Histories(before.user_ids, before.offsets, items)), np.zeros(0, dtype=np.int32)
    found = inject(parts.train, n_items, share, attack=kind, targets=PUSHED, seed=seed)  # type: ignore[arg-type]
    return replace(parts, train=found.histories), found.targets


def measure(given: argparse.Namespace, index: SemanticIndex, parts: Split, about: dict[str, Any]) -> dict[str, Any]:
    """One row: train under a disturbance, rank the test cases."""
    config = load_train_config(about["preset"], given.set)
    noisy, pushed = disturbed(parts, len(index.item_ids), about["kind"], about["share"], given.seed)
    with tempfile.TemporaryDirectory() as folder:
        made = train(index, noisy, config, Path(folder) / "model")
    chosen = np.sort(np.random.default_rng(given.seed).permutation(len(parts.test))[: given.users])
    cases = parts.test.select(chosen)
    lists = made.recommend(cases.histories, 10)
    ranks = lists.ranks_of(cases.targets)
    exposed = np.isin(lists.items, pushed).any(axis=1).mean() if len(pushed) else None
    figures = {"recall@10": float(recall_at(ranks, 10).mean()), "ndcg@10": float(ndcg_at(ranks, 10).mean())}
    return {**about, "cases": len(cases), "steps": made.metrics["steps"], **figures, "exposure": exposed}


def page(rows: list[dict[str, Any]]) -> str:
    """The table: a line a preset and kind, a column a share."""
    lines = ["# Attackers and noise in the training part", ""]
    for metric, meaning in (("ndcg@10", "NDCG@10 on the test part"), ("exposure", "Users who are shown a pushed item")):
        cells: dict[tuple[str, str], dict[str, str]] = {}
        for row in rows:
            if row[metric] is not None:
                line = cells.setdefault((row["kind"], row["preset"]), {"kind": row["kind"], "preset": row["preset"]})
                line[f"{row['share']:.0%}".replace("%", " %")] = f"{row[metric]:.4f}"
        if cells:
            lines += [f"## {meaning}", "", as_markdown(list(cells.values())), ""]
    commands = sorted({row["command"] for row in rows})
    return "\n".join([*lines, *(f"`{command}`" for command in commands), ""])


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("index", type=Path)
    parser.add_argument("interactions", type=Path)
    parser.add_argument("--defences", nargs="+", default=["item-decoder-small", "lorec"], help="presets")
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=list(ATTACKS))
    parser.add_argument("--shares", nargs="+", type=float, default=[0.0, 0.05, 0.2])
    parser.add_argument("--set", nargs="*", default=[], help="changed settings of every preset")
    parser.add_argument("--users", type=int, default=5000, help="most test cases")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=RESULTS)
    given = parser.parse_args()
    index, interactions = SemanticIndex.load(given.index), Interactions.read(given.interactions)
    name = given.interactions.resolve().parent.name
    command = shlex.join(["python", "scripts/robustness_defence.py", *sys.argv[1:]])
    parts = split_for(interactions, index, load_train_config(given.defences[0], given.set))
    path = given.out / "defence.json"
    rows: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else []
    for preset in given.defences:
        for kind in given.kinds:
            for share in given.shares:
                about = {"dataset": name, "preset": preset, "kind": kind, "share": share, "seed": given.seed}
                if any(about.items() <= row.items() for row in rows):
                    continue
                rows.append({**measure(given, index, parts, about), "command": command})
                write_atomic(path, json.dumps(rows, indent=1) + "\n")
                print(json.dumps(rows[-1]), flush=True)
    write_atomic(given.out / "defence.md", page(rows))


if __name__ == "__main__":
    main()

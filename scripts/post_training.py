"""Post-training measured: every method from the same start for the same CPU time, on the same test cases.

python scripts/post_training.py NAME INDEX INTERACTIONS START --seconds 60 --cases 4000

Writes scripts/results/post-training-NAME.json after every row, and goes on where it was stopped; then
scripts/results/post-training.md from all of them. Settings are fixed before the test part is read; nothing is chosen on
it. Weights at the end of the time are measured, without choosing an epoch.
"""

from __future__ import annotations

import argparse
import json
import math
import shutil
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from transformers import TrainerCallback

from genrec.data import Interactions
from genrec.data.split import EvaluationSet, Split, split_for
from genrec.generative.config import TrainConfig, load_train_config
from genrec.generative.recommender import GenerativeRecommender
from genrec.index.semantic_index import SemanticIndex
from genrec.metrics import ndcg_at, recall_at
from genrec.training.policy.rewards import novelty
from genrec.training.train import train

RESULTS = Path(__file__).resolve().parent / "results"
GROUPS = "objective.rollouts"
METHODS: dict[str, tuple[str, list[str]]] = {
    "start": ("", []),
    "SFT, same time": ("likelihood", []),
    "GRPO, beam": (
        "grpo-item-decoder",
        [f"{GROUPS}.method=beam", f"{GROUPS}.importance=false", "objective.advantage=group"],
    ),
    "GRPO, Gumbel": ("grpo-item-decoder", []),
    "exact reward": ("exact-reward-item-decoder", ["objective.scale=reward"]),
    "exact reward, log": ("exact-reward-item-decoder", []),
    "S-DPO": ("sdpo-item-decoder", []),
    "SPRec": ("sdpo-item-decoder", ["objective.alternate=20", "objective.likelihood=0"]),
}
"""Presets and what is changed in them; the kind of network is that of the start."""
TRADE = (0.02, 0.1, 0.5)
"""Weights of novelty beside hits and prefixes."""
PRIOR = (0.5, 1.0, 2.0)
"""Weights of novelty as a prior at decoding."""


class Budget(TrainerCallback):
    """Ends training after so much CPU time of this process."""

    def __init__(self, seconds: float) -> None:
        self.seconds, self.began = seconds, math.inf

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Start the clock."""
        self.began = time.process_time()

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> Any:
        """Look at it."""
        control.should_training_stop = time.process_time() - self.began > self.seconds
        return control


def settings(preset: str, start: Path, changes: list[str], batch: int) -> TrainConfig:
    """Of a run that is stopped by the clock and judged at its end."""
    fixed = [
        f"init={start}",
        "trainer.num_train_epochs=1000",
        'trainer.eval_strategy="no"',
        'trainer.save_strategy="no"',
        "trainer.load_best_model_at_end=false",
        "trainer.logging_strategy=steps",
        "trainer.logging_steps=10",
        "generation.prior=null",
        "generation.words=0",
    ]
    if preset != "likelihood":
        kind = load_train_config(str(start / "config.yaml")).model.architecture
        fixed += [f"model.architecture={kind}", f"trainer.per_device_train_batch_size={batch}"]
        return load_train_config(preset, [*fixed, *changes])
    trainer = {"per_device_train_batch_size": 256, "learning_rate": 1e-4, "weight_decay": 0.05}
    trainer |= {"lr_scheduler_type": "constant_with_warmup", "warmup_steps": 10}
    path = Path(tempfile.mkdtemp()) / "sft.yaml"
    path.write_text(json.dumps({"trainer": trainer, "examples": {"drop": 0.1}}), encoding="utf-8")
    return load_train_config(str(path), [*fixed, "generation.normalize=children", *changes])


def measure(
    recommender: GenerativeRecommender, cases: EvaluationSet, prior: np.ndarray | None = None
) -> dict[str, Any]:
    """Metrics of the network alone, and what every case has."""
    options = {"beams": 50, "prior": None, "words": 0.0, "normalize": "children"}
    lists = recommender.recommend(cases.histories, 50, options=options, prior=prior)
    ranks = lists.ranks_of(cases.targets)
    shown = lists.items[:, :10]
    return {
        "items": shown,
        "ndcg": ndcg_at(ranks, 10),
        "figures": {
            "R@10": float(recall_at(ranks, 10).mean()),
            "R@50": float(recall_at(ranks, 50).mean()),
            "N@10": float(ndcg_at(ranks, 10).mean()),
            "coverage@10": len(np.unique(shown[shown >= 0])) / len(recommender.item_ids),
        },
    }


def paired_p(gains: np.ndarray) -> float:
    """Two-sided p of a mean gain of zero, by the normal distribution."""
    error = float(gains.std(ddof=1)) / len(gains) ** 0.5
    return 1.0 if error == 0 else math.erfc(abs(float(gains.mean())) / error / 2**0.5)


def trained(config: TrainConfig, index: SemanticIndex, split: Split, seconds: float) -> tuple[Any, dict[str, Any]]:
    """The recommender after so many CPU seconds, and what was told on the way."""
    folder, began = Path(tempfile.mkdtemp()), time.process_time()
    budget = Budget(seconds)
    no_validation = replace(split, validation=split.validation.select(np.zeros(0, dtype=np.int64)))
    made = train(index, no_validation, config, folder / "model", callbacks=[budget])
    logs = [entry for entry in made.metrics["log"] if "loss" in entry]
    names = ("groups_without_gradient", "kl", "reward", "distinct", "rollout_seconds", "step_seconds")
    told = {name: [one[name] for one in logs if name in one] for name in names}
    figures = {name: float(np.mean(values)) for name, values in told.items() if values}
    if "rollout_seconds" in figures:
        figures["rollout_share"] = figures["rollout_seconds"] / figures["step_seconds"]
    if told["kl"]:
        figures["kl"] = told["kl"][-1]
    shutil.rmtree(folder)
    return made, {"steps": made.metrics["steps"], "cpu_seconds": time.process_time() - began, **figures}


def rows_of(options: argparse.Namespace, keep: Callable[[str, dict[str, Any]], None], done: set[str]) -> None:
    """Measure what is not there yet."""
    index = SemanticIndex.load(options.index)
    start = GenerativeRecommender.from_pretrained(options.start)
    split = split_for(Interactions.read(options.interactions), index, start.config)
    chosen = np.sort(np.random.default_rng(0).permutation(len(split.test))[: options.cases])
    cases = split.test.select(chosen)
    before = measure(start, cases)
    rare = novelty(split.train, len(index.item_ids))

    def told(found: dict[str, Any], more: dict[str, Any]) -> dict[str, Any]:
        gains = found["ndcg"] - before["ndcg"]
        shown = found["items"]
        extra = {"novelty@10": float(rare[shown][shown >= 0].mean()), "p": paired_p(gains), "cases": len(cases)}
        return {**found["figures"], **extra, **more}

    plan: list[tuple[str, str, list[str]]] = [(name, preset, more) for name, (preset, more) in METHODS.items()]
    for weight in TRADE:
        terms = [{"name": "hit"}, {"name": "prefix", "weight": 0.2}, {"name": "novelty", "weight": weight}]
        plan.append((f"reward: novelty {weight:g}", "grpo-item-decoder", [f"objective.rewards={json.dumps(terms)}"]))
    for name, preset, changes in plan:
        if name in done or (name.startswith("reward:") and not options.trade):
            continue
        if not preset:
            keep(name, told(before, {}))
            continue
        config = settings(preset, options.start, changes, options.batch)
        made, more = trained(config, index, split, options.seconds)
        keep(name, told(measure(made, cases), more))
    for weight in PRIOR if options.trade else ():
        if (name := f"prior: novelty {weight:g}") not in done:
            keep(name, told(measure(start, cases, weight * rare), {}))


def table(path: Path) -> str:
    """One result as Markdown."""
    content = json.loads(path.read_text(encoding="utf-8"))
    start = content["rows"]["start"]
    head = "| method | CPU s | steps | groups without gradient | KL | roll-outs' share of a step | R@10 | R@50 | N@10 |"
    head += " N@10 against start | p | coverage@10 | novelty@10 |\n|---|" + "--:|" * 12 + "\n"
    lines = []
    for name, row in content["rows"].items():
        share = [row.get("groups_without_gradient"), row.get("rollout_share")]
        shown = ["–" if one is None or math.isnan(one) else f"{one:.0%}" for one in share]
        kl = row.get("kl", math.nan)
        cells = [
            f"{row['cpu_seconds']:.0f}" if "cpu_seconds" in row else "–",
            f"{row['steps']:,}" if "steps" in row else "–",
            shown[0],
            "–" if math.isnan(kl) else f"{kl:.3g}",
            shown[1],
            *(f"{row[key]:.4f}" for key in ("R@10", "R@50", "N@10")),
            f"{row['N@10'] / start['N@10'] - 1:+.1%}",
            "–" if name == "start" else f"{row['p']:.2g}",
            f"{row['coverage@10']:.1%}",
            f"{row['novelty@10']:.3f}",
        ]
        lines.append(f"| {name} | " + " | ".join(cells) + " |\n")
    what = f"## {content['name']}\n\n`{content['command']}`\n\n{start['cases']:,} test cases, one seed, one thread. "
    what += f"{content.get('note', '')}\n\n"
    return what + head + "".join(lines)


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("name")
    for name in ("index", "interactions", "start"):
        parser.add_argument(name, type=Path)
    parser.add_argument("--seconds", type=float, default=60, help="CPU time of every training")
    parser.add_argument("--cases", type=int, default=4000, help="test cases, a fixed sample")
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--trade", action="store_true", help="also the trade-off with novelty")
    options = parser.parse_args()
    path = RESULTS / f"post-training-{options.name}.json"
    command = f"python scripts/post_training.py {options.name} INDEX INTERACTIONS START --seconds {options.seconds:g} "
    command += f"--cases {options.cases} --batch {options.batch}" + (" --trade" if options.trade else "")
    content = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {"name": options.name, "rows": {}}
    content["command"] = command

    def keep(name: str, row: dict[str, Any]) -> None:
        content["rows"][name] = row
        path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
        print(name, {key: round(value, 4) for key, value in row.items()}, flush=True)

    rows_of(options, keep, set(content["rows"]))
    parts = [table(one) for one in sorted(RESULTS.glob("post-training-*.json"))]
    (RESULTS / "post-training.md").write_text("# Post-training\n\n" + "\n".join(parts), encoding="utf-8")


if __name__ == "__main__":
    main()

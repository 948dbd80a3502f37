"""A real language model on one catalogue: variants on the same budget, pretrained weights against random ones.

    python scripts/fetch_small_models.py --out models
    python scripts/llm_real.py INDEX interactions.csv models/smollm2 --rows 2000 --users 500 --write

Every variant is trained on the same number of whole histories in a process of its own and then recommends for a fixed
sample of the validation part and of the test part, the network alone: no words and no counts are added. Nothing is
chosen on the test part. The paired test compares the pretrained network with the same network from random weights, user
by user. Writes scripts/results/llm-real.{json,md}, after every variant; rows of variants that are left out stay.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

RESULTS = Path(__file__).resolve().parent / "results"
VARIANTS = {
    "lora": ("LoRA and code rows", []),
    "random-weights": ("the same from random weights", ["model.llm.random_weights=true"]),
    "without-code-rows": ("LoRA alone, code rows as they start", ["model.llm.train_code_rows=false"]),
    "embeddings-only": ("code rows alone", ["model.llm.tuning=embeddings-only"]),
    "trie-masked": ("loss among legal codes", ["model.trie_masked_loss=true"]),
    "titles": ("code rows start from titles", ["model.llm.code_rows=titles"]),
    "keywords": ("code rows start from keywords", ["model.llm.code_rows=keywords"]),
    "alignment": (
        "with titles to codes and back",
        ["tasks=[{prompt: next-item, weight: 2}, {prompt: title-to-id}, {prompt: id-to-title}]"],
    ),
    "item-head": ("a head over all items, one target an example", ["model.architecture=item-head"]),
}
FIRST, SECOND = "lora", "random-weights"


def child(options: argparse.Namespace) -> None:
    """Train and evaluate one variant; prints its row, and keeps ranks beside the recommender."""
    from genrec.data.interactions import Interactions
    from genrec.data.split import split_for
    from genrec.evaluation.evaluator import evaluate
    from genrec.generative.config import load_train_config
    from genrec.index.semantic_index import SemanticIndex
    from genrec.training.train import train

    settings = [
        f"model.checkpoint={options.checkpoint}",
        f"prompts.rows_per_epoch={options.rows}",
        f"trainer.num_train_epochs={options.epochs}",
        f"trainer.learning_rate={options.rate}",
        "trainer.per_device_train_batch_size=16",
        "trainer.warmup_steps=10",
        "min_steps=0",
        "validation.users=100",
        "generation.words=0",
        f"generation.beams={options.beams}",
        f"seed={options.seed}",
        *VARIANTS[options.child][1],
    ]
    config = load_train_config("llm-decoder-lora", settings)
    index = SemanticIndex.load(options.index)
    split = split_for(Interactions.read(options.interactions), index, config)
    began, out = time.process_time(), options.work / options.child
    recommender = train(index, split, config, out)
    row: dict[str, Any] = {"cpu_seconds": time.process_time() - began}
    row |= {"steps": recommender.metrics["steps"], "trained": recommender.metrics["trainable_parameters"]}
    recommender.merge()  # a plain network answers faster
    for part in ("validation", "test"):
        cases = getattr(split, part)
        chosen = np.sort(np.random.default_rng(0).permutation(len(cases))[: options.users])
        result = evaluate(recommender, cases.select(chosen), ks=(10,))
        np.save(out / f"{part}-ranks.npy", result.ranks)
        row[part] = figures(result.ranks)
    row["memory_gib"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(json.dumps(row))


def figures(ranks: np.ndarray) -> dict[str, Any]:
    """Recall and NDCG among the first ten, with 95 % intervals over users."""
    from genrec.evaluation.uncertainty import bootstrap
    from genrec.metrics import metric_values

    found: dict[str, Any] = {}
    for name in ("recall@10", "ndcg@10"):
        values = metric_values(ranks, name)
        [interval] = bootstrap(values)
        found |= {name: float(values.mean()), f"{name} interval": [interval.low, interval.high]}
    return found


def shown(figures_of: dict[str, Any], name: str) -> str:
    """A figure, with its interval where there is one."""
    low_high = figures_of.get(f"{name} interval")
    between = f" ({low_high[0]:.4f} to {low_high[1]:.4f})" if low_high else ""
    return f"{figures_of[name]:.4f}{between}"


def paired(options: argparse.Namespace) -> dict[str, Any] | None:
    """Pretrained against random weights on the test sample; None where one has not run."""
    from genrec.evaluation.uncertainty import paired_difference
    from genrec.metrics import metric_values

    files = [options.work / name / "test-ranks.npy" for name in (FIRST, SECOND)]
    if not all(file.is_file() for file in files):
        return None
    first, second = (np.load(file) for file in files)
    return {
        name: vars(paired_difference(metric_values(first, name), metric_values(second, name)))
        for name in ("recall@10", "ndcg@10")
    }


def write(rows: dict[str, Any], options: argparse.Namespace) -> None:
    """Both files, from all rows there are."""
    from genrec.artifacts import write_atomic

    path = RESULTS / "llm-real.json"
    before = json.loads(path.read_text()) if path.is_file() else {"rows": {}, "paired": None}
    kept = {**before["rows"], **rows}
    kept = {name: kept[name] for name in VARIANTS if name in kept}
    tested = paired(options) or before["paired"]
    given = f"--rows {options.rows} --users {options.users}"
    write_atomic(path, json.dumps({"rows": kept, "paired": tested}, indent=1) + "\n")
    lines = [
        "# SmolLM2-135M on Amazon Beauty: variants on the same budget",
        "",
        f"`python scripts/llm_real.py INDEX interactions.csv models/smollm2 {given} --write`",
        "",
        "| variant | validation R@10 | N@10 | test R@10 | N@10 | histories | steps | trained | CPU time | memory |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for name, row in kept.items():
        cells = [shown(row[part], metric) for part in ("validation", "test") for metric in ("recall@10", "ndcg@10")]
        cells += [f"{row['rows'] * row['epochs']:,}", f"{row['steps']:,}", f"{row['trained']:,}"]
        cells += [f"{row['cpu_seconds'] / 60:.1f} min", f"{row['memory_gib']:.2f} GiB"]
        lines.append(f"| {VARIANTS[name][0]} | " + " | ".join(cells) + " |")
    if tested:
        parts = [
            f"{name} {one['mean']:+.4f} ({one['low']:+.4f} to {one['high']:+.4f}, p {one['p_value']:.4f})"
            for name, one in tested.items()
        ]
        lines += ["", "Pretrained minus random weights on the same test users: " + "; ".join(parts) + "."]
    some = next(iter(kept.values()))
    lines += [
        "",
        f"The network alone, without words and counts; a fixed sample of {some['users']:,} users a part, "
        f"{some['beams']} beams, seen items left out, all items ranked. The budget is small: one pass over a sample of "
        "the histories on one CPU core. So the rows compare variants; they do not say what the model can reach.",
        "",
    ]
    write_atomic(path.with_suffix(".md"), "\n".join(lines))


def main() -> None:
    """Run the variants one after the other."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("index")
    parser.add_argument("interactions")
    parser.add_argument("checkpoint")
    parser.add_argument("--variants", nargs="+", default=list(VARIANTS), choices=list(VARIANTS))
    parser.add_argument("--rows", type=int, default=2000, help="training histories of an epoch")
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--rate", type=float, default=2e-3)
    parser.add_argument("--users", type=int, default=500, help="fixed sample of each held-out part")
    parser.add_argument("--beams", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--work", type=Path, default=Path("runs/llm-real"))
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--child", choices=list(VARIANTS), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        child(options)
        return
    rows = {}
    for variant in options.variants:
        command = [sys.executable, __file__, *(part for part in sys.argv[1:] if part != "--write"), "--child", variant]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            raise SystemExit(f"{variant}: {done.stderr[-3000:]}")
        about = {name: getattr(options, name) for name in ("rows", "epochs", "rate", "users", "beams", "seed")}
        rows[variant] = {**json.loads(done.stdout.strip().splitlines()[-1]), **about}
        print(variant, json.dumps(rows[variant]), flush=True)
        if options.write:
            write(rows, options)


if __name__ == "__main__":
    main()

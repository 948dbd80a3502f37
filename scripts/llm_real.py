"""A real language model on one catalogue: variants on the same histories, pretrained weights against random ones.

    python scripts/fetch_small_models.py --out models
    python scripts/llm_real.py INDEX interactions.csv models/smollm2 --rows 1500 --users 1000 --write

Every variant is trained on the same number of whole histories in a process of its own and then recommends for a fixed
sample of the validation part and of the test part, the network alone: no words and no counts are added, but in the row
that says so. Nothing is chosen on the test part. Paired tests compare the first variant with every other one, user by
user. Writes scripts/results/llm-real.{json,md}, after every variant; rows of variants that are left out stay. A variant
that stops is continued by the same call.
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
FULL = "model.llm.tuning=full"
NEXT, WORDS = "{prompt: next-in-list, weight: 2}", "{prompt: title-to-id}, {prompt: id-to-title}"
MEANINGS = "{prompt: code-to-keywords, weight: 0.5}, {prompt: keywords-to-code, weight: 0.5}"
VARIANTS = {
    "lora": ("LoRA and code rows", []),
    "words-and-counts": ("the same with words and counts added", []),
    "random-weights": ("the same layers from random weights, all trained", ["model.llm.random_weights=true", FULL]),
    "full": ("pretrained, all trained", [FULL]),
    "not-fitted": ("code rows as they start, without the fit", ["model.llm.fit_code_rows=0"]),
    "asked-in-a-line": ("the prompt `next-item`", ["tasks=[{prompt: next-item}]"]),
    "before": (
        "neither the fit nor the list",
        ["model.llm.fit_code_rows=0", "tasks=[{prompt: next-item}]"],
    ),
    "codebooks": ("code rows start from codebooks", ["model.llm.code_rows=codebooks"]),
    "keywords": ("code rows start from keywords", ["model.llm.code_rows=keywords"]),
    "without-code-rows": ("LoRA alone, code rows fitted and not trained", ["model.llm.train_code_rows=false"]),
    "embeddings-only": ("code rows alone", ["model.llm.tuning=embeddings-only"]),
    "all-tokens": ("loss among all tokens", ["model.trie_masked_loss=false"]),
    "item-head": (
        "a head over all items, one target an example",
        ["model.architecture=item-head", "tasks=[{prompt: next-item}]"],
    ),
    "alignment": ("with titles to codes and back", [f"tasks=[{NEXT}, {WORDS}]"]),
    "descriptions": ("with codes to keywords and back", [f"tasks=[{NEXT}, {MEANINGS}]"]),
    "gemma": ("Gemma 3 270M instead", []),
    "longer": ("LoRA and code rows, all histories", []),
}
FIRST = "lora"
ABOUT = ("rows", "epochs", "rate", "layers", "fit", "start", "users", "validation_users", "beams", "seed")
ADDED = {False: ["generation.words=0"], True: ["generation.prior.name=transition-counts"]}


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
        f"model.llm.fit_code_rows={options.rows if options.fit is None else options.fit}",
        f"model.llm.code_rows={options.start}",
        *([f"model.llm.keep_layers={options.layers}"] if options.layers else []),
        "trainer.per_device_train_batch_size=16",
        "trainer.warmup_steps=10",
        "min_steps=0",
        "validation.users=300",
        *ADDED[options.child == "words-and-counts"],
        f"generation.beams={options.beams}",
        f"seed={options.seed}",
        *VARIANTS[options.child][1],
    ]
    config = load_train_config("llm-decoder-lora", settings)
    index = SemanticIndex.load(options.index)
    split = split_for(Interactions.read(options.interactions), index, config)
    began, out = time.process_time(), options.work / options.child.replace("words-and-counts", FIRST)
    at_once = not out.exists() and not out.with_name(f"{out.name}.training").exists()
    recommender = train(index, split, config, out)
    row: dict[str, Any] = {"cpu_seconds": time.process_time() - began if at_once else None}
    row |= {"steps": recommender.metrics["steps"], "trained": recommender.metrics["trainable_parameters"]}
    row["fitted"] = recommender.metrics.get("code_rows")
    recommender.merge()  # a plain network answers faster
    for part in ("validation", "test"):
        cases = getattr(split, part)
        users = options.users if part == "test" else options.validation_users
        chosen = np.sort(np.random.default_rng(0).permutation(len(cases))[:users])
        result = evaluate(recommender, cases.select(chosen), ks=(10,))
        np.save(options.work / f"{options.child}-{part}.npy", result.ranks)
        row[part] = figures(result.ranks)
    row["memory_gib"] = None if not at_once else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
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


def paired(options: argparse.Namespace) -> dict[str, Any]:
    """The first variant against every other that has run, on the test sample."""
    from genrec.evaluation.uncertainty import paired_difference
    from genrec.metrics import metric_values

    found: dict[str, Any] = {}
    files = {name: options.work / f"{name}-test.npy" for name in VARIANTS}
    ranks = {name: np.load(file) for name, file in files.items() if file.is_file()}
    for name in ranks:
        if FIRST in ranks and name != FIRST and len(ranks[name]) == len(ranks[FIRST]):
            values = [metric_values(ranks[one], "ndcg@10") for one in (FIRST, name)]
            found[name] = vars(paired_difference(*values))
    return found


def write(rows: dict[str, Any], options: argparse.Namespace) -> None:
    """Both files, from all rows there are."""
    from genrec.artifacts import write_atomic

    path = RESULTS / "llm-real.json"
    before = json.loads(path.read_text()) if path.is_file() else {"rows": {}, "paired": {}}
    kept = {**before["rows"], **rows}
    kept = {name: kept[name] for name in VARIANTS if name in kept}
    tested = {**before["paired"], **paired(options)}
    write_atomic(path, json.dumps({"rows": kept, "paired": tested}, indent=1) + "\n")
    lines = [
        "# SmolLM2-135M on Amazon Beauty: variants on the same histories",
        "",
        "`python scripts/llm_real.py INDEX interactions.csv models/smollm2 --write`, with the settings of each row:",
        "",
        "| variant | validation N@10 | test R@10 | test N@10 | first row is better by, N@10 | start, nats | layers | "
        "histories × epochs | trained | CPU time | memory |",
        "|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for name, row in kept.items():
        cells = [shown(row["validation"], "ndcg@10"), *(shown(row["test"], one) for one in ("recall@10", "ndcg@10"))]
        cells += [difference(tested.get(name)), f"{row['fitted']['after']:.2f}" if row.get("fitted") else "–"]
        cells += [str(row["layers"] or "all"), f"{row['rows']:,} × {row['epochs']}", f"{row['trained']:,}"]
        cells += [
            f"{row['cpu_seconds'] / 60:.1f} min" if row["cpu_seconds"] else "continued",
            f"{row['memory_gib']:.2f} GiB" if row["memory_gib"] else "–",
        ]
        lines.append(f"| {VARIANTS[name][0]} | " + " | ".join(cells) + " |")
    some = next(iter(kept.values()))
    lines += [
        "",
        f"The network alone but where words and counts are named; a fixed sample of {some['users']:,} test users and "
        f"{some['validation_users']:,} validation users, {some['beams']} beams, seen items left out, all items ranked. "
        "In brackets 95 % intervals over users; p of paired tests. CPU time of one core, reading, fitting and "
        "validation included. The budget is small: rows compare variants and do not say what a model can reach.",
        "",
    ]
    write_atomic(path.with_suffix(".md"), "\n".join(lines))


def difference(tested: dict[str, Any] | None) -> str:
    """A paired difference in words."""
    if tested is None:
        return "–"
    return f"{tested['mean']:+.4f} ({tested['low']:+.4f} to {tested['high']:+.4f}, p {tested['p_value']:.4f})"


def main() -> None:
    """Run the variants one after the other."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("index")
    parser.add_argument("interactions")
    parser.add_argument("checkpoint")
    parser.add_argument("--variants", nargs="+", default=list(VARIANTS), choices=list(VARIANTS))
    parser.add_argument("--rows", type=int, default=1500, help="training histories of an epoch")
    parser.add_argument("--fit", type=int, help="histories that code rows are fitted to; as many as rows")
    parser.add_argument("--layers", type=int, default=8, help="lowest layers that are kept; 0: all")
    parser.add_argument("--start", default="titles", help="what code rows start from")
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--rate", type=float, default=1e-3)
    parser.add_argument("--users", type=int, default=1000, help="fixed sample of the test part")
    parser.add_argument("--validation-users", type=int, default=500, help="fixed sample of the validation part")
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
        about = {name: getattr(options, name) for name in ABOUT}
        rows[variant] = {**json.loads(done.stdout.strip().splitlines()[-1]), **about}
        print(variant, json.dumps(rows[variant]), flush=True)
        if options.write:
            write(rows, options)


if __name__ == "__main__":
    main()

"""What language buys where nobody has bought: neighbours by item vectors of several text models, beside floors.

    python scripts/fetch_small_models.py --out models
    python scripts/zero_shot_text.py DATA_FOLDER models --datasets minionerec-industrial online-retail

Nothing is trained and nothing is chosen: every way to rank has fixed settings. Vectors are the mean over the states of
a text's tokens, whitened over the catalogue. A history is the mean of its last three items. Words and popularity are
the floors; popularity is the only row that sees what others bought. The users are a fixed sample of the test part, the
same for all rows; differences to words are paired by user. Writes scripts/results/zero-shot-text.{json,md} after every
row, and keeps the rows of other catalogues.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np

from genrec.artifacts import write_atomic
from genrec.baselines.base import FitInputs
from genrec.baselines.fit import train_baseline
from genrec.data.catalog import Catalog
from genrec.data.interactions import Interactions
from genrec.data.split import Split, leave_one_out
from genrec.encoders import build_encoder
from genrec.encoders.words import word_vectors
from genrec.evaluation import evaluate
from genrec.evaluation.uncertainty import paired_difference
from genrec.metrics import metric_values

RESULTS = Path(__file__).resolve().parent / "results"
METRICS = ("recall@10", "ndcg@10")
TEXT_MODELS = {
    "MiniLM": "minilm",
    "all-mpnet-base-v2": "all-mpnet-base-v2",
    "SmolLM2-135M, mean of states": "smollm2",
    "Gemma 3 270M, mean of states": "gemma3-270m",
}
WORDS = "words of the history"
LAST = 3


def vectors_of(catalog: Catalog, model: str, models: Path, tokens: int) -> np.ndarray:
    """Whitened vectors of all items, ``(n_items, dim)``."""
    inner: dict[str, Any] = {"name": "sentence", "model": model, "max_length": tokens}
    if model != "minilm":
        inner |= {"model": str(models / model), "pooling": "mean"}
    encoder = build_encoder({"name": "whitened", "encoder": inner})
    encoder.fit(catalog)
    return encoder.encode(catalog)


def ranks_of(name: str, catalog: Catalog, split: Split, options: argparse.Namespace) -> np.ndarray:
    """Ranks of the targets of the sample, ``(users,)``."""
    method, settings, inputs = "text-neighbours", {"last": LAST}, FitInputs()
    if name == "popularity":
        method, settings = "popularity", {}
    elif name == WORDS:
        method, settings = "word-neighbours", {"last": 20, "decay": 0.5}
        inputs = FitInputs(words=word_vectors(catalog))
    else:
        inputs = FitInputs(vectors=vectors_of(catalog, TEXT_MODELS[name], options.models, options.tokens))
    baseline = train_baseline(method, split, catalog.item_ids, inputs, settings=settings)
    return evaluate(baseline, split.test, ks=(10,)).ranks


def measure(dataset: str, options: argparse.Namespace, done: dict[str, Any]) -> None:
    """All rows of one catalogue, into ``done``."""
    folder = options.data / dataset
    catalog = Catalog.read(folder / "items.jsonl")
    table = Interactions.read(folder / "interactions.csv")
    split = leave_one_out(table.histories(catalog.item_ids, consecutive_repeats="drop"))
    chosen = np.sort(np.random.default_rng(0).permutation(len(split.test))[: options.users])
    split = Split(split.train, split.validation, split.test.select(chosen), split.name)
    words: np.ndarray | None = None
    for name in ("popularity", WORDS, *options.encoders):
        began = time.process_time()
        ranks = ranks_of(name, catalog, split, options)
        row: dict[str, Any] = {"users": len(ranks), "items": len(catalog.item_ids), "tokens": options.tokens}
        row |= {"cpu_seconds": round(time.process_time() - began, 1)}
        row |= {metric: float(metric_values(ranks, metric).mean()) for metric in METRICS}
        words = ranks if name == WORDS else words
        if words is not None and name != WORDS:
            one = paired_difference(metric_values(ranks, METRICS[1]), metric_values(words, METRICS[1]))
            row["beyond_words"] = {key: float(vars(one)[key]) for key in ("mean", "low", "high", "p_value")}
        done.setdefault(dataset, {})[name] = row
        print(dataset, name, json.dumps(row), flush=True)
        write(done)


def write(done: dict[str, Any]) -> None:
    """Both files."""
    write_atomic(RESULTS / "zero-shot-text.json", json.dumps(done, indent=1) + "\n")
    lines = [
        "# What language buys where nobody has bought",
        "",
        "`python scripts/zero_shot_text.py DATA_FOLDER models`",
        "",
        "| catalogue | ranked by | Recall@10 | NDCG@10 | NDCG@10 beyond words of the history | users |",
        "|---|---|---|---|---|---|",
    ]
    for dataset, rows in done.items():
        for name, row in rows.items():
            cells = [f"{row[metric]:.4f}" for metric in METRICS]
            one = row.get("beyond_words")
            cells.append(
                f"{one['mean']:+.4f} ({one['low']:+.4f} to {one['high']:+.4f}, p {one['p_value']:.4f})" if one else ""
            )
            lines.append(f"| {dataset} | {name} | " + " | ".join(cells) + f" | {row['users']:,} |")
    below = [
        f"{name} on {dataset} ({metric})"
        for dataset, rows in done.items()
        for name, row in rows.items()
        for metric in METRICS
        if name != "popularity" and row[metric] < rows["popularity"][metric]
    ]
    lines += ["", "Below popularity: " + ("; ".join(below) if below else "no row") + ".", ""]
    lines += [
        "Nothing is trained and nothing chosen. Whitened means of token states, the mean of the last "
        f"{LAST} items; words: the last twenty items with a decay. All items are ranked, seen ones left out. "
        "Popularity alone sees what others bought.",
        "",
    ]
    write_atomic(RESULTS / "zero-shot-text.md", "\n".join(lines))


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("models", type=Path)
    parser.add_argument("--datasets", nargs="+", default=["minionerec-industrial", "online-retail"])
    parser.add_argument("--encoders", nargs="*", default=list(TEXT_MODELS), choices=list(TEXT_MODELS))
    parser.add_argument("--users", type=int, default=1000)
    parser.add_argument("--tokens", type=int, default=64, help="read of a text, by every model")
    options = parser.parse_args()
    path = RESULTS / "zero-shot-text.json"
    done = json.loads(path.read_text()) if path.is_file() else {}
    for dataset in options.datasets:
        measure(dataset, options, done)


if __name__ == "__main__":
    main()

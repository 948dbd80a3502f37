"""Every shipped recipe on real catalogues with a real sentence encoder: collisions, use of codes, likeness, seconds.

    python scripts/benchmark_tokenizers.py DATA_FOLDER [DATA_FOLDER …] [--tokenizers NAME …]

A DATA_FOLDER holds items.jsonl and interactions.csv. The sentence encoder takes the place of lsa in every recipe; its
vectors are cached ($GENREC_CACHE), so only the first run of a catalogue pays for them. Writes
scripts/results/tokenizers.{json,md} after every recipe; rows that are there are kept unless --again is given.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path

from tokenizer_common import RESULTS, Row, about, load, read_rows, recipes, table, write_rows

from genrec.data.catalog import Catalog
from genrec.data.split import Split
from genrec.index.recipe import TokenizerRecipe
from genrec.index.report.compare import compare_recipes

NAME = "tokenizers"
COMMAND = "bash scripts/benchmark_tokenizers.sh DATA_FOLDER …"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--tokenizers", nargs="+", help="recipes (default: all that are shipped, but demo)")
    parser.add_argument("--encoder", default="minilm", help="takes the place of lsa in every recipe (default: minilm)")
    parser.add_argument("--again", action="store_true", help="measure recipes anew that are in the table")
    parser.add_argument("--out", type=Path, default=RESULTS)
    options = parser.parse_args()
    for folder in options.folders:
        run_dataset(folder, options)


def run_dataset(folder: Path, options: argparse.Namespace) -> None:
    dataset = folder.resolve().name
    catalog, split = load(folder)
    content = read_rows(options.out, NAME)
    there = (
        set() if options.again else {r["tokenizer"] for r in content if r["dataset"] == dataset and "error" not in r}
    )
    chosen = [recipe for recipe in recipes(options.tokenizers, options.encoder) if recipe.name not in there]
    print(f"{dataset}: {len(catalog):,} items, {len(chosen)} recipes", flush=True)
    for row in measure(catalog, split, chosen):
        row |= {"dataset": dataset, "encoder": options.encoder, **about(NAME, COMMAND)}
        key = (dataset, row["tokenizer"])
        content = [r for r in read_rows(options.out, NAME) if (r["dataset"], r["tokenizer"]) != key]
        content = sorted([*content, row], key=lambda r: (r["dataset"], r["tokenizer"]))
        write_rows(options.out, NAME, content, page(content))
        print(f"  {row['tokenizer']}: {row.get('error') or summary(row)}", flush=True)


def measure(catalog: Catalog, split: Split, chosen: Sequence[TokenizerRecipe]) -> Iterator[Row]:
    for row in compare_recipes(catalog, chosen, split=split):
        if "error" not in row:
            row["seconds"] = row["quantize_seconds"]
        yield row


def summary(row: Row) -> str:
    return (
        f"collisions {row['collision_rate']:.2%} (equal vectors {row['duplicate_rate']:.2%}), in use "
        f"{row['min_utilisation']:.1%}, {row['seconds']:.1f} s"
    )


def page(content: Sequence[Row]) -> str:
    columns = [
        ("tokenizer", "tokenizer", str),
        ("codes", "codes", str),
        ("collisions", "collision_rate", lambda v: f"{v:.2%}"),
        ("nearest codes", "nearest_collision_rate", lambda v: f"{v:.2%}"),
        ("equal vectors", "duplicate_rate", lambda v: f"{v:.2%}"),
        ("largest group", "largest_bucket", lambda v: f"{v:,}"),
        ("in use", "min_utilisation", lambda v: f"{v:.1%}"),
        ("Gini", "max_gini", lambda v: f"{v:.2f}"),
        ("lost", "reconstruction_error", lambda v: f"{v:.1%}"),
        ("likeness", "likeness", lambda v: f"{v:+.2f}"),
        ("bought together", "copurchase_lift", lambda v: f"{v:.1f} ×"),
        ("seconds", "seconds", lambda v: f"{v:.1f}"),
        ("CPU seconds", "quantize_cpu_seconds", lambda v: f"{v:.1f}"),
    ]
    lines = ["# Tokenizers on real catalogues", "", f"`{COMMAND}`", ""]
    lines += [
        "Collisions: 1 - distinct paths / items before disambiguation (nearest codes: if no item were moved to tell it "
        "from another; equal vectors: what no quantizer of vectors can avoid). In use: codes that have an item, at the "
        "worst level. Gini: unevenness of the worst level. Lost: variance of the vectors that the codes lose. "
        "Likeness: mean cosine of items with the same first code (or slot) above random pairs, in the recipe's own "
        "vectors. Bought together: common codes of an item and one of the three before it, validation part, as a "
        "multiple of chance. Seconds: vectors to unique codes, on a shared machine, which CPU seconds do not depend "
        "on; making the vectors is not counted.",
        "",
    ]
    for dataset in dict.fromkeys(row["dataset"] for row in content):
        own = [row for row in content if row["dataset"] == dataset]
        made = [row for row in own if "error" not in row]
        items = f"{made[0]['items']:,} items, encoder {made[0]['encoder']}" if made else "nothing could be built"
        lines += [f"## {dataset} ({items})", "", table(made, columns), ""]
        lines += [f"- {row['tokenizer']} failed: {row['error']}" for row in own if "error" in row]
    return "\n".join(lines).rstrip() + "\n"


if __name__ == "__main__":
    main()

"""Writes the reproduction tables of the preset pages from the rows in scripts/results/, between two marks.

python scripts/preset_tables.py            writes docs/presets/*.md
python scripts/preset_tables.py --check    says which pages are not up to date
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
RESULTS, PAGES = ROOT / "scripts" / "results", ROOT / "docs" / "presets"
BEGIN, END = "<!-- made by scripts/preset_tables.py -->", "<!-- end -->"
NAMES = {
    "amazon2014-beauty": "Amazon Beauty",
    "amazon2014-sports": "Amazon Sports",
    "minionerec-industrial": "MiniOneRec Industrial",
    "movielens-latest-small": "MovieLens small",
    "online-retail": "Online Retail",
    "demo-shop": "demo shop",
}


@dataclass(frozen=True)
class Source:
    """Where the rows of a page stand.

    Attributes:
        file: In scripts/results/.
        field: Key that tells the rows apart.
        shown: Value of that key to what the table calls it.
        metrics: Names of the columns to keys of the rows.
        targets: Which slice.
        beside: Value of the key whose data alone are shown; empty: all data.
    """

    file: str
    field: str
    shown: dict[str, str]
    metrics: dict[str, str]
    targets: str = "all"
    beside: str = ""


RECALL = {"Recall@10": "recall@10", "NDCG@10": "ndcg@10"}
HIT = {"Hit@10": "hit@10", "NDCG@10": "ndcg@10"}
LLM = {"file": "llm.json", "field": "variant", "metrics": RECALL}
SOURCES = {
    "amazon-beauty": Source(
        "amazon-beauty.json",
        "recommender",
        {
            "generative-with-counts": "with the prior",
            "generative": "the network alone",
            "transition-counts": "counts alone",
        },
        RECALL,
    ),
    "llm-decoder-lora": Source(
        shown={
            "lora": "LoRA and code rows",
            "trie-masked": "the same, with `model.trie_masked_loss`",
            "full": "everything tuned",
            "from-scratch": "the same network from random weights",
            "lora-without-code-rows": "LoRA without code rows",
        },
        **LLM,
    ),
    "llm-seq2seq-lora": Source(
        shown={
            "seq2seq-lora": "a home-made T5 with LoRA",
            "seq2seq-lora-pairs": "a home-made T5 with LoRA, one item an example",
        },
        **LLM,
    ),
    "llm-text-encoder": Source(shown={"minilm-encoder": "MiniLM with LoRA"}, **LLM),
    "llm-item-head": Source(shown={"item-head": "item head", "item-head-38k": "with six times the targets"}, **LLM),
    "recgpt-small": Source(
        "recgpt-few-shot.json",
        "recommender",
        {
            "from-scratch-100%+counts+words": "with words and counts",
            "from-scratch-100%": "the network alone",
            "transition-counts-100%": "counts alone",
        },
        HIT,
        "novel",
    ),
    "recgpt-pretrain": Source(
        "recgpt-zero-shot.json", "recommender", {"recgpt-zero-shot-exact": "zero-shot"}, HIT, "novel"
    ),
    "item-decoder-small": Source(
        "tokenizers-downstream.json",
        "tokenizer",
        {
            "rq-kmeans-3x256-minilm-fused": "codes of texts and co-occurrence",
            "rq-kmeans-3x256": "codes of texts",
            "random-3x256": "codes by chance",
        },
        RECALL,
    ),
}
"""Preset → its rows."""
ALONE = ("decoder-small", "seq2seq-tiger")
AFTER = {
    "grpo-item-decoder": "item-decoder-small",
    "exact-reward-item-decoder": "item-decoder-small",
    "sdpo-item-decoder": "item-decoder-small",
    "exact-reward-recgpt": "recgpt-small",
    "grpo-seq2seq": "seq2seq-tiger",
    "grpo-llm": "llm-decoder-lora",
    "exact-reward-vector-decoder": "vector-decoder",
}
"""Preset of post-training → that of its start."""
MEASURED = {"file": "presets.json", "field": "preset", "metrics": RECALL}


def measured() -> dict[str, Source]:
    """Presets that scripts/preset_rows.py has rows of; those of post-training beside their start."""
    path = RESULTS / "presets.json"
    there = {row["preset"] for row in (json.loads(path.read_text(encoding="utf-8")) if path.is_file() else [])}
    alone = {name: Source(shown={name: "the preset"}, **MEASURED) for name in ALONE}
    after = {name: Source(shown={start: "its start", name: "after it"}, **MEASURED) for name, start in AFTER.items()}
    return {name: source for name, source in (alone | after).items() if name in there}


def literature() -> dict[str, Source]:
    """Systems of the literature that were measured, each beside the network that it extends."""
    path = RESULTS / "literature.json"
    rows = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else []
    shared = {"file": "literature.json", "field": "preset", "metrics": RECALL}
    return {
        row["preset"]: Source(
            shown={row["base"]: "the network that it extends", row["preset"]: "this"}, beside=row["preset"], **shared
        )
        for row in rows
        if row["base"]
    }


def table(source: Source) -> str:
    """The rows of a page, each figure with its 95 % interval over users."""
    rows: list[dict[str, Any]] = json.loads((RESULTS / source.file).read_text(encoding="utf-8"))
    lines = [["", "data", "users", "seed", *source.metrics]]
    own = {data_of(row) for row in rows if row.get(source.field) == source.beside}
    for value, name in source.shown.items():
        for row in rows:
            if source.beside and data_of(row) not in own:
                continue
            if row.get(source.field) == value and row["targets"] == source.targets and row["split"] == "test":
                figures = [figure(row, key) for key in source.metrics.values()]
                lines.append([name, data_of(row), f"{row['users']:,}", seed(row), *figures])
    spent = [[name, data, seed, *cost] for name, data, seed, cost in costs(source, rows, own) if any(cost)]
    lines.insert(1, ["---"] * len(lines[0]))
    about = "novel targets" if source.targets == "novel" else "all targets"
    note = (
        f"Test, {about}, whole catalogue; in brackets the 95 % interval over users (`scripts/results/{source.file}`).\n"
    )
    return note + "\n" + drawn(lines) + (drawn([*COST_HEAD, *spent], COST_NOTE) if spent else "")


COST_NOTE = "\nWhat these runs cost, by one thread of a machine that other jobs shared:\n\n"
COST_HEAD = (["", "data", "seed", "parameters", "training, s", "users a second"], ["---"] * 6)


def drawn(lines: list[list[str]], note: str = "") -> str:
    """A table below a note."""
    return note + "".join(f"| {' | '.join(line)} |\n" for line in lines)


def costs(source: Source, rows: list[dict[str, Any]], own: set[str]) -> Iterator[tuple[str, str, str, list[str]]]:
    """What the runs of a page cost: parameters, seconds of training, users a second in decoding."""
    for value, name in source.shown.items():
        for row in rows:
            wanted = row.get(source.field) == value and row["targets"] == source.targets and row["split"] == "test"
            if wanted and row.get("parameters") and not row.get("seeds") and (data_of(row) in own or not source.beside):
                seconds = row.get("training_cpu_seconds", row.get("training_seconds"))
                fast = row.get("users_per_second")
                cost = [f"{row['parameters']:,}", f"{seconds:,.0f}" if seconds else "", f"{fast:,.0f}" if fast else ""]
                yield name, data_of(row), seed(row), cost


def data_of(row: dict[str, Any]) -> str:
    """Where a row was measured."""
    name = NAMES.get(row["dataset"], row["dataset"])
    codes = f", codes of {row['recipe']}" if row.get("recipe") else ""
    return f"{name}{codes}{', with counts' * row.get('counts', False)}"


def seed(row: dict[str, Any]) -> str:
    """The seed of a row, how many it is the mean of, or a dash for what has none."""
    if row.get("seeds"):
        return f"mean of {len(row['seeds'])}"
    return "–" if row["seed"] is None else str(row["seed"])


def figure(row: dict[str, Any], key: str) -> str:
    """A value with its interval, such as ``.0230 (.0140–.0330)``."""
    mean, low, high = (f"{row[name]:.4f}".removeprefix("0") for name in (key, f"{key}_low", f"{key}_high"))
    return f"{mean} ({low}–{high})"


def memory_and_time(name: str) -> str:
    """What a few steps of a preset cost, measured alike for all; empty where it was not."""
    path = RESULTS / "preset-cost.json"
    rows = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else []
    head = ["parameters", "trained", "rows a batch", "training, ms a row", "training, GiB", "decoding, ms a user"]
    keys = ("parameters", "trainable", "rows_a_batch", "ms_a_row", "training_gib", "ms_a_user")
    own = [row for row in rows if row["preset"] == name]
    for key, title in FIRST.items():
        if any(key in row for row in own):
            head, keys = [*head, title], (*keys, key)
    lines = [[f"{row[key]:,}" for key in keys] for row in own]
    return "\n" + drawn([head, ["---"] * len(head), *lines], SMALL_NOTE) if lines else ""


FIRST = {"teaching_ms_a_history": "teaching, ms a history", "asking_ms_a_history": "asking, ms a history"}
"""What happens before the network learns, where a preset has that."""


SMALL_NOTE = """A few steps on a thousand users of the demo shop, CPU time of one thread; memory is the process's peak
(`scripts/preset_cost.py`):

"""


def made(page: str, name: str, source: Source | None) -> str:
    """A page with its tables."""
    start, end = page.index(BEGIN), page.index(END)
    alone = page[:start].rpartition("\n## ")[2].startswith("Cost")  # figures of quality stand elsewhere on the page
    figures = "" if alone else "Not measured yet.\n" if source is None else table(source)
    cost = memory_and_time(name)
    return f"{page[:start]}{BEGIN}\n\n{figures}{cost[1:] if alone else cost}\n{page[end:]}"


def main() -> int:
    """Write the pages, or say which are old."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true")
    check, old = parser.parse_args().check, []
    sources = SOURCES | measured() | literature()
    for path in sorted(PAGES.glob("*.md")):
        before = path.read_text(encoding="utf-8")
        if BEGIN not in before:
            continue
        now = made(before, path.stem, sources.get(path.stem))
        old += [path.name] if now != before else []
        if not check:
            path.write_text(now, encoding="utf-8")
    if check and old:
        print(f"Not up to date: {', '.join(old)}. Run python scripts/preset_tables.py.", file=sys.stderr)
    return int(check and bool(old))


if __name__ == "__main__":
    sys.exit(main())

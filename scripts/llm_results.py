"""Collect the variants of llm_beauty.sh into scripts/results/llm.json and llm.md.

Reads OUT/model-VARIANT, OUT/validation-VARIANT/metrics.json and OUT/test-VARIANT/metrics.json, as far as they exist.
"""

import argparse
import json
import subprocess
from pathlib import Path

from genrec.artifacts import write_atomic
from genrec.config import read_yaml
from genrec.models.llm.tuning import adapter_bytes

RESULTS = Path(__file__).resolve().parent / "results"
VARIANTS = (
    "lora",
    "lora-without-code-rows",
    "full",
    "from-scratch",
    "alignment-tasks",
    "trie-masked",
    "minilm-encoder",
    "item-head",
    "item-head-38k",
    "seq2seq-lora",
    "seq2seq-lora-pairs",
)
TITLE = "Language models on Amazon Beauty: variants on the same budget"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--command", required=True)
    options = parser.parse_args()
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True).stdout.strip()
    run = {"benchmark": "llm", "command": options.command, "commit": commit}
    rows = []
    for variant in VARIANTS:
        model = options.folder / f"model-{variant}"
        if not (model / "metrics.json").is_file():
            continue
        training = json.loads((model / "metrics.json").read_text())
        about = {
            **run,
            "variant": variant,
            "trainable_parameters": training["trainable_parameters"],
            "adapter_bytes": adapter_bytes(model / "model" / "adapter") or None,
            "train_seconds": training["seconds_this_session"],
            "train_rows": training["train_rows"],
            "steps": training["steps"],
            "seed": read_yaml(model / "config.yaml")["seed"],
        }
        for part in ("validation", "test"):
            path = options.folder / f"{part}-{variant}" / "metrics.json"
            if path.is_file():
                found = [row for row in json.loads(path.read_text()) if row["targets"] == "all"]
                rows += [{**row, **about} for row in found if row["kind"] == "generative"]
                baseline = next((row for row in found if row["kind"] == "baseline"), None)
                if baseline is not None and variant == VARIANTS[0]:
                    rows.append({**baseline, **run, "variant": None})
    write_atomic(RESULTS / "llm.json", json.dumps(rows, indent=1) + "\n")
    write_atomic(RESULTS / "llm.md", page(rows, options.command))
    print(f"{RESULTS / 'llm.json'}, .md: {len(rows)} rows")


def page(rows: list[dict], command: str) -> str:
    """One line a variant, validation and test side by side."""
    lines = [
        "| variant | validation R@10 | N@10 | test R@10 | N@10 | trained parameters | adapter | training |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name in dict.fromkeys(row["variant"] or row["recommender"] for row in rows):
        mine = {row["split"]: row for row in rows if (row["variant"] or row["recommender"]) == name}
        cells = [
            f"{mine[part][metric]:.4f}" if part in mine else ""
            for part in ("validation", "test")
            for metric in ("recall@10", "ndcg@10")
        ]
        row = next(iter(mine.values()))
        trained = f"{row['trainable_parameters']:,}" if row.get("trainable_parameters") else ""
        size = f"{row['adapter_bytes'] / 1e6:.1f} MB" if row.get("adapter_bytes") else ""
        seconds = f"{row['train_seconds']:,.0f} s" if row.get("train_seconds") else ""
        lines.append("| " + " | ".join([name, *cells, trained, size, seconds]) + " |")
    users = max((row["users"] for row in rows), default=0)
    some = next((row for row in rows if row.get("train_rows")), {})
    notes = (
        f"Item level, full ranking, seen items excluded, one fixed sample of {users:,} users per part, 20 beams; every "
        f"variant learns from {some.get('train_rows', 0):,} examples in {some.get('steps', 0):,} steps on one CPU core "
        "(whole histories with a loss at every item, about 6 an example). One item an example is what minilm-encoder, "
        "item-head and seq2seq-lora-pairs learn from: with so few targets they say what that costs, not what they can "
        "do; item-head-38k has as many targets as whole histories give. "
        "Decoder and T5 are small ones, pretrained on the text of catalogues, no interaction among it; minilm-encoder "
        "reads titles with all-MiniLM-L6-v2. Training: on the clock of a shared machine, so not to be compared closely."
    )
    return "\n".join([f"# {TITLE}", "", f"`{command}`", "", *lines, "", notes, ""])


if __name__ == "__main__":
    main()

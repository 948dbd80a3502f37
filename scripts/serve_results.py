"""What fuzz_serve.py and serve_faults.py share: a tiny real model, and the page that both write."""

from __future__ import annotations

import json
import shlex
import sys
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).resolve().parent / "results"
TOKEN = "a-token-for-measuring-only"


def tiny_model(folder: Path) -> tuple[Path, Path, Path]:
    """A trained recommender of sixty items, its interactions, and an index that may grow; made once."""
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))
    from support import TINY_TOKENIZER, TINY_TRAINING, make_tables

    from genrec.data import Catalog, Interactions
    from genrec.generative.config import load_train_config
    from genrec.index import SemanticIndex
    from genrec.index.recipe import load_recipe
    from genrec.training.train import train

    tiny = folder / "tiny"
    if not (tiny / "model").is_dir():
        tiny.mkdir(parents=True, exist_ok=True)
        items, interactions = make_tables()
        interactions.write_csv(tiny / "interactions.csv")
        index = SemanticIndex.build(Catalog.from_frame(items), load_recipe("rq-kmeans-3x256", TINY_TOKENIZER))
        table = Interactions.read(tiny / "interactions.csv")
        train(index, table, load_train_config("item-decoder-small", TINY_TRAINING), tiny / "model")
    SemanticIndex.load(tiny / "model" / "index").save(tiny / "index", overwrite=True)
    return tiny / "model", tiny / "interactions.csv", tiny / "index"


def noted(name: str, found: dict[str, Any]) -> None:
    """Keep the result of one run, and write the page anew."""
    print(name, json.dumps(found)[:2000], flush=True)
    kept = RESULTS / "serve-faults.json"
    results = json.loads(kept.read_text()) if kept.is_file() else {}
    results[name] = {"command": f"python {shlex.join(sys.argv)}", **found}
    kept.write_text(json.dumps(results, indent=1) + "\n")
    (RESULTS / "serve-faults.md").write_text(page(results))


def page(results: dict[str, dict[str, Any]]) -> str:
    """The results as Markdown."""
    text = "# What the service survives\n\nEach part is one run of the command that stands with it.\n\n"
    for name, found in results.items():
        text += f"## {name}\n\n`{found['command']}`\n\n| what | measured |\n|---|---|\n"
        for key, value in found.items():
            if key in ("command", "memory", "failed"):
                continue
            shown = f"{value:,.2f}" if isinstance(value, float) else value
            if isinstance(value, dict):
                shown = ", ".join(f"{part}: {number:,}" for part, number in value.items())
            text += f"| {key.replace('_', ' ')} | {shown} |\n"
        if found.get("memory"):
            rows = found["memory"]
            shown = rows[:: max(1, len(rows) // 8)] + rows[-1:]
            text += "| memory (MiB after so many requests) | "
            text += ", ".join(f"{mib:,.0f} ({number:,})" for number, mib in shown) + " |\n"
        if "failed" in found:
            text += f"| answers of 5xx other than 503 | {len(found['failed'])} |\n"
        text += "\n"
    return text

"""What the scripts about tokenizers share: tables, recipes with a real sentence encoder, results files."""

from __future__ import annotations

import json
import platform
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from genrec.artifacts import write_atomic
from genrec.assets import asset_names
from genrec.data import Catalog, Interactions
from genrec.data.split import Split, leave_one_out
from genrec.index.recipe import TokenizerRecipe, load_recipe

RESULTS = Path(__file__).resolve().parent / "results"
Row = dict[str, Any]


def load(folder: Path) -> tuple[Catalog, Split]:
    """Catalogue and leave-one-out split of a folder with items.jsonl and interactions.csv."""
    catalog = Catalog.read(folder / "items.jsonl")
    histories = Interactions.read(folder / "interactions.csv").histories(catalog, consecutive_repeats="drop")
    return catalog, leave_one_out(histories)


def recipes(names: Sequence[str] | None, encoder: str) -> list[TokenizerRecipe]:
    """Recipes by name, those that are there; ``encoder`` takes the place of ``lsa`` in each."""
    there = [name for name in asset_names("tokenizers", ".yaml") if name not in ("auto", "demo")]
    chosen = there if names is None else [name for name in names if name in there or name.endswith(".yaml")]
    for name in names or ():
        if name not in chosen:
            print(f"{name}: no such recipe here, left out", flush=True)
    return [with_encoder(load_recipe(name), encoder) for name in chosen]


def with_encoder(recipe: TokenizerRecipe, encoder: str) -> TokenizerRecipe:
    """The recipe with a sentence model where it has ``lsa``."""
    if encoder == "lsa":
        return recipe
    return recipe.model_copy(update={"encoder": _replaced(recipe.encoder, encoder)})


def _replaced(part: Any, encoder: str) -> Any:
    if isinstance(part, list | tuple):
        return [_replaced(one, encoder) for one in part]
    if not isinstance(part, dict):
        return part
    if part.get("name") == "lsa":
        return {"name": "sentence", "model": encoder}
    return {key: _replaced(value, encoder) for key, value in part.items()}


def read_rows(out: Path, name: str) -> list[Row]:
    """Rows of a results file, or none."""
    path = out / f"{name}.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else []


def write_rows(out: Path, name: str, rows: Sequence[Row], page: str) -> None:
    """Write NAME.json and NAME.md; readers never see half a file."""
    write_atomic(out / f"{name}.json", json.dumps(list(rows), indent=1, ensure_ascii=False) + "\n")
    write_atomic(out / f"{name}.md", page)


def table(rows: Sequence[Row], columns: Sequence[tuple[str, str, Callable[[Any], str]]]) -> str:
    """Markdown table: columns are name, key and how a value is shown; first column to the left."""
    lines = [f"| {' | '.join(name for name, _, _ in columns)} |", "|---|" + "--:|" * (len(columns) - 1)]
    for row in rows:
        cells = ("–" if row.get(key) is None else show(row[key]) for _, key, show in columns)
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def about(benchmark: str, command: str) -> Row:
    """The keys that say how something was run."""
    done = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True)
    device = f"{platform.machine()} cpu"
    return {"benchmark": benchmark, "command": command, "device": device, "commit": done.stdout.strip() or None}

"""The table of decoding speed: flat rows as JSON, the same as Markdown."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from genrec.artifacts import read_json, write_atomic

Row = dict[str, Any]


_IDENTITY = ("model", "prompt", "items", "users", "beams", "dtype", "normalize", "device")


def read(folder: Path) -> list[Row]:
    """Rows of ``decode.json``, none where there is no such file."""
    path = folder / "decode.json"
    return list(read_json(path)) if path.is_file() else []


def merged(before: Sequence[Row], rows: Sequence[Row]) -> list[Row]:
    """All rows, those of the same cell replaced, in the order of the grid."""
    cells = {tuple(row[key] for key in _IDENTITY): row for row in (*before, *rows)}
    return sorted(cells.values(), key=lambda row: (row["model"] != "t5", row["prompt"], row["items"]))


def write(folder: Path, rows: Sequence[Row]) -> None:
    """Write ``decode.json`` and ``decode.md``."""
    write_atomic(folder / "decode.json", json.dumps(list(rows), indent=1) + "\n")
    write_atomic(folder / "decode.md", "\n".join(_page(rows)) + "\n")


_COLUMNS = {
    "model": "model",
    "prompt": "prompt",
    "items": "items",
    "dtype": "type",
    "normalize": "normalised over",
    "hf_ms": "HF ms",
    "ms": "ms",
    "speedup_vs_hf": "speed-up",
    "limit_ratio": "× prefill",
    "least_ratio": "at least",
    "ms_per_step": "ms a step",
    "users_per_second": "users/s",
    "share_prefill": "prefill",
    "share_step": "model",
    "share_normalizer": "normaliser",
    "share_constraint": "trie",
    "constraint_of_step": "trie / step",
    "constraint_of_step_seen": "with filter",
    "hf_memory_mb": "HF MiB",
    "memory_mb": "MiB",
    "identical": "identical",
    "overlap": "overlap",
    "device": "device",
}


def _page(rows: Sequence[Row]) -> Iterator[str]:
    rounds = " or ".join(map(str, sorted({row["rounds"] for row in rows})))
    yield "# Constrained decoding against Hugging Face"
    yield ""
    yield (
        "Random weights and catalogues of 4 codes of 256; baseline: float32 `generate` with "
        "`prefix_allowed_tokens_fn` over a trie of Python dictionaries, all users in one call. Medians of "
        f"{rounds} interleaved runs, each after an untimed one of its kind (on a CPU: CPU time of the "
        "process). Shares are of our time; `trie` is everything that is not the model: expansion, filters, top-k; "
        "`trie / step` its share of all but reading the prompts, `with filter` the same when 20 seen items a user are "
        "excluded. `× prefill`: our time over that of reading the prompts alone; `at least`: the same counted in "
        "products with weights, which no search over all these beams can leave out. `identical`: same scores in the "
        "same order, to 1e-4. Memory is the peak beyond what was there before, trie and weights not counted."
    )
    yield ""
    yield "| users × beams | " + " | ".join(_COLUMNS.values()) + " |"
    yield "|---" * (len(_COLUMNS) + 1) + "|"
    for row in rows:
        cells = [_cell(key, row.get(key)) for key in _COLUMNS]
        yield f"| {row['users']} × {row['beams']} | " + " | ".join(cells) + " |"
    yield ""
    yield from (f"`{command}`  " for command in dict.fromkeys(row["command"] for row in rows))


def _cell(key: str, value: Any) -> str:
    if value is None:
        return ""
    if key.startswith(("share_", "constraint_")) or key == "overlap":
        return f"{value:.1%}"
    if isinstance(value, bool):
        return "yes" if value else "NO"
    return value if isinstance(value, str) else f"{value:,}"

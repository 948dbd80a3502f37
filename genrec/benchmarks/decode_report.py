"""The table of decoding speed: flat rows as JSON, the same as Markdown."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from genrec.artifacts import write_atomic

Row = dict[str, Any]


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
    "ms_per_step": "ms a step",
    "users_per_second": "users/s",
    "share_prefill": "prefill",
    "share_step": "model",
    "share_normalizer": "normaliser",
    "share_constraint": "trie",
    "hf_memory_mb": "HF MiB",
    "memory_mb": "MiB",
    "identical": "identical",
    "overlap": "overlap",
}


def _page(rows: Sequence[Row]) -> Iterator[str]:
    first = rows[0]
    yield "# Constrained decoding against Hugging Face"
    yield ""
    yield (
        "Random weights and catalogues of 4 codes of 256; baseline: float32 `generate` with "
        f"`prefix_allowed_tokens_fn` over a trie of Python dictionaries, all users in one call. Medians of "
        f"{first['rounds']} interleaved runs ({first['device']}; on a CPU: CPU time of the process). Shares are of our "
        "time; `trie` is everything that is not the model: expansion, filters, top-k. `identical`: same scores in the "
        "same order, to 1e-4. Memory is the peak beyond what was there before, trie and weights not counted."
    )
    yield ""
    yield "| users × beams | " + " | ".join(_COLUMNS.values()) + " |"
    yield "|---" * (len(_COLUMNS) + 1) + "|"
    for row in rows:
        cells = [_cell(key, row.get(key)) for key in _COLUMNS]
        yield f"| {row['users']} × {row['beams']} | " + " | ".join(cells) + " |"
    yield ""
    yield f"`{first['command']}`"


def _cell(key: str, value: Any) -> str:
    if value is None:
        return ""
    if key.startswith("share_") or key == "overlap":
        return f"{value:.1%}"
    if isinstance(value, bool):
        return "yes" if value else "NO"
    return value if isinstance(value, str) else f"{value:,}"

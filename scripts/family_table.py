"""The table of scripts/check_families.py: rows of earlier runs stay, those of one family and tuning are replaced."""

from __future__ import annotations

import json
import subprocess
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from genrec.artifacts import write_atomic

COMMAND = "python scripts/check_families.py --out scripts/results/families"
KEYS = (
    "benchmark",
    "family",
    "kind",
    "tuning",
    "outcome",
    "reason",
    "difference",
    "decoding",
    "own_logits",
    "reads_whole",
)
RIGHT = ("exact", "refused")
WAYS = {
    "shared": "beams side by side",
    "rows": "one row a beam",
    "rows-apart": "one row a beam, equal lengths together",
    "whole": "no cache",
}


def known_rows(out: Path) -> dict[tuple[str, str], dict[str, Any]]:
    """Rows of ``OUT.json`` by family and tuning.

    Args:
        out: Without suffix.
    """
    path = out.with_suffix(".json")
    before = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else []
    return {(row["family"], row["tuning"]): row for row in before}


def write(rows: Sequence[dict[str, Any]], out: Path) -> None:
    """Write ``OUT.json`` and ``OUT.md``.

    Args:
        rows: Of one run.
        out: Without suffix.
    """
    known = known_rows(out)
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True).stdout.strip()
    for row in rows:
        made = {key: row.get(key) for key in KEYS} | {"commit": commit, "command": COMMAND}
        known[row["family"], row["tuning"]] = made | {key: row[key] for key in ("gaps", "place") if row.get(key)}
    order = {"causal": 0, "seq2seq": 1, "encoder": 2}
    kept = sorted(known.values(), key=lambda row: (order.get(row["kind"], 3), row["family"], row["tuning"]))
    write_atomic(out.with_suffix(".json"), json.dumps(kept, indent=1) + "\n")
    write_atomic(out.with_suffix(".md"), _page(kept))


def _page(rows: Sequence[dict[str, Any]]) -> str:
    unbuilt = sorted({row["family"] for row in rows if row["outcome"] == "not built"})
    rows = [row for row in rows if row["outcome"] != "not built"]
    counts = Counter(row["outcome"] for row in rows)
    families = {row["family"] for row in rows}
    exact = [row["difference"] for row in rows if row["outcome"] == "exact"]
    faults = sum(count for outcome, count in counts.items() if outcome not in RIGHT)
    lines = [
        "# Families of language models: exact, or refused before the first step",
        "",
        f"{len(families)} families, {len(rows)} runs: {counts['exact']} exact (largest difference of a log-probability "
        f"{max(exact, default=0):.1g}), {counts['refused']} refused with a reason, {faults} faults.",
        "",
        "Each family is a random checkpoint of a few thousand weights, trained for an epoch. Compared are the score of",
        "every item with one plain, uncached forward of the model; beams with exact scores; a batch with single users;",
        "the merged model with the adapter; loaded with saved. *Difference* is the largest of all of them. Equal means",
        "no farther apart than 1e-4, or than 1e-5 of the largest log-probability: what rounding in 32 bits moves.",
        "",
        f"`{COMMAND}`",
        "",
        "| family | kind | tuning | outcome | difference | decoded with | reason |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        gap = "" if row["difference"] is None else f"{row['difference']:.1g}"
        way = WAYS.get(row["decoding"] or "", "") + (", own logits in training" if row["own_logits"] else "")
        way += ", learns whole histories" if row.get("reads_whole") else ""
        reason = " ".join((row["reason"] or "").split()).replace("|", "\\|")
        lines.append(
            f"| {row['family']} | {row['kind']} | {row['tuning']} | {row['outcome']} | {gap} | {way} | {reason} |"
        )
    if unbuilt:
        lines += ["", f"Not built small by the script, so without a row: {', '.join(unbuilt)}."]
    return "\n".join(lines) + "\n"

"""Writes the table of docs/literature.md from scripts/literature_systems.py and scripts/results/literature.json.

python scripts/literature_page.py            writes the page
python scripts/literature_page.py --check    says whether it is up to date
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from literature_systems import SYSTEMS, Setup
from preset_tables import data_of

ROOT = Path(__file__).resolve().parent.parent
PAGE, ROWS = ROOT / "docs" / "literature.md", ROOT / "scripts" / "results" / "literature.json"
FLOORS = ("popularity", "transition-counts", "words-and-counts")
"""Baselines of the same test part, all of its users."""
BEGIN, END = "<!-- made by scripts/literature_page.py -->", "<!-- end -->"


def lines_of(setup: Setup) -> int:
    """Lines of a component, docstrings and blank lines among them."""
    return sum(len((ROOT / name).read_text(encoding="utf-8").splitlines()) for name in setup.component)


def parts() -> str:
    """Where everything is."""
    lines = ["| system | preset | component, lines | touched elsewhere | property test | what the paper claims |"]
    lines.append("|---|---|---|---|---|---|")
    for name, setup in SYSTEMS.items():
        if setup.base is None:
            continue
        files = ", ".join(f"`{Path(one).name}`" for one in setup.component)
        lines.append(
            f"| {setup.title} | [`{name}`](presets/{name}.md) | {files}, {lines_of(setup)} | {setup.elsewhere} | "
            f"`{setup.test}` | {setup.paper or '–'} |"
        )
    return "\n".join(lines)


def measured(rows: list[dict[str, Any]]) -> str:
    """Figures beside the network that each extends."""
    if not rows:
        return "Nothing is measured yet."
    lines = ["| preset | data | extends | users | Recall@10 | NDCG@10 | NDCG@10 against it | p | steps | CPU s |"]
    lines.append("|---|---|---|--:|---|---|---|---|--:|--:|")
    for row in sorted(
        rows, key=lambda one: (data_of(one), one["base"] or one["preset"], one["base"] or "", one["preset"])
    ):
        gain = "–"
        if "gain" in row:
            gain = f"{row['gain']:+.4f} ({row['gain_low']:+.4f} to {row['gain_high']:+.4f})"
        p = format(row["p"], ".4f") if "p" in row else "–"
        cost = f"{row['steps']:,} | {row['training_cpu_seconds']:.0f}"
        about = f"`{row['preset']}` | {data_of(row)} | {row['base'] or '–'} | {row['users']:,}"
        lines.append(f"| {about} | {interval(row, 'recall@10')} | {interval(row, 'ndcg@10')} | {gain} | {p} | {cost} |")
    return "\n".join(lines + floors(list(dict.fromkeys(row["dataset"] for row in rows))))


def floors(datasets: list[str]) -> list[str]:
    """What counting reaches on the same test parts."""
    lines = ["", "Floors of the same test parts, all users:", "", "| baseline | data | users | Recall@10 | NDCG@10 |"]
    lines.append("|---|---|--:|---|---|")
    for dataset in datasets:
        path = ROWS.with_name(f"baselines-{dataset}.json")
        for row in json.loads(path.read_text(encoding="utf-8")) if path.is_file() else []:
            if row["recommender"] in FLOORS and (row["split"], row["targets"]) == ("test", "all"):
                about = f"`{row['recommender']}` | {data_of(row)} | {row['users']:,}"
                lines.append(f"| {about} | {interval(row, 'recall@10')} | {interval(row, 'ndcg@10')} |")
    return lines


def interval(row: dict[str, Any], key: str) -> str:
    """A figure with the 95 % interval over users."""
    mean, low, high = (f"{row[name]:.4f}".removeprefix("0") for name in (key, f"{key}_low", f"{key}_high"))
    return f"{mean} ({low}–{high})"


def main() -> int:
    """Write the page, or say that it is old."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true")
    check = parser.parse_args().check
    rows = json.loads(ROWS.read_text(encoding="utf-8")) if ROWS.is_file() else []
    before = PAGE.read_text(encoding="utf-8")
    now = before
    for text in (parts(), measured(rows)):
        start = now.index(BEGIN, 0 if text.startswith("| system") else now.index(END) + 1)
        end = now.index(END, start)
        now = f"{now[:start]}{BEGIN}\n\n{text}\n\n{now[end:]}"
    if not check:
        PAGE.write_text(now, encoding="utf-8")
    elif now != before:
        print("docs/literature.md is not up to date. Run python scripts/literature_page.py.", file=sys.stderr)
    return int(check and now != before)


if __name__ == "__main__":
    sys.exit(main())

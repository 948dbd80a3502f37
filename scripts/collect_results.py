"""Merge the evaluations of several seeds into scripts/results/NAME.json and NAME.md.

Every seed has its rows; where there are several, a row more has their mean, standard deviation and interval.
Reads FOLDER/PART-VARIANT-prior-SEED/metrics.json (PART: validation, test; VARIANT: with, without) and
FOLDER/model-SEED/metrics.json. A recommender that adds counts (and words, where its preset has them) to the network's
scores is called generative-with-counts, the network alone is called generative.
"""

import argparse
import itertools
import json
import platform
import subprocess
from pathlib import Path
from typing import Any

from genrec.evaluation import over_seeds
from genrec.evaluation.report import SHOWN, write_results
from genrec.evaluation.tables import as_markdown

NAMES = {"with": "generative-with-counts", "without": "generative"}
RESULTS = Path(__file__).resolve().parent / "results"
NOTE = (
    "Mean ± standard deviation over seeds; in brackets the 95 % interval of the mean (Student's t), which says how "
    "much training varies, not how much the sample of users does."
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--title", required=True)
    parser.add_argument("--command", required=True)
    parser.add_argument("--out", type=Path, default=RESULTS)
    options = parser.parse_args()
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True).stdout.strip()
    rows, seen = [], set()
    for part, variant in itertools.product(("validation", "test"), NAMES):
        for folder in sorted(options.folder.glob(f"{part}-{variant}-prior-*")):
            seed = int(folder.name.rsplit("-", 1)[1])
            training = json.loads((options.folder / f"model-{seed}" / "metrics.json").read_text())
            for row in json.loads((folder / "metrics.json").read_text()):
                generative = row["kind"] == "generative"
                row["recommender"] = NAMES[variant] if generative else row["recommender"]
                key = (row["split"], row["targets"], row["recommender"])
                if not generative and key in seen:
                    continue  # baselines have no seed
                seen.add(key)
                row |= {"benchmark": options.name, "command": options.command, "commit": commit}
                row["seed"] = seed if generative else None
                if generative:
                    row |= {"epochs": training["epochs"], "best_epoch": training["best_epoch"]}
                    row |= {
                        "train_seconds": training["seconds_this_session"],
                        "machine": f"{platform.machine()}, 2 cores",
                    }
                rows.append(row)
    rows.sort(
        key=lambda row: (
            row["split"],
            row["targets"],
            row["kind"] != "generative",
            row["recommender"],
            row["seed"] or 0,
        )
    )
    merged = [row for row in over_seeds(rows) if row["runs"] > 1]
    sections = [f"## Over seeds\n\n{as_markdown([line(row) for row in merged])}\n\n{NOTE}\n"] if merged else []
    write_results(
        options.out, options.name, rows, title=options.title, command=options.command, sections=sections, further=merged
    )
    print(f"{options.out / options.name}.json, .md: {len(rows) + len(merged)} rows")


def line(row: dict[str, Any]) -> dict[str, str]:
    """Mean, standard deviation and interval of a row over seeds."""
    figures = {
        name: f"{row[name]:.4f} ± {row[f'{name}_std']:.4f} ({row[f'{name}_low']:.4f}–{row[f'{name}_high']:.4f})"
        for name in SHOWN
        if row.get(name) is not None
    }
    about = {key: str(row[key]) for key in ("split", "targets", "recommender")}
    return {**about, "seeds": ", ".join(map(str, row["seeds"])), **figures}


if __name__ == "__main__":
    main()

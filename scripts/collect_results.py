"""Merge the evaluations of several seeds into scripts/results/NAME.json and NAME.md.

Reads OUT/eval-SEED/metrics.json, OUT/validation-SEED/metrics.json and OUT/model-SEED/metrics.json.
"""

import argparse
import json
import platform
import subprocess
from pathlib import Path

from genrec.evaluation.report import write_results

RESULTS = Path(__file__).resolve().parent / "results"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--title", required=True)
    parser.add_argument("--command", required=True)
    options = parser.parse_args()
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True).stdout.strip()
    rows, seen = [], set()
    for kind in ("validation", "eval"):
        for folder in sorted(options.folder.glob(f"{kind}-*")):
            seed = int(folder.name.split("-")[1])
            training = json.loads((options.folder / f"model-{seed}" / "metrics.json").read_text())
            for row in json.loads((folder / "metrics.json").read_text()):
                generative = row["kind"] == "generative"
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
    write_results(RESULTS, options.name, rows, title=options.title, command=options.command)
    print(f"{RESULTS / options.name}.json, .md: {len(rows)} rows")


if __name__ == "__main__":
    main()

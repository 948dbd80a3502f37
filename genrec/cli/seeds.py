"""``genrec train --seeds``: one recommender a seed, and what they reach together."""

from __future__ import annotations

import json
import time
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from genrec.artifacts import write_atomic
from genrec.cli.console import duration, heading, say, summary, table
from genrec.cli.outputs import claim_job
from genrec.cli.reading import free_path, shell_command
from genrec.cli.stoppable import stoppable
from genrec.errors import ConfigError
from genrec.wording import count

if TYPE_CHECKING:
    from genrec.data.split import Split
    from genrec.generative.config import TrainConfig
    from genrec.index.semantic_index import SemanticIndex


def claim_seeds(seeds: Sequence[int], changes: Sequence[str] | None, out: Path) -> None:
    """Reserve the folder of several seeds, before anything slow.

    Raises:
        ConfigError: A seed twice, or one more in ``--set``.
        ArtifactError: The folder holds something else, or another process is writing it.
    """
    from genrec.training.seeds import check_seeds

    if any(change.startswith("seed=") for change in changes or ()):
        raise ConfigError("Seeds are given by --seeds and by --set seed=…", where="--set", expected="one of them")
    check_seeds(seeds, out)
    claim_job(out)


def train_all(
    index: SemanticIndex,
    split: Split,
    settings: TrainConfig,
    out: Path,
    seeds: Sequence[int],
    overwrite: bool,
    tables: Sequence[Any],
) -> None:
    """Train all seeds, measure them on the same validation cases, write ``seeds.json`` and show it.

    Args:
        index: Of the catalogue.
        split: What is learned from.
        settings: Of all runs; their seed is replaced.
        out: Folder of all.
        seeds: Different ones.
        overwrite: Replace what is there.
        tables: The table of interactions and how to read it, for the command that comes next.
    """
    from genrec.evaluation.seed_runs import compare_seeds
    from genrec.generative.recommender import GenerativeRecommender
    from genrec.training.seeds import RESULTS, seed_folder, train_seeds
    from genrec.training.validation import validation_sample

    began = time.monotonic()
    for seed in seeds:
        heading(f"Seed {seed}")
        with stoppable() as reporter:
            made_now = train_seeds(index, split, settings, out, [seed], overwrite=overwrite, callbacks=[reporter])
            deque(made_now, maxlen=0)
    sample = validation_sample(settings.validation.users, len(split.validation), seeds[0])
    folders = [seed_folder(out, seed) for seed in seeds]
    runs = ((seed, GenerativeRecommender.from_pretrained(one)) for seed, one in zip(seeds, folders, strict=True))
    rows = compare_seeds(runs, split.validation.select(sample)) if len(sample) else []
    write_atomic(out / RESULTS, json.dumps(rows, indent=1) + "\n")
    _show(rows, settings.validation.k)
    made: dict[str, object] = {"recommenders": ", ".join(map(str, folders)), "figures": out / RESULTS}
    evaluation = shell_command("evaluate", *folders, *tables, "--out", free_path(f"{out}-eval"))
    summary({**made, "time": duration(time.monotonic() - began)}, [evaluation])


def _show(rows: Sequence[dict[str, Any]], k: int) -> None:
    if not rows:
        say("There are no validation cases to compare the seeds by.")
        return
    figures = (f"ndcg@{k}", f"recall@{k}", f"alone_ndcg@{k}", f"without_ndcg@{k}")
    columns = ("seed", f"NDCG@{k}", f"Recall@{k}", "network alone", "without network", "network adds", "p")
    lines = []
    for row in rows:
        cells = [_figure(row, name) for name in figures]
        gain = "–"
        if row.get("gain") is not None:
            gain = f"{row['gain']:+.4f} ({row['gain_low']:+.4f} to {row['gain_high']:+.4f})"
        p = "–" if row.get("p") is None else f"{row['p']:.4f}"
        lines.append(["mean" if row["seed"] is None else str(row["seed"]), *cells, gain, p])
    table(columns, lines, title=f"Validation, {count(rows[0]['cases'], 'case')}")


def _figure(row: dict[str, Any], name: str) -> str:
    if row.get(name) is None:
        return "–"
    spread = row.get(f"{name}_std")
    return f"{row[name]:.4f}" + ("" if spread is None else f" ± {spread:.4f}")

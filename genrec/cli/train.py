"""``genrec train``."""

from __future__ import annotations

import logging
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from genrec.cli.console import duration, err, guarded, say, summary

if TYPE_CHECKING:
    from genrec.index.semantic_index import SemanticIndex


@guarded
def train(
    index: Annotated[Path, typer.Argument(help="Folder of the semantic index.")],
    interactions: Annotated[Path, typer.Argument(help="Table with user_id, item_id, timestamp.")],
    out: Annotated[Path, typer.Option("--out", help="Folder of the recommender.")],
    config: Annotated[str, typer.Option("--config", help="Training preset, or a YAML file.")] = "item-decoder-small",
    init: Annotated[
        Path | None, typer.Option("--init", help="Pretrained recommender whose weights training starts from.")
    ] = None,
    set_: Annotated[list[str] | None, typer.Option("--set", help="Change a setting: key.sub=value.")] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace what is at --out.")] = False,
) -> None:
    """Train a recommender on an index; the same command again resumes."""
    from genrec.artifacts import require_free
    from genrec.cli.reporter import Reporter
    from genrec.data.interactions import Interactions
    from genrec.data.split import split_for
    from genrec.generative.config import load_train_config
    from genrec.generative.recommender import MANIFEST
    from genrec.index.semantic_index import SemanticIndex
    from genrec.models import find_network
    from genrec.training.session import TrainingStoppedError
    from genrec.training.train import train as fit

    logging.getLogger("genrec.baselines.tuning").setLevel(logging.WARNING)  # the prior's own line says what was chosen
    settings = load_train_config(config, [*(set_ or ()), *([] if init is None else [f"init={init}"])])
    if not (out / MANIFEST).is_file():
        require_free(out, overwrite=overwrite)
    semantic_index = SemanticIndex.load(index)
    table = Interactions.read(interactions)
    split = split_for(table, semantic_index, settings)
    say(
        f"{len(semantic_index.item_ids):,} items, {len(split.train):,} training users with "
        f"{len(split.train.items):,} interactions, {len(split.validation.targets):,} validation and "
        f"{len(split.test.targets):,} test cases held out ({split.name})."
    )
    if not find_network(settings.model.architecture).reads_prompts:  # their prompts are shown when training begins
        _show_example(semantic_index, split)
    reporter = Reporter()
    previous = signal.signal(signal.SIGINT, reporter.on_interrupt)
    began = time.monotonic()
    try:
        recommender = fit(semantic_index, split, settings, out, overwrite=overwrite, callbacks=[reporter])
    except TrainingStoppedError as stopped:
        err.print(f"\n{stopped}")
        raise typer.Exit(130) from None
    finally:
        signal.signal(signal.SIGINT, previous)
    metrics = recommender.metrics
    reached = ", ".join(f"{name} {value:.4f}" for name, value in metrics.get("validation", {}).items())
    epoch = f"epoch {metrics.get('best_epoch', 0):.0f}"
    if metrics.get("start_share"):
        epoch += " averaged with the start"
    made: dict[str, object] = {
        "recommender": out,
        "network": f"{settings.model.architecture}, {recommender.model.num_parameters():,} parameters",
        "validation": f"{reached} ({epoch}, generated)" if reached else "none",
    }
    if "prior" in metrics:
        made["item prior"] = _prior_line(metrics["prior"])
    summary(
        {**made, "time": duration(time.monotonic() - began)},
        [
            f"genrec evaluate {out} {interactions} --out {out}-eval",
            f"genrec generate {out} {interactions} --k 10 --out {out}-recs.parquet",
        ],
    )


def _prior_line(prior: dict[str, Any]) -> str:
    """Which one, its weight, and what validation said."""
    row: dict[str, float] = next((tried for tried in prior["tried"] if tried["weight"] == prior["weight"]), {})
    chosen = "".join(f"; with it {name} {value:.4f}" for name, value in row.items() if "@" in name)
    return f"{prior['name']}, weight {prior['weight']:g}{chosen}"


def _show_example(index: SemanticIndex, split: Any) -> None:
    """One training example as the model reads it."""
    user = int(split.train.lengths.clip(max=4).argmax())
    items = split.train[user][:4]
    codes = " ".join("".join(f"<{level}_{code}>" for level, code in enumerate(index.codes[item])) for item in items)
    titles = index.catalog.select(items).titles()
    say(f"Example: user {split.train.user_ids[user]}: {' → '.join(titles)}\n  reads {codes}")

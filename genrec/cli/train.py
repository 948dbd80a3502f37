"""``genrec train``."""

from __future__ import annotations

import logging
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from genrec.cli.checks import check_index, check_tables
from genrec.cli.columns import Tables, reads
from genrec.cli.console import duration, err, guarded, say, summary
from genrec.cli.hub import from_hub
from genrec.cli.options import EventsTable, IndexFolder, Overwrite, SettingChanges
from genrec.cli.outputs import claim
from genrec.cli.reading import free_path, read_split, shell_command, split_text, tell
from genrec.cli.seeds import claim_seeds, train_all
from genrec.cli.stoppable import stoppable
from genrec.cli.trust import loads_models
from genrec.schema import LARGEST_SEED
from genrec.wording import count

if TYPE_CHECKING:
    from genrec.data.split import Split, SplitSettings
    from genrec.generative.config import TrainConfig
    from genrec.index.semantic_index import SemanticIndex


@guarded
@from_hub(init="recommender", index="index")
@loads_models
@reads("interactions", "split")
def train(
    index: IndexFolder,
    interactions: EventsTable,
    out: Annotated[Path, typer.Option("--out", help="Folder of the recommender.")],
    config: Annotated[str, typer.Option("--config", help="Training preset, or a YAML file.")] = "item-decoder-small",
    init: Annotated[
        Path | None,
        typer.Option("--init", help="Recommender, trained or pretrained, whose weights training starts from."),
    ] = None,
    set_: SettingChanges = None,
    seeds: Annotated[
        list[int] | None,
        typer.Option(
            "--seeds", min=0, max=LARGEST_SEED, help="Seeds to train one recommender each with, such as 0 1 2."
        ),
    ] = None,
    overwrite: Overwrite = False,
    *,
    tables: Tables,
) -> None:
    """Train a recommender on an index; the same command again resumes."""
    check_index(index)
    check_tables(interactions)
    from genrec.generative.config import load_train_config
    from genrec.index.semantic_index import SemanticIndex
    from genrec.loading import saved_columns
    from genrec.recommender import MANIFEST
    from genrec.training.checks import check_parts, check_settings

    logging.getLogger("genrec.baselines.tuning").setLevel(logging.WARNING)  # the prior's own line says what was chosen
    settings = load_train_config(config, [*(set_ or ()), *([] if init is None else [f"init={init}"])])
    check_settings(settings, starts=overwrite or bool(seeds) or not (out / MANIFEST).is_file())
    settings = _started(settings)
    if seeds:
        claim_seeds(seeds, set_, out)
    else:
        claim(out, overwrite=overwrite, resumes=MANIFEST, makes="recommender")
    check_parts(settings)
    semantic_index = SemanticIndex.load(index)
    tables = tables.remembering(semantic_index.columns, *([] if init is None else [saved_columns(init)]))
    choice = tables.choose_split(_usual_split(settings, set_, semantic_index))
    settings = settings.model_copy(update={"split": choice})
    split, table = read_split(
        tables, interactions, semantic_index.item_ids, choice, drop_repeats=settings.drop_consecutive_repeats
    )
    semantic_index.columns = tables.names
    tell([table.report], tables.check_options(), index, interactions)
    _show_parts(semantic_index, split, choice)

    from genrec.models import find_network

    if not find_network(settings.model.architecture).reads_prompts:  # their prompts are shown when training begins
        _show_example(semantic_index, split)
    if seeds:
        train_all(semantic_index, split, settings, out, seeds, overwrite, (interactions, *tables.how_options()))
        return
    _train_one(semantic_index, split, settings, out, overwrite, _then(out, interactions, tables))


def _train_one(
    index: SemanticIndex, split: Split, settings: TrainConfig, out: Path, overwrite: bool, then: list[str]
) -> None:
    """Train, and say what it reached and what comes next."""
    from genrec.training.learned import remarks
    from genrec.training.train import train as fit

    began = time.monotonic()
    with stoppable() as reporter:
        recommender = fit(index, split, settings, out, overwrite=overwrite, callbacks=[reporter])
    for remark in remarks(recommender.metrics):
        say(remark)
    network = f"{settings.model.architecture}, {count(recommender.model.num_parameters(), 'parameter')}"
    summary(
        {
            "recommender": out,
            "network": network,
            **_reached(recommender.metrics),
            **({"pace": pace} if (pace := reporter.pace_words()) else {}),
            "time": duration(time.monotonic() - began),
        },
        then,
    )


def _started(settings: TrainConfig) -> TrainConfig:
    """With what the recommender decides that training starts from, if there is one."""
    if settings.init is None:
        return settings
    from genrec.generative.started import started

    return started(settings)


def _reached(metrics: dict[str, Any]) -> dict[str, object]:
    """What validation says, and what was chosen on it."""
    from genrec.training.learned import figures_line

    reached = ", ".join(f"{name} {value:.4f}" for name, value in metrics.get("validation", {}).items())
    epoch = _kept(metrics.get("best_epoch", 0))
    if metrics.get("start_share"):
        epoch += " averaged with the start"
    made: dict[str, object] = {"validation": f"{reached} ({epoch}, generated)" if reached else "none"}
    if "words" in metrics:
        made["words"] = f"weight {metrics['words']['weight']:g}, chosen on validation"
    if "prior" in metrics:
        made["item prior"] = _prior_line(metrics["prior"])
    if metrics.get("post_training"):
        made["post-training"] = ", ".join(f"{name} {value:.4g}" for name, value in metrics["post_training"].items())
    if metrics.get("learned"):
        made["validation"] = (
            f"{figures_line(metrics['learned'])} ({epoch}, {count(metrics['learned']['cases'], 'case')})"
        )
    return made


def _kept(epoch: float | None) -> str:
    """Which weights were kept, with parts of an epoch where validation came within one."""
    if epoch is None:
        return "the last step"  # training ended before its first validation
    return f"epoch {epoch:.1f}".removesuffix(".0") if epoch >= 0.05 else f"epoch {epoch:.2g}"


def _usual_split(settings: TrainConfig, changes: list[str] | None, index: SemanticIndex) -> SplitSettings:
    """That of the settings, where they ask for a particular one; else the one that the index was built with."""
    from genrec.data.split import SplitSettings

    named = any(change.startswith("split.") for change in changes or ()) or settings.split != SplitSettings()
    return settings.split if named or index.split is None else index.split


def _show_parts(index: SemanticIndex, split: Split, choice: SplitSettings) -> None:
    """Sizes of the parts, and a warning where the index has seen another training part."""
    say(
        f"{count(len(index.item_ids), 'item')}, {count(len(split.train), 'training user')} with "
        f"{count(len(split.train.items), 'interaction')}, {len(split.validation.targets):,} validation and "
        f"{count(len(split.test.targets), 'test case')} held out ({split_text(choice)})."
    )
    if index.split not in (None, choice):
        err.print(
            f"The index was built with another split ({split_text(index.split)}): it may know held-out interactions."
        )


def _then(out: Path, interactions: Path, tables: Tables) -> list[str]:
    """What to run next; the recommender remembers columns and split."""
    same = (out, interactions, *tables.how_options())
    evaluation, recs = free_path(f"{out}-eval"), free_path(f"{out}-recs.parquet")
    return [
        shell_command("evaluate", *same, "--out", evaluation),
        shell_command("generate", *same, "--k", 10, "--out", recs),
    ]


def _prior_line(prior: dict[str, Any]) -> str:
    """Which one, and its weight."""
    return f"{prior['name']}, weight {prior['weight']:g}"


def _show_example(index: SemanticIndex, split: Any) -> None:
    """One training example as the model reads it."""
    user = int(split.train.lengths.clip(max=4).argmax())
    items = split.train[user][:4]
    codes = " ".join("".join(f"<{level}_{code}>" for level, code in enumerate(index.codes[item])) for item in items)
    titles = index.catalog.select(items).titles()
    say(f"Example: user {split.train.user_ids[user]}: {' → '.join(titles)}\n  reads {codes}")

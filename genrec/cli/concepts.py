"""``genrec concepts``."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from genrec.cli.checks import check_recommender, check_tables
from genrec.cli.columns import Tables, reads
from genrec.cli.console import duration, guarded, heading, say, summary
from genrec.cli.hub import from_hub
from genrec.cli.options import Checkpoints, Device, EventsTable, ModelFolder, Overwrite, Seed
from genrec.cli.outputs import claim_file
from genrec.cli.progress import progress
from genrec.cli.reading import known_columns, own_command, tell
from genrec.cli.trust import loads_models
from genrec.cli.visible import json_text, visible

if TYPE_CHECKING:
    from genrec.evaluation.concepts import Concept
    from genrec.generative.recommender import GenerativeRecommender

Rows = Annotated[Path, typer.Option("--out", help="JSON file to write.")]
Width = Annotated[int, typer.Option("--width", min=2, max=65_536, help="Directions that states may have.")]
Active = Annotated[int, typer.Option("--active", min=1, help="Directions that one state has at most.")]
Steps = Annotated[int, typer.Option("--steps", min=1, max=10_000_000, help="Steps of learning them.")]
Shown = Annotated[int, typer.Option("--shown", min=1, help="Concepts that are looked at, the surest.")]
Lists = Annotated[int, typer.Option("--lists", min=1, help="Users a concept whose lists are compared.")]


@guarded
@from_hub(model="recommender")
@loads_models
@reads("interactions", "part")
def concepts(
    model: ModelFolder,
    interactions: EventsTable,
    out: Rows,
    width: Width = 512,
    active: Active = 8,
    steps: Steps = 1000,
    shown: Shown = 20,
    lists: Lists = 100,
    seed: Seed = 0,
    device: Device = None,
    checkpoint: Checkpoints = None,
    overwrite: Overwrite = False,
    *,
    tables: Tables,
) -> None:
    """Say what the states of a network are made of: directions with names, and what lists are without each."""
    check_recommender(model)
    check_tables(interactions)
    claim_file(out, overwrite=overwrite)
    from genrec.artifacts import write_atomic
    from genrec.cli.contestants import split_of
    from genrec.evaluation.concepts import find_concepts

    recommender = _loaded(model, device, checkpoint)
    tables = tables.remembering(*known_columns([recommender]))
    split, _, table = split_of([recommender], interactions, tables)
    tell([table.report], tables.check_options(), model, interactions)
    began = time.monotonic()
    with progress("learning directions") as update:
        found, figures = find_concepts(
            recommender,
            split.train,
            width=width,
            k=active,
            steps=steps,
            shown=shown,
            lists=lists,
            seed=seed,
            progress=update,
        )
    content = {"concepts": [one.row() for one in found], **figures, "command": own_command()}
    write_atomic(out, json_text(content, indent=2) + "\n")
    _show(found, figures)
    summary({"concepts": out, "time": duration(time.monotonic() - began)})


def _loaded(model: Path, device: str | None, checkpoints: list[str] | None) -> GenerativeRecommender:
    from genrec.errors import ArtifactError
    from genrec.generative.recommender import GenerativeRecommender
    from genrec.loading import moved_checkpoint, saved_kind

    if saved_kind(model) == "baseline":
        what = "A baseline has no states to look at."
        raise ArtifactError(what, where=model, expected="a recommender with a network")
    return GenerativeRecommender.from_pretrained(
        model, device=device, checkpoint=moved_checkpoint(model, checkpoints or ())
    )


def _show(found: list[Concept], figures: dict[str, Any]) -> None:
    from genrec.evaluation.tables import plain_table

    heading("Directions in the states, the surest first")
    say(
        f"All directions together rebuild {figures['explained']:.0%} of the variance of held-out states; "
        f"{figures['unused']:.0%} of them are never used."
    )
    rows = [
        {
            "word": visible(one.word),
            "precision": f"{one.precision:.2f}",
            "recall": f"{one.recall:.2f}",
            "by chance": f"{one.share:.2f}",
            "in lists": f"{one.before:.2f}",
            "without it": f"{one.after:.2f}",
            "after": visible(one.titles[0][:40]),
        }
        for one in found
    ]
    say(plain_table(rows) if rows else "No word stands in enough titles to name a direction.")

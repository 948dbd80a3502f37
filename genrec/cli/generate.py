"""``genrec generate``."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from genrec.cli.checks import check_index, check_recommender, check_tables
from genrec.cli.columns import Tables, reads
from genrec.cli.console import duration, guarded, say, summary
from genrec.cli.hub import from_hub
from genrec.cli.options import (
    Beams,
    Checkpoints,
    DecodingChanges,
    Device,
    EventsTable,
    ExcludeSeen,
    GrownIndex,
    HoldOut,
    ModelFolder,
    Overwrite,
)
from genrec.cli.outputs import claim_file
from genrec.cli.progress import progress
from genrec.cli.reading import known_columns, tell
from genrec.cli.shards import Engine, Job, Plan, generate_shards, look_at
from genrec.cli.trust import loads_models
from genrec.schema import Columns
from genrec.wording import count

if TYPE_CHECKING:
    import numpy as np

    from genrec.batch import GenerateResult
    from genrec.generative.recommender import GenerativeRecommender
    from genrec.recommender import Recommender


Result = Annotated[str, typer.Option("--out", help="Table to write (.parquet, .csv, .jsonl), or folder of shards.")]
Length = Annotated[int, typer.Option("--k", min=1, help="Items a user.")]
Allow = Annotated[Path | None, typer.Option("--allow", help="Table with item_id: the only items that may come.")]
Deny = Annotated[Path | None, typer.Option("--deny", help="Table with item_id: items that never come.")]
Where = Annotated[
    list[str] | None, typer.Option("--where", help="Condition on items, such as brand=Acme or price<=20.")
]
Prior = Annotated[
    Path | None, typer.Option("--prior", help="Table with item_id and score, added to the model's scores.")
]
ScoreColumn = Annotated[
    str | None, typer.Option("--score-column", help="Scores of the table of --prior (default: score).")
]
BatchUsers = Annotated[int | None, typer.Option("--batch-users", min=1, help="Users decoded together.")]
ShardUsers = Annotated[
    int | None,
    typer.Option("--shard-users", min=1, help="Users of a shard, about; such a job goes on after any stop."),
]
Workers = Annotated[int, typer.Option("--workers", min=1, help="Processes (or Ray actors) that make shards.")]
EngineName = Annotated[Engine, typer.Option("--engine", help="Engine that makes shards: local is this machine.")]
Address = Annotated[str | None, typer.Option("--address", help="Address of a Ray cluster (default: this machine).")]


@guarded
@from_hub(model="recommender", index="index")
@loads_models
@reads("interactions", "lists")
def generate(
    model: ModelFolder,
    histories: EventsTable,
    out: Result,
    k: Length = 10,
    beams: Beams = None,
    exclude_seen: ExcludeSeen = True,
    hold_out: HoldOut = 0,
    allow: Allow = None,
    deny: Deny = None,
    where: Where = None,
    prior: Prior = None,
    score_column: ScoreColumn = None,
    set_: DecodingChanges = None,
    index: GrownIndex = None,
    batch_users: BatchUsers = None,
    device: Device = None,
    checkpoint: Checkpoints = None,
    shard_users: ShardUsers = None,
    workers: Workers = 1,
    engine: EngineName = "local",
    address: Address = None,
    overwrite: Overwrite = False,
    *,
    tables: Tables,
) -> None:
    """Recommend for many users, into a table or a folder of shards."""
    check_recommender(model, set_ or ())
    check_index(index)
    plan = Plan(shard_users, workers, engine, address)
    in_shards = plan.asked or "://" in str(out)
    check_tables(None if in_shards and histories.is_dir() else histories, allow, deny, prior)
    from genrec.data.tables import table_kind
    from genrec.loading import saved_kind

    changes = [*(set_ or ()), *_change("beams", beams), *_change("batch_users", batch_users)]
    job = Job(
        model=model,
        k=k,
        exclude_seen=exclude_seen,
        hold_out=hold_out,
        changes=tuple(changes),
        where=tuple(where or ()),
        lists={name: path for name, path in (("allow", allow), ("deny", deny), ("prior", prior)) if path is not None},
        score_column=score_column or Columns.Score,
        index=index,
        device=device,
        checkpoints=tuple(checkpoint or ()),
    )
    if saved_kind(model) == "baseline":
        _refuse(
            {"beams": beams, "where": where, "prior": prior, "set": set_, "index": index, "batch-users": batch_users}
        )
    if in_shards:
        generate_shards(job, plan, histories, str(out), tables, overwrite=overwrite)
        return
    claim_file(Path(out), overwrite=overwrite)
    table_kind(Path(out), to_write=True)
    _generate_table(job, histories, Path(out), tables)


def _change(name: str, value: int | None) -> list[str]:
    return [] if value is None else [f"{name}={value}"]


def _generate_table(job: Job, histories: Path, out: Path, tables: Tables) -> None:
    """Recommend in this process, and write one table."""
    from genrec.batch import generate as run
    from genrec.data.histories import none_longer
    from genrec.decoding.request import Request
    from genrec.loading import load, saved_kind

    titles, within = None, None
    if saved_kind(job.model) == "baseline":
        recommender: Recommender = load(job.model, device=job.device)
    else:
        recommender = loaded = _generative(job)
        titles, within = loaded.index.catalog.titles(), _within(loaded, job.where)
    tables = tables.remembering(*known_columns([recommender]))
    read = tables.interactions(histories)
    everybody = read.histories(recommender.item_ids)
    known = everybody.held_out(job.hold_out)
    if not len(known):
        raise none_longer(job.hold_out)
    read.report.add("held-out-whole", len(everybody) - len(known))
    tell([read.report], tables.check_options(), job.index or job.model, histories)
    request = Request(
        job.k,
        job.exclude_seen,
        allowed=_ids(job.lists.get("allow"), recommender, tables, "allow list", needed=True),
        denied=_ids(job.lists.get("deny"), recommender, tables, "deny list"),
        within=within,
        prior=None if "prior" not in job.lists else _prior(job.lists["prior"], recommender, tables, job.score_column),
    )
    began = time.monotonic()
    with progress("generating") as update:
        result = run(recommender, known, request, out=out, titles=titles, progress=update)
    _show(result, out, time.monotonic() - began, look_at(job, histories, tables))


def _generative(job: Job) -> GenerativeRecommender:
    from genrec.generative.changes import change_decoding
    from genrec.generative.recommender import GenerativeRecommender
    from genrec.index.semantic_index import SemanticIndex
    from genrec.loading import moved_checkpoint

    grown = SemanticIndex.load(job.index) if job.index else None
    place = moved_checkpoint(job.model, job.checkpoints)
    recommender = GenerativeRecommender.from_pretrained(job.model, index=grown, device=job.device, checkpoint=place)
    change_decoding(recommender, job.changes, prior="prior" in job.lists)
    return recommender


def _refuse(options: dict[str, Any]) -> None:
    """Options that only mean something for a generative recommender."""
    from genrec.errors import ConfigError

    given = [f"--{name}" for name, value in options.items() if value]
    if given:
        raise ConfigError(
            f"A baseline has no {' and no '.join(given)}.",
            expected="--k, --allow, --deny, --exclude-seen or --include-seen",
            hint="For parts of the catalogue, list their items in a table for --allow.",
        )


def _show(result: GenerateResult, out: Path, seconds: float, then: list[str]) -> None:
    made: dict[str, object] = {
        "table": f"{out} ({count(result.frame.height, 'row')}: {', '.join(result.frame.columns)})",
        "users": f"{result.users:,} in {duration(seconds)} ({result.users / max(seconds, 1e-9):,.0f} users/s)",
    }
    if result.short:
        made["fewer than k"] = f"{count(result.short, 'user')}, because fewer items are allowed for them"
    summary(made, then)


def _within(recommender: GenerativeRecommender, where: Sequence[str]) -> str | None:
    """The name of the sub-catalogue of this job."""
    from genrec.data.conditions import items_where

    if not where:
        return None
    name = " and ".join(where)
    mask = items_where(recommender.index.catalog, where)
    recommender.define(name, recommender.item_ids[mask])
    say(f"{int(mask.sum()):,} of {count(len(mask), 'item')}: {name}")
    return name


def _prior(path: Path, recommender: Recommender, tables: Tables, column: str) -> np.ndarray:
    """Scores of the items, ``(n_items,)``."""
    from genrec.data.item_lists import read_scores
    from genrec.data.report import DataReport

    report = DataReport()
    scores = read_scores(path, recommender.item_ids, score_column=column, report=report, **tables.of_list(path))
    tell([report])
    return scores


def _ids(
    path: Path | None, recommender: Recommender, tables: Tables, name: str, *, needed: bool = False
) -> list[str] | None:
    """The items of a list that the catalogue has."""
    if path is None:
        return None
    from genrec.data.item_lists import read_item_list

    found = read_item_list(path, recommender.item_ids, name=name, needed=needed, **tables.of_list(path))
    tell([found.report])
    return found.ids

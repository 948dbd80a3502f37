"""``genrec generate``."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from genrec.cli.checks import check_index, check_recommender, check_tables
from genrec.cli.columns import Tables, reads
from genrec.cli.console import duration, guarded, say, summary
from genrec.cli.outputs import claim_file
from genrec.cli.progress import progress
from genrec.cli.reading import known_columns, tell
from genrec.cli.shards import Engine, generate_shards
from genrec.cli.trust import loads_models
from genrec.wording import count

if TYPE_CHECKING:
    import numpy as np

    from genrec.batch import GenerateResult
    from genrec.generative.recommender import GenerativeRecommender
    from genrec.recommender import Recommender


@guarded
@loads_models
@reads("interactions", "lists")
def generate(
    model: Annotated[Path, typer.Argument(help="Folder of the recommender.")],
    histories: Annotated[Path, typer.Argument(help="Table with user_id, item_id, timestamp.")],
    out: Annotated[str, typer.Option("--out", help="Table to write (.parquet, .csv, .jsonl), or folder of shards.")],
    k: Annotated[int, typer.Option("--k", min=1, help="Items a user.")] = 10,
    beams: Annotated[
        int | None, typer.Option("--beams", min=1, help="Hypotheses a user (default: as trained).")
    ] = None,
    exclude_seen: Annotated[
        bool, typer.Option("--exclude-seen/--include-seen", help="Never recommend an item of the user's history.")
    ] = True,
    allow: Annotated[Path | None, typer.Option("--allow", help="Table with item_id: only these items.")] = None,
    deny: Annotated[Path | None, typer.Option("--deny", help="Table with item_id: never these items.")] = None,
    where: Annotated[
        list[str] | None, typer.Option("--where", help="Condition on items, such as brand=Acme or price<=20.")
    ] = None,
    prior: Annotated[
        Path | None, typer.Option("--prior", help="Table with item_id and score, added to the model's scores.")
    ] = None,
    score_column: Annotated[
        str | None, typer.Option("--score-column", help="Scores of the table of --prior (default: score).")
    ] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", help="Change a decoding setting: key=value, such as normalize=children."),
    ] = None,
    index: Annotated[
        Path | None, typer.Option("--index", help="A grown index to use instead of the saved one.")
    ] = None,
    batch_users: Annotated[int | None, typer.Option("--batch-users", min=1, help="Users decoded together.")] = None,
    device: Annotated[str | None, typer.Option("--device", help="Device, such as cuda or cpu.")] = None,
    checkpoint: Annotated[
        list[str] | None,
        typer.Option("--checkpoint", help="Where the language model under an adapter is now, if it has moved."),
    ] = None,
    shard_users: Annotated[
        int | None,
        typer.Option("--shard-users", min=1, help="Write shards of about so many users; goes on after any stop."),
    ] = None,
    workers: Annotated[int, typer.Option("--workers", min=1, help="Processes (or Ray actors) that make shards.")] = 1,
    engine: Annotated[Engine, typer.Option("--engine", help="Who makes shards: this machine, or Ray.")] = "local",
    address: Annotated[
        str | None, typer.Option("--address", help="Address of a Ray cluster (default: this machine).")
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace what is at --out.")] = False,
    *,
    tables: Tables,
) -> None:
    """Recommend for many users, into a table or a folder of shards."""
    from genrec.batch import generate as run
    from genrec.data.tables import table_kind
    from genrec.decoding.request import Request
    from genrec.loading import load, moved_checkpoint, saved_kind
    from genrec.trust import trusts_remote_code

    check_recommender(model, set_ or ())
    check_index(index)
    check_tables(histories, allow, deny, prior)
    options = {"beams": beams, "where": where, "prior": prior, "score-column": score_column, "set": set_}
    options |= {"index": index, "batch-users": batch_users}
    if saved_kind(model) == "baseline":
        _refuse(options)
    if shard_users is not None or workers > 1 or engine != "local" or address is not None or "://" in str(out):
        changes = [*(set_ or ()), *([] if beams is None else [f"beams={beams}"])]
        changes += [] if batch_users is None else [f"batch_users={batch_users}"]
        job = {"k": k, "exclude_seen": exclude_seen, "changes": tuple(changes), "where": tuple(where or ())}
        job |= {"index": index, "device": device, "allow": allow, "deny": deny, "prior": prior}
        job |= {"checkpoint": moved_checkpoint(model, checkpoint or ())}
        job["trust_remote_code"] = trusts_remote_code()
        generate_shards(
            model, histories, str(out), job, tables, score_column, shard_users, workers, engine, address, overwrite
        )
        return
    table = Path(out)
    claim_file(table, overwrite=overwrite)
    table_kind(table, to_write=True)
    titles, within = None, None
    if saved_kind(model) == "baseline":
        recommender: Recommender = load(model, device=device)
    else:
        recommender = loaded = _generative(model, index, device, checkpoint, set_, beams, batch_users)
        titles = loaded.index.catalog.titles()
        within = _within(loaded, where)
    tables = tables.remembering(*known_columns([recommender]))
    read = tables.interactions(histories)
    known = read.histories(recommender.item_ids)
    tell([read.report], tables.check_options(), index or model, histories)
    request = Request(
        k,
        exclude_seen,
        allowed=_ids(allow, recommender, tables, "allow list", needed=True),
        denied=_ids(deny, recommender, tables, "deny list"),
        within=within,
        prior=None if prior is None else _prior(prior, recommender, tables, score_column),
    )
    began = time.monotonic()
    with progress("generating") as update:
        result = run(recommender, known, request, out=table, titles=titles, progress=update)
    _show(result, table, time.monotonic() - began)


def _generative(
    model: Path,
    index: Path | None,
    device: str | None,
    checkpoints: list[str] | None,
    changes: list[str] | None,
    beams: int | None,
    batch_users: int | None,
) -> GenerativeRecommender:
    from genrec.generative.recommender import GenerativeRecommender
    from genrec.index.semantic_index import SemanticIndex
    from genrec.loading import moved_checkpoint

    grown = SemanticIndex.load(index) if index else None
    place = moved_checkpoint(model, checkpoints or ())
    recommender = GenerativeRecommender.from_pretrained(model, index=grown, device=device, checkpoint=place)
    recommender.options = recommender.options.changed(changes or [])
    recommender.beams = beams or recommender.beams
    recommender.batch_users = batch_users or recommender.batch_users
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


def _show(result: GenerateResult, out: Path, seconds: float) -> None:
    made: dict[str, object] = {
        "table": f"{out} ({count(result.frame.height, 'row')}: {', '.join(result.frame.columns)})",
        "users": f"{result.users:,} in {duration(seconds)} ({result.users / max(seconds, 1e-9):,.0f} users/s)",
    }
    if result.short:
        made["fewer than k"] = f"{count(result.short, 'user')}, because fewer items are allowed for them"
    summary(made)


def _within(recommender: GenerativeRecommender, where: list[str] | None) -> str | None:
    """The name of the sub-catalogue of this job."""
    from genrec.data.conditions import items_where

    if not where:
        return None
    name = " and ".join(where)
    mask = items_where(recommender.index.catalog, where)
    recommender.define(name, recommender.item_ids[mask])
    say(f"{int(mask.sum()):,} of {count(len(mask), 'item')}: {name}")
    return name


def _prior(path: Path, recommender: Recommender, tables: Tables, score_column: str | None) -> np.ndarray:
    """Scores of the items, ``(n_items,)``."""
    from genrec.data.item_lists import read_scores
    from genrec.data.report import DataReport
    from genrec.schema import Columns

    report = DataReport()
    column = score_column or Columns.Score
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

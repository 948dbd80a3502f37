"""``genrec data``: look at tables, and make them from public raw dumps."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from genrec.cli.console import err, guarded, heading, say, show_error, summary, table
from genrec.cli.visible import json_text

if TYPE_CHECKING:
    from genrec.data.check import CheckResult

app = typer.Typer(no_args_is_help=True)


@app.command("check")
@guarded
def check(
    items: Annotated[Path, typer.Argument(help="Table of items: item_id and text fields.")],
    interactions: Annotated[Path | None, typer.Argument(help="Table of user_id, item_id, timestamp.")] = None,
    id_column: Annotated[str, typer.Option("--id-column", help="Item ids of the items table.")] = "item_id",
    user_column: Annotated[str, typer.Option("--user-column", help="User ids of the interactions.")] = "user_id",
    item_column: Annotated[str, typer.Option("--item-column", help="Item ids of the interactions.")] = "item_id",
    time_column: Annotated[str, typer.Option("--time-column", help="Times of the interactions.")] = "timestamp",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for machines.")] = False,
) -> None:
    """Say what is in the tables, what is wrong, which rule is applied and how to fix it."""
    from genrec.data.check import check_tables

    result = check_tables(
        items,
        interactions,
        id_column=id_column,
        user_column=user_column,
        item_column=item_column,
        time_column=time_column,
    )
    if as_json:
        typer.echo(json_text(result.to_dict(), indent=2))
    else:
        _show(result, items, interactions)
    if not result.ok:
        raise typer.Exit(1)


def _show(result: CheckResult, items: Path, interactions: Path | None) -> None:
    if result.items:
        heading(f"Items ({items})")
        say(f"{result.items['items']:,} items; a person would read: {result.items['example_title']}")
        rows = [
            (f["name"], f["type"], f"{f['filled']:.0%}", f["median_length"] or "", f["example"][:50])
            for f in result.items["fields"]
        ]
        table(["field", "type", "filled", "median length", "example"], rows)
    if result.interactions:
        heading(f"Interactions ({interactions})")
        _show_interactions(result.interactions)
    for error in result.errors:
        err.print()
        show_error(error)
    if result.problems:
        heading("Found and handled")
        for problem in result.problems:
            say(f"{problem.count:>9,}  {problem.kind} ({problem.table}): {problem.rule}.")
            for example in problem.examples:
                say(f"           - {example}")
            say(f"           to fix: {problem.fix}")
    elif result.ok:
        say("\nNothing to complain about.")
    if result.ok and interactions is not None:
        summary({}, [f"genrec index build {items} --tokenizer rq-kmeans-3x256 --out runs/index"])


def _show_interactions(facts: dict[str, Any]) -> None:
    say(
        f"{facts['interactions']:,} interactions of {facts['users']:,} users with {facts['items']:,} items "
        f"({facts['density']:.3%} of all pairs, {facts['repeated_pairs']:,} repeated pairs)"
    )
    say(
        f"history length: {facts['length_min']} to {facts['length_max']}, median {facts['length_median']:.0f}, "
        f"mean {facts['length_mean']:.1f}"
    )
    period = f", {facts['first']} to {facts['last']}" if facts["first"] else ""
    say(f"time: {facts['time']}{period}")


@app.command("prepare")
@guarded
def prepare(
    name: Annotated[str, typer.Argument(help="Such as amazon-2014, amazon-2018, amazon-2023, movielens, steam, yelp.")],
    raw: Annotated[list[Path], typer.Argument(help="The raw files, or the folder that holds them.")],
    out: Annotated[Path, typer.Option("--out", help="Folder for items.jsonl and interactions.csv.")],
    k_core: Annotated[int, typer.Option("--k-core", help="Interactions a user and an item need; 0 keeps all.")] = 5,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace what is at --out.")] = False,
) -> None:
    """Turn a public raw dump into the two canonical tables."""
    from genrec.data.raw import prepare as run

    report = run(name, raw, out, k_core=k_core or None, overwrite=overwrite)
    for problem in report.problems:
        say(f"{problem.count:>9,}  {problem.kind} ({problem.table}): {problem.rule}.")
    summary(
        {"tables": f"{out}/items.jsonl, {out}/interactions.csv", **{k: f"{v:,}" for k, v in report.facts.items()}},
        [f"genrec data check {out}/items.jsonl {out}/interactions.csv"],
    )

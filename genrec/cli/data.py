"""``genrec data``: look at tables, and make them from public raw dumps."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from genrec.cli.columns import Tables, column_options, reads
from genrec.cli.console import err, for_shell, guarded, heading, say, show_error, summary, table
from genrec.cli.options import AsJson, ItemsTable, Overwrite
from genrec.cli.outputs import claim, claim_file
from genrec.cli.pipeline import Pipeline
from genrec.cli.reading import free_path, shell_command, tell
from genrec.cli.table_options import Html
from genrec.cli.visible import json_text
from genrec.schema import Columns
from genrec.wording import count

if TYPE_CHECKING:
    from genrec.data.catalog import Catalog
    from genrec.data.check import CheckResult
    from genrec.data.naming import ColumnNames

app = typer.Typer(cls=Pipeline, no_args_is_help=True)


@app.command("check")
@guarded
@reads("items", "interactions")
def check(
    items: ItemsTable,
    interactions: Annotated[
        Path | None, typer.Argument(help="Table of interactions: user_id, item_id, timestamp.")
    ] = None,
    as_json: AsJson = False,
    *,
    tables: Tables,
) -> None:
    """Say what is in the tables, what is wrong, which rule is applied and how to fix it."""
    from genrec.data.check import check_tables

    known, columns = _known_items(items)
    tables = tables.remembering(columns)
    result = check_tables(
        known or items,
        interactions,
        **tables.how,
        **({} if known else tables.of_items(items)),
        **({} if interactions is None else tables.of_interactions(interactions)),
    )
    if as_json:
        typer.echo(json_text(result.to_dict(), indent=2))
    else:
        _show(result, items, interactions)
        summary({}, _then(result, items, interactions, tables, known=known is not None))
    if not result.ok:
        raise typer.Exit(1)


def _known_items(path: Path) -> tuple[Catalog | None, ColumnNames]:
    """The items that an index or a recommender knows, and the columns that it remembers; None for a table."""
    import polars as pl

    from genrec.artifacts import mend
    from genrec.data.catalog import Catalog
    from genrec.data.naming import ColumnNames
    from genrec.index.semantic_index import SemanticIndex
    from genrec.index.storage import MANIFEST
    from genrec.loading import saved_kind
    from genrec.schema import Columns

    mend(path)
    for folder in (path, path / "index"):
        if (folder / MANIFEST).is_file():
            index = SemanticIndex.load(folder)
            return index.catalog, index.columns
    if saved_kind(path) == "baseline":
        from genrec.baselines import load_baseline

        baseline = load_baseline(path)
        return Catalog.from_frame(pl.DataFrame({Columns.Item: baseline.item_ids.tolist()})), baseline.columns
    return None, ColumnNames()


def _then(result: CheckResult, items: Path, interactions: Path | None, tables: Tables, *, known: bool) -> list[str]:
    """What to run next: with the columns that were probably meant, or the index."""
    if not result.ok:
        guessed = tables.guess(None if known else items, interactions)
        words = [items] if interactions is None else [items, interactions]
        return [shell_command("data", "check", *words, *guessed)] if guessed else []
    if known:
        return []
    beside = () if interactions is None else ("--interactions", interactions)
    return [shell_command("index", "build", items, *beside, *tables.options(), "--out", free_path("runs/index"))]


def _show(result: CheckResult, items: Path, interactions: Path | None) -> None:
    if result.items:
        heading(f"Items ({items})")
        say(f"{count(result.items['items'], 'item')}; a person would read: {result.items['example_title']}")
        rows = [
            (
                f["name"],
                f["type"],
                f"{f['filled']:.0%}",
                round(f["median_length"]) if f["median_length"] else "",
                f["example"][:50],
            )
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
            say(f"           to fix: {for_shell(problem.fix)}")
    elif result.ok:
        say("\nNothing to complain about.")


def _show_interactions(facts: dict[str, Any]) -> None:
    say(
        f"{count(facts['interactions'], 'interaction')} of {count(facts['users'], 'user')} with "
        f"{count(facts['items'], 'item')} ({facts['density']:.3%} of all pairs, "
        f"{count(facts['repeated_pairs'], 'repeated pair')})"
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
    name: Annotated[
        str, typer.Argument(help="Dump to read: amazon-2014, amazon-2018, amazon-2023, movielens, steam, yelp.")
    ],
    raw: Annotated[list[Path], typer.Argument(help="Raw files, or the folder that holds them.")],
    out: Annotated[Path, typer.Option("--out", help="Folder for items.jsonl and interactions.csv.")],
    k_core: Annotated[int, typer.Option("--k-core", help="Interactions a user and an item need; 0 keeps all.")] = 5,
    allow_lost: Annotated[
        float | None, typer.Option("--allow-lost", min=0, max=1, help="Largest share of rows that may be lost.")
    ] = None,
    html: Annotated[Html, typer.Option("--html", help="HTML in texts of items: made plain, or keep it.")] = "plain",
    overwrite: Overwrite = False,
) -> None:
    """Turn a public raw dump into the two canonical tables."""
    from genrec.data.raw import prepare as run

    claim(out, overwrite=overwrite, makes="tables")
    report = run(name, raw, out, k_core=k_core or None, allow_lost=allow_lost, html=html, overwrite=overwrite)
    for problem in report.problems:
        say(f"{problem.count:>9,}  {problem.kind} ({problem.table}): {problem.rule}.")
    summary(
        {"tables": f"{out}/items.jsonl, {out}/interactions.csv", **{k: f"{v:,}" for k, v in report.facts.items()}},
        [shell_command("data", "check", out / "items.jsonl", out / "interactions.csv")],
    )


@app.command("cases")
@guarded
@reads("items", "interactions")
def cases(
    items: ItemsTable,
    out: Annotated[Path, typer.Option("--out", help="Table of interactions with a column 'part'.")],
    train: Annotated[Path, typer.Option("--train", help="Official cases to learn from.")],
    validation: Annotated[Path | None, typer.Option("--validation", help="Official cases of validation.")] = None,
    test: Annotated[Path | None, typer.Option("--test", help="Official cases of the test.")] = None,
    history_column: Annotated[
        str | None, typer.Option("--history-column", help="Histories: lists, or ids with blanks between.")
    ] = None,
    target_column: Annotated[
        str | None, typer.Option("--target-column", help="Targets (default: the items' column).")
    ] = None,
    overwrite: Overwrite = False,
    *,
    tables: Tables,
) -> None:
    """Turn an official split with one case a row (history, target) into interactions with a split of your own."""
    from genrec.data.case_sequences import PART, interactions_from_cases
    from genrec.data.cases import read_cases
    from genrec.data.tables import write_table

    files = {"train": train, "validation": validation, "test": test}
    claim_file(out, overwrite=overwrite)
    catalog = tables.catalog(items)
    found, reports = {}, [catalog.report]
    for part, path in files.items():
        if path is not None:
            how = tables.of_candidates(path)
            target = how.pop("item_column") if target_column is None else target_column
            how.pop("item_column", None)
            found[part], report = read_cases(
                path, catalog.item_ids, history_column=history_column, target_column=target, **how
            )
            reports.append(report.renamed(f"{part} cases"))
    tell(reports)
    table = interactions_from_cases(found, catalog.item_ids)
    write_table(table, out)
    own = {"id": tables.used.get("id", Columns.Item), "title": tables.given.title}
    said = column_options({role: name for role, name in own.items() if name not in (None, Columns.Item)})
    beside = ("--interactions", out, "--part-column", PART)
    made = f"{out} ({count(table.height, 'interaction')} of {count(table[Columns.User].n_unique(), 'user')})"
    summary(
        {"table": made, **{f"{part} cases": f"{len(one):,}" for part, one in found.items()}},
        [shell_command("index", "build", items, *said, *beside, "--out", free_path("runs/index"))],
    )

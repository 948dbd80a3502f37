"""``genrec index compare``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from genrec.cli.columns import Tables, reads
from genrec.cli.console import guarded, markdown, say, summary
from genrec.cli.options import ItemsTable, Overwrite
from genrec.cli.outputs import claim
from genrec.cli.progress import progress
from genrec.cli.reading import free_path, own_command, read_split, shell_command, tell
from genrec.cli.trust import loads_models
from genrec.wording import count

if TYPE_CHECKING:
    from genrec.index.semantic_index import SemanticIndex


@guarded
@loads_models
@reads("items", "interactions", "split")
def compare(
    items: ItemsTable,
    tokenizer: Annotated[list[str], typer.Option("--tokenizer", help="Recipe, or a YAML file; several times.")],
    out: Annotated[Path, typer.Option("--out", help="Folder of comparison.md and comparison.json.")],
    interactions: Annotated[
        Path | None,
        typer.Option(
            "--interactions", help="Interactions for collaborative recipes, and to see what is bought together."
        ),
    ] = None,
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="Setting to change in every recipe: key.sub=value.")
    ] = None,
    keep: Annotated[
        bool, typer.Option("--keep", help="Every index is saved under --out, by the recipe's name.")
    ] = False,
    overwrite: Overwrite = False,
    *,
    tables: Tables,
) -> None:
    """Build several recipes on one catalogue; one table of cost and quality."""
    from genrec.index.recipe import load_recipe
    from genrec.index.report.compare import compare_recipes, comparison_table, write_comparison

    recipes = [load_recipe(name, set_ or ()) for name in tokenizer]
    choice = tables.choose_split()
    claim(out, overwrite=overwrite, makes=None)
    catalog = tables.catalog(items)
    parts, reports = None, [catalog.report]
    if interactions is not None:
        parts, table = read_split(tables, interactions, catalog, choice)
        reports.append(table.report)
    tell(reports, tables.check_options(), items, interactions)

    def remember(index: SemanticIndex) -> None:
        index.columns, index.split = tables.names, choice if parts is not None else None

    rows = []
    title = f"Tokenizers on {count(len(catalog), 'item')}"
    kept = out if keep else None
    with progress("encoding items") as update:
        for row in compare_recipes(catalog, recipes, split=parts, keep=kept, on_index=remember, progress=update):
            rows.append(row)
            say(f"{row['tokenizer']}: {row.get('error') or 'done'}")
            write_comparison(out, rows, title=title, command=own_command())
    say()
    markdown(comparison_table(rows, brief=True))
    if all("error" in row for row in rows):
        _refuse_failed(rows, out)
    build = ["index", "build", items, *([] if interactions is None else ["--interactions", interactions])]
    build += [*tables.options(), *tables.split_options(), *(word for one in set_ or () for word in ("--set", one))]
    summary(
        {"table": f"{out}/comparison.md (all columns; also comparison.json)"},
        _after_comparison(rows, dict(zip([recipe.name for recipe in recipes], tokenizer, strict=True)), build),
    )
    _refuse_failed(rows, out)


def _refuse_failed(rows: list[dict[str, Any]], out: Path) -> None:
    """The end of a comparison in which a recipe failed: an error, so that scripts notice."""
    from genrec.errors import ConfigError

    failed = [row for row in rows if "error" in row]
    if failed:
        raise ConfigError(
            f"{len(failed)} of {count(len(rows), 'recipe')} failed: {', '.join(row['tokenizer'] for row in failed)}.",
            where=out / "comparison.json",
            expected=failed[0]["error"],
        )


def _after_comparison(rows: list[dict[str, Any]], given: dict[str, str], build: list[object]) -> list[str]:
    """The command that builds the recipe with the fewest weak points, in the same way."""
    built = [row for row in rows if "error" not in row]
    best = min(built, key=lambda row: len(row["weak"].split(", ")) if row["weak"] else 0)
    return [shell_command(*build, "--tokenizer", given[best["tokenizer"]], "--out", free_path("runs/index"))]

"""``genrec audit``."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from genrec.cli.console import duration, guarded, heading, out, say, split_bounds, summary
from genrec.cli.progress import progress
from genrec.cli.visible import json_text, visible

if TYPE_CHECKING:
    from genrec.audit import Audit

_STYLES = {"serious": "bold red", "caution": "bold yellow", "note": "bold", "fine": "bold green"}


@guarded
def audit(
    items: Annotated[Path, typer.Argument(help="Table of items: item_id and text fields.")],
    interactions: Annotated[Path, typer.Argument(help="Table of user_id, item_id, timestamp.")],
    split: Annotated[str, typer.Option("--split", help="leave-one-out or global-time.")] = "leave-one-out",
    validation_from: Annotated[
        str | None, typer.Option("--validation-from", help="Global time: a date, or a share such as 0.8.")
    ] = None,
    test_from: Annotated[str | None, typer.Option("--test-from", help="Global time: a date, or a share.")] = None,
    part_column: Annotated[
        str | None, typer.Option("--part-column", help="Column with train, validation or test: your own split.")
    ] = None,
    vectors: Annotated[str, typer.Option("--vectors", help="Item texts as vectors: lsa, minilm or none.")] = "lsa",
    id_column: Annotated[str, typer.Option("--id-column", help="Item ids of the items table.")] = "item_id",
    user_column: Annotated[str, typer.Option("--user-column", help="User ids of the interactions.")] = "user_id",
    item_column: Annotated[str, typer.Option("--item-column", help="Item ids of the interactions.")] = "item_id",
    time_column: Annotated[str, typer.Option("--time-column", help="Times, or none.")] = "timestamp",
    seed: Annotated[int, typer.Option("--seed", help="Of samples and shuffles.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for machines.")] = False,
    folder: Annotated[Path | None, typer.Option("--out", help="Folder for audit.md and audit.json.")] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace what is at --out.")] = False,
) -> None:
    """Say which shortcuts would solve a dataset and whether its split is clean, before anyone trains."""
    from genrec.artifacts import require_free
    from genrec.audit import audit as run
    from genrec.data.catalog import Catalog
    from genrec.data.interactions import Interactions

    if folder is not None:
        require_free(folder, overwrite=overwrite)
    catalog = Catalog.read(items, id_column=id_column)
    events = Interactions.read(
        interactions,
        user_column=user_column,
        item_column=item_column,
        time_column=None if time_column == "none" else time_column,
        part_column=part_column,
    )
    with progress("auditing") as update:
        found = run(
            catalog,
            events,
            split="custom" if part_column is not None else split,
            options=split_bounds(validation_from, test_from),
            vectors=vectors,
            seed=seed,
            progress=update,
        )
    content = json_text({**found.to_dict(), "command": _command()}, indent=2)
    if as_json:
        typer.echo(content)
    else:
        _show(found, interactions)
    if folder is not None:
        _write(folder, found, content, interactions.resolve().parent.name, overwrite)
    if not as_json:
        made = {} if folder is None else {"report": f"{folder}/audit.md, {folder}/audit.json"}
        summary({**made, "time": duration(found.seconds)}, [f"genrec index build {items} --out runs/index"])


def _command() -> str:
    return "genrec " + shlex.join(sys.argv[1:])


def _write(folder: Path, found: Audit, content: str, dataset: str, overwrite: bool) -> None:
    from genrec.artifacts import atomic_dir

    with atomic_dir(folder, overwrite=overwrite) as work:
        (work / "audit.json").write_text(content + "\n", encoding="utf-8")
        page = found.markdown(f"Audit of {dataset}")
        (work / "audit.md").write_text(f"{page}\n`{_command()}`\n", encoding="utf-8")


def _show(found: Audit, source: Path) -> None:
    from genrec.audit import GRADES
    from genrec.evaluation.tables import plain_table

    heading(f"Audit of {source}")
    say(found.verdict())
    say(found.facts_line())
    heading("What ranks without learning (95 % intervals)")
    columns = ("shortcut", "Recall@1", "Recall@10", "NDCG@10", "what it does")
    say(plain_table([dict(zip(columns, row, strict=True)) for row in found.shortcut_rows()]))
    for grade, meaning in GRADES.items():
        if findings := found.graded(grade):
            out.print()
            out.print(Text.assemble((grade.capitalize(), _STYLES[grade]), ": ", visible(meaning)))
            for finding in findings:
                out.print(Text.assemble("- ", (visible(f"{finding.title}."), "bold"), " ", visible(finding.text)))
                if finding.advice:
                    say(f"  → {finding.advice}")

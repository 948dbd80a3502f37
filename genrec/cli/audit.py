"""``genrec audit``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from genrec.cli.checks import check_tables
from genrec.cli.columns import Tables, reads
from genrec.cli.console import duration, guarded, heading, out, say, summary
from genrec.cli.options import AsJson, EventsTable, ItemsTable, Overwrite
from genrec.cli.outputs import claim
from genrec.cli.progress import progress
from genrec.cli.reading import free_path, own_command, shell_command, tell
from genrec.cli.visible import json_text, visible
from genrec.schema import LARGEST_SEED

if TYPE_CHECKING:
    from genrec.audit import Audit

_STYLES = {"serious": "bold red", "caution": "bold yellow", "note": "bold", "fine": "bold green"}


@guarded
@reads("items", "interactions", "split")
def audit(
    items: ItemsTable,
    interactions: EventsTable,
    vectors: Annotated[str, typer.Option("--vectors", help="Item texts as vectors: lsa, minilm or none.")] = "lsa",
    seed: Annotated[int, typer.Option("--seed", min=0, max=LARGEST_SEED, help="Seed of samples and shuffles.")] = 0,
    as_json: AsJson = False,
    folder: Annotated[Path | None, typer.Option("--out", help="Folder for audit.md and audit.json.")] = None,
    overwrite: Overwrite = False,
    *,
    tables: Tables,
) -> None:
    """Say which shortcuts would solve a dataset and whether its split is clean, before anyone trains."""
    check_tables(items, interactions)
    choice = tables.choose_split()
    if folder is not None:
        claim(folder, overwrite=overwrite, makes="audit")
    catalog, events = tables.catalog(items), tables.interactions(interactions)
    from genrec.audit import audit as run
    from genrec.data.split import CUSTOM

    with progress("auditing") as update:
        found = run(
            catalog,
            events,
            split=choice.name,
            options={} if choice.name == CUSTOM else choice.options,
            vectors=vectors,
            seed=seed,
            progress=update,
        )
    tell([catalog.report, events.report], tables.check_options(), items, interactions)
    content = json_text({**found.to_dict(), "command": own_command()}, indent=2)
    if as_json:
        typer.echo(content)
    else:
        _show(found, interactions)
    if folder is not None:
        _write(folder, found, content, interactions.resolve().parent.name, overwrite)
    if not as_json:
        made = {} if folder is None else {"report": f"{folder}/audit.md, {folder}/audit.json"}
        summary({**made, "time": duration(found.seconds)}, _then(items, interactions, tables))


def _then(items: Path, interactions: Path, tables: Tables) -> list[str]:
    words = (items, "--interactions", interactions, *tables.options(), *tables.split_options())
    return [shell_command("index", "build", *words, "--out", free_path("runs/index"))]


def _write(folder: Path, found: Audit, content: str, dataset: str, overwrite: bool) -> None:
    from genrec.artifacts import atomic_dir

    with atomic_dir(folder, overwrite=overwrite) as work:
        (work / "audit.json").write_text(content + "\n", encoding="utf-8")
        page = found.markdown(f"Audit of {dataset}")
        (work / "audit.md").write_text(f"{page}\n`{own_command()}`\n", encoding="utf-8")


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

"""``genrec index export`` and ``genrec index import``: semantic IDs as other systems write them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from genrec.cli.checks import check_index, check_tables
from genrec.cli.columns import Tables, reads
from genrec.cli.console import guarded, say, summary
from genrec.cli.hub import from_hub
from genrec.cli.options import IndexFolder, ItemsTable, Overwrite
from genrec.cli.outputs import claim, claim_file
from genrec.cli.reading import shell_command, tell
from genrec.wording import count

CodesFile = Annotated[Path, typer.Argument(help='JSON file with codes: {"item-1": ["<a_12>", "<b_7>"]}.')]
CodesOut = Annotated[Path, typer.Option("--out", help="JSON file of codes to write.")]
Target = Annotated[Path, typer.Option("--out", help="Folder of the index.")]


@guarded
@from_hub(index="index")
def export(index: IndexFolder, out: CodesOut, overwrite: Overwrite = False) -> None:
    """Write the semantic IDs of an index as JSON that other systems read."""
    check_index(index)
    claim_file(out, overwrite=overwrite)
    from genrec.index.imported import write_codes
    from genrec.index.semantic_index import SemanticIndex

    loaded = SemanticIndex.load(index)
    write_codes(loaded, out)
    summary({"codes": f"{out} ({count(len(loaded), 'item')}, {count(loaded.n_levels, 'code')} each)"})


@guarded
@reads("items")
def import_(codes: CodesFile, items: ItemsTable, out: Target, overwrite: Overwrite = False, *, tables: Tables) -> None:
    """Make an index from semantic IDs that were made elsewhere."""
    check_tables(codes, items)
    claim(out, overwrite=overwrite, makes="index")
    from genrec.index.imported import index_from_codes, read_codes

    given = read_codes(codes)
    catalog = tables.catalog(items)
    tell([catalog.report], tables.check_options(), items)
    index = index_from_codes(catalog, given)
    index.columns = tables.names
    index.save(out, overwrite=overwrite)
    unused = len(given) - len(index)
    if unused:
        say(f"Codes of {count(unused, 'item')} that the table does not have are left out.")
    sizes = " × ".join(str(size) for size in index.codebook_sizes)
    made = {"index": f"{out} ({count(len(index), 'item')}, fingerprint {index.fingerprint[:12]})"}
    summary({**made, "semantic IDs": f"{sizes} codes"}, [shell_command("index", "show", out)])

"""``genrec index``: build, show, grow and compare semantic-ID indexes."""

from __future__ import annotations

import shlex
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from genrec.cli.console import duration, guarded, markdown, say, summary
from genrec.cli.progress import progress
from genrec.cli.visible import json_text

if TYPE_CHECKING:
    from genrec.data.catalog import Catalog
    from genrec.data.split import Split
    from genrec.index.item_tokenizer import ItemTokenizer

app = typer.Typer(no_args_is_help=True)


@app.command("build")
@guarded
def build(
    items: Annotated[Path, typer.Argument(help="Table of items: item_id and text fields.")],
    out: Annotated[Path, typer.Option("--out", help="Folder of the index.")],
    tokenizer: Annotated[str, typer.Option("--tokenizer", help="Recipe, or a YAML file.")] = "rq-kmeans-3x256",
    quantizer: Annotated[
        Path | None,
        typer.Option("--quantizer", help="Folder of a pretrained recommender or index: take its recipe, frozen."),
    ] = None,
    interactions: Annotated[
        Path | None,
        typer.Option("--interactions", help="For collaborative recipes; only the training part of the split is read."),
    ] = None,
    split: Annotated[str, typer.Option("--split", help="How the interactions are split.")] = "leave-one-out",
    set_: Annotated[list[str] | None, typer.Option("--set", help="Change a setting: key.sub=value.")] = None,
    id_column: Annotated[str, typer.Option("--id-column", help="Item ids of the items table.")] = "item_id",
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace what is at --out.")] = False,
) -> None:
    """Turn a catalogue into semantic IDs."""
    from genrec.artifacts import require_free
    from genrec.config import apply_overrides, parse
    from genrec.data.catalog import Catalog
    from genrec.index.recipe import TokenizerRecipe, load_recipe
    from genrec.index.report import collision_line
    from genrec.index.semantic_index import SemanticIndex

    frozen = None
    if quantizer is None:
        recipe = load_recipe(tokenizer, set_ or ())
    else:
        frozen = _frozen(quantizer)
        recipe = parse(TokenizerRecipe, apply_overrides(frozen.recipe.model_dump(mode="json"), set_ or ()), "--set")
    require_free(out, overwrite=overwrite)
    catalog = Catalog.read(items, id_column=id_column)
    train = None
    if interactions is not None:
        train = _split(interactions, catalog, split).train
        say(f"{len(train.items):,} training interactions of {len(train):,} users ({split}; the rest is held out).")
    began = time.monotonic()
    with progress("encoding items") as update:
        index = SemanticIndex.build(catalog, recipe, train=train, progress=update, tokenizer=frozen)
    index.save(out, overwrite=overwrite)
    stats = index.stats()
    summary(
        {
            "index": f"{out} ({len(catalog):,} items, fingerprint {index.fingerprint[:12]})",
            "semantic IDs": " × ".join(str(size) for size in index.codebook_sizes) + " codes",
            "collisions": collision_line(stats),
            "time": duration(time.monotonic() - began),
        },
        [f"genrec index show {out}", f"genrec train {out} {interactions or 'interactions.csv'} --out runs/model"],
    )


def _frozen(folder: Path) -> ItemTokenizer:
    from genrec.generative.pretrained import read_tokenizer

    return read_tokenizer(folder)


@app.command("show")
@guarded
def show(
    index: Annotated[Path, typer.Argument(help="Folder of the index.")],
    prefix: Annotated[list[int] | None, typer.Argument(help="Codes, after --prefix.", hidden=True)] = None,
    item: Annotated[str | None, typer.Option("--item", help="One item: its codes and its neighbours.")] = None,
    by_prefix: Annotated[
        bool, typer.Option("--prefix", help="Items under these codes, such as --prefix 12 7.")
    ] = False,
    html: Annotated[Path | None, typer.Option("--html", help="Also write the page, with plots, to this file.")] = None,
    interactions: Annotated[
        Path | None, typer.Option("--interactions", help="Are items bought together near in code space?")
    ] = None,
    split: Annotated[str, typer.Option("--split", help="How the interactions are split; test is not read.")] = (
        "leave-one-out"
    ),
) -> None:
    """One page that tells whether an index is good; or one item, or one prefix."""
    from genrec.artifacts import write_atomic
    from genrec.errors import ConfigError
    from genrec.index.report import render_report, show_item, show_prefix
    from genrec.index.report.html import render_index_html
    from genrec.index.semantic_index import SemanticIndex

    if prefix and not by_prefix:
        raise ConfigError("Codes without --prefix.", expected="such as --prefix 12 7")
    if by_prefix and not prefix:
        raise ConfigError("--prefix needs codes.", expected="such as --prefix 12 7")
    if html is not None and (item is not None or by_prefix):
        raise ConfigError("--html writes the page of the whole index.", expected="--html without --item and --prefix")
    loaded = SemanticIndex.load(index)
    if item is not None:
        markdown(show_item(loaded, item))
    elif prefix:
        markdown(show_prefix(loaded, prefix))
    else:
        stats = loaded.stats(None if interactions is None else _split(interactions, loaded.catalog, split))
        markdown(render_report(loaded, stats))
        if html is not None:
            write_atomic(html, render_index_html(loaded, stats, command=_command()))
            summary({"page": html})


@app.command("diff")
@guarded
def diff(
    first: Annotated[Path, typer.Argument(help="Folder of an index.")],
    second: Annotated[Path, typer.Argument(help="Folder of another, such as a newer one.")],
    examples: Annotated[int, typer.Option("--examples", min=0, help="Items named of each kind.")] = 5,
    json_: Annotated[bool, typer.Option("--json", help="All ids, for programs.")] = False,
) -> None:
    """What changed from one index to another: items added, removed and moved."""
    from genrec.index.report.diff import diff_indexes, render_diff
    from genrec.index.semantic_index import SemanticIndex

    before, after = SemanticIndex.load(first), SemanticIndex.load(second)
    if json_:
        say(json_text(diff_indexes(before, after).to_dict()))
    else:
        markdown(render_diff(before, after, examples=examples))


@app.command("compare")
@guarded
def compare(
    items: Annotated[Path, typer.Argument(help="Table of items: item_id and text fields.")],
    tokenizer: Annotated[list[str], typer.Option("--tokenizer", help="Recipe, or a YAML file; several times.")],
    out: Annotated[Path, typer.Option("--out", help="Folder of comparison.md and comparison.json.")],
    interactions: Annotated[
        Path | None,
        typer.Option("--interactions", help="For collaborative recipes, and to see what is bought together."),
    ] = None,
    split: Annotated[str, typer.Option("--split", help="How the interactions are split; test is not read.")] = (
        "leave-one-out"
    ),
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="Change a setting of every recipe: key.sub=value.")
    ] = None,
    id_column: Annotated[str, typer.Option("--id-column", help="Item ids of the items table.")] = "item_id",
    keep: Annotated[bool, typer.Option("--keep", help="Save every index under --out, by the recipe's name.")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace what is at --out.")] = False,
) -> None:
    """Build several recipes on one catalogue; one table of cost and quality."""
    from genrec.artifacts import require_free
    from genrec.data.catalog import Catalog
    from genrec.errors import ConfigError
    from genrec.index.recipe import load_recipe
    from genrec.index.report.compare import compare_recipes, comparison_table, write_comparison

    recipes = [load_recipe(name, set_ or ()) for name in tokenizer]
    require_free(out, overwrite=overwrite)
    catalog = Catalog.read(items, id_column=id_column)
    parts = None if interactions is None else _split(interactions, catalog, split)
    rows = []
    title = f"Tokenizers on {len(catalog):,} items"
    with progress("encoding items") as update:
        for row in compare_recipes(catalog, recipes, split=parts, keep=out if keep else None, progress=update):
            rows.append(row)
            say(f"{row['tokenizer']}: {row.get('error') or 'done'}")
            write_comparison(out, rows, title=title, command=_command())
    say()
    markdown(comparison_table(rows, brief=True))
    if all("error" in row for row in rows):
        raise ConfigError("No recipe could be built.", where=out / "comparison.json", expected=rows[0]["error"])
    summary(
        {"table": f"{out}/comparison.md (all columns; also comparison.json)"},
        [f"genrec index build {items} --out runs/index"],
    )


@app.command("add")
@guarded
def add(
    index: Annotated[Path, typer.Argument(help="Folder of the index; it is replaced by the grown one.")],
    new_items: Annotated[Path, typer.Argument(help="Table of new items.")],
    out: Annotated[Path | None, typer.Option("--out", help="Write the grown index here instead.")] = None,
    id_column: Annotated[str, typer.Option("--id-column", help="Item ids of the table.")] = "item_id",
    vectors: Annotated[
        Path | None,
        typer.Option("--vectors", help="Vectors of the new items (.npy, .parquet), for the encoder 'precomputed'."),
    ] = None,
) -> None:
    """Give new items semantic IDs; published IDs never move."""
    from genrec.artifacts import require_free
    from genrec.data.catalog import Catalog
    from genrec.index.semantic_index import SemanticIndex

    if out is not None:
        require_free(out)
    before = SemanticIndex.load(index)
    catalog = Catalog.read(new_items, id_column=id_column)
    grown = before.encode_new(catalog, vectors_from=vectors)
    target = out or index
    grown.save(target, overwrite=out is None)
    examples = list(zip(catalog.titles()[:3], grown.codes[len(before.item_ids) :][:3].tolist(), strict=False))
    for title, codes in examples:
        say(f"{codes}  {title}")
    summary(
        {
            "index": f"{target} ({len(before):,} + {len(catalog):,} items, fingerprint {grown.fingerprint[:12]})",
            "published IDs": "unchanged; recommenders trained on the old index work with this one",
        },
        [f"genrec generate runs/model histories.csv --index {target} --out recs.parquet"],
    )


def _split(interactions: Path, catalog: Catalog, name: str) -> Split:
    from genrec.data.interactions import Interactions
    from genrec.data.split import make_split

    return make_split(Interactions.read(interactions).histories(catalog), name)


def _command() -> str:
    return "genrec " + shlex.join(sys.argv[1:])

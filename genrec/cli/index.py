"""``genrec index``: build, show and grow a semantic-ID index."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from genrec.cli.console import duration, guarded, markdown, progress, say, summary

if TYPE_CHECKING:
    from genrec.item_tokenizer import ItemTokenizer

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
    from genrec.data.interactions import Interactions
    from genrec.data.split import make_split
    from genrec.index import SemanticIndex
    from genrec.recipe import TokenizerRecipe, load_recipe

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
        train = make_split(Interactions.read(interactions).histories(catalog), split).train
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
            "collisions": f"{stats.collision_rate:.2%} before disambiguation, none after",
            "time": duration(time.monotonic() - began),
        },
        [f"genrec index show {out}", f"genrec train {out} {interactions or 'interactions.csv'} --out runs/model"],
    )


def _frozen(folder: Path) -> ItemTokenizer:
    from genrec.foundation import read_tokenizer

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
) -> None:
    """One page that tells whether an index is good; or one item, or one prefix."""
    from genrec.errors import ConfigError
    from genrec.index import SemanticIndex
    from genrec.index_report import render_report, show_item, show_prefix

    loaded = SemanticIndex.load(index)
    if item is not None:
        markdown(show_item(loaded, item))
    elif by_prefix:
        if not prefix:
            raise ConfigError("--prefix needs codes.", expected="such as --prefix 12 7")
        markdown(show_prefix(loaded, prefix))
    elif prefix:
        raise ConfigError("Codes without --prefix.", expected="such as --prefix 12 7")
    else:
        markdown(render_report(loaded))


@app.command("add")
@guarded
def add(
    index: Annotated[Path, typer.Argument(help="Folder of the index; it is replaced by the grown one.")],
    new_items: Annotated[Path, typer.Argument(help="Table of new items.")],
    out: Annotated[Path | None, typer.Option("--out", help="Write the grown index here instead.")] = None,
    id_column: Annotated[str, typer.Option("--id-column", help="Item ids of the table.")] = "item_id",
) -> None:
    """Give new items semantic IDs; published IDs never move."""
    from genrec.artifacts import require_free
    from genrec.data.catalog import Catalog
    from genrec.index import SemanticIndex

    if out is not None:
        require_free(out)
    before = SemanticIndex.load(index)
    catalog = Catalog.read(new_items, id_column=id_column)
    grown = before.encode_new(catalog)
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

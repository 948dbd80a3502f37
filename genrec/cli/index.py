"""``genrec index``: build, show, grow and compare semantic-ID indexes."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from genrec.cli.checks import check_index
from genrec.cli.codes import export, import_
from genrec.cli.columns import Tables, reads
from genrec.cli.console import duration, err, guarded, markdown, say, summary
from genrec.cli.hub import from_hub
from genrec.cli.index_compare import compare
from genrec.cli.options import IndexFolder, ItemsTable, Overwrite, SettingChanges
from genrec.cli.outputs import claim, claim_file
from genrec.cli.pipeline import Pipeline
from genrec.cli.progress import progress
from genrec.cli.reading import free_path, own_command, read_split, shell_command, split_text, tell
from genrec.cli.trust import loads_models
from genrec.cli.visible import json_text
from genrec.wording import agree, count

if TYPE_CHECKING:
    from genrec.data.split import Split
    from genrec.index.item_tokenizer import ItemTokenizer
    from genrec.index.recipe import TokenizerRecipe
    from genrec.index.semantic_index import SemanticIndex

app = typer.Typer(cls=Pipeline, no_args_is_help=True)

_BEST_PRESET, _BEST_UP_TO = "vector-decoder", 100_000
"""What was above words and counts on all five data sets where it was measured (docs/results.md), and the most items for
which it is named: it has a row for each, and scores all of them."""

Recipe = Annotated[str, typer.Option("--tokenizer", help="Recipe, or a YAML file; auto: sizes by the catalogue.")]
Frozen = Annotated[
    Path | None,
    typer.Option("--quantizer", help="Folder of a pretrained recommender or index: take its recipe, frozen."),
]
Events = Annotated[
    Path | None,
    typer.Option(
        "--interactions", help="Interactions for collaborative recipes; only the training part of the split is read."
    ),
]

Vectors = Annotated[
    list[Path] | None,
    typer.Option("--vectors", help="Vectors of the items (.npy, .parquet), for each encoder 'precomputed'."),
]


@app.command("build")
@guarded
@loads_models
@reads("items", "interactions", "split")
def build(
    items: ItemsTable,
    out: Annotated[Path, typer.Option("--out", help="Folder of the index.")],
    tokenizer: Recipe = "rq-kmeans-3x256",
    quantizer: Frozen = None,
    interactions: Events = None,
    vectors: Vectors = None,
    set_: SettingChanges = None,
    overwrite: Overwrite = False,
    *,
    tables: Tables,
) -> None:
    """Turn a catalogue into semantic IDs."""
    from genrec.index.report import collision_line, overall, reasons, says_little
    from genrec.index.semantic_index import SemanticIndex

    recipe, frozen, texts = _recipe(tokenizer, quantizer, set_ or ())
    if frozen is not None:
        tables = tables.reading_html(frozen.html)
    choice = tables.choose_split()
    claim(out, overwrite=overwrite, makes="index")
    catalog = tables.catalog(items, as_text=texts)
    train, reports = None, [catalog.report]
    if interactions is not None:
        parts, table = read_split(tables, interactions, catalog, choice)
        train = parts.train
        reports.append(table.report)
        held = f"({split_text(choice)}; the rest is held out)"
        say(f"{count(len(train.items), 'training interaction')} of {count(len(train), 'user')} {held}.")
    tell(reports, tables.check_options(), items, interactions)
    began = time.monotonic()
    with progress("encoding items") as update:
        how: dict[str, Any] = {"progress": update, "tokenizer": frozen, "vectors_from": vectors or None}
        index = SemanticIndex.build(catalog, recipe, train=train, **how)
    index.columns, index.split = tables.names, choice if train is not None else None
    index.save(out, overwrite=overwrite)
    stats = index.stats()
    weak, better = reasons(stats), None
    for sentence in weak:
        say(sentence)
    if weak and frozen is None:
        same = [*([] if interactions is None else ["--interactions", interactions]), *tables.options()]
        build_ = ["index", "build", items, *same, *tables.split_options()]
        better = _fitting_build(index, tokenizer, set_ or [], build_, out)
    summary(
        {
            "index": f"{out} ({count(len(catalog), 'item')}, fingerprint {index.fingerprint[:12]})",
            "semantic IDs": " × ".join(str(size) for size in index.codebook_sizes) + " codes",
            "verdict": overall(stats),
            "collisions": collision_line(stats),
            "time": duration(time.monotonic() - began),
        },
        _after_build(index, out, quantizer, interactions, tables, better if says_little(stats) else None),
    )


def _fitting_build(index: SemanticIndex, recipe: str, changes: list[str], build: list[object], out: Path) -> str | None:
    """For an index with weak points and sizes that are not those for so many items: the command with these, told."""
    from genrec.index.sizes import fitting_sizes

    own, (levels, size) = index.recipe.quantizer, fitting_sizes(len(index))
    if own.get("codebook_size") in (None, size) or "levels" not in own:
        return None
    if recipe == "rq-kmeans-3x256":
        recipe, wanted = "auto", []
    else:
        wanted = [f"quantizer.levels={levels}", f"quantizer.codebook_size={size}"]
    kept = [one for one in changes if not one.startswith(("quantizer.levels=", "quantizer.codebook_size="))]
    sets = [word for one in (*kept, *wanted) for word in ("--set", one)]
    command = shell_command(*build, "--tokenizer", recipe, *sets, "--out", free_path(f"{out}-{levels}x{size}"))
    say(f"{levels} × {size} codes fit {count(len(index), 'item')}: {command}")
    return command


def _after_build(
    made: SemanticIndex,
    index: Path,
    quantizer: Path | None,
    interactions: Path | None,
    tables: Tables,
    better: str | None,
) -> list[str]:
    """What to run next; columns and split are remembered, and only what can run as it stands is named.

    Nobody should train on codes that say little about the items where another build mends that: ``better``.
    """
    then = [shell_command("index", "show", index)]
    if better is not None:
        return [*then, better]
    if interactions is None:
        return then
    if quantizer is not None and (quantizer / "tokenizer").is_dir():  # a pretrained recommender needs no training
        recs = free_path(f"{index}-recs.parquet")
        then.append(shell_command("generate", quantizer, interactions, "--index", index, "--out", recs))
        return then
    model = free_path("runs/model")
    preset = ("--config", _BEST_PRESET) if len(made) <= _BEST_UP_TO else ()
    then.append(shell_command("train", index, interactions, *tables.how_options(), *preset, "--out", model))
    return then


def _recipe(
    tokenizer: str, quantizer: Path | None, changes: Sequence[str]
) -> tuple[TokenizerRecipe, ItemTokenizer | None, tuple[str, ...]]:
    """The recipe, what is taken frozen from a pretrained recommender or another index, and what was text there."""
    from genrec.config import apply_overrides, parse
    from genrec.index.recipe import TokenizerRecipe, load_recipe
    from genrec.loading import read_fitted_tokenizer

    if quantizer is None:
        return load_recipe(tokenizer, changes), None, ()
    frozen, texts = read_fitted_tokenizer(quantizer)
    content = apply_overrides(frozen.recipe.model_dump(mode="json"), changes)
    return parse(TokenizerRecipe, content, "--set"), frozen, texts


@app.command("show")
@guarded
@from_hub(index="index")
@reads("interactions", "split")
def show(
    index: IndexFolder,
    prefix: Annotated[list[int] | None, typer.Argument(help="Codes, after --prefix.", hidden=True)] = None,
    item: Annotated[str | None, typer.Option("--item", help="Item whose codes and neighbours are shown.")] = None,
    by_prefix: Annotated[
        bool, typer.Option("--prefix", help="Items under these codes, such as --prefix 12 7.")
    ] = False,
    html: Annotated[Path | None, typer.Option("--html", help="Page with plots to write, too.")] = None,
    interactions: Annotated[
        Path | None, typer.Option("--interactions", help="Interactions: are items bought together near in code space?")
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Permission to replace the page at --html.")] = False,
    *,
    tables: Tables,
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
    if html is not None:
        claim_file(html, overwrite=overwrite)
    loaded = SemanticIndex.load(index)
    if item is not None:
        markdown(show_item(loaded, item))
    elif prefix:
        markdown(show_prefix(loaded, prefix))
    else:
        stats = loaded.stats(None if interactions is None else _parts(tables, index, loaded, interactions))
        markdown(render_report(loaded, stats))
        if html is not None:
            write_atomic(html, render_index_html(loaded, stats, command=own_command()))
            summary({"page": html})


def _parts(tables: Tables, folder: Path, index: SemanticIndex, interactions: Path) -> Split:
    """The split of an index's interactions; as the index was built, where nothing else is said."""
    tables = tables.remembering(index.columns)
    choice = tables.choose_split(index.split)
    split, table = read_split(tables, interactions, index.catalog, choice)
    tell([table.report], tables.check_options(), folder, interactions)
    return split


@app.command("diff")
@guarded
def diff(
    first: Annotated[Path, typer.Argument(help="Folder of an index.")],
    second: Annotated[Path, typer.Argument(help="Folder of another, such as a newer one.")],
    examples: Annotated[int, typer.Option("--examples", min=0, help="Items named of each kind.")] = 5,
    json_: Annotated[bool, typer.Option("--json", help="JSON with all ids, for programs.")] = False,
) -> None:
    """What changed from one index to another: items added, removed and moved."""
    from genrec.index.report.diff import diff_indexes, render_diff
    from genrec.index.semantic_index import SemanticIndex

    before, after = SemanticIndex.load(first), SemanticIndex.load(second)
    if json_:
        say(json_text(diff_indexes(before, after).to_dict()))
    else:
        markdown(render_diff(before, after, examples=examples))


app.command("compare")(compare)
app.command("export")(export)
app.command("import")(import_)


@app.command("add")
@guarded
@loads_models
@reads("items")
def add(
    index: Annotated[Path, typer.Argument(help="Folder of the index; it is replaced by the grown one.")],
    new_items: Annotated[Path, typer.Argument(help="Table of new items.")],
    out: Annotated[
        Path | None, typer.Option("--out", help="Folder of the grown index (default: that of the index).")
    ] = None,
    vectors: Vectors = None,
    overwrite: Overwrite = False,
    *,
    tables: Tables,
) -> None:
    """Give new items semantic IDs; published IDs never move."""
    from genrec.encoders.text import text_fields
    from genrec.index.additions import new_items_of, note_new_alike
    from genrec.index.semantic_index import SemanticIndex

    check_index(index)
    target = out or index
    if out is None:  # from the reading to the writing, so that nobody's items are lost
        claim(index, overwrite=True, on_wait=err.print, makes="index")
    else:
        claim(out, overwrite=overwrite, in_place=True, makes="index")
    before = SemanticIndex.load(index)
    tables = tables.remembering(before.columns).reading_html(before.tokenizer.html)
    table = tables.catalog(new_items, as_text=text_fields(before.catalog))
    note_new_alike(table, before.catalog)
    tell([table.report], tables.check_options(), new_items)
    catalog, known = new_items_of(table, before.catalog)
    if known:
        there = f"{count(known, 'item')} {agree(known, 'is', 'are')} in the index already, with the same fields"
        say(f"{there}: {agree(known, 'it stays as it is', 'they stay as they are')}.")
    if out is None and not len(catalog):
        summary({"index": f"{index} ({count(len(before), 'item')}, nothing to add)"})
        return
    grown = before.encode_new(catalog, vectors_from=vectors or None) if len(catalog) else before
    grown.save(target, overwrite=overwrite or out is None)
    examples = list(zip(catalog.titles()[:3], grown.codes[len(before.item_ids) :][:3].tolist(), strict=False))
    for title, codes in examples:
        say(f"{codes}  {title}")
    summary(
        {
            "index": f"{target} ({len(before):,} + {count(len(catalog), 'item')}, fingerprint "
            f"{grown.fingerprint[:12]})",
            "published IDs": f"unchanged; old recommenders take this index: genrec generate --index {target}",
        },
        [shell_command("index", "show", target), *([shell_command("index", "diff", index, out)] if out else [])],
    )

"""``genrec baseline``."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from genrec.cli.checks import check_tables
from genrec.cli.columns import Tables, reads
from genrec.cli.console import duration, guarded, say, summary
from genrec.cli.options import Device, EventsTable, ExcludeSeen, ItemsTable, Overwrite, Seed
from genrec.cli.outputs import claim
from genrec.cli.progress import progress
from genrec.cli.reading import free_path, read_split, shell_command, split_text, tell
from genrec.wording import count

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np

    from genrec.data.catalog import Catalog
    from genrec.data.split import Split, SplitSettings


Name = Annotated[
    str, typer.Argument(help="Name of the baseline, such as transition-counts or sasrec; genrec list baselines.")
]
Fixed = Annotated[list[str] | None, typer.Option("--set", help="Setting to fix: key=value; others are chosen.")]
Vectors = Annotated[str, typer.Option("--vectors", help="Item texts as vectors, if needed: lsa or minilm.")]
Seconds = Annotated[
    float | None, typer.Option("--seconds", min=0, help="Seconds after which nothing new is tried and training stops.")
]


@guarded
@reads("items", "interactions", "split")
def baseline(
    name: Name,
    items: ItemsTable,
    interactions: EventsTable,
    out: Annotated[Path, typer.Option("--out", help="Folder of the recommender.")],
    set_: Fixed = None,
    exclude_seen: ExcludeSeen = True,
    vectors: Vectors = "lsa",
    seconds: Seconds = None,
    seed: Seed = 0,
    device: Device = None,
    overwrite: Overwrite = False,
    *,
    tables: Tables,
) -> None:
    """Fit a baseline; settings that are not given are chosen on validation. The test part is not read."""
    check_tables(items, interactions)
    from genrec.baselines import FitInputs
    from genrec.baselines.fit import train_baseline
    from genrec.baselines.registry import CLASSES
    from genrec.encoders.words import word_vectors

    settings = _checked(name, set_ or ())
    claim(out, overwrite=overwrite, makes="baseline")
    choice = tables.choose_split()
    catalog = tables.catalog(items)
    parts, table = read_split(tables, interactions, catalog, choice)
    tell([catalog.report, table.report], tables.check_options(), items, interactions)
    _show_parts(len(catalog), parts, choice)
    began = time.monotonic()
    with progress(name) as update:
        fitted = train_baseline(
            name,
            parts,
            catalog.item_ids,
            FitInputs(
                vectors=_vectors(catalog, vectors) if CLASSES[name].needs_vectors else None,
                words=word_vectors(catalog) if CLASSES[name].needs_words else None,
                exclude_seen=exclude_seen,
                seed=seed,
                seconds=seconds,
                device=device,
                progress=update,
            ),
            settings=settings,
        )
    fitted.info["split_options"], fitted.columns = choice.options, tables.names
    fitted.save_pretrained(out, overwrite=overwrite)
    made: dict[str, object] = {"recommender": out, "settings": _shown(fitted.settings.model_dump(mode="json"))}
    if len(parts.validation):
        reached = fitted.ndcg(parts.validation, exclude_seen=exclude_seen and not fitted.repeats_only)
        made["validation"] = f"NDCG@10 {reached:.4f}"
    evaluation = free_path(f"{out}-eval")
    summary(
        {**made, "time": duration(time.monotonic() - began)},
        [shell_command("evaluate", out, interactions, *tables.how_options(), "--out", evaluation)],
    )


def _checked(name: str, changes: Sequence[str]) -> dict[str, Any]:
    """Settings that are fixed, of a baseline that there is and that has them."""
    from genrec.baselines.registry import BASELINES, CLASSES
    from genrec.config import apply_overrides
    from genrec.errors import unknown_name

    if name not in CLASSES:
        raise unknown_name("baseline", name, BASELINES)
    settings = apply_overrides({}, changes)
    CLASSES[name](**settings)
    return settings


def _show_parts(n_items: int, parts: Split, choice: SplitSettings) -> None:
    say(
        f"{count(n_items, 'item')}, {count(len(parts.train), 'training user')}, "
        f"{count(len(parts.validation), 'validation case')}; {count(len(parts.test), 'test case')} held out "
        f"({split_text(choice)})."
    )


def _vectors(catalog: Catalog, name: str) -> np.ndarray:
    from genrec.encoders import build_encoder
    from genrec.errors import unknown_name

    known: dict[str, dict[str, Any]] = {"lsa": {"name": "lsa"}, "minilm": {"name": "sentence", "model": "minilm"}}
    if name not in known:
        raise unknown_name("kind of item vectors", name, known)
    encoder = build_encoder(known[name])
    encoder.fit(catalog)
    return encoder.encode(catalog)


def _shown(settings: dict[str, Any]) -> str:
    return ", ".join(f"{key} {value}" for key, value in settings.items()) or "none"

"""``genrec page``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from genrec.cli.checks import check_recommender, check_tables, refuse_for_baselines
from genrec.cli.columns import Tables, reads
from genrec.cli.console import guarded, summary
from genrec.cli.hub import from_hub
from genrec.cli.options import Checkpoints, DecodingChanges, Device, ExcludeSeen, HoldOut, Overwrite, Seed
from genrec.cli.outputs import claim_file
from genrec.cli.progress import progress
from genrec.cli.reading import known_columns, tell
from genrec.cli.trust import loads_models
from genrec.wording import count

if TYPE_CHECKING:
    from genrec.page.people import Person
    from genrec.recommender import Recommender


Models = Annotated[
    list[Path], typer.Argument(help="Folders of recommenders (or name/repo of the hub), to see side by side.")
]
Page = Annotated[Path, typer.Option("--out", help="HTML file to write.")]
HistoriesTable = Annotated[
    Path | None,
    typer.Option("--histories", help="Table with user_id, item_id, timestamp (default: people with one item each)."),
]
Users = Annotated[int, typer.Option("--users", min=1, max=2000, help="Users in the page, a sample.")]
LONGEST_SHOWN = 100
"""Items a user that a page shows at most."""
Length = Annotated[int, typer.Option("--k", min=1, max=LONGEST_SHOWN, help="Items a user.")]
Items = Annotated[int, typer.Option("--items", min=1, help="Most items in the page.")]


@guarded
@from_hub(models="recommender")
@loads_models
@reads("interactions")
def page(
    models: Models,
    out: Page,
    histories: HistoriesTable = None,
    users: Users = 50,
    k: Length = 10,
    hold_out: HoldOut = 0,
    exclude_seen: ExcludeSeen = True,
    set_: DecodingChanges = None,
    items: Items = 5000,
    seed: Seed = 0,
    device: Device = None,
    checkpoint: Checkpoints = None,
    overwrite: Overwrite = False,
    *,
    tables: Tables,
) -> None:
    """Write a page to look at: histories, recommendations and why, and the tree of codes, in one HTML file."""
    for model in models:
        check_recommender(model, set_ or ())
    check_tables(histories)
    from genrec.artifacts import write_atomic
    from genrec.evaluation.names import distinct_names
    from genrec.page.assembly import whole_page
    from genrec.page.content import page_content

    names = distinct_names(models)
    claim_file(out, overwrite=overwrite)
    recommenders = {name: _loaded(model, device, checkpoint, set_) for name, model in zip(names, models, strict=True)}
    refuse_for_baselines(recommenders.values(), set_ or ())
    people = _people(list(recommenders.values()), models[0], histories, tables, users, hold_out, seed)
    with progress("recommending") as update:
        content = page_content(
            recommenders, people, k=k, exclude_seen=exclude_seen, most_items=items, seed=seed, progress=update
        )
    text = whole_page(content)
    write_atomic(out, text)
    shown = f"{count(len(people), 'user')}, {count(len(content['items']), 'item')}"
    summary({"page": f"{out} ({shown}, {len(text.encode()) / 1e6:.1f} MB; open it in a browser)"})


def _loaded(model: Path, device: str | None, checkpoints: list[str] | None, changes: list[str] | None) -> Recommender:
    from genrec.generative.changes import change_decoding
    from genrec.generative.recommender import GenerativeRecommender
    from genrec.loading import load, moved_checkpoint, saved_kind

    if saved_kind(model) == "baseline":
        return load(model, device=device)
    place = moved_checkpoint(model, checkpoints or ())
    recommender = load(model, device=device, checkpoint=place)
    if isinstance(recommender, GenerativeRecommender):
        change_decoding(recommender, changes or [], prior=False)
    return recommender


def _people(
    recommenders: list[Recommender],
    model: Path,
    histories: Path | None,
    tables: Tables,
    users: int,
    hold_out: int,
    seed: int,
) -> list[Person]:
    from genrec.page.people import one_item_each, sampled_people

    first = recommenders[0]
    if histories is None:
        index = next((one.index for one in recommenders if hasattr(one, "index")), None)
        titles = first.item_ids.tolist() if index is None else index.catalog.titles()
        ids = first.item_ids if index is None else index.item_ids
        return one_item_each(ids, titles, users=users, seed=seed)
    tables = tables.remembering(*known_columns(recommenders))
    table = tables.interactions(histories)
    known = table.histories(first.item_ids)
    tell([table.report], tables.check_options(), model, histories)
    return sampled_people(known, first.item_ids, users=users, hold_out=hold_out, seed=seed)

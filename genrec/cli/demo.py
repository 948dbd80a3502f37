"""``genrec demo``: the whole job on embedded data."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from genrec.cli.console import duration, guarded, heading, out, say, summary
from genrec.cli.outputs import claim_job
from genrec.cli.reading import shell_command
from genrec.schema import LARGEST_SEED

USERS_SHOWN = 3


@guarded
def demo(
    folder: Annotated[Path, typer.Option("--out", help="Folder of everything.")] = Path("runs/demo"),
    seed: Annotated[int, typer.Option("--seed", min=0, max=LARGEST_SEED, help="Seed of the training.")] = 0,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Permission to start anew, in place of what is there.")
    ] = False,
) -> None:
    """The whole job on a small shop that genrec makes itself, with the commands that you would use on your own data."""
    from genrec.cli import data, evaluate, generate, index, train
    from genrec.data.shop import write_shop

    began = time.monotonic()
    claim_job(folder)
    items, interactions = folder / "data" / "items.jsonl", folder / "data" / "interactions.csv"
    heading("1. A small shop, made by genrec itself")
    write_shop(folder / "data")
    say(f"{items}, {interactions}; its rules are in {folder / 'data' / 'README.md'}")

    heading("2. What is in the tables")
    _command("data", "check", items, interactions)
    data.check(items, interactions)

    heading("3. A semantic ID for every item")
    target = folder / "index"
    _command("index", "build", items, "--interactions", interactions, "--tokenizer", "demo", "--out", target)
    if overwrite or not (target / "index.json").is_file():
        index.build(items, target, tokenizer="demo", interactions=interactions, overwrite=overwrite)
    else:
        say("already there")

    heading("4. A recommender that generates semantic IDs")
    model = folder / "model"
    options = ["--set", f"seed={seed}"] if seed else []
    _command("train", target, interactions, "--config", "demo", "--out", model, *options)
    train.train(target, interactions, model, config="demo", set_=[f"seed={seed}"], overwrite=overwrite)

    heading("5. Measured beside honest baselines")
    _command("evaluate", model, interactions, "--out", folder / "eval", "--overwrite")
    evaluate.evaluate([model], interactions, folder / "eval", overwrite=True)

    heading("6. Recommendations for everybody")
    recommendations = folder / "recommendations.parquet"
    _command("generate", model, interactions, "--k", 10, "--out", recommendations, "--overwrite")
    generate.generate(model, interactions, recommendations, overwrite=True)
    _show_users(items, interactions, recommendations)
    made = {"everything is in": folder, "time": duration(time.monotonic() - began)}
    summary({**made, "on your own tables": "begin with genrec data check ITEMS INTERACTIONS"})


def _command(*words: object) -> None:
    out.print(f"$ {shell_command(*words)}", style="cyan")


def _show_users(items: Path, interactions: Path, recommendations: Path) -> None:
    """Histories and recommendations of a few users, in titles, to be judged by eye."""
    import polars as pl

    from genrec.data.catalog import Catalog
    from genrec.data.interactions import Interactions

    catalog = Catalog.read(items)
    titles = dict(zip(catalog.item_ids.tolist(), catalog.titles(), strict=True))
    table = pl.read_parquet(recommendations)
    frame = Interactions.read(interactions).frame
    users = frame["user_id"].unique(maintain_order=True)
    for user in users.gather([len(users) * (2 * n + 1) // (2 * USERS_SHOWN) for n in range(USERS_SHOWN)]):
        heading(f"User {user}")
        bought = frame.filter(pl.col("user_id") == user)["item_id"].to_list()
        say("  bought, oldest first:")
        for item in bought[-6:]:
            say(f"    {titles[item]}")
        say("  recommended:")
        for rank, title in table.filter(pl.col("user_id") == user).select("rank", "title").head(5).iter_rows():
            say(f"    {rank}. {title}")

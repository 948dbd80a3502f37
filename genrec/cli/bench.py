"""``genrec bench``."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer

from genrec.cli.columns import Tables, reads
from genrec.cli.console import guarded, say, summary, table
from genrec.cli.hub import from_hub
from genrec.cli.options import Checkpoints, Device, EventsTable, ExcludeSeen, GrownIndex, ModelFolder
from genrec.cli.outputs import claim
from genrec.cli.pipeline import Pipeline
from genrec.cli.progress import progress
from genrec.cli.reading import known_columns, tell
from genrec.cli.trust import loads_models

app = typer.Typer(cls=Pipeline, no_args_is_help=True, rich_markup_mode=None)


@app.callback()
def _group() -> None:
    """Measure speed against what people use otherwise."""


@app.command()
@guarded
def decode(
    out: Annotated[Path, typer.Option("--out", help="Folder of decode.json and decode.md.")],
    quick: Annotated[bool, typer.Option("--quick", help="Two small settings, about a minute.")] = False,
    model: Annotated[list[str] | None, typer.Option("--model", help="Model to measure: t5 or decoder.")] = None,
    items: Annotated[
        list[int] | None, typer.Option("--items", min=1, max=100_000_000, help="Catalogue sizes to measure.")
    ] = None,
    shape: Annotated[list[str] | None, typer.Option("--shape", help="USERSxBEAMS in place of the grid's.")] = None,
    prompt: Annotated[
        list[int] | None, typer.Option("--prompt", min=1, max=1_000_000, help="Tokens a user instead.")
    ] = None,
    rounds: Annotated[int, typer.Option("--rounds", min=1, max=10_000, help="Repetitions for the medians.")] = 3,
    vocabulary: Annotated[
        int, typer.Option("--vocabulary", min=10, max=10_000_000, help="Text tokens of the decoder.")
    ] = 150_000,
    threads: Annotated[int, typer.Option("--threads", min=1, max=1024, help="Threads of torch.")] = 1,
    device: Annotated[str, typer.Option("--device", help="Device, such as cuda or cpu.")] = "cpu",
    add: Annotated[bool, typer.Option("--add", help="Rows of other settings stay in the table at --out.")] = False,
) -> None:
    """Catalogue-constrained decoding against Hugging Face generate, in the same run."""
    from genrec.benchmarks.decode import Bench, default_settings, run, select

    settings = select(default_settings(quick), models=model, items=items, shapes=shape, prompts=prompt)
    command = "genrec " + shlex.join(sys.argv[1:])
    claim(out, overwrite=True, makes=None)
    bench = Bench(rounds=rounds, vocabulary=vocabulary, threads=threads, device=device, command=command)
    with progress("measuring") as update:
        rows = run(settings, bench, out=out, add=add, progress=update)
    shown = ("model", "prompt", "items", "users", "beams", "dtype", "normalize", "hf_ms", "ms", "speedup_vs_hf")
    table(shown, [[row[key] for key in shown] for row in rows])
    summary({"table": f"{out}/decode.md, {out}/decode.json"})


@app.command()
@guarded
@from_hub(model="recommender", index="index")
@loads_models
@reads("interactions", "part")
def regret(
    model: ModelFolder,
    interactions: EventsTable,
    out: Annotated[Path | None, typer.Option("--out", help="Folder of beam-regret.json and .md.")] = None,
    users: Annotated[int, typer.Option("--users", min=1, help="Users of a fixed sample of the test cases.")] = 1000,
    k: Annotated[int, typer.Option("--k", min=1, help="Length of the lists.")] = 10,
    beams: Annotated[
        list[int] | None, typer.Option("--beams", min=1, max=65_536, help="Widths (default 10, 20, 50, 100).")
    ] = None,
    exclude_seen: ExcludeSeen = True,
    index: GrownIndex = None,
    device: Device = None,
    checkpoint: Checkpoints = None,
    *,
    tables: Tables,
) -> None:
    """What beam width costs: searches against the exact ranking of the whole catalogue."""
    import numpy as np

    from genrec.cli.contestants import split_of
    from genrec.evaluation.regret import WIDTHS, beam_regret, write_regret
    from genrec.generative.recommender import GenerativeRecommender
    from genrec.index.semantic_index import SemanticIndex
    from genrec.loading import moved_checkpoint

    dataset = interactions.resolve().parent.name
    named = {str(model): model.name, str(interactions): f"{dataset}/{interactions.name}"}
    command = "genrec " + shlex.join(named.get(word, word) for word in sys.argv[1:])

    def keep(rows: list[dict[str, object]]) -> None:
        if out is not None:
            write_regret(out, rows, dataset=dataset, split="test", device=str(recommender.device), command=command)

    if out is not None:
        claim(out, overwrite=True, makes=None)
    grown = None if index is None else SemanticIndex.load(index)
    place = moved_checkpoint(model, checkpoint or ())
    recommender = GenerativeRecommender.from_pretrained(model, index=grown, device=device, checkpoint=place)
    tables = tables.remembering(*known_columns([recommender]))
    split, about, events = split_of([recommender], interactions, tables)
    tell([events.report], tables.check_options(), index or model, interactions)
    say(f"Split: {about}.")
    cases = split.test
    if users < len(cases):
        cases = cases.select(np.sort(np.random.default_rng(0).permutation(len(cases))[:users]))
    with progress("ranking") as update:
        rows = beam_regret(
            recommender,
            cases,
            k=k,
            widths=beams or WIDTHS,
            exclude_seen=exclude_seen,
            progress=update,
            on_row=keep,
        )
    columns = [key for key in rows[0] if key not in ("users", "items")]
    table(columns, [["exact" if row[key] is None else row[key] for key in columns] for row in rows])
    if out is not None:
        summary({"table": f"{out}/beam-regret.md, {out}/beam-regret.json"})

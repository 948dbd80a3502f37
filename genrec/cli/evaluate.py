"""``genrec evaluate``."""

from __future__ import annotations

import shlex
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from genrec.cli.console import duration, guarded, heading, progress, say, summary

if TYPE_CHECKING:
    from genrec.generative import GenerativeRecommender


@guarded
def evaluate(
    models: Annotated[list[Path], typer.Argument(help="Folders of recommenders on the same index.")],
    interactions: Annotated[Path, typer.Argument(help="Table with user_id, item_id, timestamp.")],
    out: Annotated[Path, typer.Option("--out", help="Folder of the report.")],
    part: Annotated[Literal["test", "validation"], typer.Option("--part", help="Which held-out cases.")] = "test",
    k: Annotated[list[int] | None, typer.Option("--k", min=1, help="Cut-offs (default 1, 5, 10, 20).")] = None,
    exclude_seen: Annotated[
        bool, typer.Option("--exclude-seen/--include-seen", help="One switch for all recommenders.")
    ] = True,
    beams: Annotated[
        int | None, typer.Option("--beams", min=1, help="Hypotheses a user (default: as trained).")
    ] = None,
    users: Annotated[int | None, typer.Option("--users", min=1, help="A fixed sample of the cases.")] = None,
    dataset: Annotated[str | None, typer.Option("--dataset", help="Name for the report.")] = None,
    device: Annotated[str | None, typer.Option("--device", help="Such as cuda or cpu.")] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace what is at --out.")] = False,
) -> None:
    """Measure recommenders beside honest baselines, on the same users, over the whole catalogue."""
    from genrec.artifacts import require_free
    from genrec.data.interactions import Interactions
    from genrec.evaluation.evaluator import KS
    from genrec.evaluation.report import result_table
    from genrec.evaluation.suite import evaluate_all, write_evaluation
    from genrec.fitting import split_for

    require_free(out, overwrite=overwrite)
    recommenders = _load(models, device, beams)
    first = recommenders[0]
    split = split_for(Interactions.read(interactions), first.index, first.config)
    began = time.monotonic()
    with progress("evaluating") as update:
        results = evaluate_all(
            recommenders,
            split,
            part=part,
            ks=tuple(k or KS),
            exclude_seen=exclude_seen,
            users=users,
            progress=lambda name, done, total: update(done, total),
        )
    comparison = write_evaluation(
        out,
        results,
        first.item_ids,
        dataset=dataset or interactions.resolve().parent.name,
        part=part,
        command="genrec " + shlex.join(sys.argv[1:]),
        device=str(first.device),
        overwrite=overwrite,
    )
    heading(f"{part} cases, item level, full ranking of {len(first.item_ids):,} items ({split.name})")
    repeats = results[0].masks.get("repeat")
    say(result_table(results, targets=None if repeats is not None and repeats.any() else ["all"]))
    heading(f"What is really different ({comparison.metric}, paired test on the same users)")
    say(comparison.table())
    summary(
        {
            "report": f"{out}/metrics.md, {out}/metrics.json, {out}/users/*.parquet",
            "time": duration(time.monotonic() - began),
        },
        [f"genrec generate {models[0]} {interactions} --k 10 --out {models[0]}-recs.parquet"],
    )


def _load(models: list[Path], device: str | None, beams: int | None) -> list[GenerativeRecommender]:
    from genrec.errors import DataError
    from genrec.generative import GenerativeRecommender

    recommenders = [GenerativeRecommender.from_pretrained(model, device=device) for model in models]
    names = [model.resolve().name for model in models]
    if len(set(names)) < len(names):
        names = [str(model) for model in models]
    for recommender, name in zip(recommenders, names, strict=True):
        recommender.beams = beams or recommender.beams
        recommender.name = name if len(models) > 1 else "generative"
        if recommender.config.split != recommenders[0].config.split:
            raise DataError(
                f"{name} was trained on another split than {names[0]}.", hint="Evaluate them one by one, or retrain."
            )
    return recommenders

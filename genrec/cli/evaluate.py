"""``genrec evaluate``."""

from __future__ import annotations

import logging
import shlex
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from genrec.cli.console import duration, guarded, heading, progress, say, summary

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np

    from genrec.data.split import Split
    from genrec.evaluation.beyond import ItemFacts
    from genrec.evaluation.compare import Comparison
    from genrec.evaluation.evaluator import EvaluationResult
    from genrec.evaluation.slices import Slicer
    from genrec.recommender import Recommender

_MOST_VALUES = 30


@guarded
def evaluate(
    models: Annotated[list[Path], typer.Argument(help="Folders of recommenders on the same catalogue.")],
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
    baseline: Annotated[
        list[str] | None, typer.Option("--baseline", help="Fit this one too; several times. Default: the quick ones.")
    ] = None,
    part_column: Annotated[
        str | None, typer.Option("--part-column", help="Column with train, validation or test: your own split.")
    ] = None,
    candidates: Annotated[
        Path | None, typer.Option("--candidates", help="Table of user_id, item_id: rank within these lists only.")
    ] = None,
    slice_: Annotated[
        list[str] | None, typer.Option("--slice", help="Also by this field of the target item, such as brand.")
    ] = None,
    robustness: Annotated[
        int, typer.Option("--robustness", min=0, help="Also with noisy histories, for so many cases.")
    ] = 0,
    dataset: Annotated[str | None, typer.Option("--dataset", help="Name for the report.")] = None,
    index: Annotated[
        Path | None, typer.Option("--index", help="For pretrained recommenders: index of the catalogue.")
    ] = None,
    device: Annotated[str | None, typer.Option("--device", help="Such as cuda or cpu.")] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace what is at --out.")] = False,
) -> None:
    """Measure recommenders beside honest baselines, on the same users, over the whole catalogue."""
    from genrec.artifacts import require_free
    from genrec.baselines import QUICK_BASELINES
    from genrec.evaluation.candidates import read_candidates
    from genrec.evaluation.evaluator import KS
    from genrec.evaluation.slices import default_slices
    from genrec.evaluation.suite import evaluate_all, robustness_all, write_evaluation

    logging.getLogger("genrec.baselines").setLevel(logging.WARNING)  # what was tried is no news here
    require_free(out, overwrite=overwrite)
    recommenders = _load(models, device, beams, index)
    first = recommenders[0]
    split = _split(recommenders, interactions, part_column)
    cases = split.test if part == "test" else split.validation
    lists = None if candidates is None else read_candidates(candidates, first.item_ids, cases)
    name = dataset or interactions.resolve().parent.name
    slices = default_slices(split, first.item_ids) + _field_slices(recommenders, slice_ or [])
    began = time.monotonic()
    with progress("evaluating") as update:
        results = evaluate_all(
            recommenders,
            split,
            part=part,
            baselines=QUICK_BASELINES if baseline is None else baseline,
            ks=tuple(k or KS),
            exclude_seen=exclude_seen,
            slices=slices,
            facts=_facts(recommenders, split),
            candidates=lists,
            users=users,
            progress=lambda name, done, total: update(done, total),
        )
        noisy = []
        if robustness:
            noisy = robustness_all(
                recommenders,
                split,
                part=part,
                users=robustness,
                exclude_seen=exclude_seen,
                progress=lambda name, done, total: update(done, total),
                more={"dataset": name, "split": part},
            )
    comparison = write_evaluation(
        out,
        results,
        first.item_ids,
        dataset=name,
        part=part,
        split=split.name,
        command="genrec " + shlex.join(sys.argv[1:]),
        device=str(getattr(first, "device", "cpu")),
        noisy=noisy,
        overwrite=overwrite,
    )
    within = "within given candidates" if lists is not None else f"full ranking of {len(first.item_ids):,} items"
    _show(results, comparison, f"{part} cases, item level, {within} ({split.name})")
    summary(
        {
            "report": f"{out}/report.html (also metrics.md, metrics.json, users/*.parquet)",
            "time": duration(time.monotonic() - began),
        },
        [f"genrec generate {models[0]} {interactions} --k 10 --out {models[0]}-recs.parquet"],
    )


def _show(results: list[EvaluationResult], comparison: Comparison, what: str) -> None:
    from genrec.evaluation.report import MAIN_SLICES, result_table

    heading(what)
    masks = results[0].masks
    say(result_table(results, targets=[name for name in MAIN_SLICES if name in masks and masks[name].any()]))
    heading(f"What is really different ({comparison.metric}, paired test on the same users)")
    say(comparison.table())


def _load(models: list[Path], device: str | None, beams: int | None, index: Path | None = None) -> list[Recommender]:
    from genrec.errors import DataError
    from genrec.index import SemanticIndex
    from genrec.recommender import Recommender, saved_kind

    options: dict[str, Any] = {} if device is None else {"device": device}
    given = {} if index is None else {"index": SemanticIndex.load(index)}
    extra = [options | (given if saved_kind(model) == "foundation" else {}) for model in models]
    recommenders = [Recommender.from_pretrained(model, **more) for model, more in zip(models, extra, strict=True)]
    names = [model.resolve().name for model in models]
    if len(set(names)) < len(names):
        names = [str(model) for model in models]
    configured = [one for one in recommenders if hasattr(one, "config")]
    for recommender, name in zip(recommenders, names, strict=True):
        recommender.name = name if len(models) > 1 or recommender.kind == "baseline" else "generative"
        if recommender not in configured:
            continue
        one: Any = recommender
        one.beams = beams or one.beams
        if one.config.split != configured[0].config.split:  # type: ignore[attr-defined]
            raise DataError(
                f"{name} was trained on another split than {configured[0].name}.",
                hint="Evaluate them one by one, or retrain.",
            )
    return recommenders


def _split(recommenders: Sequence[Recommender], interactions: Path, part_column: str | None) -> Split:
    """The split of a column, else the one that the first generative model was trained on, else that of a baseline."""
    from genrec.data.interactions import Interactions
    from genrec.data.split import custom_split
    from genrec.fitting import split_for, split_interactions
    from genrec.training.config import SplitSettings

    item_ids = recommenders[0].item_ids
    table = Interactions.read(interactions, part_column=part_column)
    if part_column is not None:
        return custom_split(table, item_ids)
    configured: Any = next((one for one in recommenders if hasattr(one, "config")), None)
    if configured is not None:
        return split_for(table, configured.index, configured.config)
    info = getattr(recommenders[0], "info", {})
    return split_interactions(table, item_ids, SplitSettings(name=info.get("split", "leave-one-out")), True)


def _facts(recommenders: Sequence[Recommender], split: Split) -> ItemFacts:
    """Popularity in training, and vectors and semantic IDs of the first index."""
    from genrec.evaluation.beyond import ItemFacts

    index: Any = next((one.index for one in recommenders if hasattr(one, "index")), None)
    n_items = len(recommenders[0].item_ids)
    if index is None:
        return ItemFacts.of(split.train, n_items)
    return ItemFacts.of(split.train, n_items, vectors=index.vectors(), codes=index.codes[:, : index.quantizer_levels])


def _field_slices(recommenders: Sequence[Recommender], fields: list[str]) -> list[Slicer]:
    """Slices by fields of the target items, from the catalogue of the first index."""
    from genrec.errors import ConfigError, unknown_name
    from genrec.evaluation.slices import by_item_column

    index: Any = next((one.index for one in recommenders if hasattr(one, "index")), None)
    if fields and index is None:
        raise ConfigError("--slice needs a recommender with an index: baselines do not know the fields of the items.")
    slicers = []
    for field in fields:
        if field not in index.catalog.fields:
            raise unknown_name("item field", field, index.catalog.fields, where="--slice")
        values = _first_values(index.catalog.frame[field])
        distinct = len({value for value in values.tolist() if value is not None})
        if distinct > _MOST_VALUES:
            raise ConfigError(
                f"The field '{field}' has {distinct:,} values.", where="--slice", expected=f"at most {_MOST_VALUES}"
            )
        slicers.append(by_item_column(field, values))
    return slicers


def _first_values(column: Any) -> np.ndarray:
    """A field with one value an item: of a list its first entry."""
    import numpy as np
    import polars as pl

    flat = column.list.first() if isinstance(column.dtype, pl.List) else column
    return np.array(flat.to_list(), dtype=object)

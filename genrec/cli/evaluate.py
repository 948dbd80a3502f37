"""``genrec evaluate``."""

from __future__ import annotations

import logging
import shlex
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from genrec.cli.columns import ItemColumn, PartColumn, TimeColumn, UserColumn, names
from genrec.cli.console import duration, guarded, heading, progress, say, summary
from genrec.cli.slicing import column_slices

if TYPE_CHECKING:
    from collections.abc import Sequence

    from genrec.data.split import Split
    from genrec.evaluation.beyond import ItemFacts
    from genrec.evaluation.compare import Comparison
    from genrec.evaluation.evaluator import EvaluationResult
    from genrec.recommender import Recommender


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
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="Change a decoding setting: key=value, such as prior=null.")
    ] = None,
    users: Annotated[int | None, typer.Option("--users", min=1, help="A fixed sample of the cases.")] = None,
    baseline: Annotated[
        list[str] | None, typer.Option("--baseline", help="Fit this one too; several times. Default: the quick ones.")
    ] = None,
    part_column: PartColumn = None,
    candidates: Annotated[
        Path | None, typer.Option("--candidates", help="Table of user_id, item_id: rank within these lists only.")
    ] = None,
    slice_: Annotated[
        list[str] | None, typer.Option("--slice", help="Also by this field of the target item, or column of the user.")
    ] = None,
    item_table: Annotated[
        Path | None, typer.Option("--item-table", help="Items for --slice (default: those of the first index).")
    ] = None,
    user_table: Annotated[
        Path | None, typer.Option("--user-table", help="Users for --slice: user_id, columns.")
    ] = None,
    robustness: Annotated[
        int, typer.Option("--robustness", min=0, help="Also with noisy histories, for so many cases.")
    ] = 0,
    user_column: UserColumn = "user_id",
    item_column: ItemColumn = "item_id",
    time_column: TimeColumn = "timestamp",
    dataset: Annotated[str | None, typer.Option("--dataset", help="Name for the report.")] = None,
    index: Annotated[
        Path | None, typer.Option("--index", help="For pretrained recommenders: index of the catalogue.")
    ] = None,
    device: Annotated[str | None, typer.Option("--device", help="Such as cuda or cpu.")] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace what is at --out.")] = False,
) -> None:
    """Measure recommenders beside honest baselines, on the same users, over the whole catalogue."""
    from genrec.artifacts import require_free
    from genrec.evaluation.candidates import read_candidates
    from genrec.evaluation.slices import default_slices
    from genrec.evaluation.suite import write_evaluation

    logging.getLogger("genrec.baselines").setLevel(logging.WARNING)  # what was tried is no news here
    require_free(out, overwrite=overwrite)
    recommenders = _load(models, device, beams, set_ or [], index)
    first = recommenders[0]
    split = _split(recommenders, interactions, names(user_column, item_column, time_column, part_column))
    cases = split.test if part == "test" else split.validation
    lists = None if candidates is None else read_candidates(candidates, first.item_ids, cases)
    name = dataset or interactions.resolve().parent.name
    began = time.monotonic()
    results, noisy = _measure(
        recommenders,
        split,
        baseline,
        robustness,
        {"dataset": name, "split": part},
        part=part,
        exclude_seen=exclude_seen,
        ks=tuple(k) if k else None,
        slices=default_slices(split, first.item_ids)
        + column_slices(recommenders, slice_ or [], item_table, user_table),
        candidates=lists,
        users=users,
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
    made: dict[str, object] = {
        "report": f"{out}/report.html (also metrics.md, metrics.json, users/*.parquet)",
        "time": duration(time.monotonic() - began),
    }
    summary(made, [f"genrec generate {models[0]} {interactions} --k 10 --out {models[0]}-recs.parquet"])


def _measure(
    recommenders: list[Recommender],
    split: Split,
    baselines: list[str] | None,
    noisy_users: int,
    about: dict[str, Any],
    *,
    part: Literal["test", "validation"],
    exclude_seen: bool,
    ks: tuple[int, ...] | None,
    **options: Any,
) -> tuple[list[EvaluationResult], list[dict[str, Any]]]:
    """Results of recommenders and baselines (fitted once), and curves under noise."""
    from genrec.baselines import QUICK_BASELINES, fit_baselines
    from genrec.evaluation.evaluator import KS
    from genrec.evaluation.suite import evaluate_all, robustness_all

    facts = _facts(recommenders, split)
    shared: dict[str, Any] = {"part": part, "exclude_seen": exclude_seen}
    with progress("evaluating") as update:
        fitted = fit_baselines(
            split,
            recommenders[0].item_ids,
            QUICK_BASELINES if baselines is None else baselines,
            exclude_seen=exclude_seen,
            vectors=facts.vectors,
            words=_words(recommenders, baselines or ()),
            progress=lambda name, done, total: update(done, total),
        )
        shared["progress"] = lambda name, done, total: update(done, total)
        everybody = [*recommenders, *fitted]
        results = evaluate_all(everybody, split, baselines=(), ks=ks or KS, facts=facts, **shared, **options)
        if not noisy_users:
            return results, []
        counts = [one for one in fitted if one.name == "transition-counts"] or None
        noisy = robustness_all(recommenders, split, beside=counts, users=noisy_users, more=about, **shared)
    return results, noisy


def _show(results: list[EvaluationResult], comparison: Comparison, what: str) -> None:
    from genrec.evaluation.report import MAIN_SLICES, result_table

    heading(what)
    masks = results[0].masks
    shown = [name for name in MAIN_SLICES if name == "all" or (masks[name].any() and not masks[name].all())]
    say(result_table(results, targets=shown))
    heading(f"What is really different ({comparison.metric}, paired test on the same users)")
    say(comparison.table())


def _load(
    models: list[Path], device: str | None, beams: int | None, changes: list[str], index: Path | None = None
) -> list[Recommender]:
    from genrec.errors import DataError
    from genrec.index.semantic_index import SemanticIndex
    from genrec.recommender import Recommender, saved_kind

    options: dict[str, Any] = {} if device is None else {"device": device}
    given = {} if index is None else {"index": SemanticIndex.load(index)}
    extra = [options | (given if saved_kind(model) == "foundation" else {}) for model in models]
    recommenders = [Recommender.from_pretrained(model, **more) for model, more in zip(models, extra, strict=True)]
    called = [model.resolve().name for model in models]
    if len(set(called)) < len(called):
        called = [str(model) for model in models]
    configured = [one for one in recommenders if hasattr(one, "config")]
    for recommender, name in zip(recommenders, called, strict=True):
        recommender.name = name if len(models) > 1 or recommender.kind == "baseline" else "generative"
        if recommender not in configured:
            continue
        one: Any = recommender
        one.options = one.options.changed([*changes, *([f"beams={beams}"] if beams else [])])
        if one.config.split != configured[0].config.split:  # type: ignore[attr-defined]
            raise DataError(
                f"{name} was trained on another split than {configured[0].name}.",
                hint="Evaluate them one by one, or retrain.",
            )
    return recommenders


def _split(recommenders: Sequence[Recommender], interactions: Path, columns: dict[str, Any]) -> Split:
    """The split of a column, else the one that the first generative model was trained on, else that of a baseline."""
    from genrec.data.interactions import Interactions
    from genrec.data.split import SPLITS, custom_split
    from genrec.errors import ConfigError
    from genrec.generative.config import SplitSettings
    from genrec.training.train import split_for, split_interactions

    item_ids = recommenders[0].item_ids
    table = Interactions.read(interactions, **columns)
    if columns["part_column"] is not None:
        return custom_split(table, item_ids)
    configured: Any = next((one for one in recommenders if hasattr(one, "config")), None)
    if configured is not None:
        return split_for(table, configured.index, configured.config)
    info = getattr(recommenders[0], "info", {})
    settings = SplitSettings(name=info.get("split", "leave-one-out"), options=info.get("split_options", {}))
    if settings.name not in SPLITS:
        raise ConfigError(
            f"'{recommenders[0].name}' was fitted on a split of its own ('{settings.name}').",
            hint="Say which column holds it: --part-column part.",
        )
    return split_interactions(table, item_ids, settings, True)


def _facts(recommenders: Sequence[Recommender], split: Split) -> ItemFacts:
    """Popularity in training, and vectors and semantic IDs of the first index."""
    from genrec.evaluation.beyond import ItemFacts

    index: Any = next((one.index for one in recommenders if hasattr(one, "index")), None)
    n_items = len(recommenders[0].item_ids)
    if index is None:
        return ItemFacts.of(split.train, n_items)
    return ItemFacts.of(split.train, n_items, vectors=index.vectors(), codes=index.codes[:, : index.quantizer_levels])


def _words(recommenders: Sequence[Recommender], baselines: Sequence[str]) -> Any:
    """Words of the items, where a baseline needs them."""
    from genrec.baselines import CLASSES

    index: Any = next((one.index for one in recommenders if hasattr(one, "index")), None)
    needed = any(name in CLASSES and CLASSES[name].needs_words for name in baselines)
    return index.word_vectors if needed and index is not None else None

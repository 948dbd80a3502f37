"""``genrec evaluate``."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from genrec.cli.checks import check_baselines, check_index, check_recommender, check_tables
from genrec.cli.columns import Tables, reads
from genrec.cli.console import duration, err, guarded, heading, say, summary
from genrec.cli.contestants import Contestants, apart, foreign, load_contestants, split_of, with_lists
from genrec.cli.hub import from_hub
from genrec.cli.options import Beams, Checkpoints, DecodingChanges, Device, EventsTable, ExcludeSeen, Overwrite
from genrec.cli.outputs import claim
from genrec.cli.progress import progress
from genrec.cli.reading import free_path, known_columns, own_command, shell_command, tell
from genrec.cli.slicing import column_slices
from genrec.cli.trust import loads_models
from genrec.wording import count

if TYPE_CHECKING:
    from genrec.data.histories import Histories
    from genrec.data.split import Split
    from genrec.evaluation.compare import Comparison
    from genrec.evaluation.evaluator import EvaluationResult
    from genrec.evaluation.slices import Slicer
    from genrec.recommender import Recommender


Models = Annotated[
    list[Path],
    typer.Argument(help="Folders (or name/repo) of recommenders on the same catalogue, and of shards made by them."),
]
Report = Annotated[Path, typer.Option("--out", help="Folder of the report.")]
Part = Annotated[Literal["test", "validation"], typer.Option("--part", help="Part whose held-out cases are ranked.")]
CutOffs = Annotated[list[int] | None, typer.Option("--k", min=1, help="Cut-offs (default 1, 5, 10, 20).")]
Users = Annotated[int | None, typer.Option("--users", min=1, help="Users of a fixed sample.")]
BaselineNames = Annotated[
    list[str] | None, typer.Option("--baseline", help="Baseline to fit, too; several times. Default: the quick ones.")
]
Cases = Annotated[
    Path | None,
    typer.Option("--cases", help="Official cases, one a row (history, item_id), in place of those of the split."),
]
HistoryColumn = Annotated[
    str | None, typer.Option("--history-column", help="Histories of --cases: lists, or ids with blanks between.")
]
TargetColumn = Annotated[
    str | None, typer.Option("--target-column", help="Targets of --cases (default: the items' column).")
]
Candidates = Annotated[
    Path | None, typer.Option("--candidates", help="Table of user_id, item_id: lists within which is ranked.")
]
Slices = Annotated[
    list[str] | None, typer.Option("--slice", help="Field of the target item, or column of the user, to slice by.")
]
ItemTable = Annotated[
    Path | None, typer.Option("--item-table", help="Items for --slice (default: those of the first index).")
]
UserTable = Annotated[Path | None, typer.Option("--user-table", help="Users for --slice: user_id, columns.")]
Noisy = Annotated[int, typer.Option("--robustness", min=0, help="Cases that are also measured with noisy histories.")]
Dataset = Annotated[str | None, typer.Option("--dataset", help="Name for the report.")]
Catalogue = Annotated[Path | None, typer.Option("--index", help="Index of the catalogue, for pretrained recommenders.")]


@guarded
@from_hub(models="recommender", index="index")
@loads_models
@reads("interactions", "lists", "part")
def evaluate(
    models: Models,
    interactions: EventsTable,
    out: Report,
    part: Part = "test",
    k: CutOffs = None,
    exclude_seen: ExcludeSeen = True,
    beams: Beams = None,
    set_: DecodingChanges = None,
    users: Users = None,
    baseline: BaselineNames = None,
    cases: Cases = None,
    history_column: HistoryColumn = None,
    target_column: TargetColumn = None,
    candidates: Candidates = None,
    slice_: Slices = None,
    item_table: ItemTable = None,
    user_table: UserTable = None,
    robustness: Noisy = 0,
    dataset: Dataset = None,
    index: Catalogue = None,
    device: Device = None,
    checkpoint: Checkpoints = None,
    overwrite: Overwrite = False,
    *,
    tables: Tables,
) -> None:
    """Measure recommenders beside honest baselines, on the same users, over the whole catalogue."""
    models, jobs = apart(models)
    for model in models:
        check_recommender(model, set_ or ())
    check_index(index)
    check_tables(interactions, candidates, item_table, user_table)
    check_baselines(baseline or ())
    claim(out, overwrite=overwrite, makes="results")
    how: dict[str, Any] = {"device": device, "checkpoints": checkpoint or (), "index": index}
    beside = load_contestants(models, baselines=baseline, beams=beams, changes=set_ or (), **how)
    tables = tables.remembering(*known_columns(beside.recommenders))
    split = _split(beside, interactions, tables, index or models[0])
    if cases is not None:
        split = _official(split, part, cases, beside.item_ids, (history_column, target_column), tables)
    name = dataset or interactions.resolve().parent.name
    slices = column_slices(beside.recommenders, slice_ or [], item_table, user_table, tables)
    lists = None if candidates is None else _candidates(candidates, beside.item_ids, split, part, tables)
    asked: dict[str, Any] = {"exclude_seen": exclude_seen, "ks": tuple(k) if k else None, "users": users}
    beside = with_lists(beside, jobs, split.test if part == "test" else split.validation, tables, asked)
    began = time.monotonic()
    about = {"dataset": name, "split": part}
    measured = _measure(beside, split, robustness, about, part=part, slices=slices, candidates=lists, **asked)
    comparison = _write(out, measured, beside, dataset=name, part=part, split=split.name, overwrite=overwrite)
    _caution(beside.recommenders)
    _show(measured.results, comparison, f"{part} cases, item level, {_within(lists, beside)} ({split.name})")
    made = {"report": f"{out}/report.html (also metrics.md, metrics.json, users/*.parquet)"}
    grown = [] if index is None else ["--index", index]
    same = (models[0], interactions, *grown, *tables.how_options(), "--k", 10)
    summary(
        {**made, "time": duration(time.monotonic() - began)},
        [shell_command("generate", *same, "--out", free_path(f"{models[0]}-recs.parquet"))],
    )


def _split(beside: Contestants, interactions: Path, tables: Tables, known: Path) -> Split:
    """The split that is evaluated; says what was found in the table, and where the split comes from."""
    split, about, table = split_of(beside.recommenders, interactions, tables)
    tell([table.report], tables.check_options(), known, interactions)
    say(f"Split: {about}.")
    _warn_of_foreign(beside, tables.part_column)
    return split


def _within(lists: Histories | None, beside: Contestants) -> str:
    if lists is not None:
        return "within given candidates"
    return f"full ranking of {count(len(beside.item_ids), 'item')}"


@dataclass(frozen=True)
class Measured:
    """What was measured: every recommender and baseline, and recommenders under noise."""

    results: list[EvaluationResult]
    noisy: list[dict[str, Any]]


def _write(out: Path, measured: Measured, beside: Contestants, **about: Any) -> Comparison:
    """Write the report."""
    from genrec.evaluation.suite import write_evaluation

    return write_evaluation(
        out,
        measured.results,
        beside.item_ids,
        command=own_command(),
        device=str(getattr(beside.recommenders[0], "device", "cpu")),
        noisy=measured.noisy,
        without=_pairs(measured.results),
        **about,
    )


def _candidates(path: Path, item_ids: Any, split: Split, part: str, tables: Tables) -> Histories:
    from genrec.data.report import DataReport
    from genrec.evaluation.candidates import read_candidates

    report, cases = DataReport(), split.test if part == "test" else split.validation
    lists = read_candidates(path, item_ids, cases, report=report, **tables.of_candidates(path))
    tell([report])
    return lists


def _official(
    split: Split, part: str, path: Path, item_ids: Any, columns: tuple[str | None, str | None], tables: Tables
) -> Split:
    """The split with the cases of a table; says what was left out, and which of them training has seen."""
    from dataclasses import replace

    from genrec.audit.leaks import beyond_history
    from genrec.data.cases import read_cases

    how = tables.of_candidates(path)
    item_column = how.pop("item_column")
    found, report = read_cases(
        path, item_ids, history_column=columns[0], target_column=columns[1] or item_column, **how
    )
    say(f"Cases: {count(len(found), 'row')} of {path}.")
    tell([report])
    leaked, _ = beyond_history(split.train, found, len(item_ids))
    if leaked.any():
        err.print(
            f"For {int(leaked.sum()):,} of {count(len(found), 'case')} the target is in the training part of its user: "
            "these figures are too good. Train on a part without them (--part-column)."
        )
    name = f"{split.name}, official cases"
    return replace(split, test=found, name=name) if part == "test" else replace(split, validation=found, name=name)


def _warn_of_foreign(beside: Contestants, column: str | None) -> None:
    """Say so where recommenders learned from another split: cases may be in their training part."""
    others = [] if column is None else foreign(beside.recommenders, column)
    if others:
        err.print(
            f"{', '.join(others)} learned from another split: some of these cases may be in what was trained on.",
            markup=False,
        )


def _measure(
    beside: Contestants,
    split: Split,
    noisy_users: int,
    about: dict[str, Any],
    *,
    part: Literal["test", "validation"],
    exclude_seen: bool,
    ks: tuple[int, ...] | None,
    slices: Sequence[Slicer],
    **options: Any,
) -> Measured:
    """Results of recommenders and baselines (fitted once), and curves under noise."""
    from genrec.baselines.base import FitInputs
    from genrec.baselines.fit import fit_baselines
    from genrec.evaluation.slices import default_slices
    from genrec.evaluation.suite import evaluate_all, robustness_all

    facts = beside.facts(split)
    options["slices"] = [*default_slices(split, beside.item_ids), *slices]
    shared: dict[str, Any] = {"part": part, "exclude_seen": exclude_seen}
    with progress("evaluating") as update:
        fitted = fit_baselines(
            split,
            beside.item_ids,
            beside.baselines,
            FitInputs(
                vectors=facts.vectors,
                words=beside.words(),
                exclude_seen=exclude_seen,
                progress=lambda what, done, total: update(f"fitting {what}", done, total),
            ),
        )
        shared["progress"] = update
        everybody = [*beside.recommenders, *beside.lists, *beside.without_networks(), *fitted]
        results = evaluate_all(
            everybody, split, baselines=(), ks=ks or beside.cut_offs, facts=facts, **shared, **options
        )
        if not noisy_users:
            return Measured(results, [])
        counts = [one for one in fitted if one.name == "transition-counts"] or None
        noisy = robustness_all(beside.recommenders, split, beside=counts, users=noisy_users, more=about, **shared)
    return Measured(results, noisy)


def _pairs(results: list[EvaluationResult]) -> dict[str, str]:
    """Recommenders and, of each, the result without its network."""
    names = [result.recommender for result in results]
    return {name: f"{name} without network" for name in names if f"{name} without network" in names}


def _caution(recommenders: list[Recommender]) -> None:
    """What training found that a reader of the figures must know, as each recommender has kept it."""
    from genrec.training.learned import cautions

    for one in recommenders:
        for sentence in cautions(getattr(one, "metrics", {})):
            say(f"{one.name}, as its training found: {sentence}")


def _show(results: list[EvaluationResult], comparison: Comparison, what: str) -> None:
    from genrec.evaluation.gains import gain_table, network_gains
    from genrec.evaluation.report import MAIN_SLICES
    from genrec.evaluation.terminal import label_table, result_table

    heading(what)
    masks = results[0].masks
    shown = [name for name in MAIN_SLICES if name == "all" or (masks[name].any() and not masks[name].all())]
    say(result_table(results, targets=shown))
    if labels := label_table(results, comparison.metric):
        heading(f"What the cases ask for ({comparison.metric}; by what training shows of the step to the target)")
        say(labels)
    if pairs := _pairs(results):
        heading("What the network adds (paired test on the same users)")
        say(gain_table(network_gains(results, pairs, comparison.metric)))
    heading(f"What is really different ({comparison.metric}, paired test on the same users)")
    say(comparison.table())

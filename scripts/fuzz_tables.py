"""Read random tables and settings: every fault must be a GenRecError, and every row must be kept or counted as lost.

Tables are items, interactions, lists of items, priors and raw dumps of public data sets, as csv, tsv, semicolons, JSON
lines and Parquet, with hostile text, foreign columns, missing values, broken rows, several kinds of quotes, line ends
and encodings, damaged bytes, and times of many kinds. Settings are recipes, presets, conditions, splits and templates.
A case is made of its number and the seed alone: ``--only N`` runs one again and lets its error through.
"""

import argparse
import collections
import concurrent.futures
import contextlib
import json
import logging
import os
import platform
import tempfile
import time
import traceback
import warnings
from pathlib import Path

os.environ.setdefault("POLARS_MAX_THREADS", "1")

import numpy as np
import polars as pl
from fuzz_files import FORMATS, make_table
from fuzz_raw import NAMES as RAW_NAMES
from fuzz_raw import write_raw
from fuzz_settings import settings_case
from fuzz_values import Maker

from genrec.data import Catalog, Interactions, check_tables, make_split, read_table, write_table
from genrec.data.item_lists import read_item_list, read_scores
from genrec.data.pieces import table_pieces
from genrec.data.raw import prepare
from genrec.data.report import DataReport
from genrec.encoders.text import TextTemplate
from genrec.errors import GenRecError

RESULTS = Path(__file__).resolve().parent / "results"
ROLES = ("items", "interactions", "list", "scores")
_RAW_SHARE = 0.06
_CHUNK = 250


class UncountedError(Exception):
    """Rows that are neither kept nor counted as lost."""


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tables", type=int, default=20_000)
    parser.add_argument("--settings", type=int, default=2_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--only", help="One case, such as table-17 or settings-3.")
    parser.add_argument("--write", action="store_true", help="Write scripts/results/fuzz-tables.{json,md}.")
    options = parser.parse_args()
    if options.only:
        kind, number = options.only.rsplit("-", 1)
        print(run_case(options.seed, kind, int(number), caught=False))
        return
    logging.disable(logging.CRITICAL)
    began = time.monotonic()
    cases = [("table", n) for n in range(options.tables)] + [("settings", n) for n in range(options.settings)]
    chunks = [cases[at : at + _CHUNK] for at in range(0, len(cases), _CHUNK)]
    found = []
    for chunk, results in each_chunk(options.seed, chunks, options.workers):
        found += results
        for one in results:
            if one["outcome"] in ("raw error", "uncounted"):
                print(f"{one['case']}: {one['outcome']}: {one['what']}", flush=True)
        print(f"{len(found):,} of {len(cases):,}, to {chunk[-1][0]} {chunk[-1][1]}", flush=True)
    report = summarise(found, options, time.monotonic() - began)
    print(as_page(report))
    if options.write:
        RESULTS.mkdir(exist_ok=True)
        (RESULTS / "fuzz-tables.json").write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
        (RESULTS / "fuzz-tables.md").write_text(as_page(report), encoding="utf-8")
    raise SystemExit(bool(report["raw_errors"] or report["uncounted"]))


def each_chunk(seed, chunks, workers):
    """Results of every chunk; a chunk whose process died is told as such."""
    for chunk in chunks if workers == 1 else []:
        yield chunk, run_chunk(seed, chunk)
    for at in range(0, len(chunks) if workers > 1 else 0, workers):
        with concurrent.futures.ProcessPoolExecutor(workers) as pool:
            jobs = [(chunk, pool.submit(run_chunk, seed, chunk)) for chunk in chunks[at : at + workers]]
            for chunk, job in jobs:
                try:
                    yield chunk, job.result()
                except concurrent.futures.process.BrokenProcessPool:
                    name = f"{chunk[0][0]}-{chunk[0][1]} to {chunk[-1][1]}"
                    yield (
                        chunk,
                        [{"case": name, "outcome": "raw error", "what": "the process died", "role": "", "format": ""}],
                    )


def run_chunk(seed, chunk):
    return [run_case(seed, kind, number) for kind, number in chunk]


def run_case(seed, kind, number, caught=True):
    """What became of one case: ``read``, ``refused``, ``raw error`` or ``uncounted``."""
    result = {"case": f"{kind}-{number}", "role": kind, "format": "", "rows": 0, "kept": 0, "lost": 0, "checked": False}
    with tempfile.TemporaryDirectory() as place, warnings.catch_warnings():
        warnings.simplefilter("error")  # a warning that a user would see is a fault, too
        try:
            if kind == "settings":
                result["format"], run = settings_case((seed, 1, number), Path(place))
                run()
            else:
                run_table((seed, 0, number), Path(place), result)
            result["outcome"] = "read"
        except GenRecError as error:
            result |= {"outcome": "refused", "what": error.what[:200]}
        except UncountedError as error:
            result |= {"outcome": "uncounted", "what": str(error)}
            if not caught:
                raise
        except BaseException as error:
            if not caught or isinstance(error, KeyboardInterrupt):
                raise
            last = traceback.extract_tb(error.__traceback__)[-1]
            place_of = f"{Path(last.filename).name}:{last.lineno}"
            result |= {"outcome": "raw error", "what": f"{type(error).__name__} at {place_of}: {str(error)[:200]}"}
    return result


def run_table(seed, folder, result):
    maker = Maker(seed)
    if maker.chance(_RAW_SHARE):
        _raw(maker, folder, result)
        return
    role = maker.pick(ROLES)
    table = make_table(maker, role)
    path = folder / table.name
    path.write_bytes(table.content)
    result |= {"role": role, "format": table.notes[0], "checked": table.rows is not None}
    quotes = (
        "backslash"
        if "backslash" in table.notes and maker.chance(0.8)
        else "none"
        if "none" in table.notes
        else "doubled"
    )
    told = maker.chance(0.9)  # whether the columns are named; else the usual names hold
    {"items": _items, "interactions": _interactions, "list": _list, "scores": _scores}[role](
        maker, table, path, quotes, told, result
    )


def _raw(maker, folder, result):
    """A dump of a public data set: what becomes of its interactions is counted from file to table."""
    (folder / "raw").mkdir()
    name, result["format"] = write_raw(maker, folder / "raw")
    result["role"] = "raw"
    report = prepare(
        name, folder / "raw", folder / "out", k_core=maker.pick([None, 2]), allow_lost=maker.pick([None, 1.0, 1.0])
    )
    taken = sum(one.count for one in report.problems if one.table == "interactions" and one.takes_rows)
    rows, kept = report.rows["interactions"], report.facts["interactions"]
    result |= {"rows": rows, "kept": kept, "lost": rows - kept}
    if rows - taken != kept or len(Interactions.read(folder / "out" / "interactions.csv")) != kept:
        raise UncountedError(f"{kept} interactions of {rows} are kept, {taken} are counted as lost")
    made = report.rows["items"]
    taken = sum(one.count for one in report.problems if one.table == "items" and one.takes_rows)
    if made - taken != len(Catalog.read(folder / "out" / "items.jsonl")):
        raise UncountedError(f"{report.facts['items']} items of {made} are kept, {taken} are counted as lost")


def _items(maker, table, path, quotes, told, result):
    catalog = Catalog.read(
        path,
        id_column=table.columns["item"] if told else "item_id",
        allow_lost=maker.pick([None, 1.0, 1.0, 0.2]),
        quotes=quotes,
        html=maker.pick(["plain", "keep"]),
    )
    _count(result, table, catalog.report, len(catalog), quotes)
    catalog.titles()
    catalog.fingerprint()
    with contextlib.suppress(GenRecError):
        TextTemplate().render(catalog)
    check_tables(path, id_column=table.columns["item"])
    again = path.with_name(f"again{maker.pick(['.csv', '.tsv', '.jsonl', '.parquet', '.jsonl.gz'])}")
    write_table(catalog.frame, again)
    back = Catalog.read(again)
    if not (back.frame[:, 0] == catalog.frame[:, 0]).all():
        raise UncountedError(f"{again.suffix} gives other ids back")


def _interactions(maker, table, path, quotes, told, result):
    names = {f"{role}_column": table.columns[role] for role in ("user", "item") if told}
    if told or maker.chance(0.5):
        names["time_column"] = table.columns.get("time")
    part = {"part_column": maker.pick(list(table.columns.values()))} if maker.chance(0.05) else {}
    found = Interactions.read(path, allow_lost=maker.pick([None, 1.0, 1.0, 1.0, 0.2]), quotes=quotes, **names, **part)
    _count(result, table, found.report, len(found), quotes)
    check_tables(None, path, **{key: value for key, value in names.items() if value})
    with contextlib.suppress(GenRecError):
        _after(maker, table, path, quotes, found)


def _after(maker, table, path, quotes, found):
    """What is done with interactions: histories, a split; and the same file in pieces."""
    known = [one for one in found.item_ids.to_list() if maker.chance(maker.pick([1.0, 0.9, 0.5]))]
    repeats = maker.pick(["drop", "keep"])
    histories = found.histories(known, consecutive_repeats=repeats)
    repeated = found.report.count("consecutive-repeats") if repeats == "keep" else 0
    if len(histories.items) - repeated != found.report.kept():
        raise UncountedError(f"histories keep {len(histories.items)} rows, the report says {found.report.kept()}")
    pieces = DataReport("t")
    columns = [table.columns[role] for role in ("user", "item")]
    n = sum(piece.height for piece in table_pieces(path, columns, pieces, quotes=quotes))
    if n + pieces.count("broken-rows") != found.report.rows["interactions"]:
        raise UncountedError(f"in pieces {n} rows and {pieces.count('broken-rows')} broken ones")
    moments = maker.pick([{}, {"validation_from": 0.5, "test_from": 0.8}])
    make_split(histories, maker.pick(["leave-one-out", "global-time"]), **moments)


def _list(maker, table, path, quotes, told, result):
    known = (
        [f"i{n}" for n in range(0, 30, 2)] + [f"{n:04d}" for n in range(0, 30, 2)] + [str(n) for n in range(0, 30, 2)]
    )
    item = table.columns["item"] if told else "item_id"
    found = read_item_list(path, known, id_column=item, quotes=quotes, needed=maker.chance(0.1))
    _count(result, table, found.report, len(found.ids), quotes)
    read_table(path, quotes=quotes)


def _scores(maker, table, path, quotes, told, result):
    known = pl.Series([str(n) for n in range(30)])
    report = DataReport("all")
    names = [name for name in ("score", "points") if maker.chance(0.5)] or ["score"]
    item = table.columns["item"] if told else "item_id"
    scores = read_scores(path, known, id_column=item, score_column=names[0], quotes=quotes, report=report)
    own = DataReport("prior", problems=report.problems, rows=report.rows)
    _count(result, table, own, report.facts["items"] - report.count("duplicate-items"), quotes)
    if not np.isfinite(scores).all():
        raise UncountedError("a score is not finite")


def _count(result, table, report, kept, quotes):
    """Rows in are rows kept and rows counted as lost; and as many as were written, where that can be told."""
    rows = report.rows[report.table]
    result |= {"rows": rows, "kept": kept, "lost": rows - kept}
    if report.kept() != kept:
        raise UncountedError(f"{kept} rows are kept, the report says {report.kept()} of {rows}")
    told = quotes == "doubled" or quotes in table.notes
    if table.rows is not None and told and rows != table.rows:
        raise UncountedError(f"{table.rows} rows were written, {rows} were read")


def summarise(found, options, seconds):
    rows = []
    kinds = [(role, form) for role in ROLES for form in FORMATS]
    kinds += [("raw", form) for form in RAW_NAMES]
    kinds += [("settings", form) for form in sorted({one["format"] for one in found if one["role"] == "settings"})]
    for role, form in kinds:
        own = [one for one in found if (one["role"], one["format"]) == (role, form)]
        outcomes = collections.Counter(one["outcome"] for one in own)
        rows.append(
            {
                "role": role,
                "format": form,
                "cases": len(own),
                **{name: outcomes[name] for name in ("read", "refused", "raw error", "uncounted")},
                **{name: sum(one[name] for one in own) for name in ("rows", "kept", "lost")},
            }
        )
    reasons = collections.Counter(" ".join(one["what"].split()[:4]) for one in found if one["outcome"] == "refused")
    command = (
        f"python scripts/fuzz_tables.py --tables {options.tables} --settings {options.settings} --seed {options.seed}"
    )
    return {
        "benchmark": "fuzz-tables",
        "command": f"{command} --write",
        "seed": options.seed,
        "tables": options.tables,
        "settings": options.settings,
        "polars": pl.__version__,
        "python": platform.python_version(),
        "seconds": round(seconds),
        "raw_errors": [one for one in found if one["outcome"] == "raw error"],
        "uncounted": [one for one in found if one["outcome"] == "uncounted"],
        "rows_checked": sum(one["rows"] for one in found if one["checked"]),
        "by_kind": rows,
        "refusals": dict(reasons.most_common(40)),
    }


def as_page(report):
    lines = [
        "# Random tables and settings",
        "",
        f"{report['tables']:,} tables and {report['settings']:,} settings of seed {report['seed']}: "
        f"{len(report['raw_errors'])} raw errors, {len(report['uncounted'])} cases with rows that are neither kept nor "
        f"counted as lost. {report['rows_checked']:,} rows were also compared with the number that was written.",
        "",
        "| what | format | cases | read | refused | raw errors | uncounted | rows | kept | counted as lost |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    names = ("role", "format", "cases", "read", "refused", "raw error", "uncounted", "rows", "kept", "lost")
    for row in report["by_kind"]:
        cells = [f"{row[name]:,}" if isinstance(row[name], int) else row[name] for name in names]
        lines += ["| " + " | ".join(cells) + " |"]
    return "\n".join([*lines, "", f"`{report['command']}`", ""])


if __name__ == "__main__":
    main()

"""Tables in: catalogue, interactions, histories, filters, splits and raw public data."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from genrec.data.catalog import Catalog
    from genrec.data.check import CheckResult, check_tables
    from genrec.data.filters import drop_consecutive_repeats, k_core
    from genrec.data.histories import Histories
    from genrec.data.interactions import Interactions
    from genrec.data.report import DataReport, Problem
    from genrec.data.split import EvaluationSet, Split, custom_split, global_time, leave_one_out, make_split
    from genrec.data.tables import read_table, write_table

_HOMES = {
    "Catalog": "genrec.data.catalog",
    "CheckResult": "genrec.data.check",
    "DataReport": "genrec.data.report",
    "EvaluationSet": "genrec.data.split",
    "Histories": "genrec.data.histories",
    "Interactions": "genrec.data.interactions",
    "Problem": "genrec.data.report",
    "Split": "genrec.data.split",
    "check_tables": "genrec.data.check",
    "custom_split": "genrec.data.split",
    "drop_consecutive_repeats": "genrec.data.filters",
    "global_time": "genrec.data.split",
    "k_core": "genrec.data.filters",
    "leave_one_out": "genrec.data.split",
    "make_split": "genrec.data.split",
    "read_table": "genrec.data.tables",
    "write_table": "genrec.data.tables",
}
"""Where each stands. A name is looked up when it is asked for: a mistyped path needs no tables, and is told at once."""

__all__ = [
    "Catalog",
    "CheckResult",
    "DataReport",
    "EvaluationSet",
    "Histories",
    "Interactions",
    "Problem",
    "Split",
    "check_tables",
    "custom_split",
    "drop_consecutive_repeats",
    "global_time",
    "k_core",
    "leave_one_out",
    "make_split",
    "read_table",
    "write_table",
]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'genrec.data' has no attribute {name!r}")

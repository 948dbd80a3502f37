"""Tables in: catalogue, interactions, histories, filters, splits and raw public data."""

from genrec.data.catalog import Catalog
from genrec.data.check import CheckResult, check_tables
from genrec.data.filters import drop_consecutive_repeats, k_core
from genrec.data.histories import Histories
from genrec.data.interactions import Interactions
from genrec.data.report import DataReport, Problem
from genrec.data.split import EvaluationSet, Split, custom_split, global_time, leave_one_out, make_split
from genrec.data.tables import read_table, write_table

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

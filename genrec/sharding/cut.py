"""What says that the histories of a job are cut: counts of what was left out, and the size of every file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from genrec.artifacts import read_json, write_atomic
from genrec.artifacts.files import flush
from genrec.data.rules import RULES
from genrec.sharding.spool import ROWS_READ, Spool

CUT = "spooled.json"
_MOST = 1 << 53


def mark_cut(work: Path, spool: Spool, counts: dict[str, int]) -> None:
    """Say that the histories are cut, after all of their files are on the disk: a loss of power must not lose users.

    Args:
        work: Working folder of the job.
        spool: The histories, cut.
        counts: Rows that were read, and what was left out of them.
    """
    sizes = spool.sizes()
    for name in sizes:
        flush(spool.folder / name)
    flush(spool.folder)
    write_atomic(work / CUT, json.dumps({"left_out": counts, "files": sizes}))


def read_cut(work: Path, spool: Spool) -> dict[str, int] | None:
    """The counts of histories that are cut, all of whose files are there as they were written; None where not."""
    if work.is_symlink():  # nothing outside the result is read or written
        return None
    try:
        content = read_json(work / CUT)
        counts, sizes = content["left_out"], content["files"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    whole = are_counts(counts) and sizes == spool.sizes() and spool.is_settled()
    return dict(counts) if whole else None


def are_counts(value: Any) -> bool:
    """Whether a value of a file counts kinds of problems, and rows."""
    if not isinstance(value, dict) or not value.keys() <= {*RULES, ROWS_READ}:
        return False
    return all(is_count(count) for count in value.values())


def is_count(value: Any) -> bool:
    """Whether a value of a file can be how many there are of something."""
    return type(value) is int and 0 <= value < _MOST

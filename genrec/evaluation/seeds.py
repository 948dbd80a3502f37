"""Several seeds of one run as one row: mean, standard deviation and interval over seeds."""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from genrec.artifacts import read_json
from genrec.errors import DataError
from genrec.evaluation.report import Row

IDENTITY = (
    "benchmark",
    "dataset",
    "split",
    "targets",
    "recommender",
    "kind",
    "cases",
    "users",
    "items",
    "exclude_seen",
)
_FIGURE = re.compile(r"^\w+@\d+$")
_END = re.compile(r"_(low|high|std)$")


def over_seeds(rows: Iterable[Row], *, confidence: float = 0.95, keys: Sequence[str] = IDENTITY) -> list[Row]:
    """Rows that differ in their seed only, merged.

    A figure ``m`` becomes its mean over seeds, ``m_std`` its standard deviation (n - 1), and ``m_low``, ``m_high`` the
    interval of the mean by Student's t. That interval says how much training varies; those of the single rows say how
    much the sample of users does. Rows of one seed, or of none, keep theirs and get no ``m_std``.

    Args:
        rows: Rows of results files.
        confidence: Of the interval.
        keys: What must be equal in rows that are merged.

    Returns:
        One row a group in the order of first appearance, with ``seeds`` (a list) and ``runs`` (their number).

    Raises:
        DataError: Two rows of a group have the same seed.

    >>> rows = [{"recommender": "m", "seed": seed, "ndcg@10": value} for seed, value in enumerate((0.1, 0.3))]
    >>> made = over_seeds(rows)
    >>> round(made[0]["ndcg@10"], 3), round(made[0]["ndcg@10_std"], 3), made[0]["runs"]
    (0.2, 0.141, 2)
    """
    groups: dict[tuple[Any, ...], list[Row]] = {}
    for row in rows:
        groups.setdefault(tuple(row.get(key) for key in keys), []).append(row)
    return [_merged(group, confidence) for group in groups.values()]


def read_rows(paths: Iterable[Path | str]) -> list[Row]:
    """Rows of several results files.

    Raises:
        DataError: A file is missing or does not hold a list of rows, or a row holds something else than it should.
    """
    found: list[Row] = []
    for path in map(Path, paths):
        try:
            content = read_json(path)
        except (OSError, ValueError, RecursionError) as error:
            raise DataError(f"The results cannot be read: {error}", where=path, expected="a metrics.json") from None
        if not isinstance(content, list) or not all(isinstance(row, dict) for row in content):
            raise DataError("This file holds no results.", where=path, expected="a list of rows, such as metrics.json")
        for row in content:
            _require_right(row, path)
        found += content
    return found


def _require_right(row: Row, path: Path) -> None:
    """Refuse what cannot be compared or averaged."""
    for key, value in row.items():
        figure = key == "seconds" or bool(_FIGURE.match(key))
        if value is None or not (figure or key in (*IDENTITY, "seed")):
            continue
        number = isinstance(value, int | float) and not abs(value) > sys.float_info.max
        if not (number if figure else number or isinstance(value, str)):
            shown = repr(value)[:40]
            raise DataError(
                f"A row of the results says {key}: {shown}.",
                where=path,
                expected="a number" if figure else "a text or a number",
            )


def _merged(group: list[Row], confidence: float) -> Row:
    seeds = [row.get("seed") for row in group]
    if len(set(seeds)) < len(seeds):
        twice = next(seed for seed in seeds if seeds.count(seed) > 1)
        raise DataError(
            f"'{group[0].get('recommender')}' has two rows with seed {twice}.",
            expected="one row for each seed",
            hint="Leave one of them out, or give the runs their own seeds.",
        )
    if len(group) == 1:
        return {**group[0], "seeds": seeds, "runs": 1}
    merged: Row = {}
    for key in dict.fromkeys(key for row in group for key in row):
        values = [row.get(key) for row in group]
        if _FIGURE.match(key):
            merged |= _figure(key, values, confidence)
        elif key == "seconds":
            known = [value for value in values if value is not None]
            merged[key] = round(sum(known) / len(known), 3) if known else None
        elif not _END.search(key):
            merged[key] = values[0] if all(value == values[0] for value in values) else None
    return {**merged, "seed": None, "seeds": sorted(seeds, key=str), "runs": len(group)}


def _figure(key: str, values: Sequence[Any], confidence: float) -> Row:
    from scipy.stats import t

    if any(value is None for value in values):
        return dict.fromkeys((key, f"{key}_std", f"{key}_low", f"{key}_high"))
    sample = np.asarray(values, dtype=np.float64)
    mean, std = float(sample.mean()), float(sample.std(ddof=1))
    reach = float(t.ppf((1 + confidence) / 2, len(sample) - 1)) * std / math.sqrt(len(sample))
    return {key: mean, f"{key}_std": std, f"{key}_low": mean - reach, f"{key}_high": mean + reach}

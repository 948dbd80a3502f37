#!/usr/bin/env bash
# The same table written twice to the same folder is there twice with pandas, pyarrow's write_to_dataset, daft and DataFusion, and once with
# polars.
#
# Guess beforehand: to_parquet overwrites, as it does with a single file; or the second write is refused because the folder is not empty.
# Found: with partition_cols, pandas and pyarrow give each file a random name and leave those of the last run where they are. Six events
# become twelve. daft's default mode is "append", and DataFusion adds as well. polars writes names that are counted, so the same table
# replaces itself, and pyarrow.dataset.write_dataset refuses. to_parquet of pandas without partition_cols, to one file, replaces it.
# Why it matters: a nightly job that is started again after a failure writes events twice. Every user has bought everything two times:
# popularity is right in its order, but thresholds of five events let users with three in, repeats look like loyalty, and a split by time of
# equal rows puts a copy of the test item into the training.
# Output seen:
#   rows after the second write of 6: pandas 12, pyarrow write_to_dataset 12, daft 12, DataFusion 12, polars 6, pyarrow.dataset refused, pandas to one file 6
#   share of the users whose test item (the last row) is in their training: pandas 1.0, polars 0.0
# Usage: bash findings/an-export-that-runs-twice-doubles-all-events.sh   (installs pandas==3.1.1 polars==2.1.0 daft==0.7.26 datafusion==55.0.0 pyarrow==25.0.1 numpy==2.4.6 in a temporary folder; exits with 1 if the behaviour has changed)
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
cd "$work"
"${PYTHON:-python3}" -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check pandas==3.1.1 polars==2.1.0 daft==0.7.26 datafusion==55.0.0 pyarrow==25.0.1 numpy==2.4.6
env/bin/python - <<'END'
import os

os.environ["DAFT_PROGRESS_BAR"] = "0"
from pathlib import Path

import daft
import datafusion
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq

events = pd.DataFrame({"user": [1, 2, 3, 1, 2, 3], "item": [1, 2, 3, 4, 5, 6], "time": [1, 1, 1, 2, 2, 2], "day": list("aaabbb")})
table = pa.Table.from_pandas(events, preserve_index=False)
writers = {
    "pandas": lambda to: events.to_parquet(to, partition_cols=["day"]),
    "pyarrow write_to_dataset": lambda to: pq.write_to_dataset(table, to, partition_cols=["day"]),
    "daft": lambda to: daft.from_arrow(table).write_parquet(to, partition_cols=["day"]),
    "DataFusion": lambda to: datafusion.SessionContext().from_arrow(table).write_parquet(to),
    "polars": lambda to: pl.from_arrow(table).write_parquet(to, partition_by="day"),
    "pyarrow.dataset": lambda to: ds.write_dataset(table, to, format="parquet", partitioning=["day"], partitioning_flavor="hive"),
    "pandas to one file": lambda to: events.to_parquet(f"{to}.parquet"),
}


def rows(to: str) -> pl.DataFrame:
    files = sorted(Path(to).rglob("*.parquet")) or [Path(f"{to}.parquet")]
    return pl.concat([pl.DataFrame(pq.ParquetFile(file).read().select(["user", "item", "time"])) for file in files])


def leaked(log: pl.DataFrame) -> float:
    """Share of the users whose last row, by time, names an item of the rows before it."""
    items = log.sort("time", maintain_order=True).group_by("user").agg("item")["item"].to_list()
    return sum(one[-1] in one[:-1] for one in items) / len(items)


counts: dict[str, int | str] = {}
for number, (name, write) in enumerate(writers.items()):
    write(f"folder{number}")
    try:
        write(f"folder{number}")
        counts[name] = len(rows(f"folder{number}"))
    except pa.ArrowInvalid:
        counts[name] = "refused"
shares = leaked(rows("folder0")), leaked(rows("folder4"))
print("rows after the second write of 6: " + ", ".join(f"{name} {count}" for name, count in counts.items()))
print(f"share of the users whose test item (the last row) is in their training: pandas {shares[0]}, polars {shares[1]}")
assert list(counts.values()) == [12, 12, 12, 12, 6, "refused", 6] and shares == (1.0, 0.0)
END
echo "as found: an-export-that-runs-twice-doubles-all-events"

#!/usr/bin/env bash
# DuckDB's list() of a sorted table gives every user a history in a wrong order as soon as a second thread runs.
#
# Guess beforehand: rows reach list() in the order in which the subquery sorted them; on one thread they do, so on more, too.
# Found: SELECT user, list(item) FROM (SELECT * FROM log ORDER BY time) GROUP BY user. With one thread, each of the 1,000 histories is
# in order of time. With two threads, none is: each thread gathers parts, and parts are joined as they come. list(item ORDER BY time)
# is right with any number of threads. polars and pyarrow, which gather from a sorted table, are right, too.
# Why it matters: this query is how histories are made from a log. A small log (below about 120,000 rows) stays on one thread, so a
# test passes; the full log has shuffled histories, and the last item, which is held out for the test, is any item.
# Output seen:
#   histories out of order, of 1,000: 1 thread 0, 2 threads 1000, 2 threads and list(ORDER BY) 0, polars 0, pyarrow 0
# Usage: bash findings/duckdb-shuffles-sorted-histories.sh   (installs duckdb==2.0.1 polars==2.1.0 pyarrow==26.0.1 numpy==2.4.6 in a temporary folder; exits with 1 if the behaviour has changed)
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
cd "$work"
"${PYTHON:-python3}" -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check duckdb==2.0.1 polars==2.1.0 pyarrow==26.0.1 numpy==2.4.6
env/bin/python - <<'END'
import duckdb
import numpy as np
import polars as pl
import pyarrow as pa

rows = 2_000_000
rng = np.random.default_rng(0)
log = pa.table({"user": rng.integers(0, 1000, rows), "time": rng.permutation(rows)})
connection = duckdb.connect()
connection.execute("CREATE TABLE log AS SELECT * FROM log")
SORTED = "SELECT user, list(time) AS history FROM (SELECT * FROM log ORDER BY time) GROUP BY user"
ASKED = "SELECT user, list(time ORDER BY time) AS history FROM log GROUP BY user"


def wrong(histories) -> int:
    return sum(bool((np.diff(np.asarray(history)) < 0).any()) for history in histories)


def asked(query: str, threads: int) -> int:
    connection.execute(f"SET threads = {threads}")
    return wrong(row[1] for row in connection.execute(query).fetchall())


one, two, right = asked(SORTED, 1), asked(SORTED, 2), asked(ASKED, 2)
in_polars = wrong(pl.from_arrow(log).sort("time").group_by("user").agg("time")["time"])
gathered = log.sort_by("time").group_by("user").aggregate([("time", "list")])["time_list"]
in_arrow = wrong(history.values.to_numpy() for history in gathered)
print(f"histories out of order, of 1,000: 1 thread {one}, 2 threads {two}, 2 threads and list(ORDER BY) {right}, polars {in_polars}, pyarrow {in_arrow}")
assert one == right == in_polars == in_arrow == 0 and two > 500
END
echo "as found: duckdb-shuffles-sorted-histories"

#!/usr/bin/env bash
# Of two prices with one time, DuckDB's ASOF join gives a few of 1,000 users the first one, and the same users the second one if each is
# asked for alone.
#
# Guess beforehand: "the last row that is not later" is the last of the rows with that time, in the order of the table; or it is refused.
# Found: pandas' merge_asof and polars' join_asof take the last of equal rows, always. DuckDB does not keep the order of equal rows: among
# 1,000 users with two rows each, 18 get the first price and all others the second; asked for alone, these 18 get the second, too. Without
# a user as a key, one event and two prices, it is the first. One thread, no sampling. No second column can be named to break the tie.
# Why it matters: features are joined to events "as of" their time to leak nothing. Tables that log a change and its correction in one
# second, or times cut to days, have many such rows: a user's features then differ between the training of all and a look at one, and
# between SQL and pandas.
# Output seen:
#   users who get the first and the second price: pandas (0, 1000), polars (0, 1000), DuckDB a few and most; the few, asked for alone: second; without a key: first
# Usage: bash findings/duckdb-asof-join-changes-with-the-other-users.sh   (installs pandas==3.1.1 polars==2.1.0 duckdb==2.0.1 pyarrow==26.0.1 numpy==2.3.5 in a temporary folder; exits with 1 if the behaviour has changed)
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
cd "$work"
"${PYTHON:-python3}" -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check pandas==3.1.1 polars==2.1.0 duckdb==2.0.1 pyarrow==26.0.1 numpy==2.3.5
env/bin/python - <<'END'
import duckdb
import numpy as np
import pandas as pd
import polars as pl

users = np.arange(1000)
prices = pd.DataFrame({"user": np.repeat(users, 2), "time": 5, "price": np.tile([1, 2], 1000)})
events = pd.DataFrame({"user": users, "time": 7})
duckdb.sql("SET threads = 1")


def by_duckdb(where: str) -> list[int]:
    rows = duckdb.sql(f"SELECT price FROM (FROM events WHERE {where}) e ASOF JOIN (FROM prices WHERE {where}) p ON e.user = p.user AND e.time >= p.time")
    return [row[0] for row in rows.fetchall()]


found = {
    "pandas": pd.merge_asof(events, prices, on="time", by="user")["price"].tolist(),
    "polars": pl.from_pandas(events).join_asof(pl.from_pandas(prices), on="time", by="user", check_sortedness=False)["price"].to_list(),
    "DuckDB": by_duckdb("true"),
}
counts = {name: (taken.count(1), taken.count(2)) for name, taken in found.items()}
early = duckdb.sql("SELECT e.user FROM events e ASOF JOIN prices p ON e.user = p.user AND e.time >= p.time WHERE p.price = 1").fetchall()
alone = {price for (user,) in early for price in by_duckdb(f"user = {user}")}
single = duckdb.sql("SELECT price FROM (FROM events LIMIT 1) e ASOF JOIN (FROM prices LIMIT 2) p ON e.time >= p.time").fetchall()
few = "a few and most" if 0 < counts["DuckDB"][0] < counts["DuckDB"][1] else counts["DuckDB"]
words = ("second" if alone == {2} else alone, "first" if single == [(1,)] else single)
print(f"users who get the first and the second price: pandas {counts['pandas']}, polars {counts['polars']}, DuckDB {few}; the few, asked for alone: {words[0]}; without a key: {words[1]}")
assert counts["pandas"] == counts["polars"] == (0, 1000) and sum(counts["DuckDB"]) == 1000
assert 0 < counts["DuckDB"][0] == len(early) < 500 and alone == {2} and single == [(1,)]
END
echo "as found: duckdb-asof-join-changes-with-the-other-users"

#!/usr/bin/env bash
# A user whose list of items is empty has one missing item after explode in pandas and daft, and is gone in polars, DuckDB and ClickHouse.
#
# Guess beforehand: all engines give a row for each item, so a user without items has none; or all keep the user with a missing item.
# Found: of ann with two items and ben with none, pandas and daft make three rows, one with ben and a missing item. polars 2, DuckDB's
# unnest and ClickHouse's arrayJoin make two rows. In pandas the column of items becomes one of objects.
# Why it matters: recommendations and held-out items are kept as lists. Users for whom nothing was found are in the mean in one engine and
# not in the other, so a hit rate of a half becomes 1; or "missing" is counted as an item, and as a popular one. Join the users back after
# exploding, or drop the missing item, whichever is meant.
# Output seen:
#   rows: pandas 3, daft 3, polars 2, duckdb 2, clickhouse 2
# Usage: bash findings/explode-keeps-or-loses-the-user-without-items.sh   (installs pandas==3.1.1 polars==2.1.0 duckdb==2.0.1 daft==0.7.26 chdb==4.4.0 numpy==2.3.5 in a temporary folder; exits with 1 if the behaviour has changed)
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
cd "$work"
"${PYTHON:-python3}" -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check pandas==3.1.1 polars==2.1.0 duckdb==2.0.1 daft==0.7.26 chdb==4.4.0 numpy==2.3.5
env/bin/python - <<'END'
import chdb
import daft
import duckdb
import pandas
import polars

lists = {"user": ["ann", "ben"], "items": [[1, 2], []]}
typed = polars.DataFrame(lists, schema={"user": polars.String, "items": polars.List(polars.Int64)})
values = "(VALUES ('ann', [1, 2]), ('ben', [])) lists(user, items)"
arrays = "(SELECT arrayJoin([('ann', [1, 2]), ('ben', [])]) AS row)"
rows = {
    "pandas": len(pandas.DataFrame(lists).explode("items")),
    "daft": len(daft.from_pydict(lists).explode("items").to_pydict()["user"]),
    "polars": len(typed.explode("items")),
    "duckdb": len(duckdb.sql(f'SELECT "user", unnest(items) FROM {values}').fetchall()),
    "clickhouse": len(str(chdb.query(f"SELECT row.1, arrayJoin(row.2) FROM {arrays}")).split()),
}
print("rows: " + ", ".join(f"{name} {count}" for name, count in rows.items()))
assert rows == {"pandas": 3, "daft": 3, "polars": 2, "duckdb": 2, "clickhouse": 2}
END
echo "as found: explode-keeps-or-loses-the-user-without-items"

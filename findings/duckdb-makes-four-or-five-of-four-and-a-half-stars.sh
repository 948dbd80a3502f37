#!/usr/bin/env bash
# 4.5 stars as a whole number are 5 in DuckDB if they are a decimal, 4 if they are a float, and 3.5 stars are 4 in both; pandas, polars and
# SQLite make 4 and 3.
# 
# Guess beforehand: a cast to a whole number cuts, as in pandas, or rounds, in the same way for every type that holds 4.5.
# Found: DuckDB's cast rounds. A DOUBLE goes to the even neighbour (0.5 and 4.5 become 0 and 4, 1.5 and 3.5 become 2 and 4), a DECIMAL goes
# away from zero (1 and 5, 2 and 4). round() goes away from zero for both. A number written into the query is a DECIMAL, one from Parquet
# or a data frame mostly a DOUBLE. pandas, polars and SQLite cut.
# Why it matters: ratings come in half stars. "Liked" as a cast rating of 4 or more takes the 3.5 in DuckDB and leaves it out elsewhere, so
# a third of such ratings change sides; a test with numbers written into the query shows other stars than the table. Compare the rating
# itself, or write floor().
# Output seen:
#   stars           [0.5, 1.5, 2.5, 3.5, 4.5]
#   duckdb double   [0, 2, 2, 4, 4]
#   duckdb decimal  [1, 2, 3, 4, 5]
#   pandas          [0, 1, 2, 3, 4]
#   polars          [0, 1, 2, 3, 4]
#   sqlite          [0, 1, 2, 3, 4]
#   liked (4 or more): duckdb double [3.5, 4.5], pandas [4.5]
# Usage: bash findings/duckdb-makes-four-or-five-of-four-and-a-half-stars.sh   (installs duckdb==2.0.1 numpy==2.3.5 pandas==3.1.1 polars==2.1.0 in a temporary folder; exits with 1 if the behaviour has changed)
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
cd "$work"
"${PYTHON:-python3}" -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check duckdb==2.0.1 numpy==2.3.5 pandas==3.1.1 polars==2.1.0
env/bin/python - <<'END'
import sqlite3

import duckdb
import pandas
import polars

stars = [0.5, 1.5, 2.5, 3.5, 4.5]
rows = ", ".join(f"({star})" for star in stars)
frame = pandas.DataFrame({"star": stars})


def cast(query: str, engine=duckdb) -> list[int]:
    return [row[0] for row in engine.execute(query).fetchall()]


seen = {
    "duckdb double": cast("SELECT star::INTEGER FROM frame"),
    "duckdb decimal": cast(f"SELECT star::INTEGER FROM (VALUES {rows}) t(star)"),
    "pandas": frame["star"].astype("int64").tolist(),
    "polars": polars.Series(stars).cast(polars.Int64).to_list(),
    "sqlite": cast(f"SELECT CAST(column1 AS INTEGER) FROM (VALUES {rows})", sqlite3.connect(":memory:")),
}
print(f"{'stars':15} {stars}")
for name, whole in seen.items():
    print(f"{name:15} {whole}")
liked = {name: [star for star, value in zip(stars, whole) if value >= 4] for name, whole in seen.items()}
print(f"liked (4 or more): duckdb double {liked['duckdb double']}, pandas {liked['pandas']}")
assert seen["duckdb double"] == [0, 2, 2, 4, 4] and seen["duckdb decimal"] == [1, 2, 3, 4, 5]
assert seen["pandas"] == seen["polars"] == seen["sqlite"] == [0, 1, 2, 3, 4]
END
echo "as found: duckdb-makes-four-or-five-of-four-and-a-half-stars"

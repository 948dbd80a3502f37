#!/usr/bin/env bash
# pandas joins every visit without a user to every purchase without a user; polars and DuckDB join none of them.
#
# Guess beforehand: a missing key is equal to nothing, as in SQL, so rows without a user have no partner.
# Found: merge takes two missing keys for equal. 1,000 visits and 100 purchases, of each a tenth without a user: polars and DuckDB find
# the same pairs, pandas finds 1,000 more, which are all anonymous visits times all anonymous purchases. In a left join such visits
# come ten times each, where the others keep one row without a purchase. A missing float key (NaN) and a missing text do the same.
# Why it matters: logs hold visitors who are not logged in. Their visits get purchases of strangers as a label, features are averaged over
# strangers, and the join grows with the product of both. In code that was moved from polars or SQL nothing shows it.
# Output seen:
#   inner join: pandas 1900 pairs, polars 900, duckdb 900; without a user 1000
#   left join: pandas 1900 rows, polars 1000, duckdb 1000
# Usage: bash findings/pandas-merges-all-anonymous-visits-with-each-other.sh   (installs pandas==3.1.1 polars==2.1.0 duckdb==2.0.1 pyarrow==26.0.1 in a temporary folder; exits with 1 if the behaviour has changed)
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
cd "$work"
"${PYTHON:-python3}" -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check pandas==3.1.1 polars==2.1.0 duckdb==2.0.1 pyarrow==26.0.1
env/bin/python - <<'END'
import duckdb
import pandas as pd
import polars as pl

connection = duckdb.connect()


def sizes(kind: type) -> dict[str, list[int]]:
    """Rows of the inner and of the left join: 90 users with ten visits and one purchase, and as many of nobody as of ten users."""
    users = [None] * 10 + [kind(n) for n in range(90)]
    visits = pd.DataFrame({"user": users * 10, "visit": range(1000)})
    bought = pd.DataFrame({"user": users, "item": range(100)})
    left, right = pl.from_pandas(visits, nan_to_null=True), pl.from_pandas(bought, nan_to_null=True)
    connection.register("visits", left.to_arrow())
    connection.register("bought", right.to_arrow())
    count = "SELECT count(*) FROM visits {} JOIN bought USING (user)"
    return {
        "pandas": [len(visits.merge(bought, on="user", how=how)) for how in ("inner", "left")],
        "polars": [left.join(right, on="user", how=how).height for how in ("inner", "left")],
        "duckdb": [connection.execute(count.format(how)).fetchall()[0][0] for how in ("INNER", "LEFT")],
    }


text, number = sizes(str), sizes(float)
print("inner join: pandas {} pairs, polars {}, duckdb {}; without a user {}".format(*(text[name][0] for name in text), text["pandas"][0] - text["polars"][0]))
print("left join: pandas {} rows, polars {}, duckdb {}".format(*(text[name][1] for name in text)))
assert text == number == {"pandas": [1900, 1900], "polars": [900, 1000], "duckdb": [900, 1000]}
END
echo "as found: pandas-merges-all-anonymous-visits-with-each-other"

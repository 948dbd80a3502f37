#!/usr/bin/env bash
# After a left join in ClickHouse (chdb), users without a rating have rated with 0 stars, and the mean is 1.7 in place of 5.
#
# Guess beforehand: a row without a partner gets NULL in the columns of the other table, as in all SQL engines.
# Found: it gets the default of the type: 0 for numbers, the empty text, 1970 for times. Three users, one rating of 5: avg is 1.67
# and count 3; DuckDB says 5 and 1 for the same statement. WHERE rating IS NULL, the usual way to find new users, finds none, and two in
# DuckDB. SETTINGS join_use_nulls = 1 gives NULL.
# Why it matters: features and metrics are joined to users or to items. Scores of items without a score are 0 and beat negative ones, means
# fall with the share of users without a value, and users who never rated are nowhere to be found.
# Output seen:
#   clickhouse: ratings [5.0, 0.0, 0.0], mean 1.67 of 3, without a rating 0, last seen 1970-01-01 by 2
#   duckdb: ratings [5.0, None, None], mean 5.0 of 1, without a rating 2; clickhouse with join_use_nulls: mean 5.0 of 1
# Usage: bash findings/clickhouse-users-without-a-rating-give-zero-stars.sh   (installs chdb==4.4.0 duckdb==2.0.1 in a temporary folder; exits with 1 if the behaviour has changed)
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
cd "$work"
"${PYTHON:-python3}" -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check chdb==4.4.0 duckdb==2.0.1
env/bin/python - <<'END'
import json

import duckdb
from chdb.session import Session

JOINED = "users AS u LEFT JOIN ratings AS r ON u.id = r.id"
EACH = f"SELECT u.id AS id, rating, CAST(day AS VARCHAR) AS day FROM {JOINED} ORDER BY id"
MEAN = f"SELECT round(avg(rating), 2) AS mean, count(rating) AS many FROM {JOINED}"
NEW = f"SELECT count(*) AS new FROM {JOINED} WHERE rating IS NULL"
session, connection = Session(), duckdb.connect()
session.query("CREATE DATABASE shop")
for engine, run, end in (("", connection.execute, ""), ("shop.", session.query, " ENGINE = Memory")):
    run(f"CREATE TABLE {engine}users (id BIGINT){end}")
    run(f"CREATE TABLE {engine}ratings (id BIGINT, rating DOUBLE, day DATE){end}")
    run(f"INSERT INTO {engine}users VALUES (1), (2), (3)")
    run(f"INSERT INTO {engine}ratings VALUES (1, 5, '2024-05-01')")


def house(query: str, nulls: int = 0) -> list[tuple]:
    query = query.replace("users AS", "shop.users AS").replace("ratings AS", "shop.ratings AS")
    settings = f"join_use_nulls = {nulls}, " if nulls else ""
    answer = session.query(f"{query} SETTINGS {settings}output_format_json_quote_64bit_integers = 0", "JSONCompactEachRow")
    return [tuple(json.loads(line)) for line in str(answer).splitlines()]


def duck(query: str) -> list[tuple]:
    return connection.execute(query).fetchall()


rows, own = house(EACH), duck(EACH)
((mean, many),), ((new,),), old = house(MEAN), house(NEW), sum(row[2] == "1970-01-01" for row in rows)
print(f"clickhouse: ratings {[float(row[1]) for row in rows]}, mean {mean} of {many}, without a rating {new}, last seen 1970-01-01 by {old}")
right = *duck(MEAN)[0], duck(NEW)[0][0]
asked = *house(MEAN, nulls=1)[0], house(NEW, nulls=1)[0][0]
print(f"duckdb: ratings {[row[1] for row in own]}, mean {right[0]} of {right[1]}, without a rating {right[2]}; clickhouse with join_use_nulls: mean {float(asked[0])} of {asked[1]}")
assert [row[1] for row in rows] == [5, 0, 0] and (mean, many, new, old) == (1.67, 3, 0, 2)
assert [row[1] for row in own] == [5, None, None] and right == asked == (5, 1, 2)
END
echo "as found: clickhouse-users-without-a-rating-give-zero-stars"

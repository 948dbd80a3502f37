#!/usr/bin/env bash
# A request for the semantic ID "12_34" is valid for a pydantic model with an integer item, and asks for item 1234.
#
# Guess beforehand: the text is no whole number, so the request is refused.
# Found: underscores between digits are taken as in Python's source code. In dict[int, float], the scores of "1_2" and "12" become one entry,
# the later one. DuckDB's CAST and TRY_CAST give 1234, too. msgspec refuses it, polars gives null. Strict mode of pydantic
# refuses it, and with it the text "12".
# Why it matters: codes joined by underscores are a usual way to write semantic IDs, beside item numbers. A client that mixes up the two gets
# another item's answer instead of an error, 12_34 and 123_4 are one item, and TRY_CAST is how a log is checked for bad ids.
# Output seen:
#   item 1234, scores {12: 0.9}; duckdb 1234 and 1234; msgspec refuses True, polars None
# Usage: bash findings/pydantic-takes-a-semantic-id-for-a-number.sh   (installs pydantic==2.14.4 msgspec==0.23.0 duckdb==2.0.1 polars==2.1.0 numpy==2.4.6 in a temporary folder; exits with 1 if the behaviour has changed)
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
cd "$work"
"${PYTHON:-python3}" -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check pydantic==2.14.4 msgspec==0.23.0 duckdb==2.0.1 polars==2.1.0 numpy==2.4.6
env/bin/python - <<'END'
import duckdb
import msgspec
import polars as pl
from pydantic import BaseModel


class Request(BaseModel):
    item: int
    scores: dict[int, float]


class Plain(msgspec.Struct):
    item: int
    scores: dict[int, float]


text = '{"item": "12_34", "scores": {"1_2": 0.5, "12": 0.9}}'
request = Request.model_validate_json(text)
cast, tried = duckdb.sql("SELECT CAST('12_34' AS BIGINT), TRY_CAST('123_4' AS BIGINT)").fetchall()[0]
try:
    msgspec.json.decode(text, type=Plain, strict=False)
    refused = False
except msgspec.ValidationError:
    refused = True
series = pl.Series(["12_34"]).cast(pl.Int64, strict=False)[0]
print(f"item {request.item}, scores {request.scores}; duckdb {cast} and {tried}; msgspec refuses {refused}, polars {series}")
assert request.item == cast == tried == 1234 and request.scores == {12: 0.9} and refused and series is None
END
echo "as found: pydantic-takes-a-semantic-id-for-a-number"

#!/usr/bin/env bash
# A split by polars' hash of the user changes for nine of ten users when the column becomes Enum or Categorical.
#
# Guess beforehand: the hash is one of the value, as 5 has one hash as Int32 and as Int64; "ann" is "ann" in each kind of text.
# Found: String and Binary have one hash. Categorical and Enum hash the code, not the text: one user in ten stays in the fold of ten, which
# is chance. Two Enum types with the same names in another order give each name the hash of another. Whole numbers of all widths agree.
# DuckDB's hash does the same with its ENUM.
# Why it matters: a fold or an A/B group by hash is to be the same in each job. One job that saves memory with Enum has other test users
# than the training job, so nine of ten of its test users were trained on; with a new name in front of the list, all users change.
# Output seen:
#   users in the same fold of ten: String and Categorical below 0.2, String and Enum below 0.2, two orders of Enum below 0.2, String and Binary 1.0, Int32 and Int64 1.0; DuckDB text and ENUM equal: False
# Usage: bash findings/polars-hash-of-a-user-depends-on-the-kind-of-text.sh   (installs polars==2.1.0 duckdb==2.0.1 in a temporary folder; exits with 1 if the behaviour has changed)
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
cd "$work"
"${PYTHON:-python3}" -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check polars==2.1.0 duckdb==2.0.1
env/bin/python - <<'END'
import duckdb
import polars as pl

names = [f"user {n}" for n in range(1000)]
users, numbers = pl.Series(names), pl.Series(range(1000), dtype=pl.Int64)


def same(one: pl.Series, other: pl.Series) -> float:
    return float((one.hash() % 10 == other.hash() % 10).mean())


found = {
    "String and Categorical": same(users, users.cast(pl.Categorical)),
    "String and Enum": same(users, users.cast(pl.Enum(names))),
    "two orders of Enum": same(users.cast(pl.Enum(names)), users.cast(pl.Enum(["newcomer", *names]))),
    "String and Binary": same(users, users.cast(pl.Binary)),
    "Int32 and Int64": same(numbers.cast(pl.Int32), numbers),
}
in_sql = duckdb.sql("SELECT hash('ann') = hash('ann'::ENUM('ann'))").fetchall()[0][0]
words = ", ".join(f"{name} {'below 0.2' if share < 0.2 else share}" for name, share in found.items())
print(f"users in the same fold of ten: {words}; DuckDB text and ENUM equal: {in_sql}")
assert [share < 0.2 for share in found.values()] == [True, True, True, False, False] and not in_sql
assert found["String and Binary"] == found["Int32 and Int64"] == 1
END
echo "as found: polars-hash-of-a-user-depends-on-the-kind-of-text"

#!/usr/bin/env bash
# The same cleaning of titles makes "Crème brûlée" of "Crème brûlée!" in pandas and polars, and "Crme brle" in DuckDB, pyarrow and pandas'
# ArrowDtype.
#
# Guess beforehand: \w is a letter of any language in all of them; within pandas, at least, the type of a text column is storage.
# Found: DuckDB and pyarrow use an engine (RE2) for which \w, \d and \b know the letters of English only. A pandas column of type str or
# "string[pyarrow]" keeps the letters, and one of pd.ArrowDtype(pa.string()), which read_parquet(dtype_backend="pyarrow") gives, loses
# them. count(r"\w") gives 8 letters where there are 11. The lower-case functions of all five know the accents, so they agree on
# everything else.
# Why it matters: titles are cleaned and split in SQL for the index and in Python for the query, or the other way round. Words with
# accents match nothing; "Crme" is a new word; and brands that differ in one letter become one.
# Output seen:
#   Crème brûlée: pandas str, pandas string[pyarrow], polars, re; Crme brle: pandas ArrowDtype, DuckDB, pyarrow
# Usage: bash findings/pandas-cleans-accents-away-by-the-kind-of-text.sh   (installs pandas==3.1.1 polars==2.1.0 duckdb==2.0.1 pyarrow==26.0.1 numpy==2.3.5 in a temporary folder; exits with 1 if the behaviour has changed)
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
cd "$work"
"${PYTHON:-python3}" -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check pandas==3.1.1 polars==2.1.0 duckdb==2.0.1 pyarrow==26.0.1 numpy==2.3.5
env/bin/python - <<'END'
import re

import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

title, pattern = "Crème brûlée!", r"[^\w\s]"


def by_pandas(dtype: object) -> str:
    return pd.Series([title], dtype=dtype).str.replace(pattern, "", regex=True)[0]


cleaned = {
    "pandas str": by_pandas("str"),
    "pandas string[pyarrow]": by_pandas("string[pyarrow]"),
    "pandas ArrowDtype": by_pandas(pd.ArrowDtype(pa.string())),
    "polars": pl.Series([title]).str.replace_all(pattern, "")[0],
    "re": re.sub(pattern, "", title),
    "DuckDB": duckdb.sql(f"SELECT regexp_replace('{title}', '{pattern}', '', 'g')").fetchall()[0][0],
    "pyarrow": pc.replace_substring_regex(pa.array([title]), pattern, "")[0].as_py(),
}
kinds = {text: [name for name, other in cleaned.items() if other == text] for text in dict.fromkeys(cleaned.values())}
print("; ".join(f"{text}: {', '.join(names)}" for text, names in kinds.items()))
assert kinds == {
    "Crème brûlée": ["pandas str", "pandas string[pyarrow]", "polars", "re"],
    "Crme brle": ["pandas ArrowDtype", "DuckDB", "pyarrow"],
}
counts = [int(pd.Series([title], dtype=dtype).str.count(r"\w")[0]) for dtype in ("str", pd.ArrowDtype(pa.string()))]
assert counts == [11, 8], counts
END
echo "as found: pandas-cleans-accents-away-by-the-kind-of-text"

#!/usr/bin/env bash
# dateutil reads the release year "2019" as a day of 2019 that is another one each day that the program runs.
#
# Guess beforehand: what is missing in a date is its beginning: 2019 is the first of January, as in pandas, polars and DuckDB.
# Found: parse() fills what is missing from today's date at midnight. "2019" is today's day and month in 2019, "March 2019" is today's day
# in March (or its last day). default= can name another date. pandas.to_datetime gives the first of January for the same text. Of 365 films
# with a year only, a split at the first of July puts all into the training or all into the test, by the day of the run.
# Why it matters: release dates and profile dates are often a year. Splits and features by time change overnight without a change of the
# data: runs of June train on all items of the year, runs of July on none. In other places the day of the month decides.
# Output seen:
#   2019: pandas 2019-01-01; dateutil the day of the run; on a day of May 2019-05-05, of August 2019-08-08
#   films of 2019 that lie before July, of 365: run in May 365, run in August 0
# Usage: bash findings/dateutil-dates-a-year-by-today.sh   (installs python-dateutil==2.9.0.post0 pandas==3.1.1 numpy==2.4.6 in a temporary folder; exits with 1 if the behaviour has changed)
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
cd "$work"
"${PYTHON:-python3}" -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check python-dateutil==2.9.0.post0 pandas==3.1.1 numpy==2.4.6
env/bin/python - <<'END'
from datetime import datetime
from unittest import mock

import pandas as pd
from dateutil import parser

today = datetime.now()
read = parser.parse("2019")
if today.month == 2 and today.day == 29:
    today = today.replace(day=28)
same = (read.month, read.day) == (today.month, today.day)


def on(day: datetime) -> list[datetime]:
    """What the plain parse("2019") gives on this day; only the clock is set."""

    class Clock(datetime):
        @classmethod
        def now(cls, tz=None):
            return day

    with mock.patch("dateutil.parser._parser.datetime.datetime", Clock):
        return [parser.parse("2019") for _ in range(365)]


may, august = on(datetime(2026, 5, 5, 12)), on(datetime(2026, 8, 8, 12))
early = [sum(film < datetime(2019, 7, 1) for film in films) for films in (may, august)]
print(f"2019: pandas {pd.to_datetime('2019').date()}; dateutil {'the day of the run' if same else read.date()}; on a day of May {may[0].date()}, of August {august[0].date()}")
print(f"films of 2019 that lie before July, of 365: run in May {early[0]}, run in August {early[1]}")
assert same and pd.to_datetime("2019") == datetime(2019, 1, 1) and early == [365, 0]
assert may[0].date() == datetime(2019, 5, 5).date() and august[0].date() == datetime(2019, 8, 8).date()
END
echo "as found: dateutil-dates-a-year-by-today"

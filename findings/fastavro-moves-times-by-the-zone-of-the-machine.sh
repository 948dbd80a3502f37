#!/usr/bin/env bash
# fastavro stores an event of 8 o'clock in the morning as one of 11 in the evening of the day before, if the machine is set to Tokyo.
#
# Guess beforehand: a time without a zone is stored as it is, as polars and pyarrow do: what is read back shows the same clock.
# Found: for timestamp-millis and timestamp-micros, fastavro takes a datetime without a zone for one of the machine's own zone. Written with
# TZ=Asia/Tokyo, 2024-01-01 08:00 comes back as 2023-12-31 23:00 UTC, from fastavro and from polars. polars writes the same column to Avro
# as 08:00, on every machine. With TZ=UTC the two agree, so that tests in a container show nothing. A time with a zone is right everywhere,
# and the type local-timestamp-micros keeps the clock.
# Why it matters: tables of events mostly hold UTC times without a zone. An export that runs on a laptop or on a server with local time
# shifts all events by hours, and by another number in summer: days, sessions and splits by time change, and the last hours of the training
# lie in the test.
# Output seen:
#   08:00 written by fastavro: with TZ=UTC 2024-01-01 08:00, with TZ=Asia/Tokyo 2023-12-31 23:00; by polars: with TZ=UTC 2024-01-01 08:00, with TZ=Asia/Tokyo 2024-01-01 08:00
#   days of 24 hourly events of one day: with TZ=UTC 1, with TZ=Asia/Tokyo 2
# Usage: bash findings/fastavro-moves-times-by-the-zone-of-the-machine.sh   (installs fastavro==1.13.1 polars==2.1.0 in a temporary folder; exits with 1 if the behaviour has changed)
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
cd "$work"
"${PYTHON:-python3}" -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check fastavro==1.13.1 polars==2.1.0
env/bin/python - <<'END'
import io
import os
import time
from datetime import datetime, timedelta

import fastavro
import polars as pl

SCHEMA = {"type": "record", "name": "event", "fields": [{"name": "time", "type": {"type": "long", "logicalType": "timestamp-micros"}}]}


def read(file: io.BytesIO) -> list[datetime]:
    file.seek(0)
    times = [row["time"].replace(tzinfo=None) for row in fastavro.reader(file)]
    file.seek(0)
    assert pl.read_avro(file)["time"].dt.replace_time_zone(None).to_list() == times
    return times


def by_fastavro(times: list[datetime]) -> list[datetime]:
    file = io.BytesIO()
    fastavro.writer(file, SCHEMA, [{"time": one} for one in times])
    return read(file)


def by_polars(times: list[datetime]) -> list[datetime]:
    file = io.BytesIO()
    pl.DataFrame({"time": times}).write_avro(file)
    return read(file)


morning = [datetime(2024, 1, 1, 8)]
day = [datetime(2024, 1, 1) + timedelta(hours=hour) for hour in range(24)]
found: dict[str, dict[str, str]] = {"fastavro": {}, "polars": {}}
days = {}
for zone in ("UTC", "Asia/Tokyo"):
    os.environ["TZ"] = zone
    time.tzset()
    for name, write in (("fastavro", by_fastavro), ("polars", by_polars)):
        found[name][zone] = f"{write(morning)[0]:%Y-%m-%d %H:%M}"
    days[zone] = len({one.date() for one in by_fastavro(day)})
print("08:00 written by " + "; by ".join(f"{name}: " + ", ".join(f"with TZ={zone} {clock}" for zone, clock in clocks.items()) for name, clocks in found.items()))
print("days of 24 hourly events of one day: " + ", ".join(f"with TZ={zone} {count}" for zone, count in days.items()))
assert found["polars"] == {"UTC": "2024-01-01 08:00", "Asia/Tokyo": "2024-01-01 08:00"}
assert found["fastavro"] == {"UTC": "2024-01-01 08:00", "Asia/Tokyo": "2023-12-31 23:00"} and days == {"UTC": 1, "Asia/Tokyo": 2}
END
echo "as found: fastavro-moves-times-by-the-zone-of-the-machine"

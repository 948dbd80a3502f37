#!/usr/bin/env bash
# The loss of an MLflow run is 0.9 after 0.9, 0.5 and 0.7 were logged in this order in one millisecond, and the chart shows 0.5, 0.7, 0.9.
#
# Guess beforehand: a run's figure is the one that was logged last.
# Found: it is that of the largest step, then of the latest millisecond, and then the largest value. A figure logged without a step has step
# 0. So of several in one millisecond the largest one stays, and NaN is smaller than every number: a loss that became NaN keeps its last
# finite value. The database gives the history sorted by value. With one millisecond between them, the last one stays.
# Why it matters: evaluations of small cuts, folds and users log many figures under one name in a millisecond. For a loss the worst of them
# is what the table of runs is sorted by, for recall the best, and it depends on how fast the machine is.
# Output seen:
#   0.9, 0.5, 0.7 in one millisecond: 0.9, history [0.5, 0.7, 0.9]; in three: 0.7; 0.4 and NaN: 0.4
# Usage: bash findings/mlflow-keeps-the-largest-of-the-losses-of-one-millisecond.sh   (installs mlflow-skinny==3.17.2 sqlalchemy==2.1.9 alembic==1.20.1 in a temporary folder; exits with 1 if the behaviour has changed)
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
cd "$work"
"${PYTHON:-python3}" -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check mlflow-skinny==3.17.2 sqlalchemy==2.1.9 alembic==1.20.1
env/bin/python - <<'END'
import logging
import math
import os

os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
logging.disable(logging.WARNING)
from mlflow import MlflowClient

client = MlflowClient("sqlite:///runs.db")
experiment = client.create_experiment("recommender")
run = client.create_run(experiment).info.run_id
for value in (0.9, 0.5, 0.7):
    client.log_metric(run, "loss", value, timestamp=1000)
for value in (0.4, math.nan):
    client.log_metric(run, "diverged", value, timestamp=1000)
for number, value in enumerate((0.9, 0.5, 0.7)):
    client.log_metric(run, "slow", value, timestamp=1000 + number)
final = client.get_run(run).data.metrics
history = [one.value for one in client.get_metric_history(run, "loss")]
print(f"0.9, 0.5, 0.7 in one millisecond: {final['loss']}, history {history}; in three: {final['slow']}; 0.4 and NaN: {final['diverged']}")
assert final == {"loss": 0.9, "diverged": 0.4, "slow": 0.7} and history == [0.5, 0.7, 0.9]
END
echo "as found: mlflow-keeps-the-largest-of-the-losses-of-one-millisecond"

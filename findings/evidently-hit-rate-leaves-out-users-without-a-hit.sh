#!/usr/bin/env bash
# evidently gives a hit rate of 1.0 to a recommender that hits one user of ten.
#
# Guess beforehand: a user whose list holds no item that was clicked counts as 0, so the hit rate is 0.1.
# Found: the table has one row for each recommended item and a target of 1 where it was clicked. Users whose rows are all 0 are taken for
# users who gave no answer and are left out, unless no_feedback_users=True. Then only users with a hit are left, and their hit rate is 1.0
# by its definition. Recall and MAP are taken over the same users. With no_feedback_users=True the hit rate is 0.1.
# Why it matters: in a log of what was shown, most users click nothing, and that is the answer. The metric cannot fall: a worse model has
# fewer users, and the rest looks as before. Two models are compared over different users.
# Output seen:
#   hit rate of the list of five: 1.0, with no_feedback_users 0.1; recall 1.0 and 0.1
# Usage: bash findings/evidently-hit-rate-leaves-out-users-without-a-hit.sh   (installs evidently==0.7.23 pandas==2.3.3 in a temporary folder; exits with 1 if the behaviour has changed)
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
cd "$work"
"${PYTHON:-python3}" -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check evidently==0.7.23 pandas==2.3.3
env/bin/python - <<'END'
import warnings

warnings.filterwarnings("ignore")
import pandas as pd
from evidently.legacy.metrics import HitRateKMetric, RecallTopKMetric
from evidently.legacy.pipeline.column_mapping import ColumnMapping
from evidently.legacy.report import Report

rows = [(user, item, 5.0 - item, int(user == 0 and item == 0)) for user in range(10) for item in range(5)]
table = pd.DataFrame(rows, columns=["user_id", "item_id", "prediction", "target"])
columns = ColumnMapping(recommendations_type="score", user_id="user_id", item_id="item_id", prediction="prediction", target="target")


def measured(metric: type, everybody: bool) -> float:
    report = Report(metrics=[metric(k=5, no_feedback_users=everybody)])
    report.run(reference_data=None, current_data=table, column_mapping=columns)
    return round(float(report.as_dict()["metrics"][0]["result"]["current"].iloc[-1]), 3)


hits = [measured(HitRateKMetric, everybody) for everybody in (False, True)]
recalls = [measured(RecallTopKMetric, everybody) for everybody in (False, True)]
print(f"hit rate of the list of five: {hits[0]}, with no_feedback_users {hits[1]}; recall {recalls[0]} and {recalls[1]}")
assert hits == [1.0, 0.1] and recalls == [1.0, 0.1]
END
echo "as found: evidently-hit-rate-leaves-out-users-without-a-hit"

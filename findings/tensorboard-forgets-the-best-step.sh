#!/usr/bin/env bash
# TensorBoard's reader keeps 10,000 of 15,000 logged values and forgets the best one.
#
# Guess beforehand: EventAccumulator reads what was logged; the largest value of a curve is the largest value that was logged.
# Found: it keeps 10,000 values of a scalar, a random sample (with a fixed seed) of all but the last. Of 15,000 steps, every third is
# gone. A score of 0.9 at step 7,000 among scores of 0.1 is not there, at each reading; size_guidance={"scalars": 0} reads all. Of
# values that were logged as tensors, which is how TensorFlow 2 writes scalars, it keeps ten.
# Why it matters: scripts that compare runs ("best NDCG and its step") read event files with it, and so do tables made from the runs.
# Long runs lose their best step, short ones do not, and the comparison of the two is of other things.
# Output seen:
#   as it comes 10000 values, the best 0.1; with scalars: 0 15000 values, the best 0.9
# Usage: bash findings/tensorboard-forgets-the-best-step.sh   (installs tensorboard==2.21.0 numpy==2.4.6 in a temporary folder; exits with 1 if the behaviour has changed)
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
cd "$work"
"${PYTHON:-python3}" -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check tensorboard==2.21.0 numpy==2.4.6
env/bin/python - <<'END'
import logging
import os

logging.disable(logging.WARNING)
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
from tensorboard.backend.event_processing.event_accumulator import DEFAULT_SIZE_GUIDANCE, EventAccumulator
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.summary.writer.event_file_writer import EventFileWriter

writer = EventFileWriter("run")
for step in range(15_000):
    score = 0.9 if step == 7000 else 0.1
    writer.add_event(Event(step=step, wall_time=step, summary=Summary(value=[Summary.Value(tag="ndcg", simple_value=score)])))
writer.close()
found = {}
for name, guidance in (("as it comes", {}), ("with scalars: 0", {"scalars": 0})):
    reader = EventAccumulator("run", size_guidance=guidance)
    reader.Reload()
    values = reader.Scalars("ndcg")
    found[name] = (len(values), round(max(one.value for one in values), 2))
print("; ".join(f"{name} {count} values, the best {best}" for name, (count, best) in found.items()))
assert found == {"as it comes": (10_000, 0.1), "with scalars: 0": (15_000, 0.9)} and DEFAULT_SIZE_GUIDANCE["tensors"] == 10
END
echo "as found: tensorboard-forgets-the-best-step"

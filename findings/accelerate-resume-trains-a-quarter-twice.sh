#!/usr/bin/env bash
# Resumed in the middle of an epoch as accelerate shows it, a training sees a quarter of all rows twice in that epoch, and a quarter never.
#
# Guess beforehand: load_state and skip_first_batches go on where the training stopped: save_state keeps the random numbers for that.
# Found: the order of an epoch is drawn at its start. load_state restores the random numbers of the moment of saving, so the epoch that is
# resumed is shuffled anew, and the batches that are skipped are not those that were trained. Of 400 rows, 200 were trained before the
# stop, and about half of the 200 that follow are among them. With use_seedable_sampler=True and set_epoch the rest is exactly what was
# left; with that sampler but without set_epoch, more than 50 rows come twice, too. Nothing is logged.
# Why it matters: long epochs are resumed after each preemption, and rows trained twice are learned by heart while others are never seen.
# The epoch of the stop is the only wrong one, and the number of steps is right, so nothing shows it.
# Output seen:
#   default: 200 rows after the stop, a quarter to a third of all rows seen twice True, as many never True
#   with set_epoch: default the same True; with a seedable sampler 0 twice and 0 never; that without set_epoch more than 50 twice True
# Usage: bash findings/accelerate-resume-trains-a-quarter-twice.sh   (installs accelerate==1.15.0 torch==2.13.0 numpy==2.4.6 in a temporary folder; exits with 1 if the behaviour has changed)
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
cd "$work"
"${PYTHON:-python3}" -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check accelerate==1.15.0 torch==2.13.0 numpy==2.4.6
env/bin/python - <<'END'
import shutil

import torch
from accelerate import Accelerator, DataLoaderConfiguration, skip_first_batches
from accelerate.state import AcceleratorState
from accelerate.utils import set_seed


def start(seedable: bool):
    AcceleratorState._reset_state(True)
    set_seed(0)
    accelerator = Accelerator(cpu=True, dataloader_config=DataLoaderConfiguration(use_seedable_sampler=seedable))
    model = torch.nn.Linear(1, 1)
    rows = torch.utils.data.DataLoader(torch.arange(400.0)[:, None], batch_size=4, shuffle=True)
    return accelerator, *accelerator.prepare(model, torch.optim.SGD(model.parameters(), 0.1), rows)


def resumed(seedable: bool, numbered: bool) -> tuple[int, int, int]:
    """Rows after the stop in the middle of epoch 1, rows of that epoch seen twice, and rows never seen in it."""
    shutil.rmtree("state", ignore_errors=True)
    accelerator, model, optimizer, rows = start(seedable)
    done = []
    for epoch in range(2):
        if numbered:
            rows.set_epoch(epoch)
        for number, batch in enumerate(rows):
            if epoch == 1 and number < 50:
                done += batch.flatten().int().tolist()
            if epoch == 1 and number == 49:
                accelerator.save_state("state")
                break
    accelerator, model, optimizer, rows = start(seedable)
    accelerator.load_state("state")
    rest = skip_first_batches(rows, 50)
    if numbered:
        rest.set_epoch(1)
    after = [one for batch in rest for one in batch.flatten().int().tolist()]
    return len(after), len(set(done) & set(after)), 400 - len(set(done) | set(after))


plain, plain_numbered = resumed(False, False), resumed(False, True)
quarter = 80 <= plain[1] <= 130
print(f"default: {plain[0]} rows after the stop, a quarter to a third of all rows seen twice {quarter}, as many never {plain[1] == plain[2]}")
right, other = resumed(True, True), resumed(True, False)
print(f"with set_epoch: default the same {plain_numbered == plain}; with a seedable sampler {right[1]} twice and {right[2]} never; that without set_epoch more than 50 twice {other[1] > 50}")
assert plain[0] == 200 and quarter and plain[1] == plain[2]
assert plain_numbered == plain and right == (200, 0, 0) and other[1] > 50
END
echo "as found: accelerate-resume-trains-a-quarter-twice"

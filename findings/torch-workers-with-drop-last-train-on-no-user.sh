#!/usr/bin/env bash
# A torch DataLoader of 100 users in batches of 32 gives 3 batches, and none with 4 workers, although its length is 3 both times.
#
# Guess beforehand: workers only load. 3 batches of 32 come out with any number of them, as len(loader) says, and 4 users are left out.
# Found: over an IterableDataset that is shared out among the workers as torch's documentation shows it, each worker makes batches of its own
# part, and drop_last drops the last batch of each. Two workers have 50 users each: 2 batches. Four have 25 each: no batch at all. A list of
# the same users in place of the stream gives 3 batches with any number. len(loader) stays 3.
# Why it matters: the users at the end of each part are never trained on, in no epoch, and how many depends on the machine's worker count. A
# small catalogue trains for all its epochs on nothing, and a learning rate planned by len(loader) never comes down.
# Output seen:
#   stream: 0 workers 3 of 3 batches, 96 users; 2 workers 2 of 3 batches, 64 users; 4 workers 0 of 3 batches, 0 users
#   list: 0 workers 3 of 3 batches, 96 users; 2 workers 3 of 3 batches, 96 users; 4 workers 3 of 3 batches, 96 users
# Usage: bash findings/torch-workers-with-drop-last-train-on-no-user.sh   (installs torch==2.13.0 numpy==2.4.6 in a temporary folder; exits with 1 if the behaviour has changed)
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
cd "$work"
"${PYTHON:-python3}" -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check torch==2.13.0 numpy==2.4.6
cat >run.py <<'END'

import torch
from torch.utils.data import DataLoader, IterableDataset, get_worker_info


class Users(IterableDataset):
    def __len__(self):
        return 100

    def __iter__(self):
        worker = get_worker_info()
        return iter(range(100) if worker is None else range(worker.id, 100, worker.num_workers))


def told(data, workers):
    loader = DataLoader(data, batch_size=32, drop_last=True, num_workers=workers)
    batches = list(loader)
    return len(batches), len(loader), len({int(user) for batch in batches for user in batch})


if __name__ == "__main__":
    torch.set_num_threads(1)
    stream, table = ([told(data, workers) for workers in (0, 2, 4)] for data in (Users(), list(range(100))))
    for name, seen in (("stream", stream), ("list", table)):
        print(f"{name}: " + "; ".join(f"{n} workers {b} of {l} batches, {u} users" for n, (b, l, u) in zip((0, 2, 4), seen)))
    assert stream == [(3, 3, 96), (2, 3, 64), (0, 3, 0)] and table == [(3, 3, 96)] * 3
END
env/bin/python run.py
echo "as found: torch-workers-with-drop-last-train-on-no-user"

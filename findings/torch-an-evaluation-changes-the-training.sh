#!/usr/bin/env bash
# A pass over an unshuffled DataLoader changes the training that follows it, although it needs no random number.
#
# Guess beforehand: shuffle=False and a dataset without randomness draw nothing; evaluating more often leaves the training as it is.
# Found: every iterator of a DataLoader draws one number from torch's global generator, for workers that may not exist (num_workers=0).
# One evaluation after each epoch, in eval mode and under no_grad, and the model trained with the same seed ends with other weights:
# another order of batches and other dropout from the second epoch on. With generator=torch.Generator() for the evaluation, weights are
# equal.
# Why it matters: "same seed, same run" fails when someone evaluates every 500 steps instead of every 1,000, adds a second test set or
# switches validation off. The difference between two settings is then also a difference of seeds.
# Output seen:
#   weights equal to those of the run without evaluation: evaluated False, evaluated with a generator of its own True
# Usage: bash findings/torch-an-evaluation-changes-the-training.sh   (installs torch==2.13.0 numpy==2.4.6 in a temporary folder; exits with 1 if the behaviour has changed)
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
cd "$work"
"${PYTHON:-python3}" -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check torch==2.13.0 numpy==2.4.6
env/bin/python - <<'END'
import torch
from torch.utils.data import DataLoader, TensorDataset


def train(evaluated: DataLoader | None) -> torch.Tensor:
    torch.manual_seed(0)
    items, right = torch.randn(64, 8), torch.randn(64, 1)
    model = torch.nn.Sequential(torch.nn.Linear(8, 8), torch.nn.Dropout(0.1), torch.nn.Linear(8, 1))
    steps = torch.optim.SGD(model.parameters(), lr=0.1)
    for _ in range(3):
        for rows, wanted in DataLoader(TensorDataset(items, right), batch_size=16, shuffle=True):
            steps.zero_grad()
            torch.nn.functional.mse_loss(model.train()(rows), wanted).backward()
            steps.step()
        if evaluated is not None:
            with torch.no_grad():
                for (rows,) in evaluated:
                    model.eval()(rows)
    return model[0].weight.detach()


held_out = TensorDataset(torch.arange(80.0).reshape(10, 8))
plain = train(None)
other = torch.equal(plain, train(DataLoader(held_out, batch_size=5, shuffle=False)))
apart = torch.equal(plain, train(DataLoader(held_out, batch_size=5, shuffle=False, generator=torch.Generator())))
print(f"weights equal to those of the run without evaluation: evaluated {other}, evaluated with a generator of its own {apart}")
assert torch.equal(plain, train(None)) and not other and apart
END
echo "as found: torch-an-evaluation-changes-the-training"

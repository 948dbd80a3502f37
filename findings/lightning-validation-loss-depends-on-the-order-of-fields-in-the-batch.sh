#!/usr/bin/env bash
# Lightning's validation loss of the same model and the same batches is 0.5 or 0.25, by which field of the batch stands first.
#
# Guess beforehand: the mean over an epoch weighs every batch by its users, or every batch alike.
# Found: self.log takes the size of the first tensor that it finds in the batch, in the order of the fields. Two batches of two users, with
# losses of 1 and 0: if the field "loss" is first, the weights are 2 and 2. If the flat list of all items of the histories is first, the
# weights are 10 and 30, and the loss is halved. A warning about an ambiguous batch size names the size that was taken. self.log(...,
# batch_size=2) gives 0.5 in both.
# Why it matters: batches of histories without padding hold such flat lists, offsets and scalars beside the users. A collate function that
# adds a field in front changes all curves, early stopping and the checkpoint that is kept, and nothing about the model has changed.
# Output seen:
#   loss first: 0.5, items first: 0.25, items first with batch_size: 0.5
# Usage: bash findings/lightning-validation-loss-depends-on-the-order-of-fields-in-the-batch.sh   (installs lightning==2.6.6 torch==2.13.0 numpy==2.3.5 in a temporary folder; exits with 1 if the behaviour has changed)
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
cd "$work"
"${PYTHON:-python3}" -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check lightning==2.6.6 torch==2.13.0 numpy==2.3.5
env/bin/python - <<'END'
import logging
import warnings

import lightning
import torch

logging.disable(logging.WARNING)
warnings.filterwarnings("ignore")


class Model(lightning.LightningModule):
    def __init__(self, users: int | None):
        super().__init__()
        self.users = users

    def validation_step(self, batch, number):
        self.log("loss", batch["loss"].mean(), batch_size=self.users)


def figure(fields: tuple[str, ...], users: int | None = None) -> float:
    batches = [
        {"items": torch.zeros(10), "loss": torch.ones(2)},
        {"items": torch.zeros(30), "loss": torch.zeros(2)},
    ]
    ordered = [{name: batch[name] for name in fields} for batch in batches]
    trainer = lightning.Trainer(accelerator="cpu", logger=False, enable_checkpointing=False, enable_progress_bar=False)
    loader = torch.utils.data.DataLoader(ordered, batch_size=None)
    return trainer.validate(Model(users), loader, verbose=False)[0]["loss"]


found = figure(("loss", "items")), figure(("items", "loss")), figure(("items", "loss"), users=2)
print(f"loss first: {found[0]}, items first: {found[1]}, items first with batch_size: {found[2]}")
assert found == (0.5, 0.25, 0.5)
END
echo "as found: lightning-validation-loss-depends-on-the-order-of-fields-in-the-batch"

#!/usr/bin/env bash
# With class weights, torch's label smoothing of 0.1 makes a loss of 1.1 one of 415, and the best item becomes one of the rarest.
#
# Guess beforehand: smoothing gives a tenth of the target to all items alike, and weights say how much a row counts; together, 0.1 stays
# 0.1.
# Found: the smoothed tenth is weighted item by item with the weights of all items, and then divided by the weight of the target alone.
# With weights of one by popularity (1,000 items, Zipf) a batch of the most popular item has a loss of 0.29, with smoothing 1.09, with
# weights 0.29, and with both 415: all but a thousandth of it comes from the smoothing. A model without input of 100 such items, which
# learns popularity, has the most popular one as the best with smoothing, all items equal with weights, and one of the rarest as the best
# with both. No warning.
# Why it matters: both are usual against popularity, and each alone does what it says. Together, gradients of popular batches are hundreds
# of times larger, so that clipping and Adam's memory follow them, and the list is turned around.
# Output seen:
#   loss of a popular batch: plain 0.29, smoothing 1.09, weights 0.29, both 415
#   best item of a model without input: smoothing 0, weights and smoothing 90, with 1.6 times the chance of item 0
# Usage: bash findings/torch-label-smoothing-with-weights-forgets-the-target.sh   (installs torch==2.13.0 numpy==2.3.5 in a temporary folder; exits with 1 if the behaviour has changed)
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
cd "$work"
"${PYTHON:-python3}" -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check torch==2.13.0 numpy==2.3.5
env/bin/python - <<'END'
import torch

torch.set_num_threads(1)
popular = 1 / torch.arange(1, 1001, dtype=torch.float64)
popular /= popular.sum()
weights = 1 / popular
weights /= weights.mean()
loss = torch.nn.functional.cross_entropy
logits, targets = torch.zeros(64, 1000, dtype=torch.float64), torch.zeros(64, dtype=torch.long)
logits[:, 0] = 8
cases = {"plain": {}, "smoothing": {"label_smoothing": 0.1}, "weights": {"weight": weights}, "both": {"weight": weights, "label_smoothing": 0.1}}
seen = {name: loss(logits, targets, **case).item() for name, case in cases.items()}
print("loss of a popular batch:", ", ".join(f"{name} {value:.0f}" if value > 100 else f"{name} {value:.2f}" for name, value in seen.items()))


def learned(case: dict[str, object]) -> torch.Tensor:
    """Chances of a model of one logit an item, after training on a batch of 100 items in which each has its popularity."""
    counts = 1000 // torch.arange(1, 101)
    batch = torch.repeat_interleave(torch.arange(100), counts)
    case = {**case, "weight": 1 / counts.double()} if "weight" in case else case
    bias = torch.zeros(100, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS([bias], max_iter=100, line_search_fn="strong_wolfe")

    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        value = loss(bias.expand(len(batch), 100), batch, **case)
        value.backward()
        return value

    optimizer.step(closure)
    return bias.detach().softmax(0)


smooth, both = learned(cases["smoothing"]), learned(cases["both"])
ratio = (both[99] / both[0]).item()
print(f"best item of a model without input: smoothing {smooth.argmax()}, weights and smoothing {both.argmax()}, with {ratio:.1f} times the chance of item 0")
assert seen["smoothing"] < 1.2 and seen["weights"] < 0.3 and seen["both"] > 400 and smooth.argmax() == 0 and both.argmax() >= 90 and ratio > 1.4
END
echo "as found: torch-label-smoothing-with-weights-forgets-the-target"

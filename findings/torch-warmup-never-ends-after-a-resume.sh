#!/usr/bin/env bash
# Resumed with torch's LinearLR, a training stays at a tenth of its learning rate to the end. With StepLR it is right.
#
# Guess beforehand: with the state of optimizer and scheduler loaded, the learning rate goes on as if there had been no stop.
# Found: making a scheduler writes its first rate into the optimizer. Made after the optimizer's state was loaded, it writes over the rate that
# was restored, and the state of the scheduler, loaded last, does not put it back. LambdaLR and OneCycleLR are wrong for one step, as they
# compute the rate anew. LinearLR, and with it SequentialLR and ChainedScheduler, multiply the rate that they find: warm-up to 0.1
# from 0.01, stopped after it, goes on at 0.01, and the cosine behind it is a tenth of what it should be at each step. StepLR,
# ExponentialLR and CosineAnnealingLR do not write at the start: the same lines of code are right with them.
# Why it matters: warm-up and cosine is the usual plan for a language model, and long trainings are resumed. The loss goes on falling, only
# more slowly, and the scheduler's own get_last_lr tells the low rate as if it were planned.
# Output seen:
#   rate at steps 10, 11, 20, without a stop and resumed at 10, warm-up and cosine: 0.0905, 0.0864, 0.0345 and 0.0100, 0.0096, 0.0038
#   steps of 20 with a wrong rate: StepLR 0, ExponentialLR 0, CosineAnnealingLR 0, LambdaLR 1, OneCycleLR 1, LinearLR 20, SequentialLR 20
#   scheduler made before the optimizer's state is loaded: 0 for all
# Usage: bash findings/torch-warmup-never-ends-after-a-resume.sh   (installs torch==2.13.0 numpy==2.4.6 in a temporary folder; exits with 1 if the behaviour has changed)
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
cd "$work"
"${PYTHON:-python3}" -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check torch==2.13.0 numpy==2.4.6
env/bin/python - <<'END'
import copy
import warnings

warnings.simplefilter("ignore")
import torch
from torch.optim import lr_scheduler as schedules

PLANS = {
    "StepLR": lambda steps: schedules.StepLR(steps, 5),
    "ExponentialLR": lambda steps: schedules.ExponentialLR(steps, 0.9),
    "CosineAnnealingLR": lambda steps: schedules.CosineAnnealingLR(steps, 30),
    "LambdaLR": lambda steps: schedules.LambdaLR(steps, lambda step: min(1, step / 5) * 0.95**step),
    "OneCycleLR": lambda steps: schedules.OneCycleLR(steps, 0.1, 30),
    "LinearLR": lambda steps: schedules.LinearLR(steps, 0.1, 1, 5),
    "SequentialLR": lambda steps: schedules.SequentialLR(
        steps, [schedules.LinearLR(steps, 0.1, 1, 5), schedules.CosineAnnealingLR(steps, 25)], [5]
    ),
}


def rates(name: str, stop: int | None = None, plan_first: bool = False) -> list[float]:
    """Learning rates of 30 steps, with a resume from saved states before step `stop`."""
    weight, seen = torch.nn.Parameter(torch.zeros(1)), []
    steps = torch.optim.AdamW([weight], lr=0.1)
    plan = PLANS[name](steps)
    for step in range(30):
        if step == stop:
            saved = copy.deepcopy((steps.state_dict(), plan.state_dict()))
            steps = torch.optim.AdamW([weight], lr=0.1)
            if plan_first:
                plan = PLANS[name](steps)
                steps.load_state_dict(saved[0])
            else:
                steps.load_state_dict(saved[0])
                plan = PLANS[name](steps)
            plan.load_state_dict(saved[1])
        seen.append(steps.param_groups[0]["lr"])
        steps.step()
        plan.step()
    return seen


def wrong(name: str, plan_first: bool) -> int:
    return sum(abs(one - other) > 1e-9 for one, other in zip(rates(name), rates(name, 10, plan_first)))


found = {name: wrong(name, False) for name in PLANS}
whole, resumed = (", ".join(f"{one[step]:.4f}" for step in (10, 11, 20)) for one in (rates("SequentialLR"), rates("SequentialLR", 10)))
print(f"rate at steps 10, 11, 20, without a stop and resumed at 10, warm-up and cosine: {whole} and {resumed}")
print("steps of 20 with a wrong rate: " + ", ".join(f"{name} {count}" for name, count in found.items()))
print(f"scheduler made before the optimizer's state is loaded: {max(wrong(name, True) for name in PLANS)} for all")
expected = {"StepLR": 0, "ExponentialLR": 0, "CosineAnnealingLR": 0, "LambdaLR": 1, "OneCycleLR": 1, "LinearLR": 20, "SequentialLR": 20}
assert found == expected and not any(wrong(name, True) for name in PLANS)
ratio = [one / other for one, other in zip(rates("SequentialLR", 10)[10:], rates("SequentialLR")[10:])]
assert max(ratio) < 0.12
END
echo "as found: torch-warmup-never-ends-after-a-resume"

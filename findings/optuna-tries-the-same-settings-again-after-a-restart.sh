#!/usr/bin/env bash
# A search of Optuna with a seed that is stopped and gone on with twice tries 8 settings three times, not 24.
#
# Guess beforehand: the study is in the storage, so a restart goes on behind the last trial, as it would have without a stop.
# Found: trials are stored, the state of the sampler is not. A RandomSampler with a seed begins again, and its first 8 draws are those of
# the first start; so it is with the draws that TPESampler, the usual one, makes before it has ten trials. The same holds for
# workers that share a storage: three with one seed try the same. Without a seed, or with QMCSampler, which counts in the storage,
# there are 24. No message; the study counts 24 trials.
# Why it matters: searches run in jobs with a time limit, by several workers, and with a seed, so that they can be repeated. Two thirds of
# the trainings are spent on settings whose result is known, and "best of 24" is best of 8.
# Output seen:
#   different settings of 24, in one go and in three: RandomSampler 24 and 8, TPESampler 24 and 22, QMCSampler 24 and 24, unseeded 24 and 24
# Usage: bash findings/optuna-tries-the-same-settings-again-after-a-restart.sh   (installs optuna==5.0.0 scipy==1.17.1 numpy==2.4.6 in a temporary folder; exits with 1 if the behaviour has changed)
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
cd "$work"
"${PYTHON:-python3}" -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check optuna==5.0.0 scipy==1.17.1 numpy==2.4.6
env/bin/python - <<'END'
import warnings

warnings.simplefilter("ignore")
import optuna

optuna.logging.set_verbosity(optuna.logging.ERROR)
SAMPLERS = {
    "RandomSampler": lambda: optuna.samplers.RandomSampler(seed=0),
    "TPESampler": lambda: optuna.samplers.TPESampler(seed=0),
    "QMCSampler": lambda: optuna.samplers.QMCSampler(seed=0),
    "unseeded": lambda: optuna.samplers.RandomSampler(),
}


def score(trial: optuna.Trial) -> float:
    return trial.suggest_float("dropout", 0, 0.5) + trial.suggest_float("rate", 1e-5, 1e-1, log=True) + trial.suggest_int("layers", 1, 8)


def different(name: str, starts: int) -> int:
    """Different settings among 24 trials of one study, made in `starts` goes of equal size, each with a sampler of its own."""
    storage = optuna.storages.InMemoryStorage()
    for _ in range(starts):
        study = optuna.create_study(study_name="search", storage=storage, load_if_exists=True, sampler=SAMPLERS[name](), direction="maximize")
        study.optimize(score, n_trials=24 // starts)
    trials = study.trials
    assert len(trials) == 24
    return len({tuple(sorted(trial.params.items())) for trial in trials})


found = {name: (different(name, 1), different(name, 3)) for name in SAMPLERS}
told = ", ".join(f"{name} {once} and {thrice}" for name, (once, thrice) in found.items())
print(f"different settings of 24, in one go and in three: {told}")
assert found["RandomSampler"] == (24, 8) and found["TPESampler"][0] == 24 and 8 < found["TPESampler"][1] < 24
assert found["QMCSampler"] == found["unseeded"] == (24, 24)
END
echo "as found: optuna-tries-the-same-settings-again-after-a-restart"

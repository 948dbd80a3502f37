#!/usr/bin/env bash
# Makes its own environment, installs genrec with its development tools and runs the checks and the tests.
# Arguments go to pytest, which runs a worker on every core: -n 0 for one process, -m slow for the slow tests.
source "$(dirname "${BASH_SOURCE[0]}")/environment.sh" "[dev]"
export HF_HUB_OFFLINE=1
unset PYTHONDONTWRITEBYTECODE # tests start many processes: each would compile the package again
ruff check .
ruff format --check .
mypy
export PYTEST_XDIST_AUTO_NUM_WORKERS="${PYTEST_XDIST_AUTO_NUM_WORKERS:-$(python scripts/cores.py)}"
exec python -m pytest -n auto "$@"

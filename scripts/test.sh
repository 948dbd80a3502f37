#!/usr/bin/env bash
# Makes its own environment, installs genrec with its development tools and runs the checks and the tests.
source "$(dirname "${BASH_SOURCE[0]}")/environment.sh" "[dev]"
export HF_HUB_OFFLINE=1
ruff check .
ruff format --check .
mypy
exec python -m pytest "$@"

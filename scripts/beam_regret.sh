#!/usr/bin/env bash
# What beam width costs: exact scores of the whole catalogue against searches with 10, 20, 50 and 100 beams.
#
#   bash scripts/beam_regret.sh MODEL_FOLDER INTERACTIONS [USERS]
#
# About a minute of one core for every 100 users and 12,000 items, nearly all of it the exact scores.
# Writes scripts/results/beam-regret.{json,md}, anew after every width.
source "$(dirname "${BASH_SOURCE[0]}")/environment.sh" "[dev]"
export OMP_NUM_THREADS="${OMP_NUM_THREADS:-1}"
genrec bench regret "${1:?usage: bash scripts/beam_regret.sh MODEL_FOLDER INTERACTIONS [USERS]}" "${2:?}" \
    --users "${3:-1000}" --out scripts/results

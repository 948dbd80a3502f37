#!/usr/bin/env bash
# RecGPT on catalogues that it has never seen: leave one domain out, few-shot, ablations, cost.
#
#   bash scripts/recgpt_zero_shot.sh DATA_FOLDER [options of scripts/recgpt_zero_shot.py]
#
# DATA_FOLDER holds one folder a domain, each with items.jsonl and interactions.csv. Vectors of the texts take about
# 15 minutes of one core (once: they are cached), few-shot about three hours, everything else about two. Writes
# scripts/results/recgpt-*.{json,md} after every step; a stopped run continues where it was.
source "$(dirname "${BASH_SOURCE[0]}")/environment.sh" "[dev]"
export HF_HUB_OFFLINE=1
exec python scripts/recgpt_zero_shot.py "${@:?usage: bash scripts/recgpt_zero_shot.sh DATA_FOLDER}"

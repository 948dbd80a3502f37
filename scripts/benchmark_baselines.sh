#!/usr/bin/env bash
# Tables of all baselines for some datasets, leave-one-out and, where timestamps are real, global time.
#
#   bash scripts/benchmark_baselines.sh DATA_FOLDER [DATA_FOLDER …] [options of benchmark_baselines.py]
#
# A DATA_FOLDER holds items.jsonl and interactions.csv. Writes scripts/results/baselines-NAME.{json,md} after every
# baseline; a stopped run continues where it was. Seconds for most baselines, minutes for sasrec and bert4rec.
source "$(dirname "${BASH_SOURCE[0]}")/environment.sh" "[dev]"
export HF_HUB_OFFLINE=1
exec python scripts/benchmark_baselines.py "${@:?usage: bash scripts/benchmark_baselines.sh DATA_FOLDER …}"

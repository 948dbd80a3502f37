#!/usr/bin/env bash
# Table of all shipped recipes on real catalogues, with all-MiniLM-L6-v2 in the place of lsa.
#
#   bash scripts/benchmark_tokenizers.sh DATA_FOLDER [DATA_FOLDER …] [options of benchmark_tokenizers.py]
#
# A DATA_FOLDER holds items.jsonl and interactions.csv. Sentence vectors: 2 to 4 minutes a catalogue the first time,
# then cached. Seconds to a few minutes a recipe. Writes scripts/results/tokenizers.{json,md} after every recipe; a
# stopped run continues where it was.
source "$(dirname "${BASH_SOURCE[0]}")/environment.sh" "[dev]"
export HF_HUB_OFFLINE=1
exec python scripts/benchmark_tokenizers.py "${@:?usage: bash scripts/benchmark_tokenizers.sh DATA_FOLDER …}"

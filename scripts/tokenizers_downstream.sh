#!/usr/bin/env bash
# What learned semantic IDs are worth: the same training budget with one recipe after the other, random ones included.
#
#   bash scripts/tokenizers_downstream.sh DATA_FOLDER [RECIPE …]
#
# DATA_FOLDER holds items.jsonl and interactions.csv. Writes scripts/results/tokenizers-downstream.{json,md} after every
# recipe; a stopped run continues where it was, and recipes that are already in the table are not run again.
source "$(dirname "${BASH_SOURCE[0]}")/environment.sh" "[dev]"
data="${1:?usage: bash scripts/tokenizers_downstream.sh DATA_FOLDER [RECIPE …]}"
shift
recipes=("$@")
[ ${#recipes[@]} -gt 0 ] || recipes=(random-3x256 rq-kmeans-3x256 rq-kmeans-3x256-minilm-fused rq-vae-3x256 fsq-small
    rq-kmeans-4x256 $(cd tokenizers && ls *.yaml | sed 's/\.yaml$//' | grep -v -x -e demo -e fsq-recgpt -e fsq-recgpt-minilm))
export HF_HUB_OFFLINE=1

# About 5 CPU minutes a recipe on Amazon Beauty: d128, 5 epochs, 5,000 users of validation and of test.
for recipe in "${recipes[@]}"; do
    python scripts/tokenizers_downstream.py "$data" --tokenizers "$recipe" \
        --set trainer.num_train_epochs=5 trainer.learning_rate=2.0e-3 trainer.warmup_steps=50
done

#!/usr/bin/env bash
# Amazon Beauty (5-core, leave-one-out) from the two tables to the result table: index, train and evaluate, per seed.
#
#   bash scripts/amazon_beauty.sh DATA_FOLDER [SEED …]
#
# DATA_FOLDER holds items.jsonl and interactions.csv (genrec data prepare amazon-2014 makes them from the raw dumps).
# Writes runs/RESULT/ and scripts/results/RESULT.{json,md}. A stopped run continues where it was. RESULT is amazon-beauty; other
# presets and tokenizers get another one:
#
#   RESULT=amazon-beauty-recgpt PRESET=recgpt-small TOKENIZER=fsq-recgpt-minilm bash scripts/amazon_beauty.sh DATA_FOLDER
source "$(dirname "${BASH_SOURCE[0]}")/environment.sh" "[dev]"
data="${1:?usage: bash scripts/amazon_beauty.sh DATA_FOLDER [SEED …]}"
shift
seeds=("$@")
[ ${#seeds[@]} -gt 0 ] || seeds=(0 1 2)
name="${RESULT:-amazon-beauty}"
out="${OUT_FOLDER:-runs/$name}"
preset="${PRESET:-amazon-beauty}"
tokenizer="${TOKENIZER:-rq-kmeans-3x256-minilm-fused}"
export HF_HUB_OFFLINE=1

# About 2 minutes: all-MiniLM-L6-v2 over 12,101 items (cached), fused with co-occurrence of the training part.
[ -d "$out/index" ] || genrec index build "$data/items.jsonl" --interactions "$data/interactions.csv" \
    --tokenizer "$tokenizer" --out "$out/index"
genrec index show "$out/index" >"$out/index.md"

# Every evaluation twice: as trained, and without transition counts and words, so that one sees what the network knows.
for seed in "${seeds[@]}"; do
    model="$out/model-$seed"
    genrec train "$out/index" "$data/interactions.csv" --config "$preset" --set "seed=$seed" --out "$model"
    for part in validation test; do
        for prior in with without; do
            report="$out/$part-$prior-prior-$seed"
            options=(--part "$part" --dataset amazon2014-beauty --out "$report")
            [ "$prior" = with ] || options+=(--set prior=null --set words=0)
            [ -d "$report" ] || genrec evaluate "$model" "$data/interactions.csv" "${options[@]}"
        done
    done
done

variables=()
for variable in RESULT PRESET TOKENIZER; do
    [ -z "${!variable:-}" ] || variables+=("$variable=${!variable}")
done
python scripts/collect_results.py "$name" --title "Amazon Beauty, leave-one-out, full ranking, item level: $preset" \
    --command "${variables[*]:+${variables[*]} }bash scripts/amazon_beauty.sh DATA_FOLDER ${seeds[*]}" "$out"

#!/usr/bin/env bash
# Language models on Amazon Beauty, ten variants on the same budget: index, train and evaluate each, one table.
#
#   bash scripts/llm_beauty.sh DATA_FOLDER TEXT_LM_FOLDER [VARIANT …]
#
# DATA_FOLDER holds items.jsonl and interactions.csv; TEXT_LM_FOLDER/{decoder,t5} come from scripts/pretrain_text_lm.py.
# Writes runs/llm-beauty/ and, after every variant, scripts/results/llm.{json,md}. A stopped run continues where it was.
# ROWS (training examples of every variant) and USERS (fixed sample of each held-out part) set what it costs.
source "$(dirname "${BASH_SOURCE[0]}")/environment.sh" "[dev]"
data="${1:?usage: bash scripts/llm_beauty.sh DATA_FOLDER TEXT_LM_FOLDER [VARIANT …]}"
lm="${2:?usage: bash scripts/llm_beauty.sh DATA_FOLDER TEXT_LM_FOLDER [VARIANT …]}"
shift 2
variants=("$@")
[ ${#variants[@]} -gt 0 ] || variants=(lora lora-without-code-rows full from-scratch alignment-tasks trie-masked
    minilm-encoder item-head item-head-38k seq2seq-lora seq2seq-lora-pairs)
out="${OUT_FOLDER:-runs/llm-beauty}"
rows="${ROWS:-6400}"
users="${USERS:-1000}"
tokenizer="${TOKENIZER:-rq-kmeans-3x256-minilm-fused}"
export HF_HUB_OFFLINE=1

[ -d "$out/index" ] || genrec index build "$data/items.jsonl" --interactions "$data/interactions.csv" \
    --tokenizer "$tokenizer" --out "$out/index"

# The rows of scripts/results/llm.json were made before code rows were fitted and lists went on; scripts/llm_real.py has both.
before=(--set model.trie_masked_loss=false --set model.llm.fit_code_rows=0 --set model.llm.code_rows=codebooks
    --set 'tasks=[{prompt: next-item}]')

settings() { # what a variant changes, one setting a line
    case "$1" in
    lora) ;;
    lora-without-code-rows) echo model.llm.train_code_rows=false ;;
    full) printf '%s\n' model.llm.tuning=full trainer.learning_rate=1.0e-3 ;;
    from-scratch) printf '%s\n' model.llm.tuning=full model.llm.random_weights=true trainer.learning_rate=1.0e-3 ;;
    alignment-tasks) # the longest titles need more room than codes do
        printf '%s\n' prompts.max_tokens=320 \
            'tasks=[{prompt: next-item, weight: 2}, {prompt: title-to-id}, {prompt: id-to-title}]'
        ;;
    trie-masked) echo model.trie_masked_loss=true ;;
    minilm-encoder)
        printf '%s\n' model.architecture=text-encoder model.checkpoint=minilm 'tasks=[{prompt: next-item-titles}]' \
            prompts.max_tokens=256
        ;;
    item-head) echo model.architecture=item-head ;;
    item-head-38k) # as many targets as whole histories have
        printf '%s\n' model.architecture=item-head prompts.rows_per_epoch=38000
        ;;
    seq2seq-lora) echo "model.checkpoint=$lm/t5" ;;
    seq2seq-lora-pairs) printf '%s\n' "model.checkpoint=$lm/t5" examples.mode=prefixes ;;
    *) echo "unknown variant: $1" >&2 && return 1 ;;
    esac
}

for variant in "${variants[@]}"; do
    changed="$(settings "$variant")"
    sets=()
    while IFS= read -r setting; do [ -z "$setting" ] || sets+=(--set "$setting"); done <<<"$changed"
    genrec train "$out/index" "$data/interactions.csv" --config llm-decoder-lora --out "$out/model-$variant" \
        --set "model.checkpoint=$lm/decoder" --set trainer.learning_rate=2.0e-3 --set trainer.num_train_epochs=1 \
        --set trainer.per_device_train_batch_size=16 --set trainer.warmup_steps=20 --set "prompts.rows_per_epoch=$rows" \
        --set prompts.max_tokens=192 --set model.max_items=10 --set "validation.users=100" "${before[@]}" "${sets[@]}"
    for part in validation test; do
        [ -d "$out/$part-$variant" ] || genrec evaluate "$out/model-$variant" "$data/interactions.csv" --part $part \
            --users "$users" --beams 20 --baseline popularity --dataset amazon2014-beauty --out "$out/$part-$variant"
    done
    python scripts/llm_results.py "$out" --command "bash scripts/llm_beauty.sh DATA_FOLDER TEXT_LM_FOLDER"
done

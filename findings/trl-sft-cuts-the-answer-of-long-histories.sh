#!/usr/bin/env bash
# TRL's SFTTrainer keeps a long prompt and cuts the answer: users with long histories train on half an item, or not at all.
#
# Guess beforehand: of prompt and completion, the completion is kept and the prompt is shortened from the left, or it raises.
# Found: max_length is 1,024 unless set, and what lies behind is cut off. A prompt of 1,022 tokens keeps two tokens of its
# answer, one of 1,023 keeps one (a semantic ID without its last codes, no end token). Longer ones lose the whole answer, and
# the example is dropped. A progress bar ("Dropping fully masked examples") is all that one sees: no count, no warning.
# Why it matters: histories written as text pass 1,024 tokens easily; the model never sees its best customers.
# Output seen:
#   5 examples become 3; tokens of the answer (3 with the end token) that are left: [1, 2, 3]
# Usage: bash findings/trl-sft-cuts-the-answer-of-long-histories.sh   (installs trl==1.16.0 transformers==5.23.0 datasets==5.2.0 accelerate==1.15.0 torch==2.13.0 numpy==2.3.5 in a temporary folder; exits with 1 if the behaviour has changed)
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
cd "$work"
"${PYTHON:-python3}" -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check trl==1.16.0 transformers==5.23.0 datasets==5.2.0 accelerate==1.15.0 torch==2.13.0 numpy==2.3.5
env/bin/python - <<'END'
import logging, warnings

warnings.filterwarnings("ignore")
from datasets import Dataset
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast
from trl import SFTConfig, SFTTrainer

words = [f"w{n}" for n in range(50)]
plain = Tokenizer(models.WordLevel({word: n for n, word in enumerate(["<pad>", "</s>", "<unk>", *words])}, unk_token="<unk>"))
plain.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
tokenizer = PreTrainedTokenizerFast(tokenizer_object=plain, pad_token="<pad>", eos_token="</s>", unk_token="<unk>")
shape = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "num_key_value_heads": 2}
model = LlamaForCausalLM(LlamaConfig(vocab_size=53, max_position_embeddings=4096, **shape))
rows = [{"prompt": " ".join(words[n % 50] for n in range(length)), "completion": " w7 w8"} for length in (2000, 1500, 1023, 1022, 100)]
settings = SFTConfig(output_dir="out", report_to=[], use_cpu=True, max_steps=1, per_device_train_batch_size=1, save_strategy="no", disable_tqdm=True)
trainer = SFTTrainer(model=model, args=settings, train_dataset=Dataset.from_list(rows), processing_class=tokenizer)
left = sorted(int((batch["labels"] != -100).sum()) for batch in trainer.get_train_dataloader())
print(f"{len(rows)} examples become {len(left)}; tokens of the answer (3 with the end token) that are left: {left}")
assert settings.max_length == 1024 and left == [1, 2, 3]
END
echo "as found: trl-sft-cuts-the-answer-of-long-histories"

#!/usr/bin/env bash
# SentencePiece leaves out every history of more than 4,192 bytes when it is trained, so that their items are spelled as unknown.
#
# Guess beforehand: a long line is cut, or split into several; or the training refuses it.
# Found: max_sentence_length is 4,192 bytes unless set, and a longer line is left out as a whole. 50 users with 20 items each and 50 with
# 900: the words of the second half are not learned at all; "zebra" becomes unknown letters. The count of what was left out stands in the
# training log only, between hundreds of other lines. With max_sentence_length=100000 no piece is unknown.
# Why it matters: one history a line is how logs become training text, and titles of a few hundred items pass the limit. The tokenizer of
# a generative recommender then has never seen what the best customers buy, and gives them several unknown tokens.
# Output seen:
#   pieces of "item5 zebra": unknown 1 or more of them; with max_sentence_length=100000: unknown 0
# Usage: bash findings/sentencepiece-never-reads-long-histories.sh   (installs sentencepiece==0.2.3 in a temporary folder; exits with 1 if the behaviour has changed)
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
cd "$work"
"${PYTHON:-python3}" -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check sentencepiece==0.2.3
env/bin/python - <<'END'
import io

import sentencepiece

short = [" ".join(f"item{n % 9}" for n in range(20)) for _ in range(50)]
long = [" ".join("zebra" for n in range(900)) for _ in range(50)]


def unknown(**options: int) -> int:
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(short + long), model_writer=model, vocab_size=40, hard_vocab_limit=False, minloglevel=2, num_threads=1, **options
    )
    processor = sentencepiece.SentencePieceProcessor(model_proto=model.getvalue())
    return processor.encode("item5 zebra").count(processor.unk_id())


default, longer = unknown(), unknown(max_sentence_length=100_000)
print(f'pieces of "item5 zebra": unknown {"1 or more" if default else 0} of them; with max_sentence_length=100000: unknown {longer}')
assert default >= 1 and longer == 0
END
echo "as found: sentencepiece-never-reads-long-histories"

#!/usr/bin/env bash
# A BART made from its default configuration never generates the fourth of four codes: token 2 stands there for everybody.
#
# Guess beforehand: max_new_tokens=4 and a prefix function that allows ten codes at each of four steps give four codes.
# Found: BartConfig sets forced_eos_token_id=2, which generate takes over: the last token before the limit is set to 2, after the prefix
# function has spoken, greedy and with beams. Token 2 is not allowed by the function and no code of the last level. With a limit of 5,
# four codes come. The configurations of Marian, mBART and Pegasus have such a default, too; T5's has none.
# Why it matters: a model that was trained for semantic IDs without an end token, of a fixed length, gives IDs without a last code: all
# items that share the first three are one, and a look-up of the ID finds nothing. With T5 the same code is right.
# Output seen:
#   BART, limit 4: levels [0, 1, 2, 'token 2'], with beams [0, 1, 2, 'token 2']; limit 5: [0, 1, 2, 3, 'token 2']
#   T5, limit 4: levels [0, 1, 2, 3], with beams [0, 1, 2, 3]
# Usage: bash findings/transformers-bart-overwrites-the-last-code.sh   (installs transformers==5.23.0 torch==2.13.0 numpy==2.3.5 in a temporary folder; exits with 1 if the behaviour has changed)
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
cd "$work"
"${PYTHON:-python3}" -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check transformers==5.23.0 torch==2.13.0 numpy==2.3.5
env/bin/python - <<'END'
import torch
from transformers import BartConfig, BartForConditionalGeneration, T5Config, T5ForConditionalGeneration

torch.manual_seed(0)
sizes = {f"{side}_{name}": size for side in ("encoder", "decoder") for name, size in (("layers", 1), ("ffn_dim", 64), ("attention_heads", 2))}
bart = BartForConditionalGeneration(BartConfig(vocab_size=60, d_model=32, **sizes)).eval()
t5 = T5ForConditionalGeneration(T5Config(vocab_size=60, d_model=32, d_kv=8, d_ff=64, num_layers=1, num_heads=4, decoder_start_token_id=0)).eval()
history = torch.tensor([[15, 28, 37, 46]])


def codes(model, limit: int, beams: int) -> list:
    """Level of each generated token: level n has the tokens 10 + 10n to 19 + 10n."""
    out = model.generate(
        history,
        attention_mask=torch.ones_like(history),
        max_new_tokens=limit,
        num_beams=beams,
        do_sample=False,
        prefix_allowed_tokens_fn=lambda row, done: list(range(10 * len(done), 10 * len(done) + 10)),
    )
    return [one // 10 - 1 if one >= 10 else f"token {one}" for one in out[0, 1:].tolist()]


greedy, beams, longer = codes(bart, 4, 1), codes(bart, 4, 4), codes(bart, 5, 1)
print(f"BART, limit 4: levels {greedy}, with beams {beams}; limit 5: {longer}")
other = [codes(t5, 4, 1), codes(t5, 4, 4)]
print(f"T5, limit 4: levels {other[0]}, with beams {other[1]}")
assert greedy == beams == [0, 1, 2, "token 2"] and longer == [0, 1, 2, 3, "token 2"]
assert other == [[0, 1, 2, 3]] * 2
END
echo "as found: transformers-bart-overwrites-the-last-code"

#!/usr/bin/env bash
# One regular expression, three constrained decoders: llguidance never allows the tokens that were added for the codes.
#
# Guess beforehand: for <a_1><b_1>, every library allows the added token <a_1> first (and perhaps its spelling in single letters).
# Found: xgrammar and outlines-core allow the tokens <a_1> and <a_2>, and also "<", from which the same text is spelled letter by letter.
# llguidance allows "<" only, for a regular expression and for a quoted string: an added token is text to none of its rules,
# whether it was added as special or not. In its grammar, <a_1> without quotes is the way to name it.
# Why it matters: a model whose semantic IDs are added tokens gives them all its probability. Under llguidance it is forced to spell
# IDs that it never saw spelled; under the other two, spellings take places in the beam, and an ID has two token sequences.
# Output seen:
#   xgrammar ['<', '<a_1>', '<a_2>'], outlines ['<', '<a_1>', '<a_2>']
#   llguidance: regular expression ['<'], quoted ['<'], without quotes ['<a_1>', '<a_2>']
# Usage: bash findings/llguidance-never-allows-the-added-code-token.sh   (installs llguidance==1.9.1 xgrammar==0.2.8 outlines_core==0.2.14 transformers==5.23.0 torch==2.13.0 numpy==2.3.5 in a temporary folder; exits with 1 if the behaviour has changed)
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
cd "$work"
"${PYTHON:-python3}" -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check llguidance==1.9.1 xgrammar==0.2.8 outlines_core==0.2.14 transformers==5.23.0 torch==2.13.0 numpy==2.3.5
env/bin/python - <<'END'
import warnings

warnings.filterwarnings("ignore")
import llguidance.hf, llguidance.torch, outlines_core, torch, xgrammar
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

letters = pre_tokenizers.ByteLevel.alphabet()
plain = Tokenizer(models.BPE())
plain.pre_tokenizer, plain.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
plain.train_from_iterator(["soap and comb"] * 3, trainers.BpeTrainer(vocab_size=270, initial_alphabet=letters, special_tokens=["</s>"], show_progress=False))
tokenizer = PreTrainedTokenizerFast(tokenizer_object=plain, eos_token="</s>")
tokenizer.add_tokens(["<a_1>", "<a_2>", "<b_1>", "<b_2>"])
size = len(tokenizer)
codes = "<a_1><b_1>|<a_2><b_2>"


def names(mask: torch.Tensor) -> list[str]:
    return sorted(tokenizer.convert_ids_to_tokens(n) for n in range(size) if mask[0, n // 32].item() >> (n % 32) & 1)


mask = xgrammar.allocate_token_bitmask(1, size)
compiler = xgrammar.GrammarCompiler(xgrammar.TokenizerInfo.from_huggingface(tokenizer, vocab_size=size))
xgrammar.GrammarMatcher(compiler.compile_regex(f"({codes})")).fill_next_token_bitmask(mask)
found = {"xgrammar": names(mask)}
texts: dict[str, list[int]] = {}
for number in range(1, size):
    texts.setdefault(tokenizer.decode([number]), []).append(number)
guide = outlines_core.Guide(outlines_core.Index(codes, outlines_core.Vocabulary(0, texts)))
found["outlines"] = sorted(name for name in tokenizer.convert_ids_to_tokens(guide.get_tokens()) if name[0] == "<")
ready = llguidance.hf.from_tokenizer(tokenizer)
grammars = {
    "regular expression": f"start: /{codes}/",
    "quoted": 'start: "<a_1>" "<b_1>" | "<a_2>" "<b_2>"',
    "without quotes": "start: <a_1> <b_1> | <a_2> <b_2>",
}
for title, grammar in grammars.items():
    matcher = llguidance.LLMatcher(ready, llguidance.LLMatcher.grammar_from_lark(grammar))
    mask = llguidance.torch.allocate_token_bitmask(1, ready.vocab_size)
    llguidance.torch.fill_next_token_bitmask(matcher, mask)
    assert not matcher.get_error()
    found[title] = names(mask)
print(f"xgrammar {found['xgrammar']}, outlines {found['outlines']}")
print(f"llguidance: regular expression {found['regular expression']}, quoted {found['quoted']}, without quotes {found['without quotes']}")
assert found["xgrammar"] == found["outlines"] == ["<", "<a_1>", "<a_2>"]
assert found["regular expression"] == found["quoted"] == ["<"] and found["without quotes"] == ["<a_1>", "<a_2>"]
END
echo "as found: llguidance-never-allows-the-added-code-token"

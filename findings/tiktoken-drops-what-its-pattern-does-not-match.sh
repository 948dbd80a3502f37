#!/usr/bin/env bash
# tiktoken writes "wi-fi 5€ <a_2>" without the hyphen, the euro and the brackets, if the pattern of the tokenizer names words and spaces.
#
# Guess beforehand: the pattern says where a text is cut; what it does not match is a piece of its own, since all 256 bytes are in the
# vocabulary.
# Found: only matches are encoded, all between them is left out. With the pattern \w+|\s+ the text comes back as "wifi 5 a_2". The same
# pattern in Hugging Face's tokenizers (Split with behavior "isolated") keeps every character. A code of an item that is not registered as a
# special token loses its brackets and becomes a word.
# Why it matters: one writes a pattern of one's own for item codes and titles. Items that differ in signs only ("C", "C++", "C#") become one
# token list. Nothing is raised, and the lengths look right.
# Output seen:
#   tiktoken 'wifi 5 a_2', tokenizers 'wi-fi 5€ <a_2>'; different token lists of C, C++ and C#: tiktoken 1, tokenizers 3
# Usage: bash findings/tiktoken-drops-what-its-pattern-does-not-match.sh   (installs tiktoken==0.14.0 tokenizers==0.23.3 in a temporary folder; exits with 1 if the behaviour has changed)
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
cd "$work"
"${PYTHON:-python3}" -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check tiktoken==0.14.0 tokenizers==0.23.3
env/bin/python - <<'END'
import tiktoken
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers

PATTERN = r"\w+|\s+"
text, languages = "wi-fi 5€ <a_2>", ["C", "C++", "C#"]
plain = tiktoken.Encoding("plain", pat_str=PATTERN, mergeable_ranks={bytes([n]): n for n in range(256)}, special_tokens={})

alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
other = Tokenizer(models.BPE(vocab={letter: n for n, letter in enumerate(alphabet)}, merges=[]))
split = pre_tokenizers.Split(Regex(PATTERN), behavior="isolated")
other.pre_tokenizer = pre_tokenizers.Sequence([split, pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
other.decoder = decoders.ByteLevel()

back = plain.decode(plain.encode(text)), other.decode(other.encode(text).ids)
counts = len({tuple(plain.encode(one)) for one in languages}), len({tuple(other.encode(one).ids) for one in languages})
print(f"tiktoken {back[0]!r}, tokenizers {back[1]!r}; different token lists of C, C++ and C#: tiktoken {counts[0]}, tokenizers {counts[1]}")
assert back == ("wifi 5 a_2", text) and counts == (1, 3)
END
echo "as found: tiktoken-drops-what-its-pattern-does-not-match"

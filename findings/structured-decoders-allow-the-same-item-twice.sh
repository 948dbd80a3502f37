#!/usr/bin/env bash
# A JSON schema asks for different items (uniqueItems); three of four constrained decoders allow the same one twice, and say nothing.
#
# Guess beforehand: a decoder enforces the keyword, or says that it cannot.
# Found: xgrammar, outlines-core and lm-format-enforcer compile the schema without a word and accept ["soap", "soap"], which is not valid
# under it. llguidance refuses the schema and names the keyword.
# Why it matters: "a list of ten different products of this catalogue" is the schema of every recommender that answers in JSON, and language
# models repeat. The output is called valid by construction, so nobody checks it, and lists have fewer items than they claim.
# Output seen:
#   accept ["soap", "comb"]: xgrammar True, outlines-core True, lm-format-enforcer True
#   accept ["soap", "soap"]: xgrammar True, outlines-core True, lm-format-enforcer True
#   llguidance: Unimplemented keys: ["uniqueItems"]
# Usage: bash findings/structured-decoders-allow-the-same-item-twice.sh   (installs xgrammar==0.2.8 outlines_core==0.2.14 llguidance==1.9.1 lm-format-enforcer==0.11.3 transformers==5.23.0 torch==2.13.0 numpy==2.4.6 in a temporary folder; exits with 1 if the behaviour has changed)
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
cd "$work"
"${PYTHON:-python3}" -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check xgrammar==0.2.8 outlines_core==0.2.14 llguidance==1.9.1 lm-format-enforcer==0.11.3 transformers==5.23.0 torch==2.13.0 numpy==2.4.6
env/bin/python - <<'END'
import json
import re

import llguidance
import xgrammar
from lmformatenforcer import JsonSchemaParser
from outlines_core.json_schema import build_regex_from_schema

items = {"enum": ["soap", "comb"]}
schema = {"type": "array", "items": items, "minItems": 2, "maxItems": 2, "uniqueItems": True}
text = json.dumps(schema)
letters = ["<end>", *(chr(code) for code in range(32, 127))]
grammars = xgrammar.GrammarCompiler(xgrammar.TokenizerInfo(letters, stop_token_ids=[0]))
grammar = grammars.compile_json_schema(text)


def xgrammar_accepts(answer: str) -> bool:
    matcher = xgrammar.GrammarMatcher(grammar)
    return matcher.accept_string(answer) and matcher.accept_token(0)


def outlines_accepts(answer: str) -> bool:
    return re.fullmatch(build_regex_from_schema(text), answer) is not None


def enforcer_accepts(answer: str) -> bool:
    parser = JsonSchemaParser(schema)
    for letter in answer:
        if letter not in parser.get_allowed_characters():
            return False
        parser = parser.add_character(letter)
    return parser.can_end()


def refused() -> str:
    matcher = llguidance.LLMatcher(llguidance.LLTokenizer("byte"), llguidance.LLMatcher.grammar_from_json_schema(text), log_level=0)
    return matcher.get_error()


three = {"xgrammar": xgrammar_accepts, "outlines-core": outlines_accepts, "lm-format-enforcer": enforcer_accepts}
for answer in ('["soap", "comb"]', '["soap", "soap"]'):
    print(f"accept {answer}:", ", ".join(f"{name} {accepts(answer)}" for name, accepts in three.items()))
    assert all(accepts(answer) for accepts in three.values())
print("llguidance:", refused())
assert "uniqueItems" in refused() and not any(accepts('["soap", "pear"]') for accepts in three.values())
END
echo "as found: structured-decoders-allow-the-same-item-twice"

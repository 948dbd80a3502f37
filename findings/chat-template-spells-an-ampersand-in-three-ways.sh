#!/usr/bin/env bash
# One chat template, one title "Health & Beauty": transformers writes &, Jinja2 and MiniJinja write \u0026 into the prompt.
#
# Guess beforehand: a chat template is a Jinja template; every renderer of Jinja makes the same prompt of it.
# Found: transformers puts a tojson of its own into the template, which leaves all characters as they are. Jinja2's tojson escapes &, <,
# > and ' (it is made for web pages) and letters beyond ASCII; MiniJinja's escapes the four, but not the letters. transformers also
# drops the line break behind a block (trim_blocks), which the other two keep unless they are told to drop it.
# Why it matters: items go into prompts as JSON, and the same template is rendered by transformers in training and by Jinja2 or
# MiniJinja in a service or a test. Prompts then differ just for the titles with & and ' and for line breaks, so that the served model
# sees tokens that it was never trained on, and most prompts look right.
# Output seen:
#   transformers '{"title": "Health & Beauty: Tom\'s café"}|  soap|\n'
#   jinja2 '{"title": "Health \\u0026 Beauty: Tom\\u0027s caf\\u00e9"}|\n  soap|\n'
#   minijinja '{"title": "Health \\u0026 Beauty: Tom\\u0027s café"}|\n  soap|\n'
# Usage: bash findings/chat-template-spells-an-ampersand-in-three-ways.sh   (installs transformers==5.23.0 tokenizers==0.23.3 jinja2==3.1.6 minijinja==3.0.5 numpy==2.4.6 in a temporary folder; exits with 1 if the behaviour has changed)
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
cd "$work"
"${PYTHON:-python3}" -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check transformers==5.23.0 tokenizers==0.23.3 jinja2==3.1.6 minijinja==3.0.5 numpy==2.4.6
env/bin/python - <<'END'
import logging

logging.disable(logging.WARNING)
import jinja2
import minijinja
from tokenizers import Tokenizer, models
from transformers import PreTrainedTokenizerFast

TEMPLATE = "{{ messages[0].content | tojson }}|{% for item in messages[1].content %}\n  {{ item }}|\n{% endfor %}"
messages = [{"role": "user", "content": {"title": "Health & Beauty: Tom's café"}}, {"role": "assistant", "content": ["soap"]}]
tokenizer = PreTrainedTokenizerFast(tokenizer_object=Tokenizer(models.WordLevel({"<unk>": 0}, unk_token="<unk>")), unk_token="<unk>")
made = {
    "transformers": tokenizer.apply_chat_template(messages, chat_template=TEMPLATE, tokenize=False),
    "jinja2": jinja2.Template(TEMPLATE).render(messages=messages),
    "minijinja": minijinja.Environment().render_str(TEMPLATE, messages=messages),
}
for name, text in made.items():
    print(name, repr(text))
assert made == {
    "transformers": '{"title": "Health & Beauty: Tom\'s café"}|  soap|\n',
    "jinja2": '{"title": "Health \\u0026 Beauty: Tom\\u0027s caf\\u00e9"}|\n  soap|\n',
    "minijinja": '{"title": "Health \\u0026 Beauty: Tom\\u0027s café"}|\n  soap|\n',
}
END
echo "as found: chat-template-spells-an-ampersand-in-three-ways"

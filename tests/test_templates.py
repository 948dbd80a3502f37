"""Templates of somebody else end: soon, or with one error."""

import sys
import threading
import time

import pytest
from jinja2 import Environment
from language_support import make_tokenizer

from genrec import templates
from genrec.encoders.text import compile_template
from genrec.errors import ConfigError, ModelError
from genrec.prompts.chat import in_chat
from genrec.prompts.task import load_task, task_names
from genrec.templates import EndlessTemplateError, bounded, may_be_long, refuse_large_numbers
from genrec.training.trl_bridge import _tokens as chat_tokens

TURNS = "{% for message in messages %}{{ message.content }}{% endfor %}"
# Each ends by itself after some seconds, and after a small part of that with the bounds of these tests.
LONG = {
    "loops": "{% for a in range(1500) %}{% for b in range(1500) %}{% endfor %}{% endfor %}",
    "slow operations": "{% for a in range(300) %}{% set b = range(90000)|list|length %}{% endfor %}",
    "macros": "{% macro two(n) %}{% if n %}{{ two(n - 1) }}{{ two(n - 1) }}{% endif %}{% endmacro %}{{ two(18) }}",
    "recursive": "{% for a in [18] recursive %}{% if a %}{{ loop([a - 1, a - 1]) }}{% endif %}{% endfor %}",
    "doubling": "{% set n = namespace(t='ab') %}{% for a in range(24) %}{% set n.t = n.t ~ n.t %}{{ n.t }}{% endfor %}",
    "long text": "{% for a in range(9000) %}{{ 'a long text of some words ' * 40 }}{% endfor %}",
}


@pytest.fixture
def soon(monkeypatch):
    """Bounds that are reached early."""
    monkeypatch.setattr(templates, "SECONDS", 0.2)
    monkeypatch.setattr(templates, "LENGTH", 100_000)


@pytest.mark.parametrize("kind", LONG)
def test_a_chat_template_ends(kind, soon):
    tokenizer = make_tokenizer()
    tokenizer.chat_template = TURNS
    assert in_chat(tokenizer, "red lamp") == "red lamp"
    tokenizer.chat_template = TURNS + LONG[kind]
    began = time.thread_time()
    with pytest.raises(ModelError, match=r"cannot be used: it (takes more than|makes a text of more than)") as caught:
        in_chat(tokenizer, "red lamp")
    assert time.thread_time() - began < 2
    assert "prompts.chat" in caught.value.hint


def test_a_chat_of_a_training_ends_too(soon):
    tokenizer = make_tokenizer()
    tokenizer.chat_template = TURNS
    chat = [{"role": "user", "content": "red lamp"}]
    assert chat_tokens(tokenizer, chat) == tokenizer("red lamp")["input_ids"]
    tokenizer.chat_template = TURNS + LONG["loops"]
    with pytest.raises(ModelError, match="it takes more than"):
        chat_tokens(tokenizer, chat)


@pytest.mark.parametrize("kind", LONG)
def test_a_text_template_ends(kind, soon):
    with pytest.raises(EndlessTemplateError, match=r"it (takes more than|makes a text of more than)"):
        compile_template("{{ item }}" + LONG[kind], "mine", ("item",))("red lamp")
    task = load_task("next-item")
    with pytest.raises(ConfigError, match=r"'next-item' failed: it (takes|makes)"):
        task.model_copy(update={"template": LONG[kind]}).render(history=[])


def test_what_is_outside_the_macro_ends_too(soon):
    with pytest.raises(ConfigError, match="it takes more than"):
        compile_template("{% endmacro %}" + LONG["loops"] + "{% macro more() %}", "mine", ("item",))


@pytest.mark.parametrize("template", ["{{ 9 ** 9 }}", "{{ 2 **3 }}", "{{ 'x' * 1000000000 }}", "{{ 1e9 }}"])
def test_powers_and_huge_numbers_are_refused_before_they_are_worked_out(template):
    tokenizer = make_tokenizer()
    tokenizer.chat_template = TURNS + template
    with pytest.raises(ModelError, match=r"it (raises numbers|holds the number)"):
        in_chat(tokenizer, "red lamp")
    tokenizer.chat_template = {"default": TURNS, "other": template}
    with pytest.raises(ModelError, match=r"it (raises numbers|holds the number)"):
        in_chat(tokenizer, "red lamp")
    with pytest.raises(ConfigError, match=r"it (raises numbers|holds the number)"):
        compile_template(template, "mine", ("item",))
    refuse_large_numbers("2 ** 3, 1000000000 **bold** {{ 5 * 20_000 }} {# 9 ** 9 #}")


def test_own_templates_of_one_loop_are_not_watched():
    watched = {
        name for name in task_names() if may_be_long(Environment(autoescape=True).parse(load_task(name).template))
    }
    assert not watched & {"next-item", "next-in-list", "next-item-titles", "next-item-gaps"}


def test_others_stay_as_they_were():
    """What follows the steps of a program, such as a debugger, goes on; other threads are not touched."""
    seen = []

    def follow(frame, event, argument):
        seen.append(frame.f_code.co_name)

    before = sys.gettrace()
    sys.settrace(follow)
    try:
        with bounded():
            assert sys.gettrace() is not follow
            other = threading.Thread(target=lambda: seen.append(sys.gettrace()))
            other.start()
            other.join()
        assert sys.gettrace() is follow
        with pytest.raises(EndlessTemplateError), bounded():
            raise EndlessTemplateError
        assert sys.gettrace() is follow
    finally:
        sys.settrace(before)
    assert None in seen

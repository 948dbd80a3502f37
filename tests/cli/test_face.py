"""What people meet first: sections in the order of the work, help texts that begin with their noun, values in words."""

import re

import pytest
import typer
from typer.testing import CliRunner

from genrec.cli.main import VERBS, app

ROOT = typer.main.get_command(app)

NOT_NOUNS = (
    "a|all|an|are|at|by|change|do|does|fix|for|from|give|how|if|in|is|it|keep|never|none|of|on|only|or|print|replace|run|"
    "save|say|show|the|to|try|what|when|where|whether|which|who|with|write"
)
"""Words that no help text of an option or argument begins with: articles, prepositions, questions, orders."""


def commands(command=ROOT, path=()):
    for name, one in getattr(command, "commands", {}).items():
        if hasattr(one, "commands"):
            yield from commands(one, (*path, name))
        else:
            yield (*path, name), one


def help_of(*words):
    done = CliRunner().invoke(app, [*words, "-h"])
    assert done.exit_code == 0, done.output
    return done.output


PARAMETERS = [
    (f"{' '.join(path)} {one.opts[-1]}", one)
    for path, command in commands()
    for one in command.params
    if one.help and one.name != "help"
]


def test_help_begins_with_a_noun_and_ends_as_a_sentence():
    wrong = [
        f"{place}: {one.help}"
        for place, one in PARAMETERS
        if re.match(rf"\W*({NOT_NOUNS})\b", one.help, flags=re.I)
        or one.help[0] != one.help[0].upper()
        or not one.help.endswith((".", "?"))
    ]
    assert wrong == []


def test_every_option_has_help():
    bare = [f"{' '.join(path)} {one.name}" for path, command in commands() for one in command.params if not one.help]
    assert bare == []


def test_one_option_means_one_thing():
    """``--device`` and its like are said in the same words wherever they stand."""
    shared = ("--device", "--overwrite", "--checkpoint", "--beams", "--allow-lost", "--quotes", "--trust-remote-code")
    for flag in shared:
        said = {
            one.help
            for path, command in commands()
            for one in command.params
            if flag in one.opts and path not in (("index", "show"), ("demo",), ("bench", "regret"))
        }
        assert len(said) == 1, f"{flag}: {said}"


def test_verbs_stand_in_the_order_of_the_work_under_sections():
    shown = help_of()
    rows = re.findall(r"^  ([a-z]+)  ", shown.partition("Look at data:")[2], flags=re.M)
    assert rows == [name for _, name, _, _ in VERBS]
    sections = re.findall(r"^([A-Z][a-z ]+):$", shown, flags=re.M)
    assert sections == ["Options", *dict.fromkeys(section for section, _, _, _ in VERBS)]
    work = ["data", "index", "train", "generate", "evaluate", "demo"]
    assert sorted(work, key=rows.index) == work
    assert "..." not in shown.partition("Options:")[2]


@pytest.mark.parametrize(
    "path", [(), *[path for path, _ in commands()], ("index",), ("data",), ("bench",), ("config",)]
)
def test_every_command_has_the_short_form_and_no_python_types(path):
    shown = help_of(*path)
    assert shown.startswith("Usage")
    assert not re.search(r"<(list\[|str|int|float|bool|Path)", shown)

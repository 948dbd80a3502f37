"""Templates of tasks: what ships, what is refused."""

import re

import pytest

from genrec.assets import asset_dir
from genrec.errors import ConfigError
from genrec.prompts import load_task, task_names

SHIPPED = [
    "code-to-keywords",
    "id-to-title",
    "ids-to-title",
    "keywords-to-code",
    "next-category",
    "next-in-list",
    "next-item",
    "next-item-gaps",
    "next-item-preference",
    "next-item-titles",
    "odd-one-out",
    "query-to-id",
    "title-to-id",
    "titles-preference",
    "titles-to-id",
    "titles-to-title",
]
GOOD = "---\nkind: history\ndescription: d\nsource: s\ninputs: {history: h}\n---\n{{ history[-1].title }}\n"


def test_the_shipped_tasks():
    assert task_names() == SHIPPED


@pytest.mark.parametrize("name", SHIPPED)
def test_front_matter_says_what_the_template_reads_and_where_it_comes_from(name):
    task = load_task(name)
    assert task.name == name
    assert "https://arxiv.org/abs/" in task.source
    words = {"history": r"\b(history|preference|gap)\b", "item": r"\b(query)\b", "code": r"\b(code|keywords)\b(?= }})"}
    used = set(re.findall(words[task.kind], task.template))
    used |= {"item"} if task.kind == "item" and "item." in task.template else set()
    assert used == set(task.inputs)


def test_which_tasks_can_recommend():
    assert [name for name in SHIPPED if load_task(name).recommends] == [
        "next-in-list",
        "next-item",
        "next-item-gaps",
        "next-item-preference",
        "next-item-titles",
        "titles-preference",
        "titles-to-id",
    ]


def test_unknown_tasks_name_the_nearest():
    with pytest.raises(ConfigError, match="Did you mean 'next-item-gaps'"):
        load_task("next-item-gap")
    with pytest.raises(ConfigError, match="Unknown task 'item-text'"):
        load_task("item-text")


def test_a_file_of_ones_own(tmp_path):
    path = tmp_path / "mine.jinja"
    path.write_text(GOOD)
    task = load_task(path)
    assert (task.name, task.target) == ("mine", "codes")
    assert task.render(history=[{"title": "Cup"}], preference=None) == "Cup"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("kind: history", "kind: histories", "'kind' is wrong"),
        ("description: d\n", "", "'description' is wrong"),
        ("{history: h}", "{histori: h}", "Did you mean 'history'"),
        ("source: s", "source: s\ntargets: title", "Did you mean 'target'"),
        ("{{ history[-1].title }}\n", "", "has no text"),
        ("[-1].title", "[-1].colour", "no attribute 'colour'"),
        ("history[-1].title", "preference", "'preference' is undefined"),
        ("}}\n", "}\n", "failed"),
    ],
)
def test_wrong_files_are_refused_with_the_reason(tmp_path, old, new, message):
    assert old in GOOD
    path = tmp_path / "mine.jinja"
    path.write_text(GOOD.replace(old, new))
    with pytest.raises(ConfigError, match=re.escape(message)):
        load_task(path).render(history=[{"title": "Cup"}], preference=None)


def test_templates_hold_no_python_and_are_data_only():
    assert {path.suffix for path in asset_dir("prompts").iterdir()} == {".jinja", ".md"}

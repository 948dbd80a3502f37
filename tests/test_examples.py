"""Every example in a docstring runs and says what it says."""

import doctest
import importlib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
WITH_EXAMPLES = [
    path.relative_to(ROOT).with_suffix("").as_posix().replace("/", ".").removesuffix(".__init__")
    for path in sorted((ROOT / "genrec").rglob("*.py"))
    if ">>> " in path.read_text(encoding="utf-8")
]


@pytest.mark.parametrize("name", WITH_EXAMPLES)
def test_examples_in_docstrings_run(name, capsys):
    failed, tried = doctest.testmod(importlib.import_module(name))
    assert tried, f"{name}: the examples belong to nothing that doctest finds"
    assert not failed, capsys.readouterr().out

"""No advice in the shell is only for callers in Python."""

import ast
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from genrec.cli.console import for_shell
from genrec.cli.main import app
from genrec.data.rules import RULES

ROOT = Path(__file__).resolve().parents[2] / "genrec"
PYTHON = re.compile(
    r"\b[a-z_][\w.]*\([^)]|(?<![\w-])[a-z_]+=(?:\.\.\.|…|[\w'\"{\[])"
    r"|from_pretrained|\bNone\b|\bTrue\b|\bFalse\b|in Python"
)
SETTING = re.compile(r"python -c '[^']*'|--set [\w.]+=\S+|\b[a-z_]+(?:\.[a-z_]+)+=\S+")
FROM_PYTHON_ALONE = {
    "baselines/base.py": "fit(...) before recommend(...)",
    "baselines/storage.py": "load_baseline of another kind; commands load every kind",
    "data/id_lists.py": "positions in place of ids",
    "data/money.py": "a catalogue that was read without as_text; commands know what was text",
    "decoding/logits_processor.py": "the processor for generate() of transformers",
    "decoding/subtries.py": "names of within= and define(...)",
    "encoders/base.py": "fit(...) before encode(...), histories of another catalogue",
    "encoders/precomputed.py": "encode_new(...), after the command that does the same",
    "models/hf/causal.py": "a model that was loaded by hand",
    "models/catalogue_network.py": "bind(...) of a network",
    "models/llm/code_tokens.py": "add_to(...) of a tokenizer",
    "models/llm/known_items.py": "bind(...) of a network",
    "models/llm/title_likelihood.py": "reader(...) of a network",
    "models/recgpt/catalogue.py": "bind(...) of a network",
    "recommendations.py": "explain(..., items=...)",
    "trust.py": "names both, with the option first",
}


def run(*words):
    result = CliRunner().invoke(app, [str(word) for word in words])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


def text_of(node):
    if isinstance(node, ast.JoinedStr):
        return "".join(str(one.value) if isinstance(one, ast.Constant) else "…" for one in node.values)
    if isinstance(node, ast.BinOp):
        return text_of(node.left) + text_of(node.right)
    if isinstance(node, ast.IfExp):
        return f"{text_of(node.body)} {text_of(node.orelse)}"
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""


def hints_of(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.keyword) and node.arg in ("hint", "advice"):
            yield text_of(node.value)


def for_python(hint):
    return PYTHON.search(SETTING.sub("", for_shell(hint)))


@pytest.mark.parametrize("room", sorted({path.relative_to(ROOT).parts[0] for path in ROOT.rglob("*.py")}))
def test_hints_help_in_the_shell(room):
    paths = (ROOT / room).rglob("*.py") if (ROOT / room).is_dir() else [ROOT / room]
    wrong = [
        f"{path.relative_to(ROOT)}: {hint}"
        for path in paths
        for hint in hints_of(path)
        if for_python(hint) and path.relative_to(ROOT).as_posix() not in FROM_PYTHON_ALONE
    ]
    assert not wrong, "\n".join(wrong)


def test_no_exception_is_left_over():
    for place in FROM_PYTHON_ALONE:
        assert any(for_python(hint) for hint in hints_of(ROOT / place)), place


def test_rules_of_tables_help_in_the_shell():
    assert not [rule.fix for rule in RULES.values() if for_python(rule.fix)]


def test_what_is_said_in_the_shell_has_no_python(tmp_path):
    (tmp_path / "items.csv").write_text("sku,name\n1,cups and (bowls in Python)\n2,tea &amp; milk\n")
    (tmp_path / "log.csv").write_text('customer,sku,bought_at\nu1,1,1\nu1,2,2\nu2,"2\\"",3\nu2,1,4\n')
    columns = ("--id-column", "sku", "--user-column", "customer", "--time-column", "bought_at", "--allow-lost", "1")
    tables = (tmp_path / "items.csv", tmp_path / "log.csv")
    for words in (
        ("data", "check", *tables, *columns),
        ("index", "build", tables[0], "--id-column", "sku", "--out", tmp_path / "index"),
        ("baseline", "popularity", *tables, *columns, "--out", tmp_path / "popularity"),
        ("evaluate", tmp_path / "popularity", tables[1], "--baseline", "word-neighbours", "--out", tmp_path / "report"),
        (
            "train",
            tmp_path / "index",
            tables[1],
            "--set",
            "split.name=custom",
            *columns[2:],
            "--out",
            tmp_path / "model",
        ),
    ):
        text = run(*words).output.replace("(bowls in Python)", "")
        assert "in Python" not in text, text
        assert not re.search(r"\b[a-z_]+=['\"(]", text), text
    assert "cups and (bowls in Python)" in run("data", "check", *tables, *columns).output

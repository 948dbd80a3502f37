"""The README's own commands and code run as they stand, on tiny tables of the names that it uses."""

import re
import shlex
from pathlib import Path

import polars as pl
import pytest
from support import make_tables
from typer.testing import CliRunner

from genrec.cli.main import app

README = (Path(__file__).resolve().parent.parent / "README.md").read_text(encoding="utf-8")


@pytest.fixture
def shop(tmp_path, monkeypatch):
    items, interactions = make_tables()
    renamed = {old: f"item-{n}" for n, old in enumerate(items["item_id"])}
    items = items.with_columns(pl.col("item_id").replace(renamed), pl.col("categories").list.join(", "))
    items[:50].write_csv(tmp_path / "items.csv")
    items[50:].write_csv(tmp_path / "new_items.csv")
    interactions.with_columns(pl.col("item_id").replace(renamed)).write_csv(tmp_path / "interactions.csv")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def blocks(language):
    return re.findall(rf"```{language}\n(.*?)```", README, flags=re.DOTALL)


def test_the_commands_of_the_readme_run_in_their_order(shop):
    lines = [line.split("#")[0].strip() for block in blocks("bash") for line in block.splitlines()]
    commands = [line for line in lines if line.startswith("genrec ")]
    assert [command.split()[1] for command in commands][:3] == ["data", "index", "index"]
    for command in commands:
        result = CliRunner().invoke(app, shlex.split(command)[1:])
        assert result.exit_code == 0, f"{command}\n{result.output}\n{result.exception!r}"
    assert (shop / "recs.parquet").is_file()


def test_the_python_of_the_readme_runs(shop, capsys):
    (code,) = blocks("python")
    exec(compile(code, "README.md", "exec"), {})
    assert "item-" in capsys.readouterr().out

import json

import numpy as np
import pytest
from typer.testing import CliRunner

from genrec.cli.main import app


@pytest.fixture
def tables(tmp_path):
    rng = np.random.default_rng(0)
    items, events = tmp_path / "items.csv", tmp_path / "events.csv"
    items.write_text("item_id,title\n" + "".join(f"i{n},thing {n} of kind {n % 4}\n" for n in range(30)))
    lines = []
    for user in range(60):
        walk = (rng.integers(30) + np.cumsum(rng.choice([1, 2], 8))) % 30
        start = 1_500_000_000 + int(rng.integers(10**6))
        parts = ["train"] * 6 + ["valid", "test"]
        lines += [f"u{user},i{i},{start + 100 * n},{parts[n]}" for n, i in enumerate(walk)]
    events.write_text("user_id,item_id,timestamp,part\n" + "\n".join(lines) + "\n")
    return items, events


def invoke(*arguments):
    return CliRunner().invoke(app, ["audit", *map(str, arguments)])


def test_words_and_files(tables, tmp_path):
    out = tmp_path / "audit"
    result = invoke(*tables, "--out", out, "--vectors", "none")
    assert result.exit_code == 0, result.output
    for words in ("What ranks without learning", "transition-counts", "Fine: looked for and not found", "audit.md"):
        assert words in result.output
    assert json.loads((out / "audit.json").read_text())["split"] == "leave-one-out"
    assert "genrec" in (out / "audit.md").read_text()
    again = invoke(*tables, "--out", out, "--vectors", "none")
    assert again.exit_code == 1
    assert "already exists" in again.output


def test_json_for_machines(tables):
    result = invoke(*tables, "--json", "--vectors", "none", "--part-column", "part")
    assert result.exit_code == 0, result.output
    content = json.loads(result.stdout)
    assert content["split"] == "custom"
    assert {"verdict", "facts", "shortcuts", "findings"} < set(content)


def test_a_split_by_time(tables):
    options = ("--split", "global-time", "--validation-from", "0.6", "--test-from", "0.8", "--vectors", "none")
    result = invoke(*tables, *options)
    assert result.exit_code == 0, result.output
    assert "split: global-time" in result.output.replace("\n", " ")


def test_errors_are_messages(tables):
    result = invoke(*tables, "--split", "global-tme")
    assert result.exit_code == 1
    assert "Did you mean 'global-time'?" in result.output
    assert "Traceback" not in result.output

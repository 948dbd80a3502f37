"""``genrec concepts``: named directions of a trained network in a file and on the screen."""

import json

from typer.testing import CliRunner

from genrec.cli.main import app


def test_concepts_are_written_and_shown(trained, tables, tmp_path):
    out = tmp_path / "concepts.json"
    few = ["--width", "24", "--active", "3", "--steps", "30", "--shown", "3", "--lists", "5"]
    command = ["concepts", str(trained[1]), str(tables[1]), "--out", str(out), *few]
    done = CliRunner().invoke(app, command, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    written = json.loads(out.read_text())
    assert 1 <= len(written["concepts"]) <= 3
    for one in written["concepts"]:
        assert one["word"] in done.output
        assert 0 <= one["after"] <= 1
        assert 0 <= one["before"] <= 1
    assert written["states"] > 0
    assert "precision" in done.output
    again = CliRunner().invoke(app, command)
    assert again.exit_code == 1
    assert "--overwrite" in again.output


def test_a_baseline_has_no_states(tables, tmp_path):
    fitted = tmp_path / "popularity"
    made = CliRunner().invoke(app, ["baseline", "popularity", *map(str, tables), "--out", str(fitted)])
    assert made.exit_code == 0, made.output
    done = CliRunner().invoke(app, ["concepts", str(fitted), str(tables[1]), "--out", str(tmp_path / "o.json")])
    assert done.exit_code == 1
    assert "no states" in done.output
    assert not (tmp_path / "o.json").exists()

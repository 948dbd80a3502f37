"""The notebook runs from top to bottom."""

import json
from pathlib import Path

import pytest

NOTEBOOK = Path(__file__).resolve().parent.parent.parent / "docs" / "notebooks" / "quickstart.ipynb"


def cells(kind):
    content = json.loads(NOTEBOOK.read_text(encoding="utf-8"))
    assert content["nbformat"] == 4
    return ["".join(cell["source"]) for cell in content["cells"] if cell["cell_type"] == kind]


def test_the_notebook_is_whole_and_carries_no_outputs():
    content = json.loads(NOTEBOOK.read_text(encoding="utf-8"))
    assert len(cells("markdown")) > 5
    for number, code in enumerate(cells("code")):
        compile(code, f"cell {number}", "exec")
    assert all(not cell["outputs"] for cell in content["cells"] if cell["cell_type"] == "code")


@pytest.mark.slow
def test_every_cell_runs(tmp_path, monkeypatch, capsys):
    import matplotlib

    matplotlib.use("Agg")
    monkeypatch.chdir(tmp_path)
    names = {}
    for number, code in enumerate(cells("code")):
        exec(compile(code, f"cell {number}", "exec"), names)
    assert "transition-counts" in capsys.readouterr().out
    assert names["found"].item_ids[0]

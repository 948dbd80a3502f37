"""An output that is also an input is refused, with ``--overwrite`` too: what was read would be lost."""

import shutil

import pytest
from typer.testing import CliRunner

from genrec.cli.main import app

CALLS = {
    "generate": ["generate", "MODEL", "LOG", "--out", "LOG"],
    "generate, by a link": ["generate", "MODEL", "LOG", "--out", "LINK"],
    "generate, a list": ["generate", "MODEL", "LOG", "--deny", "ITEMS", "--out", "ITEMS"],
    "page": ["page", "MODEL", "--histories", "LOG", "--out", "LOG"],
    "evaluate": ["evaluate", "MODEL", "LOG", "--out", "MODEL"],
    "train": ["train", "INDEX", "LOG", "--out", "INDEX"],
    "index build": ["index", "build", "ITEMS", "--quantizer", "INDEX", "--out", "INDEX"],
}


@pytest.mark.parametrize("name", CALLS)
def test_nothing_that_is_read_is_replaced(name, trained, tables, tmp_path):
    shutil.copytree(trained[1], tmp_path / "model")
    shutil.copytree(trained[1] / "index", tmp_path / "index")
    shutil.copy(tables[0], tmp_path / "items.jsonl")
    shutil.copy(tables[1], tmp_path / "log.csv")
    (tmp_path / "link.csv").symlink_to("log.csv")
    places = {"MODEL": "model", "INDEX": "index", "ITEMS": "items.jsonl", "LOG": "log.csv", "LINK": "link.csv"}
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    words = [str(tmp_path / places[word]) if word in places else word for word in CALLS[name]]
    result = CliRunner().invoke(app, [*words, "--overwrite"])
    assert result.exit_code == 1, result.output
    assert "would be lost" in result.output
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


def test_an_output_may_be_called_like_a_part_that_is_named(tables, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for _ in range(2):
        words = ["baseline", "popularity", *map(str, tables), "--out", "popularity", "--overwrite"]
        result = CliRunner().invoke(app, words)
        assert result.exit_code == 0, result.output
    build = ["index", "build", str(tables[0]), "--tokenizer", "random-3x256", "--out", "random-3x256"]
    for more in ([], ["--overwrite"]):
        result = CliRunner().invoke(app, [*build, *more])
        assert result.exit_code == 0, result.output


def test_a_path_that_goes_back_leaves_no_empty_folder(trained, tables, tmp_path):
    words = ["generate", str(trained[1]), str(tables[1]), "--out", str(tmp_path / "nowhere" / ".." / "o.parquet")]
    assert CliRunner().invoke(app, words).exit_code == 0
    assert [path.name for path in tmp_path.iterdir()] == ["o.parquet"]


def test_an_index_grows_in_its_place(trained, tables, tmp_path):
    shutil.copytree(trained[1] / "index", tmp_path / "index")
    (tmp_path / "new.jsonl").write_text('{"item_id": "new", "title": "red cup 9", "categories": ["cup"]}\n')
    for more in ([], ["--out", str(tmp_path / "index"), "--overwrite"]):
        shutil.rmtree(tmp_path / "index")
        shutil.copytree(trained[1] / "index", tmp_path / "index")
        words = ["index", "add", str(tmp_path / "index"), str(tmp_path / "new.jsonl"), *more]
        result = CliRunner().invoke(app, words)
        assert result.exit_code == 0, result.output

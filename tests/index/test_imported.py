"""Semantic IDs as other systems write them: out of an index, into one, and what is wrong with a file."""

import json

import numpy as np
import polars as pl
import pytest
from typer.testing import CliRunner

from genrec.artifacts import sha256_of
from genrec.cli.main import app
from genrec.data import Catalog
from genrec.errors import ArtifactError, ConfigError, DataError
from genrec.index.imported import codes_of, index_from_codes, read_codes, write_codes
from genrec.index.recipe import load_recipe
from genrec.index.semantic_index import SemanticIndex
from genrec.quantizers import QUANTIZERS, build_quantizer


def catalog(n=6):
    titles = [f"{('red', 'blue')[i % 2]} {('cup', 'tea', 'tent')[i % 3]}" for i in range(n)]
    return Catalog.from_frame(pl.DataFrame({"item_id": [f"x{i}" for i in range(n)], "title": titles}))


def test_codes_come_back_as_they_went(tiny_index, tmp_path):
    write_codes(tiny_index, tmp_path / "codes.json")
    given = read_codes(tmp_path / "codes.json")
    assert given["i003"] == tuple(tiny_index.codes[3].tolist())
    again = index_from_codes(tiny_index.catalog, given)
    np.testing.assert_array_equal(again.codes, tiny_index.codes)
    again.save(tmp_path / "index")
    loaded = SemanticIndex.load(tmp_path / "index")
    assert loaded.fingerprint == again.fingerprint
    assert codes_of(loaded) == codes_of(tiny_index)
    assert loaded.stats().collision_rate == 0
    np.testing.assert_array_equal(loaded.nearest_codes, tiny_index.codes)
    other = index_from_codes(tiny_index.catalog, given)
    other.save(tmp_path / "other")
    assert sha256_of(tmp_path / "other" / "index.json") == sha256_of(tmp_path / "index" / "index.json")


def test_items_that_share_all_codes_are_numbered():
    given = {f"x{i}": (i // 2, 5) for i in range(6)}
    index = index_from_codes(catalog(), given)
    assert index.codes[:, :2].tolist() == [list(given[f"x{i}"]) for i in range(6)]
    assert len(np.unique(index.codes, axis=0)) == 6
    assert index.codebook_sizes[:2] == (3, 6)
    assert index_from_codes(catalog(), {f"x{i}": (i, 0) for i in range(9)}).codebook_sizes == (6, 1)


def test_new_items_have_no_codes_here():
    index = index_from_codes(catalog(), {f"x{i}": (i, 0) for i in range(6)})
    with pytest.raises(DataError, match="1 item without codes"):
        index.encode_new(Catalog.from_frame(pl.DataFrame({"item_id": ["new"], "title": ["red cup"]})))
    with pytest.raises(DataError, match="2 items without codes, such as 'x4'"):
        index_from_codes(catalog(), {f"x{i}": (i, 0) for i in range(4)})
    assert "imported" not in QUANTIZERS
    recipe = load_recipe("rq-kmeans-3x256").model_copy(update={"quantizer": {"name": "imported"}})
    with pytest.raises(DataError, match="not learned"):
        SemanticIndex.build(catalog(), recipe)


def test_a_table_that_does_not_fit_its_sizes_is_refused():
    quantizer = build_quantizer({"name": "imported", "codebook_sizes": [2, 2]})
    keys = np.arange(2, dtype=np.uint64)
    for codes in ([[0, 1], [0, 2]], [[0, -1], [0, 0]], [[0], [1]]):
        with pytest.raises(ArtifactError):
            quantizer.load_state({"keys": keys, "codes": np.array(codes, dtype=np.int32)}, {})
    with pytest.raises(ConfigError):
        build_quantizer({"name": "imported", "codebook_sizes": []})


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("nothing", "cannot be read"),
        ("[]", "no codes by item id"),
        ("{}", "no codes by item id"),
        ('{"a": "<a_1>"}', "codes of item 'a'"),
        ('{"a": ["<b_1>"]}', "codes of item 'a'"),
        ('{"a": ["<a_1>", 7]}', "codes of item 'a'"),
        ('{"a": []}', "codes of item 'a'"),
        ('{"a": ["<a_99999999999>"]}', "codes of item 'a'"),
        ('{"a": ["<a_1>"], "b": ["<a_1>", "<b_0>"]}', "different numbers of codes: 1, 2"),
    ],
)
def test_files_of_another_form_are_told(text, says, tmp_path):
    (tmp_path / "codes.json").write_text(text)
    with pytest.raises(DataError, match=says):
        read_codes(tmp_path / "codes.json")


def test_export_and_import_from_the_command_line(tables, tiny_index, tmp_path):
    def run(*arguments):
        return CliRunner().invoke(app, ["index", *map(str, arguments)])

    tiny_index.save(tmp_path / "index")
    made = run("export", tmp_path / "index", "--out", tmp_path / "codes.json")
    assert made.exit_code == 0, made.output
    content = json.loads((tmp_path / "codes.json").read_text())
    content["of nobody"] = content["i000"]
    (tmp_path / "codes.json").write_text(json.dumps(content))
    made = run("import", tmp_path / "codes.json", tables[0], "--out", tmp_path / "again")
    assert made.exit_code == 0, made.output
    assert "Codes of 1 item that the table does not have are left out." in made.output
    np.testing.assert_array_equal(SemanticIndex.load(tmp_path / "again").codes, tiny_index.codes)
    made = run("import", tmp_path / "nowhere.json", tables[0], "--out", tmp_path / "third")
    assert made.exit_code == 1
    assert "does not exist" in made.output

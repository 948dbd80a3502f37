"""genrec index: show, diff, compare and add as a user meets them."""

import json
import re
import shlex

import numpy as np
import polars as pl
import pytest
from support import ITEM_WORDS, TINY_TOKENIZER
from typer.testing import CliRunner

from genrec.cli.main import app
from genrec.data import Catalog


def genrec(*arguments, code=0):
    result = CliRunner().invoke(app, ["index", *(str(argument) for argument in arguments)])
    assert result.exit_code == code, f"{result.output}\n{result.stderr}\n{result.exception!r}"
    return result.output


def settings(overrides):
    return [part for override in overrides for part in ("--set", override)]


def refused(*arguments):
    text = genrec(*arguments, code=1)
    assert text.count("Error:") == 1, text
    assert "Traceback" not in text
    return text


@pytest.fixture(scope="module")
def built(tables, tmp_path_factory):
    folder = tmp_path_factory.mktemp("indexes")
    genrec("build", tables[0], *settings(TINY_TOKENIZER), "--out", folder / "index")
    return folder / "index"


def test_show_writes_a_page_with_joint_purchases(built, tables, tmp_path):
    out = genrec("show", built, "--interactions", tables[1], "--html", tmp_path / "page.html")
    assert "bought together" in out
    assert re.search(r"^validation +\d", out, flags=re.MULTILINE)
    assert "|" not in out
    page = (tmp_path / "page.html").read_text()
    assert "Is it good?" in page
    assert page.count("<svg") == 4
    assert "--html" in refused("show", built, "--item", "i003", "--html", tmp_path / "no.html")
    assert not (tmp_path / "no.html").exists()


def test_diff_names_what_was_added(built, tmp_path):
    new = tmp_path / "new.csv"
    new.write_text("item_id,title\nnew1,green cup 9\n")
    genrec("add", built, new, "--out", tmp_path / "grown")
    out = genrec("diff", built, tmp_path / "grown")
    assert "From 60 to 61 items" in out
    assert re.search(r"^added +1$", out, flags=re.MULTILINE)
    assert "new1 (green cup 9)" in out
    found = json.loads(genrec("diff", built, tmp_path / "grown", "--json"))
    assert (found["lineage"], found["added"], found["moved"]) == ("grown", ["new1"], [])


def test_compare_writes_one_table_and_goes_on_after_a_failure(tables, tmp_path):
    bad = tmp_path / "bad.yaml"
    bad.write_text("encoder: {name: precomputed, path: nowhere.npy}\n")
    arguments = (
        "compare",
        tables[0],
        "--tokenizer",
        bad,
        "--tokenizer",
        "rq-kmeans-3x256",
        "--interactions",
        tables[1],
    )
    out = refused(*arguments, *settings(TINY_TOKENIZER[1:]), "--out", tmp_path / "out")
    assert "1 of 2 recipes failed: bad" in out
    assert "bad: The file of item vectors does not exist." in out
    rows = json.loads((tmp_path / "out" / "comparison.json").read_text())
    assert ["error" in row for row in rows] == [True, False]
    assert rows[1]["copurchase_lift"] > 1
    assert "rq-kmeans-3x256" in (tmp_path / "out" / "comparison.md").read_text()
    text = refused("compare", tables[0], "--tokenizer", "rq-kmean", "--out", tmp_path / "other")
    assert "Did you mean" in text
    assert "1 of 1 recipe failed" in refused("compare", tables[0], "--tokenizer", bad, "--out", tmp_path / "none")


def test_new_items_of_precomputed_vectors_bring_a_file(tables, tmp_path):
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(60, 6)).astype(np.float32)
    np.save(tmp_path / "vectors.npy", vectors)
    recipe = tmp_path / "own.yaml"
    recipe.write_text(
        f"encoder: {{name: precomputed, path: '{tmp_path}/vectors.npy'}}\n"
        "quantizer: {name: rq-kmeans, levels: 2, codebook_size: 8}\n"
    )
    genrec("build", tables[0], "--tokenizer", recipe, "--out", tmp_path / "index")
    new = tmp_path / "new.csv"
    new.write_text("item_id,title\nnew1,a\nnew2,b\n")
    assert "--vectors FILE" in refused("add", tmp_path / "index", new, "--out", tmp_path / "grown")
    np.save(tmp_path / "three.npy", vectors[:3])
    add = ("add", tmp_path / "index", new, "--out", tmp_path / "grown", "--vectors")
    assert "expected: (2, dim)" in refused(*add, tmp_path / "three.npy")
    pl.DataFrame({"item_id": ["new2"], "v": [vectors[1].tolist()]}).write_parquet(tmp_path / "part.parquet")
    assert "1 item has no vector: 'new1'" in refused(*add, tmp_path / "part.parquet")
    assert not (tmp_path / "grown").exists()
    np.save(tmp_path / "two.npy", vectors[:2])
    genrec(*add, tmp_path / "two.npy")
    from genrec.index.semantic_index import SemanticIndex

    grown = SemanticIndex.load(tmp_path / "grown")
    assert (grown.codes[60:, :2] == grown.codes[:2, :2]).all()
    assert (grown.vectors()[60:] == vectors[:2]).all()


def test_files_that_a_folder_names_are_not_read(tables, tmp_path):
    """Whoever made an index could otherwise put any file of vectors of who uses it into the index that grows."""
    rng = np.random.default_rng(0)
    ids = [*pl.read_ndjson(tables[0])["item_id"], "new1", "new2"]
    for name in ("secret", "other"):
        vectors = pl.Series(rng.normal(size=(62, 6)).astype(np.float32))
        pl.DataFrame({"item_id": ids, "v": vectors}).write_parquet(tmp_path / f"{name}.parquet")
    secret, other = (tmp_path / f"{name}.parquet" for name in ("secret", "other"))
    parts = f"{{name: precomputed, path: '{secret}'}}"
    quantizer = "quantizer: {name: rq-kmeans, levels: 2, codebook_size: 8}"
    (tmp_path / "one.yaml").write_text(f"encoder: {parts}\n{quantizer}\n")
    (tmp_path / "two.yaml").write_text(f"encoder: {{name: fused, encoders: [{parts}, {parts}]}}\n{quantizer}\n")
    new = tmp_path / "new.csv"
    new.write_text("item_id,title\nnew1,a\nnew2,b\n")
    for number, name in ((1, "one"), (2, "two")):
        index, grown, again = (tmp_path / f"{name}-{what}" for what in ("index", "grown", "again"))
        genrec("build", tables[0], "--tokenizer", tmp_path / f"{name}.yaml", "--out", index)
        add = ("add", index, new, "--out", grown)
        build = ("build", tables[0], "--quantizer", index, "--out", again)
        for command in (add, build):
            assert "files is not read" in refused(*command)
        files = [word for _ in range(number) for word in ("--vectors", other)]
        for command in (add, build):
            genrec(*command, *files)
        assert f"reads {number} file" in refused(*add[:-1], tmp_path / "x", *files, "--vectors", other)
        from genrec.index.semantic_index import SemanticIndex

        wanted = np.stack(pl.read_parquet(other)["v"].to_list())
        for folder, rows in ((grown, [60, 61]), (again, list(range(60)))):
            found = SemanticIndex.load(folder).vectors()[rows]
            assert (np.linalg.norm(found[:, :6] - wanted[rows], axis=1) < 1e-5).all() or number == 2
    in_memory = SemanticIndex.build(Catalog.read(tables[0]), str(tmp_path / "one.yaml"))
    assert len(in_memory.encode_new(Catalog.read(new))) == 62  # its recipe was named here


def test_html_of_new_items_is_read_as_the_index_was(tables, tmp_path):
    items, new = tmp_path / "items.csv", tmp_path / "new.csv"
    items.write_text("item_id,title\n" + "".join(f"i{n},cup &amp; <b>tea</b> {n}\n" for n in range(20)))
    new.write_text("item_id,title\nn1,pot &amp; lid\n")
    from genrec.index.semantic_index import SemanticIndex

    for html, title in (("keep", "pot &amp; lid"), ("plain", "pot & lid")):
        first, second = tmp_path / html, tmp_path / f"{html}-frozen"
        genrec("build", items, *settings(TINY_TOKENIZER), "--html", html, "--out", first)
        genrec("add", first, new)
        assert SemanticIndex.load(first).catalog.titles()[-1] == title
        genrec("build", new, "--quantizer", first, "--out", second)
        assert SemanticIndex.load(second).catalog.titles() == [title]
    genrec("build", new, "--quantizer", tmp_path / "keep", "--html", "plain", "--out", tmp_path / "said")
    assert SemanticIndex.load(tmp_path / "said").catalog.titles() == ["pot & lid"]


def test_vectors_for_an_encoder_that_makes_its_own(built, tmp_path):
    new = tmp_path / "new.csv"
    new.write_text("item_id,title\nnew1,a\n")
    np.save(tmp_path / "v.npy", np.zeros((1, 16), dtype=np.float32))
    text = refused("add", built, new, "--vectors", tmp_path / "v.npy", "--out", tmp_path / "grown")
    assert "The item encoder 'lsa' makes its own vectors." in text
    assert not (tmp_path / "grown").exists()


def test_items_without_text_get_codes_by_the_ways_that_the_error_names(tmp_path, tables):
    _, log = tables
    items = tmp_path / "ids.csv"
    ids = pl.read_csv(log)["item_id"].unique(maintain_order=True)
    pl.DataFrame({"item_id": ids}).write_csv(items)
    np.save(tmp_path / "own.npy", np.random.default_rng(0).normal(size=(len(ids), 8)).astype(np.float32))
    said = refused("build", items, "--interactions", log, "--out", tmp_path / "no")
    ways = re.findall(r"genrec index (build .*?)[;.](?:\s|$)", said)
    assert len(ways) == 2
    for number, way in enumerate(ways):
        names = {"ITEMS": items, "LOG": log, "NEW": tmp_path / f"way{number}"}
        names["encoder.path=FILE"] = f"encoder.path={tmp_path / 'own.npy'}"
        genrec(*(names.get(word, word) for word in shlex.split(way)))


def test_build_says_what_show_says_and_its_own_advice_runs(tmp_path):
    rng = np.random.default_rng(0)
    items = tmp_path / "shop items.csv"
    titles = [" ".join(rng.choice(ITEM_WORDS, 4, replace=False)) for _ in range(60)]
    pl.DataFrame({"sku": [f"i{n}" for n in range(60)], "title": titles}).write_csv(items)
    log = tmp_path / "log.csv"
    events = [(f"u{user}", f"i{(7 * user + step) % 60}", step) for user in range(20) for step in range(4)]
    pl.DataFrame(events, ["user_id", "item_id", "timestamp"], orient="row").write_csv(log)
    tables = (items, "--id-column", "sku", "--interactions", log, "--item-column", "item_id")
    built = genrec("build", *tables, "--out", tmp_path / "index")
    verdict = re.search(r"^verdict +(.*)$", built, flags=re.MULTILINE).group(1)
    shown = genrec("show", tmp_path / "index")
    assert verdict.startswith("Not a good index")
    assert verdict in shown
    reason = "No two items share a code, so the codes say nothing about the items"
    assert reason in built
    assert reason in shown
    advised = re.search(r"3 × 16 codes fit 60 items: genrec index (.*)$", built, flags=re.MULTILINE).group(1)
    assert built.endswith(f"  genrec index {advised}\n")  # and no training on codes that say nothing
    assert "genrec train" not in built
    again = genrec(*shlex.split(advised))
    assert "--tokenizer auto" in advised
    assert "Not a good index" not in again
    assert "codes fit" not in again
    for change, said in (("levels=1000000", "to 64"), ("codebook_size=1000000", "to do: 3 × 16 codes fit 60 items")):
        assert said in refused("build", items, "--id-column", "sku", "--set", f"quantizer.{change}", "--out", "no")

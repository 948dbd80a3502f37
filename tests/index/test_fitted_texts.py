"""Other items are read as those that a tokenizer was fitted to: amounts that were text stay text."""

import polars as pl
import pytest
from support import TINY_TOKENIZER
from typer.testing import CliRunner

from genrec.cli.main import app
from genrec.data import Catalog
from genrec.errors import DataError
from genrec.index.fitted_texts import fitted_text_fields
from genrec.index.item_tokenizer import ItemTokenizer
from genrec.index.recipe import TokenizerRecipe
from genrec.index.semantic_index import SemanticIndex
from genrec.loading import read_fitted_tokenizer

PRICES = [f"${n},299.00" for n in range(1, 31)]
NEW = 'item_id,title,price,year\nn1,red cup,"$1,299.00",1990\nn2,blue pot,$5.00,2001\n'


def items(prices, **kinds):
    rows = {"item_id": [f"i{n}" for n in range(len(prices))], "title": [f"cup {n}" for n in range(len(prices))]}
    return Catalog.from_frame(pl.DataFrame({**rows, "price": prices, "year": [f"y{n}" for n in range(30)]}), **kinds)


def recipe(**text):
    encoder = {"name": "lsa", "dim": 8, **({"text": text} if text else {})}
    return TokenizerRecipe(encoder=encoder, quantizer={"name": "rq-kmeans", "levels": 2, "codebook_size": 4})


@pytest.fixture(scope="module")
def older(tmp_path_factory):
    """An index whose prices and years were text, as versions before made it."""
    folder = tmp_path_factory.mktemp("older") / "index"
    SemanticIndex.build(items(PRICES, as_text=["price"]), recipe()).save(folder)
    return folder


def texts_of(folder):
    index = SemanticIndex.load(folder)
    return index.catalog.frame.select("price", "year").rows()


@pytest.mark.parametrize("suffix", ["csv", "jsonl"])
def test_a_reused_tokenizer_reads_amounts_as_it_was_fitted(older, suffix, tmp_path):
    (tmp_path / "new.csv").write_text(NEW)
    table = tmp_path / f"new.{suffix}"
    if suffix == "jsonl":
        pl.read_csv(tmp_path / "new.csv", infer_schema=False).write_ndjson(table)
    made = CliRunner().invoke(
        app, ["index", "build", str(table), "--quantizer", str(older), "--out", str(tmp_path / "o")]
    )
    assert made.exit_code == 0, made.output
    assert texts_of(tmp_path / "o") == [("$1,299.00", "1990"), ("$5.00", "2001")]
    assert "read as numbers" not in made.output
    grown = CliRunner().invoke(app, ["index", "add", str(older), str(table), "--out", str(tmp_path / "grown")])
    assert grown.exit_code == 0, grown.output
    assert texts_of(tmp_path / "grown")[-2:] == texts_of(tmp_path / "o")


def test_a_tokenizer_fitted_to_numbers_still_reads_numbers(tmp_path):
    (tmp_path / "items.csv").write_text("item_id,title,price\n" + "".join(f"i{n},cup {n},${n}.00\n" for n in range(20)))
    words = [word for one in TINY_TOKENIZER for word in ("--set", one)]
    run = CliRunner()
    first = run.invoke(app, ["index", "build", str(tmp_path / "items.csv"), *words, "--out", str(tmp_path / "a")])
    again = run.invoke(
        app,
        [
            "index",
            "build",
            str(tmp_path / "items.csv"),
            "--quantizer",
            str(tmp_path / "a"),
            "--out",
            str(tmp_path / "b"),
        ],
    )
    assert first.exit_code == again.exit_code == 0, again.output
    assert SemanticIndex.load(tmp_path / "b").catalog.frame["price"].dtype == pl.Float64


def test_python_refuses_amounts_that_were_text(older):
    tokenizer, texts = read_fitted_tokenizer(older)
    assert texts == ("title", "price", "year")
    with pytest.raises(DataError, match=r"'price' holds amounts .* when the tokenizer was fitted it was text"):
        SemanticIndex.build(items(PRICES), tokenizer.recipe, tokenizer=tokenizer)
    new = pl.DataFrame({"item_id": ["x"], "title": ["cup"], "price": ["$5.00"]})
    with pytest.raises(DataError, match=r"'price' holds amounts .* in the catalogue it was text"):
        SemanticIndex.load(older).encode_new(Catalog.from_frame(new))
    grown = SemanticIndex.load(older).encode_new(Catalog.from_frame(new, as_text=["price"]))
    assert grown.catalog.frame["price"][-1] == "$5.00"


def test_what_was_text_is_known_without_the_items(tmp_path):
    def fitted(**settings):
        tokenizer, _ = ItemTokenizer.fit(recipe(**settings), items(PRICES, as_text=["price"]))
        tokenizer.save(tmp_path / "t")
        return fitted_text_fields(ItemTokenizer.load(tmp_path / "t"))

    assert fitted() == ("title", "price", "year")
    assert fitted(fields=["title", "price"]) == ()  # named fields may be numbers

"""Amazon readers on small files in the exact raw formats."""

import bz2
import gzip
import json
import lzma

import polars as pl
import pytest

from genrec.data import Catalog
from genrec.data.raw import RAW_READERS
from genrec.data.raw.files import read_literal
from genrec.errors import DataError


def write(path, lines, packed=True):
    data = ("\n".join(lines) + "\n").encode()
    path.write_bytes(gzip.compress(data, mtime=0) if packed else data)
    return path


REVIEWS_2014 = [
    json.dumps(
        {
            "reviewerID": user,
            "asin": item,
            "reviewerName": 'Nick "X"',
            "helpful": [2, 3],
            "reviewText": "I enjoy vintage books,\nand movies",
            "overall": 5.0,
            "summary": "Nice",
            "unixReviewTime": time,
            "reviewTime": "05 25, 2012",
        }
    )
    for user, item, time in [("A1", "0000031852", 1337904000), ("A1", "B2", 1337904001), ("A2", "B2", 1300000000)]
]
META_2014 = [
    "{'asin': '0000031852', 'title': 'Girls Ballet Tutu &amp; Zebra', 'price': 3.17, "
    "'imUrl': 'http://x/y.jpg', 'related': {'also_bought': ['B00JHONN1S']}, 'salesRank': {'Toys & Games': 211836}, "
    "'brand': 'Coxlures', 'categories': [['Sports & Outdoors', 'Other Sports', 'Dance'], ['Clothing']]}",
    "{'asin': 'B2', 'description': \"A woman's  dress\", 'categories': [['Beauty']]}",
    "{'asin': 'B3', 'title': __import__('os').getcwd()}",
    "{'asin': 'B4', 'title': 'cut of",
]


def test_amazon_2014(tmp_path):
    write(tmp_path / "reviews_Beauty_5.json.gz", REVIEWS_2014)
    write(tmp_path / "meta_Beauty.json.gz", META_2014)
    (tmp_path / "readme.txt").write_text("ignored")
    raw = RAW_READERS["amazon-2014"](tmp_path)
    assert raw.interactions.rows() == [
        ("A1", "0000031852", 1337904000),
        ("A1", "B2", 1337904001),
        ("A2", "B2", 1300000000),
    ]
    assert raw.interactions.columns == ["user_id", "item_id", "timestamp"]
    catalog = Catalog.from_frame(raw.items)
    first, second = catalog.frame.to_dicts()
    assert first["item_id"] == "0000031852"
    assert first["title"] == "Girls Ballet Tutu & Zebra"
    assert first["brand"] == "Coxlures"
    assert first["price"] == 3.17
    assert first["categories"] == ["Sports & Outdoors > Other Sports > Dance", "Clothing"]
    assert second["description"] == "A woman's dress"
    assert raw.report.count("broken-rows") == 2
    assert [text.split(":")[0] for text in raw.report.problems[0].examples] == ["line 3", "line 4"]
    assert [path.name for path in raw.files] == ["meta_Beauty.json.gz", "reviews_Beauty_5.json.gz"]


@pytest.mark.parametrize("suffix", [".bz2", ".XZ", ".zst"])
def test_raw_files_are_packed_in_any_way_that_tables_are(tmp_path, suffix):
    for name, lines in (("reviews_Beauty_5.json", REVIEWS_2014), ("meta_Beauty.json", META_2014)):
        path = tmp_path / f"{name}{suffix}"
        if suffix == ".zst":
            table = pl.DataFrame({lines[0]: lines[1:]})
            table.write_csv(path, compression="zstd", quote_style="never", check_extension=False)
        else:
            pack = {".bz2": bz2.compress, ".XZ": lzma.compress}[suffix]
            path.write_bytes(pack(("\n".join(lines) + "\n").encode()))
    raw = RAW_READERS["amazon-2014"](tmp_path)
    assert raw.interactions.height == 3
    assert raw.items["item_id"].to_list() == ["0000031852", "B2"]


def test_amazon_2014_files_by_name_python_literals_and_ratings(tmp_path):
    meta = write(tmp_path / "meta_Beauty.json", META_2014[:2], packed=False)
    loose = write(tmp_path / "reviews_Beauty.json", [str(json.loads(line)) for line in REVIEWS_2014], packed=False)
    ratings = write(tmp_path / "ratings_Beauty.csv", ["A1,0000031852,5.0,1337904000", "A1,B2,1.0,1337904001"], False)
    expected = [("A1", "0000031852", 1337904000), ("A1", "B2", 1337904001)]
    read = RAW_READERS["amazon-2014"]
    assert read([meta, loose]).interactions.rows()[:2] == expected
    assert read([ratings, meta]).interactions.rows() == expected


def test_halves_of_a_sign_are_joined(tmp_path):
    meta = write(tmp_path / "meta_A.json", ["{'asin': 'a', 'title': u'\\ud83d\\ude00 \\ud83d'}"], packed=False)
    write(tmp_path / "reviews_A.json", REVIEWS_2014, packed=False)
    assert RAW_READERS["amazon-2014"]([meta, tmp_path / "reviews_A.json"]).items["title"].to_list() == ["😀 \ufffd"]


def test_lines_are_never_evaluated():
    assert read_literal("{'a': [1, u'x', True, None]}") == {"a": [1, "x", True, None]}
    with pytest.raises(ValueError):
        read_literal("__import__('os').getcwd()")


META_2018 = [
    {
        "category": ["All Beauty", "Hair &amp; Skin"],
        "tech1": "",
        "description": ["Loud 'N Clear", "for  all"],
        "fit": "",
        "title": "Loud 'N Clear&trade; Personal Sound Amplifier",
        "also_buy": [],
        "brand": "idea village",
        "feature": ["quiet"],
        "rank": "2,938,573 in Beauty",
        "details": {"ASIN: ": "6546546450"},
        "main_cat": "All Beauty",
        "price": "$34.99",
        "asin": "6546546450",
    },
    {
        "category": [],
        "description": [],
        "title": "var aPageStart = getTime()",
        "brand": "",
        "asin": "B9",
        "rank": ["1"],
    },
    {"category": "", "description": "one text", "title": "T", "brand": "Q", "asin": "B8", "feature": []},
]
REVIEWS_2018 = [
    {
        "overall": 1.0,
        "verified": True,
        "reviewTime": "02 19, 2015",
        "reviewerID": "A1V6B6TNIC10QE",
        "asin": item,
        "style": {"Format:": " Hardcover"},
        "reviewerName": "theodore",
        "reviewText": "great",
        "summary": "One Star",
        "unixReviewTime": 1424304000,
    }
    for item in ("6546546450", "B8")
]


def test_amazon_2018(tmp_path):
    write(tmp_path / "All_Beauty_5.json.gz", [*map(json.dumps, REVIEWS_2018), '{"overall": 5.0, "ver'])
    write(tmp_path / "meta_All_Beauty.json.gz", map(json.dumps, META_2018))
    raw = RAW_READERS["amazon-2018"](tmp_path)
    assert raw.interactions.rows() == [("A1V6B6TNIC10QE", item, 1424304000) for item in ("6546546450", "B8")]
    assert raw.report.count("broken-rows") == 1
    rows = {row["item_id"]: row for row in Catalog.from_frame(raw.items).frame.to_dicts()}
    assert rows["6546546450"] == {
        "item_id": "6546546450",
        "title": "Loud 'N Clear™ Personal Sound Amplifier",
        "brand": "idea village",
        "price": 34.99,
        "categories": ["All Beauty > Hair & Skin"],
        "description": "Loud 'N Clear for all",
        "features": ["quiet"],
    }
    assert rows["B9"]["title"] is None
    assert rows["B8"]["description"] == "one text"


@pytest.mark.parametrize(
    "title",
    [
        "Learn getTime in JavaScript, a book",
        "getTime() and friends",
        "new Date().getTime(): a guide",
        "var x = 1; a cup",
    ],
)
def test_titles_that_mention_a_script_are_titles(tmp_path, title):
    write(tmp_path / "All_Beauty_5.json.gz", map(json.dumps, REVIEWS_2018))
    meta = {"asin": "B8", "title": title}
    scripts = ["var aPageStart = (new Date()).getTime();\nvar ue_t0=ue_t0", "if(x){y=+new Date().getTime();}"]
    rows = [meta, *({**meta, "asin": f"C{n}", "title": script} for n, script in enumerate(scripts))]
    write(tmp_path / "meta_All_Beauty.json.gz", map(json.dumps, rows))
    raw = RAW_READERS["amazon-2018"](tmp_path)
    assert raw.items["title"].to_list() == [title, None, None]
    assert raw.report.count("script-titles") == 2


def test_fields_that_are_a_list_in_one_line_and_text_in_another(tmp_path):
    write(tmp_path / "All_Beauty_5.json.gz", map(json.dumps, REVIEWS_2018))
    rows = [
        {"asin": "B1", "title": ["Red", "cup"], "brand": "Acme", "description": "one text", "category": "Tea"},
        {
            "asin": "B2",
            "title": "[Sealed] box",
            "brand": ["A", "B"],
            "description": ["a", "b"],
            "category": ["Tea", "Cup"],
        },
    ]
    write(tmp_path / "meta_All_Beauty.json.gz", map(json.dumps, rows))
    first, second = Catalog.from_frame(RAW_READERS["amazon-2018"](tmp_path).items).frame.to_dicts()
    assert (first["title"], first["brand"], first["description"]) == ("Red, cup", "Acme", "one text")
    assert (second["title"], second["brand"], second["description"]) == ("[Sealed] box", "A, B", "a b")
    assert (first["categories"], second["categories"]) == (["Tea"], ["Tea > Cup"])


def test_amazon_2018_ratings_have_the_item_first(tmp_path):
    write(tmp_path / "All_Beauty.csv", ["0143026860,A1V6B6TNIC10QE,1.0,1424304000"], packed=False)
    write(tmp_path / "meta_All_Beauty.json.gz", map(json.dumps, META_2018))
    assert RAW_READERS["amazon-2018"](tmp_path).interactions.rows() == [("A1V6B6TNIC10QE", "0143026860", 1424304000)]
    write(tmp_path / "All_Beauty.csv", ["0143026860,A1V6B6TNIC10QE,1.0,1424304000", "broken"], packed=False)
    assert RAW_READERS["amazon-2018"](tmp_path).report.problems[0].examples[0].startswith("line 2:")


META_2023 = [
    {
        "main_category": "All Beauty",
        "title": "Howard LC0008 Leather Conditioner",
        "average_rating": 4.8,
        "rating_number": 10,
        "features": ["Cleans", "Protects"],
        "description": [],
        "price": 14.99,
        "images": [{"thumb": "https://x/y.jpg", "variant": "MAIN"}],
        "videos": [],
        "store": "Howard Products",
        "categories": ["Beauty", "Leather"],
        "details": {"Package Dimensions": "7 x 3 inches", "UPC": "617390882781", "Best Sellers": {"Rank": 5}},
        "parent_asin": "B01CUPMQZE",
        "bought_together": None,
    },
    {"title": "Yes to", "price": None, "categories": [], "description": ["Soft", "wipes"], "parent_asin": "B076WQZGPM"},
    {"title": "Third", "price": "from 12.99", "features": [], "details": {}, "parent_asin": "B3"},
]
REVIEWS_2023 = [
    {
        "rating": 5.0,
        "title": "Such a lovely scent",
        "text": "This spray is really nice.\nYes",
        "images": [],
        "asin": "B00YQ6X8EO",
        "parent_asin": "B01CUPMQZE",
        "user_id": "AGKHLEW2SOWHNMFQIJGBECAF7INQ",
        "timestamp": 1588687728923,
        "helpful_vote": 0,
        "verified_purchase": True,
    }
]


@pytest.mark.parametrize("suffix", [".jsonl", ".jsonl.gz"])
def test_amazon_2023(tmp_path, suffix):
    write(tmp_path / f"All_Beauty{suffix}", map(json.dumps, REVIEWS_2023), suffix.endswith(".gz"))
    write(tmp_path / f"meta_All_Beauty{suffix}", map(json.dumps, META_2023), suffix.endswith(".gz"))
    raw = RAW_READERS["amazon-2023"](tmp_path)
    assert raw.interactions.rows() == [("AGKHLEW2SOWHNMFQIJGBECAF7INQ", "B01CUPMQZE", 1588687728923)]
    first, second, third = Catalog.from_frame(raw.items).frame.to_dicts()
    assert first == {
        "item_id": "B01CUPMQZE",
        "title": "Howard LC0008 Leather Conditioner",
        "store": "Howard Products",
        "main_category": "All Beauty",
        "price": 14.99,
        "categories": ["Beauty > Leather"],
        "features": ["Cleans", "Protects"],
        "description": None,
        "details": ["Package Dimensions: 7 x 3 inches", "UPC: 617390882781", "Best Sellers: Rank: 5"],
    }
    assert second["description"] == "Soft wipes"
    assert third["price"] is None


def test_amazon_2023_ratings_only(tmp_path):
    write(tmp_path / "meta_All_Beauty.jsonl.gz", map(json.dumps, META_2023))
    lines = ["user_id,parent_asin,rating,timestamp", "AGK,B01CUPMQZE,5.0,1588687728923"]
    path = write(tmp_path / "All_Beauty.csv.gz", lines)
    assert RAW_READERS["amazon-2023"](tmp_path).interactions.rows() == [("AGK", "B01CUPMQZE", 1588687728923)]
    write(path, ["user,item,rating,timestamp", "AGK,B01CUPMQZE,5.0,1588687728923"])
    with pytest.raises(DataError, match="no column 'user_id'"):
        RAW_READERS["amazon-2023"](tmp_path)


def test_blocks_give_the_same_tables(tmp_path, monkeypatch):
    write(tmp_path / "reviews_Beauty_5.json.gz", REVIEWS_2014 * 20)
    write(tmp_path / "meta_Beauty.json.gz", META_2014)
    whole = RAW_READERS["amazon-2014"](tmp_path)
    from genrec.data.raw import files
    from genrec.data.tables import text_blocks

    monkeypatch.setattr(files, "text_blocks", lambda path: text_blocks(path, 300))
    monkeypatch.setattr("genrec.data.tables._CHUNK", 100)
    pieces = RAW_READERS["amazon-2014"](tmp_path)
    assert pieces.interactions.equals(whole.interactions)
    assert pieces.items.equals(whole.items)
    assert pieces.report.to_dict() == whole.report.to_dict()


def test_missing_and_wrong_paths_name_the_files_expected(tmp_path):
    read = RAW_READERS["amazon-2014"]
    with pytest.raises(DataError, match=r"does not exist(.|\n)*meta_X\.json\.gz(.|\n)*reviews_X_5"):
        read(tmp_path / "gone")
    with pytest.raises(DataError, match=r"no file of metadata and reviews(.|\n)*meta_X\.json\.gz"):
        read(tmp_path)
    write(tmp_path / "meta_A.json.gz", META_2014)
    with pytest.raises(DataError, match="no file of reviews"):
        read(tmp_path)
    other = tmp_path / "notes.txt"
    other.write_text("x")
    with pytest.raises(DataError, match=r"'notes\.txt' is not a file of the amazon-2014 data"):
        read([tmp_path, other])
    write(tmp_path / "meta_B.json.gz", META_2014)
    with pytest.raises(DataError, match=r"several files of metadata: meta_A\.json\.gz, meta_B\.json\.gz"):
        read(tmp_path)


def test_a_file_without_any_readable_line(tmp_path):
    write(tmp_path / "meta_A.json.gz", ["nothing", "to read"])
    write(tmp_path / "reviews_A_5.json.gz", REVIEWS_2014)
    with pytest.raises(DataError, match="No line of the file can be read"):
        RAW_READERS["amazon-2014"](tmp_path)

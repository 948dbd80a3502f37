"""MovieLens readers on small files in the exact raw formats."""

import pytest

from genrec.data.raw import RAW_READERS
from genrec.errors import DataError


def put(path, text, encoding="utf-8"):
    path.write_bytes(text.encode(encoding))


def csv_files(folder):
    put(folder / "ratings.csv", "userId,movieId,rating,timestamp\r\n1,1,4.0,964982703\r\n1,11,5.0,964982224\r\n")
    put(
        folder / "movies.csv",
        "movieId,title,genres\r\n1,Toy Story (1995),Adventure|Animation\r\n"
        '11,"American President, The (1995)",Comedy\r\n'
        "3,Babylon 5,(no genres listed)\r\n4,Doctor Who (2005– ),Drama\r\n",
    )


def test_latest_small_and_25m(tmp_path):
    csv_files(tmp_path)
    put(
        tmp_path / "tags.csv",
        "userId,movieId,tag,timestamp\r\n2,1,Fun,1\r\n3,1,pixar,2\r\n4,1,fun,3\r\n5,1,,3\r\n5,99,odd,3\r\n",
    )
    for name in ("movielens", "movielens-25m", "movielens-latest-small"):
        raw = RAW_READERS[name](tmp_path)
        assert raw.interactions.rows() == [("1", "1", "964982703"), ("1", "11", "964982224")]
        assert raw.items.rows() == [
            ("1", "Toy Story", "1995", ["Adventure", "Animation"], ["fun", "pixar"]),
            ("11", "American President, The", "1995", ["Comedy"], None),
            ("3", "Babylon 5", None, None, None),
            ("4", "Doctor Who", "2005", ["Drama"], None),
        ]
        assert [path.name for path in raw.files] == ["ratings.csv", "movies.csv", "tags.csv"]


def test_tags_are_optional(tmp_path):
    csv_files(tmp_path)
    assert RAW_READERS["movielens"](tmp_path).items.columns == ["item_id", "title", "year", "categories"]


def test_1m(tmp_path):
    put(tmp_path / "ratings.dat", "1::1193::5::978300760\n1::661::3::978302109\n")
    movies = '1193::Misérables, Les (1995)::Drama|Musical\n661::"Great Performances" Cats (1998)::Musical\n'
    put(tmp_path / "movies.dat", movies, "latin-1")
    put(tmp_path / "users.dat", "1::F::1::10::48067\n")
    for name in ("movielens", "movielens-1m"):
        raw = RAW_READERS[name](tmp_path)
        assert raw.interactions.rows() == [("1", "1193", "978300760"), ("1", "661", "978302109")]
        assert raw.items.rows() == [
            ("1193", "Misérables, Les", "1995", ["Drama", "Musical"]),
            ("661", '"Great Performances" Cats', "1998", ["Musical"]),
        ]
        assert raw.report.problems == []


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1"])
def test_dat_files_are_utf_8_where_they_can_be(tmp_path, encoding):
    """The 10M release is UTF-8, the 1M release is Latin-1."""
    put(tmp_path / "ratings.dat", "1::1::5::978300760\n")
    put(tmp_path / "movies.dat", "1::Café Société, Le (1994)::Comedy\n", encoding)
    put(tmp_path / "tags.dat", "15::1::été::1215184630\n", encoding)
    raw = RAW_READERS["movielens"](tmp_path)
    assert raw.items.rows() == [("1", "Café Société, Le", "1994", ["Comedy"], ["été"])]


def test_broken_rows_are_counted(tmp_path):
    csv_files(tmp_path)
    put(tmp_path / "ratings.csv", "userId,movieId,rating,timestamp\n1,1,4.0,9\n1,1\n")
    raw = RAW_READERS["movielens"](tmp_path)
    assert raw.report.count("broken-rows") == 1
    assert raw.report.problems[0].table == "ratings.csv"


def test_wrong_files(tmp_path):
    csv_files(tmp_path)
    with pytest.raises(DataError, match=r"no file of ratings and movies(.|\n)*ratings\.dat"):
        RAW_READERS["movielens-1m"](tmp_path)
    put(tmp_path / "ratings.dat", "1,2,3\n")
    with pytest.raises(DataError, match="several files of ratings"):
        RAW_READERS["movielens"](tmp_path)
    put(tmp_path / "movies.dat", "1,2,3\n")
    with pytest.raises(DataError, match=r"not a MovieLens \.dat file"):
        RAW_READERS["movielens-1m"](tmp_path)
    put(tmp_path / "movies.csv", "id,name\n1,2\n")
    with pytest.raises(DataError, match="no column 'movieId'"):
        RAW_READERS["movielens-25m"](tmp_path)

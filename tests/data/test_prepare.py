import itertools

import pytest

from genrec.data import Catalog, Interactions
from genrec.data.raw import prepare
from genrec.errors import ArtifactError, ConfigError, DataError


@pytest.fixture
def raw(tmp_path):
    """Users 1-5 rated movies 1-4 (movie 4 has no metadata) and one more each; movie 9 was never rated."""
    folder = tmp_path / "ml"
    folder.mkdir()
    rows = [(u, m, 3.0, 1000 * u - m) for u, m in itertools.product(range(1, 6), range(1, 5))]
    rows += [(u, 10 + u, 3.0, 5) for u in range(1, 6)] + [(1, 1, 3.0, 999)]
    lines = [",".join(map(str, row)) for row in rows]
    (folder / "ratings.csv").write_text("\n".join(["userId,movieId,rating,timestamp", *lines, "broken"]))
    movies = [f"{m},Movie {m} (1990),Drama" for m in (9, 3, 2, 1, 11, 12, 13, 14, 15)]
    (folder / "movies.csv").write_text("\n".join(["movieId,title,genres", *movies]))
    return folder


def test_prepare_writes_canonical_tables(raw, tmp_path):
    out = tmp_path / "out"
    report = prepare("movielens", raw, out, k_core=4)
    assert sorted(path.name for path in out.iterdir()) == [
        ".genrec.json",
        "README.md",
        "interactions.csv",
        "items.jsonl",
    ]
    catalog = Catalog.read(out / "items.jsonl")
    table = Interactions.read(out / "interactions.csv")
    assert catalog.item_ids.tolist() == ["3", "2", "1", "4"]
    assert catalog.titles() == ["Movie 3", "Movie 2", "Movie 1", "4"]
    assert len(table) == 20
    histories = table.histories(catalog, unknown="error")
    assert histories[0].tolist() == [3, 0, 1, 2]
    assert report.facts["users"] == 5
    assert report.facts["items"] == 4
    assert report.facts["interactions"] == 20
    counts = {problem.kind: problem.count for problem in report.problems}
    assert counts == {
        "broken-rows": 1,
        "duplicate-rows": 1,
        "below-k-core": 5,
        "dropped-items": 6,
        "items-without-metadata": 1,
        "items-without-text": 1,
    }
    assert report.rows == {"ratings.csv": 27, "movies.csv": 9, "interactions": 26, "items": 10}
    lines = report.lines()
    assert "ratings.csv: 26 of 27 rows are used." in lines
    assert "interactions: 20 of 26 rows are used." in lines
    assert "items: 4 of 10 rows are used." in lines
    readme = (out / "README.md").read_text()
    assert "| 5 | 4 | 20 |" in readme
    assert "ratings.csv, movies.csv" in readme
    assert str(tmp_path) not in readme


def test_prepare_without_core_keeps_all_items(raw, tmp_path):
    report = prepare("movielens", raw, tmp_path / "out", k_core=None)
    catalog = Catalog.read(tmp_path / "out" / "items.jsonl")
    assert catalog.item_ids.tolist() == ["9", "3", "2", "1", "11", "12", "13", "14", "15", "4"]
    assert report.facts["interactions"] == 25


def test_prepare_is_deterministic_and_refuses_to_overwrite(raw, tmp_path):
    for name in ("a", "b"):
        prepare("movielens", raw, tmp_path / name, k_core=2)
    for file in ("items.jsonl", "interactions.csv", "README.md"):
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()
    with pytest.raises(ArtifactError, match="already exists"):
        prepare("movielens", raw, tmp_path / "a")
    prepare("movielens", raw, tmp_path / "a", k_core=2, overwrite=True)


def test_prepare_cleans_html_unless_it_is_kept_and_bounds_what_is_lost(raw, tmp_path):
    text = (raw / "movies.csv").read_text().replace("Movie 1 ", "Caf&eacute; <b>1</b> ")
    (raw / "movies.csv").write_text(text)
    report = prepare("movielens", raw, tmp_path / "plain", k_core=4)
    assert report.count("html") == 1
    assert "Café 1" in Catalog.read(tmp_path / "plain" / "items.jsonl").titles()
    prepare("movielens", raw, tmp_path / "kept", k_core=4, html="keep")
    assert "Caf&eacute; <b>1</b>" in (tmp_path / "kept" / "items.jsonl").read_text()
    (raw / "movies.csv").write_text(text + "\nbroken")
    with pytest.raises(DataError, match=r"1 of 10 rows \(10%\)(.|\n)*movies.csv: 1 broken-rows(.|\n)*--allow-lost 0.1"):
        prepare("movielens", raw, tmp_path / "out", k_core=4)
    assert not (tmp_path / "out").exists()
    assert prepare("movielens", raw, tmp_path / "out", k_core=4, allow_lost=0.1).count("broken-rows") == 2


def test_prepare_failures_leave_nothing(raw, tmp_path):
    with pytest.raises(ConfigError, match="Did you mean 'movielens'"):
        prepare("movielense", raw, tmp_path / "out")
    with pytest.raises(DataError, match="No interaction is left"):
        prepare("movielens", raw, tmp_path / "out", k_core=50)
    (raw / "movies.csv").unlink()
    with pytest.raises(DataError, match="no file of movies"):
        prepare("movielens", raw, tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["ml"]

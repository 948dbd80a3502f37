import json

import numpy as np

from genrec.data import check_tables


def put(path, text):
    path.write_text(text, encoding="utf-8")
    return path


def test_facts_and_problems_of_two_tables(tmp_path):
    items = put(tmp_path / "items.csv", 'item_id,title,kinds\na,Cup,"[""k""]"\nb,Tea,\nc,,\na,Cup,"[""k""]"\n')
    text = (
        "user_id,item_id,timestamp\nu,a,1600000000\nu,b,1600000000\nu,x,1600000009\nu,b,1600100000\nv,a,1600000000\nv\n"
    )
    result = check_tables(items, put(tmp_path / "x.csv", text), allow_lost=0.2)
    assert result.ok
    assert result.items["items"] == 3
    assert [(f["name"], f["type"], round(f["filled"], 2), f["example"]) for f in result.items["fields"]] == [
        ("title", "text", 0.67, "Cup"),
        ("kinds", "list of text", 0.33, "k"),
    ]
    assert result.interactions["interactions"] == 5
    assert result.interactions["users"] == 2
    assert result.interactions["time"] == "epoch, s"
    assert result.interactions["first"] == "2020-09-13 12:26"
    assert result.interactions["repeated_pairs"] == 1
    found = {(p.table, p.kind): p.count for p in result.problems}
    assert found == {
        ("items", "duplicate-items"): 1,
        ("items", "items-without-text"): 1,
        ("items", "unused-items"): 1,
        ("interactions", "broken-rows"): 1,
        ("interactions", "unknown-items"): 1,
        ("interactions", "consecutive-repeats"): 1,
        ("interactions", "short-histories"): 2,
        ("interactions", "equal-timestamps"): 2,
    }
    counts = [problem.count for problem in result.problems]
    assert counts == sorted(counts, reverse=True)
    assert all(problem.rule and problem.fix for problem in result.problems)
    json.dumps(result.to_dict())


def test_too_many_lost_rows_are_an_error_beside_all_else(tmp_path):
    items = put(tmp_path / "items.csv", "item_id,title\na,Cup\nb,Tea\n")
    rows = put(tmp_path / "x.csv", "user_id,item_id,timestamp\nu,a,1600000000\nu,b\nv,x,1600000009\nv,b,1600000009\n")
    result = check_tables(items, rows)
    assert [error.what for error in result.errors] == [
        "1 of 4 rows (25%) would be lost."  # the broken row; one unknown item of four is within its bound
    ]
    assert result.interactions["interactions"] == 3
    assert not result.ok
    assert len(check_tables(items, rows, allow_lost=0.1).errors) == 2


def test_errors_of_both_tables_are_collected(tmp_path):
    result = check_tables(put(tmp_path / "items.csv", ""), put(tmp_path / "x.csv", "user,item\nu,a\n"))
    assert not result.ok
    assert [error.what for error in result.errors] == ["The file is empty.", "There is no column 'user_id'."]
    assert result.items == result.interactions == {}


def test_tables_that_share_no_item(tmp_path):
    items = put(tmp_path / "items.csv", "item_id,title\na,x\n")
    result = check_tables(items, put(tmp_path / "x.csv", "user_id,item_id\nu,b\n"))
    assert "catalogue does not have" in result.errors[0].what
    assert result.interactions["time"] == "order only"
    assert result.interactions["first"] is None


def test_one_table_alone_and_other_column_names(tmp_path):
    items = put(tmp_path / "items.jsonl", '{"sku": 1, "name": "x", "price": 2.5}\n')
    result = check_tables(items, id_column="sku")
    assert result.ok
    assert result.items["fields"][1]["type"] == "number"
    assert result.interactions == {}
    rows = put(tmp_path / "x.csv", "u,i,t\n1,2,3\n")
    assert check_tables(None, rows, user_column="u", item_column="i", time_column="t").interactions["users"] == 1


def test_density_and_lengths(tmp_path):
    rng = np.random.default_rng(0)
    lines = [f"u{u},i{i}" for u in range(10) for i in rng.permutation(20)[: u + 1]]
    facts = check_tables(None, put(tmp_path / "x.csv", "user_id,item_id\n" + "\n".join(lines))).interactions
    assert facts["length_min"] == 1
    assert facts["length_max"] == 10
    assert facts["length_mean"] == 5.5
    assert facts["density"] == 55 / (10 * facts["items"])

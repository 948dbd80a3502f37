import json

import numpy as np
import polars as pl
import pytest

from genrec.data import Interactions
from genrec.data.cases import read_cases
from genrec.errors import DataError

IDS = np.array(["0", "1", "07", "b c", "d"], dtype=object)
ROWS = [("u1", ["0", "1"], "07"), ("u2", ["d"], "0"), ("u1", ["0", "1", "07"], "d")]


def write(folder, histories, *, name="history_item_id", header="user_id,{},item_id"):
    path = folder / "cases.csv"
    lines = [header.format(name)]
    for (user, _, target), history in zip(ROWS, histories, strict=True):
        quoted = history.replace('"', '""')
        lines.append(f'{user},"{quoted}",{target}')
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.mark.parametrize(
    "shape",
    [
        json.dumps,
        str,  # how Python writes a list
        " ".join,
        ",".join,
        "; ".join,
        "|".join,
    ],
)
def test_histories_in_every_usual_form(shape, tmp_path):
    cases, report = read_cases(write(tmp_path, [shape(items) for _, items, _ in ROWS]), IDS)
    assert [[IDS[item] for item in history] for history in cases.histories] == [items for _, items, _ in ROWS]
    assert [IDS[target] for target in cases.targets] == [target for _, _, target in ROWS]
    assert cases.histories.user_ids.tolist() == ["u1", "u2", "u1"]
    assert (report.problems, report.rows) == ([], {"cases": 3})


def test_numbers_in_lists_and_lists_in_json_lines(tmp_path):
    cases, _ = read_cases(write(tmp_path, ["[0, 1]", "[1.0]", "[1, 0]"]), IDS)
    assert [history.tolist() for history in cases.histories] == [[0, 1], [1], [1, 0]]
    path = tmp_path / "cases.jsonl"
    pl.DataFrame({"user_id": ["a"], "history": [["b c", "d"]], "item_id": ["0"]}).write_ndjson(path)
    assert read_cases(path, IDS)[0].histories[0].tolist() == [3, 4]


def test_what_the_catalogue_lacks_is_counted_and_bounded(tmp_path):
    path = tmp_path / "cases.csv"
    rows = ["a,0 9,1", "b,1,9", "c,9 8,0", "d,,0", "e,0,1", "f,1,0", "g,0,1", "h,0,1"]
    path.write_text("user_id,history,item_id\n" + "\n".join(rows) + "\n")
    with pytest.raises(DataError, match=r"3 of 8 rows \(38%\) would be lost") as failure:
        read_cases(path, IDS)
    assert "--allow-lost 0.38" in str(failure.value)
    cases, report = read_cases(path, IDS, allow_lost=0.38)
    assert cases.histories.user_ids.tolist() == ["a", "e", "f", "g", "h"]
    found = {problem.kind: problem.count for problem in report.problems}
    assert found == {"unknown-history-items": 3, "unknown-targets": 1, "empty-histories": 2}
    assert report.kept() == len(cases)
    with pytest.raises(DataError, match="8 of 8 rows"):
        read_cases(path, np.array(["x"], dtype=object))


def test_nothing_left_is_an_error_however_much_may_be_lost(tmp_path):
    path = tmp_path / "cases.csv"
    path.write_text("user_id,history,item_id\nu,strange,other\nv,a,other\nw,strange,a\n")
    with pytest.raises(DataError, match="No case can be used") as told:
        read_cases(path, np.array(["a", "b"], dtype=object), allow_lost=1)
    assert "2 unknown-targets" in str(told.value)
    assert "1 empty-histories" in str(told.value)


def test_lost_zeros_and_broken_rows_of_cases(tmp_path):
    path = tmp_path / "cases.csv"
    path.write_text("user_id,history,item_id\n" + "a,0 1,7\n" * 3 + "a,0 1,07\n")
    with pytest.raises(DataError, match="Were leading zeros lost"):
        read_cases(path, IDS)
    path.write_text("user_id,history,item_id\n" + "a,0 1,07\n" * 30 + "a,0,1,07\n")
    cases, report = read_cases(path, IDS)
    assert (len(cases), report.count("broken-rows"), report.rows["cases"]) == (30, 1, 31)


def test_a_table_without_users_says_so(tmp_path):
    path = write(tmp_path, ["0 1", "d", "0"], header="uid,{},item_id")
    cases, report = read_cases(path, IDS)
    assert len(set(cases.histories.user_ids)) == 3
    assert "every row counts as a user of its own" in report.lines()[0]
    cases, report = read_cases(path, IDS, user_column="uid")
    assert (len(set(cases.histories.user_ids)), report.lines()) == (2, [])


def test_columns_are_found_named_or_asked_for(tmp_path):
    path = write(tmp_path, ["0 1", "d", "0"], name="what_came_before")
    with pytest.raises(DataError, match="no column of histories") as failure:
        read_cases(path, IDS)
    assert "--history-column" in str(failure.value)
    assert len(read_cases(path, IDS, history_column="what_came_before")[0]) == 3
    with pytest.raises(DataError, match="There is no column 'answer'"):
        read_cases(path, IDS, history_column="what_came_before", target_column="answer")
    assert len(read_cases(path, IDS, user_column="nobody", history_column="what_came_before")[0].histories) == 3


@pytest.mark.parametrize("text", ["[0, 1", "[__import__('os').system('true')]", "[" * 5000])
def test_a_broken_list_is_named_and_never_run(text, tmp_path):
    with pytest.raises(DataError, match="cannot be read") as failure:
        read_cases(write(tmp_path, [text, "[0]", "[0]"]), IDS)
    assert "row 1" in str(failure.value)


def test_a_table_of_cases_is_no_table_of_interactions(tmp_path):
    path = write(tmp_path, [str(items) for _, items, _ in ROWS])
    for time in ("timestamp", "bought_at"):
        with pytest.raises(DataError, match="one case a row: the column 'history_item_id'") as failure:
            Interactions.read(path, time_column=time)
        assert "genrec data cases" in str(failure.value)
    assert len(Interactions.read(path, time_column=None)) == 3
    path.write_text("user_id,item_id,history,bought_at\na,0,x,1\na,1,x,2\n")
    assert len(Interactions.read(path, time_column="bought_at")) == 2


def test_a_missing_time_may_be_the_order_of_the_rows(tmp_path):
    path = tmp_path / "log.csv"
    path.write_text("user_id,item_id\na,0\na,1\n")
    with pytest.raises(DataError, match="--time-column none"):
        Interactions.read(path, time_column="bought_at")

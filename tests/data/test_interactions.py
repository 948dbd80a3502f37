import shlex

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genrec.data import Catalog, Interactions
from genrec.errors import ConfigError, DataError


def table(rows, names=("user_id", "item_id", "timestamp"), **options):
    return Interactions.from_frame(pl.DataFrame(rows, schema=list(names), orient="row"), **options)


def put(path, text):
    path.write_text(text, encoding="utf-8")
    return path


def kinds(interactions):
    return {problem.kind: problem.count for problem in interactions.report.problems}


def test_users_in_order_of_appearance_and_rows_in_order_of_time():
    found = table([("u2", "a", 30), ("u1", "b", 5), ("u2", "c", 10), ("u2", "d", 10), ("u1", "a", 1)])
    assert found.frame.rows() == [
        ("u2", "c", 10),
        ("u2", "d", 10),
        ("u2", "a", 30),
        ("u1", "a", 1),
        ("u1", "b", 5),
    ]
    assert found.frame.schema == {"user_id": pl.String, "item_id": pl.String, "timestamp": pl.Int64}
    assert not found.ordinal
    assert kinds(found) == {}


rows_strategy = st.lists(
    st.tuples(st.sampled_from("uvwx"), st.sampled_from("abc"), st.integers(-(2**62), 2**62) | st.integers(0, 3)),
    min_size=1,
    max_size=30,
)


@settings(max_examples=100, deadline=None, derandomize=True)
@given(rows_strategy, st.sets(st.sampled_from("abc"), min_size=1), st.booleans())
def test_histories_agree_with_plain_python(rows, known, drop):
    found = table(rows, allow_lost=1)
    expected: dict[str, list] = {}
    for user, item, time in rows:
        events = expected.setdefault(user, [])
        if (item, time) not in events:
            events.append((item, time))
    catalogue = sorted(known)
    sequences = {}
    for user, events in expected.items():
        items = [item for item, _ in sorted(events, key=lambda event: event[1]) if item in known]
        if drop:
            items = [item for n, item in enumerate(items) if n == 0 or items[n - 1] != item]
        if items:
            sequences[user] = [catalogue.index(item) for item in items]
    assert found.report.count("duplicate-rows") == len(rows) - sum(map(len, expected.values()))
    if not sequences:
        with pytest.raises(DataError):
            found.histories(catalogue)
        return
    histories = found.histories(catalogue, consecutive_repeats="drop" if drop else "keep")
    assert dict(zip(histories.user_ids, (history.tolist() for history in histories), strict=True)) == sequences
    assert list(histories.user_ids) == list(sequences)
    assert histories.items.dtype == np.int32
    unknown = sum(item not in known for events in expected.values() for item, _ in events)
    assert found.report.count("unknown-items") == unknown
    assert found.report.count("users-without-items") == len(expected) - len(sequences)


def test_shuffling_the_file_changes_only_the_order_of_users():
    rng = np.random.default_rng(0)
    rows = [(f"u{u}", f"i{rng.integers(9)}", int(t)) for u in range(5) for t in rng.permutation(50)[:10]]
    first = table(rows).frame.sort("user_id", maintain_order=True)
    rng.shuffle(rows)
    assert table(rows).frame.sort("user_id", maintain_order=True).equals(first)


def test_without_time_column_the_order_of_rows_counts(tmp_path):
    path = put(tmp_path / "x.csv", "user_id,item_id\nu,b\nv,a\nu,a\nu,b\n")
    found = Interactions.read(path)
    assert found.frame.rows() == [("u", "b", 1), ("u", "a", 2), ("u", "b", 3), ("v", "a", 1)]
    assert found.ordinal
    assert kinds(found) == {"row-order": 4}
    assert found.histories(["a", "b"]).timestamps is None


def test_counters_inside_users_are_only_an_order():
    assert table([("u", "a", 1), ("u", "b", 2), ("v", "a", 1)]).ordinal
    assert not table([("u", "a", 1), ("u", "b", 3)]).ordinal
    histories = table([("u", "a", 1), ("u", "b", 3)]).histories(["a", "b"])
    assert histories.timestamps.tolist() == [1, 3]


def test_a_column_that_looks_like_a_forgotten_time_is_refused(tmp_path):
    path = put(tmp_path / "x.csv", "user_id,item_id,unixReviewTime\nu,b,17\n")
    with pytest.raises(DataError, match=r"'unixReviewTime' may be the time(.|\n)*time_column='unixReviewTime'"):
        Interactions.read(path)
    assert Interactions.read(path, time_column="unixReviewTime").frame["timestamp"].to_list() == [17]
    assert Interactions.read(path, time_column=None).ordinal
    with pytest.raises(DataError, match="no column 'when'"):
        Interactions.read(path, time_column="when")


@pytest.mark.parametrize("name", ["bought_at", "event_time", "Purchased On", "x"])
def test_row_order_is_not_taken_where_a_column_holds_times(tmp_path, name):
    rows = "".join(f"u{n % 3},i{n % 5},2023-01-{n + 1:02d}\n" for n in range(20))
    path = put(tmp_path / "x.csv", f"user_id,item_id,{name}\n{rows}")
    with pytest.raises(DataError) as caught:
        Interactions.read(path)
    assert f"'{name}' may be the time" in str(caught.value)
    assert f"--time-column {shlex.quote(name)} (time_column={name!r} in Python)" in caught.value.hint
    assert not Interactions.read(path, time_column=name).ordinal
    assert Interactions.read(path, time_column=None).ordinal


def test_times_of_many_forms_are_counted_with_one_example_each():
    forms = [
        "2023-01-{:02d}",
        "2023-01-{:02d} 10:00:00",
        "2023-01-{:02d}T10:00:00Z",
        "16000000{:02d}",
        "{:02d}. of April",
    ]
    rows = [("u", f"i{n}", forms[n % 5].format(n % 28 + 1)) for n in range(200)]
    with pytest.raises(DataError, match=r"80 of 200 rows \(40%\)"):
        table(rows)
    found = table(rows, allow_lost=0.4)
    assert found.report.kept() == len(found) == 120
    examples = next(one.examples for one in found.report.problems if one.kind == "unreadable-timestamps")
    assert examples == ("row 4: '1600000004'", "row 5: '05. of April'", "row 9: '1600000009'")


def test_mixed_units_are_found_counted_and_brought_together():
    rows = [("u", "a", 1577836800), ("u", "b", 1577836800000), ("u", "c", 1609459200), ("v", "a", 1577836801)]
    found = table(rows)
    assert found.frame["timestamp"].to_list() == [1577836800000, 1577836800000, 1609459200000, 1577836801000]
    problem = found.report.problems[0]
    assert (problem.kind, problem.count) == ("mixed-time-units", 1)
    assert problem.examples == ("row 2: 1577836800000 among 3 rows in s, 1 row in ms",)
    assert found.report.lines()[0].startswith("interactions: 1 mixed-time-units:")
    assert found.report.kept() == len(found)


def test_units_of_rows_that_are_lost_otherwise_are_no_example():
    found = table([("u", "a", 1577836800), (None, "b", 1577836800000), ("u", "c", 1609459200)], allow_lost=0.5)
    assert found.frame["timestamp"].to_list() == [1577836800000, 1609459200000]
    assert kinds(found) == {"missing-ids": 1}


def test_lost_leading_zeros_are_guessed():
    rows = [("u", str(n % 10), n) for n in range(200)]
    catalogue = [f"{n:03d}" for n in range(10)]
    with pytest.raises(
        DataError, match=r"200 of 200(.|\n)*leading zeros lost\? The catalogue has '000' where this table has '0'"
    ):
        table(rows).histories(catalogue)
    found = table([("u", "001", 1), ("u", "002", 2), ("u", "003", 3), ("u", "4", 4)])
    assert len(found.histories(catalogue).items) == 3
    assert "The catalogue has '004' where this table has '4'." in found.report.lines()[-1]


def test_nul_in_a_table_in_memory_is_replaced():
    found = table([("u\x00", "a", 1), ("v", "b\x00", 2)])
    assert found.user_ids.to_list() == ["u\ufffd", "v"]
    assert found.report.count("replaced-signs") == 2


def test_missing_columns_name_the_nearest_and_the_option(tmp_path):
    path = put(tmp_path / "x.csv", "userId,movieId,timestamp\n1,2,3\n")
    with pytest.raises(DataError, match=r"no column 'user_id'(.|\n)*userId, movieId(.|\n)*--user-column userId"):
        Interactions.read(path)
    with pytest.raises(DataError, match=r"Did you mean 'movieId'(.|\n)*item_column='movieId'"):
        Interactions.read(path, user_column="userId")
    assert len(Interactions.read(path, user_column="userId", item_column="movieId")) == 1


def test_a_file_without_header_is_told(tmp_path):
    with pytest.raises(DataError, match="first line looks like a row: 1, 2, 3"):
        Interactions.read(put(tmp_path / "x.csv", "1,2,3\n1,4,5\n"))


def test_bad_rows_are_left_out_and_counted_with_lines(tmp_path):
    text = "user_id,item_id,timestamp\nu,a,10\nu,b\n,a,11\nu,,12\nu,c,NaN\nu,d,\nu,e,soon\nu,a,10\nu,f,9\nnan,f,9\n"
    found = Interactions.read(put(tmp_path / "x.csv", text), allow_lost=1)
    assert found.frame.rows() == [("u", "f", 9), ("u", "a", 10)]
    assert found.report.rows == {"interactions": 10}
    assert found.report.kept() == len(found)
    assert kinds(found) == {"broken-rows": 1, "missing-ids": 3, "unreadable-timestamps": 3, "duplicate-rows": 1}
    examples = {problem.kind: problem.examples for problem in found.report.problems}
    assert examples["missing-ids"] == ("line 4", "line 5", "line 11")
    assert examples["unreadable-timestamps"] == ("line 6: 'NaN'", "line 7: None", "line 8: 'soon'")
    assert examples["duplicate-rows"] == ("line 9",)
    assert found.report.facts == {"interactions": 2, "users": 1, "items_used": 2}


def test_dates_and_fractions_of_a_second():
    found = table([("u", "a", "2021-01-05T00:00:00.9"), ("u", "b", "2021-01-05T00:00:00.1"), ("u", "c", "2021-01-04")])
    assert found.frame["item_id"].to_list() == ["c", "b", "a"]
    assert kinds(found) == {"fractional-timestamps": 2}


def test_float_ids_of_a_column_with_gaps(tmp_path):
    found = table([(1.0, 10.0, 5), (None, 11.0, 6), (2.0, 10.0, 7)], allow_lost=0.4)
    assert found.frame.rows() == [("1", "10", 5), ("2", "10", 7)]
    path = put(tmp_path / "x.csv", "user_id,item_id,timestamp\n1.0,007,1\n2.0,7,2\n,7,2\n")
    read = Interactions.read(path, allow_lost=0.4)
    assert read.frame.select("user_id", "item_id").rows() == [("1", "007"), ("2", "7")]
    assert read.report.count("repaired-ids") == 2


def test_consecutive_repeats_switch():
    found = table([("u", "a", 1), ("u", "a", 5), ("u", "b", 6), ("u", "a", 7), ("v", "a", 8)])
    assert found.histories(["a", "b"]).items.tolist() == [0, 1, 0, 0]
    assert found.report.count("consecutive-repeats") == 1
    assert found.histories(["a", "b"], consecutive_repeats="keep").items.tolist() == [0, 0, 1, 0, 0]


def test_repeats_around_an_unknown_item_become_consecutive():
    found = table([("u", "a", 1), ("u", "x", 5), ("u", "a", 6)], allow_lost=0.4)
    assert found.histories(["a"]).items.tolist() == [0]


def test_unknown_items():
    found = table([("u", "a", 1), ("u", "x", 5), ("v", "y", 6), ("v", "x", 9)], allow_lost=0.75)
    catalog = Catalog.from_frame(pl.DataFrame({"item_id": ["b", "a"]}))
    histories = found.histories(catalog)
    assert list(histories.user_ids) == ["u"]
    assert histories.items.tolist() == [1]
    assert kinds(found) == {"unknown-items": 3, "users-without-items": 1}
    assert found.histories(["a", "x", "y"]).lengths.tolist() == [2, 2]
    assert kinds(found) == {}
    with pytest.raises(DataError, match=r"3 of 4 interactions(.|\n)*'x', 'y'"):
        found.histories(catalog, unknown="error")
    with pytest.raises(DataError, match="4 of 4"):
        found.histories(["q"])
    with pytest.raises(DataError, match="an id twice"):
        found.histories(["a", "a"])


def test_too_many_lost_rows_are_refused_unless_allowed(tmp_path):
    rows = [f"u{n % 9},i{n % 7},{1_600_000_000 + n if n >= 11 else '3 May'}" for n in range(200)]
    path = put(tmp_path / "x.csv", "\n".join(["user_id,item_id,timestamp", *rows]))
    with pytest.raises(DataError, match=r"11 of 200 rows \(6%\)(.|\n)*line 2: '3 May'(.|\n)*--allow-lost 0.06"):
        Interactions.read(path)
    found = Interactions.read(path, allow_lost=0.06)
    assert found.report.kept() == len(found) == 189
    assert found.report.lines()[0] == "interactions: 189 of 200 rows are used."
    path.write_text(path.read_text().replace("3 May", "1600000000", 1))
    assert len(Interactions.read(path)) == 190


def test_too_many_rows_of_unknown_items_are_refused_unless_allowed():
    rows = [("u", f"i{n}", n) for n in range(1, 101)]
    known = [f"i{n}" for n in range(26, 101)]
    found = table(rows)
    assert len(found.histories(known).items) == found.report.kept() == 75
    with pytest.raises(
        DataError, match=r"26 of 100 rows \(26%\)(.|\n)*unknown-items \(item 'i1'(.|\n)*allow_lost=0.26"
    ):
        found.histories(known[1:])
    assert len(table(rows, allow_lost=0.26).histories(known[1:]).items) == 74
    with pytest.raises(DataError, match="at most 10%"):
        table(rows, allow_lost=0.1).histories(known)


def test_wrong_words_are_refused():
    found = table([("u", "a", 1)])
    with pytest.raises(ConfigError, match="unknown is 'ignore'"):
        found.histories(["a"], unknown="ignore")
    with pytest.raises(ConfigError, match="consecutive_repeats"):
        found.histories(["a"], consecutive_repeats="yes")


def test_nothing_usable_is_refused():
    with pytest.raises(DataError, match="No row has a user"):
        table([(None, "a", 1), ("u", None, 2)])
    with pytest.raises(DataError, match="no interactions"):
        Interactions.from_frame(pl.DataFrame(schema={"user_id": pl.String, "item_id": pl.String}))


def test_parts_are_sorted_with_their_rows():
    rows = [("u", "b", 5, "test"), ("u", "a", 1, "Train"), ("v", "a", 1, "valid")]
    found = table(rows, ("user_id", "item_id", "timestamp", "split"), part_column="split")
    assert found.parts.tolist() == [0, 2, 1]
    with pytest.raises(DataError, match="'holdout' is unknown"):
        table([("u", "b", 5, "holdout")], ("user_id", "item_id", "timestamp", "split"), part_column="split")


@pytest.mark.parametrize("kind", [pl.Duration("us"), pl.Time, pl.List(pl.Int64), pl.Boolean])
def test_parts_of_a_type_that_names_nothing_are_refused(kind):
    frame = pl.DataFrame({"user_id": ["u"], "item_id": ["a"]}).with_columns(pl.lit(None, dtype=kind).alias("part"))
    with pytest.raises(DataError, match="holds"):
        Interactions.from_frame(frame, part_column="part")

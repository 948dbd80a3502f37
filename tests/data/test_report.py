import pytest

from genrec.data.report import RULES, DataReport, Lines


def test_add_replaces_and_zero_takes_back():
    report = DataReport("items")
    report.add("broken-rows", 2, ["line 1"])
    report.add("broken-rows", 3, ["line 2", "line 3", "line 4", "line 5"])
    assert report.count("broken-rows") == 3
    assert report.problems[0].examples == ("line 2", "line 3", "line 4")
    report.add("broken-rows", 0)
    assert report.problems == []


def test_merge_sums_equal_kinds_of_one_table_only():
    first, second, other = DataReport("a"), DataReport("a"), DataReport("b")
    for report, n in ((first, 1), (second, 2), (other, 4)):
        report.add("broken-rows", n, [f"line {n}"])
    first.merge(second)
    first.merge(other)
    assert first.count("broken-rows") == 7
    assert [(p.table, p.count) for p in first.problems] == [("a", 3), ("b", 4)]
    assert first.problems[0].examples == ("line 1", "line 2")


def test_every_problem_has_rule_and_fix_and_unknown_kinds_fail():
    assert all(rule.what and rule.fix.endswith(".") for rule in RULES.values())
    report = DataReport("t")
    report.add("broken-rows", 1)
    assert report.to_dict()["problems"][0]["rule"] == RULES["broken-rows"][0]
    with pytest.raises(KeyError):
        report.add("no-such-problem", 1)


def test_kept_rows_and_short_lines():
    report = DataReport("interactions")
    report.read(100)
    report.add("broken-rows", 2, ["line 7: 3 fields"])
    report.add("duplicate-rows", 1)
    report.add("users-without-items", 5)  # counts users, not rows
    report.add("repaired-ids", 9)
    report.add("short-histories", 3)
    assert report.kept() == 97
    lines = report.lines()
    assert lines[0] == "interactions: 97 of 100 rows are used."
    assert [line.split(": ")[1] for line in lines[1:]] == [
        "2 broken-rows",
        "1 duplicate-rows",
        "5 users-without-items",
        "9 repaired-ids",
    ]
    assert lines[1].endswith("are left out (line 7: 3 fields).")
    other = DataReport("items", rows={"items": 4})
    other.merge(report)
    other.merge(report)
    assert other.rows == {"items": 4, "interactions": 200}
    assert other.copy() == other
    assert DataReport("items", rows={"items": 4}).lines() == []


def test_lines():
    assert Lines("line", 2).examples([0, 4], ["a", "b"]) == ["line 2: a", "line 6: b"]
    assert Lines().of(0) == "row 1"

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from genrec.data.sorting import counters, distinct, repeated_rows, same_as_previous, sort_rows, stable_order, tied_rows

times = st.integers(0, 3) | st.integers(-(2**63) + 1, 2**63 - 2)
rows = st.lists(st.tuples(st.integers(0, 3), times, st.integers(0, 2)), min_size=1, max_size=30)


@settings(deadline=None, derandomize=True)
@given(rows, st.sampled_from([np.int64, np.float64, None]))
def test_sorting_is_stable_by_user_and_time(table, dtype):
    users = np.array([row[0] for row in table], dtype=np.int32)
    order = None if dtype is None else np.array([row[1] for row in table]).astype(dtype)
    keys = [(u, 0 if order is None else order[n], n) for n, u in enumerate(users)]
    assert sort_rows(users, order).tolist() == [key[2] for key in sorted(keys)]


@settings(deadline=None, derandomize=True)
@given(rows)
def test_comparisons_agree_with_loops(table):
    table = sorted(table, key=lambda row: row[:2])
    users, order, items = (np.array([row[n] for row in table], dtype=np.int64) for n in range(3))
    assert repeated_rows(users, items, order).tolist() == [row in table[:n] for n, row in enumerate(table)]
    assert tied_rows(users, order).tolist() == [sum(r[:2] == row[:2] for r in table) > 1 for row in table]
    seen: dict[int, int] = {}
    expected = []
    for user in users.tolist():
        seen[user] = seen.get(user, 0) + 1
        expected.append(seen[user])
    assert counters(users).tolist() == expected
    assert same_as_previous(items, users).tolist() == [
        n > 0 and table[n - 1][0] == row[0] and table[n - 1][2] == row[2] for n, row in enumerate(table)
    ]


def test_nothing_at_all():
    empty = np.zeros(0, dtype=np.int64)
    for result in (counters(empty), same_as_previous(empty, empty), tied_rows(empty, empty)):
        assert len(result) == 0


@settings(deadline=None, derandomize=True)
@given(st.lists(st.integers(-(2**63), 2**63 - 1) | st.integers(0, 3), max_size=40))
def test_order_and_distinct_values_are_those_of_numpy(values):
    key = np.array(values, dtype=np.int64)
    assert stable_order(key).tolist() == np.argsort(key, kind="stable").tolist()
    assert distinct(key).tolist() == np.unique(key).tolist()
    assert distinct(key.reshape(-1, 1)).tolist() == np.unique(key).tolist()

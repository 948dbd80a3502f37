import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genrec.data import Histories, Interactions, drop_consecutive_repeats, k_core
from genrec.errors import ConfigError, DataError


def table(rows):
    return Interactions.from_frame(pl.DataFrame(rows, schema=["user_id", "item_id", "timestamp"], orient="row"))


@settings(max_examples=100, deadline=None, derandomize=True)
@given(
    st.lists(
        st.tuples(st.sampled_from("uvwxy"), st.sampled_from("abcde"), st.integers(50, 90)), min_size=1, max_size=40
    ),
    st.integers(1, 4),
    st.integers(1, 4),
)
def test_k_core_agrees_with_repeated_counting(rows, users, items):
    found = table(rows)
    left = found.frame.rows()
    while True:
        of_user, of_item = [row[0] for row in left], [row[1] for row in left]
        good = [row for row in left if of_user.count(row[0]) >= users and of_item.count(row[1]) >= items]
        if good == left:
            break
        left = good
    if not left:
        with pytest.raises(DataError, match="No interaction is left"):
            k_core(found, users=users, items=items)
        return
    core = k_core(found, users=users, items=items)
    assert core.frame.rows() == left
    assert core.report.count("below-k-core") == len(found) - len(left)
    assert found.report.count("below-k-core") == 0
    assert set(core.item_ids) == {row[1] for row in left}
    assert k_core(core, users=users, items=items).frame.equals(core.frame)


def test_ordinal_times_are_counted_anew():
    rows = [("u", "x", 1), ("u", "a", 2), ("u", "b", 3), ("v", "a", 1), ("v", "b", 2)]
    core = k_core(table(rows), users=2, items=2)
    assert core.ordinal
    assert core.frame.rows() == [("u", "a", 1), ("u", "b", 2), ("v", "a", 1), ("v", "b", 2)]


def test_k_core_takes_a_frame_and_refuses_zero():
    frame = table([("u", "a", 9), ("u", "a", 8)]).frame
    assert len(k_core(frame, users=2, items=2)) == 2
    with pytest.raises(ConfigError, match="at least 1"):
        k_core(frame, users=0)


def test_drop_consecutive_repeats_stays_inside_users():
    histories = Histories.from_lists([[1, 1, 2, 1, 1], [1], [], [3, 3]])
    assert [h.tolist() for h in drop_consecutive_repeats(histories)] == [[1, 2, 1], [1], [], [3]]

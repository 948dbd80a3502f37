"""Official cases become the interactions that they were cut from."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from genrec.data.case_sequences import interactions_from_cases
from genrec.data.histories import Histories
from genrec.data.split import EvaluationSet

IDS = np.array([f"i{n}" for n in range(50)], dtype=object)


def cases(rows):
    """Cases from (user, history, target)."""
    histories = Histories.from_lists([history for _, history, _ in rows], [user for user, _, _ in rows])
    return EvaluationSet(histories, np.array([target for _, _, target in rows], dtype=np.int32))


def sequences(frame):
    found = {}
    for user, item, place, part in frame.rows():
        assert place == len(found.setdefault(user, []))
        found[user].append((int(item[1:]), part))
    return found


@given(
    st.lists(st.lists(st.integers(0, 49), min_size=4, max_size=12, unique=True), min_size=1, max_size=5),
    st.integers(2, 12),
    st.randoms(use_true_random=False),
)
def test_every_window_of_every_user_gives_the_sequences_back(users, longest, random):
    rows = {"train": [], "validation": [], "test": []}
    expected = {}
    for number, items in enumerate(users):
        parts = ["train"] * (len(items) - 2) + ["validation", "test"]
        expected[f"u{number}"] = list(zip(items, parts, strict=True))
        for at in range(1, len(items)):
            rows[parts[at]].append((f"u{number}", items[max(0, at - longest) : at], items[at]))
    mixed = sorted(rows["train"], key=lambda _: random.random()) if longest == 12 else rows["train"]
    frame = interactions_from_cases({**{part: cases(own) for part, own in rows.items()}, "train": cases(mixed)}, IDS)
    assert sequences(frame) == expected


def test_one_long_case_a_part():
    rows = {"train": [("u", [0, 1, 2], 3)], "validation": [("u", [0, 1, 2, 3], 4)], "test": [("u", [2, 3, 4], 5)]}
    found = sequences(interactions_from_cases({part: cases(own) for part, own in rows.items()}, IDS))
    assert found == {"u": [*[(n, "train") for n in range(4)], (4, "validation"), (5, "test")]}


def test_a_case_inside_a_longer_history_keeps_its_part():
    rows = {"train": [("u", [0], 1)], "validation": [("u", [0, 1, 2, 3], 4)], "test": [("u", [0, 1], 2)]}
    found = sequences(interactions_from_cases({part: cases(own) for part, own in rows.items()}, IDS))
    assert [part for _, part in found["u"]] == ["train", "train", "test", "train", "validation"]


def test_cases_without_a_common_item_are_users_of_their_own():
    frame = interactions_from_cases({"train": cases([("u", [0, 1], 2), ("u", [7, 8], 9), ("u", [8, 9], 3)])}, IDS)
    assert sequences(frame) == {
        "u": [(0, "train"), (1, "train"), (2, "train")],
        "u#2": [(7, "train"), (8, "train"), (9, "train"), (3, "train")],
    }


@pytest.mark.parametrize("repeated", [[1, 1, 1, 2], [1, 2, 1, 2, 1, 2]])
def test_repeats_stay(repeated):
    rows = [("u", repeated[:at], repeated[at]) for at in range(1, len(repeated))]
    found = sequences(interactions_from_cases({"train": cases(rows)}, IDS))
    assert [item for item, _ in found["u"]] == repeated


def test_repeats_stay_where_histories_are_cut():
    items = [1, 2, 1, 2, 1, 2, 3]
    rows = [("u", items[max(0, at - 2) : at], items[at]) for at in range(1, len(items))]
    assert [item for item, _ in sequences(interactions_from_cases({"train": cases(rows)}, IDS))["u"]] == items

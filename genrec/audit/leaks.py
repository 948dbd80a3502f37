"""Checks of a split: does training already show what the test asks for?"""

from __future__ import annotations

import numpy as np

from genrec.audit.finding import Finding, graded, percent
from genrec.audit.material import Material
from genrec.data.histories import Histories
from genrec.data.split import EvaluationSet
from genrec.wording import count

_ENDING = 5
_PRIME = np.uint64(0x9E3779B97F4A7C15)


def leaked_targets(material: Material) -> Finding:
    """Test events, or later ones of the same user, that are in the training part.

    A case's history is all that its user had before the target. So whatever training has of this user beyond the
    history is the target itself or comes after it; a target that repeats something earlier is in the history too.
    """
    target_leaks, future_leaks = beyond_history(material.split.train, material.cases, material.n_items)
    figures = {"leaked_targets": float(target_leaks.mean()), "cases_with_future": float(future_leaks.mean())}
    if not future_leaks.any():
        text = "No training event of a test user is its test target or later than it."
        return Finding("leaked-targets", "fine", "Test events in training", text, figures=figures)
    text = (
        f"For {percent(figures['leaked_targets'])} of the test cases the target (same user, same item) is also in the "
        "training part, and not as an earlier event of the history. "
        f"{percent(figures['cases_with_future'])} of the test cases have training events of the "
        "same user that are not in their history, so not earlier than the target."
    )
    worst = max(figures["leaked_targets"], figures["cases_with_future"])
    advice = "Split again: a model can memorise these answers, and figures on this split say nothing."
    grade = graded(worst, serious=0.01, caution=0.0)
    return Finding("leaked-targets", grade, "Test events in training", text, advice, figures)


def future(material: Material) -> Finding | None:
    """Training events that are later than test targets, of whatever user; None where times are not real."""
    train, cases = material.split.train.timestamps, material.cases.timestamps
    if material.times is None or train is None or cases is None:
        return None
    ordered = np.sort(train)
    later = 1.0 - np.searchsorted(ordered, cases, side="left") / max(1, len(ordered))
    figures = {"later_share": float(later.mean()), "first_test": int(cases.min()), "last_training": int(ordered[-1])}
    if figures["last_training"] < figures["first_test"]:
        text = "Every training event is earlier than every test target."
        return Finding("training-after-test", "fine", "Training later than test", text, figures=figures)
    text = (
        f"For the average test target, {percent(figures['later_share'])} of the training events are at the same time "
        "or later (events of other users)."
    )
    if material.split.name == "leave-one-out":
        advice = "Leave-one-out does this by nature. Where it matters, use a global-time split as well."
        text += " What becomes popular after the target is known in training."
        grade = graded(figures["later_share"], serious=2.0, caution=0.1)
        return Finding("training-after-test", grade, "Training later than test", text, advice, figures)
    grade = graded(figures["later_share"], serious=0.01, caution=0.0)
    advice = "If this split is meant to be by time, it is wrong."
    if material.split.name == "global-time":
        advice = "A split by time must not do this: check where the parts were cut."
    return Finding("training-after-test", grade, "Training later than test", text, advice, figures)


def copied_sequences(material: Material) -> Finding:
    """Sequences of one user that are also another user's: the same person twice, or windows cut from one sequence."""
    twins = _equal_users(material.histories)
    endings, checked = _endings_elsewhere(material.split.train, material.cases)
    figures = {"equal_users": twins, "endings": endings, "endings_checked": checked}
    text = (
        f"{percent(twins)} of the users with {_ENDING} or more events have exactly the events of another user, in the "
        f"same order. For {percent(endings)} of the test cases ({checked:,} with at least "
        f"{count(_ENDING - 1, 'item')} before "
        f"the target), another user's training sequence holds the last {count(_ENDING - 1, 'item')} and "
        "the target in a row."
    )
    if not twins and not endings:
        return Finding("copied-sequences", "fine", "Copied sequences", text, figures=figures)
    grade = "serious" if twins >= 0.05 or endings >= 0.5 else graded(max(twins, endings), serious=2.0, caution=0.02)
    advice = ""
    if grade != "note":
        advice = (
            "Look whether one user has several ids or sequences overlap; where lists of items are simply run through "
            "in one order by many users, remembering them is a shortcut."
        )
    return Finding("copied-sequences", grade, "Copied sequences", text, advice, figures)


def shared_cases(material: Material) -> Finding:
    """Events that are a case of both validation and test."""
    keys = [_case_keys(part) for part in (material.split.validation, material.cases)]
    share = float(np.mean([key in keys[0] for key in keys[1]])) if keys[1] else 0.0
    figures = {"shared_cases": share}
    if not share:
        text = "No test case is also a validation case."
        return Finding("shared-cases", "fine", "Validation and test", text, figures=figures)
    text = f"{percent(share)} of the test cases are validation cases too (same user, history and target)."
    advice = "Whatever is chosen on validation is then chosen on the test."
    return Finding(
        "shared-cases", graded(share, serious=0.01, caution=0.0), "Validation and test", text, advice, figures
    )


def _case_keys(cases: EvaluationSet) -> dict[tuple[str, int, int], None]:
    columns = (cases.histories.user_ids.tolist(), cases.targets.tolist(), cases.histories.lengths.tolist())
    return dict.fromkeys(zip(*columns, strict=True))


def beyond_history(train: Histories, cases: EvaluationSet, n_items: int) -> tuple[np.ndarray, np.ndarray]:
    """Which cases have their target, and any item, more often in training than in the history: two ``(n,)`` bool.

    Args:
        train: Training part.
        cases: Cases of its users, or of others.
        n_items: Size of the catalogue.
    """
    rows = {user: row for row, user in enumerate(train.user_ids.tolist())}
    own = np.array([rows.get(user, -1) for user in cases.histories.user_ids.tolist()], dtype=np.int64)
    known = np.flatnonzero(own >= 0)
    parts = train.select(own[known])
    train_keys, in_train = np.unique(np.repeat(known, parts.lengths) * n_items + parts.items, return_counts=True)
    histories = cases.histories
    case = np.repeat(np.arange(len(cases)), histories.lengths)
    past_keys, in_past = np.unique(case * n_items + histories.items, return_counts=True)
    place = np.minimum(np.searchsorted(past_keys, train_keys), max(0, len(past_keys) - 1))
    before = np.where(past_keys[place] == train_keys, in_past[place], 0) if len(past_keys) else 0
    beyond = train_keys[in_train > before]
    targets = np.isin(np.arange(len(cases)) * n_items + cases.targets, beyond)
    return targets, np.bincount(beyond // n_items, minlength=len(cases)) > 0


def _equal_users(histories: Histories) -> float:
    """Share of the users with enough events whose whole sequence is another user's."""
    long = np.flatnonzero(histories.lengths >= _ENDING)
    if not len(long):
        return 0.0
    part = histories.select(long)
    place = np.arange(len(part.items)) - np.repeat(part.offsets[:-1], part.lengths)
    mixed = _mix(part.items.astype(np.uint64) * _PRIME + place.astype(np.uint64))
    sums = np.add.reduceat(mixed, part.offsets[:-1])
    _, kind, counts = np.unique(sums, return_inverse=True, return_counts=True)
    return float((counts[kind] > 1).mean())


def _endings_elsewhere(train: Histories, cases: EvaluationSet) -> tuple[float, int]:
    """Share of cases whose last items and target follow each other in another user's training, and how many could."""
    long = np.flatnonzero(cases.histories.lengths >= _ENDING - 1)
    if not len(long):
        return 0.0, 0
    columns = [*cases.histories.select(long).last(_ENDING - 1).items.reshape(-1, _ENDING - 1).T, cases.targets[long]]
    wanted = _window_hash(columns)
    width = len(train.items) - _ENDING + 1
    if width <= 0:
        return 0.0, len(long)
    owners = np.repeat(np.arange(len(train)), train.lengths)
    inside = owners[:width] == owners[_ENDING - 1 :]
    found = _window_hash([train.items[shift : shift + width] for shift in range(_ENDING)])[inside]
    rows = {user: row for row, user in enumerate(train.user_ids.tolist())}
    own = np.array([rows.get(user, len(train)) for user in cases.histories.user_ids[long].tolist()])
    total = _occurrences(found, wanted)
    mine = _occurrences(_owned(found, owners[:width][inside]), _owned(wanted, own))
    return float((total > mine).mean()), len(long)


def _occurrences(values: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    ordered = np.sort(values)
    return np.searchsorted(ordered, wanted, side="right") - np.searchsorted(ordered, wanted, side="left")


def _window_hash(columns: list[np.ndarray]) -> np.ndarray:
    result = np.zeros(len(columns[0]), dtype=np.uint64)
    for column in columns:
        result = _mix(result * _PRIME + column.astype(np.uint64) + np.uint64(1))
    return result


def _owned(values: np.ndarray, owners: np.ndarray) -> np.ndarray:
    return _mix(values ^ (owners.astype(np.uint64) + np.uint64(1)) * _PRIME)


def _mix(values: np.ndarray) -> np.ndarray:
    """Spread the bits of ``(n,)`` uint64, so that sums and comparisons of them tell sequences apart."""
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))

"""Checks of the events themselves: copies, repeats, times, and what the training part never shows."""

from __future__ import annotations

import numpy as np

from genrec.audit.finding import Finding, graded, percent
from genrec.audit.material import Material
from genrec.data.sorting import distinct, same_as_previous, tied_rows
from genrec.evaluation.slices import by_novelty
from genrec.wording import count


def duplicates(material: Material) -> Finding:
    """Exact copies of events (same user, item and time), which the reader left out, and the same item in a row."""
    table = material.interactions
    copies = table.report.count("duplicate-rows")
    rows = len(table) + copies
    share = copies / rows
    in_a_row = int(same_as_previous(material.histories.items, material.owners).sum())
    row_share = in_a_row / max(1, len(material.histories.items))
    figures = {"copies": copies, "copies_share": share, "in_a_row": in_a_row, "in_a_row_share": row_share}
    if not copies and not in_a_row:
        text = "No event is an exact copy of another, and nobody has the same item twice in a row."
        return Finding("duplicated-events", "fine", "Duplicated events", text, figures=figures)
    words, advice = [], []
    if copies:
        words.append(
            f"{percent(share)} of the rows ({copies:,} of {rows:,}) are exact copies of another row: same user, "
            "item and time. They are left out here; a tool that keeps them trains and tests on copies."
        )
        advice.append("remove the copies at the source")
    if in_a_row:
        words.append(
            f"{percent(row_share)} of the events ({in_a_row:,}) are the same item as the event before: copies "
            "of one event, or repeats; the table cannot tell which."
        )
        advice.append("count the same item in a row once (genrec does by default)")
    worst = max(share, row_share)
    return Finding(
        "duplicated-events",
        graded(worst, serious=0.05, caution=0.005),
        "Duplicated events",
        " ".join(words),
        _sentence(advice),
        figures,
    )


def repeats(material: Material) -> Finding:
    """How often users come back to an item, in all events and in test targets."""
    pairs = material.owners * material.n_items + material.histories.items
    share = 1.0 - len(distinct(pairs)) / max(1, len(pairs))
    in_history = by_novelty(material.cases)["repeat"]
    last = material.last_items == material.cases.targets
    figures = {
        "repeat_rate": share,
        "target_in_history": float(in_history.mean()),
        "target_is_last": float(last.mean()),
    }
    if not share and not in_history.any():
        text = (
            "No user has an item twice, so no test target is in its history. "
            "Either only first events were kept, or users of this kind of data do not come back."
        )
        advice = "Exclude seen items: recommending one can only lose here."
        return Finding("repeats", "note", "Repeats", text, advice, figures)
    text = (
        f"{percent(share)} of the events repeat an item that the user had before. "
        f"{percent(figures['target_in_history'])} of the test targets are in the history, "
        f"{percent(figures['target_is_last'])} are its last item."
    )
    advice = "Report novel and repeat targets apart, and say whether seen items may be recommended."
    grade = graded(figures["target_in_history"], serious=0.3, caution=0.02)
    return Finding("repeats", "note" if grade == "fine" else grade, "Repeats", text, advice, figures)


def equal_times(material: Material) -> Finding:
    """Events of one user at the same time, whose order is that of the rows of the file."""
    times, cases = material.times, material.cases
    if times is None:
        text = (
            "Only the order of the events inside each user is known. Whether events had the same time, and how far "
            "apart they were, cannot be told."
        )
        advice = "A global-time split is not possible."
        return Finding("equal-times", "note", "Times", text, advice, {"real_times": False})
    table = material.interactions
    owners = np.repeat(np.arange(len(table.user_ids)), table.lengths)
    tied = int(tied_rows(owners, table.timestamps).sum())  # of all rows, as genrec data check counts them
    share = tied / max(1, len(owners))
    figures: dict[str, float | bool] = {"real_times": True, "tied_rows": tied, "tied_share": share}
    if not tied:
        return Finding(
            "equal-times", "fine", "Equal times", "No user has two events at the same time.", figures=figures
        )
    words = f"{percent(share)} of the events ({tied:,}) share their time with another event of the same user."
    target = share
    if cases.histories.timestamps is not None and cases.timestamps is not None:
        newest = cases.histories.timestamps[cases.histories.offsets[1:] - 1]
        target = figures["tied_targets"] = float((newest == cases.timestamps).mean())
        words += (
            f" {percent(target)} of the test targets have the same time as the last item of their history: which of "
            "the two is the next one was decided by the order of the rows in the file."
        )
    grade = graded(target, serious=0.2, caution=0.02)
    advice = "Treat events of one time as a set, or break ties at random and compare."
    return Finding("equal-times", "note" if grade == "fine" else grade, "Equal times", words, advice, figures)


def cold(material: Material) -> Finding:
    """Test targets and test users that training never shows, and catalogue items that nobody ever had."""
    train, cases = material.split.train, material.cases
    trained = np.bincount(train.items, minlength=material.n_items) > 0
    used = np.bincount(material.histories.items, minlength=material.n_items) > 0
    known = set(train.user_ids[train.lengths > 0].tolist())
    figures = {
        "cold_targets": float((~trained[cases.targets]).mean()),
        "cold_users": float(np.mean([user not in known for user in cases.histories.user_ids.tolist()])),
        "unused_items": float((~used).mean()),
        "untrained_items": float((~trained).mean()),
    }
    text = (
        f"{percent(figures['cold_targets'])} of the test targets never occur in training, "
        f"{percent(figures['cold_users'])} of the test cases are of users without training events. "
        f"{percent(figures['untrained_items'])} of the catalogue has no training event "
        f"({percent(figures['unused_items'])} no event at all)."
    )
    worst = max(figures["cold_targets"], figures["cold_users"])
    advice = ""
    if figures["cold_targets"] >= 0.02:
        advice = "Methods that know items only by their interactions cannot hit cold targets: report them apart."
    grade = graded(worst, serious=2.0, caution=0.1)
    return Finding(
        "cold-start", grade if worst or figures["untrained_items"] else "fine", "Cold start", text, advice, figures
    )


def size(material: Material) -> Finding:
    """How small a difference the test part can show at all."""
    n = len(material.split.test)
    distinct = len(np.unique(material.split.test.histories.user_ids.astype(str)))
    reach = 1.96 * float(np.sqrt(0.1 * 0.9 / max(1, distinct)))
    width = f"±{reach:.3f}".replace("0.", ".")
    text = (
        f"{count(n, 'test case')} of {count(distinct, 'user')}. A recall near .10 then has a 95 % "
        f"interval of about {width}."
    )
    grade = graded(reach, serious=0.05, caution=0.01)
    advice = "" if grade == "note" else "Small differences between runs mean nothing here; use the paired test."
    return Finding(
        "test-size", grade, "Size of the test part", text, advice, {"cases": n, "users": distinct, "reach": reach}
    )


def facts(material: Material) -> dict[str, float | int]:
    """Counts of the events over the catalogue, and of the test cases and those of them that are read."""
    histories, n_items = material.histories, material.n_items
    lengths = histories.lengths
    return {
        "users": len(histories),
        "items": n_items,
        "events": len(histories.items),
        "length_median": float(np.median(lengths)),
        "length_mean": float(lengths.mean()),
        "length_max": int(lengths.max()),
        "density": len(histories.items) / (len(histories) * n_items),
        "in_a_row": int(same_as_previous(histories.items, material.owners).sum()),
        "cases": len(material.split.test),
        "cases_read": len(material.cases),
    }


def _sentence(parts: list[str]) -> str:
    text = "; ".join(parts)
    return text[:1].upper() + text[1:] + ("." if text else "")

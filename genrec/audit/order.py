"""Does the order of events mean something, and does anything beyond the last item?"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from genrec.audit.finding import Finding, Grade, figure, percent
from genrec.audit.material import Material, sample
from genrec.audit.shortcuts import Shortcut, gain, shortcut, transition_ranks
from genrec.data.histories import Histories
from genrec.data.split import EvaluationSet, leave_one_out

_TIES_MATTER = 0.01


def shuffled(histories: Histories, rng: np.random.Generator, *, within_ties: bool = False) -> Histories:
    """Histories with the items of every user in random order.

    Args:
        histories: Of any length.
        rng: Source of randomness.
        within_ties: Only items of equal time change places; needs timestamps.
    """
    owners = np.repeat(np.arange(len(histories)), histories.lengths)
    random = rng.random(len(owners))
    times = histories.timestamps
    order = np.lexsort((random, times, owners)) if within_ties and times is not None else np.lexsort((random, owners))
    return Histories(histories.user_ids, histories.offsets, histories.items[order], times)


def without_order(material: Material, counts: Shortcut) -> Shortcut:
    """Transition counts after shuffling training sequences and test histories; targets stay."""
    rng = np.random.default_rng([material.seed, 21])
    train = shuffled(material.split.train, rng)
    cases = EvaluationSet(shuffled(material.cases.histories, rng), material.cases.targets)
    ranks = transition_ranks(train, cases, material.catalog.item_ids, **counts.settings)
    return shortcut("transition-counts-shuffled", "the same, every user's order shuffled", ranks, material.cases)


def without_tie_order(material: Material, counts: Shortcut) -> Shortcut | None:
    """Transition counts where events of one time stand in random order, split anew; None where there are few ties.

    Any order of such events is as good as that of the file, so this is the same data, told without its row order.
    """
    times = material.times
    if times is None or material.split.name != "leave-one-out":
        return None
    tied = (material.owners[1:] == material.owners[:-1]) & (times[1:] == times[:-1])
    if tied.mean() < _TIES_MATTER:
        return None
    split = leave_one_out(shuffled(material.histories, np.random.default_rng([material.seed, 22]), within_ties=True))
    cases = sample(split.test, material.seed)
    ranks = transition_ranks(split.train, cases, material.catalog.item_ids, **counts.settings)
    return shortcut("transition-counts-ties", "the same, events of one time in random order", ranks, cases)


def order(material: Material, counts: Shortcut, mixed: Shortcut) -> Finding:
    """How much of the transition counts depends on the order of the events."""
    difference = gain(counts, mixed, material.cases)
    lost = difference.mean / counts.recall if counts.recall else 0.0
    figures = {"recall@10": counts.recall, "shuffled_recall@10": mixed.recall, "lost_share": lost}
    text = (
        f"With the order of every training sequence and history shuffled, transition counts reach Recall@10 "
        f"{figure(mixed.intervals['recall@10'])} instead of {figure(counts.intervals['recall@10'])}. "
    )
    if difference.low > 0:
        how = "Most of the score" if lost >= 0.5 else "Part of the score"
        text += f"{how} ({percent(lost)}) depends on the order; the rest comes from which items occur together."
        return Finding("order", "note", "Order of events", text, figures=figures)
    text += (
        "These users show no gain from the order: as far as counting can see, this is a set of items, not a sequence."
    )
    advice = "A result here says little about sequence modelling."
    return Finding("order", "caution", "Order of events", text, advice, figures)


def tie_order(times: Finding, counts: Shortcut, mixed: Shortcut) -> Finding:
    """What is known of equal times, with how much of the transition counts depends on the order of their rows.

    One finding, one grade: ties of many targets are serious, unless the order was tried and made no difference.

    Args:
        times: Of :func:`genrec.audit.events.equal_times`.
        counts: Transition counts in the order of the file.
        mixed: The same with events of one time in random order.
    """
    lost = 1.0 - mixed.recall / counts.recall if counts.recall else 0.0
    before, after = counts.intervals["recall@10"], mixed.intervals["recall@10"]
    figures = {**times.figures, "recall@10": counts.recall, "random_ties_recall@10": mixed.recall, "lost_share": lost}
    text = (
        f"{times.text} With events of one time in random order (and split anew), transition counts reach Recall@10 "
        f"{figure(after)} instead of {figure(before)}. "
    )
    if after.high >= before.low:
        text += "The intervals overlap: no sign that the order of rows at the same time carries the score."
        return replace(times, grade=_milder(times.grade), text=text, figures=figures)
    text += (
        f"{percent(lost)} of the score comes from the order in which the file lists events of the same time. "
        "That order is no behaviour that could be predicted; it may be that of an invoice, a catalogue or an export."
    )
    advice = "Do not read this as next-item prediction: predict the set of the next time, or break ties at random."
    grade: Grade = "serious" if lost >= 0.3 or times.grade == "serious" else "caution"
    return replace(times, grade=grade, text=text, advice=advice, figures=figures)


def _milder(grade: Grade) -> Grade:
    """Figures mean something here, but still with ties in mind."""
    return "caution" if grade == "serious" else grade


def beyond_last(material: Material, counts: Shortcut, single: Shortcut) -> Finding:
    """Whether transition counts gain from more than the last item."""
    figures = {"recall@10": counts.recall, "last_item_recall@10": single.recall}
    if counts.settings["last"] == 1:
        text = (
            f"Of 1, 3 and 10 items, reading only the last one was best on validation (Recall@10 "
            f"{figure(single.intervals['recall@10'])} on test): counting finds nothing in what came before it."
        )
        advice = "This data cannot show that a model uses long histories, at least not by this test."
        return Finding("beyond-last-item", "caution", "Beyond the last item", text, advice, figures)
    difference = gain(counts, single, material.cases)
    figures |= {"gain": difference.mean, "gain_low": difference.low, "gain_high": difference.high}
    text = (
        f"Reading the last {counts.settings['last']} items instead of one moves Recall@10 of transition counts from "
        f"{figure(single.intervals['recall@10'])} to {figure(counts.intervals['recall@10'])} "
    )
    if difference.low > 0:
        text += f"({percent(difference.mean / max(single.recall, 1e-9))} more): what came before the last item matters."
        return Finding("beyond-last-item", "note", "Beyond the last item", text, figures=figures)
    text += "and these users cannot tell whether that is a gain."
    advice = "Counting sees no use of long histories here; a stronger model may."
    return Finding("beyond-last-item", "caution", "Beyond the last item", text, advice, figures)

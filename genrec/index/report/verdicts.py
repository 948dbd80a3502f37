"""What the numbers of an index mean, in words, by thresholds that stand beside them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from genrec.index.stats import IndexStats, LevelStats
from genrec.wording import agree, count

Grade = Literal["good", "fair", "poor"]


Matters = Literal["every model", "code by code"]
"""Whether a check is about every model, or only about those that generate an item's codes one after the other.

A model of parallel slots that reads the items' vectors (RecGPT) adds up a score for every slot and learns no code by
heart: what a single code means, or how often it occurs, decides little there.
"""

MATTERS: dict[Matters, str] = {
    "every model": "every model",
    "code by code": "models that generate code by code",
}
"""The same in words."""

_MEANING = {"likeness under a code", "bought together"}
_GOOD = "A good index: no check found a weakness."
_FEW = 10
"""Items below which no check tells good codes from bad ones."""


@dataclass(frozen=True)
class Check:
    """One judgement.

    Attributes:
        topic: What is judged.
        grade: ``good``, ``fair`` or ``poor``.
        value: The number, for people.
        rule: Where the grades begin.
        sentence: What it means here, and what helps where it is not good.
        matters: For which models.
    """

    topic: str
    grade: Grade
    value: str
    rule: str
    sentence: str
    matters: Matters = "every model"


def checks(stats: IndexStats) -> list[Check]:
    """Judge an index, the most important first. What cannot be measured is left out."""
    made = [_collisions(stats), *_moved(stats), _largest_group(stats), _usage(stats), _evenness(stats)]
    return [*made, *_reconstruction(stats), *_resemblance(stats), *_bought_together(stats)]


def overall(stats: IndexStats) -> str:
    """One sentence over all checks; two where it depends on the model."""
    made = checks(stats)
    if stats.n_items < _FEW:
        return f"Nothing can be said of so few items: {count(stats.n_items, 'item')} would look well with any codes."
    if stats.levels[0].kind == "slot":
        shared = [check for check in made if check.matters == "every model"]
        slots, stepwise = _judged(shared), _judged(made)
        if slots != stepwise:
            return (
                f"For a model that scores all slots at once (RecGPT): {_small(slots)} "
                f"For one that generates code by code: {_small(stepwise)}"
            )
    judged = _judged(made)
    if judged == _GOOD and not _MEANING & {check.topic for check in made}:
        return "No check found a weakness; whether the codes say anything about the items could not be measured."
    return judged


def reasons(stats: IndexStats) -> list[str]:
    """Why :func:`overall` finds an index not good: the sentences of the checks that grade it poor.

    Of an index of parallel slots, only those that matter to a model that scores all slots at once.
    """
    slots = stats.levels[0].kind == "slot"
    poor = [check for check in checks(stats) if check.grade == "poor"]
    return [check.sentence for check in poor if check.matters == "every model" or not slots]


def says_little(stats: IndexStats) -> bool:
    """Whether the codes say little about the items; of parallel slots nobody asks."""
    return stats.levels[0].kind != "slot" and any(
        check.grade == "poor" and check.topic in _MEANING for check in checks(stats)
    )


def collision_line(stats: IndexStats) -> str:
    """What became of items with equal codes, step by step: nearest codes, after moving, after disambiguation.

    Args:
        stats: Of the index.
    """
    n = stats.n_items
    shared, left = round(stats.nearest_colliding_items * n), round(stats.colliding_items * n)
    return (
        f"{shared:,} of {count(n, 'item')} ({stats.nearest_colliding_items:.1%}) "
        f"{agree(shared, 'shares its', 'share their')} nearest codes; "
        f"{stats.moved_items:,} moved to other codes; {left:,} ({stats.colliding_items:.1%}) "
        f"{agree(left, 'shares', 'share')} codes before "
        "disambiguation, none after"
    )


def _small(sentence: str) -> str:
    return sentence[:1].lower() + sentence[1:]


def _judged(made: list[Check]) -> str:
    poor = [check.topic for check in made if check.grade == "poor"]
    fair = [check.topic for check in made if check.grade == "fair"]
    if set(poor) & _MEANING:
        return f"Not a good index: its codes say little about the items ({_and(poor)})."
    if poor:
        return f"A usable index with weak points: {_and(poor)}. Every item can be recommended all the same."
    if fair:
        return f"A usable index; not at its best: {_and(fair)}."
    return _GOOD


def _graded(value: float, good: float, fair: float) -> Grade:
    """Grade of a number of which less is better."""
    return "good" if value <= good else "fair" if value <= fair else "poor"


def _collisions(stats: IndexStats) -> Check:
    rate, floor = stats.collision_rate, stats.duplicate_rate
    own = 1 - stats.colliding_items
    sentence = (
        f"{own:.1%} of the {count(stats.n_items, 'item')} {agree(stats.n_items, 'has', 'have')} "
        "codes of their own before disambiguation."
    )
    if floor > 0:
        sentence += f" {floor:.2%} have the same vector as another: whatever tells these apart is arbitrary."
    grade = _graded(rate, 0.01, 0.05)
    if grade != "good":
        most = floor > 0.5 * rate
        sentence += (
            " More text per item, or fewer duplicates, would help."
            if most
            else " More levels or larger codebooks would help."
        )
    return Check("collisions", grade, f"{rate:.2%}", "good up to 1 %, fair up to 5 %", sentence)


def _moved(stats: IndexStats) -> list[Check]:
    """Whether items that shared their nearest codes were moved to others, and what that costs."""
    if not stats.moved_items:
        return []
    share = stats.moved_items / stats.n_items
    lost, nearest = stats.reconstruction_error, stats.nearest_reconstruction_error
    cost = "" if lost is None or nearest is None else f", at {lost - nearest:.1%} of the vectors' variance"
    sentence = (
        f"{count(stats.moved_items, 'item')} "
        f"{agree(stats.moved_items, 'was moved from its', 'were moved from their')} nearest codes "
        f"to tell items apart{cost}"
    )
    rate_alone = f" (nearest codes alone: collision rate {stats.nearest_collision_rate:.2%})"
    sentence += "." if len(stats.describing) < stats.quantizer_levels else f"{rate_alone}."
    grade = _graded(share, 0.1, 0.3)
    if grade != "good":
        sentence += " Their codes say less about them than nearest codes would: more levels or larger codebooks help."
    return [Check("moved items", grade, f"{share:.1%}", "good up to 10 %, fair up to 30 %", sentence)]


def _largest_group(stats: IndexStats) -> Check:
    n = stats.largest_bucket
    grade = _graded(n, 8, 64)
    sentence = (
        f"At most {count(n, 'item')} share their codes before disambiguation."
        if n > 1
        else "No two items share their codes."
    )
    if grade != "good":
        sentence += " A model can hardly learn which of them is meant: look whether their texts are the same."
    return Check("largest group", grade, count(n, "item"), "good up to 8, fair up to 64", sentence)


def _usage(stats: IndexStats) -> Check:
    used = stats.min_utilisation
    grade = _graded(-used, -0.95, -0.8)
    sentence = f"Every level uses {'all' if used == 1 else f'at least {used:.1%}'} of the codes that it could."
    if grade != "good":
        sentence = f"A level uses no more than {used:.1%} of the codes that it could. Smaller codebooks would "
        sentence += "do the same with fewer tokens to learn."
    return Check("codes in use", grade, f"{used:.1%}", "good from 95 %, fair from 80 %", sentence, "code by code")


def _evenness(stats: IndexStats) -> Check:
    level = max(stats.describing, key=lambda one: _possible_gini(one, stats.n_items))
    gini = _possible_gini(level, stats.n_items)
    grade = _graded(gini, 0.5, 0.75)
    sentence = (
        f"Least even is level {level.level}: as varied as {count(round(level.perplexity), 'equally frequent code')} of "
        f"{level.size:,}, its most frequent code has {level.largest:.1%} of the items."
    )
    if grade != "good":
        sentence += " Balanced k-means (quantizer.balanced=true) or smaller codebooks spread items more evenly."
    return Check("evenness (Gini)", grade, f"{gini:.2f}", "good up to 0.50, fair up to 0.75", sentence, "code by code")


def _possible_gini(level: LevelStats, n_items: int) -> float:
    """Gini over as many codes as the items could fill: where codes outnumber them, the rest must stay empty."""
    return 1 - (1 - level.gini) * level.size / min(level.size, n_items)


def _reconstruction(stats: IndexStats) -> list[Check]:
    lost = stats.reconstruction_error
    if lost is None:
        return []
    grade = _graded(lost, 0.6, 0.85)
    sentence = f"The codes keep {max(0.0, 1 - lost):.0%} of what distinguishes the items' vectors."
    if grade != "good":
        sentence += " More levels or larger codebooks keep more."
    return [Check("reconstruction error", grade, f"{lost:.1%}", "good up to 60 %, fair up to 85 %", sentence)]


def _resemblance(stats: IndexStats) -> list[Check]:
    known = [value for value in stats.similarity_by_level if value is not None]
    rule = "good from +0.20, fair from +0.05"
    if stats.similarity_random is None:
        return []
    if not known:
        alone = (
            "No two items share a code, so the codes say nothing about the items: a model has to learn each by heart."
        )
        return [Check("likeness under a code", "poor", "–", rule, alone, "code by code")]
    slots = stats.levels[0].kind == "slot"
    near, random = (max(known) if slots else known[0]), stats.similarity_random
    gain = near - random
    what = "a code of the same slot" if slots else "their first code"
    grade = _graded(-gain, -0.2, -0.05)
    little = "" if grade == "good" else "little " if grade == "fair" else "hardly "
    sentence = (
        f"Items that share {what} resemble each other {little}more than random pairs do "
        f"(mean cosine {near:.2f} against {random:.2f})."
    )
    if grade == "poor":
        sentence += " Such codes say nothing about the items: a model has to learn each by heart."
    return [Check("likeness under a code", grade, f"{gain:+.2f}", rule, sentence, "code by code")]


def _bought_together(stats: IndexStats) -> list[Check]:
    if not stats.agreement:
        return []
    one = stats.agreement[-1]  # validation where there is any: no recipe has seen it
    if one.lift is None:
        return []
    grade = _graded(-one.lift, -5.0, -2.0)
    unseen = "that no recipe has seen" if one.part == "validation" else "of the training part"
    first = f"{one.by_level[0]:.1%} share the first code, by chance {one.random_by_level[0]:.1%}"
    sentence = (
        f"Purchases {unseen}: items bought together have {one.lift:.1f} times the common codes of chance ({first})."
    )
    if grade != "good":
        sentence += " A recipe with collaborative vectors (encoder: fused) brings them nearer."
    return [
        Check("bought together", grade, f"{one.lift:.1f} ×", "good from 5 ×, fair from 2 ×", sentence, "code by code")
    ]


def _and(names: list[str]) -> str:
    return names[0] if len(names) == 1 else ", ".join(names[:-1]) + " and " + names[-1]

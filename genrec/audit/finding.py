"""One finding of an audit: figures, and words that claim no more than these figures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from genrec.evaluation.uncertainty import Interval

Grade = Literal["serious", "caution", "note", "fine"]
GRADES: dict[str, str] = {
    "serious": "figures on this data mean little before this is dealt with",
    "caution": "figures must be read with this in mind",
    "note": "worth knowing",
    "fine": "looked for and not found",
}
"""Grades of findings, worst first, and what they mean."""


@dataclass(frozen=True)
class Finding:
    """What one check found.

    Attributes:
        check: Name of the check, kebab-case.
        grade: A key of :data:`GRADES`.
        title: A few words.
        text: Sentences with the figures.
        advice: What to do, or the empty string.
        figures: The numbers behind the words; values that JSON can hold.
    """

    check: str
    grade: Grade
    title: str
    text: str
    advice: str = ""
    figures: dict[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """JSON-able form."""
        return {
            "check": self.check,
            "grade": self.grade,
            "title": self.title,
            "text": self.text,
            "advice": self.advice,
            "figures": self.figures,
        }


def graded(value: float, *, serious: float, caution: float, note: float = 0.0) -> Grade:
    """The grade of a share: ``serious`` and ``caution`` from these bounds on, ``note`` above its own, else ``fine``.

    >>> graded(0.3, serious=0.2, caution=0.1), graded(0.0, serious=0.2, caution=0.1)
    ('serious', 'fine')
    """
    if value >= serious:
        return "serious"
    if value >= caution:
        return "caution"
    return "note" if value > note else "fine"


def percent(share: float) -> str:
    """A share for people.

    >>> percent(0.1234), percent(0.0004), percent(0)
    ('12.3 %', '0.04 %', '0 %')
    """
    if share == 0:
        return "0 %"
    return f"{share:.1%}".replace("%", " %") if share >= 0.001 else f"{share:.2%}".replace("%", " %")


def figure(interval: Interval) -> str:
    """A mean with its interval.

    >>> figure(Interval(0.0854, 0.0817, 0.0891))
    '.0854 (.0817 to .0891)'
    """
    mean, low, high = (f"{value:.4f}".removeprefix("0") for value in (interval.mean, interval.low, interval.high))
    return f"{mean} ({low} to {high})"


def listed(words: Sequence[str]) -> str:
    """Words joined for a sentence.

    >>> listed(["a", "b", "c"])
    'a, b and c'
    """
    return " and ".join(filter(None, [", ".join(words[:-1]), words[-1] if words else ""]))

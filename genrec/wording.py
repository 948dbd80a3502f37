"""Numbers in sentences: one item, two items."""

from __future__ import annotations


def count(n: int, noun: str, plural: str | None = None) -> str:
    """A number with its noun in the right form.

    Args:
        n: The number.
        noun: Singular; its last word is what gets the ending.
        plural: Where no rule gives it.

    >>> count(1, "item"), count(12101, "item"), count(0, "history"), count(2, "test case")
    ('1 item', '12,101 items', '0 histories', '2 test cases')
    >>> count(2, "loss"), count(3, "batch"), count(12, "epoch")
    ('2 losses', '3 batches', '12 epochs')
    """
    return f"{n:,} {noun if n == 1 else plural or _plural(noun)}"


def agree(n: int, singular: str, plural: str) -> str:
    """The word that goes with a number, such as a verb.

    >>> agree(1, "is", "are"), agree(2, "is", "are")
    ('is', 'are')
    """
    return singular if n == 1 else plural


def _plural(noun: str) -> str:
    if noun.endswith("y") and noun[-2:-1] not in "aeiou":
        return noun[:-1] + "ies"
    return noun + ("es" if noun.endswith(("s", "x", "ch", "sh")) and not noun.endswith("epoch") else "s")

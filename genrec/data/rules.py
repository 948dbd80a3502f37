"""What is done about every kind of fault in a table, and what the user can do."""

from __future__ import annotations

from typing import Literal, NamedTuple

MISSING = ("", "nan", "NaN", "NAN", "null", "NULL", "None", "<NA>")
"""Texts that mean that there is no value."""
MISSING_WORDS = ", ".join(word for word in MISSING if word)

Effect = Literal["lost", "merged", "changed", "assumed", "noted"]
"""``lost``: rows of no use are left out. ``merged``: rows that say nothing new are left out. ``changed``: values were
repaired. ``assumed``: the table did not say it. ``noted``: nothing was done."""


class Rule(NamedTuple):
    """How one kind of fault is handled.

    Attributes:
        what: The rule that is applied.
        fix: What the user can do.
        effect: What it does to the table.
        unit: What is counted: ``rows`` add up to the rows that were read, other things do not.
    """

    what: str
    fix: str
    effect: Effect = "noted"
    unit: str = "rows"


RULES: dict[str, Rule] = {
    "broken-rows": Rule(
        "rows that cannot be read (wrong number of fields, invalid JSON) are left out",
        "Correct these lines in the file.",
        "lost",
    ),
    "replaced-signs": Rule(
        "signs that no text may hold (NUL, half a surrogate pair) are replaced by U+FFFD",
        "Write the file anew from the source of the data.",
        "changed",
        "values",
    ),
    "html": Rule(
        "HTML entities in text become the signs that they stand for, and HTML tags go",
        "Nothing to do; to keep them: --html keep (html='keep' in Python).",
        "changed",
        "values",
    ),
    "decimal-commas": Rule(
        "numbers with a decimal comma are read as numbers",
        "Nothing to do.",
        "changed",
        "columns",
    ),
    "amounts": Rule(
        "amounts such as $1,299.00 or 12,99 € are read as numbers",
        "Nothing to do.",
        "changed",
        "columns",
    ),
    "amounts-as-text": Rule(
        "columns with amounts stay text where not all of it is sure to be amounts of one currency",
        "Write plain numbers, such as 1299.00, in one currency.",
        "assumed",
        "columns",
    ),
    "script-titles": Rule(
        "titles that are a piece of the page's script are left out",
        "Nothing to do; the items stay.",
        "changed",
        "values",
    ),
    "title-column": Rule(
        "there is no column 'title': the likeliest one is read as the title",
        "Name the right one: --title-column COLUMN (title_column='COLUMN' in Python).",
        "assumed",
        "columns",
    ),
    "missing-ids": Rule(
        f"rows without a user or item id (blank, or one of {MISSING_WORDS}) are left out",
        "Fill the ids in, or remove the rows.",
        "lost",
    ),
    "repaired-ids": Rule(
        "ids are strings: surrounding blanks and a trailing '.0' that all ids share are removed",
        "Write ids as text, so that no tool turns them into decimals.",
        "changed",
    ),
    "rounded-ids": Rule(
        "ids look like long numbers that a spreadsheet rounded (1.23457E+12): different ids may be the same now",
        "Export the ids again as text, before any spreadsheet program opens the file.",
        "assumed",
        "ids",
    ),
    "alike-ids": Rule(
        "ids that look the same (accents written in two ways, signs that are not seen) are different ids",
        "Write every id in one way in all tables, such as in the form NFC of Unicode and without such signs.",
        "assumed",
        "ids",
    ),
    "ids-by-case": Rule(
        "ids that differ in upper and lower case alone are different ids",
        "Nothing to do where they are meant so, else write every id in one way.",
        unit="ids",
    ),
    "unreadable-timestamps": Rule(
        "rows whose time is blank, NaN or unreadable are left out",
        "Write times as integers or ISO dates such as 2024-05-31T12:00:00.",
        "lost",
    ),
    "mixed-time-units": Rule(
        "times of one column are in several units: all are read in the finest one",
        "Write all times in one unit.",
        "changed",
    ),
    "fractional-timestamps": Rule(
        "fractions of a second are used for the order, then cut off",
        "Nothing to do; multiply by 1000 to keep milliseconds.",
    ),
    "day-numbers": Rule(
        "times look like days since 1900, as spreadsheets store dates: they count as plain numbers",
        "Write dates, or seconds since 1970: (days - 25569) * 86400.",
        "assumed",
    ),
    "dates-as-numbers": Rule(
        "times look like dates without signs between, such as 20240531: they count as plain numbers",
        "Write them with signs (2024-05-31 12:00), where days and hours between them matter.",
        "assumed",
    ),
    "guests": Rule(
        "a user id that stands for nobody counts as one user with all of its rows",
        "Leave these rows out of the table: they are of many people.",
        "assumed",
    ),
    "slash-dates": Rule(
        "dates with slashes are read in the one order that all of them allow",
        "Nothing to do; ISO dates (2024-05-31) leave no doubt.",
        "assumed",
    ),
    "undone-rows": Rule(
        "rows that look returned or cancelled count as interactions, like all others",
        "Leave these rows out of the table where they show no interest.",
        "assumed",
    ),
    "kinds-of-rows": Rule(
        "rows of different kinds count alike",
        "Write a table of the rows that you want to learn from, such as purchases.",
        "assumed",
    ),
    "row-order": Rule(
        "there is no time column: the order of the rows is the order of the interactions",
        "Name the time column if there is one.",
        "assumed",
    ),
    "duplicate-rows": Rule(
        "of rows with the same user, item and time only the first is kept",
        "Nothing to do, unless they were different events: then give them different times.",
        "merged",
    ),
    "duplicate-items": Rule(
        "items that are listed again with the same content are merged",
        "Nothing to do; list each item once.",
        "merged",
    ),
    "conflicting-items": Rule(
        "of items that are listed again with other content the first is kept",
        "Keep one row for each item_id.",
        "merged",
    ),
    "items-without-text": Rule(
        "items without any text are kept and stay reachable, but a text encoder knows nothing about them",
        "Fill in a title or a category, or use an encoder that reads interactions.",
        unit="items",
    ),
    "unknown-items": Rule(
        "interactions with items that the catalogue does not have are left out",
        "Add the items to the catalogue, or check that both tables use the same ids.",
        "lost",
    ),
    "repeated-keys": Rule(
        "of a key that stands twice in a line the last value counts",
        "Write every key once.",
        "changed",
    ),
    "users-without-rows": Rule(
        "users of whom no row can be read are left out",
        "See broken-rows, missing-ids and unreadable-timestamps.",
        "lost",
        "users",
    ),
    "users-without-items": Rule(
        "users of whom no known item is left are left out",
        "See unknown-items.",
        "lost",
        "users",
    ),
    "held-out-whole": Rule(
        "users who have no more items than are held out get no list",
        "Hold fewer items out.",
        "lost",
        "users",
    ),
    "consecutive-repeats": Rule(
        "the same item several times in a row counts once",
        "To learn from them: genrec train --set drop_consecutive_repeats=false (consecutive_repeats='keep' in Python).",
        "merged",
    ),
    "below-k-core": Rule(
        "rows of users and items with too few interactions are left out, repeatedly",
        "Lower the k-core, or switch it off.",
        "merged",
    ),
    "short-histories": Rule(
        "users with fewer than 3 interactions are used for training only",
        "Nothing to do.",
        unit="users",
    ),
    "unused-items": Rule(
        "items without any interaction stay in the catalogue and can be recommended",
        "Nothing to do.",
        unit="items",
    ),
    "equal-timestamps": Rule(
        "interactions of one user at the same time keep the order of their rows",
        "Nothing to do, if the order of the rows means something.",
    ),
    "unknown-list-items": Rule(
        "rows with items that the catalogue does not have mean nothing; the other rows hold",
        "Correct these ids, or remove the rows.",
        "lost",
    ),
    "unknown-targets": Rule(
        "cases with a target that the catalogue does not have are left out",
        "Check that both tables use the same ids.",
        "lost",
    ),
    "empty-histories": Rule(
        "cases without a known item in their history are left out",
        "Check that both tables use the same ids.",
        "lost",
    ),
    "unknown-history-items": Rule(
        "items of histories that the catalogue does not have are left out",
        "Check that both tables use the same ids.",
        "lost",
        "items",
    ),
    "no-user-column": Rule(
        "there is no column of users: every row counts as a user of its own",
        "Name it: --user-column COLUMN (user_column='COLUMN' in Python).",
        "assumed",
        "columns",
    ),
    "dropped-items": Rule(
        "items of which no interaction is left are left out",
        "Lower the k-core, or switch it off, to keep all items.",
        "merged",
    ),
    "items-without-metadata": Rule(
        "items that only the interactions have get a row without text",
        "Use the complete metadata file.",
        unit="items",
    ),
}
"""For every kind of fault: the rule that is applied, and what the user can do."""

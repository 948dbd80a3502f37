"""What the items that carry a code have in common, in a few words: frequent words of their titles.

TS-Rec (arXiv 2602.22632) has a teacher model describe every cluster of items. Here the titles do: no model is asked.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from genrec.errors import unknown_name

if TYPE_CHECKING:
    from genrec.models.llm.code_tokens import CodeTokens

_WORD = re.compile(r"[^\W\d_]{2,}")
_OFTENER = 1.5  # a word that says something of a code stands so much more often among its items than elsewhere
KEYWORDS = 5


def code_keywords(
    titles: Sequence[str], codes: np.ndarray, sizes: Sequence[int], most: int = KEYWORDS
) -> list[list[str]]:
    """Keywords of every code: the words that stand in many titles of its items and in few of others.

    A word in ``c`` of the ``n`` titles of a code and in ``m`` of all ``N`` scores ``c log((c / n) / (m / N))``.

    Args:
        titles: One an item.
        codes: ``(n_items, n_levels)`` semantic IDs.
        sizes: Codes of every level.
        most: Words of a code.

    Returns:
        Per level, the words of every code with spaces between them; ``""`` where nothing sets its items apart.

    Example:
        >>> code_keywords(["red cup", "blue cup", "green tent"], np.array([[0], [0], [1]]), (3,))
        [['cup blue red', 'green tent', '']]
    """
    from scipy.sparse import csr_array

    found = [sorted(set(_WORD.findall(title.lower()))) for title in titles]
    words, columns = np.unique([word for row in found for word in row] or [""], return_inverse=True)
    rows = np.repeat(np.arange(len(found)), [len(row) for row in found])
    columns = columns[: len(rows)]
    stands = csr_array((np.ones(len(rows)), (rows, columns)), shape=(len(found), len(words)))
    everywhere = np.asarray(stands.sum(axis=0)).ravel() / max(1, len(found))
    result = []
    for level, size in enumerate(sizes):
        places = np.asarray(codes)[:, level]
        groups = csr_array((np.ones(len(places)), (places, np.arange(len(places)))), shape=(size, len(places)))
        counts, carried = csr_array(groups @ stands), np.bincount(places, minlength=size)
        counts.sort_indices()
        result.append([_best(counts, code, carried[code], everywhere, words, most) for code in range(size)])
    return result


def _best(counts: Any, code: int, carried: int, everywhere: np.ndarray, words: np.ndarray, most: int) -> str:
    """The words of one code, the best first."""
    part = slice(counts.indptr[code], counts.indptr[code + 1])
    columns, values = counts.indices[part], counts.data[part]
    lift = values / max(1, carried) / everywhere[columns]
    order = np.argsort(-values * np.log(lift), kind="stable")
    return " ".join([str(words[columns[n]]) for n in order if lift[n] >= _OFTENER][:most])


class CodeTexts:
    """Every code of every level as what templates of the kind ``code`` read; numbered level by level.

    Args:
        titles: One an item.
        codes: ``(n_items, n_levels)`` semantic IDs.
        tokens: The code tokens.

    Attributes:
        titled: ``(n_codes,)`` bool: which codes have keywords.
    """

    def __init__(self, titles: Sequence[str], codes: np.ndarray, tokens: CodeTokens) -> None:
        self.tokens = tokens
        self._names = [name for level in tokens.names for name in level]
        self._words = [text for level in code_keywords(titles, codes, tokens.codebook_sizes) for text in level]
        self.titled = np.array([bool(text) for text in self._words])

    def __len__(self) -> int:
        return len(self._names)

    def __getitem__(self, code: int) -> dict[str, str]:
        """Texts of one code by name."""
        return {"title": self._names[code], "code": self._names[code], "keywords": self._words[code]}

    def target_texts(self, field: str) -> list[str]:
        """What the model answers for every code, ``code`` or ``keywords``.

        Raises:
            ConfigError: There is no such field.
        """
        fields = {"code": self._names, "keywords": self._words}
        if field not in fields:
            raise unknown_name("target", field, list(fields), where="the task's front matter")
        return fields[field]

    def token_id(self, code: int) -> int:
        """The token of a code."""
        return int(self.tokens.all_ids[code])

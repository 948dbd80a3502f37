"""What one request asks for beyond the filters that all its users share."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from genrec.decoding.subtries import SubTries
from genrec.errors import DataError


@dataclass(frozen=True)
class Request:
    """Sub-catalogues, allow lists and priors, for all users or for each one.

    Attributes:
        within: Name of a sub-catalogue for everybody, or one name (or None) a user.
        allowed: One array of catalogue positions (or None: everything) a user.
        prior: ``(n_items,)`` or ``(n_users, n_items)`` scores by catalogue position that are added to the model's; a
            sparse matrix where users have scores for few items.
    """

    within: str | Sequence[str | None] | None = None
    allowed: Sequence[np.ndarray | None] | None = None
    prior: np.ndarray | sp.sparray | None = None

    def check(self, n_users: int, n_items: int) -> None:
        """Refuse what does not fit the users or the catalogue.

        Raises:
            DataError: A list has another length, or the prior another shape.
        """
        for name, value in (("within", self.within), ("allow_each", self.allowed)):
            if value is not None and not isinstance(value, str) and len(value) != n_users:
                raise DataError(f"{len(value)} entries for {n_users} users.", where=name, expected="one a user")
        if self.prior is not None and self.prior.shape not in ((n_items,), (n_users, n_items)):
            raise DataError(f"A prior of shape {self.prior.shape}.", expected=f"({n_items},) or ({n_users}, {n_items})")

    def parts(
        self, n_users: int, tries: SubTries, allowed: np.ndarray | None
    ) -> Iterator[tuple[np.ndarray, np.ndarray | None]]:
        """Users that can be searched together, with the mask of what they may get; who may get nothing is left out.

        Args:
            n_users: Number of users.
            tries: Knows the named parts of the catalogue.
            allowed: ``(n_items,)`` bool of what everybody may get, None for all.
        """
        names = [self.within] * n_users if self.within is None or isinstance(self.within, str) else self.within
        listed = [self.allowed is not None and self.allowed[user] is not None for user in range(n_users)]
        together: dict[tuple[str | None, bool], list[int]] = {}
        for user, key in enumerate(zip(names, listed, strict=True)):
            together.setdefault(key, []).append(user)
        for (name, _), users in together.items():
            masks = [mask for mask in (allowed, None if name is None else tries.mask(name)) if mask is not None]
            mask = np.logical_and.reduce(masks) if masks else None
            if mask is None or mask.any():
                yield np.array(users), mask

    def own_items(self, users: np.ndarray) -> np.ndarray | None:
        """Allow lists of users of one part, ``(n, longest)`` int64 padded with -1; None where they have none."""
        if self.allowed is None:
            return None
        lists = [self.allowed[user] for user in users]
        if any(items is None for items in lists):
            return None
        padded = np.full((len(users), max(len(items) for items in lists if items is not None)), -1, dtype=np.int64)
        for row, items in zip(padded, lists, strict=True):
            if items is not None:
                row[: len(items)] = items
        return padded

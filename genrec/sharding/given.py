"""Recommendations of a finished batch job, to be measured as the recommender that made them would be."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from genrec.artifacts import saved_content
from genrec.data.columns import positions_of
from genrec.data.histories import Histories
from genrec.decoding.request import Request
from genrec.errors import ArtifactError, ConfigError, DataError
from genrec.recommender import Recommender
from genrec.schema import Columns
from genrec.sharding.job import MANIFEST, part_name, read_manifest
from genrec.sharding.prints import KEY, from_text, history_prints
from genrec.sharding.store import LocalStore
from genrec.wording import count

_AGAIN = "Run the same genrec generate again: it makes what is missing or damaged."
_SHOWN = 3


def is_batch_result(folder: Path | str) -> bool:
    """Whether a folder holds shards of a batch job, finished or not."""
    return (Path(folder) / MANIFEST).is_file()


class GivenLists(Recommender):
    """Answers with the lists of a batch job, for the users and histories that they were made for.

    Attributes:
        k: Length of a list.
        exclude_seen: Whether items of the history were left out.
    """

    def __init__(
        self,
        name: str,
        item_ids: np.ndarray,
        users: list[str],
        lists: tuple[np.ndarray, np.ndarray],
        prints: np.ndarray,
        *,
        exclude_seen: bool = True,
    ) -> None:
        self.name, self.item_ids, self.exclude_seen = name, item_ids, exclude_seen
        self._items, self._scores = lists
        self._rows = {user: row for row, user in enumerate(users)}
        self._prints = np.sort(prints)
        self.k = self._items.shape[1]

    @classmethod
    def read(cls, folder: Path | str, item_ids: np.ndarray, name: str) -> GivenLists:
        """Read all shards.

        Args:
            folder: Of the job, as ``genrec generate --shard-users`` made it.
            item_ids: ``(n_items,)`` the catalogue.
            name: For reports.

        Raises:
            ArtifactError: The job is not finished (it says which shards are missing), or a shard is damaged.
            DataError: The lists hold items that the catalogue does not have.
        """
        store = LocalStore(Path(folder))
        manifest = read_manifest(store)
        if manifest is None:
            raise ArtifactError("This is no batch job of genrec.", where=folder, expected=f"a folder with {MANIFEST}")
        _require_finished(manifest, store)
        with saved_content("batch job", folder, settings=False):
            parts = [_read_part(store, part) for part in manifest["parts"]]
            settings = manifest["identity"]["settings"]
            k, exclude_seen = int(settings["k"]), bool(settings["exclude_seen"])
            frame, prints = pl.concat([frame for frame, _ in parts]), np.concatenate([made for _, made in parts])
            users, lists = _as_lists(frame, item_ids, min(k, len(item_ids)), folder)
        return cls(name, item_ids, users, lists, prints, exclude_seen=exclude_seen)

    def require(self, histories: Histories, *, allow_lost: float = 0.0) -> int:
        """Refuse cases that the lists were not made for.

        Args:
            histories: Of the cases.
            allow_lost: Largest share of cases without a list; they count as not hit. One case must have a list.

        Returns:
            How many have none.

        Raises:
            DataError: There are more; says how many users are missing, how many have a list for another history, and
                names some.
        """
        made_for = self._fit(histories)
        lost = int((~made_for).sum())
        if lost > allow_lost * len(made_for) or lost == len(made_for):
            known = np.array([user in self._rows for user in histories.user_ids.tolist()], dtype=bool)
            found = []
            for what, rows in (("no list", ~known), ("a list for another history", known & ~made_for)):
                if rows.any():
                    names = ", ".join(map(repr, histories.user_ids[rows][:_SHOWN].tolist()))
                    found.append(f"{int(rows.sum()):,} {what}, such as {names}")
            raise DataError(
                f"{lost:,} of {count(len(made_for), 'case')} {'has' if lost == 1 else 'have'} no list of '{self.name}' "
                f"that was made for the case: {'; '.join(found)}.",
                where=self.name,
                expected="lists made from the histories of the cases, without what was held out",
                hint="For a leave-one-out test run genrec generate with --hold-out 1, else on the histories of the "
                f"cases{'; or say how many may be missing: --allow-lost SHARE' if lost < len(made_for) else ''}.",
            )
        return lost

    def _fit(self, histories: Histories) -> np.ndarray:
        """Which cases the lists were made for, ``(n_cases,)`` bool; a user may have nothing in the list."""
        prints = history_prints(histories, self.item_ids)
        if not len(self._prints):
            return np.zeros(len(prints), dtype=bool)
        at = np.searchsorted(self._prints, prints)
        return (at < len(self._prints)) & (self._prints[np.minimum(at, len(self._prints) - 1)] == prints)

    def _rank(self, histories: Histories, request: Request) -> tuple[np.ndarray, np.ndarray]:
        if request.mask is not None or request.beyond_filters:
            raise ConfigError("Lists that are made already take no filters.", where=self.name)
        if request.k > min(self.k, len(self.item_ids)):
            raise ConfigError(f"The lists hold {count(self.k, 'item')}.", where=self.name, expected=f"k up to {self.k}")
        if request.exclude_seen != self.exclude_seen:
            raise ConfigError(
                f"The lists were made with exclude_seen={self.exclude_seen}.",
                where=self.name,
                hint="--exclude-seen or --include-seen, as they were made.",
            )
        rows = np.array([self._rows.get(user, -1) for user in histories.user_ids.tolist()], dtype=np.int64)
        rows[~self._fit(histories)] = -1
        items = np.full((len(rows), request.k), -1, dtype=np.int32)
        scores = np.full((len(rows), request.k), -np.inf, dtype=np.float32)
        there = rows >= 0
        items[there] = self._items[rows[there], : request.k]
        scores[there] = self._scores[rows[there], : request.k]
        return items, scores


def _require_finished(manifest: dict[str, Any], store: LocalStore) -> None:
    if manifest.get("complete"):
        return
    there = set(store.names())
    missing = [part_name(shard) for shard in range(int(manifest["shards"])) if part_name(shard) not in there]
    shown = ", ".join(missing[:_SHOWN]) + (", …" if len(missing) > _SHOWN else "")
    what = f"{len(missing):,} of {count(int(manifest['shards']), 'shard')} missing: {shown}" if missing else "no counts"
    raise ArtifactError(f"This batch job is not finished ({what}).", where=store.where, hint=_AGAIN)


def _read_part(store: LocalStore, part: dict[str, Any]) -> tuple[pl.DataFrame, np.ndarray]:
    """Rows of a shard, and prints of the histories that it was made for."""
    name = str(part["file"])
    where = f"{store.where}/{name}"
    if name not in store.names():
        raise ArtifactError("A shard is missing.", where=where, hint=_AGAIN)
    content = store.read(name)
    if hashlib.sha256(content).hexdigest() != part["sha256"]:
        raise ArtifactError("A shard was changed or damaged.", where=where, hint=_AGAIN)
    try:
        frame = pl.read_parquet(content, columns=[Columns.User, Columns.Rank, Columns.Item, Columns.Score])
        return frame, from_text(pl.read_parquet_metadata(content)[KEY])
    except (pl.exceptions.PolarsError, KeyError, ValueError):
        raise ArtifactError("A shard is damaged.", where=where, hint=_AGAIN) from None


def _as_lists(
    frame: pl.DataFrame, item_ids: np.ndarray, k: int, where: object
) -> tuple[list[str], tuple[np.ndarray, np.ndarray]]:
    """Users, and their items and scores, ``(n_users, k)`` each."""
    found = positions_of(frame[Columns.Item], pl.Series(item_ids.tolist(), dtype=pl.String))
    if (found < 0).any():
        strange = frame[Columns.Item].filter(pl.Series(found < 0)).unique(maintain_order=True)
        raise DataError(
            f"The lists hold {count(len(strange), 'item')} that the catalogue does not have, such as {strange[0]!r}.",
            where=where,
            expected="lists over the catalogue of the recommenders beside them",
        )
    users = frame[Columns.User].unique(maintain_order=True)
    rows = positions_of(frame[Columns.User], users)
    places = frame[Columns.Rank].to_numpy() - 1
    if len(places) and not 0 <= places.min() <= places.max() < k:
        raise ArtifactError("A shard is damaged.", where=where, expected=f"ranks from 1 to {k}", hint=_AGAIN)
    items = np.full((len(users), k), -1, dtype=np.int32)
    scores = np.full((len(users), k), -np.inf, dtype=np.float32)
    items[rows, places], scores[rows, places] = found, frame[Columns.Score].to_numpy()
    return users.to_list(), (items, scores)

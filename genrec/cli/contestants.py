"""What ``genrec evaluate`` sets side by side: recommenders under names of their own, and the split they share.

Every recommender remembers the split that it learned from. That one is evaluated, unless a column names another.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from genrec.cli.checks import refuse_for_baselines
from genrec.cli.columns import Tables
from genrec.cli.reading import read_split, split_text
from genrec.wording import count

if TYPE_CHECKING:
    from genrec.data.interactions import Interactions
    from genrec.data.split import EvaluationSet, Split, SplitSettings
    from genrec.evaluation.beyond import ItemFacts
    from genrec.recommender import Recommender
    from genrec.sharding.given import GivenLists

_UNKNOWN = "leave-one-out"  # of recommenders from before the split was written down


@dataclass(frozen=True)
class Contestants:
    """Recommenders over one catalogue, and the baselines that are fitted beside them.

    Attributes:
        recommenders: As they were given, each under a name of its own.
        baselines: Names of those to fit.
        origins: Folder of every recommender.
        lists: Lists of finished batch jobs, which stand beside the recommenders.
    """

    recommenders: list[Recommender]
    baselines: list[str] = field(default_factory=list)
    origins: list[Path] = field(default_factory=list)
    lists: list[GivenLists] = field(default_factory=list)

    @property
    def cut_offs(self) -> tuple[int, ...]:
        """Lengths of lists that are measured where nobody says which: no longer than those that were made."""
        from genrec.evaluation.evaluator import KS

        longest = min((one.k for one in self.lists), default=max(KS))
        return tuple(k for k in KS if k <= longest) or (longest,)

    @property
    def index(self) -> Any:
        """The first semantic index among them, or None."""
        return next((one.index for one in self.recommenders if hasattr(one, "index")), None)

    @property
    def item_ids(self) -> Any:
        """The catalogue, ``(n_items,)``."""
        return self.recommenders[0].item_ids

    def facts(self, split: Split) -> ItemFacts:
        """Popularity in training, and vectors and semantic IDs of the first index."""
        from genrec.evaluation.beyond import ItemFacts

        index, n_items = self.index, len(self.item_ids)
        if index is None:
            return ItemFacts.of(split.train, n_items)
        codes = index.codes[:, : index.quantizer_levels]
        return ItemFacts.of(split.train, n_items, vectors=index.vectors(), codes=codes)

    def without_networks(self) -> list[Recommender]:
        """For every recommender that uses counts or words, the same without its network."""
        from genrec.generative.without_network import without_network

        if all(one.kind == "baseline" for one in self.recommenders):
            return []
        return [bare for one in self.recommenders if (bare := without_network(one)) is not None]

    def words(self) -> Any:
        """Words of the items, where a baseline needs them and an index knows them."""
        from genrec.baselines.registry import CLASSES

        needed = any(name in CLASSES and CLASSES[name].needs_words for name in self.baselines)
        return self.index.word_vectors if needed and self.index is not None else None


def apart(folders: Sequence[Path]) -> tuple[list[Path], list[Path]]:
    """Folders of recommenders, and folders of shards that ``genrec generate`` made.

    Raises:
        ConfigError: There are shards alone: the catalogue and the split are those of a recommender.
    """
    from genrec.errors import ConfigError
    from genrec.sharding.given import is_batch_result

    jobs = [folder for folder in folders if is_batch_result(folder)]
    models = [folder for folder in folders if folder not in jobs]
    if not models:
        raise ConfigError(
            "Shards alone have no catalogue and no split.",
            where=jobs[0],
            hint=f"Name the recommender that made them, too: genrec evaluate MODEL {jobs[0]} …",
        )
    return models, jobs


def with_lists(
    beside: Contestants, jobs: Sequence[Path], cases: EvaluationSet, tables: Tables, asked: Mapping[str, Any]
) -> Contestants:
    """The same with the lists of batch jobs (if there are any), each made for these cases.

    Args:
        beside: Recommenders over the catalogue of the lists.
        jobs: Folders of shards.
        cases: That will be ranked.
        tables: With the share of cases that may have no list.
        asked: ``ks`` and ``exclude_seen`` of the evaluation.

    Raises:
        ArtifactError: A job is not finished, or a shard is missing or damaged.
        ConfigError: Cut-offs beyond the lists, or lists that were made with the other switch for seen items.
        DataError: Lists are missing, or were made from other histories.
    """
    from genrec.cli.console import err
    from genrec.errors import ConfigError
    from genrec.evaluation.evaluator import KS
    from genrec.evaluation.names import distinct_names
    from genrec.sharding.given import GivenLists

    taken = [*(one.name for one in beside.recommenders), *beside.baselines]
    found = []
    for folder, name in zip(jobs, distinct_names(jobs, taken), strict=True):
        lists = GivenLists.read(folder, beside.item_ids, name)
        if max(asked["ks"] or (1,)) > lists.k:
            ks = " ".join(f"--k {k}" for k in KS if k <= lists.k) or f"--k {lists.k}"
            raise ConfigError(
                f"The lists hold {count(lists.k, 'item')}.", where=folder, expected=f"cut-offs up to that: {ks}"
            )
        if asked["exclude_seen"] != lists.exclude_seen:
            made = "--exclude-seen" if lists.exclude_seen else "--include-seen"
            raise ConfigError(f"The lists were made with {made}.", where=folder, hint=f"Add {made}.")
        if lost := lists.require(cases.histories, allow_lost=tables.how.get("allow_lost") or 0.0):
            err.print(f"{name}: {lost:,} of {count(len(cases), 'case')} have no list that was made for them: not hit.")
        found.append(lists)
    return replace(beside, lists=found)


def load_contestants(
    models: Sequence[Path],
    *,
    baselines: Sequence[str] | None = None,
    device: str | None = None,
    checkpoints: Sequence[str] = (),
    beams: int | None = None,
    changes: Sequence[str] = (),
    index: Path | None = None,
) -> Contestants:
    """Load recommenders and name them apart from each other and from the baselines that will stand beside them.

    Args:
        models: Their folders.
        baselines: Names of baselines to fit; None: the quick ones but those that are among ``models``.
        device: Such as ``cuda``.
        checkpoints: Where language models under adapters are now, if they have moved.
        beams: Hypotheses a user; None: as trained.
        changes: Decoding settings, ``key=value``.
        index: Of the catalogue, for pretrained recommenders.

    Raises:
        ConfigError: The same folder twice, an unknown baseline or setting.
        ArtifactError: A folder is no recommender.
    """
    from genrec.baselines.registry import CLASSES, QUICK_BASELINES
    from genrec.errors import unknown_name
    from genrec.evaluation.names import distinct_names
    from genrec.generative.changes import change_decoding
    from genrec.generative.recommender import GenerativeRecommender

    for name in baselines or ():
        if name not in CLASSES:
            raise unknown_name("baseline", name, CLASSES)
    recommenders = _loaded(models, device, index, checkpoints)
    given = {type(one).name for one in recommenders if one.kind == "baseline"}
    wanted = [name for name in QUICK_BASELINES if name not in given] if baselines is None else list(baselines)
    names = distinct_names(models, wanted)
    single = len(models) == 1 and recommenders[0].kind != "baseline"
    wished = [*changes, *([f"beams={beams}"] if beams else [])]
    for recommender, name in zip(recommenders, ["generative"] if single else names, strict=True):
        recommender.name = name
        if isinstance(recommender, GenerativeRecommender):
            change_decoding(recommender, wished, prior=False)
    refuse_for_baselines(recommenders, wished)
    return Contestants(recommenders, list(dict.fromkeys(wanted)), list(models))


def _loaded(
    models: Sequence[Path], device: str | None, index: Path | None, checkpoints: Sequence[str]
) -> list[Recommender]:
    from genrec.index.semantic_index import SemanticIndex
    from genrec.loading import moved_checkpoint, saved_kind
    from genrec.recommender import Recommender

    options: dict[str, Any] = {} if device is None else {"device": device}
    given = {} if index is None else {"index": SemanticIndex.load(index)}
    extra = [options | (given if saved_kind(model) == "foundation" else {}) for model in models]
    for model, more in zip(models, extra, strict=True):
        if place := moved_checkpoint(model, checkpoints):
            more["checkpoint"] = place
    return [Recommender.from_pretrained(model, **more) for model, more in zip(models, extra, strict=True)]


def recorded_split(recommender: Recommender) -> tuple[SplitSettings, bool]:
    """The split that a recommender learned from, and whether the same item several times in a row counted once."""
    from genrec.data.split import SplitSettings

    config: Any = getattr(recommender, "config", None)
    if config is not None:
        return config.split, config.drop_consecutive_repeats
    info: dict[str, Any] = getattr(recommender, "info", {})
    return SplitSettings(name=info.get("split", _UNKNOWN), options=dict(info.get("split_options") or {})), True


def split_of(
    recommenders: Sequence[Recommender], interactions: Path, tables: Tables
) -> tuple[Split, str, Interactions]:
    """The split that is evaluated, where it comes from, for people, and the interactions.

    Args:
        recommenders: They must have learned from the same one, unless a column says what to do.
        interactions: The table.
        tables: How to read it; a ``part_column`` goes before what recommenders remember.

    Raises:
        DataError: They learned from different splits, or the table lacks the column of their own one.
        ConfigError: Their split is their own and its column is not known.
    """
    from genrec.data.split import CUSTOM, SPLITS
    from genrec.errors import ConfigError

    item_ids, source, drop_repeats = recommenders[0].item_ids, "", True
    if tables.part_column is not None:
        choice = tables.choose_split()
    else:
        choice, drop_repeats = _agreed(recommenders)
        source = f", as {recommenders[0].name} learned from"
    if choice.name not in SPLITS and (choice.name != CUSTOM or "part_column" not in choice.options):
        raise ConfigError(
            f"'{recommenders[0].name}' was fitted on a split of its own ('{choice.name}').",
            hint="Say which column holds it: --part-column part.",
        )
    split, table = read_split(tables, interactions, item_ids, choice, drop_repeats=drop_repeats)
    return split, split_text(choice) + source, table


def _agreed(recommenders: Sequence[Recommender]) -> tuple[SplitSettings, bool]:
    """The split that all of them learned from."""
    from genrec.errors import DataError

    first = recorded_split(recommenders[0])
    for other in recommenders[1:]:
        theirs, _ = recorded_split(other)
        if theirs != first[0]:
            raise DataError(
                f"{other.name} was trained on another split than {recommenders[0].name}.",
                expected=f"the split {split_text(first[0])}, not {split_text(theirs)}",
                hint="Evaluate them one by one, or retrain; --part-column COLUMN evaluates a split of your own.",
            )
    return first


def foreign(recommenders: Sequence[Recommender], column: str) -> list[str]:
    """Names of recommenders that learned from another split than the one that a column holds."""
    from genrec.data.split import CUSTOM

    found = []
    for one in recommenders:
        split, _ = recorded_split(one)
        if split.name != CUSTOM or split.options.get("part_column", column) != column:
            found.append(one.name)
    return found

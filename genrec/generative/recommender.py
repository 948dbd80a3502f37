"""The generative recommender: a network over code tokens, a semantic index, and constrained decoding between them."""

from __future__ import annotations

import copy
import json
import logging
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import scipy.sparse as sp
import torch

from genrec.artifacts import atomic_dir, read_manifest, saved_content, write_manifest
from genrec.config import parse, read_yaml, write_yaml
from genrec.data.histories import Histories
from genrec.data.naming import ColumnNames
from genrec.decoding.exact import score_items
from genrec.decoding.options import DecodingOptions, PriorSettings, even_slices
from genrec.decoding.request import Request
from genrec.decoding.search import search
from genrec.decoding.slots import score_by_slots
from genrec.decoding.subtries import SubTries
from genrec.decoding.user_priors import UserPriors
from genrec.decoding.word_matches import WordMatches
from genrec.errors import ArtifactError
from genrec.generative.config import TrainConfig
from genrec.generative.learned_prior import LearnedPrior, learned_scores
from genrec.index.semantic_index import SemanticIndex
from genrec.index.storage import save_index
from genrec.models import CodeModel, load_model
from genrec.prompts.reader import save_templates, with_saved_templates
from genrec.recommender import HistoriesLike, Recommendations, Recommender

logger = logging.getLogger(__name__)

MANIFEST = "recommender.json"
_CELLS = 1 << 26  # users times items that are scored by words at once

Prior: TypeAlias = Mapping[str, float] | np.ndarray | sp.sparray
"""Item scores of a request: by item id, one vector, or one row a user, dense or sparse."""


class GenerativeRecommender(Recommender):
    """Generates semantic IDs and decodes them into real items.

    Args:
        model: Network over the codes of ``index``.
        index: Semantic index of the catalogue.
        config: Settings it was trained with; ``config.generation`` holds the decoding defaults.
        metrics: What training measured, kept in the artefact.
    """

    name = "generative"

    def __init__(
        self, model: CodeModel, index: SemanticIndex, config: TrainConfig, metrics: dict[str, Any] | None = None
    ) -> None:
        self.model = model = model.bind(index)
        self.index, self.config, self.metrics = index, config, {} if metrics is None else metrics
        self.item_ids = index.item_ids
        self.options = config.generation
        self.prior: LearnedPrior | None = None
        self.collator = model.reader(index, config)
        self._request = Request()
        self._tries = SubTries(index.trie, self.device)
        self._vectors: dict[torch.device, torch.Tensor] = {}

    @property
    def device(self) -> torch.device:
        """Where the model is; recommendations are computed there."""
        return self.model.device

    def to(self, device: str | torch.device) -> GenerativeRecommender:
        """Move the model; returns itself."""
        self.model.end_decoding()
        self.model.to(device)  # type: ignore[arg-type]
        self._tries = SubTries(self.index.trie, self.device, self._tries.named)
        return self

    @property
    def beams(self) -> int:
        """Hypotheses a user; can be set."""
        return self.options.beams

    @beams.setter
    def beams(self, beams: int) -> None:
        self.options = self.options.model_copy(update={"beams": beams})

    @property
    def batch_users(self) -> int | None:
        """Users decoded together, None for as many as fit the device; can be set."""
        return self.options.batch_users

    @batch_users.setter
    def batch_users(self, users: int | None) -> None:
        self.options = self.options.model_copy(update={"batch_users": users})

    @property
    def scores_all(self) -> bool:
        """Whether it decodes by scoring every item at once: parallel slots, ranked exactly."""
        return self.options.exact and self.model.parallel

    def set_prior(self, settings: PriorSettings) -> None:
        """Decode with the learned prior in this way, and save it so; see :func:`genrec.training.prior.fit_prior`."""
        self.options = self.options.model_copy(update={"prior": settings})
        generation = self.config.generation.model_copy(update={"prior": settings})
        self.config = self.config.model_copy(update={"generation": generation})

    def define(self, name: str, items: Collection[str]) -> None:
        """Name a part of the catalogue ("in stock", a category), for ``recommend(..., within=name)``.

        Args:
            name: The name; giving it again replaces the part.
            items: Item ids.

        Raises:
            DataError: An id is not in the catalogue.
        """
        mask = np.zeros(len(self.item_ids), dtype=bool)
        mask[self.to_histories([list(items)]).items] = True
        self._tries.define(name, mask)

    def recommend(
        self,
        histories: HistoriesLike,
        k: int,
        *,
        exclude_seen: bool = True,
        allow: Collection[str] | None = None,
        deny: Collection[str] | None = None,
        within: str | Sequence[str | None] | None = None,
        allow_each: Sequence[Collection[str] | None] | None = None,
        prior: Prior | None = None,
        options: DecodingOptions | Mapping[str, Any] | None = None,
    ) -> Recommendations:
        """The ``k`` best items of every history.

        Args:
            histories: As in :meth:`Recommender.recommend`, like the arguments up to ``deny``.
            k: Length of a list.
            exclude_seen: Never recommend an item of the user's own history.
            allow: Only these item ids, for everybody.
            deny: Never these item ids.
            within: A part of the catalogue that :meth:`define` named; or one name (or None) a user.
            allow_each: One collection of item ids (or None: everything) a user.
            prior: Scores that are added to the model's, times ``options.prior_weight``: by item id (0 where there is
                none), ``(n_items,)``, or ``(n_users, n_items)``; a sparse matrix where users have few scores. A prior
                that the recommender has learned is added, too, as ``options.prior`` says.
            options: How to decode this time; a mapping changes these settings only.

        Raises:
            DataError: An unknown item, or something that does not fit the users or the catalogue.
            ConfigError: An unknown sub-catalogue or setting.
        """
        asked = copy.copy(self)
        if options is not None:
            changed = options if isinstance(options, DecodingOptions) else {**self.options.model_dump(), **options}
            asked.options = changed if isinstance(changed, DecodingOptions) else parse(DecodingOptions, changed)
        lists = None
        if allow_each is not None:
            lists = [None if one is None else self.to_histories([list(one)]).items for one in allow_each]
        asked._request = Request(within, lists, self._prior(prior))
        return Recommender.recommend(asked, histories, k, exclude_seen=exclude_seen, allow=allow, deny=deny)

    def score_items(self, histories: HistoriesLike) -> np.ndarray:
        """Exact score of every item, ``(n_users, n_items)`` float32; no beam is involved.

        It is the log-probability, and what ``options.words`` adds to it; item priors are not in it.
        """
        known = histories if isinstance(histories, Histories) else self.to_histories(histories)
        result = np.empty((len(known), len(self.item_ids)), dtype=np.float32)
        exact = self.options.model_copy(update={"exact": True})
        with self._evaluating():
            for users, batch in self._batches(known, exact.users_at_once(1)):
                state = self.model.prefill(**batch)
                if self.model.parallel:
                    scores = score_by_slots(self._tries(), self.model.slot_scores(state))
                else:
                    scores = score_items(self.model, state, self._tries(), len(users), normalize=exact.normalize)
                result[users] = scores.cpu().numpy()
                if self.options.words:
                    result[users] += self._shared_words(known.select(users))
        return result

    def _shared_words(self, histories: Histories) -> np.ndarray:
        """What the words that items share with histories add, ``(n_users, n_items)`` float32."""
        scores = WordMatches(self.index.word_vectors).scores(histories)
        scores *= np.float32(self.options.words)
        return scores

    def _rank(
        self, histories: Histories, k: int, exclude_seen: bool, allowed: np.ndarray | None
    ) -> tuple[np.ndarray, np.ndarray]:
        request = self._request
        request.check(len(histories), len(self.item_ids))
        items = np.full((len(histories), k), -1, dtype=np.int32)
        scores = np.full((len(histories), k), -np.inf, dtype=np.float32)
        size = self.options.users_at_once(k, self.device.type)
        learned = learned_scores(self.prior, self.options.prior, histories, len(self.item_ids))
        if self.options.words:
            size = min(size, max(1, _CELLS // len(self.item_ids)))

        def words(users: np.ndarray) -> np.ndarray:
            return self._shared_words(histories.select(users))

        priors = UserPriors(request.prior, self.options.prior_weight, learned, words if self.options.words else None)
        with self._evaluating():
            for members, mask in request.parts(len(histories), self._tries, allowed):
                trie = self._tries(mask)
                for rows, batch in self._batches(histories.select(members), size):
                    users = members[rows]
                    seen = histories.select(users) if exclude_seen else None
                    found, found_scores = search(
                        self.model,
                        self.model.prefill(**batch),
                        trie,
                        len(users),
                        k,
                        self.options,
                        forbidden=self._tensor(None if seen is None else seen.padded()),
                        allowed=self._tensor(request.own_items(users)),
                        prior=priors.of(trie, users, seen),
                        vectors=None if self.options.mmr is None else self._item_vectors(),
                    )
                    items[users, : found.shape[1]] = found.cpu().numpy()
                    scores[users, : found.shape[1]] = found_scores.cpu().numpy()
        return items, scores

    def _batches(self, histories: Histories, size: int) -> Iterator[tuple[np.ndarray, dict[str, torch.Tensor]]]:
        """Users of similar length, and what the model reads of them."""
        recent = histories.last(self.config.model.max_items)
        order = np.argsort(recent.lengths, kind="stable")
        for batch in even_slices(len(order), size):
            users = order[batch]
            collated = self.collator(recent.select(users))
            yield users, {name: tensor.to(self.device) for name, tensor in collated.items()}

    @contextmanager
    def _evaluating(self) -> Iterator[None]:
        with self.model.decoding(), torch.inference_mode():
            yield

    def _tensor(self, positions: np.ndarray | None) -> torch.Tensor | None:
        return None if positions is None else torch.from_numpy(positions.astype(np.int64)).to(self.device)

    def _prior(self, prior: Prior | None) -> np.ndarray | sp.sparray | None:
        if not isinstance(prior, Mapping):
            return prior if prior is None or sp.issparse(prior) else np.asarray(prior)
        scores = np.zeros(len(self.item_ids), dtype=np.float32)
        scores[self.to_histories([list(prior)]).items] = list(prior.values())
        return scores

    def _item_vectors(self) -> torch.Tensor:
        if self.device not in self._vectors:
            self._vectors[self.device] = torch.from_numpy(np.array(self.index.vectors())).to(self.device)
        return self._vectors[self.device]

    def merge(self) -> None:
        """Put the updates of a LoRA adapter into the language model's weights; it is then saved as a plain model.

        Raises:
            ModelError: There is no language model.
        """
        self.model.merge()

    def save_pretrained(self, folder: Path | str, *, overwrite: bool = False) -> None:
        """Write a self-contained folder: model, index, settings, metrics, card.

        Raises:
            ArtifactError: The folder exists and ``overwrite`` is false.
        """
        with atomic_dir(folder, overwrite=overwrite) as work:
            self.model.save_pretrained(work / "model")
            if self.model.reads_prompts:
                save_templates(self.config.tasks, work / "prompts")
            save_index(self.index.files(), work / "index", overwrite=False)
            if self.prior is not None:
                self.prior.save(work / "prior")
            write_yaml(work / "config.yaml", self.config)
            (work / "metrics.json").write_text(json.dumps(self.metrics, indent=2) + "\n", encoding="utf-8")
            (work / "README.md").write_text(self._card(), encoding="utf-8")
            content = {
                "kind": "generative",
                "architecture": self.config.model.architecture,
                "index_fingerprint": self.index.fingerprint,
                "run": self.metrics.get("run"),
                "columns": self.columns.over(self.index.columns).model_dump(exclude_none=True),
            }
            write_manifest(work, MANIFEST, content)

    @classmethod
    def from_pretrained(  # type: ignore[override]
        cls,
        folder: Path | str,
        *,
        index: SemanticIndex | None = None,
        device: str | None = None,
        checkpoint: str | None = None,
    ) -> GenerativeRecommender:
        """Load a folder written by :meth:`save_pretrained`.

        Args:
            folder: The recommender.
            index: Use this one instead of the folder's: the same, or one grown from it by ``encode_new``. A pretrained
                recommender (:mod:`~genrec.generative.pretrained`) has none and takes any built with its quantizer.
            device: Where to put the model (default: CPU).
            checkpoint: Where the language model is now that an adapter was trained on, if it has moved.

        Raises:
            ArtifactError: The folder is missing or damaged, or ``index`` is of another catalogue.
        """
        folder = Path(folder)
        manifest = read_manifest(folder, MANIFEST, "recommender")
        if manifest.get("kind") == "foundation":
            import genrec

            return genrec.load(folder, index=index, device=device)  # type: ignore[return-value]
        config = parse(TrainConfig, read_yaml(folder / "config.yaml"), where=folder / "config.yaml")
        if index is None:
            index = SemanticIndex.load(folder / "index")
        elif manifest["index_fingerprint"] not in index.lineage:
            raise ArtifactError(
                "The recommender was trained on another index.",
                where=folder,
                expected=f"index {manifest['index_fingerprint']} or one grown from it",
                hint=f"This index is {index.fingerprint} ({len(index.item_ids)} items). Train on it, or leave it out.",
            )
        tasks = with_saved_templates(config.tasks, folder / "prompts")
        config = config.model_copy(update={"tasks": tasks})
        model = load_model(folder / "model", checkpoint=checkpoint)
        model.eval()
        model.stays_ready = True
        metrics = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
        recommender = cls(model, index, config, metrics)
        recommender.prior = LearnedPrior.load(folder / "prior", index.item_ids)
        with saved_content("columns", manifest.path):
            remembered = parse(ColumnNames, manifest.get("columns") or {})
        recommender.columns = remembered.over(index.columns)
        return recommender.to(device) if device else recommender

    def _card(self) -> str:
        best = self.metrics.get("validation", {})
        figures = "".join(f"| {name} | {value:.4f} |\n" for name, value in best.items())
        table = f"\n| validation (generated) | |\n|---|---|\n{figures}" if figures else ""
        return (
            f"# genrec recommender\n\n"
            f"- network: {self.config.model.architecture}, {self.model.num_parameters():,} parameters\n"
            f"- index: {len(self.item_ids):,} items, codebook sizes {list(self.index.codebook_sizes)}, "
            f"fingerprint `{self.index.fingerprint}`\n"
            f"- training histories: {self.metrics.get('train_users', 0):,} users\n{table}\n"
            "```python\nfrom genrec import Recommender\n\n"
            'recommender = Recommender.from_pretrained("this folder")\n'
            'recommender.recommend([["an item id", "another"]], k=10).item_ids\n```\n'
        )

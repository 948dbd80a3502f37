"""The generative recommender: a network over code tokens, a semantic index, and constrained decoding between them."""

from __future__ import annotations

import json
import logging
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from genrec.artifacts import atomic_dir, read_json, read_manifest, read_whole, saved_content, write_manifest
from genrec.artifacts.hub import at_hand
from genrec.config import parse, read_yaml, write_yaml
from genrec.data.histories import Histories
from genrec.data.id_lists import positions_of_set
from genrec.data.naming import ColumnNames
from genrec.decoding.exact import sums_slots
from genrec.decoding.options import DecodingOptions, PriorSettings, say_once
from genrec.decoding.ranker import Ranker
from genrec.decoding.request import Prior, Request
from genrec.errors import ArtifactError
from genrec.explanation import Explanations
from genrec.generative.belonging import check_index, load_described
from genrec.generative.card import recommender_card
from genrec.generative.config import TrainConfig
from genrec.generative.explained import explained
from genrec.generative.floor import Floor
from genrec.generative.learned_prior import LearnedPrior, learned_scores
from genrec.index.semantic_index import SemanticIndex
from genrec.index.storage import save_index
from genrec.models import CodeModel
from genrec.prompts.reader import save_templates, with_saved_templates
from genrec.recommender import MANIFEST, HistoriesLike, Recommendations, Recommender
from genrec.trust import trusting, trusts_remote_code
from genrec.wording import count

logger = logging.getLogger(__name__)


class GenerativeRecommender(Recommender):
    """Generates semantic IDs and decodes them into real items.

    Args:
        model: Network over the codes of ``index``.
        index: Semantic index of the catalogue.
        config: Settings it was trained with; ``config.generation`` holds the decoding defaults.
        metrics: What training measured, kept in the artefact.
    """

    name = "generative"
    searches = True

    def __init__(
        self, model: CodeModel, index: SemanticIndex, config: TrainConfig, metrics: dict[str, Any] | None = None
    ) -> None:
        self.model = model = model.bind(index)
        self.index, self.config, self.metrics = index, config, {} if metrics is None else metrics
        self.item_ids = index.item_ids
        self.options = config.generation
        self._idle: dict[str, str] = {}
        self.prior: LearnedPrior | None = None
        self.floor: Floor | None = None
        self._ranker = Ranker(model, index, model.reader(index, config), config.model.max_items)

    def __repr__(self) -> str:
        size = f"{self.config.model.architecture}, {count(self.model.num_parameters(), 'parameter')} on {self.device}"
        searched = "exact" if self.options.exact else count(self.options.beams, "beam")
        prior = f", prior {self.options.prior.name}" if self.options.prior is not None else ""
        levels = tuple(self.index.codebook_sizes)
        return f"GenerativeRecommender({size}; {count(len(self.item_ids), 'item')}, levels {levels}; {searched}{prior})"

    @property
    def device(self) -> torch.device:
        """Where the model is; recommendations are computed there."""
        return self.model.device

    def to(self, device: str | torch.device) -> GenerativeRecommender:
        """Move the model; returns itself."""
        self._ranker.to(device)
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
        """Whether it decodes by scoring every item at once."""
        at_once = self.model.scores_items or sums_slots(self.model, self.options.normalize)
        return self.options.exact and at_once

    def set_prior(self, settings: PriorSettings) -> None:
        """Decode with the learned prior in this way, and save it so; see :func:`genrec.training.prior.fit_prior`."""
        self._decode_with(prior=settings)

    def set_words(self, weight: float) -> None:
        """Decode with words that weigh so much, and save it so."""
        self._decode_with(words=weight)

    def _decode_with(self, **changes: Any) -> None:
        self.options = self.options.model_copy(update=changes)
        generation = self.config.generation.model_copy(update=changes)
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
        mask[positions_of_set(items, self.positions, f"define({name!r})")] = True
        self._ranker.define(name, mask)

    def recommend(
        self,
        histories: HistoriesLike,
        k: int = 10,
        *,
        exclude_seen: bool = True,
        allow: Collection[str] | None = None,
        deny: Collection[str] | None = None,
        within: str | Sequence[str | None] | None = None,
        allow_each: Sequence[Collection[str] | None] | None = None,
        prior: Prior | None = None,
        options: DecodingOptions | Mapping[str, Any] | None = None,
        deny_each: Sequence[Collection[str] | None] | None = None,
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
            deny_each: One collection of item ids (or None: nothing) a user.

        Raises:
            DataError: An unknown item, or something that does not fit the users or the catalogue.
            ConfigError: An unknown sub-catalogue or setting.
        """
        chosen = self._changed(options, prior is not None)
        request = Request(k, exclude_seen, allow, deny, within, allow_each, prior, chosen, deny_each)
        return self.answer(histories, request)

    def explain(
        self,
        histories: HistoriesLike,
        items: Sequence[Collection[str]] | None = None,
        k: int = 10,
        *,
        exclude_seen: bool = True,
        allow: Collection[str] | None = None,
        deny: Collection[str] | None = None,
        within: str | Sequence[str | None] | None = None,
        allow_each: Sequence[Collection[str] | None] | None = None,
        prior: Prior | None = None,
        options: DecodingOptions | Mapping[str, Any] | None = None,
    ) -> Explanations:
        """Why the ``k`` best items of every history are recommended, or why others stand where they do.

        The parts are ``network``, which is also given code by code, ``words``, ``counts`` (the learned prior) and
        ``prior`` (that of the request). They add up to the score of :meth:`recommend`.

        Args:
            histories: As in :meth:`recommend`, like the arguments from ``k`` on.
            items: One collection of item ids a user that are explained in the place of the best ones.
            k: Length of a list, where ``items`` does not say it.
            exclude_seen: As in :meth:`recommend`.
            allow: As there.
            deny: As there.
            within: As there.
            allow_each: As there.
            prior: As there.
            options: As there; ``mmr`` must be None where ``items`` are given.

        Raises:
            DataError: As in :meth:`recommend`; or an item cannot be recommended to the user.
            ConfigError: As in :meth:`recommend`.
        """
        chosen = self._changed(options, prior is not None)
        request = Request(k, exclude_seen, allow, deny, within, allow_each, prior, options=chosen)
        return self.explain_answer(histories, request, items)

    def explain_answer(
        self, histories: HistoriesLike, request: Request, items: Sequence[Collection[str]] | None = None
    ) -> Explanations:
        """:meth:`explain` for a request that is made once and asked often."""
        known, options = self.known(histories), request.options or self.options
        learned = learned_scores(self.prior, options.prior, known, len(self.item_ids))
        wanted = None if items is None else self._wanted(items, known)
        return explained(self._ranker, known, self.resolved(request), options, learned, wanted)

    def _changed(self, given: DecodingOptions | Mapping[str, Any] | None, prior: bool) -> DecodingOptions | None:
        if given is None:
            return None
        options, model = self.options.for_once(given), self.model
        idle = options.idle_beside(self.options, searches=model.by_beam or not model.scores_items, prior=prior)
        self._idle = say_once(idle, self._idle)
        return options

    def score_items(self, histories: HistoriesLike) -> np.ndarray:
        """Exact score of every item, ``(n_users, n_items)`` float32; no beam is involved.

        It is the log-probability as ``options.normalize`` says (over the whole catalogue: there are no filters), and
        what ``options.words`` adds to it; item priors are not in it.
        """
        known = histories if isinstance(histories, Histories) else self.to_histories(histories)
        return self._ranker.score_items(known, self.options)

    def _rank(self, histories: Histories, request: Request) -> tuple[np.ndarray, np.ndarray]:
        options = request.options or self.options
        learned = learned_scores(self.prior, options.prior, histories, len(self.item_ids))
        return self._ranker.rank(histories, request, options, learned)

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
            if self.floor is not None:
                self.floor.save(work / "floor", self.prior)
            write_yaml(work / "config.yaml", self.config)
            (work / "metrics.json").write_text(json.dumps(self.metrics, indent=2) + "\n", encoding="utf-8")
            (work / "README.md").write_text(
                recommender_card(self.model, self.index, self.config, self.metrics), encoding="utf-8"
            )
            content = {
                "kind": "generative",
                "architecture": self.config.model.architecture,
                "index_fingerprint": self.index.fingerprint,
                "n_items": len(self.index),
                "vectors_fingerprint": self.index.vectors_fingerprint(),
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
        trust_remote_code: bool = False,
        revision: str | None = None,
        token: str | None = None,
    ) -> GenerativeRecommender:
        """Load a folder written by :meth:`save_pretrained`.

        Args:
            folder: The recommender; or the id of a repository of the hub, such as ``name/repo``.
            index: Use this one instead of the folder's: the same, or one grown from it by ``encode_new``. A pretrained
                recommender (:mod:`~genrec.generative.pretrained`) has none and takes any built with its quantizer.
            device: Where to put the model (default: CPU).
            checkpoint: Where the language model is now that an adapter was trained on, if it has moved.
            trust_remote_code: Run the Python code that its language model brings, whatever the folder says of it.
            revision: Branch, tag or commit of the repository.
            token: For private repositories; that of ``hf auth login`` where not given.

        Raises:
            ArtifactError: The folder is missing or damaged, or ``index`` is of another catalogue.
            ConfigError: A revision of a folder.
            ModelError: The language model is not there, or needs code of its own.
        """
        folder = at_hand(folder, "recommender", revision, token)

        def load() -> GenerativeRecommender:
            with trusting(trust_remote_code or trusts_remote_code()):
                return cls._load(folder, index, checkpoint)

        recommender = read_whole(folder, "recommender", load)
        return recommender.to(device) if device else recommender

    @classmethod
    def _load(cls, folder: Path, index: SemanticIndex | None, checkpoint: str | None) -> GenerativeRecommender:
        manifest = read_manifest(folder, MANIFEST, "recommender")
        kind = manifest.need("kind", str)
        if kind == "foundation":
            import genrec

            return genrec.load(folder, index=index)  # type: ignore[return-value]
        if kind != "generative":
            hint = "genrec.load(folder) loads any kind."
            raise ArtifactError(f"It is of the kind '{kind}'.", where=folder, hint=hint)
        config = parse(TrainConfig, read_yaml(folder / "config.yaml"), where=folder / "config.yaml")
        if index is None:
            index = SemanticIndex.load(folder / "index")
        check_index(manifest, index, config)
        model = load_described(manifest, config, checkpoint)
        if model.reads_prompts:
            tasks = with_saved_templates(config.tasks, folder / "prompts")
            config = config.model_copy(update={"tasks": tasks})
        model.eval()
        model.stays_ready = True
        metrics = read_json(folder / "metrics.json")
        recommender = cls(model, index, config, metrics)
        recommender.prior = LearnedPrior.load(folder / "prior", index.item_ids)
        recommender.floor = Floor.load(folder / "floor", index.item_ids, recommender.prior)
        with saved_content("columns", manifest.path):
            remembered = parse(ColumnNames, manifest.get("columns") or {})
        recommender.columns = remembered.over(index.columns)
        return recommender

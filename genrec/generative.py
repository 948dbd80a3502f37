"""The generative recommender: a network over code tokens, a semantic index, and constrained decoding between them."""

from __future__ import annotations

import json
import logging
from collections import OrderedDict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from genrec.artifacts import atomic_dir, read_manifest, write_manifest
from genrec.config import parse, read_yaml, write_yaml
from genrec.data.histories import Histories
from genrec.decoding.beam import beam_search
from genrec.decoding.device_trie import DeviceTrie
from genrec.errors import ArtifactError
from genrec.index import SemanticIndex
from genrec.metrics import ndcg_at, recall_at
from genrec.models import CodeModel, load_model
from genrec.recommender import Recommender
from genrec.training.config import TrainConfig
from genrec.training.examples import CodeCollator
from genrec.trie import Trie

if TYPE_CHECKING:
    from collections.abc import Callable

    from genrec.data.split import EvaluationSet

logger = logging.getLogger(__name__)

MANIFEST = "recommender.json"


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
        if tuple(model.codebook_sizes) != tuple(index.codebook_sizes):
            raise ArtifactError(
                f"The model speaks codes of sizes {list(model.codebook_sizes)}, the index has "
                f"{list(index.codebook_sizes)}.",
                hint="Train the model on this index.",
            )
        self.model, self.index, self.config, self.metrics = model, index, config, metrics or {}
        self.item_ids = index.item_ids
        self.beams = config.generation.beams
        self.batch_users = config.generation.batch_users
        self._collator = CodeCollator(index.codes)
        self._tries: OrderedDict[bytes, tuple[DeviceTrie, np.ndarray | None]] = OrderedDict()

    @property
    def device(self) -> torch.device:
        """Where the model is; recommendations are computed there."""
        return self.model.device

    def to(self, device: str | torch.device) -> GenerativeRecommender:
        """Move the model; returns itself."""
        self.model.to(device)  # type: ignore[arg-type]
        self._tries.clear()
        return self

    def _rank(
        self, histories: Histories, k: int, exclude_seen: bool, allowed: np.ndarray | None
    ) -> tuple[np.ndarray, np.ndarray]:
        items = np.full((len(histories), k), -1, dtype=np.int32)
        scores = np.full((len(histories), k), -np.inf, dtype=np.float32)
        if allowed is not None and not allowed.any():
            return items, scores
        was_training = self.model.training
        self.model.eval()
        recent = histories.last(self.config.model.max_items)
        order = np.argsort(recent.lengths, kind="stable")
        for at in range(0, len(order), self.batch_users):
            users = order[at : at + self.batch_users]
            seen = histories.select(users) if exclude_seen else None
            found, found_scores = self._search(recent.select(users), seen, k, allowed)
            width = min(k, found.shape[1])
            items[users, :width] = found[:, :width]
            scores[users, :width] = found_scores[:, :width]
        self.model.train(was_training)
        return items, scores

    @torch.inference_mode()
    def _search(
        self, recent: Histories, seen: Histories | None, k: int, allowed: np.ndarray | None
    ) -> tuple[np.ndarray, np.ndarray]:
        trie, rows = self._trie(allowed)
        batch = {name: tensor.to(self.device) for name, tensor in self._collator(list(recent)).items()}
        forbidden = None
        if seen is not None:
            positions = seen.padded()
            if rows is not None:
                local = np.full(len(self.item_ids), -1, dtype=np.int32)
                local[rows] = np.arange(len(rows))
                positions = np.where(positions >= 0, local[positions], -1)
            forbidden = torch.from_numpy(positions.astype(np.int64)).to(self.device)
        found, scores = beam_search(
            self.model,
            self.model.prefill(**batch),
            trie,
            len(recent),
            beams=max(self.beams, k),
            forbidden=forbidden,
            normalize=self.config.generation.normalize,
        )
        items = found.cpu().numpy()
        if rows is not None:
            items = np.where(items >= 0, rows[items], -1)
        return items.astype(np.int32), scores.float().cpu().numpy()

    def _trie(self, allowed: np.ndarray | None) -> tuple[DeviceTrie, np.ndarray | None]:
        """The trie of the allowed items and their catalogue positions (None: all); the last few are kept."""
        key = b"" if allowed is None else np.packbits(allowed).tobytes()
        if key in self._tries:
            self._tries.move_to_end(key)
            return self._tries[key]
        rows = None if allowed is None else np.flatnonzero(allowed)
        trie = self.index.trie
        if rows is not None:
            trie = Trie.from_codes(self.index.codes[rows], self.index.codebook_sizes)
        made = self._tries[key] = (DeviceTrie(trie, self.device), rows)
        while len(self._tries) > 4:
            self._tries.popitem(last=False)
        return made

    def save_pretrained(self, folder: Path | str, *, overwrite: bool = False) -> None:
        """Write a self-contained folder: model, index, settings, metrics, card.

        Raises:
            ArtifactError: The folder exists and ``overwrite`` is false.
        """
        with atomic_dir(folder, overwrite=overwrite) as work:
            self.model.save_pretrained(work / "model")
            self.index.save(work / "index")
            write_yaml(work / "config.yaml", self.config)
            (work / "metrics.json").write_text(json.dumps(self.metrics, indent=2) + "\n", encoding="utf-8")
            (work / "README.md").write_text(self._card(), encoding="utf-8")
            content = {
                "kind": "generative",
                "architecture": self.config.model.architecture,
                "index_fingerprint": self.index.fingerprint,
                "run": self.metrics.get("run"),
            }
            write_manifest(work, MANIFEST, content)

    @classmethod
    def from_pretrained(  # type: ignore[override]
        cls, folder: Path | str, *, index: SemanticIndex | None = None, device: str | None = None
    ) -> GenerativeRecommender:
        """Load a folder written by :meth:`save_pretrained`.

        Args:
            folder: The recommender.
            index: Use this one instead of the folder's: the same, or one grown from it by ``encode_new``.
            device: Where to put the model (default: CPU).

        Raises:
            ArtifactError: The folder is missing or damaged, or ``index`` is of another catalogue.
        """
        folder = Path(folder)
        manifest = read_manifest(folder, MANIFEST, "recommender")
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
        model = load_model(folder / "model")
        model.eval()
        metrics = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
        recommender = cls(model, index, config, metrics)
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


def validation_sample(users: int, n_cases: int, seed: int) -> np.ndarray:
    """A fixed sample of validation cases: the same for every epoch and every resume, ``(min(users, n_cases),)``."""
    rng = np.random.default_rng([seed, 1])
    return np.sort(rng.permutation(n_cases)[:users])


def make_validate(
    recommender: GenerativeRecommender, cases: EvaluationSet, config: TrainConfig
) -> Callable[[], dict[str, float]]:
    """A function that measures Recall and NDCG of generated recommendations on a fixed sample of validation users."""
    sample = cases.select(validation_sample(config.validation.users, len(cases), config.seed))
    k = config.validation.k

    def validate() -> dict[str, float]:
        beams, recommender.beams = recommender.beams, config.validation.beams
        try:
            found = recommender.recommend(sample.histories, k, exclude_seen=config.validation.exclude_seen)
        finally:
            recommender.beams = beams
        ranks = found.ranks_of(sample.targets)
        return {
            f"{name}@{k}": float(metric(ranks, k).mean()) for name, metric in (("ndcg", ndcg_at), ("recall", recall_at))
        }

    return validate

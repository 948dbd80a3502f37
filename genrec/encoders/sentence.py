"""Sentence models of the sentence-transformers family as item encoders."""

from __future__ import annotations

import logging
from typing import Any, ClassVar, Literal

import numpy as np
from pydantic import Field

from genrec.config import Settings
from genrec.data.catalog import Catalog
from genrec.data.histories import Histories
from genrec.encoders.base import TextItemEncoder, normalize_rows
from genrec.encoders.cache import VectorCache, cache_root
from genrec.encoders.sentence_model import MINILM, SentenceModel, find_model
from genrec.encoders.text import TextTemplate, TextView
from genrec.errors import ConfigError, ModelError

logger = logging.getLogger(__name__)

_SHARD = 1024
"""Texts between two writes to the cache: what a killed run loses at most."""


class SentenceSettings(Settings):
    """Settings of :class:`SentenceEncoder`."""

    name: Literal["sentence"] = "sentence"
    model: str = Field(default=MINILM, min_length=1, description="Hub id or folder of a sentence model, or 'minilm'.")
    revision: str | None = Field(default=None, description="Revision of a model of the hub.")
    text: TextTemplate = Field(TextTemplate(), description="how items become text")
    prefix: str = Field(default="", description="Put before every text, such as 'passage: ' for E5 models.")
    max_length: int | None = Field(
        default=None, ge=2, description="Tokens read of a text; None: the model's own limit."
    )
    batch_size: int = Field(default=64, ge=1, description="texts encoded together")
    device: str | None = Field(default=None, description="cpu, cuda, …; None: an accelerator where there is one.")


class SentenceEncoder(TextItemEncoder[SentenceSettings]):
    """Vectors of a pretrained sentence model, of unit length; items without any text get zero vectors.

    Texts are encoded once each, sorted by length, and kept in a cache on disk (``$GENREC_CACHE``, default
    ``~/.cache/genrec``; ``off`` switches it off), so that a killed run goes on where it stopped. The order of the
    items does not matter; what the cache held before moves a vector by about 1e-7, because the others are read in other
    batches (a build with an empty cache, or without one, gives the same bytes again).

    The weights are not copied into :meth:`state`; their digest is, and is compared before new items are encoded.

    Reimers, Gurevych: Sentence-BERT (https://arxiv.org/abs/1908.10084).
    """

    name: ClassVar[str] = "sentence"
    ready_made: bool = True
    settings_type: ClassVar[type[Settings]] = SentenceSettings

    _source: SentenceModel
    _identity: dict[str, str]

    def _fit(self, catalog: Catalog, train: Histories | None) -> None:
        self._freeze_text(self.settings.text, catalog)
        self._source = find_model(self.settings.model, self.settings.revision)
        self._identity = self._source.identity()
        self._checked = True

    def _encode(self, catalog: Catalog) -> np.ndarray:
        self._check_model()
        texts = self.texts(catalog)
        identity = {
            "model": self.settings.model,
            **self._identity,
            "prefix": self.settings.prefix,
            "max_length": self.settings.max_length,
        }
        root = cache_root()
        cache = VectorCache(None if root is None else root / "sentence", identity)
        return _Job(cache, texts, self).run()

    def state(self) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        """No arrays; the digests of the model's files and the frozen text template."""
        return {}, {"model": self.settings.model, "digests": self._identity, "text": self._view.to_dict()}

    def _load(self, tensors: dict[str, np.ndarray], rest: dict[str, Any]) -> None:
        self._identity = dict(rest["digests"])
        self._view = TextView.from_dict(rest["text"])
        self._checked = False

    def _check_model(self) -> None:
        if self._checked:
            return
        source = find_model(self.settings.model, self.settings.revision)
        found = source.identity()
        if found["weights"] != self._identity["weights"]:
            raise ModelError(
                f"The sentence model '{self.settings.model}' is not the one that the index was built with.",
                where=source.folder,
                expected=f"weights with digest {self._identity['weights'][:12]}…, found {found['weights'][:12]}…",
                hint="Give the folder of the original model, or build the index again with this one.",
            )
        self._source, self._identity, self._checked = source, found, True

    def load_model(self) -> Any:
        """The sentence-transformers model with this encoder's ``max_length``.

        Raises:
            ConfigError: ``max_length`` is more than the model can read.
        """
        model = self._source.load(self.settings.device)
        if self.settings.max_length is not None:
            config = getattr(getattr(model[0], "auto_model", None), "config", None)
            limit = getattr(config, "max_position_embeddings", None)
            if limit is not None and self.settings.max_length > limit:
                raise ConfigError(
                    f"The sentence model reads at most {limit} tokens.", where="max_length", expected=f"at most {limit}"
                )
            model.max_seq_length = self.settings.max_length
        return model


class _Job:
    """One call of ``encode``: takes what the cache has, encodes the rest in shards."""

    def __init__(self, cache: VectorCache, texts: list[str], encoder: SentenceEncoder) -> None:
        self.cache, self.texts, self.encoder = cache, texts, encoder
        self.keys = cache.keys(texts)
        self.row_of: dict[bytes, int] = {}  # first row of each distinct text that is not empty
        for row, (key, text) in enumerate(zip(self.keys, texts, strict=True)):
            if text:
                self.row_of.setdefault(key, row)
        self.missing = dict(self.row_of)
        self.vectors: np.ndarray | None = None

    def run(self) -> np.ndarray:
        for keys, vectors in self.cache.shards():
            hits = [n for n, key in enumerate(keys) if key in self.missing]
            if hits:
                self._store([keys[n] for n in hits], vectors[hits])
        self._report()
        vectors = self._encode_missing() if self.missing or self.vectors is None else self.vectors
        twins = np.array([self.row_of.get(key, row) for row, key in enumerate(self.keys)], dtype=np.int64)
        copies = np.flatnonzero(twins != np.arange(len(twins)))
        vectors[copies] = vectors[twins[copies]]
        return vectors

    def _store(self, keys: list[bytes], vectors: np.ndarray) -> np.ndarray:
        if self.vectors is None:
            self.vectors = np.zeros((len(self.texts), vectors.shape[1]), dtype=np.float32)
        self.vectors[[self.missing.pop(key) for key in keys]] = vectors
        return self.vectors

    def _encode_missing(self) -> np.ndarray:
        model = self.encoder.load_model()
        settings = self.encoder.settings
        # by length for little padding, then by text: the batches do not depend on the order of the items
        order = sorted(self.missing.items(), key=lambda pair: (-len(self.texts[pair[1]]), self.texts[pair[1]]))
        # the length of a vector, also where no item has any text
        result = self._store([], np.asarray(model.encode(["a"], show_progress_bar=False)))
        for start in range(0, len(order), _SHARD):
            shard = order[start : start + _SHARD]
            vectors = model.encode(
                [settings.prefix + self.texts[row] for _, row in shard],
                batch_size=settings.batch_size,
                convert_to_numpy=True,
                show_progress_bar=False,
            )
            keys = [key for key, _ in shard]
            vectors = normalize_rows(vectors)
            if np.isfinite(vectors).all():  # a broken vector is reported by encode and must not be kept
                self.cache.add(keys, vectors)
            result = self._store(keys, vectors)
            self._report()
        return result

    def _report(self) -> None:
        total = len(self.row_of)
        done = total - len(self.missing)
        logger.info("sentence vectors: %d of %d texts", done, total)
        self.encoder.tell(done, total)

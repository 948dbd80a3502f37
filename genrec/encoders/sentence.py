"""Sentence models of the sentence-transformers family as item encoders."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterator
from typing import Any, ClassVar, Literal

import numpy as np
from pydantic import Field

from genrec.config import Settings
from genrec.data.catalog import Catalog
from genrec.data.histories import Histories
from genrec.encoders.base import TextItemEncoder, normalize_rows
from genrec.encoders.cache import KEY_BYTES, VectorCache, cache_root
from genrec.encoders.sentence_model import MINILM, SentenceModel, find_model
from genrec.encoders.text import TextTemplate, TextView
from genrec.errors import ConfigError, ModelError
from genrec.wording import count

logger = logging.getLogger(__name__)

_SHARD = 1024
"""Texts between two writes to the cache: what a killed run loses at most."""
_ALIKE = 0.8
"""Tokens of the shortest text in a part, over those of the longest: more parts cost more than they save."""


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
    pooling: Literal["mean", "last"] | None = Field(
        default=None,
        description="Vector of a text: the mean over the states of its tokens, or the state of the last; None: as the "
        "model says, which for a decoder's folder is the last.",
    )
    batch_size: int = Field(default=64, ge=1, description="texts encoded together")
    device: str | None = Field(default=None, description="cpu, cuda, …; None: an accelerator where there is one.")


class SentenceEncoder(TextItemEncoder[SentenceSettings]):
    """Vectors of a pretrained sentence model, of unit length; items without any text get zero vectors.

    Texts are encoded once each, sorted by length, and kept in a cache on disk (``$GENREC_CACHE``, default
    ``~/.cache/genrec``; ``off`` switches it off), so that a killed run goes on where it stopped. Neither the order of
    the items nor what the cache held before matters: which texts are read together, and so move each other's vectors
    by about 1e-7, is decided by the texts of the catalogue alone. A new text is read with the few of its batch.

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
            "batch_size": self.settings.batch_size,
            **({} if self.settings.pooling is None else {"pooling": self.settings.pooling}),
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
            ConfigError: ``max_length`` is more than the model can read, or its pooling cannot be chosen.
        """
        model = self._source.load(self.settings.device)
        if self.settings.max_length is not None:
            config = getattr(getattr(model[0], "auto_model", None), "config", None)
            limit = getattr(config, "max_position_embeddings", None)
            if limit is not None and self.settings.max_length > limit:
                raise ConfigError(
                    f"The sentence model reads at most {count(limit, 'token')}.",
                    where="max_length",
                    expected=f"at most {limit}",
                )
            model.max_seq_length = self.settings.max_length
        if self.settings.pooling is not None:
            self._pool(model, {"mean": "mean", "last": "lasttoken"}[self.settings.pooling])
        return model

    def _pool(self, model: Any, mode: str) -> None:
        parts = [part for part in model if hasattr(part, "pooling_mode")]
        if not parts:
            raise ConfigError(
                "This sentence model makes one vector of a text in a way of its own.",
                where="pooling",
                hint="Leave it out.",
            )
        for part in parts:
            part.pooling_mode, part.pooling_output_dimension = mode, part.embedding_dimension


class _Job:
    """One call of ``encode``: takes what the cache has, encodes the rest in shards.

    The texts that are read together move each other's vectors in the last bits. So batches are cut by the texts alone,
    whatever the cache holds, and the cache keeps a vector as that of its text in its batch.
    """

    def __init__(self, cache: VectorCache, texts: list[str], encoder: SentenceEncoder) -> None:
        self.cache, self.texts, self.encoder = cache, texts, encoder
        self.keys = cache.keys(texts)
        self.row_of: dict[bytes, int] = {}  # first row of each distinct text that is not empty
        for row, (key, text) in enumerate(zip(self.keys, texts, strict=True)):
            if text:
                self.row_of.setdefault(key, row)
        self.batches = [_Batch(rows, self.keys) for rows in self._cut()]
        self.missing = {key: row for batch in self.batches for key, row in batch.rows.items()}
        self.vectors: np.ndarray | None = None
        self.reads = False

    def _cut(self) -> Iterator[list[int]]:
        """Rows in batches: by length for little padding, then by text; too many are cut at the text of least number.

        So a text more or less changes its own batch and leaves the others, and the order of the items does not matter,
        nor does the folder of the model, which the keys know.
        """
        most = self.encoder.settings.batch_size
        rows = sorted(self.row_of.values(), key=lambda row: (-len(self.texts[row]), self.texts[row]))
        numbers = np.array([_number(self.texts[row]) for row in rows], dtype=np.uint64)
        waiting = [(0, len(rows))] if rows else []
        while waiting:
            start, stop = waiting.pop()
            if stop - start <= most:
                yield rows[start:stop]
                continue
            middle = start + 1 + int(numbers[start + 1 : stop].argmin())
            waiting += [(middle, stop), (start, middle)]

    def run(self) -> np.ndarray:
        for keys, vectors in self.cache.shards():
            hits = [n for n, key in enumerate(keys) if key in self.missing]
            if hits:
                self._store([keys[n] for n in hits], vectors[hits])
        self.reads = bool(self.missing)
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
        # the length of a vector, also where no item has any text
        result = self._store([], np.asarray(model.encode(["a"], show_progress_bar=False)))
        waiting: list[_Batch] = []
        wanted = [batch for batch in self.batches if not self.missing.keys().isdisjoint(batch.rows)]
        for batch in wanted:
            waiting.append(batch)
            if batch is wanted[-1] or sum(len(one.rows) for one in waiting) >= _SHARD:
                result = self._encode(model, waiting)
                waiting = []
        return result

    def _encode(self, model: Any, batches: list[_Batch]) -> np.ndarray:
        """Encode whole batches, also what the cache has of them, and keep them."""
        from genrec.exact_products import fast_linears

        with fast_linears(model):
            parts = [self._read(model, batch) for batch in batches]
        rows = {key: row for batch in batches for key, row in batch.rows.items()}
        vectors = normalize_rows(np.concatenate(parts))
        if np.isfinite(vectors).all():  # a broken vector is reported by encode and must not be kept
            self.cache.add(list(rows), vectors)
        self.missing |= rows
        result = self._store(list(rows), vectors)
        self._report()
        return result

    def _read(self, model: Any, batch: _Batch) -> np.ndarray:
        """Vectors of a batch, ``(n, dim)``, read in parts of about as many tokens, which need little padding."""
        texts = np.array([self.encoder.settings.prefix + self.texts[row] for row in batch.rows.values()], dtype=object)
        parts = _alike(_n_tokens(model, texts.tolist()))
        found = [
            model.encode(texts[part].tolist(), batch_size=len(part), convert_to_numpy=True, show_progress_bar=False)
            for part in parts
        ]
        return np.concatenate(found)[np.argsort(np.concatenate(parts))]

    def _report(self) -> None:
        total = len(self.row_of)
        done = total - len(self.missing)
        if self.reads:  # what the cache has is no news
            logger.info("sentence vectors: %d of %d texts", done, total)
        self.encoder.tell(done, total)


class _Batch:
    """Texts that are read together.

    Attributes:
        rows: Row of every text, by its key in this batch.
    """

    def __init__(self, rows: list[int], keys: list[bytes]) -> None:
        together = hashlib.blake2b(b"".join(keys[row] for row in rows), digest_size=KEY_BYTES)
        self.rows: dict[bytes, int] = {}
        for row in rows:
            digest = together.copy()
            digest.update(keys[row])
            self.rows[digest.digest()] = row


def _number(text: str) -> int:
    """A number of the text alone, as good as drawn."""
    return int.from_bytes(hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "little")


def _n_tokens(model: Any, texts: list[str]) -> np.ndarray:
    """Tokens that a model reads of each text, ``(n,)``; all alike where it does not say."""
    mask = model.preprocess(texts).get("attention_mask")
    return np.ones(len(texts)) if mask is None else np.asarray(mask.sum(1))


def _alike(lengths: np.ndarray) -> list[np.ndarray]:
    """Places of texts in parts, the longest first, in each of which the shortest is at least :data:`_ALIKE` as long."""
    order = np.argsort(-lengths, kind="stable")
    starts = [0]
    for at, length in enumerate(lengths[order]):
        if length < _ALIKE * lengths[order[starts[-1]]]:
            starts.append(at)
    return np.split(order, starts[1:])

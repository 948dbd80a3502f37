"""A recipe at work: the fitted encoder, quantizer and disambiguation that give items their semantic IDs."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from genrec.artifacts import load_tensors, read_json, save_tensors, saved_content
from genrec.config import parse
from genrec.disambiguation import Disambiguation, QuantizedItems, build_disambiguation
from genrec.errors import ArtifactError, ConfigError
from genrec.index.encoding import EncodedItems, encode_items
from genrec.index.fitted_texts import require_texts_as_fitted
from genrec.index.recipe import TokenizerRecipe
from genrec.index.row_order import canonical_order, context_of, in_order, unsorted
from genrec.index.sizes import check_sizes, sized
from genrec.progress import Progress
from genrec.quantizers import Quantizer, build_quantizer
from genrec.trust import trusts_remote_code
from genrec.wording import count

if TYPE_CHECKING:
    from genrec.data.catalog import Catalog
    from genrec.data.fields import Html
    from genrec.data.histories import Histories
    from genrec.encoders import ItemEncoder
    from genrec.encoders.precomputed import Files

logger = logging.getLogger(__name__)

_PARTS = ("encoder", "quantizer")
_FILE, _TENSORS = "tokenizer.json", "tokenizer.safetensors"


@dataclass(frozen=True)
class TokenizedItems:
    """Items with their paths, in catalogue order.

    Attributes:
        vectors: ``(n_items, dim)`` float32.
        codes: ``(n_items, n_levels)`` int32, unique.
        nearest: ``(n_items, quantizer_levels)`` int32, each item's own codes, where they are known.
    """

    vectors: np.ndarray
    codes: np.ndarray
    nearest: np.ndarray | None = None


class ItemTokenizer:
    """A fitted recipe. Its parts are built from their saved state when they are first needed.

    Args:
        recipe: The recipe.
        tensors: Arrays of the parts, named ``encoder.…`` and ``quantizer.…``.
        rests: JSON-able rest of ``encoder``, ``quantizer`` and ``disambiguation``.
        from_folder: It was read from a folder, whose maker may be somebody else: files that its recipe names are not
            read.
        html: How HTML in the texts that it was fitted to was read; other texts should be read in the same way.
        saved_in: The folder that it was read from, for messages.
    """

    def __init__(
        self,
        recipe: TokenizerRecipe,
        tensors: Mapping[str, np.ndarray],
        rests: Mapping[str, Mapping[str, Any]],
        *,
        from_folder: bool = False,
        html: Html = "plain",
        saved_in: Path | None = None,
    ) -> None:
        self.from_folder, self.html, self.saved_in = from_folder, html, saved_in
        self.recipe, self.tensors, self.rests = recipe, dict(tensors), dict(rests)
        self.trusts = trusts_remote_code()  # as who fits or loads it has said; encoders are loaded when needed

    def __repr__(self) -> str:
        recipe = self.recipe
        return f"ItemTokenizer('{recipe.name}': {recipe.encoder['name']} vectors, {recipe.quantizer['name']} codes)"

    @classmethod
    def fit(
        cls,
        recipe: TokenizerRecipe,
        catalog: Catalog,
        train: Histories | None = None,
        *,
        progress: Progress | None = None,
        encoded: EncodedItems | None = None,
        frozen: ItemTokenizer | None = None,
        vectors_from: Files | None = None,
    ) -> tuple[ItemTokenizer, TokenizedItems]:
        """Learn from a catalogue and give its items their paths.

        Args:
            recipe: What to build.
            catalog: The items.
            train: Training histories (positions into ``catalog``), for collaborative encoders and popularity.
            progress: Called by slow encoders with (what, items done, items in all).
            encoded: What :func:`encode_items` gave for the same encoder, catalogue and histories.
            frozen: Take its quantizer as it is, and its encoder where that learned something; only the disambiguation
                is fitted to this catalogue. The recipe may differ from its recipe in settings of the encoder.
            vectors_from: See :func:`encode_items`.

        Raises:
            ConfigError: A part of the recipe is wrong; found before any work is done.
            DataError: The items cannot be encoded, quantized or told apart.
        """
        from genrec.encoders import build_encoder

        build_encoder(recipe.encoder_settings())
        recipe = sized(recipe, len(catalog))
        quantizer, rule = build_quantizer(recipe.quantizer), build_disambiguation(recipe.disambiguation)
        if frozen is not None:
            require_texts_as_fitted(frozen, catalog)
            quantizer = frozen._reusable(recipe)
        else:
            check_sizes(quantizer, rule, len(catalog))
        how: Any = {"progress": progress, "frozen": frozen, "vectors_from": vectors_from}
        encoded = encoded or encode_items(recipe, catalog, train, **how)
        encoder, vectors = encoded.encoder, encoded.vectors
        order = canonical_order(catalog)
        ordered, context = in_order(vectors, order), context_of(catalog, order, train)
        logger.info("quantizing vectors of %s with '%s'", count(vectors.shape[1], "dimension"), quantizer.name)
        if frozen is None:
            quantizer.fit(ordered, seed=recipe.seed, items=context)
        popularity = None if train is None else np.bincount(train.items, minlength=len(catalog))[order]
        codes, nearest = quantizer.place_all(ordered, items=context)
        items = QuantizedItems(catalog.item_ids[order], codes, quantizer.codebook_sizes, ordered, quantizer, popularity)
        rule.fit(items)
        paths = rule.resolve(items)
        tokenized = TokenizedItems(
            vectors, unsorted(paths, order), None if nearest is None else unsorted(nearest, order)
        )
        return cls._of(recipe, encoder, quantizer, rule, catalog.html), tokenized

    @classmethod
    def fit_many(
        cls, recipe: TokenizerRecipe, catalogs: Sequence[Catalog], *, fitted: ItemTokenizer | None = None
    ) -> tuple[ItemTokenizer, list[np.ndarray]]:
        """Fit a quantizer on the vectors of several catalogues.

        Args:
            recipe: Its encoder must be ready-made, or vectors of two catalogues would not mean the same.
            catalogs: The items.
            fitted: What an earlier call gave; then only the vectors are made.

        Returns:
            The tokenizer, whose disambiguation is fitted to no catalogue, and the vectors of every catalogue.

        Raises:
            ConfigError: The encoder learns from its catalogue.
        """
        from genrec.encoders import build_encoder
        from genrec.encoders.precomputed import vector_files

        recipe, vectors = sized(recipe, sum(map(len, catalogs))), []
        for catalog in catalogs:
            encoder = build_encoder(recipe.encoder_settings())
            if not encoder.ready_made:
                raise ConfigError(
                    f"The item encoder '{encoder.name}' learns from its catalogue, so its vectors mean something else "
                    "in every catalogue.",
                    where="encoder.name",
                    expected="sentence or precomputed, plain or whitened",
                )
            encoder.fit(catalog)
            vectors.append(encoder.encode(catalog))
        if fitted is not None:
            fitted.from_folder = fitted.from_folder and fitted.files != vector_files(recipe.encoder)
            return fitted, vectors
        quantizer = build_quantizer(recipe.quantizer)
        quantizer.fit(np.concatenate(vectors), seed=recipe.seed)
        rule = build_disambiguation(recipe.disambiguation)
        return cls._of(recipe, encoder, quantizer, rule, catalogs[0].html), vectors

    @classmethod
    def _of(
        cls, recipe: TokenizerRecipe, encoder: ItemEncoder[Any], quantizer: Quantizer, rule: Disambiguation, html: Html
    ) -> ItemTokenizer:
        tensors: dict[str, np.ndarray] = {}
        rests: dict[str, Mapping[str, Any]] = {"disambiguation": rule.state()}
        for name, (arrays, rest) in zip(_PARTS, (encoder.state(), quantizer.state()), strict=True):
            tensors |= {f"{name}.{key}": np.ascontiguousarray(array) for key, array in arrays.items()}
            rests[name] = rest
        return cls(recipe, tensors, rests, html=html)

    def encode_new(self, catalog: Catalog, published: np.ndarray, vectors_from: Files | None = None) -> TokenizedItems:
        """Give further items paths with everything frozen.

        Args:
            catalog: Items that are not in the index yet.
            published: ``(n_published, n_levels)`` int32 paths that are taken.
            vectors_from: Files with the vectors of these items, for an encoder that reads them.

        Raises:
            DataError: The items cannot be encoded, or there is no room for them.
        """
        if catalog.html != self.html:
            logger.warning("HTML in the new items' texts was read as '%s', before as '%s'.", catalog.html, self.html)
        vectors = self._encoder_for(vectors_from).encode(catalog)
        order = canonical_order(catalog)
        ordered, quantizer = in_order(vectors, order), self.quantizer
        sizes = quantizer.codebook_sizes
        with self._saved("quantizer", settings=False):
            codes = quantizer.place(ordered, items=context_of(catalog, order), published=published[:, : len(sizes)])
        items = QuantizedItems(catalog.item_ids[order], codes, sizes, ordered, quantizer)
        return TokenizedItems(vectors, unsorted(self.disambiguation.resolve(items, published), order))

    def nearest_codes(self, catalog: Catalog, vectors: np.ndarray) -> np.ndarray:
        """Each item's own codes, ``(n_items, quantizer_levels)`` int32, whatever is taken."""
        order = canonical_order(catalog)
        with self._saved("quantizer", settings=False):
            codes = self.quantizer.encode(in_order(vectors, order), items=context_of(catalog, order))
        return unsorted(codes, order)

    @cached_property
    def encoder(self) -> ItemEncoder[Any]:
        """The fitted item encoder."""
        return self._load_encoder()

    def _load_encoder(self) -> ItemEncoder[Any]:
        from genrec.encoders import build_encoder
        from genrec.encoders.precomputed import forget_files

        with self._saved("item encoder"):
            encoder = build_encoder(self.recipe.encoder_settings())
            encoder.load_state(*self.encoder_state)
        if self.from_folder:
            forget_files(encoder)
        return encoder

    @property
    def encoder_state(self) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        """What the encoder has learned."""
        return self._tensors_of("encoder"), dict(self.rests["encoder"])

    @property
    def files(self) -> list[str]:
        """Files of vectors that its recipe names."""
        from genrec.encoders.precomputed import vector_files

        return vector_files(self.recipe.encoder)

    def _saved(self, part: str, *, settings: bool = True) -> AbstractContextManager[None]:
        where = f"item tokenizer '{self.recipe.name}'"
        where = where if self.saved_in is None else f"{self.saved_in}: {where}"
        return saved_content(f"fitted {part}", where, settings=settings)

    def _encoder_for(self, vectors_from: Files | None) -> ItemEncoder[Any]:
        if vectors_from is None:
            return self.encoder
        from genrec.encoders.precomputed import read_vectors_from

        encoder = self._load_encoder()  # one of its own: other items are not in this file
        read_vectors_from(encoder, vectors_from)
        return encoder

    @cached_property
    def quantizer(self) -> Quantizer:
        """The fitted quantizer."""
        with self._saved("quantizer"):
            quantizer = build_quantizer(self.recipe.quantizer)
            quantizer.load_state(self._tensors_of("quantizer"), self.rests["quantizer"])
        return quantizer

    @cached_property
    def disambiguation(self) -> Disambiguation:
        """The rule as it was fixed for this index."""
        with self._saved("disambiguation"):
            rule = build_disambiguation(self.recipe.disambiguation)
            rule.load_state(self.rests["disambiguation"])
        return rule

    @cached_property
    def codebook_sizes(self) -> tuple[int, ...]:
        """Sizes of all levels of a path; builds no network."""
        with self._saved("quantizer"):
            sizes = build_quantizer(self.recipe.quantizer).fitted_sizes(self.rests["quantizer"])
            return self.disambiguation.codebook_sizes(sizes)

    @cached_property
    def quantizer_fingerprint(self) -> str:
        """Hex digest of the fitted quantizer: two indexes with the same one speak the same codes."""
        head = [dict(self.recipe.quantizer), dict(self.rests["quantizer"])]
        digest = hashlib.sha256(json.dumps(head, sort_keys=True).encode())
        for name, array in sorted(self._tensors_of("quantizer").items()):
            digest.update(f"{name} {array.dtype.str} {array.shape}".encode())
            digest.update(np.ascontiguousarray(array).tobytes())
        return digest.hexdigest()

    def save(self, folder: Path) -> None:
        """Write ``tokenizer.json`` and ``tokenizer.safetensors`` into a folder that is being made."""
        folder.mkdir(parents=True, exist_ok=True)
        rests = {name: dict(self.rests[name]) for name in (*_PARTS, "disambiguation")}  # as they are read
        content = {"recipe": self.recipe.model_dump(mode="json"), "rests": rests, "html": self.html}
        (folder / _FILE).write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        save_tensors(self.tensors, folder / _TENSORS)

    @classmethod
    def load(cls, folder: Path) -> ItemTokenizer:
        """Read what :meth:`save` wrote.

        Raises:
            ArtifactError: A file is missing or damaged.
        """
        with saved_content("item tokenizer", folder):
            content = read_json(folder / _FILE)
            rests = {name: dict(content["rests"][name]) for name in (*_PARTS, "disambiguation")}
            recipe = parse(TokenizerRecipe, content["recipe"])
            tensors, html = load_tensors(folder / _TENSORS), read_html(content)
            return cls(recipe, tensors, rests, from_folder=True, html=html, saved_in=folder)

    def _reusable(self, recipe: TokenizerRecipe) -> Quantizer:
        own, wanted = self.recipe, recipe
        if wanted.quantizer != own.quantizer or wanted.encoder.get("name") != own.encoder.get("name"):
            raise ConfigError(
                "A frozen quantizer cannot be changed, nor the encoder that it was fitted to.",
                where="quantizer",
                expected=f"encoder '{self.recipe.encoder.get('name')}' and quantizer {dict(self.recipe.quantizer)}",
                hint="Leave these settings out, or build the index without --quantizer.",
            )
        return self.quantizer

    def _tensors_of(self, part: str) -> dict[str, np.ndarray]:
        prefix = f"{part}."
        return {n.removeprefix(prefix): array for n, array in self.tensors.items() if n.startswith(prefix)}


def read_html(saved: Mapping[str, Any]) -> Html:
    """How HTML in texts was read, as a folder says it; ``plain`` where it says nothing.

    Raises:
        ArtifactError: Another word.
    """
    if (html := saved.get("html", "plain")) not in ("plain", "keep"):
        raise ArtifactError(f"How HTML was read is {html!r}.", expected="plain or keep")
    return html  # type: ignore[no-any-return]

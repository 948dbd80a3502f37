"""The semantic index: items and their semantic IDs, with all that is needed to give new items theirs."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from genrec.artifacts import MappedTensor, read_whole
from genrec.artifacts.hub import at_hand
from genrec.data.catalog import Catalog
from genrec.data.naming import ColumnNames
from genrec.data.unread import refuse_unread
from genrec.errors import ArtifactError
from genrec.index.identity import codes_fingerprint, unknown_item, vectors_fingerprint
from genrec.index.item_tokenizer import EncodedItems, ItemTokenizer
from genrec.index.recipe import TokenizerRecipe, load_recipe
from genrec.index.storage import IndexFiles, Origin, files_of, load_parts, save_index
from genrec.progress import Progress
from genrec.trie import Trie
from genrec.trust import trusting, trusts_remote_code
from genrec.wording import count

if TYPE_CHECKING:
    from scipy.sparse import csr_array

    from genrec.data.histories import Histories
    from genrec.data.split import Split, SplitSettings
    from genrec.encoders.precomputed import Files
    from genrec.index.stats import IndexStats


class SemanticIndex:
    """Item ⇄ semantic ID for a whole catalogue. Use :meth:`build` or :meth:`load`.

    Attributes:
        catalog: The items, in the order of their positions.
        codes: ``(n_items, n_levels)`` int32, one unique path per item.
        tokenizer: The fitted recipe.
        lineage: Fingerprints of the indexes that this one grew from and, last, its own.
        origin: The folder that it was loaded from, grew from or was saved to, and the digest of the manifest there.
        columns: Names of columns of the tables that it was made of, for later tables of the same kind; can be set.
        split: The split whose training part it has seen, None where it saw no interactions; can be set.

    Example:
        >>> import polars as pl
        >>> titles = ["red cup", "blue cup", "green tea", "black tea"]
        >>> catalog = Catalog.from_frame(pl.DataFrame({"item_id": list("abcd"), "title": titles}))
        >>> index = SemanticIndex.build(catalog, "rq-kmeans-3x256")
        >>> index.codes.shape, index.codebook_sizes
        ((4, 3), (256, 256, 256))
    """

    def __init__(
        self,
        catalog: Catalog,
        codes: np.ndarray,
        tokenizer: ItemTokenizer,
        vectors: np.ndarray | MappedTensor,
        ancestors: list[str] | None = None,
        origin: Origin | None = None,
        columns: ColumnNames | None = None,
        split: SplitSettings | None = None,
    ) -> None:
        self.catalog, self.codes, self.tokenizer = catalog, codes, tokenizer
        self.lineage = [*(ancestors or []), self.fingerprint]
        self.origin = origin
        self.columns, self.split = columns or ColumnNames(), split
        self._vectors = vectors

    @classmethod
    def build(
        cls,
        catalog: Catalog,
        recipe: TokenizerRecipe | Path | str,
        *,
        train: Histories | None = None,
        seed: int | None = None,
        progress: Progress | None = None,
        encoded: EncodedItems | None = None,
        tokenizer: ItemTokenizer | None = None,
        vectors_from: Files | None = None,
        trust_remote_code: bool = False,
    ) -> SemanticIndex:
        """Give every item of a catalogue a semantic ID.

        Shuffled rows give every item the same codes, and the same seed and machine the same bytes, whatever is cached.

        Args:
            catalog: The items.
            recipe: A recipe, the name of a shipped one, or the path of a YAML file.
            train: Training histories over ``catalog``, never validation or test: for encoders that learn from
                interactions, and to put popular items first where codes collide.
            seed: Other seed than the recipe's.
            progress: Called by slow encoders with (what, items done, items in all).
            encoded: What :func:`~genrec.index.item_tokenizer.encode_items` gave for the same encoder, items and
                histories.
            tokenizer: A fitted one whose quantizer is taken as it is: an unseen catalogue then speaks the codes of the
                catalogues that it was fitted on.
            vectors_from: Files with the items' vectors, where the encoder is ``precomputed``: in place of those that
                the recipe names, and needed where the recipe is that of a ``tokenizer`` from a folder.
            trust_remote_code: Run the Python code that a sentence model brings. What a recipe says is not read.

        Raises:
            ConfigError: The recipe is unknown or wrong.
            DataError: The items cannot be encoded, quantized or told apart.
        """
        refuse_unread(catalog, "catalog", "genrec.Catalog.read(path) or genrec.Catalog.from_frame(table)", Catalog)
        chosen = load_recipe(recipe) if isinstance(recipe, str | Path) else recipe
        refuse_unread(chosen, "recipe", "the name of a recipe, see genrec list recipes", TokenizerRecipe)
        if seed is not None:
            chosen = chosen.model_copy(update={"seed": seed})
        with trusting(trust_remote_code or trusts_remote_code() or (tokenizer is not None and tokenizer.trusts)):
            fitted, items = ItemTokenizer.fit(
                chosen,
                catalog,
                train,
                progress=progress,
                encoded=encoded,
                frozen=tokenizer,
                vectors_from=vectors_from,
            )
        index = cls(catalog, items.codes, fitted, items.vectors)
        if items.nearest is not None:
            index.nearest_codes = items.nearest
        return index

    def encode_new(self, catalog: Catalog, *, vectors_from: Files | None = None) -> SemanticIndex:
        """A grown index: new items are appended, published rows keep their positions and semantic IDs.

        Encoder, quantizer and level sizes are frozen. Adding A and then B equals adding both, but for the numbers that
        disambiguation gives to new items that collide with each other.

        Args:
            catalog: The new items only.
            vectors_from: Files with their vectors (``.npy``, ``.parquet``), where the encoder is ``precomputed``;
                needed where the index was loaded: files that a folder names are not read.

        Raises:
            ConfigError: ``vectors_from`` is given, and the encoder makes its vectors itself.
            DataError: An item is already in the index, cannot be encoded, or finds no free path.
        """
        both = self.catalog.concat(catalog)  # refuses known ids before any work
        with trusting(self.tokenizer.trusts or trusts_remote_code()):
            added = self.tokenizer.encode_new(catalog, self.codes, vectors_from)
        return SemanticIndex(
            both,
            np.concatenate([self.codes, added.codes]),
            self.tokenizer,
            np.concatenate([self.vectors(), added.vectors]),
            self.lineage,
            self.origin,
            self.columns,
            self.split,
        )

    def __len__(self) -> int:
        return len(self.codes)

    def __repr__(self) -> str:
        return f"SemanticIndex({count(len(self), 'item')}, recipe '{self.recipe.name}', levels {self.codebook_sizes})"

    @property
    def item_ids(self) -> np.ndarray:
        """``(n_items,)`` object array of str."""
        return self.catalog.item_ids

    @property
    def recipe(self) -> TokenizerRecipe:
        """The recipe with which the index was built."""
        return self.tokenizer.recipe

    @property
    def codebook_sizes(self) -> tuple[int, ...]:
        """Number of codes of every level, disambiguation included."""
        return self.tokenizer.codebook_sizes

    @property
    def n_levels(self) -> int:
        """Length of a semantic ID."""
        return self.codes.shape[1]

    @cached_property
    def quantizer_levels(self) -> int:
        """Levels that come from the quantizer; the rest comes from disambiguation."""
        from genrec.quantizers import build_quantizer

        return len(build_quantizer(self.recipe.quantizer).codebook_sizes)

    @cached_property
    def nearest_codes(self) -> np.ndarray:
        """``(n_items, quantizer_levels)`` int32: each item's own codes, before any was moved to tell items apart."""
        quantizer = self.tokenizer.quantizer
        if not (quantizer.moves or self.tokenizer.disambiguation.moves):
            return self.codes[:, : self.quantizer_levels]
        with trusting(self.tokenizer.trusts or trusts_remote_code()):
            return self.tokenizer.nearest_codes(self.catalog, self.vectors())

    @cached_property
    def quantizer_codes(self) -> np.ndarray:
        """``(n_items, quantizer_levels)`` int32: codes before disambiguation."""
        if self.tokenizer.disambiguation.moves and not self.tokenizer.quantizer.moves:
            return self.nearest_codes
        return self.codes[:, : self.quantizer_levels]

    @property
    def codebooks(self) -> list[np.ndarray | None] | None:
        """``(codebook_size, code_dim)`` float32 per level, None for a level without; None when no level has any."""
        books = self.tokenizer.quantizer.codebooks
        if books is None:
            return None
        return [*books, *([None] * (self.n_levels - len(books)))]

    @cached_property
    def trie(self) -> Trie:
        """The valid paths."""
        return Trie.from_codes(self.codes, self.codebook_sizes)

    @cached_property
    def fingerprint(self) -> str:
        """Hex digest of ids, codes and codebook sizes: what a recommender depends on."""
        return codes_fingerprint(self.codebook_sizes, self.item_ids, self.codes)

    def vectors(self) -> np.ndarray:
        """Item vectors as quantized, ``(n_items, dim)`` float32; read when first asked for.

        They are those of the index that was loaded, whatever has become of its folder since.

        Raises:
            ArtifactError: The file was changed in place since the index was loaded.
        """
        if isinstance(self._vectors, MappedTensor):
            self._vectors = self._vectors.read()
        return self._vectors

    def vectors_fingerprint(self, n_items: int | None = None) -> str:
        """Hex digest of the vectors of the first ``n_items`` items (None: of all), for networks that read them."""
        return vectors_fingerprint(self.vectors()[:n_items])

    def __getstate__(self) -> dict[str, Any]:
        self.vectors()  # an open file cannot be sent to another process
        return self.__dict__.copy()

    @cached_property
    def word_vectors(self) -> csr_array:
        """Words of all items, ``(n_items, n_words)``, see :func:`genrec.encoders.words.word_vectors`."""
        from genrec.encoders.words import word_vectors

        return word_vectors(self.catalog)

    def stats(self, split: Split | None = None) -> IndexStats:
        """Numbers that say how good it is; ``split`` (its test part is not read) adds what people buy together."""
        from genrec.index.stats import compute_stats

        return compute_stats(self, split=split)

    def save(self, folder: Path | str, *, overwrite: bool = False) -> None:
        """Write the index folder, atomically.

        Args:
            folder: Where to; must not exist or be empty unless ``overwrite``.
            overwrite: Replace an older folder.

        Raises:
            ArtifactError: The folder holds something; or it is the one that this index grew from, and another process
                has replaced it since.
        """
        self.origin = save_index(self.files(), folder, overwrite=overwrite, origin=self.origin)

    def files(self) -> IndexFiles:
        """What :meth:`save` writes."""
        return files_of(self)

    @classmethod
    def load(cls, folder: Path | str, *, trust_remote_code: bool = False) -> SemanticIndex:
        """Read an index folder after checking every file's SHA-256.

        Args:
            folder: Written by :meth:`save`.
            trust_remote_code: As in :meth:`build`.

        Raises:
            ArtifactError: Not an index, a newer format, or a file is missing, damaged or does not fit the others.
        """
        folder = Path(folder)
        with trusting(trust_remote_code or trusts_remote_code()):
            return read_whole(folder, "index", lambda: cls._load(folder))

    @classmethod
    def _load(cls, folder: Path) -> SemanticIndex:
        parts = load_parts(folder)
        fingerprint = parts.pop("fingerprint")
        index = cls(**parts)
        if index.fingerprint != fingerprint:
            raise ArtifactError(
                "Items, codes and manifest of this index do not belong together.",
                where=folder,
                expected=f"fingerprint {fingerprint}",
                hint="Copy the whole folder again.",
            )
        return index

    def save_pretrained(self, folder: Path | str, *, overwrite: bool = False) -> None:
        """The same as :meth:`save`, under the name that Hugging Face users know."""
        self.save(folder, overwrite=overwrite)

    def push_to_hub(self, repo_id: str, **options: Any) -> str:
        """Push it to a repository of the hub, see :func:`genrec.sharing.push.push_to_hub`."""
        import genrec

        return genrec.push_to_hub(self, repo_id, **options)

    @classmethod
    def from_pretrained(
        cls, folder: Path | str, *, revision: str | None = None, token: str | None = None, **options: Any
    ) -> SemanticIndex:
        """:meth:`load` of a folder, or of a repository of the hub, such as ``name/repo``, in a revision of it."""
        return cls.load(at_hand(folder, "index", revision, token), **options)

    def position(self, item_id: str) -> int:
        """Position of an item.

        Raises:
            DataError: The index does not have it; names the nearest id.
        """
        position = int(self.catalog.positions([item_id])[0])
        if position < 0:
            raise unknown_item(item_id, self.item_ids)
        return position

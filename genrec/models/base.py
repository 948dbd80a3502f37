"""What every network over code tokens shares: batches, the code table, and the prefill/step interface of decoding."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from torch import Tensor, nn

from genrec.data.histories import Histories
from genrec.errors import ArtifactError, ConfigError, ModelError
from genrec.models.config import CodeModelConfig
from genrec.models.history_batches import CodeCollator, HistoryExamples, NewestTargets
from genrec.models.intervals import TimedExamples, WithIntervals
from genrec.models.legal_codes import LegalCodes
from genrec.models.occupancy import SharedModel
from genrec.models.outputs import AnyUser, CodeModelOutput, Reader, StepState, TrainingBatches, UserReader, also_asked
from genrec.models.parts import CodeTable, Start, started_from_codebooks
from genrec.models.quiet import quiet_loading
from genrec.models.saved import load_network
from genrec.models.settings import READ_BY_MOST
from genrec.trie import Trie

if TYPE_CHECKING:
    from genrec.index.semantic_index import SemanticIndex
    from genrec.models.settings import ModelSettings, RunSettings


class CodeModel(SharedModel):
    """A network that predicts an item's codes level by level from a history of items.

    Training reads whole histories: ``forward(codes, mask, target_mask)``. Decoding asks for two things only, and so
    works with every architecture: :meth:`prefill` reads the histories once per user, :meth:`step` scores the codes of
    the next level for every beam.
    """

    config_class = CodeModelConfig
    config: CodeModelConfig
    main_input_name = "codes"
    reads_vectors: ClassVar[bool] = False
    """Whether it can read the items' unquantized vectors beside their codes."""
    reads_times: ClassVar[bool] = False
    """Whether it reads the time between items; batches then hold ``days``, see :mod:`genrec.models.intervals`."""
    reads_prompts: ClassVar[bool] = False
    """Whether it reads histories as text; a recommender then keeps the templates."""
    scores_items: ClassVar[bool] = False
    """Whether :meth:`prefill` scores all items at once and gives :class:`~genrec.models.predictor.ItemScores`."""
    by_beam: ClassVar[bool] = False
    """Where it scores all items: whether beams look for the best ones all the same, unless settings say ``exact``."""
    repeats: ClassVar[bool] = True
    """Whether what a user takes next may be an item that the history holds; see :meth:`others_reader`."""
    answers: ClassVar[frozenset[str]] = frozenset()
    """What objectives may ask of it beside the likelihood: ``states`` (and what belongs to them) in its output, or a
    method of that name."""
    helpers: nn.ModuleDict
    """Modules of an objective that are trained with the network; there only after :meth:`lend`."""
    legal: LegalCodes | None = None
    """What the loss is restricted to, see :meth:`restrict_loss`."""

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if "forward" in vars(cls):
            cls.forward = also_asked(cls.forward)  # type: ignore[method-assign]

    @property
    def parallel(self) -> bool:
        """Whether all levels are predicted at once, so that a catalogue can be ranked without a search."""
        return False

    @property
    def pairs_only(self) -> bool:
        """Whether a training example is one history with its next item, never a whole history."""
        return False

    @property
    def fits_code_rows(self) -> bool:
        """Whether its code rows can be fitted to its own states before training (genrec.models.llm.fitted_rows)."""
        return False

    @property
    def works_untrained(self) -> bool:
        """Whether it recommends before it is trained: the weights at the start are then a candidate, too."""
        return False

    @property
    def codebook_sizes(self) -> tuple[int, ...]:
        """Number of codes of every level."""
        return tuple(self.config.codebook_sizes or ())

    @property
    def state_dim(self) -> int:
        """Dimension of ``states`` in the output; 0: it has none."""
        return 0

    @property
    def n_levels(self) -> int:
        """Number of codes of one item."""
        return len(self.codebook_sizes)

    @abstractmethod
    def forward(
        self, codes: Tensor, mask: Tensor, target_mask: Tensor | None = None, vectors: Tensor | None = None
    ) -> CodeModelOutput:
        """Training loss of a batch of histories.

        Args:
            codes: ``(users, items, levels)`` int64, oldest item first; padding holds any valid code.
            mask: ``(users, items)`` bool, False at padding.
            target_mask: ``(users, items)`` bool: which items count as targets (default: all).
            vectors: ``(users, items, vector_dim)`` float32 item vectors, for models that read them.
        """

    @abstractmethod
    def prefill(self, codes: Tensor, mask: Tensor, vectors: Tensor | None = None) -> StepState:
        """Read histories (shapes as in :meth:`forward`; a row may be empty), once per user."""

    @abstractmethod
    def step(self, state: StepState, codes: Tensor | None = None, parents: Tensor | None = None) -> Tensor:
        """Scores of the codes of level ``state.level``; advances the state.

        Args:
            state: From :meth:`prefill` or the step before.
            codes: ``(users, beams)`` codes chosen at the level before; None at the first level.
            parents: ``(users, beams)`` which beam of the step before each beam continues; None at the first level.

        Returns:
            ``(users, beams, codebook_size)`` logits (one beam at the first level).
        """

    def slot_scores(self, state: Any) -> list[Tensor]:
        """Log-probabilities of all codes of every level, from :meth:`prefill` of a ``parallel`` model.

        Returns:
            Per level ``(users, codebook_size)``.

        Raises:
            ModelError: No code is known before the one ahead of it.
        """
        raise ModelError("This network has no scores of all levels at once.", hint="Use beam search.")

    def log_likelihood(self, batch: Mapping[str, Any]) -> Tensor:
        """Log-probability of the targets of every example, ``(rows,)``, with gradients.

        In a training step take it from the forward pass instead, so that every wrapper around the model has its part.

        Args:
            batch: Arguments of :meth:`forward`, such as :meth:`training_batches` makes.
        """
        output: CodeModelOutput = self(**batch)
        if output.log_likelihood is None:
            raise ModelError(f"{type(self).__name__} says nothing about single examples.")
        return output.log_likelihood

    @classmethod
    def fields(cls, settings: ModelSettings, quantizer: Mapping[str, Any], vector_dim: int) -> dict[str, Any]:
        """Fields of the configuration, from settings and from what the codes are.

        Args:
            settings: Of the network.
            quantizer: That part of the recipe of the codes.
            vector_dim: Dimension of the item vectors.

        Raises:
            ConfigError: The network does not read item vectors, or an option is wrong.
        """
        cls.config_class.check_options(settings.options, settings.architecture)
        shared = settings.model_dump(include=CodeModelConfig.known_fields())
        fields = {**shared, **settings.options}
        if settings.item_vectors:
            if not cls.reads_vectors:
                raise ConfigError(
                    f"The architecture '{settings.architecture}' does not read item vectors.",
                    where="model.item_vectors",
                    hint="Use architecture: item-decoder, or leave item_vectors out.",
                )
            fields["vector_dim"] = vector_dim
        return {key: value for key, value in fields.items() if value is not None}

    @classmethod
    def of(cls, codebook_sizes: Sequence[int], **fields: Any) -> Self:
        """A network with random weights from fields of its configuration.

        Raises:
            ConfigError: A field that it does not have.
            ModelError: transformers refuses the backbone.
        """
        cls.config_class.check(fields, f"model ({cls.config_class.model_type.removeprefix('genrec-')})")
        return cls(cls.config_class(codebook_sizes=[int(size) for size in codebook_sizes], **fields))

    @classmethod
    def sizes(cls, index: SemanticIndex) -> dict[str, Any]:
        """Fields of the configuration that follow from the catalogue; none here."""
        return {}

    @classmethod
    def create(cls, index: SemanticIndex, config: RunSettings) -> Self:
        """A network with random weights for the items of an index.

        Raises:
            ConfigError: A setting that it does not have.
            ModelError: transformers refuses the backbone.
        """
        fields = cls.fields(config.model, index.recipe.quantizer, index.vectors().shape[1])
        model = cls.of(index.codebook_sizes, **fields | cls.sizes(index))
        return started_from_codebooks(model, index, config)

    @classmethod
    def load(cls, folder: Path | str, *, checkpoint: str | None = None) -> Self:
        """What :meth:`save_pretrained` wrote; ``checkpoint`` is where the base of an adapter is now."""
        with quiet_loading():
            return load_network(cls, Path(folder))

    def save_pretrained(self, folder: Path | str, **options: Any) -> None:  # type: ignore[override]
        """Write the network; see ``PreTrainedModel.save_pretrained``. Waits for searches in other threads."""
        with self.occupancy.alone(), quiet_loading():
            super().save_pretrained(folder, **options)

    @classmethod
    def check_settings(cls, settings: ModelSettings) -> None:
        """Refuse settings of the network that are wrong whatever the index is.

        Raises:
            ConfigError: Names the first.
        """
        cls.config_class.check_options(settings.options, settings.architecture)

    @classmethod
    def settings_read(cls, config: RunSettings) -> frozenset[str]:
        """Dotted names of the settings of a run that make a difference to this network, among :data:`OF_NETWORKS`.

        A subclass that reads others says so; whoever sets one that is not read is told.

        Args:
            config: Settings of the run: what is read may depend on other settings.
        """
        return READ_BY_MOST

    @classmethod
    def start_fingerprint(cls, settings: ModelSettings) -> str | None:
        """What decides the weights at the start beside settings and seed, such as a checkpoint; None: nothing."""
        return None

    def reader(self, index: SemanticIndex, config: RunSettings) -> Reader:
        """What turns histories into the arguments of :meth:`prefill`."""
        read = CodeCollator(index.codes, self.read_vectors(index) if config.model.item_vectors else None)
        return WithIntervals(read) if self.reads_times else read

    def others_reader(self, index: SemanticIndex, histories: Histories, config: RunSettings) -> UserReader:
        """What turns histories of users in training into the arguments of :meth:`prefill`.

        As :meth:`reader`, except that what the network reads of the training part comes from other users, so that
        nothing gives a next item away.

        Args:
            index: Of the catalogue.
            histories: The training part only.
            config: Settings of the run.
        """
        return AnyUser(self.reader(index, config))

    def training_batches(self, index: SemanticIndex, histories: Histories, config: RunSettings) -> TrainingBatches:
        """What the model learns from, and what makes the arguments of :meth:`forward` of it.

        Args:
            index: Of the catalogue.
            histories: The training part only.
            config: Settings of the run.
        """
        pairs, read = config.examples.mode == "prefixes" or self.pairs_only, self.reader(index, config)
        kind = TimedExamples if self.reads_times else HistoryExamples
        examples = kind(histories, config.model.max_items, prefixes=pairs, drop=config.examples.drop, seed=config.seed)
        return TrainingBatches(examples, NewestTargets(read) if pairs else read)

    def lend(self, helpers: nn.ModuleDict) -> None:
        """Train modules of an objective together with the network, until :meth:`give_back`."""
        self.add_module("helpers", helpers)

    def give_back(self) -> None:
        """Take the modules of an objective out, before the network is saved for good."""
        self._modules.pop("helpers", None)

    def train_on(self) -> None:
        """After loading, make trainable what was trained."""
        self.requires_grad_(True)

    def merge(self) -> None:
        """Put the updates of an adapter into the weights.

        Raises:
            ModelError: There is no adapter.
        """
        raise ModelError("There is no adapter to merge.", expected="a recommender around a language model")

    def save_plain(self, folder: Path | str) -> None:
        """Write the language model and its tokenizer as transformers reads them, and nothing of genrec.

        Raises:
            ModelError: There is no language model that writes codes, or an adapter is not merged.
        """
        raise ModelError("There is no language model to export.", expected="a recommender around one that writes codes")

    def restrict_loss(self, trie: Trie | None) -> None:
        """Train with a softmax over the legal children of the right prefix; None: all codes.

        Scores of other codes then mean nothing: decode with ``normalize: children``.
        """
        self.legal = None if trie is None else LegalCodes(trie)

    def prepare(self, trie: Trie, *, trie_masked_loss: bool) -> None:
        """What training needs beside the weights: the catalogue's paths, and whether the loss is over them alone."""
        self.restrict_loss(trie if trie_masked_loss else None)

    def bind(self, index: SemanticIndex) -> Self:
        """This network, ready for the items of an index.

        Returns:
            The network itself; a twin with the same weights where it is bound to another catalogue already.

        Raises:
            ArtifactError: The index has other codes.
        """
        if self.codebook_sizes != tuple(index.codebook_sizes):
            raise ArtifactError(
                f"The model speaks codes of sizes {list(self.codebook_sizes)}, the index has "
                f"{list(index.codebook_sizes)}.",
                hint="Train the model on this index.",
            )
        return self

    def read_vectors(self, index: SemanticIndex) -> np.ndarray:
        """Item vectors as the model reads them, ``(n_items, vector_dim)`` float32."""
        return index.vectors()

    def init_from_codebooks(self, codebooks: Sequence[np.ndarray | None], seed: int = 0) -> None:
        """Start every code table from the codebooks of the quantizer (see :meth:`CodeTable.init_from_codebooks`)."""
        for module in self.modules():
            if isinstance(module, CodeTable):
                module.init_from_codebooks(codebooks, seed)

    def _init_weights(self, module: nn.Module) -> None:
        if isinstance(module, CodeTable):
            nn.init.normal_(module.weight, std=module.std)
        elif isinstance(module, Start):
            nn.init.normal_(module.vector, std=module.std)
        else:
            super()._init_weights(module)

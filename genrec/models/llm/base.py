"""What every recommender made from a pretrained language model shares: its parts, and how they are saved and loaded."""

from __future__ import annotations

import logging
from abc import abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Self

import torch
from torch import Tensor

from genrec.errors import ArtifactError
from genrec.models.llm.code_labels import CodeLabels
from genrec.models.llm.code_rows import RowStart, add_code_rows, part_output
from genrec.models.llm.code_tokens import CodeTokens
from genrec.models.llm.config import LanguageConfig
from genrec.models.llm.creation import (
    check_answers,
    checkpoint_fingerprint,
    language_examples,
    language_fields,
    language_settings_read,
    named_checkpoint,
    prompt_settings,
    row_start,
)
from genrec.models.llm.fewer_layers import truncate_layers
from genrec.models.llm.number_format import settled
from genrec.models.llm.positions import longest_input
from genrec.models.llm.source import LanguageSource
from genrec.models.llm.stored import MARK, StoredLanguageModel
from genrec.models.llm.tuning import (
    base_of,
    merge_adapter,
    put_in_code_rows,
    take_out_code_rows,
    tune,
)
from genrec.models.outputs import CodeModelOutput, TrainingBatches
from genrec.models.parts import started_from_codebooks
from genrec.prompts import ItemTexts
from genrec.prompts.examples import TextCollator
from genrec.prompts.reader import PromptReader

if TYPE_CHECKING:
    from genrec.data.histories import Histories
    from genrec.index.semantic_index import SemanticIndex
    from genrec.models.settings import ModelSettings, RunSettings

logger = logging.getLogger(__name__)

IGNORE = -100


class LanguageBase(StoredLanguageModel):
    """A language model that reads prompts, in which items are code tokens and text.

    Args:
        config: Settings.
        lm: Model of transformers, or a PEFT model around one, with the code tokens in its vocabulary.
        tokenizer: Its tokenizer, with the code tokens.
    """

    config_class = LanguageConfig
    config: LanguageConfig
    main_input_name = "input_ids"
    supports_gradient_checkpointing = True
    accepts_loss_kwargs = True  # the trainer then gives the number of targets of all micro-batches and processes
    reads_prompts: ClassVar[bool] = True
    named_by: ClassVar[str] = "codes"
    """What it names of the next item: a task with this target is what it recommends with."""

    def __init__(self, config: LanguageConfig, lm: Any, tokenizer: Any) -> None:
        super().__init__(config)
        self.lm, self.tokenizer = lm, tokenizer
        self.tokens = CodeTokens(self.codebook_sizes)
        self.tokens.add_to(tokenizer)
        self.labels = CodeLabels(self.tokens)
        self._predictor: Any = None
        self._code_rows: list[Any] | None = None  # layers whose rows stand in the vocabulary, while decoding
        base = base_of(lm)
        self._no_split_modules = getattr(base, "_no_split_modules", None)  # what sharded training must not cut
        self._add_parts(base)

    def _add_parts(self, base: Any) -> None:
        """Make what stands beside the language model."""

    @property
    def seq2seq(self) -> bool:
        """Whether prompt and answer are read by different networks."""
        return bool(self.base.config.is_encoder_decoder)

    @property
    def reads_apart(self) -> bool:
        """Whether an example is a prompt with a target apart, not one sequence of both."""
        return self.seq2seq

    @property
    def reads_whole(self) -> bool:
        """Whether all items of a history are learned from one reading of a prompt, with the target apart."""
        return False

    def item_texts(self, index: SemanticIndex) -> ItemTexts:
        """Texts of an index with the code tokens of the model."""
        return ItemTexts(index.catalog, index.codes, self.tokens)

    def reader(self, index: SemanticIndex, config: RunSettings) -> PromptReader:
        """See :meth:`CodeModel.reader`: prompts of the first task that names the next item.

        Raises:
            ArtifactError: The model is for a catalogue of another size.
            ConfigError: No task names the next item.
        """
        self.check_items(len(index.item_ids))
        texts = self.item_texts(index)
        prompts = prompt_settings(config, self.config.max_tokens)
        return PromptReader(
            config.tasks, texts, self.tokenizer, seq2seq=self.reads_apart, prompts=prompts, answer=self.named_by
        )

    def training_batches(self, index: SemanticIndex, histories: Histories, config: RunSettings) -> TrainingBatches:
        """See :meth:`CodeModel.training_batches`: examples of a mixture of tasks."""
        examples = language_examples(
            config,
            self.item_texts(index),
            self.tokenizer,
            histories,
            reads_apart=self.reads_apart,
            whole=self.reads_whole or not self.reads_apart,
            codes_only=self.codes_only,
            max_tokens=self.config.max_tokens,
        )
        if self.seq2seq and not self.codes_only:
            check_answers(examples.renderers, self.base)
        return TrainingBatches(examples, TextCollator(self.tokenizer))

    def check_items(self, n_items: int) -> None:
        """Refuse a catalogue of another size, where the model has something for every item."""

    def get_input_embeddings(self) -> Any:
        """The table of input vectors of the language model."""
        return self.base.get_input_embeddings()

    # -- learning --

    def forward(  # type: ignore[override]
        self,
        input_ids: Tensor,
        attention_mask: Tensor,
        labels: Tensor,
        num_items_in_batch: Tensor | int | None = None,
    ) -> CodeModelOutput:
        """Training loss of a batch of examples.

        Args:
            input_ids: ``(rows, n)`` int64. Where answers stand in the text, prompt and answer; else the prompt.
            attention_mask: ``(rows, n)``, 1 at real tokens.
            labels: ``(rows, n)`` or, of answers apart, ``(rows, m)`` right tokens; -100 where there is no loss.
            num_items_in_batch: Labels over which the mean is taken, where that is not this batch alone.
        """
        targets = self.targets(input_ids, attention_mask, labels)
        output = CodeModelOutput.of(targets.terms, targets.rows, len(input_ids))
        whole = None if num_items_in_batch is None else num_items_in_batch / targets.labels
        output.loss = targets.terms[0].sum() / (max(1, len(targets.rows)) if whole is None else whole)
        return output

    @abstractmethod
    def targets(self, input_ids: Tensor, attention_mask: Tensor, labels: Tensor) -> Targets:
        """What every target of a batch adds to its loss; the arguments are those of :meth:`forward`."""

    # -- making --

    @classmethod
    def create(cls, index: SemanticIndex, config: RunSettings) -> Self:
        """See :meth:`CodeModel.create`: the checkpoint, ready to be trained on an index.

        Raises:
            ConfigError: No checkpoint is given, or a setting is wrong.
            ModelError: The checkpoint cannot be loaded.
            ArtifactError: The checkpoint speaks the codes of another index.
        """
        fields = language_fields(config, index, cls.config_class)
        model = cls.build(cls.config_class(**fields), row_start(config, index))
        return started_from_codebooks(model, index, config)

    @classmethod
    def load(cls, folder: Path | str, *, checkpoint: str | None = None) -> Self:
        """See :meth:`CodeModel.load`."""
        return cls.from_pretrained(folder, checkpoint=checkpoint)

    @classmethod
    def check_settings(cls, settings: ModelSettings) -> None:
        """See :meth:`CodeModel.check_settings`: a language model is given."""
        super().check_settings(settings)
        named_checkpoint(settings)

    @classmethod
    def settings_read(cls, config: RunSettings) -> frozenset[str]:
        """See :meth:`CodeModel.settings_read`."""
        return language_settings_read(config)

    @classmethod
    def start_fingerprint(cls, settings: ModelSettings) -> str | None:
        """See :meth:`CodeModel.start_fingerprint`: of the checkpoint's weights."""
        return checkpoint_fingerprint(settings)

    @classmethod
    def build(cls, config: LanguageConfig, start: RowStart) -> Self:
        """Load the checkpoint, give it the code tokens and make the chosen part trainable.

        Args:
            config: Settings; ``base_fingerprint`` is filled in.
            start: What the rows of the code tokens start from.

        Raises:
            ConfigError: A setting is wrong.
            ModelError: The checkpoint cannot be loaded.
            ArtifactError: The checkpoint speaks the codes of another index.
        """
        source = settled(LanguageSource.stored(config.source or {}), cls.part, frozen=config.tuning != "full")
        config.source = {**(config.source or {}), "dtype": source.dtype}
        tokenizer = source.tokenizer()
        model = source.model(cls.part)
        _refuse_other_index(model.config, config.index_fingerprint, source.checkpoint)
        config.base_fingerprint = source.fingerprint()
        truncate_layers(model, keep=config.keep_layers, every=config.every_layer)
        config.own_output = config.own_output and source.quantize is None and part_output(model)
        tokens = CodeTokens(config.codebook_sizes or ())
        add_code_rows(model, tokenizer, tokens, start)
        if config.max_tokens is not None:
            config.max_tokens = _tokens_read(model, config.max_tokens, source.checkpoint)
        lm = tune(
            model,
            config.tuning,
            tokens.all_ids,
            lora=config.lora,
            train_code_rows=config.train_code_rows,
            four_bits=source.quantize is not None,
        )
        return cls(config, lm, tokenizer)

    def merge(self) -> None:
        """Put the adapter's updates into the weights: from then on the model is a plain one, and saved as such."""
        with self.occupancy.alone():
            self.end_decoding()
            self.lm = merge_adapter(self.lm)

    # -- reading --

    def _prepare_decoding(self) -> None:
        if self._code_rows is None:
            with torch.no_grad():
                self._code_rows = [] if _sharded(self.base) else put_in_code_rows(self.lm)
            self._predictor = self._make_predictor()

    def end_decoding(self) -> None:
        """See :meth:`CodeModel.end_decoding`."""
        layers, self._code_rows, self._predictor = self._code_rows, None, None
        with torch.no_grad():
            take_out_code_rows(layers or ())

    def _make_predictor(self) -> Any:
        return None


class Targets(NamedTuple):
    """What a batch is to predict, and how well it does.

    Attributes:
        terms: What every target adds to the loss, and its log-probability, each ``(n_targets,)``.
        rows: ``(n_targets,)`` int64 example of every target.
        labels: Labels that are one target: 1 where every token is one, the levels where an item is.
    """

    terms: tuple[Tensor, Tensor]
    rows: Tensor
    labels: int = 1

    @classmethod
    def one_item_each(cls, terms: tuple[Tensor, Tensor], codes: Tensor) -> Targets:
        """Of a batch whose every row has one item as its target, with right codes ``(rows, n_levels)``."""
        return cls(terms, torch.arange(len(codes), device=codes.device), codes.shape[1])


def _tokens_read(model: Any, wanted: int, checkpoint: str) -> int:
    """See :func:`~genrec.models.llm.positions.longest_input`; says where prompts will be cut."""
    found = longest_input(model, wanted)
    if found < wanted:
        logger.warning(
            "'%s' reads %d tokens at most, prompts.max_tokens is %d: prompts leave out more of the oldest items.",
            checkpoint,
            found,
            wanted,
        )
    return found


def _refuse_other_index(config: Any, index_fingerprint: str | None, checkpoint: str) -> None:
    before = getattr(config, MARK, None)
    if before is not None and index_fingerprint is not None and before != index_fingerprint:
        raise ArtifactError(
            "This checkpoint was trained on another index: its code tokens mean other items.",
            where=checkpoint,
            expected=f"index {before}; this one is {index_fingerprint}",
            hint="Train on that index, or start from a checkpoint without code tokens.",
        )


def _sharded(model: Any) -> bool:
    weight = model.get_input_embeddings().weight
    return weight.numel() == 0 or type(weight.data) is not Tensor

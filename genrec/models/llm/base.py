"""What every recommender made from a pretrained language model shares: its parts, and how they are saved and loaded."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar, Self

import torch
from torch import Tensor

from genrec.errors import ArtifactError
from genrec.models.base import CodeModel, CodeModelConfig
from genrec.models.llm.code_labels import CodeLabels
from genrec.models.llm.code_rows import RowStart, add_code_rows
from genrec.models.llm.code_tokens import CodeTokens
from genrec.models.llm.fewer_layers import truncate_layers
from genrec.models.llm.source import LanguageSource, Part, quiet_loading
from genrec.models.llm.tuning import (
    base_of,
    load_adapter,
    merge_adapter,
    put_in_code_rows,
    save_adapter,
    take_out_code_rows,
    tune,
)
from genrec.trie import Trie

logger = logging.getLogger(__name__)

IGNORE = -100
_PLAIN, _ADAPTER, _TOKENIZER, _REST = "language_model", "adapter", "tokenizer", "model.safetensors"
_MARK = "genrec_index"  # in the configuration of a plain model that speaks the codes of an index


class LanguageConfig(CodeModelConfig):
    """Configuration of a network around a pretrained language model.

    Attributes:
        source: Fields of :class:`~genrec.models.llm.source.LanguageSource`.
        tuning: See :func:`~genrec.models.llm.tuning.tune`.
        lora: Fields of peft's ``LoraConfig``.
        train_code_rows: Whether LoRA trains the rows of the code tokens too.
        keep_layers: See :func:`~genrec.models.llm.fewer_layers.truncate_layers`.
        every_layer: The same.
        index_fingerprint: Of the semantic index whose codes the model speaks.
        base_fingerprint: Of the checkpoint's weights.
        n_items: Items of the catalogue, for heads that score items.
    """

    model_type = "genrec-language"

    source: dict[str, Any] | None = None
    tuning: str = "lora"
    lora: dict[str, Any] | None = None
    train_code_rows: bool = True
    keep_layers: int | None = None
    every_layer: int | None = None
    index_fingerprint: str | None = None
    base_fingerprint: str | None = None
    n_items: int = 0


class LanguageBase(CodeModel):
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
    part: ClassVar[Part] = "generation"
    codes_only: ClassVar[bool] = False
    """Whether it answers with semantic IDs alone, never with text."""

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
    def base(self) -> Any:
        """The model of transformers, without what PEFT puts around it."""
        return base_of(self.lm)

    @property
    def seq2seq(self) -> bool:
        """Whether prompt and answer are read by different networks."""
        return bool(self.base.config.is_encoder_decoder)

    @property
    def reads_apart(self) -> bool:
        """Whether an example is a prompt with a target apart, not one sequence of both."""
        return self.seq2seq

    def check_items(self, n_items: int) -> None:
        """Refuse a catalogue of another size, where the model has something for every item."""

    def prepare(self, trie: Trie, *, trie_masked_loss: bool) -> None:
        """What training needs beside the weights: the catalogue's paths, and whether the loss is over them alone."""
        self.restrict_loss(trie if trie_masked_loss else None)

    def get_input_embeddings(self) -> Any:
        """The table of input vectors of the language model."""
        return self.base.get_input_embeddings()

    # -- making --

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
        source = LanguageSource(**(config.source or {}))
        tokenizer = source.tokenizer()
        model = source.model(cls.part)
        _refuse_other_index(model.config, config.index_fingerprint, source.checkpoint)
        config.base_fingerprint = source.fingerprint()
        truncate_layers(model, keep=config.keep_layers, every=config.every_layer)
        tokens = CodeTokens(config.codebook_sizes or ())
        add_code_rows(model, tokenizer, tokens, start)
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
        self.end_decoding()
        self.lm = merge_adapter(self.lm)

    # -- reading --

    @contextmanager
    def decoding(self) -> Iterator[None]:
        """See :meth:`CodeModel.decoding`."""
        try:
            if self._code_rows is None:
                with torch.no_grad():
                    self._code_rows = [] if _sharded(self.base) else put_in_code_rows(self.lm)
                self._predictor = self._make_predictor()
            yield
        except BaseException:
            self.end_decoding()
            raise
        if not self.stays_ready:
            self.end_decoding()

    def end_decoding(self) -> None:
        """See :meth:`CodeModel.end_decoding`."""
        layers, self._code_rows, self._predictor = self._code_rows, None, None
        with torch.no_grad():
            take_out_code_rows(layers or ())

    def _make_predictor(self) -> Any:
        return None

    # -- saving --

    def save_pretrained(self, folder: Path | str, **_: Any) -> None:  # type: ignore[override]
        """Write the model: an adapter beside the name of its base, or a plain model of transformers.

        Args:
            folder: Is made.
        """
        from safetensors.torch import save_file

        self.end_decoding()
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        self.config.to_json_file(str(folder / "config.json"), use_diff=False)
        if hasattr(self.lm, "peft_config"):
            save_adapter(self.lm, folder / _ADAPTER)
            self.tokenizer.save_pretrained(folder / _TOKENIZER)
        else:
            setattr(self.base.config, _MARK, self.config.index_fingerprint)
            with quiet_loading():
                self.base.save_pretrained(folder / _PLAIN)
            self.tokenizer.save_pretrained(folder / _PLAIN)
        rest = {name: value.contiguous() for name, value in self.state_dict().items() if not name.startswith("lm.")}
        rest |= self._frozen_rows()
        if rest:
            save_file(rest, folder / _REST)

    def save_training_state(self, folder: Path | str, state: Mapping[str, Tensor] | None = None) -> None:
        """Write what training changes, and nothing else: enough to go on from the same start.

        Args:
            folder: Is made.
            state: All weights, where the trainer has gathered them from several processes.
        """
        from safetensors.torch import save_file

        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        trained = {name: value for name, value in self.named_parameters() if value.requires_grad}
        if state is not None:
            trained = {name: state[name] for name in trained if name in state}  # type: ignore[misc]
        save_file({name: value.detach().contiguous() for name, value in trained.items()}, folder / _REST)

    @classmethod
    def from_pretrained(cls, folder: Path | str, *, checkpoint: str | None = None, **_: Any) -> Self:  # type: ignore[override]
        """Load what :meth:`save_pretrained` wrote.

        Args:
            folder: The folder.
            checkpoint: Where the base of an adapter is now, if it has moved.

        Raises:
            ArtifactError: The base is another one than the adapter was trained on.
            ModelError: The base cannot be loaded.
        """
        from transformers import AutoTokenizer

        folder = Path(folder)
        config = cls.config_class(**_without_type(json.loads((folder / "config.json").read_text(encoding="utf-8"))))
        plain = folder / _PLAIN
        tokenizer = AutoTokenizer.from_pretrained(str(plain if plain.is_dir() else folder / _TOKENIZER))
        fields = dict(config.source or {})
        if plain.is_dir():
            kept = {"dtype": fields.get("dtype", "float32"), "attention": fields.get("attention", "sdpa")}
            lm = cls._plain(LanguageSource(str(plain), trust_remote_code=bool(fields.get("trust_remote_code")), **kept))
        else:
            source = LanguageSource(**(fields | ({"checkpoint": checkpoint} if checkpoint else {})))
            base = _same_base(source, config, cls.part, folder)
            truncate_layers(base, keep=config.keep_layers, every=config.every_layer)
            add_code_rows(base, tokenizer, CodeTokens(config.codebook_sizes or ()), None)
            lm = load_adapter(base, folder / _ADAPTER)
        model = cls(config, lm, tokenizer)
        model._load_rest(folder / _REST)
        return model.eval()

    @classmethod
    def _plain(cls, source: LanguageSource) -> Any:
        return source.model(cls.part)

    def _frozen_rows(self) -> dict[str, Tensor]:
        """Code rows that no adapter keeps, because they were not trained."""
        if self.config.train_code_rows or not hasattr(self.lm, "peft_config") or self.config.tuning != "lora":
            return {}
        ids = torch.from_numpy(self.tokens.all_ids)
        tables = {"input": self.base.get_input_embeddings(), "output": self.base.get_output_embeddings()}
        return {
            f"code_rows.{name}": table.weight.detach()[ids.to(table.weight.device)].clone()
            for name, table in tables.items()
            if table is not None
        }

    @torch.no_grad()
    def _load_rest(self, path: Path) -> None:
        if not path.is_file():
            return
        from safetensors.torch import load_file

        rest = load_file(path)
        ids = torch.from_numpy(self.tokens.all_ids)
        for name, table in (("input", self.base.get_input_embeddings()), ("output", self.base.get_output_embeddings())):
            rows = rest.pop(f"code_rows.{name}", None)
            if rows is not None:
                table.weight[ids] = rows.to(table.weight)
        self.load_state_dict(rest, strict=False)


def _same_base(source: LanguageSource, config: LanguageConfig, part: Part, folder: Path) -> Any:
    """The base of an adapter, once it is known to be the one that the adapter was trained on."""
    base = source.model(part)
    found = None if source.random_weights else source.fingerprint()
    if found is not None and config.base_fingerprint is not None and found != config.base_fingerprint:
        raise ArtifactError(
            f"The checkpoint '{source.checkpoint}' is not the one that this adapter was trained on.",
            where=folder,
            expected=f"weights with the fingerprint {config.base_fingerprint}, these have {found}",
            hint="Give the right folder as checkpoint.",
        )
    return base


def _refuse_other_index(config: Any, index_fingerprint: str | None, checkpoint: str) -> None:
    before = getattr(config, _MARK, None)
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


def _without_type(content: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in content.items() if name not in ("model_type", "transformers_version")}

"""How a network around a language model is kept: an adapter beside the name of its base, or a plain model."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Self

import torch
from torch import Tensor

from genrec.errors import ArtifactError, ConfigError, GenRecError, ModelError
from genrec.models.base import CodeModel
from genrec.models.llm.code_rows import add_code_rows, part_output, token_tables
from genrec.models.llm.code_tokens import CodeTokens
from genrec.models.llm.config import LanguageConfig
from genrec.models.llm.fewer_layers import truncate_layers
from genrec.models.llm.foreign import check_plain, checked_config, stored_tokenizer
from genrec.models.llm.loaders import Part
from genrec.models.llm.number_format import on_this_machine
from genrec.models.llm.source import LanguageSource
from genrec.models.llm.tuning import base_of, load_adapter, save_adapter
from genrec.models.quiet import quiet_loading
from genrec.models.saved import check_fields

_PLAIN, _ADAPTER, _TOKENIZER, _REST = "language_model", "adapter", "tokenizer", "model.safetensors"
_NAME_IT = (
    "Say where it is now: --checkpoint FOLDER, or for genrec train --set model.checkpoint=FOLDER; in Python, "
    "from_pretrained(..., checkpoint=FOLDER)."
)
MARK = "genrec_index"
"""In the configuration of a plain model: the index whose codes it speaks."""


class StoredLanguageModel(CodeModel):
    """A language model, its tokenizer, and what stands beside it, in a folder.

    Attributes:
        lm: Model of transformers, or a PEFT model around one.
        tokenizer: With the code tokens.
        tokens: The code tokens.
        part: Which part of a checkpoint is loaded.
    """

    config_class = LanguageConfig
    config: LanguageConfig
    part: ClassVar[Part] = "generation"
    codes_only: ClassVar[bool] = False
    """Whether it answers with semantic IDs alone, never with text."""
    lm: Any
    tokenizer: Any
    tokens: CodeTokens

    @property
    def base(self) -> Any:
        """The model of transformers, without what PEFT puts around it."""
        return base_of(self.lm)

    def save_pretrained(self, folder: Path | str, **_: Any) -> None:  # type: ignore[override]
        """Write the model: an adapter beside the name of its base, or a plain model of transformers.

        Args:
            folder: Is made.
        """
        with self.occupancy.alone():
            self.end_decoding()
            self._save(Path(folder))

    def _save(self, folder: Path) -> None:
        from safetensors.torch import save_file

        folder.mkdir(parents=True, exist_ok=True)
        self.config.to_json_file(str(folder / "config.json"), use_diff=False)
        if hasattr(self.lm, "peft_config"):
            save_adapter(self.lm, folder / _ADAPTER)
            self.tokenizer.save_pretrained(folder / _TOKENIZER)
        else:
            setattr(self.base.config, MARK, self.config.index_fingerprint)
            with quiet_loading():
                self.base.save_pretrained(folder / _PLAIN)
            self.tokenizer.save_pretrained(folder / _PLAIN)
        rest = {name: value.contiguous() for name, value in self.state_dict().items() if not name.startswith("lm.")}
        rest |= self._frozen_rows()
        if rest:
            save_file(rest, folder / _REST)

    def save_plain(self, folder: Path | str) -> None:
        """See :meth:`CodeModel.save_plain`."""
        if self.codes_only:
            super().save_plain(folder)
        if hasattr(self.lm, "peft_config"):
            raise ModelError("The adapter is not in the weights yet.", hint="Call recommender.merge() first.")
        with self.occupancy.alone(), quiet_loading():
            self.end_decoding()
            self.base.save_pretrained(folder)
            self.tokenizer.save_pretrained(folder)

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

    def train_on(self) -> None:
        """See :meth:`CodeModel.train_on`: the adapter, or everything where there is none."""
        self.requires_grad_(True)
        if hasattr(self.lm, "peft_config"):
            for name, value in self.lm.named_parameters():
                value.requires_grad_(any(part in name for part in ("lora_", "trainable_tokens_delta")))

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
        folder = Path(folder)
        content = _without_type(checked_config(folder))
        check_fields(cls.config_class, content, folder / "config.json")
        config = cls.config_class(**content)
        plain = folder / _PLAIN
        tokenizer = stored_tokenizer(plain if plain.is_dir() else folder / _TOKENIZER)
        fields = dict(config.source or {})
        if plain.is_dir():
            kept = {"dtype": fields.get("dtype", "float32"), "attention": fields.get("attention", "sdpa")}
            lm = cls._plain(LanguageSource.stored({"checkpoint": str(plain), **kept}))
        else:
            source = LanguageSource.stored(fields, **({"checkpoint": checkpoint} if checkpoint else {}))
            base = on_this_machine(_same_base(source, config, cls.part, folder))
            truncate_layers(base, keep=config.keep_layers, every=config.every_layer)
            if config.own_output:
                part_output(base)
            add_code_rows(base, tokenizer, CodeTokens(config.codebook_sizes or ()), None)
            lm = load_adapter(base, folder / _ADAPTER)
        model = cls(config, lm, tokenizer)
        model._load_rest(folder / _REST)
        return model.eval()

    @classmethod
    def _plain(cls, source: LanguageSource) -> Any:
        check_plain(source, cls.part)
        return on_this_machine(source.model(cls.part))

    def _frozen_rows(self) -> dict[str, Tensor]:
        """Code rows that no adapter keeps, because they were not trained."""
        if self.config.train_code_rows or not hasattr(self.lm, "peft_config") or self.config.tuning != "lora":
            return {}
        ids = torch.from_numpy(self.tokens.all_ids)
        return {
            f"code_rows.{name}": table.weight.detach()[ids.to(table.weight.device)].clone()
            for name, table in token_tables(self.base).items()
        }

    @torch.no_grad()
    def _load_rest(self, path: Path) -> None:
        from safetensors.torch import load_file

        rest = load_file(path) if path.is_file() else {}
        ids = torch.from_numpy(self.tokens.all_ids)
        tables = token_tables(self.base)
        for name in [name for name in rest if name.startswith("code_rows.")]:
            table, rows = tables.get(name.removeprefix("code_rows.")), rest.pop(name)
            if table is not None:
                table.weight[ids] = rows.to(table.weight)
        found = self.load_state_dict(rest, strict=False)
        missing = [name for name in found.missing_keys if not name.startswith("lm.")]
        if wrong := [*missing, *found.unexpected_keys]:
            raise ArtifactError(
                "Configuration and weights of this network do not belong together.",
                where=path,
                expected=", ".join(wrong[:3]),
            )


def _same_base(source: LanguageSource, config: LanguageConfig, part: Part, folder: Path) -> Any:
    """The base of an adapter, once it is known to be the one that the adapter was trained on."""
    base = _where_it_was(source, part, folder)
    found = None if source.random_weights else source.fingerprint()
    if found is not None and config.base_fingerprint is not None and found != config.base_fingerprint:
        raise ArtifactError(
            f"The checkpoint '{source.checkpoint}' is not the one that this adapter was trained on.",
            where=folder,
            expected=f"weights with the fingerprint {config.base_fingerprint}, these have {found}",
            hint=_NAME_IT,
        )
    return base


def _where_it_was(source: LanguageSource, part: Part, folder: Path) -> Any:
    """The base; where it cannot be found, the error says how to name its place of today."""
    try:
        if source.folder is not None:
            return source.model(part)
    except ConfigError as error:
        raise _lost(source, folder, error) from None
    try:
        return source.model(part)
    except ModelError as error:
        raise _lost(source, folder, error) from None


def _lost(source: LanguageSource, folder: Path, error: GenRecError) -> ArtifactError:
    return ArtifactError(
        f"The language model under this adapter is not where it was: {error.what}",
        where=folder,
        expected=f"the checkpoint that it was trained on, '{source.checkpoint}'",
        hint=_NAME_IT,
    )


def _without_type(content: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in content.items() if name not in ("model_type", "transformers_version")}

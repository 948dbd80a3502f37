"""Pretrained language models by hub id or folder, with one clear error for each kind of trouble."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import importlib.util
import io
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import torch

from genrec.encoders.sentence_model import MINILM, find_model
from genrec.errors import ConfigError, ModelError
from genrec.models.llm.gguf import check_sizes_of, gguf_in, not_a_model, require_gguf, without_quantizer
from genrec.models.llm.loaders import Part, has_pooler, loader_of
from genrec.models.quiet import quiet_loading
from genrec.trust import brings_code, refuse_code, trusts_remote_code

logger = logging.getLogger(__name__)

T = TypeVar("T")
_TROUBLE = (OSError, ValueError, KeyError, ImportError, RuntimeError)
_EDGE = 1 << 20  # bytes at either end of a weights file that go into its fingerprint


@dataclass(frozen=True)
class LanguageSource:
    """Where a language model comes from and how it is loaded.

    Attributes:
        checkpoint: Id on the Hugging Face hub, a folder, a GGUF file, or ``minilm`` for all-MiniLM-L6-v2.
        revision: Branch, tag or commit on the hub.
        random_weights: Build the same network with random weights; configuration and tokenizer are still read.
        trust_remote_code: Run the Python code that the checkpoint brings, and read pickled weights. Never happens
            unless the caller asks for it, here or around the load (:mod:`genrec.trust`).
        dtype: ``float32``, ``bfloat16``, ``float16``, or ``auto`` for that of the checkpoint; see
            :mod:`genrec.models.llm.number_format` for ``fastest``, which has to be settled before a model is loaded.
        quantize: ``4bit`` loads NF4 weights through bitsandbytes.
        attention: Attention implementation of transformers; families without it are loaded with ``eager``.
    """

    checkpoint: str
    revision: str | None = None
    random_weights: bool = False
    trust_remote_code: bool = False
    dtype: str = "float32"
    quantize: str | None = None
    attention: str = "sdpa"

    @classmethod
    def stored(cls, fields: Mapping[str, Any], **changes: Any) -> LanguageSource:
        """A source as a saved network names it; what that says about trust is not read.

        Args:
            fields: As saved.
            changes: What is known better.

        Raises:
            ConfigError: A value is not one of a source.
        """
        known = {one.name for one in dataclasses.fields(cls)} - {"trust_remote_code"}
        kept = {name: value for name, value in {**fields, **changes}.items() if name in known}
        for name, value in kept.items():
            if not isinstance(value, bool if name == "random_weights" else str | None):
                raise ConfigError(f"The language model's '{name}' is {value!r}.", where=f"source.{name}")
        if not kept.get("checkpoint"):
            raise ConfigError("The language model has no name.", where="source.checkpoint")
        return cls(**kept)

    @property
    def trusted(self) -> bool:
        """Whether the caller trusts the code of this checkpoint."""
        return self.trust_remote_code or trusts_remote_code()

    @property
    def gguf(self) -> Path | None:
        """The GGUF file, where the checkpoint is one; see :func:`~genrec.models.llm.gguf.gguf_in`."""
        return None if self.checkpoint == MINILM else gguf_in(Path(self.checkpoint).expanduser())

    @property
    def folder(self) -> Path | None:
        """The folder, where the checkpoint is one or a file in one.

        Raises:
            ConfigError: It looks like a path, and nothing is there; or the folder holds no model.
        """
        if (file := self.gguf) is not None:
            return file.parent
        path = find_model(MINILM).folder if self.checkpoint == MINILM else Path(self.checkpoint).expanduser()
        if path.exists():
            if not (path / "config.json").is_file():
                raise not_a_model(path)
            return path
        if self.checkpoint.startswith((".", "/", "~")) or self.checkpoint.count("/") > 1:
            raise ConfigError(
                f"The checkpoint '{self.checkpoint}' does not exist.",
                where="model.checkpoint",
                expected="a folder, a GGUF file, or the id of a model on the Hugging Face hub such as Qwen/Qwen3-0.6B",
            )
        return None

    def config(self, token: str | None = None) -> Any:
        """The transformers configuration; see :meth:`model` for what is raised."""
        from transformers import AutoConfig

        config = self._read(lambda where, common: AutoConfig.from_pretrained(where, **common), token)
        if not self.trusted:
            refuse_code(config.to_dict(), self.checkpoint)
        return config

    def tokenizer(self, token: str | None = None) -> Any:
        """The tokenizer, with a padding token; see :meth:`model` for what is raised."""
        from transformers import AutoTokenizer

        tokenizer = self._read(lambda where, common: AutoTokenizer.from_pretrained(where, **common), token)
        if tokenizer.pad_token_id is None:
            # Padding is masked everywhere, so any token serves; most decoders have none of their own.
            if tokenizer.eos_token is None:
                raise ModelError(
                    "The tokenizer has neither a padding nor an end token.",
                    where=self.checkpoint,
                    hint="Set tokenizer.pad_token and save the tokenizer again.",
                )
            tokenizer.pad_token = tokenizer.eos_token
        return tokenizer

    def model(self, part: Part = "generation", token: str | None = None) -> Any:
        """The model in evaluation mode, without any sampling default of the checkpoint.

        Args:
            part: What of it.
            token: For private models; the one of ``hf auth login`` or ``HF_TOKEN`` where not given.

        Raises:
            ConfigError: There is no such folder, or the settings contradict each other.
            ModelError: The hub cannot be reached or lacks the model; the model is not made for this; it brings code.
        """
        if self.gguf is not None:
            require_gguf()
            check_sizes_of(self.gguf)
        config = self.config(token)
        loader = loader_of(config, part, self.checkpoint)
        settings: dict[str, Any] = {"dtype": _dtype(self.dtype)}
        if part == "states" and has_pooler(config):
            settings["add_pooling_layer"] = False
        if self.random_weights:
            if self.quantize:
                raise ConfigError("Random weights are not quantized.", where="model.llm.quantize", hint="Leave it out.")
            settings["dtype"] = torch.float32 if self.dtype == "auto" else settings["dtype"]
            settings["trust_remote_code"] = self.trusted
            model = self._guarded(lambda: self._attending(partial(loader.from_config, config, **settings)))
        else:
            model = self._pretrained(loader, settings, token)
        if self.gguf is not None:
            without_quantizer(model)
        sanitise_generation(model)
        keep_own_head(model)
        return model.eval()

    def _pretrained(self, loader: Any, settings: dict[str, Any], token: str | None) -> Any:
        """The model with the weights of the checkpoint; those that it lacks are named."""
        if self.quantize and self.gguf is not None:
            raise ConfigError("A GGUF file is not quantized again.", where="model.llm.quantize", hint="Leave it out.")
        if self.quantize:
            settings["quantization_config"] = _four_bits()
        self._announce()

        def load(where: str, common: dict[str, Any]) -> Any:
            known = {**settings, **common, "output_loading_info": True}
            known["use_safetensors"] = None if self.trusted else True  # pickled weights can hold code, too
            return self._attending(partial(loader.from_pretrained, where, **known))

        model, found = self._read(load, token)
        if missing := sorted(found["missing_keys"]):
            logger.warning(
                "'%s' lacks weights that this network has; they start from chance: %s",
                self.checkpoint,
                ", ".join(missing[:5]) + (" …" if len(missing) > 5 else ""),
            )
        return model

    def _attending(self, load: Callable[..., T]) -> T:
        """Load with the attention that is asked for, or with the plain one where a family has no other."""
        try:
            return load(attn_implementation=self.attention)
        except (ValueError, ImportError) as error:
            if self.attention == "eager" or "attention implementation" not in str(error):
                raise
            logger.info("'%s' has no '%s' attention; 'eager' is used.", self.checkpoint, self.attention)
            return load(attn_implementation="eager")

    def fingerprint(self) -> str:
        """Digest of the weights' files (sizes and edges, so that large ones cost nothing), or the hub's commit."""
        folder = self.folder
        if folder is None:
            return str(getattr(self.config(), "_commit_hash", None) or self.revision or "main")
        digest = hashlib.sha256()
        files = [folder / "config.json", *folder.glob("*.safetensors"), *folder.glob("*.bin")]
        for path in sorted(files) if self.gguf is None else [self.gguf]:
            size = path.stat().st_size
            digest.update(f"{path.name} {size} ".encode())
            with path.open("rb") as stream:
                digest.update(stream.read(_EDGE))
                stream.seek(max(0, size - _EDGE))
                digest.update(stream.read(_EDGE))
        return digest.hexdigest()

    def _read(self, call: Callable[[str, dict[str, Any]], T], token: str | None) -> T:
        folder = self.folder
        common: dict[str, Any] = {"trust_remote_code": self.trusted}
        if folder is None:
            common |= {"revision": self.revision or "main", "token": token}
        else:
            common["local_files_only"] = True
        if self.gguf is not None:
            require_gguf()
            common["gguf_file"] = self.gguf.name
        return self._guarded(lambda: call(str(folder or self.checkpoint), common))

    def _guarded(self, call: Callable[[], T]) -> T:
        """Translate what transformers raises, and keep its reports and progress bars to itself."""
        bars = contextlib.nullcontext() if self.gguf is None else contextlib.redirect_stderr(io.StringIO())
        trouble = _TROUBLE if self.gguf is None else (Exception,)  # a damaged file can end in anything
        try:
            with quiet_loading(), bars:  # the bar of GGUF files has no switch
                return call()
        except trouble as error:
            reason = str(error).strip()
            first = reason.splitlines()[0] if reason else type(error).__name__
            if "trust_remote_code" in reason:
                raise brings_code(self.checkpoint) from None
            if _only_pickled(self.folder) and not self.trusted:
                raise brings_code(self.checkpoint, "This checkpoint has only pickled weights, a kind of code") from None
            if self.folder is None and isinstance(error, OSError):
                raise ModelError(
                    f"The language model '{self.checkpoint}' is not on this machine and the Hugging Face hub did not "
                    f"give it: {first}",
                    where="model.checkpoint",
                    expected="the id of a model that you may read and a network connection, or a folder",
                    hint="Copy the model's folder here and give its path; private models need HF_TOKEN.",
                ) from None
            hint = None if self.gguf is None else "Fetch the file again; if it is whole, use a folder with safetensors."
            raise ModelError(
                f"transformers cannot load this model: {first}", where=self.checkpoint, hint=hint
            ) from None

    def _announce(self) -> None:
        if self.folder is not None:
            return
        from huggingface_hub import try_to_load_from_cache

        known = try_to_load_from_cache(self.checkpoint, "model.safetensors", revision=self.revision or "main")
        if not isinstance(known, str):
            logger.warning("Looking up '%s' on the Hugging Face hub (kept for later runs).", self.checkpoint)


def _only_pickled(folder: Path | None) -> bool:
    return folder is not None and any(folder.glob("*.bin")) and not any(folder.glob("*.safetensors"))


def sanitise_generation(model: Any) -> None:
    """Drop the sampling defaults of a checkpoint, in place: only the special tokens stay."""
    from transformers import GenerationConfig

    before = getattr(model, "generation_config", None)
    if before is None:
        return
    names = ("bos_token_id", "eos_token_id", "pad_token_id", "decoder_start_token_id")
    kept = {name: getattr(before, name, None) for name in names}
    model.generation_config = GenerationConfig(do_sample=False, **{k: v for k, v in kept.items() if v is not None})


def keep_own_head(model: Any) -> None:
    """Say in the configuration, in place, that an output layer of its own stays apart from the input table.

    T5, mT5 and UMT5 configurations always say that the two are one, whatever the file holds. The layer would then be
    tied, and what was pretrained lost, as soon as the vocabulary grows; UMT5 would scale its states, too.
    """
    head = model.get_output_embeddings()
    weight = getattr(head, "weight", None)
    if weight is None or any(
        weight is getattr(other, "weight", None) for other in model.modules() if other is not head
    ):
        return
    part_bias(head)
    for config in (model.config, model.config.get_text_config(), model.config.get_text_config(decoder=True)):
        if getattr(config, "tie_word_embeddings", False):
            config.tie_word_embeddings = False


def part_bias(head: Any) -> None:
    """Give an output layer a bias of its own, in place.

    BERT's is shared with the layer around it. A file holds it once, and a configuration that says that nothing is tied
    would have it read as missing.
    """
    if getattr(head, "bias", None) is not None:
        head.bias = torch.nn.Parameter(head.bias.detach().clone())


def _dtype(name: str) -> Any:
    kinds = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16, "auto": "auto"}
    if name not in kinds:
        raise ConfigError(f"'{name}' is no number format.", where="model.llm.dtype", expected=", ".join(kinds))
    return kinds[name]


def _four_bits() -> Any:
    from transformers import BitsAndBytesConfig

    if importlib.util.find_spec("bitsandbytes") is None:
        raise ModelError(
            "Loading in 4 bits needs the package 'bitsandbytes'.",
            where="model.llm.quantize",
            hint="pip install bitsandbytes (it needs a CUDA device), or leave quantize out.",
        )
    return BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=torch.bfloat16,
    )

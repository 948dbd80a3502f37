"""What of a language model is trained: LoRA and the rows of the code tokens, those rows alone, or everything."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from torch import nn

from genrec.errors import ConfigError, MissingExtraError, ModelError

logger = logging.getLogger(__name__)

TUNINGS = ("lora", "full", "embeddings-only")
ALL_LINEAR = "all-linear"


def tune(
    model: Any,
    tuning: str,
    code_ids: np.ndarray,
    *,
    lora: Mapping[str, Any] | None = None,
    train_code_rows: bool = True,
    four_bits: bool = False,
) -> Any:
    """Make the chosen part of a model trainable and freeze the rest.

    LoRA (arXiv 2106.09685) trains low-rank updates of linear layers and, of the vocabulary, exactly the rows of the
    code tokens: those of a tied output layer are the same, those of an untied one are trained beside them.

    Args:
        model: Of transformers, with the code tokens in its vocabulary.
        tuning: ``lora``, ``full`` or ``embeddings-only`` (the code rows and nothing else).
        code_ids: ``(n,)`` token ids of all code tokens.
        lora: Fields of peft's ``LoraConfig``; ``target_modules`` is ``all-linear`` or names of linear layers.
        train_code_rows: False leaves the code rows as they are initialised; an ablation, it does not learn.
        four_bits: The model's weights are quantized.

    Returns:
        The model, or a PEFT model around it.

    Raises:
        ConfigError: Unknown tuning or target modules; names those that exist.
        ModelError: The model's output layer cannot be trained row by row.
        MissingExtraError: peft is not installed.
    """
    if tuning == "full":
        if four_bits:
            raise ConfigError("Quantized weights cannot be trained.", where="model.llm.tuning", expected="lora")
        return model.requires_grad_(True)
    if tuning not in TUNINGS:
        raise ConfigError(f"Unknown tuning '{tuning}'.", where="model.llm.tuning", expected=", ".join(TUNINGS))
    peft = require_peft()
    if four_bits:
        model = peft.prepare_model_for_kbit_training(model, use_gradient_checkpointing=False)
    tables = _tables(model)
    ids = [int(token) for token in code_ids]
    if tuning == "embeddings-only":
        settings: Any = peft.TrainableTokensConfig(target_modules=tables, token_indices=ids)
    else:
        options = dict(lora or {})
        targets = options.pop("target_modules", ALL_LINEAR)
        options["target_modules"] = _targets(model, targets)
        if train_code_rows:
            options["trainable_token_indices"] = dict.fromkeys(tables, ids)
        settings = _lora_config(peft, options)
    with _quiet():
        tuned = peft.get_peft_model(model, settings)
    _share_embeddings(tuned)
    return tuned


def load_adapter(model: Any, folder: Path, *, trainable: bool = False) -> Any:
    """A PEFT model from an adapter that :func:`save_adapter` wrote, around a base with the code tokens."""
    with _quiet():
        tuned = require_peft().PeftModel.from_pretrained(model, str(folder), is_trainable=trainable)
    _share_embeddings(tuned)
    return tuned


def save_adapter(model: Any, folder: Path) -> None:
    """Write the adapter alone: LoRA matrices and code rows, never the vocabulary."""
    with _quiet():
        model.save_pretrained(str(folder), save_embedding_layers=False)


def merge_adapter(model: Any) -> Any:
    """The plain model with the adapter's updates inside it; the PEFT model is used up."""
    if not hasattr(model, "merge_and_unload"):
        return model
    merged = model.merge_and_unload()
    _share_embeddings(merged)
    for module in list(merged.modules()):
        # peft leaves the wrappers of modules that share their weight with one that it has unwrapped.
        for name, child in list(module.named_children()):
            if hasattr(child, "token_adapter"):
                setattr(module, name, child.token_adapter.get_base_layer())
    return merged.requires_grad_(False)


def base_of(model: Any) -> Any:
    """The model of transformers inside a PEFT model, or the model itself."""
    return model.get_base_model() if hasattr(model, "get_base_model") else model


def adapter_bytes(folder: Path) -> int:
    """Size of a saved adapter's weights."""
    return sum(path.stat().st_size for path in folder.glob("adapter_model*"))


def require_peft() -> Any:
    """The module ``peft``.

    Raises:
        MissingExtraError: It is not installed.
    """
    try:
        import peft
    except ImportError:
        raise MissingExtraError("peft", "lora") from None
    return peft


def put_in_code_rows(model: Any) -> list[Any]:
    """Let trained code rows stand in the vocabulary itself, until :func:`take_out_code_rows`.

    peft otherwise copies the whole vocabulary in every pass to put them in. Rows are replaced and put back, never added
    to, so that nothing changes by rounding.

    Returns:
        The layers that were changed.
    """
    layers = [module for module in model.modules() if hasattr(module, "trainable_tokens_delta")]
    layers = [layer for layer in layers if not layer.merged]
    for layer in layers:
        layer.merge()
    return layers


def take_out_code_rows(layers: Sequence[Any]) -> None:
    """Undo :func:`put_in_code_rows`."""
    for layer in layers:
        layer.unmerge()


def _tables(model: Any) -> list[str]:
    """Names of the vocabulary tables to train rows of: input, and output where that is another."""
    table, head = model.get_input_embeddings(), model.get_output_embeddings()
    names = {module: name for name, module in reversed(list(model.named_modules()))}
    if head is None or head.weight is table.weight:
        return [names[table]]
    if getattr(head, "bias", None) is not None:
        raise ModelError(
            f"The output layer of {type(model).__name__} has a bias, with which peft cannot train single rows.",
            where="model.llm.tuning",
            hint="Use tuning: full.",
        )
    return [names[table], names[head]]


def _targets(model: Any, wanted: str | Sequence[str]) -> list[str]:
    """Names of linear layers, without the output layer."""
    from transformers.pytorch_utils import Conv1D

    head = model.get_output_embeddings()
    linear = [
        name
        for name, module in model.named_modules()
        if module is not head and (isinstance(module, nn.Linear | Conv1D) or "Linear" in type(module).__name__)
    ]
    known = sorted({name.rsplit(".", 1)[-1] for name in linear})
    if wanted == ALL_LINEAR:
        return known
    names = [wanted] if isinstance(wanted, str) else list(wanted)
    unknown = [name for name in names if not any(place == name or place.endswith(f".{name}") for place in linear)]
    if unknown or not names:
        raise ConfigError(
            f"This model has no linear layer called {', '.join(repr(name) for name in unknown) or 'nothing'}.",
            where="model.llm.lora.target_modules",
            expected=f"{ALL_LINEAR}, or some of {', '.join(known)}",
        )
    return names


def _lora_config(peft: Any, options: dict[str, Any]) -> Any:
    try:
        return peft.LoraConfig(**options)
    except (TypeError, ValueError) as error:
        raise ConfigError(f"peft refuses the LoRA settings: {error}", where="model.llm.lora") from None


def _share_embeddings(model: Any) -> None:
    """Encoder and decoder read the one input table, also where peft has wrapped it and the output layer is untied."""
    base = base_of(model)
    if getattr(base.config, "is_encoder_decoder", False) and not getattr(base.config, "tie_word_embeddings", True):
        base.set_input_embeddings(base.get_input_embeddings())


@contextmanager
def _quiet() -> Iterator[None]:
    # peft warns of what is on purpose here: tied tables, a vocabulary larger than the checkpoint's.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield

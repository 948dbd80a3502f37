"""What of a language model is trained: LoRA and the rows of the code tokens, those rows alone, or everything."""

from __future__ import annotations

import copy
import logging
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from genrec.artifacts import tensor_shapes
from genrec.artifacts.manifest import COPY_AGAIN
from genrec.errors import ArtifactError, ConfigError, MissingExtraError, ModelError
from genrec.models.llm.adapted_layers import ALL_LINEAR, adapted_layers
from genrec.models.llm.adapter_settings import check_adapter_settings, not_an_adapter
from genrec.models.llm.code_rows import namesakes, part_head_and_decoder, token_tables
from genrec.models.llm.fast_layers import quicken
from genrec.models.patterns import check_adapter_patterns
from genrec.models.saved import read_config

logger = logging.getLogger(__name__)

TUNINGS = ("lora", "full", "embeddings-only")
MOST_RANK = 1 << 14
"""Largest rank of a new adapter: no layer is so wide that more would be of use."""
_ADAPTER_CONFIG, _ADAPTER_WEIGHTS = "adapter_config.json", "adapter_model.safetensors"


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
        ModelError: No layer could be adapted.
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
    _prepare_tables(model)
    tables = _tables(model)
    ids = [int(token) for token in code_ids]
    if tuning == "embeddings-only":
        settings: Any = peft.TrainableTokensConfig(target_modules=tables, token_indices=ids)
    else:
        options = dict(lora or {})
        wanted = options.pop("target_modules", ALL_LINEAR)
        check_adapter_settings(options, MOST_RANK, "model.llm.lora", ConfigError)
        check_adapter_patterns(options, "model.llm.lora", ConfigError)
        options["target_modules"] = adapted_layers(model, wanted, _fused_names(peft, model))
        if train_code_rows:
            options["trainable_token_indices"] = dict.fromkeys(tables, ids)
        settings = _lora_config(peft, options)
    with _quiet():
        tuned = peft.get_peft_model(model, settings)
    _share_rows(tuned)
    _keep_biases(tuned)
    quicken(tuned)
    return tuned


def load_adapter(model: Any, folder: Path, *, trainable: bool = False) -> Any:
    """A PEFT model from an adapter that :func:`save_adapter` wrote, around a base with the code tokens.

    Raises:
        ArtifactError: Its weights are missing or pickled, or its settings ask for more than an adapter needs.
    """
    _check_adapter(folder, len(model.get_input_embeddings().weight))
    _prepare_tables(model)
    peft = require_peft()
    try:
        with _quiet():
            tuned = peft.PeftModel.from_pretrained(model, str(folder), is_trainable=trainable)
    except (ValueError, TypeError, KeyError, AttributeError, RuntimeError) as error:
        raise not_an_adapter(error, folder, _ADAPTER_CONFIG) from error
    _share_rows(tuned)
    _check_weights(tuned, folder)
    _keep_biases(tuned)
    quicken(tuned)
    return tuned


def _check_adapter(folder: Path, vocabulary: int) -> None:
    """Refuse what peft would do beside reading weights: unpickle, import modules by name, copy layers."""
    content, weights = read_config(folder / _ADAPTER_CONFIG), folder / _ADAPTER_WEIGHTS
    if not weights.is_file():
        what = "The weights of this adapter are missing or pickled."
        raise ArtifactError(what, where=folder, expected=_ADAPTER_WEIGHTS)
    for key in ("megatron_config", "layer_replication"):
        if content.get(key):
            raise ArtifactError(f"This adapter asks for {key}.", where=folder / _ADAPTER_CONFIG, expected="none")
    if (kind := content.get("peft_type")) not in ("LORA", "TRAINABLE_TOKENS"):
        raise ArtifactError(f"This is an adapter of the kind {kind}.", where=folder, expected="LORA")
    longest = max([1, *(side for shape in tensor_shapes(weights).values() for side in shape)])
    check_adapter_settings(content, longest, folder / _ADAPTER_CONFIG)
    check_adapter_patterns(content, folder / _ADAPTER_CONFIG)
    for ids in (content.get("trainable_token_indices") or {}).values():
        if not all(type(one) is int and 0 <= one < vocabulary for one in ids):
            raise ArtifactError("This adapter trains tokens that the vocabulary does not have.", where=folder)


def _check_weights(tuned: Any, folder: Path) -> None:
    """Refuse weights of other layers than the settings name: peft leaves out what is missing, and the base answers."""
    with _quiet():
        wanted = require_peft().get_peft_model_state_dict(tuned, save_embedding_layers=False)
    there = tensor_shapes(folder / _ADAPTER_WEIGHTS)
    # rows that two tables share are written once
    read = {one.data_ptr() for name, one in wanted.items() if name in there}
    missing = {name for name, one in wanted.items() if name not in there and one.data_ptr() not in read}
    if wrong := sorted(missing | (there.keys() - wanted.keys())):
        raise ArtifactError(
            f"Settings and weights of this adapter do not belong together: {wrong[0]}.",
            where=folder,
            expected=", ".join(f"{name} {'in the weights' if name in wanted else 'nowhere'}" for name in wrong[:3]),
            hint=COPY_AGAIN,
        )
    for module in tuned.modules():
        scaling = getattr(module, "scaling", None)
        for share in scaling.values() if isinstance(scaling, dict) else ():
            if not abs(share) <= torch.finfo(torch.float32).max:
                raise ArtifactError(
                    f"This adapter is to be scaled by {share}.", where=folder / _ADAPTER_CONFIG, expected="a number"
                )


def save_adapter(model: Any, folder: Path) -> None:
    """Write the adapter alone: LoRA matrices and code rows, never the vocabulary."""
    with _quiet():
        model.save_pretrained(str(folder), save_embedding_layers=False)


def merge_adapter(model: Any) -> Any:
    """The plain model with the adapter's updates inside it; the PEFT model is used up."""
    if not hasattr(model, "merge_and_unload"):
        return model
    tied = getattr(base_of(model).config, "tie_word_embeddings", None)
    with _quiet():
        merged = model.merge_and_unload()
    for module in list(merged.modules()):
        # peft leaves the wrappers of modules that share their weight with one that it has unwrapped.
        for name, child in [] if hasattr(module, "token_adapter") else list(module._modules.items()):
            layer = getattr(child, "token_adapter", child)
            if hasattr(layer, "trainable_tokens_delta"):
                setattr(module, name, layer.get_base_layer())
    if tied is not None:
        merged.config.tie_word_embeddings = tied  # peft looks at it before all of its layers are gone
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


def _prepare_tables(model: Any) -> None:
    """Make every table a layer of its own, which peft can wrap; layers may still share one weight."""
    part_head_and_decoder(model)
    seen: set[int] = set()
    for parent in list(model.modules()):
        for name, child in list(parent._modules.items()):
            if not isinstance(child, nn.Embedding):
                continue
            if id(child) in seen:
                again = copy.copy(child)
                again._parameters = dict(child._parameters)
                setattr(parent, name, again)
            seen.add(id(child))


def _tables(model: Any) -> list[str]:
    """Names of the vocabulary tables to train rows of, each weight once."""
    names = {module: name for name, module in reversed(list(model.named_modules()))}
    for table in token_tables(model).values():
        if others := namesakes(model, table):
            raise ModelError(
                f"peft cannot tell the table '{names[table]}' from the layer '{others[0]}'.",
                where="model.checkpoint",
                expected="a network whose tables have names of their own",
                hint="Train all of it: model.llm.tuning=full.",
            )
    return [names[table] for table in token_tables(model).values()]


def _fused_names(peft: Any, model: Any) -> dict[str, str]:
    """Last names that peft takes for the experts that they named once: these are fused tensors now, no layers."""
    try:
        from peft.utils.transformers_weight_conversion import convert_peft_config_for_transformers
    except ImportError:
        return {}
    names = {name.rsplit(".", 1)[-1] for name, module in model.named_modules() if isinstance(module, nn.Linear)}
    fused = {}
    for name in sorted(names):
        settings = peft.LoraConfig(target_modules=[name])
        try:
            convert_peft_config_for_transformers(settings, model, None)
        except ValueError:
            settings.target_modules = set()
        if name not in settings.target_modules:
            fused[name] = f"peft takes '{name}' for the experts of this family, whose layers are fused."
    return fused


def _lora_config(peft: Any, options: dict[str, Any]) -> Any:
    try:
        return peft.LoraConfig(**options)
    except (TypeError, ValueError) as error:
        raise ConfigError(f"peft refuses the LoRA settings: {error}", where="model.llm.lora") from None


def _keep_biases(model: Any) -> None:
    """Add the bias of an output layer again, which peft leaves out while code rows stand beside the layer."""

    def with_bias(layer: Any, _: Any, output: Tensor) -> Tensor:
        bias = getattr(layer.base_layer, "bias", None)
        return output if bias is None or layer.merged or layer.disable_adapters else output + bias

    for module in model.modules():
        if hasattr(module, "trainable_tokens_delta") and getattr(module.base_layer, "bias", None) is not None:
            module.register_forward_hook(with_bias)


def _share_rows(model: Any) -> None:
    """Let every layer with a weight whose rows are trained read those rows, not only the one that peft has wrapped.

    Encoders, decoders and output layers hold one table under several names, as one layer or as several.
    """
    for parent in list(model.modules()):
        for name, child in list(parent._modules.items()):
            # peft ties the input table to itself where its name is not the first of its weight.
            if hasattr(child, "trainable_tokens_delta") and hasattr(child.base_layer, "trainable_tokens_delta"):
                setattr(parent, name, child.base_layer)
    layers = [module for module in model.modules() if hasattr(module, "trainable_tokens_delta")]
    own = {id(layer.base_layer.weight): layer for layer in layers if layer.tied_adapter is None}
    inside = {id(layer.base_layer): layer for layer in layers}
    outside = {id(module.token_adapter): module for module in model.modules() if hasattr(module, "token_adapter")}
    for parent in list(model.modules()):
        if hasattr(parent, "token_adapter") or hasattr(parent, "trainable_tokens_delta"):
            continue
        for name, child in list(parent._modules.items()):  # also a layer that stands elsewhere, too
            if child is None:
                continue
            layer = inside.get(id(child))
            if layer is None and isinstance(child, nn.Embedding | nn.Linear) and id(child.weight) in own:
                first = own[id(child.weight)]
                layer = type(first)(child, first.active_adapters[0], None, tied_adapter=first)
                inside[id(child)] = layer
            if layer is not None:
                setattr(parent, name, outside.get(id(layer), layer))


@contextmanager
def _quiet() -> Iterator[None]:
    # peft warns of what is on purpose here: tied tables, a vocabulary larger than the checkpoint's.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield

"""Shallower language models: the first layers, or every k-th (SLMRec, arXiv 2405.17890)."""

from __future__ import annotations

from typing import Any

from torch import nn

from genrec.errors import ConfigError, ModelError
from genrec.wording import count

_ENCODER = ("num_hidden_layers", "num_layers", "encoder_layers")
_DECODER = ("num_decoder_layers", "decoder_layers")


def truncate_layers(model: Any, *, keep: int | None = None, every: int | None = None) -> None:
    """Drop layers of a model of transformers, in place.

    Args:
        model: A decoder, an encoder, or both, whose stacks are each cut.
        keep: The first so many layers stay.
        every: Of those, every so-many-th stays, the first one always (T5 keeps its position bias there).

    Raises:
        ConfigError: More layers than there are, or none.
        ModelError: No stack of layers is found.
    """
    if keep is None and every is None:
        return
    stacks = _stacks(model)
    if not stacks:
        raise ModelError(
            f"{type(model).__name__} has no stack of layers that can be cut.", where="model.llm.keep_layers"
        )
    for path, parent, name, layers in stacks:
        total = len(layers)
        if keep is not None and not 1 <= keep <= total:
            raise ConfigError(
                f"{keep} of {count(total, 'layer')}.", where="model.llm.keep_layers", expected=f"1 to {total}"
            )
        if every is not None and every < 1:
            raise ConfigError(f"Every {every}-th layer.", where="model.llm.every_layer", expected="at least 1")
        places = list(range(total))[: keep or total][:: every or 1]
        chosen = [layers[place] for place in places]
        for number, layer in enumerate(chosen):
            for module in layer.modules():
                if hasattr(module, "layer_idx"):  # the place in the cache
                    module.layer_idx = number  # type: ignore[assignment]
        setattr(parent, name, nn.ModuleList(chosen))
        both = bool(getattr(model.config, "is_encoder_decoder", False))
        _count(model.config, _DECODER if both and "decoder" in path.split(".") else _ENCODER, places)
        if (own := getattr(parent, "config", None)) is not None and own is not model.config:
            _count(own, _ENCODER + _DECODER, places)


def _stacks(model: Any) -> list[tuple[str, nn.Module, str, nn.ModuleList]]:
    """Outermost lists of equal layers, with their owners and where these are."""
    found: list[tuple[str, nn.Module, str, nn.ModuleList]] = []
    inside: list[str] = []
    for path, module in model.named_modules():
        if any(path.startswith(f"{outer}.") for outer in inside):
            continue
        for name, child in module.named_children():
            whole = f"{path}.{name}" if path else name
            if isinstance(child, nn.ModuleList) and len(child) > 1 and len({type(layer) for layer in child}) == 1:
                found.append((path, module, name, child))
                inside.append(whole)
    return found


def _count(config: Any, names: tuple[str, ...], places: list[int]) -> None:
    for name in names:
        if isinstance(getattr(config, name, None), int):
            setattr(config, name, len(places))
    types = getattr(config, "layer_types", None)
    if types and len(types) > places[-1]:
        config.layer_types = [types[place] for place in places]

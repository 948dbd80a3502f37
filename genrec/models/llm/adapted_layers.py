"""Which layers of a model an adapter changes: linear ones that a text passes, and no router and no head."""

from __future__ import annotations

import contextlib
import inspect
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from genrec.errors import ConfigError, ModelError

ALL_LINEAR = "all-linear"
_ROUTERS = re.compile(r"router|^(gate|gating|wg|shared_expert_gate)$")
_FUSED_IN_MAMBA = ("x_proj", "dt_proj", "out_proj")
_NOT_FOR_PEFT = (nn.modules.linear.NonDynamicallyQuantizableLinear,)  # inside nn.MultiheadAttention, never called
_NUMBER = re.compile(r"(?<=\.)\d+(?=\.|$)")


def adapted_layers(
    model: Any, wanted: str | Sequence[str], refused: Mapping[str, str] | None = None
) -> list[str] | str:
    """The layers that LoRA changes, for peft's ``target_modules``.

    Last names (``q_proj``) stand for all layers that are called so, where that means the right ones. Else every layer
    is given by its full name, or by an expression where a full name is the end of another.

    Args:
        model: Of transformers; a few tokens are read once, to see which layers they pass.
        wanted: ``all-linear``, or names of linear layers.
        refused: Last names that peft does not take in this model, with the reason.

    Raises:
        ConfigError: There is no such layer; names those that exist.
        ModelError: The model does not read text alone.
    """
    refused = refused or {}
    names = {name: module for name, module in model.named_modules() if name}
    usable = [name for name in _passed(model) if _last(name) not in refused]
    if wanted == ALL_LINEAR:
        chosen = [name for name in usable if not any(_ROUTERS.search(part) for part in name.split("."))]
        if not chosen:
            raise ModelError(
                f"{type(model).__name__} has no linear layer that LoRA could change.",
                where="model.llm.tuning",
                hint="Use tuning: full.",
            )
    else:
        chosen = _named(usable, [wanted] if isinstance(wanted, str) else list(wanted), refused)
    short = sorted({_last(name) for name in chosen})
    if {name for name in names if _last(name) in short} == set(chosen):
        return short
    others = [name for name in names if name not in chosen]
    if any(other.endswith(f".{name}") for name in chosen for other in others):
        return f"(?:{'|'.join(map(re.escape, sorted(chosen)))})"
    return sorted(chosen)


def _named(usable: Sequence[str], wanted: Sequence[str], refused: Mapping[str, str]) -> list[str]:
    """Usable layers with one of the wanted names."""
    found = {name: [place for place in usable if place == name or place.endswith(f".{name}")] for name in wanted}
    missing = [name for name, places in found.items() if not places]
    if missing or not wanted:
        reasons = "".join(f" {refused[name]}" for name in missing if name in refused)
        raise ConfigError(
            f"This model has no linear layer called {', '.join(map(repr, missing)) or 'nothing'} to adapt.{reasons}",
            where="model.llm.lora.target_modules",
            expected=f"{ALL_LINEAR}, or some of {', '.join(sorted({_last(name) for name in usable}))}",
        )
    return sorted({place for places in found.values() for place in places})


def _passed(model: Any) -> list[str]:
    """Linear layers that a text passes, without the output layer, in the model's order.

    Of layers that differ by their number alone, as experts do, all count where one was passed.
    """
    linear = _adaptable(model)
    seen: set[str] = set()

    def note(name: str, module: Any, output: Any) -> None:
        if isinstance(output, Tensor) and output.shape[-1] == _width(module):  # a router may give more than that
            seen.add(_kind(name))

    hooks = [
        module.register_forward_hook(lambda layer, _, output, name=name: note(name, layer, output))
        for name, module in linear.items()
    ]
    try:
        read_a_few_tokens(model)
    finally:
        for hook in hooks:
            hook.remove()
    return [name for name in linear if _kind(name) in seen]


def _adaptable(model: Any) -> dict[str, nn.Module]:
    """Linear layers with a weight of their own that is always used through the layer's forward."""
    head, modules = model.get_output_embeddings(), dict(model.named_modules())
    linear = {name: module for name, module in modules.items() if module is not head and _is_linear(module)}
    uses = Counter(id(module.weight) for module in linear.values())

    def reached(name: str) -> bool:
        parent = modules[name.rpartition(".")[0]]
        # Fast kernels of Mamba take these weights and pass the layers by.
        return not (_last(name) in _FUSED_IN_MAMBA and hasattr(parent, "A_log") and hasattr(parent, "D"))

    return {name: module for name, module in linear.items() if uses[id(module.weight)] == 1 and reached(name)}


def _is_linear(module: nn.Module) -> bool:
    from transformers.pytorch_utils import Conv1D

    return isinstance(module, nn.Linear | Conv1D) and not isinstance(module, _NOT_FOR_PEFT)


def _width(layer: Any) -> int:
    return int(layer.out_features if isinstance(layer, nn.Linear) else layer.nf)


def _last(name: str) -> str:
    return name.rsplit(".", 1)[-1]


def _kind(name: str) -> str:
    return _NUMBER.sub("#", name)


def read_a_few_tokens(model: Any, tokens: int = 8, answer: int = 3) -> Any:
    """A plain forward of a model over some tokens, in evaluation mode.

    Args:
        model: Of transformers.
        tokens: Length of the prompt.
        answer: Length of what the decoder of an encoder-decoder is given.

    Raises:
        ModelError: It cannot read text alone.
    """
    table = model.get_input_embeddings()
    rows, device = int(table.weight.shape[0]), next(model.parameters()).device
    ids = (torch.arange(max(tokens, answer), device=device) * 7 + 3)[None] % max(1, rows)
    ids, known = ids[:, :tokens], ids[:, :answer]
    arguments: dict[str, Any] = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
    both = getattr(model.config, "is_encoder_decoder", False)
    if both and "decoder_input_ids" in inspect.signature(model.forward).parameters:
        arguments["decoder_input_ids"] = known
    with torch.no_grad(), _resting(model):
        try:
            return model(**arguments)
        except Exception as error:  # whatever a family of transformers raises means that it needs more than text
            text = str(error).strip().splitlines()
            raise ModelError(
                f"{type(model).__name__} does not read text alone: {type(error).__name__}"
                + (f": {text[0][:200]}" if text else ""),
                where="model.checkpoint",
                expected="a language model that takes token ids and nothing else",
            ) from None


@contextlib.contextmanager
def _resting(model: Any) -> Iterator[None]:
    was_training = model.training
    model.eval()
    try:
        yield
    finally:
        model.train(was_training)

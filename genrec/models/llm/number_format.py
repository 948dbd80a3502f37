"""The number format of frozen weights, where the settings leave it to the machine."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch

from genrec.models.llm.loaders import Part, loader_of
from genrec.models.llm.source import LanguageSource
from genrec.models.quiet import quiet_loading

FASTEST = "fastest"
_ENOUGH = 50_000_000  # parameters from which products outweigh the conversions around them


def settled(source: LanguageSource, part: Part, *, frozen: bool) -> LanguageSource:
    """A source with a number format instead of ``fastest``.

    That is bfloat16 where the processor multiplies it and a decoder is large enough to gain. Else it is float32: for
    weights that are trained, for encoder-decoders, whose states can leave what half precision is good for, and for
    small networks.

    Args:
        source: Where the model comes from.
        part: What of it is loaded.
        frozen: Whether its weights stay as they are.

    Raises:
        ModelError: There is no such model.
    """
    if source.dtype != FASTEST:
        return source
    half = frozen and source.quantize is None and multiplies_bfloat16() and _large_decoder(source, part)
    return replace(source, dtype="bfloat16" if half else "float32")


def multiplies_bfloat16() -> bool:
    """Whether the GPU, or where there is none the CPU, has instructions for products of bfloat16."""
    if torch.cuda.is_available():
        return torch.cuda.is_bf16_supported()
    features = torch.cpu.get_capabilities() if hasattr(torch.cpu, "get_capabilities") else {}
    return bool(features.get("amx_bf16") or features.get("avx512_bf16"))


def on_this_machine(model: Any) -> Any:
    """A loaded model, in float32 where this machine only emulates products of bfloat16: the numbers are the same."""
    return model.float() if model.dtype == torch.bfloat16 and not multiplies_bfloat16() else model


def _large_decoder(source: LanguageSource, part: Part) -> bool:
    config = source.config()
    if config.is_encoder_decoder:
        return False
    loader = loader_of(config, part, source.checkpoint)
    try:
        with quiet_loading(), torch.device("meta"):
            model = loader.from_config(config)
    except Exception:  # code of a checkpoint may need more than its configuration
        return False
    return sum(value.numel() for value in model.parameters()) >= _ENOUGH

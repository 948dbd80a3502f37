"""Language models and tokenizers that a saved recommender carries: content of others, checked before it is loaded."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from genrec.artifacts import tensor_shapes
from genrec.errors import ArtifactError
from genrec.models.llm.loaders import Part
from genrec.models.llm.source import LanguageSource
from genrec.models.quiet import quiet_loading
from genrec.models.saved import check_counts, check_sizes, read_config, refuse_buffers, weight_shapes
from genrec.trust import brings_code, trusts_remote_code

_UNSAVED = 1 << 24
"""Weights that a family may make by itself and keep out of its files, such as sines of positions."""


def checked_config(folder: Path) -> dict[str, Any]:
    """The configuration of a saved network around a language model, once its weights bear out its sizes.

    Raises:
        ArtifactError: They do not, or the configuration is damaged.
    """
    path = folder / "config.json"
    content = read_config(path)
    shapes = {
        f"{file.relative_to(folder)}/{name}": shape
        for file in folder.rglob("*.safetensors")
        for name, shape in tensor_shapes(file).items()
    }
    check_counts(content, shapes, path)
    codes, backbone = content.get("codebook_sizes"), content.get("backbone") or {}
    if not isinstance(codes, list) or not isinstance(backbone, dict):
        raise ArtifactError("The configuration of this network is damaged.", where=path)
    check_sizes({"codebook_sizes": sum(codes), **backbone}, shapes, path)
    return content


def check_plain(source: LanguageSource, part: Part) -> None:
    """Refuse a saved language model whose configuration asks for more than its weights hold.

    Args:
        source: Names its folder.
        part: What of it will be loaded.

    Raises:
        ArtifactError: It does, or there are no weights that can be read without running code.
    """
    if source.trusted:  # only its own code knows what it is made of
        return
    folder = Path(source.checkpoint)
    path, shapes = folder / "config.json", weight_shapes(folder)
    check_counts(read_config(path), shapes, path)
    with torch.device("meta"):
        skeleton = replace(source, random_weights=True).model(part)
    wanted, there = (
        sum(parameter.numel() for parameter in skeleton.parameters()),
        sum(math.prod(shape) for shape in shapes.values()),
    )
    if wanted > 2 * there + _UNSAVED:
        raise ArtifactError(
            f"The configuration of this language model asks for {wanted:,} weights.",
            where=path,
            expected=f"the {there:,} that are there",
        )
    refuse_buffers(skeleton, path)


def stored_tokenizer(folder: Path) -> Any:
    """The tokenizer that a saved recommender carries.

    Raises:
        ArtifactError: It is missing or damaged.
        ModelError: It brings code, and the caller has not said that it is trusted.
    """
    from transformers import AutoTokenizer

    try:
        with quiet_loading():
            tokenizer = AutoTokenizer.from_pretrained(
                str(folder), local_files_only=True, trust_remote_code=trusts_remote_code()
            )
        if not isinstance(tokenizer.model_max_length, int | float):
            raise ValueError(f"model_max_length is {tokenizer.model_max_length!r}")
        return tokenizer
    except (OSError, ValueError, KeyError, TypeError, ImportError) as error:
        if "trust_remote_code" in str(error):
            raise brings_code(folder, "This tokenizer brings Python code of its own") from None
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise ArtifactError(f"The tokenizer cannot be read: {reason}", where=folder) from None

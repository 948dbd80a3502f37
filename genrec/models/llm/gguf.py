"""GGUF files as checkpoints: decoders in one file, whose weights become plain ones when they are loaded."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

from genrec.errors import ConfigError, MissingExtraError, ModelError

SUFFIX = ".gguf"


def gguf_in(path: Path) -> Path | None:
    """The GGUF file that a path means: itself, or the only one of a folder without a ``config.json``."""
    if path.is_file() and path.suffix.lower() == SUFFIX:
        return path
    if not path.is_dir() or (path / "config.json").is_file():
        return None
    files = sorted(path.glob(f"*{SUFFIX}"))
    return files[0] if len(files) == 1 else None


def not_a_model(path: Path) -> ConfigError:
    """The error of a path that is there and holds no language model, with what it holds instead."""
    hint, names = None, sorted(file.name for file in path.glob(f"*{SUFFIX}")) if path.is_dir() else []
    if len(names) > 1:
        hint = f"There are {len(names)} GGUF files here; name one of them: {', '.join(names[:3])}"
    return ConfigError(
        f"This {'folder' if path.is_dir() else 'file'} holds no language model.",
        where=path,
        expected="a folder with config.json, as save_pretrained of transformers writes it, or a GGUF file",
        hint=hint,
    )


def require_gguf() -> None:
    """Make sure that GGUF files can be read.

    Raises:
        MissingExtraError: The package ``gguf`` is not installed.
    """
    if importlib.util.find_spec("gguf") is None:
        raise MissingExtraError("gguf", "gguf")


def check_sizes_of(path: Path) -> None:
    """Refuse a file whose header promises more than its tensors hold, before a network of that size is built.

    A file that cannot be read is left to whoever loads it.

    Args:
        path: The GGUF file; ``gguf`` is installed.

    Raises:
        ModelError: More layers than tensors stand for, or a width that no tensor has.
    """
    from gguf import GGUFReader

    try:
        reader = GGUFReader(path)
        sizes = {name: reader.fields[name].contents() for name in reader.fields if name.endswith(_SIZES)}
        layers = len({one.name.split(".")[1] for one in reader.tensors if one.name.startswith("blk.")})
        longest = max((int(side) for one in reader.tensors for side in one.shape), default=0)
    except Exception:  # what a damaged file ends in is no one kind
        return
    for name, value in sizes.items():
        most = 2 * layers if name.endswith(_SIZES[0]) else longest  # some files leave layers out that a header counts
        if isinstance(value, int) and value > most:
            raise ModelError(
                f"The header of this GGUF file says {name}: {value:,}.",
                where=path,
                expected=f"at most {most:,}, by its tensors",
                hint="The file is damaged, or was changed by hand; fetch it again.",
            )


_SIZES = (".block_count", ".embedding_length", ".feed_forward_length", ".attention.head_count", ".vocab_size")
"""Endings of the names of sizes that a network is built by; the first one counts layers."""


def without_quantizer(model: Any) -> Any:
    """The same model as one that can grow, be trained and saved: its weights are plain numbers already."""
    if hasattr(model, "hf_quantizer"):
        model.hf_quantizer = None
    for config in (model.config, model.config.get_text_config()):
        if hasattr(config, "quantization_config"):
            del config.quantization_config
    return model

"""GGUF files as checkpoints: decoders in one file, whose weights become plain ones when they are loaded."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

from genrec.errors import ConfigError, MissingExtraError

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


def without_quantizer(model: Any) -> Any:
    """The same model as one that can grow, be trained and saved: its weights are plain numbers already."""
    if hasattr(model, "hf_quantizer"):
        model.hf_quantizer = None
    for config in (model.config, model.config.get_text_config()):
        if hasattr(config, "quantization_config"):
            del config.quantization_config
    return model

"""Saved networks are foreign content: what a configuration asks for is compared with the weights before it is built.

A layer is built in Python, whatever its size, and memory is taken before a single weight is read; so counts of layers
and sizes of tables that the weights do not bear out are refused first.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import nn

from genrec.artifacts import read_json, tensor_shapes
from genrec.artifacts.tensors import tensor_types
from genrec.errors import ArtifactError, ConfigError
from genrec.models.config import CodeModelConfig
from genrec.models.patterns import check_quantization_patterns
from genrec.trust import refuse_code
from genrec.wording import count

Shapes = dict[str, tuple[int, ...]]
N = TypeVar("N", bound=nn.Module)

WEIGHTS, _PIECES = "model.safetensors", "model.safetensors.index.json"
_LAYERS = re.compile(r"(^|_)n?_?layers?$")
_UNUSUAL = 1000
"""No network has so many layers; some configurations count fewer layers than a default of theirs says."""
_BUFFERS = 1 << 27


def read_config(path: Path) -> dict[str, Any]:
    """A network's configuration.

    Raises:
        ArtifactError: It is missing or no mapping.
        ModelError: It asks for code.
    """
    try:
        content = read_json(path)
    except (OSError, ValueError, RecursionError):
        content = None
    if not isinstance(content, dict):
        raise ArtifactError("The configuration of this network is missing or damaged.", where=path)
    refuse_code(content, path)
    check_quantization_patterns(content, path)
    return content


def weight_shapes(folder: Path) -> Shapes:
    """Shapes of a network's weights by name; only headers are read.

    Raises:
        ArtifactError: There are none in safetensors files, or they are damaged.
    """
    pieces = folder / _PIECES
    names = [WEIGHTS]
    if pieces.is_file():
        content = read_json(pieces)
        names = sorted(set(content["weight_map"].values()))
        if not all(re.fullmatch(r"[\w.-]+\.safetensors", name) for name in names):
            raise ArtifactError("The weights of this network lie outside its folder.", where=pieces)
    elif not (folder / WEIGHTS).is_file():
        pickled = any(folder.glob("*.bin")) or any(folder.glob("*.pt"))
        raise ArtifactError(
            "The weights of this network are pickled: reading them could run code."
            if pickled
            else "The weights of this network are missing.",
            where=folder,
            expected=f"{WEIGHTS}, or its pieces",
        )
    return {name: shape for piece in names for name, shape in tensor_shapes(folder / piece).items()}


def check_counts(content: Mapping[str, Any], shapes: Shapes, where: object) -> None:
    """Refuse counts of layers that the weights do not bear out; a small negative number names a layer from the end.

    Args:
        content: Configuration, nested as it is.
        shapes: Of all weights.
        where: For the message.

    Raises:
        ArtifactError: There are more layers than weights.
    """
    most = max(len(shapes), _UNUSUAL)
    for key, value in content.items():
        if isinstance(value, Mapping):
            check_counts(value, shapes, where)
        elif _LAYERS.search(str(key)) and isinstance(value, int) and abs(value) > most:
            raise ArtifactError(
                f"The configuration of this network says {key}: {value}.",
                where=where,
                expected=f"no more layers than the {count(len(shapes), 'weight')} that are there",
            )


def check_sizes(sizes: Mapping[str, Any], shapes: Shapes, where: object, *, least: int = 1024) -> None:
    """Refuse sizes of which no weight has so many rows or columns.

    Args:
        sizes: Numbers by name; others are left out.
        shapes: Of all weights.
        where: For the message.
        least: Up to here everything is allowed.

    Raises:
        ArtifactError: One of them is larger than all weights.
    """
    most = max([least, *(side for shape in shapes.values() for side in shape)])
    for key, value in sizes.items():
        if isinstance(value, int) and not isinstance(value, bool) and value > most:
            raise ArtifactError(
                f"The configuration of this network says {key}: {value}.",
                where=where,
                expected=f"at most {most}, the longest side of its weights",
            )


def check_skeleton(network: nn.Module, shapes: Shapes, where: object) -> None:
    """Compare a network without memory (on torch's ``meta`` device) with the weights that are to fill it.

    Raises:
        ArtifactError: A weight is missing, has another shape, or belongs nowhere.
    """
    wanted = {name: tuple(value.shape) for name, value in network.state_dict().items()}
    same: dict[int, set[str]] = {}
    for name, parameter in network.named_parameters(remove_duplicate=False):
        same.setdefault(id(parameter), set()).add(name)
    shared = {name for names in same.values() if names & set(shapes) for name in names}
    wrong = [name for name, shape in shapes.items() if wanted.get(name) != shape]
    missing = [name for name in wanted if name not in shapes and name not in shared]
    if wrong or missing:
        raise ArtifactError(
            f"Configuration and weights of this network do not belong together: {(wrong + missing)[0]}.",
            where=where,
            expected=", ".join(f"{name} {wanted.get(name, 'nowhere')}" for name in (wrong + missing)[:3]),
        )
    refuse_buffers(network, where)


def _check_types(network: nn.Module, folder: Path) -> None:
    """Refuse whole numbers where a network has decimals: they would be taken as they are.

    Raises:
        ArtifactError: Names the first such weight.
    """
    decimal = {name for name, value in network.state_dict().items() if value.is_floating_point()}
    for piece in sorted(folder.glob("*.safetensors")):
        for name, kind in tensor_types(piece).items():
            if name in decimal and not kind.startswith(("F", "BF")):
                raise ArtifactError(
                    f"The weight {name} of this network holds numbers of type {kind}.",
                    where=piece,
                    expected="decimal numbers (F32, F16, BF16)",
                )


def refuse_buffers(network: nn.Module, where: object) -> None:
    """Refuse tables that a configuration asks for beside the weights, such as masks of all pairs of positions.

    Raises:
        ArtifactError: They are out of all proportion.
    """
    if sum(buffer.numel() for buffer in network.buffers()) > _BUFFERS:
        raise ArtifactError("The configuration of this network asks for tables of absurd size.", where=where)


def check_fields(config_class: type[CodeModelConfig], content: Mapping[str, Any], where: object) -> None:
    """Refuse a configuration with values that its fields cannot have.

    Raises:
        ArtifactError: Names the first.
    """
    try:
        config_class.check({name: content[name] for name in config_class.known_fields() & content.keys()}, str(where))
    except ConfigError as error:
        raise ArtifactError(
            f"The configuration of this network is damaged: {error.what}", where=where, expected=error.expected
        ) from None


def load_network(cls: type[N], folder: Path) -> N:
    """A network of genrec that transformers saved, after its configuration was compared with its weights.

    Args:
        cls: Its class.
        folder: With ``config.json`` and the weights.

    Raises:
        ArtifactError: They do not belong together, or are damaged.
        ModelError: The configuration asks for code.
    """
    path = folder / "config.json"
    content, shapes = read_config(path), weight_shapes(folder)
    check_counts(content, shapes, path)
    kind: Any = cls
    check_fields(kind.config_class, content, path)
    config = kind.config_class.from_dict(content)
    with torch.device("meta"):
        skeleton = kind(config)
        check_skeleton(skeleton, shapes, folder)
    _check_types(skeleton, folder)
    loaded: N = kind.from_pretrained(folder, use_safetensors=True, local_files_only=True)
    return loaded

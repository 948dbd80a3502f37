"""Quantizers: item vectors to a few integer codes. One method per file; any can replace any."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from genrec.errors import ConfigError, unknown_name
from genrec.quantizers.atomic import AtomicCodes
from genrec.quantizers.base import ItemContext, Quantizer
from genrec.quantizers.category import CategoryPath
from genrec.quantizers.concat import Concat
from genrec.quantizers.fsq import FSQ
from genrec.quantizers.hierarchical import HierarchicalKMeans
from genrec.quantizers.imported import ImportedCodes
from genrec.quantizers.parallel_vq import ParallelVQ
from genrec.quantizers.product import ProductQuantizer
from genrec.quantizers.random import RandomCodes
from genrec.quantizers.residual_fsq import ResidualFSQ
from genrec.quantizers.rq_kmeans import ResidualKMeans
from genrec.quantizers.rq_vae import RQVAE
from genrec.quantizers.sequential import SequentialCodes
from genrec.quantizers.spectral import SpectralCodes
from genrec.registry import Registry

QUANTIZERS: Registry[type[Quantizer]] = Registry(
    "genrec.quantizers",
    package="genrec.quantizers",
    decorator="QUANTIZERS.add",
    classes=(
        AtomicCodes,
        CategoryPath,
        Concat,
        FSQ,
        HierarchicalKMeans,
        ParallelVQ,
        ProductQuantizer,
        RQVAE,
        RandomCodes,
        ResidualFSQ,
        ResidualKMeans,
        SequentialCodes,
        SpectralCodes,
    ),
)
"""Quantizers by name; a new one is a file with ``@QUANTIZERS.add("its-name")``, or an entry point of a package."""

__all__ = [
    "FSQ",
    "QUANTIZERS",
    "RQVAE",
    "AtomicCodes",
    "CategoryPath",
    "Concat",
    "HierarchicalKMeans",
    "ItemContext",
    "ParallelVQ",
    "ProductQuantizer",
    "Quantizer",
    "RandomCodes",
    "ResidualFSQ",
    "ResidualKMeans",
    "SequentialCodes",
    "SpectralCodes",
    "build_quantizer",
]


def build_quantizer(content: Mapping[str, Any]) -> Quantizer:
    """An unfitted quantizer from the ``quantizer`` part of a recipe.

    Args:
        content: ``{"name": ..., **settings of that quantizer}``.

    Raises:
        ConfigError: No name, an unknown name (the nearest known one is suggested), or a wrong setting.

    Example:
        >>> build_quantizer({"name": "rq-kmeans", "levels": 4}).codebook_sizes
        (256, 256, 256, 256)
    """
    name = content.get("name")
    if name is None:
        raise ConfigError(
            "The quantizer has no name.", where="quantizer.name", expected="one of " + ", ".join(sorted(QUANTIZERS))
        )
    if name == ImportedCodes.name:  # of indexes only: a recipe has no codes to give
        return ImportedCodes.from_settings({k: v for k, v in content.items() if k != "name"})
    if name not in QUANTIZERS:
        raise unknown_name("quantizer", str(name), QUANTIZERS, where="quantizer.name")
    return QUANTIZERS[name].from_settings({k: v for k, v in content.items() if k != "name"})

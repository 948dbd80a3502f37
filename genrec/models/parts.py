"""What networks over code tokens are made of: code tables, the start of a history, backbones, terms of a loss."""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import AutoConfig, AutoModel, PreTrainedModel

from genrec.errors import ConfigError, ModelError
from genrec.exact_products import linear
from genrec.models.fused_layers import Dropout, fuse_layers
from genrec.models.legal_codes import LegalCodes, code_terms
from genrec.models.settings import RunSettings

M = TypeVar("M", bound=nn.Module)


class CodeTable(nn.Module):
    """One vector per (level, code), all levels in one matrix: ``weight (sum(sizes), dim)``."""

    def __init__(self, sizes: Sequence[int], dim: int, *, std: float = 0.02) -> None:
        super().__init__()
        self.sizes = tuple(int(size) for size in sizes)
        self.offsets = tuple(int(offset) for offset in np.r_[0, np.cumsum(self.sizes)])
        self.weight = nn.Parameter(torch.empty(self.offsets[-1], dim))
        self.std = std
        nn.init.normal_(self.weight, std=std)

    def level(self, level: int) -> Tensor:
        """Rows of one level, ``(codebook_size, dim)``."""
        return self.weight[self.offsets[level] : self.offsets[level + 1]]

    def embed(self, codes: Tensor, first_level: int = 0) -> Tensor:
        """Vectors of codes ``(..., n)`` whose last axis runs over levels from ``first_level``: ``(..., n, dim)``."""
        return F.embedding(self.rows(codes, first_level), self.weight)

    def rows(self, codes: Tensor, first_level: int = 0) -> Tensor:
        """Where codes stand in the table, of their shape; see :meth:`embed`."""
        stop = first_level + codes.shape[-1]
        return codes + torch.tensor(self.offsets[first_level:stop], dtype=torch.int64, device=codes.device)

    def logits(self, hidden: Tensor, level: int) -> Tensor:
        """Scores of the codes of one level: ``(..., dim) -> (..., codebook_size)``."""
        return hidden @ self.level(level).T

    @torch.no_grad()
    def init_from_codebooks(self, codebooks: Sequence[np.ndarray | None], seed: int = 0) -> None:
        """Start from the quantizer's codebooks: a random projection that keeps their geometry, at the table's scale.

        Args:
            codebooks: ``(codebook_size, any_dim)`` per level; None leaves that level random.
            seed: Of the projection, which is shared by levels of the same dimension.
        """
        for level, codebook in enumerate(codebooks):
            if codebook is None:
                continue
            vectors = torch.from_numpy(np.asarray(codebook, dtype=np.float32))
            generator = torch.Generator().manual_seed(seed)
            projection = torch.randn(vectors.shape[1], self.weight.shape[1], generator=generator)
            projected = vectors @ (projection / math.sqrt(vectors.shape[1]))
            projected = projected - projected.mean(0)
            rows = self.level(level)[: len(projected)]
            rows.copy_(projected * (self.std / projected.std().clamp_min(1e-12)))


def started_from_codebooks(model: M, index: Any, config: RunSettings) -> M:
    """A network, its code tables filled from the codebooks of the index where the settings ask for that."""
    network: Any = model
    if config.model.init_from_codebooks and index.codebooks is not None:
        network.init_from_codebooks(index.codebooks, config.seed)
    return model


def level_terms(
    table: CodeTable, hidden: Tensor, codes: Tensor, label_smoothing: float, legal: LegalCodes | None = None
) -> tuple[Tensor, Tensor]:
    """What every item adds to a loss, and its log-probability, each ``(n,)`` and summed over levels.

    Args:
        table: Output table; every level is normalised over its own codes.
        hidden: ``(n, levels, dim)`` states that predict each level.
        codes: ``(n, levels)`` right codes.
        label_smoothing: See :class:`CodeModelConfig`.
        legal: Normalise over the legal children of the right prefix instead.
    """
    masks = [None] * codes.shape[1] if legal is None else legal.masks(codes)
    terms = [
        code_terms(linear(hidden[:, level], table.level(level)), codes[:, level], mask, label_smoothing)
        for level, mask in enumerate(masks)
    ]
    return sum_of(terms)


def sum_of(terms: Sequence[tuple[Tensor, Tensor]]) -> tuple[Tensor, Tensor]:
    """The sum of what several levels add to a loss and to a log-probability."""
    loss, likelihood = zip(*terms, strict=True)
    return torch.stack(loss).sum(0), torch.stack(likelihood).sum(0)


class Start(nn.Module):
    """A learned vector in front of every history: what is predicted from it is what anybody may begin with."""

    def __init__(self, dim: int, *, std: float = 0.02) -> None:
        super().__init__()
        self.vector = nn.Parameter(torch.empty(dim))
        self.std = std
        nn.init.normal_(self.vector, std=std)

    def forward(self, vectors: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Put the vector before ``vectors (users, n, dim)`` and a real column before ``mask (users, n)``."""
        users = len(vectors)
        start = self.vector.expand(users, 1, -1).to(vectors.dtype)
        return torch.cat([start, vectors], dim=1), torch.cat([mask.new_ones(users, 1), mask], dim=1)


def mean_before(vectors: Tensor, mask: Tensor) -> Tensor:
    """Mean of the real vectors before every column, zeros where there are none; ``(users, items, dim)``."""
    real = mask[..., None].to(vectors.dtype)
    total, count = (vectors * real).cumsum(1), real.cumsum(1)
    before = torch.cat([torch.zeros_like(total[:, :1]), total[:, :-1]], dim=1)
    counted = torch.cat([torch.zeros_like(count[:, :1]), count[:, :-1]], dim=1)
    return before / counted.clamp_min(1)


_NO_WORDS = {"vocab_size": 1, "bos_token_id": None, "eos_token_id": None, "pad_token_id": None}


def build_backbone(settings: dict[str, Any] | None, dropout: float) -> PreTrainedModel:
    """A transformers decoder from its configuration, without a vocabulary, with dropout after every block.

    Llama-like configurations only know attention dropout; small recommenders overfit without the residual one, so it is
    added through forward hooks on the ``self_attn`` and ``mlp`` modules.

    Raises:
        ModelError: The configuration is unknown to transformers, or says nothing of a size: the sizes that transformers
            has then are those of published models, billions of parameters.
    """
    settings = dict(settings or {})
    kind = settings.pop("model_type", "qwen3")
    if not settings:
        raise ModelError(
            "The backbone has no size.",
            where="model.backbone",
            expected="settings of its transformers configuration, such as hidden_size, num_hidden_layers and "
            "num_attention_heads",
            hint="The presets have small ones: genrec config show item-decoder-small",
        )
    try:
        config = AutoConfig.for_model(kind, **{**settings, **_NO_WORDS})
        model: PreTrainedModel = AutoModel.from_config(config)
    except (ValueError, TypeError, KeyError) as error:
        reason = str(error).split(". Should contain one of")[0]  # it would name every model that there is
        hint = "The presets have backbones that work: genrec config show item-decoder-small"
        if sys.flags.optimize > 1:
            reason = "it reads docstrings, and this Python has none."
            hint = "Run Python without -OO (PYTHONOPTIMIZE=2)."
        raise ModelError(
            f"transformers cannot build this backbone: {reason}", where="model.backbone", hint=hint
        ) from None
    for name, module in model.named_modules():
        if name.rsplit(".", 1)[-1] in ("self_attn", "mlp"):
            module.register_forward_hook(Dropout(dropout))
    fuse_layers(model)
    return model


def set_dropout(backbone: nn.Module, probability: float) -> None:
    """Change the dropout that :func:`build_backbone` added."""
    for module in backbone.modules():
        for hook in module._forward_hooks.values():
            if isinstance(hook, Dropout):
                hook.probability = probability


def check_heads(dim: int, heads: int, setting: str) -> None:
    """Refuse attention whose heads cannot share a width.

    Args:
        dim: Of the vectors.
        heads: Of the attention.
        setting: Name of the network's setting that says how many.

    Raises:
        ConfigError: Fewer than one, or not a divisor.
    """
    if heads < 1 or dim % heads:
        raise ConfigError(
            f"A width of {dim} cannot be shared among heads: {heads}.",
            where=f"model.options.{setting}",
            expected="a divisor of the width",
        )


def require_numbers(network: nn.Module) -> None:
    """Refuse a network with weights that are infinite or no numbers.

    Raises:
        ModelError: Names the first.
    """
    for name, value in network.named_parameters():
        if value.is_floating_point() and not bool(torch.isfinite(value).all()):
            raise ModelError(
                f"The weights of this network are damaged: '{name}' holds values that are no numbers.",
                where="model",
                expected="finite weights",
                hint="Load another copy, or train it again.",
            )

"""What every network over code tokens shares: batches, the code table, and the prefill/step interface of decoding."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import AutoConfig, AutoModel, PreTrainedConfig, PreTrainedModel
from transformers.utils import ModelOutput

from genrec.errors import ArtifactError, ModelError
from genrec.models.legal_codes import LegalCodes, legal_cross_entropy
from genrec.trie import Trie

if TYPE_CHECKING:
    from genrec.index.semantic_index import SemanticIndex


class CodeModelConfig(PreTrainedConfig):
    """Configuration of a network over code tokens.

    Attributes:
        codebook_sizes: Number of codes of every level.
        backbone: Keyword arguments of a transformers configuration, ``model_type`` among them.
        depth_backbone: The same for the code decoder of :class:`~genrec.models.item_decoder.ItemDecoder`.
        dropout: Probability, applied to embeddings and to the output of every attention and feed-forward block.
        label_smoothing: Mass taken from the right code and spread over the codes of the level.
        max_items: Longest history (items) that the model reads.
        vector_dim: Dimension of the items' unquantized vectors, where the model reads them beside the codes; 0: it
            does not.
    """

    model_type = "genrec-code-model"

    codebook_sizes: list[int] | None = None
    backbone: dict[str, Any] | None = None
    depth_backbone: dict[str, Any] | None = None
    dropout: float = 0.1
    label_smoothing: float = 0.0
    max_items: int = 20
    vector_dim: int = 0


@dataclass
class CodeModelOutput(ModelOutput):
    """Result of a training pass.

    Attributes:
        loss: Mean negative log-likelihood of a code, summed over the levels of an item.
        n_targets: Number of predicted items that the mean is over.
    """

    loss: Tensor | None = None
    n_targets: Tensor | None = None


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
        return codes + torch.tensor(self.offsets[first_level:stop], device=codes.device)

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


@dataclass
class StepState:
    """What a model remembers between the levels of one search; a model subclasses it.

    Attributes:
        level: The level whose codes are predicted next.
        reader: What goes on with this state, in models that choose between several.
    """

    level: int = 0
    reader: Any = None


class CodeModel(PreTrainedModel):
    """A network that predicts an item's codes level by level from a history of items.

    Training reads whole histories: ``forward(codes, mask, target_mask)``. Decoding asks for two things only, and so
    works with every architecture: :meth:`prefill` reads the histories once per user, :meth:`step` scores the codes of
    the next level for every beam.
    """

    config_class = CodeModelConfig
    config: CodeModelConfig
    main_input_name = "codes"
    legal: LegalCodes | None = None
    """What the loss is restricted to, see :meth:`restrict_loss`."""
    stays_ready: bool = False
    """Whether what :meth:`decoding` prepares is kept between its uses, as a model needs that answers single requests.
    It ends with training mode, or :meth:`end_decoding`, to be called before weights are changed by other means."""

    @property
    def codebook_sizes(self) -> tuple[int, ...]:
        """Number of codes of every level."""
        return tuple(self.config.codebook_sizes or ())

    @property
    def n_levels(self) -> int:
        """Number of codes of one item."""
        return len(self.codebook_sizes)

    @abstractmethod
    def forward(
        self, codes: Tensor, mask: Tensor, target_mask: Tensor | None = None, vectors: Tensor | None = None
    ) -> CodeModelOutput:
        """Training loss of a batch of histories.

        Args:
            codes: ``(users, items, levels)`` int64, oldest item first; padding holds any valid code.
            mask: ``(users, items)`` bool, False at padding.
            target_mask: ``(users, items)`` bool: which items count as targets (default: all).
            vectors: ``(users, items, vector_dim)`` float32 item vectors, for models that read them.
        """

    @abstractmethod
    def prefill(self, codes: Tensor, mask: Tensor, vectors: Tensor | None = None) -> StepState:
        """Read histories (shapes as in :meth:`forward`; a row may be empty), once per user."""

    @abstractmethod
    def step(self, state: StepState, codes: Tensor | None = None, parents: Tensor | None = None) -> Tensor:
        """Scores of the codes of level ``state.level``; advances the state.

        Args:
            state: From :meth:`prefill` or the step before.
            codes: ``(users, beams)`` codes chosen at the level before; None at the first level.
            parents: ``(users, beams)`` which beam of the step before each beam continues; None at the first level.

        Returns:
            ``(users, beams, codebook_size)`` logits (one beam at the first level).
        """

    @contextmanager
    def decoding(self) -> Iterator[None]:
        """Around calls of :meth:`prefill` and :meth:`step` between which no weight changes.

        What is prepared for them (copies of weights in another layout, for instance) is given up at the end, or kept
        for the next time where the model ``stays_ready``.
        """
        yield

    def end_decoding(self) -> None:
        """Give up what :meth:`decoding` has kept; weights may then change."""

    def train(self, mode: bool = True) -> CodeModel:
        """Training and evaluation mode, as every module; copies of weights that a search holds end with either."""
        if mode != self.training:
            self.end_decoding()
            search = getattr(self, "search", None)
            if search is not None:
                search.forget()
        return super().train(mode)

    def restrict_loss(self, trie: Trie | None) -> None:
        """Train with a softmax over the legal children of the right prefix; None: all codes.

        Codes without siblings then cost nothing, and scores of other codes mean nothing: decode with ``normalize:
        children``.
        """
        self.legal = None if trie is None else LegalCodes(trie)

    def bind(self, index: SemanticIndex) -> None:
        """Get ready for the items of an index.

        Raises:
            ArtifactError: The index has other codes.
        """
        if self.codebook_sizes != tuple(index.codebook_sizes):
            raise ArtifactError(
                f"The model speaks codes of sizes {list(self.codebook_sizes)}, the index has "
                f"{list(index.codebook_sizes)}.",
                hint="Train the model on this index.",
            )

    def read_vectors(self, index: SemanticIndex) -> np.ndarray:
        """Item vectors as the model reads them, ``(n_items, vector_dim)`` float32."""
        return index.vectors()

    def init_from_codebooks(self, codebooks: Sequence[np.ndarray | None], seed: int = 0) -> None:
        """Start every code table from the codebooks of the quantizer (see :meth:`CodeTable.init_from_codebooks`)."""
        for module in self.modules():
            if isinstance(module, CodeTable):
                module.init_from_codebooks(codebooks, seed)

    def _init_weights(self, module: nn.Module) -> None:
        if isinstance(module, CodeTable):
            nn.init.normal_(module.weight, std=module.std)
        elif isinstance(module, Start):
            nn.init.normal_(module.vector, std=module.std)
        else:
            super()._init_weights(module)


def level_loss(
    table: CodeTable, hidden: Tensor, codes: Tensor, label_smoothing: float, legal: LegalCodes | None = None
) -> Tensor:
    """Negative log-likelihood of items, summed over levels, mean over items.

    Args:
        table: Output table; every level is normalised over its own codes.
        hidden: ``(n, levels, dim)`` states that predict each level.
        codes: ``(n, levels)`` right codes.
        label_smoothing: See :class:`CodeModelConfig`.
        legal: Normalise over the legal children of the right prefix instead.
    """
    if legal is None:
        terms = [
            F.cross_entropy(table.logits(hidden[:, level], level), codes[:, level], label_smoothing=label_smoothing)
            for level in range(codes.shape[1])
        ]
    else:
        masks = legal.masks(codes)
        terms = [
            legal_cross_entropy(
                table.logits(hidden[:, level], level), codes[:, level], masks[level], label_smoothing
            ).mean()
            for level in range(codes.shape[1])
        ]
    return torch.stack(terms).sum()


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


def build_backbone(settings: dict[str, Any] | None, dropout: float) -> PreTrainedModel:
    """A transformers decoder from its configuration, without a vocabulary, with dropout after every block.

    Llama-like configurations only know attention dropout; small recommenders overfit without the residual one, so it is
    added through forward hooks on the ``self_attn`` and ``mlp`` modules.

    Raises:
        ModelError: The configuration is unknown to transformers.
    """
    settings = dict(settings or {})
    try:
        config = AutoConfig.for_model(settings.pop("model_type", "qwen3"), vocab_size=1, **settings)
        config.bos_token_id = config.eos_token_id = config.pad_token_id = None
        model: PreTrainedModel = AutoModel.from_config(config)
    except (ValueError, TypeError, KeyError) as error:
        raise ModelError(f"transformers cannot build this backbone: {error}", where="model.backbone") from None
    for name, module in model.named_modules():
        if name.rsplit(".", 1)[-1] in ("self_attn", "mlp"):
            module.register_forward_hook(_Dropout(dropout))
    return model


def set_dropout(backbone: nn.Module, probability: float) -> None:
    """Change the dropout that :func:`build_backbone` added."""
    for module in backbone.modules():
        for hook in module._forward_hooks.values():
            if isinstance(hook, _Dropout):
                hook.probability = probability


class _Dropout:
    def __init__(self, probability: float) -> None:
        self.probability = probability

    def __call__(self, module: nn.Module, inputs: Any, output: Any) -> Any:
        if not module.training or not self.probability:
            return output
        if isinstance(output, tuple):
            return (F.dropout(output[0], self.probability), *output[1:])
        return F.dropout(output, self.probability)

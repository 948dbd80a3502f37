"""A language model that reads what a sequence model knows of every item, as one soft token beside its title: LLaRA.

The place of the last code of an item holds no row of the vocabulary but ``MLP(vector of the item)``, whose vector comes
from the index and stays as it is (arXiv 2312.02445). At that place the item is complete, so nothing is told too early:
neither in training on whole histories nor while an item is searched.
"""

from __future__ import annotations

import copy
import threading
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Self

import torch
from torch import Tensor, nn

from genrec.errors import ModelError
from genrec.models.legal_codes import LegalCodes
from genrec.models.llm.base import Targets
from genrec.models.llm.creation import language_fields, row_start
from genrec.models.llm.language_model import LanguageModel, LanguageModelConfig
from genrec.models.outputs import StepState
from genrec.models.predictor import StepOutput
from genrec.models.registry import network

if TYPE_CHECKING:
    from genrec.index.semantic_index import SemanticIndex
    from genrec.models.settings import RunSettings


class SoftItemsConfig(LanguageModelConfig):
    """Configuration of :class:`SoftItems`.

    Attributes:
        projector: Width of the hidden layer between item vectors and input vectors.
    """

    model_type = "genrec-soft-items"

    projector: int = 256


class _Items(NamedTuple):
    """The catalogue: which item a semantic ID is, and the vector of every item, ``(n_items, vector_dim)``."""

    paths: LegalCodes
    vectors: Tensor


@network("soft-items")
class SoftItems(LanguageModel):
    """Writes codes like :class:`LanguageModel`; in what it reads, an item ends with its projected vector."""

    config_class = SoftItemsConfig
    config: SoftItemsConfig
    reads_vectors: ClassVar[bool] = True

    def _add_parts(self, base: Any) -> None:
        table = base.get_input_embeddings().weight
        hidden, dim = self.config.projector, int(table.shape[1])
        last = nn.Linear(hidden, dim)
        nn.init.normal_(last.weight, std=2 * float(table.detach().float().std()) * hidden**-0.5)
        nn.init.zeros_(last.bias)
        first = nn.Linear(self.config.vector_dim, hidden)
        self.projector = nn.Sequential(nn.LayerNorm(self.config.vector_dim), first, nn.GELU(), last)
        self._items: _Items | None = None
        self._bound_to: str | None = None
        self._now = threading.local()  # whose items are meant: twins share the language model
        self._handle: Any = None
        self._attach()

    def _attach(self) -> None:
        """Have the language model's input vectors pass :meth:`_with_soft_items`."""
        if self._handle is not None:
            self._handle.remove()
        projector, now, labels = self.projector, self._now, self.labels

        def replace(module: Any, inputs: tuple[Any, ...], output: Tensor) -> Tensor:
            items = getattr(now, "items", None)
            return output if items is None else _with_soft_items(inputs[0], output, labels, items, projector)

        self._handle = self.base.get_input_embeddings().register_forward_hook(replace)

    @classmethod
    def create(cls, index: SemanticIndex, config: RunSettings) -> Self:
        """See :meth:`LanguageBase.create`."""
        fields = language_fields(config, index, cls.config_class.known_fields())
        fields["vector_dim"] = int(index.vectors().shape[1])
        return cls.build(cls.config_class(**fields), row_start(config, index)).bind(index)

    def bind(self, index: SemanticIndex) -> Self:
        """See :meth:`CodeModel.bind`; takes over the vectors of the items."""
        super().bind(index)
        vectors = index.vectors()
        if vectors.shape[1] != self.config.vector_dim:
            raise ModelError(
                f"The index has vectors of dimension {vectors.shape[1]}, the model reads {self.config.vector_dim}."
            )
        bound = self if self._bound_to in (None, index.fingerprint) else copy.copy(self)  # shares the weights
        bound._bound_to = index.fingerprint
        bound.set_items(LegalCodes(index.trie), torch.tensor(vectors, dtype=torch.float32))
        return bound

    def set_items(self, paths: LegalCodes, vectors: Tensor) -> None:
        """The catalogue: semantic IDs and ``(n_items, vector_dim)`` vectors."""
        self._items = _Items(paths, vectors)

    def merge(self) -> None:
        """See :meth:`LanguageBase.merge`."""
        super().merge()
        self._attach()

    def targets(self, input_ids: Tensor, attention_mask: Tensor, labels: Tensor) -> Targets:
        """See :meth:`LanguageBase.targets`."""
        self._mean_these()
        return super().targets(input_ids, attention_mask, labels)

    def prefill(self, input_ids: Tensor, attention_mask: Tensor) -> StepState:  # type: ignore[override]
        """See :meth:`LanguageModel.prefill`."""
        self._mean_these()
        return super().prefill(input_ids, attention_mask)

    def step(  # type: ignore[override]
        self, state: StepState, codes: Tensor | None = None, parents: Tensor | None = None
    ) -> StepOutput:
        """See :meth:`LanguageModel.step`."""
        self._mean_these()
        return super().step(state, codes, parents)

    def _prepare_decoding(self) -> None:
        super()._prepare_decoding()
        self._mean_these()

    def _mean_these(self) -> None:
        if self._items is None:
            raise ModelError("The model knows no items.", hint="Call bind(index).")
        if self._items.vectors.device != self.device:
            self._items = self._items._replace(vectors=self._items.vectors.to(self.device))
        self._now.items = self._items


def _with_soft_items(ids: Tensor, vectors: Tensor, labels: Any, items: _Items, projector: nn.Module) -> Tensor:
    """Input vectors ``(rows, n, dim)`` of tokens ``(rows, n)``, those of whole items ending with the soft token."""
    starts, codes = labels.find(ids.flatten())
    places = starts + labels.n_levels - 1
    inside = starts // ids.shape[1] == places // ids.shape[1]  # of one row, not of the end of one and the next
    found = items.paths.items(codes)
    known = inside & (found >= 0)
    if not bool(known.any()):
        return vectors
    soft = projector(items.vectors[found[known]].to(next(projector.parameters()).dtype))
    return vectors.flatten(0, 1).index_copy(0, places[known], soft.to(vectors.dtype)).view_as(vectors)

"""A language model that reads what a sequence model knows of every item, as one soft token beside its title: LLaRA.

The place of the last code of an item holds no row of the vocabulary but ``MLP(vector of the item)``, whose vector comes
from the index and stays as it is (arXiv 2312.02445). At that place the item is complete, so nothing is told too early:
neither in training on whole histories nor while an item is searched.
"""

from __future__ import annotations

import threading
from typing import Any

from torch import Tensor, nn

from genrec.config import Width
from genrec.models.llm.code_labels import CodeLabels
from genrec.models.llm.known_items import ItemReader, KnownItems
from genrec.models.llm.language_model import LanguageModel, LanguageModelConfig
from genrec.models.outputs import StepState
from genrec.models.predictor import StepOutput
from genrec.models.registry import network


class SoftItemsConfig(LanguageModelConfig):
    """Configuration of :class:`SoftItems`.

    Attributes:
        projector: Width of the hidden layer between item vectors and input vectors.
    """

    model_type = "genrec-soft-items"

    projector: Width = 256


@network("soft-items")
class SoftItems(ItemReader, LanguageModel):
    """Writes codes like :class:`LanguageModel`; in what it reads, an item ends with its projected vector."""

    config_class = SoftItemsConfig
    config: SoftItemsConfig

    def _add_parts(self, base: Any) -> None:
        table = base.get_input_embeddings().weight
        hidden, dim = self.config.projector, int(table.shape[1])
        last = nn.Linear(hidden, dim)
        nn.init.normal_(last.weight, std=2 * float(table.detach().float().std()) * hidden**-0.5)
        nn.init.zeros_(last.bias)
        first = nn.Linear(self.config.vector_dim, hidden)
        self.projector = nn.Sequential(nn.LayerNorm(self.config.vector_dim), first, nn.GELU(), last)
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

    def merge(self) -> None:
        """See :meth:`LanguageBase.merge`."""
        super().merge()
        self._attach()

    def label_states(self, input_ids: Tensor, attention_mask: Tensor, labels: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """See :meth:`LanguageModel.label_states`."""
        self._mean_these()
        return super().label_states(input_ids, attention_mask, labels)

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
        self._now.items = self.known_items()


def _with_soft_items(
    ids: Tensor, vectors: Tensor, labels: CodeLabels, items: KnownItems, projector: nn.Module
) -> Tensor:
    """Input vectors ``(rows, n, dim)`` of tokens ``(rows, n)``, those of whole items ending with the soft token."""
    starts, known = items.find(ids, labels)
    if not len(starts):
        return vectors
    soft = projector(known.to(next(projector.parameters()).dtype))
    places = starts + labels.n_levels - 1
    return vectors.flatten(0, 1).index_copy(0, places, soft.to(vectors.dtype)).view_as(vectors)

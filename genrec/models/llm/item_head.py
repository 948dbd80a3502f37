"""A language model with an item projection head: all items are scored in one step (Lite-LLM4Rec, arXiv 2402.09543).

Nothing is generated, which makes it the honest ablation of generation.
"""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from genrec.errors import ArtifactError, ModelError
from genrec.models.beam_tree import last_real, positions
from genrec.models.legal_codes import LegalCodes, code_terms
from genrec.models.llm.base import IGNORE, LanguageBase, Targets
from genrec.models.llm.config import LanguageConfig
from genrec.models.llm.loaders import Part, is_causal
from genrec.models.outputs import StepState
from genrec.models.predictor import ItemScores
from genrec.models.registry import network
from genrec.models.settings import RunSettings
from genrec.trie import Trie
from genrec.wording import count


class ItemHeadModelConfig(LanguageConfig):
    """Configuration of :class:`ItemHeadModel`."""

    model_type = "genrec-item-head"


@network("item-head")
class ItemHeadModel(LanguageBase):
    """One linear layer from the state of a prompt to all items.

    The state is that of the newest token of a decoder, or the mean over the tokens of an encoder.
    """

    config_class = ItemHeadModelConfig
    part: ClassVar[Part] = "states"
    codes_only: ClassVar[bool] = True
    scores_items: ClassVar[bool] = True
    paths: LegalCodes | None = None

    @property
    def reads_apart(self) -> bool:
        """Always: the item is no part of the text."""
        return True

    def _add_parts(self, base: Any) -> None:
        self.causal = is_causal(base.config)
        self.dropout = nn.Dropout(self.config.dropout)
        size = base.config.get_text_config().hidden_size
        self.items = nn.Linear(size, self.config.n_items)
        nn.init.normal_(self.items.weight, std=size**-0.5)
        nn.init.zeros_(self.items.bias)

    @classmethod
    def settings_read(cls, config: RunSettings) -> frozenset[str]:
        """See :meth:`CodeModel.settings_read`; a softmax over items is one over legal codes already."""
        return super().settings_read(config) - {"model.trie_masked_loss"}

    def prepare(self, trie: Trie, *, trie_masked_loss: bool) -> None:
        """Remember which item every path is. A softmax over items is one over legal paths already."""
        self.paths = LegalCodes(trie)

    def check_items(self, n_items: int) -> None:
        """The head has one row an item.

        Raises:
            ArtifactError: The index has another number of items.
        """
        if n_items != self.config.n_items:
            raise ArtifactError(
                f"The item head knows {count(self.config.n_items, 'item')}, the index has {n_items}.",
                hint="Train it on this index; only models that write codes can name items that are new to them.",
            )

    def _logits(self, input_ids: Tensor, mask: Tensor) -> Tensor:
        """Scores of all items, ``(rows, n_items)``."""
        arguments: dict[str, Any] = {"position_ids": positions(mask), "use_cache": False} if self.causal else {}
        hidden = self.base(input_ids=input_ids, attention_mask=mask, **arguments).last_hidden_state
        if self.causal:
            state = hidden[torch.arange(len(hidden), device=hidden.device), last_real(mask.bool())]
        else:
            weights = mask[..., None].to(hidden)
            state = (hidden * weights).sum(1) / weights.sum(1).clamp_min(1)
        logits: Tensor = self.items(self.dropout(state.to(self.items.weight.dtype)))
        return logits

    def targets(self, input_ids: Tensor, attention_mask: Tensor, labels: Tensor) -> Targets:
        """See :meth:`LanguageBase.targets`: one item a row, its code tokens are the labels.

        Raises:
            ModelError: The model does not know the catalogue's paths (:meth:`prepare`).
        """
        if self.paths is None:
            raise ModelError("The item head cannot be trained without the catalogue's paths.", hint="Call prepare.")
        _, codes = self.labels.find(labels[labels != IGNORE])
        smoothing = self.config.label_smoothing if self.training else 0.0
        logits = self._logits(input_ids, attention_mask).float()
        terms = code_terms(logits, self.paths.items(codes), label_smoothing=smoothing)
        return Targets.one_item_each(terms, codes)

    def prefill(self, input_ids: Tensor, attention_mask: Tensor) -> ItemScores:  # type: ignore[override]
        """Scores of all items for prompts ``(users, n)``."""
        return ItemScores(self._logits(input_ids, attention_mask))

    def step(self, state: StepState, codes: Tensor | None = None, parents: Tensor | None = None) -> Tensor:
        """There are no steps.

        Raises:
            TypeError: Always; decoding ranks the scores of :meth:`prefill`.
        """
        raise TypeError("A model with an item head scores items at once; there are no codes to step through.")

"""A pretrained decoder that says all codes of the next item in one pass: multi-token prediction with gated LoRA.

Behind the prompt stands one learned mask vector a level. The adapter works at these places alone, so that what the
language model reads of a prompt stays what it was (arXiv 2507.11851). The score of an item is the sum over its codes.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from genrec.errors import ModelError
from genrec.models.beam_tree import positions
from genrec.models.llm.base import IGNORE, LanguageBase, Targets
from genrec.models.llm.config import LanguageConfig
from genrec.models.llm.loaders import Part, is_causal
from genrec.models.outputs import StepState
from genrec.models.parts import CodeTable, level_terms
from genrec.models.predictor import StepOutput
from genrec.models.registry import network
from genrec.models.settings import RunSettings


class MaskSlotsConfig(LanguageConfig):
    """Configuration of :class:`MaskSlots`.

    Attributes:
        gated: Whether the adapter works at the mask vectors alone.
    """

    model_type = "genrec-mask-slots"

    gated: bool = True


@dataclass
class MaskSlotsState(StepState):
    """Search state: log-probabilities of all codes, per level ``(users, codebook_size)``."""

    slots: list[Tensor] = field(default_factory=list)


@network("mask-slots")
class MaskSlots(LanguageBase):
    """A decoder with a mask vector a level behind the prompt, and a table of codes that reads the states there."""

    config_class = MaskSlotsConfig
    config: MaskSlotsConfig
    part: ClassVar[Part] = "states"
    codes_only: ClassVar[bool] = True

    @classmethod
    def settings_read(cls, config: RunSettings) -> frozenset[str]:
        """See :meth:`CodeModel.settings_read`; and its code table."""
        return super().settings_read(config) | {"model.init_from_codebooks"}

    @property
    def parallel(self) -> bool:
        """Always: no code is known when the others are predicted."""
        return True

    @property
    def reads_apart(self) -> bool:
        """Always: the codes are no part of what is read."""
        return True

    def _add_parts(self, base: Any) -> None:
        if not is_causal(base.config):
            raise ModelError("Mask slots stand behind the prompt of a decoder; this model is none.")
        rows = base.get_input_embeddings().weight.detach().float()
        size = base.config.get_text_config().hidden_size
        self.slots = nn.Parameter(rows.mean(0) + rows.std() * torch.randn(self.n_levels, rows.shape[1]))
        self.output_table = CodeTable(self.codebook_sizes, size, std=size**-0.5)
        self.dropout = nn.Dropout(self.config.dropout)
        self._now = threading.local()  # what the adapter is multiplied by, where a pass of this thread is gated
        if self.config.gated:
            self._gate_adapter()

    def _gate_adapter(self) -> None:
        """Let every LoRA layer add its update times the gate."""
        now = self._now

        def gate(module: Any, inputs: Any, output: Tensor) -> Tensor:
            value = getattr(now, "gate", None)
            return output if value is None else output * value.to(output.dtype)

        for name, module in self.lm.named_modules():
            if ".lora_B." in name:
                module.register_forward_hook(gate)

    def _hidden(self, input_ids: Tensor, mask: Tensor) -> Tensor:
        """States at the mask vectors and before, ``(rows, n + levels, dim)``, from one pass."""
        words = self.base.get_input_embeddings()(input_ids)
        slots = self.slots.to(words.dtype).expand(len(words), -1, -1)
        columns = torch.cat([mask, mask.new_ones(len(mask), self.n_levels)], dim=1)
        self._now.gate = (torch.arange(columns.shape[1], device=mask.device) >= mask.shape[1])[None, :, None]
        try:
            hidden: Tensor = self.base(
                inputs_embeds=torch.cat([words, slots], dim=1),
                attention_mask=columns,
                position_ids=positions(columns),
                use_cache=False,
            ).last_hidden_state
        finally:
            self._now.gate = None
        return hidden

    def _at_slots(self, input_ids: Tensor, mask: Tensor) -> Tensor:
        states = self._hidden(input_ids, mask)[:, -self.n_levels :]
        result: Tensor = self.dropout(states.to(self.output_table.weight.dtype))
        return result

    def targets(self, input_ids: Tensor, attention_mask: Tensor, labels: Tensor) -> Targets:
        """See :meth:`LanguageBase.targets`: one semantic ID a row, its code tokens are the labels."""
        _, right = self.labels.find(labels[labels != IGNORE])
        smoothing = self.config.label_smoothing if self.training else 0.0
        states = self._at_slots(input_ids, attention_mask)
        return Targets.one_item_each(level_terms(self.output_table, states, right, smoothing, self.legal), right)

    def prefill(self, input_ids: Tensor, attention_mask: Tensor) -> MaskSlotsState:  # type: ignore[override]
        """Read prompts ``(users, n)`` and predict all levels."""
        states = self._at_slots(input_ids, attention_mask)
        logits = [self.output_table.logits(states[:, level], level) for level in range(self.n_levels)]
        return MaskSlotsState(slots=[one.float().log_softmax(-1) for one in logits])

    def slot_scores(self, state: MaskSlotsState) -> list[Tensor]:
        """See :meth:`CodeModel.slot_scores`."""
        return state.slots

    def step(  # type: ignore[override]
        self, state: StepState, codes: Tensor | None = None, parents: Tensor | None = None
    ) -> StepOutput:
        """See :meth:`CodeModel.step`; every beam has the same scores, so nothing is computed here."""
        if not isinstance(state, MaskSlotsState):
            raise TypeError("step needs the state that prefill returned.")
        scores = state.slots[state.level][:, None]
        beams = 1 if codes is None else codes.shape[1]
        state.level += 1
        nothing = scores.new_zeros(1, 1)
        return StepOutput(scores.expand(-1, beams, -1), lambda: nothing.expand(len(scores), beams))

    def merge(self) -> None:
        """Refused where the adapter is gated: inside the weights it would work everywhere.

        Raises:
            ModelError: It is.
        """
        if self.config.gated and hasattr(self.lm, "peft_config"):
            raise ModelError(
                "A gated adapter cannot be merged: it works at the mask vectors alone.", hint="Leave it as it is."
            )
        super().merge()

"""A pretrained text encoder with a code decoder that starts from nothing: Mender's shape (arXiv 2412.08604)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
from torch import Tensor, nn
from transformers import T5Config, T5Model

from genrec.errors import ModelError
from genrec.models.llm.base import IGNORE, LanguageBase, Targets
from genrec.models.llm.config import LanguageConfig
from genrec.models.llm.loaders import Part
from genrec.models.outputs import StepState
from genrec.models.parts import CodeTable, Start, level_terms
from genrec.models.registry import network
from genrec.models.seq2seq import NO_WORDS, read_answers, read_codes, without_type
from genrec.models.settings import RunSettings
from genrec.models.t5.search import T5Search
from genrec.models.t5.stock_blocks import key_bias

_DECODER: dict[str, Any] = {"d_model": 128, "d_kv": 32, "d_ff": 512, "num_decoder_layers": 4, "num_heads": 4}


class TextEncoderModelConfig(LanguageConfig):
    """Configuration of :class:`TextEncoderModel`; ``backbone`` holds fields of ``T5Config`` for the decoder."""

    model_type = "genrec-text-encoder"


@network("text-encoder")
class TextEncoderModel(LanguageBase):
    """A text encoder (MiniLM, BERT, the encoder of a T5) reads the prompt, a T5 decoder writes the codes.

    The encoder is tuned as ``tuning`` says, the decoder and the bridge to it are always trained.
    """

    config_class = TextEncoderModelConfig
    part: ClassVar[Part] = "states"
    codes_only: ClassVar[bool] = True

    @property
    def reads_apart(self) -> bool:
        """Always: the decoder's vocabulary is not the encoder's."""
        return True

    def _add_parts(self, base: Any) -> None:
        settings = {**_DECODER, "dropout_rate": self.config.dropout, **without_type(self.config.backbone)}
        try:
            config = T5Config(**{**settings, **NO_WORDS, "num_layers": 1})
        except (TypeError, ValueError) as error:
            raise ModelError(f"transformers cannot build this decoder: {error}", where="model.backbone") from None
        self.decoder = T5Model(config).decoder
        self.decoder.embed_tokens.requires_grad_(False)  # never read
        self.search = T5Search(None, self.decoder)
        self.bridge = nn.Linear(base.config.get_text_config().hidden_size, config.d_model)
        self.input_table = CodeTable(self.codebook_sizes, config.d_model, std=1.0)
        self.output_table = CodeTable(self.codebook_sizes, config.d_model, std=config.d_model**-0.5)
        self.decoder_start = Start(config.d_model, std=1.0)

    def _encode(self, input_ids: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """What the decoder reads, ``(rows, n, dim)``, and its additive mask."""
        hidden = self.base(input_ids=input_ids, attention_mask=mask).last_hidden_state
        memory = self.bridge(hidden.to(self.bridge.weight.dtype))
        return memory, key_bias(mask.bool(), memory.dtype)

    @classmethod
    def settings_read(cls, config: RunSettings) -> frozenset[str]:
        """See :meth:`CodeModel.settings_read`; and the decoder."""
        return super().settings_read(config) | {"model.backbone", "model.init_from_codebooks"}

    def targets(self, input_ids: Tensor, attention_mask: Tensor, labels: Tensor) -> Targets:
        """See :meth:`LanguageBase.targets`: one semantic ID a row, its code tokens are the labels."""
        _, right = self.labels.find(labels[labels != IGNORE])
        hidden = read_answers(
            self.decoder, self.decoder_start, self.input_table, right, *self._encode(input_ids, attention_mask)
        )
        smoothing = self.config.label_smoothing if self.training else 0.0
        terms = level_terms(self.output_table, hidden, right, smoothing, self.legal)
        return Targets.one_item_each(terms, right)

    def prefill(self, input_ids: Tensor, attention_mask: Tensor) -> StepState:  # type: ignore[override]
        """Read prompts: ``input_ids (users, n)`` int64 and ``attention_mask (users, n)``."""
        return self.search.begin(*self._encode(input_ids, attention_mask))

    def step(self, state: StepState, codes: Tensor | None = None, parents: Tensor | None = None) -> Tensor:
        """See :meth:`CodeModel.step`."""
        hidden = read_codes(self.search, self.decoder_start, self.input_table, state, codes, parents)
        return self.output_table.logits(hidden, state.level - 1)

    def init_from_codebooks(self, codebooks: Sequence[np.ndarray | None], seed: int = 0) -> None:
        """Start the decoder's tables from the codebooks; the encoder's rows are filled when it is built."""
        for table in (self.input_table, self.output_table):
            table.init_from_codebooks(codebooks, seed)

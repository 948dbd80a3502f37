"""A decoder over flat code tokens, trained on whole histories with a loss at every item."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor
from transformers import DynamicCache

from genrec.models.base import CodeModel
from genrec.models.beam_tree import BeamTree, newest_of, read_beams, read_prefix
from genrec.models.config import CodeModelConfig
from genrec.models.fused_layers import dropout
from genrec.models.outputs import CodeModelOutput, StepState
from genrec.models.parts import CodeTable, Start, build_backbone, level_terms
from genrec.models.registry import network


class CodeDecoderConfig(CodeModelConfig):
    """Configuration of :class:`CodeDecoder`."""

    model_type = "genrec-decoder"


@dataclass
class CodeDecoderState(StepState):
    """Search state: the newest hidden state, the history's cache with the tree behind it, the token count per user."""

    newest: Tensor | None = None
    cache: DynamicCache | None = None
    tree: BeamTree | None = None
    lengths: Tensor | None = None


@network("decoder")
class CodeDecoder(CodeModel):
    """Every item is ``n_levels`` tokens of one causal sequence (Llama, Qwen3 or any decoder that takes 4-D masks)."""

    answers: ClassVar[frozenset[str]] = frozenset({"states"})
    config_class = CodeDecoderConfig

    def __init__(self, config: CodeDecoderConfig) -> None:
        super().__init__(config)
        self.backbone = build_backbone(config.backbone, config.dropout)
        dim = self.backbone.config.hidden_size
        self.input_table = CodeTable(self.codebook_sizes, dim)
        self.output_table = CodeTable(self.codebook_sizes, dim)
        self.start = Start(dim)
        self.post_init()

    @property
    def state_dim(self) -> int:
        """See :attr:`CodeModel.state_dim`."""
        return int(self.backbone.config.hidden_size)

    def _tokens(self, codes: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Vectors of the start and of every code, ``(users, 1 + items * levels, dim)``, and their mask."""
        tokens = self.input_table.embed(codes).flatten(1, 2)
        vectors, token_mask = self.start(tokens, mask.repeat_interleave(self.n_levels, dim=1))
        return dropout(vectors, self.config.dropout, self.training), token_mask

    def forward(
        self, codes: Tensor, mask: Tensor, target_mask: Tensor | None = None, vectors: Tensor | None = None
    ) -> CodeModelOutput:
        """See :meth:`CodeModel.forward`; one pass gives a loss at every item. Item vectors are not read."""
        users, items, levels = codes.shape
        targets = mask if target_mask is None else mask & target_mask
        tokens, token_mask = self._tokens(codes, mask)
        hidden = read_prefix(self.backbone, token_mask, None, inputs_embeds=tokens)
        # Column j predicts token j, because the start stands in front; group the columns by item.
        predicting = hidden[:, :-1].reshape(users, items, levels, -1)[targets]
        right = codes[targets]
        smoothing = self.config.label_smoothing if self.training else 0.0
        terms = level_terms(self.output_table, predicting, right, smoothing, self.legal)
        rows, places = targets.nonzero(as_tuple=True)
        return CodeModelOutput.of(terms, rows, len(codes), places=places, states=predicting[:, 0], targets=right)

    def prefill(self, codes: Tensor, mask: Tensor, vectors: Tensor | None = None) -> CodeDecoderState:
        """See :meth:`CodeModel.prefill`."""
        tokens, token_mask = self._tokens(codes, mask)
        cache = DynamicCache()
        hidden = read_prefix(self.backbone, token_mask, cache, inputs_embeds=tokens)
        lengths = token_mask.sum(1, keepdim=True)
        return CodeDecoderState(
            newest=newest_of(hidden, token_mask), cache=cache, tree=BeamTree(token_mask), lengths=lengths
        )

    def step(self, state: StepState, codes: Tensor | None = None, parents: Tensor | None = None) -> Tensor:
        """See :meth:`CodeModel.step`."""
        if not isinstance(state, CodeDecoderState) or state.newest is None or state.tree is None:
            raise TypeError("step needs the state that prefill returned.")
        level = state.level
        if codes is None or parents is None or state.lengths is None:
            hidden = state.newest[:, None]
        else:
            vectors = self.input_table.embed(codes[..., None], level - 1)[..., 0, :]
            places = state.lengths + level - 1
            hidden = read_beams(self.backbone, state.tree, parents, places, state.cache, inputs_embeds=vectors)
        state.level += 1
        return self.output_table.logits(hidden, level)

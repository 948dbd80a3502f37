"""Any Hugging Face causal language model with code tokens in its vocabulary, as decoding wants it."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from transformers import DynamicCache

from genrec.errors import ModelError
from genrec.models.beam_tree import BeamTree, fork, newest_of, read_beams, read_prefix
from genrec.models.hf.base import HFPredictor
from genrec.models.hf.packed_prompts import NAME as PACKED
from genrec.models.hf.vocabulary_head import CodeTokenIds, VocabularyHead
from genrec.models.outputs import StepState
from genrec.models.predictor import StepOutput
from genrec.wording import count

_ATTENTION = ("eager", "sdpa", PACKED)
_LAYERS = ("full_attention", "sliding_attention")
_WINDOWS = ("window", "window_size", "local_attention", "attention_chunk_size")  # what their sizes are called


@dataclass
class HFCausalState(StepState):
    """Search state: the newest hidden state, the prompt's cache with the tree behind it, the prompt's length."""

    newest: Tensor | None = None
    cache: DynamicCache | None = None
    tree: BeamTree | None = None
    lengths: Tensor | None = None

    def of_user(self, user: int) -> HFCausalState:
        """What was read for one user, before any step."""
        if self.newest is None or self.cache is None or self.tree is None or self.lengths is None:
            raise TypeError("The prompt was not read.")
        part, cache = slice(user, user + 1), fork(self.cache)
        cache.batch_select_indices(torch.tensor([user], device=self.newest.device))
        tree = BeamTree(self.tree.prefix_mask[part])
        return HFCausalState(newest=self.newest[part], cache=cache, tree=tree, lengths=self.lengths[part])


class HFCausalPredictor(HFPredictor):
    """Puts ``prefill`` and ``step`` on an unmodified causal model (Qwen, Llama, Mistral, GPT-2, SmolLM, Gemma …).

    The prompt is read once per user, all beams of a user are query positions behind it (see
    :mod:`genrec.models.beam_tree`), and of the output layer only the rows of a level's codes are computed.

    Args:
        model: ``AutoModelForCausalLM`` or a PEFT model around one, in evaluation mode.
        code_token_ids: Per level ``(codebook_size,)`` token ids, code 0 first.
        item_causal: Of encoder-decoders; a decoder sees nothing that comes later anyway.

    Raises:
        ModelError: The model cannot be decoded this way; says why.

    Example:
        >>> import torch
        >>> from transformers import LlamaConfig, LlamaForCausalLM
        >>> config = LlamaConfig(vocab_size=30, hidden_size=8, intermediate_size=8, num_hidden_layers=1,
        ...                      num_attention_heads=2)
        >>> predictor = HFCausalPredictor(LlamaForCausalLM(config).eval(), [range(20, 25), range(25, 30)])
        >>> state = predictor.prefill(torch.tensor([[1, 2, 3]]), torch.ones(1, 3, dtype=torch.int64))
        >>> predictor.step(state).logits.shape
        torch.Size([1, 1, 5])
    """

    def __init__(self, model: Any, code_token_ids: CodeTokenIds, *, item_causal: bool = False) -> None:
        super().__init__(model, code_token_ids, item_causal=item_causal)
        self.head = VocabularyHead(self.model, code_token_ids)
        self.backbone = self.model.get_decoder()
        self.window = _window(self.model, self.backbone)

    def prefill(self, input_ids: Tensor, attention_mask: Tensor) -> HFCausalState:
        """Read prompts.

        Args:
            input_ids: ``(users, n)`` int64 tokens.
            attention_mask: ``(users, n)``, 1 at real tokens; padding may stand on either side.

        Raises:
            ModelError: The prompts do not fit in the window of the model's attention.
        """
        mask = attention_mask.bool()
        longest = mask.shape[1] + len(self.head.token_ids)
        if self.window is not None and longest > self.window:
            raise ModelError(
                f"The prompts and an item have {count(longest, 'token')}, but layers of this model see "
                f"only {self.window}.",
                expected="a prompt inside the window, because all beams of a user read the whole of it",
                hint="Shorten the prompts, or use a model with full attention.",
            )
        cache = DynamicCache()
        hidden = read_prefix(self.backbone, mask, cache, input_ids=input_ids)
        lengths = mask.sum(1, keepdim=True)
        return HFCausalState(newest=newest_of(hidden, mask), cache=cache, tree=BeamTree(mask), lengths=lengths)

    def step(self, state: HFCausalState, codes: Tensor | None = None, parents: Tensor | None = None) -> StepOutput:
        """See :meth:`genrec.models.base.CodeModel.step`."""
        if state.newest is None or state.tree is None or state.lengths is None:
            raise TypeError("step needs the state that prefill returned.")
        level = state.level
        if codes is None or parents is None:
            hidden = state.newest[:, None]
        else:
            tokens, places = self.head.tokens(codes, level - 1), state.lengths + level - 1
            hidden = read_beams(self.backbone, state.tree, parents, places, state.cache, input_ids=tokens)
        state.level += 1
        return self.head.output(hidden, level)


def _window(model: Any, backbone: Any) -> int | None:
    """Tokens that the narrowest layer sees, None without limit; refuses what beams in one sequence would break."""
    config = model.config.get_text_config()
    name = type(model).__name__
    if "position_ids" not in inspect.signature(backbone.forward).parameters:
        raise ModelError(
            f"{name} does not take position_ids, so the beams of a user cannot stand side by side in one sequence.",
            hint="Use model.generate with genrec.decoding.logits_processor.CatalogLogitsProcessor.",
        )
    attention = getattr(config, "_attn_implementation", None)
    if attention not in _ATTENTION:
        raise ModelError(
            f"{name} runs with '{attention}' attention, which takes no custom mask.",
            expected="eager or sdpa",
            hint='Load it with attn_implementation="sdpa".',
        )
    layers = set(getattr(config, "layer_types", None) or ())
    strange = sorted(layers - set(_LAYERS))
    if strange:
        raise ModelError(
            f"{name} has layers of type {', '.join(strange)}, which cannot share a prompt among beams.",
            expected="layers of full attention",
            hint="Use model.generate with genrec.decoding.logits_processor.CatalogLogitsProcessor.",
        )
    return _narrowest(config, "sliding_attention" in layers if layers else None)


def _narrowest(config: Any, slides: bool | None) -> int | None:
    """The smallest window that a configuration names; beams side by side need more than they have tokens.

    Args:
        config: Of the decoder.
        slides: Whether layers with a sliding window are among the named ones; None: layers have no names.
    """
    found = []
    for name, value in config.to_dict().items():
        if isinstance(value, bool) or not isinstance(value, int) or value < 1 or not name.endswith(_WINDOWS):
            continue
        if name == "sliding_window" and not (getattr(config, "use_sliding_window", True) if slides is None else slides):
            continue
        found.append(value)
    return min(found, default=None)

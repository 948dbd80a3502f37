"""For people who live in TRL: roll-outs along our trie, and our rewards, for ``trl.GRPOTrainer`` with a decoder.

TRL decodes freely and then rewards text. With these two every completion is a real item, the members of a group can be
distinct, a prompt is read once a group, and rewards see items. What TRL computes from them stays TRL's own: it
normalises over the whole vocabulary.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from genrec.data.histories import Histories
from genrec.decoding import draws
from genrec.decoding.beam import beam_search
from genrec.decoding.device_trie import DeviceTrie
from genrec.errors import DataError
from genrec.models.hf.causal import HFCausalPredictor
from genrec.models.hf.vocabulary_head import CodeTokenIds
from genrec.prompts.chat import rendering
from genrec.training.policy.rewards import Offer, Rewards
from genrec.trie import Trie


class CatalogRollouts:
    """A ``rollout_func``: completions are the code tokens of items, and the end token where there is one.

    Args:
        trie: Of the catalogue.
        code_token_ids: Per level ``(codebook_size,)`` token ids, code 0 first.
        method: ``sample`` independently, ``gumbel`` without replacement, or the best ``beam``.
        eos_token_id: Stands after every item; None: nothing does. TRL takes completions without it for cut off, which
            ``mask_truncated_completions`` leaves out.

    Example:
        ``GRPOTrainer(model, reward_funcs=[...], rollout_func=CatalogRollouts(index.trie, token_ids), ...)``
    """

    def __init__(
        self,
        trie: Trie,
        code_token_ids: CodeTokenIds,
        *,
        method: Literal["sample", "gumbel", "beam"] = "sample",
        eos_token_id: int | None = None,
    ) -> None:
        self._trie, self.method, self.eos_token_id = trie, method, eos_token_id
        self.token_ids = [[int(token) for token in level] for level in code_token_ids]
        self.paths = np.empty((trie.n_items, trie.n_levels), dtype=np.int64)
        self.paths[trie.item] = trie.paths()
        self._on: DeviceTrie | None = None

    def __call__(self, prompts: list[Any], trainer: Any) -> dict[str, Any]:
        """Completions of prompts, in their order; a run of equal prompts is one group.

        Args:
            prompts: Texts, or conversations that the tokenizer's chat template renders.
            trainer: Of TRL.
        """
        model = trainer.accelerator.unwrap_model(trainer.model)
        tokenizer = trainer.processing_class
        runs = [(prompt, len(list(same))) for prompt, same in groupby(prompts)]
        ids = [_tokens(tokenizer, prompt) for prompt, _ in runs]
        items = self.draw(model, ids, max(n for _, n in runs))
        end = [] if self.eos_token_id is None else [self.eos_token_id]
        prompt_ids, completion_ids = [], []
        for row, (prompt, (_, n)) in enumerate(zip(ids, runs, strict=True)):
            found = [item for item in items[row].tolist() if item >= 0]
            for k in range(n):  # a catalogue smaller than a group gives its items again
                prompt_ids.append(list(prompt))
                codes = self.paths[found[k % len(found)]]
                completion_ids.append([ids[code] for ids, code in zip(self.token_ids, codes, strict=True)] + end)
        return {"prompt_ids": prompt_ids, "completion_ids": completion_ids, "logprobs": None}

    @torch.no_grad()
    def draw(self, model: Any, prompts: Sequence[Sequence[int]], n: int) -> Tensor:
        """``n`` items for every prompt of tokens, ``(prompts, n)`` int64 positions, -1 where there are fewer."""
        was_training = model.training
        model.eval()
        try:
            predictor = HFCausalPredictor(model, self.token_ids)
            device = predictor.device
            width = max(len(one) for one in prompts)
            inputs = torch.zeros(len(prompts), width, dtype=torch.int64, device=device)
            mask = torch.zeros_like(inputs)
            for row, one in enumerate(prompts):
                inputs[row, : len(one)] = torch.tensor(one, device=device)
                mask[row, : len(one)] = 1
            if self._on is None or self._on.device != device:
                self._on = DeviceTrie(self._trie, device)
            state = predictor.prefill(inputs, mask)
            if self.method == "beam":
                return beam_search(predictor, state, self._on, len(prompts), beams=n, normalize="children")[0].clone()
            draw = draws.independent if self.method == "sample" else draws.without_replacement
            return draw(predictor, state, self._on, len(prompts), n).items
        finally:
            model.train(was_training)

    def items(self, completion_ids: Sequence[Sequence[int]]) -> np.ndarray:
        """Catalogue positions of completions, ``(n,)`` int64; -1 for what is no item."""
        code_of = [{token: code for code, token in enumerate(ids)} for ids in self.token_ids]
        paths = np.full((len(completion_ids), len(code_of)), -1, dtype=np.int64)
        for row, tokens in enumerate(completion_ids):
            for level, (known, token) in enumerate(zip(code_of, tokens, strict=False)):
                paths[row, level] = known.get(int(token), -1)
        return self._trie.find(paths).astype(np.int64)


class CatalogRewards:
    """A reward function: our rewards for what :class:`CatalogRollouts` drew.

    The data set has the columns ``target``, the id of the item that the user took, and, where a reward needs it,
    ``history``, a list of item ids.

    Args:
        rewards: What an item is worth.
        rollouts: Made the completions.
        item_ids: ``(n_items,)`` of the catalogue.
    """

    __name__ = "catalog_rewards"  # how TRL logs it

    def __init__(self, rewards: Rewards, rollouts: CatalogRollouts, item_ids: Sequence[str] | np.ndarray) -> None:
        self.rewards, self.rollouts = rewards, rollouts
        self._position = {str(one): place for place, one in enumerate(item_ids)}

    def __call__(
        self,
        prompts: list[Any],
        completions: list[Any],
        completion_ids: list[list[int]],
        target: list[str],
        history: list[list[str]] | None = None,
        **_: Any,
    ) -> list[float]:
        """One number a completion; text is not read.

        Raises:
            DataError: A target or an item of a history is not in the catalogue.
        """
        items, values = self.rollouts.items(completion_ids), []
        for group in _runs(list(zip(prompts, target, strict=True))):
            past = [] if history is None else [self._place(one) for one in history[group.start]]
            offer = Offer(
                torch.from_numpy(items[group])[None],
                torch.tensor([self._place(target[group.start])]),
                Histories.from_lists([past]),
                -torch.arange(group.stop - group.start, dtype=torch.float32)[None],
            )
            values += self.rewards(offer)[0][0].tolist()
        return values

    def _place(self, item: str) -> int:
        if str(item) not in self._position:
            raise DataError(f"The item '{item}' is not in the catalogue.", where="target or history of the data set")
        return self._position[str(item)]


def _runs(values: list[Any]) -> Iterator[slice]:
    """Where equal neighbours stand."""
    start = 0
    for _, same in groupby(values):
        stop = start + len(list(same))
        yield slice(start, stop)
        start = stop


def _tokens(tokenizer: Any, prompt: Any) -> list[int]:
    if isinstance(prompt, str):
        return [int(token) for token in tokenizer(prompt)["input_ids"]]
    with rendering(tokenizer):
        found = tokenizer.apply_chat_template(prompt, add_generation_prompt=True, tokenize=True, return_dict=True)
    return [int(token) for token in found["input_ids"]]

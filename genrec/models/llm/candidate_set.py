"""A language model that chooses from a set: candidates in a prompt whose order cannot matter (Set-Based Prompting).

Candidates stand side by side: they have the same positions, and none sees another (arXiv 2406.06581). What is asked
behind them sees all. So a model that prefers what is named first or last cannot do so here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from genrec.models.beam_tree import additive, positions
from genrec.models.config import Some
from genrec.models.llm.base import IGNORE, Targets
from genrec.models.llm.title_likelihood import TitleLikelihood, TitleLikelihoodConfig
from genrec.models.predictor import ItemScores
from genrec.models.registry import network

_QUESTION = "\nOf these, the next item is:"


class CandidateSetConfig(TitleLikelihoodConfig):
    """Configuration of :class:`CandidateSet`.

    Attributes:
        candidates: Items of the first ranking that are shown, as a set.
    """

    model_type = "genrec-candidate-set"

    candidates: Some = 20


@dataclass(frozen=True)
class SetLayout:
    """What stands behind a prompt: candidates side by side, a question, and answers side by side.

    Attributes:
        tokens: ``(n,)`` int64.
        places: ``(n,)`` int64 positions, the prompt's apart.
        sees: ``(n, n)`` bool: which of these tokens a token sees, itself included.
        parents: ``(m,)`` int64 place of the token from which each token of an answer is predicted.
        following: ``(m,)`` int64 these tokens.
        answer: ``(m,)`` int64 which answer each belongs to.
    """

    tokens: Tensor
    places: Tensor
    sees: Tensor
    parents: Tensor
    following: Tensor
    answer: Tensor

    @classmethod
    def of(
        cls, candidates: Sequence[Sequence[int]], question: Sequence[int], answers: Sequence[Sequence[int]]
    ) -> SetLayout:
        """Lay out tokens.

        Args:
            candidates: Tokens of every candidate.
            question: Sees all of them; not empty.
            answers: Each sees candidates and question, and no other answer.
        """
        longest = max((len(one) for one in candidates), default=0)
        parts = [*candidates, question, *[one[:-1] for one in answers]]
        begins = [0] * len(candidates) + [longest] + [longest + len(question)] * len(answers)
        group = torch.tensor([n for n, part in enumerate(parts) for _ in part], dtype=torch.int64)
        tokens = torch.tensor([token for part in parts for token in part], dtype=torch.int64)
        within = torch.tensor([place for part in parts for place in range(len(part))], dtype=torch.int64)
        asks = len(candidates)
        own = (group[:, None] == group[None]) & (within[:, None] >= within[None])
        before = ((group[:, None] >= asks) & (group[None] < asks)) | ((group[:, None] > asks) & (group[None] == asks))
        first = torch.tensor([0, *[len(part) for part in parts]]).cumsum(0)
        last = int(first[asks + 1]) - 1  # of the question
        edges = [
            (last if place == 0 else int(first[asks + 1 + n]) + place - 1, token, n)
            for n, answer in enumerate(answers)
            for place, token in enumerate(answer)
        ]
        parents, following, answer = torch.tensor(edges, dtype=torch.int64).reshape(-1, 3).T
        return cls(tokens, within + torch.tensor(begins)[group], own | before, parents, following, answer)


@network("candidate-set")
class CandidateSet(TitleLikelihood):
    """Ranks by titles first; then the best are shown as a set, and share out their probability anew.

    In training the answers of a batch are the candidates of each of its rows.
    """

    config_class = CandidateSetConfig
    config: CandidateSetConfig

    def __init__(self, config: CandidateSetConfig, lm: Any, tokenizer: Any) -> None:
        super().__init__(config, lm, tokenizer)
        self.question: list[int] = tokenizer(_QUESTION, add_special_tokens=False, verbose=False)["input_ids"]

    def prefill(self, input_ids: Tensor, attention_mask: Tensor) -> ItemScores:  # type: ignore[override]
        """Scores of all items for prompts ``(users, n)``: log-probabilities."""
        state = self.title_state(input_ids, attention_mask)
        found = self._chosen(state.scores, input_ids, attention_mask)
        if state.known_from is None:
            return ItemScores(found)
        total = state.scores.logsumexp(-1)  # shown candidates share what they have together: it stays the same

        def exact(rows: Tensor) -> Tensor:
            ids, mask = input_ids[rows], attention_mask[rows]
            return self._chosen(self.title_scores(ids, mask), ids, mask)

        return ItemScores(found, known_from=state.known_from - total, exact_for=exact)

    @property
    def _best(self) -> int:
        """As there; all that are shown are read to their end."""
        return max(self.config.best, self.config.candidates)

    def _chosen(self, scores: Tensor, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """Log-probabilities of all items, where the best share out theirs anew, from scores by titles."""
        alone = scores.log_softmax(-1)
        best = alone.topk(min(self.config.candidates, alone.shape[1])).indices
        found = alone.clone()  # gradients need what the titles say by themselves
        for user, items in enumerate(best):
            rows = slice(user, user + 1)
            chosen = self.set_scores(input_ids[rows], attention_mask[rows], items.tolist()).log_softmax(0)
            found[user, items] = alone[user, items].logsumexp(0) + chosen
        return found

    def set_scores(self, input_ids: Tensor, attention_mask: Tensor, items: Sequence[int]) -> Tensor:
        """Log-probabilities of the titles of candidates that are shown, ``(n,)``, whatever their order.

        Args:
            input_ids: ``(1, n)`` a prompt.
            attention_mask: ``(1, n)``.
            items: Catalogue positions.
        """
        titles = [list(self.known_titles.different[self.known_titles.of_items[item]]) for item in items]
        layout = SetLayout.of([title[:-1] for title in titles], self.question, titles)
        predictor: Any = self._predictor or self._make_predictor()
        state = predictor.prefill(input_ids, attention_mask)
        device, n = input_ids.device, len(layout.tokens)
        mask = torch.cat([state.tree.prefix_mask[:, None].expand(1, n, -1), layout.sees.to(device)[None]], dim=2)
        hidden = predictor.backbone(
            input_ids=layout.tokens.to(device)[None],
            attention_mask=additive(mask, predictor.backbone.dtype),
            position_ids=state.lengths + layout.places.to(device),
            past_key_values=state.cache,
            use_cache=True,
        ).last_hidden_state
        edges = self._edges(predictor, hidden, layout.parents.to(device), layout.following.to(device))[0]
        return edges.new_zeros(len(titles)).index_add(0, layout.answer.to(device), edges)

    def targets(self, input_ids: Tensor, attention_mask: Tensor, labels: Tensor) -> Targets:
        """See :meth:`LanguageBase.targets`: tokens of the answers, each asked for among all answers of the batch."""
        prompt = attention_mask.bool() & (labels == IGNORE)
        answers = [row[row != IGNORE].tolist() for row in labels]
        shown = [list(one) for one in sorted({tuple(answer[:-1]) for answer in answers})]
        layouts = [SetLayout.of(shown, self.question, [answer]) for answer in answers]
        most, width = max(len(one.tokens) for one in layouts), int(prompt.sum(1).max())
        rows, device = len(layouts), input_ids.device
        ids = input_ids.new_full((rows, width + most), int(self.tokenizer.pad_token_id or 0))
        places, sees = (
            torch.zeros_like(ids),
            torch.zeros(rows, width + most, width + most, dtype=torch.bool, device=device),
        )
        order = prompt.long().argsort(dim=1, descending=True, stable=True)[:, :width]
        ids[:, :width], known = input_ids.gather(1, order), prompt.gather(1, order)
        places[:, :width] = positions(known)
        causal = torch.ones(width, width, dtype=torch.bool, device=device).tril()
        sees[:, :width, :width] = (causal & known[:, None]) | torch.eye(width, dtype=torch.bool, device=device)
        for row, one in enumerate(layouts):
            part = slice(width, width + len(one.tokens))
            ids[row, part] = one.tokens.to(device)
            places[row, part] = one.places.to(device) + known[row].sum()
            sees[row, part, part] = one.sees.to(device)
            sees[row, part, :width] = known[row]
        sees |= torch.eye(width + most, dtype=torch.bool, device=device)  # padding sees itself
        network = self.base.get_decoder()
        hidden = network(
            input_ids=ids, attention_mask=additive(sees, network.dtype), position_ids=places, use_cache=False
        ).last_hidden_state
        edges = torch.tensor([len(one.parents) for one in layouts])
        owners = torch.repeat_interleave(torch.arange(rows), edges).to(device)
        parents = torch.cat([one.parents for one in layouts]).to(device) + width
        following = torch.cat([one.following for one in layouts]).to(device)
        return Targets(self.label_terms(hidden[owners, parents], following), owners)

"""A language model that ranks items by the likelihood of their titles, renormalised over the catalogue: LABOR-LLM.

``P(item | history)`` is the product of the probabilities of its title's tokens over the sum of these products of all
items (arXiv 2406.17972, where items are jobs). No code is needed for that, so a model that has learned nothing of the
catalogue ranks it, too. Titles that begin alike share what is read of them, and every score is exact.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from genrec.config import Width
from genrec.errors import ModelError
from genrec.models.beam_tree import additive, fork
from genrec.models.hf.causal import HFCausalPredictor, HFCausalState
from genrec.models.hf.whole_rows import own_logits
from genrec.models.llm.language_model import LanguageModel, LanguageModelConfig
from genrec.models.llm.title_paths import TitleBlock, TitlePaths
from genrec.models.llm.title_reader import LENGTHS, TitleReader
from genrec.models.llm.title_search import TitleSearch, TitleTree
from genrec.models.outputs import StepState
from genrec.models.predictor import ItemScores
from genrec.models.registry import network
from genrec.prompts.reader import PromptReader

if TYPE_CHECKING:
    from genrec.index.semantic_index import SemanticIndex
    from genrec.models.settings import RunSettings

_CELLS = 1 << 25  # numbers that are held at once
_ROWS = 1024  # states whose scores over the vocabulary are normalised at once


class TitleLikelihoodConfig(LanguageModelConfig):
    """Configuration of :class:`TitleLikelihood`.

    Attributes:
        block: Tokens of titles that are read together behind a prompt.
        renormalize: ``title``: the probabilities of whole titles, over their sum. ``token``: every token's probability,
            over the sum of those that can follow in the catalogue; then the likeliest titles are found without reading
            the others.
        best: With ``token``, so many titles are read to their end; more, where a request needs more.
    """

    model_type = "genrec-title-likelihood"

    block: Width = 256
    renormalize: Literal["title", "token"] = "title"
    best: Width = 100


@network("title-likelihood")
class TitleLikelihood(LanguageModel):
    """Scores every item by the log-probability of its title after the prompt; items of one title share it evenly.

    Tokens of codes are no part of the language here: probabilities are over all others.
    """

    config_class = TitleLikelihoodConfig
    config: TitleLikelihoodConfig
    scores_items: ClassVar[bool] = True
    named_by: ClassVar[str] = "title"

    def __init__(self, config: TitleLikelihoodConfig, lm: Any, tokenizer: Any) -> None:
        super().__init__(config, lm, tokenizer)
        if self.seq2seq:
            raise ModelError("Likelihoods of titles need a decoder; this is an encoder-decoder.")
        self._titles: TitlePaths | None = None
        self._blocks: list[tuple[TitleBlock, dict[str, Tensor]]] = []
        self._tree: TitleTree | None = None
        self._bound_to: str | None = None

    @property
    def works_untrained(self) -> bool:
        """Always: a language model knows words."""
        return True

    @classmethod
    def settings_read(cls, config: RunSettings) -> frozenset[str]:
        """See :meth:`CodeModel.settings_read`; it recommends before it is trained."""
        return super().settings_read(config) | {"start_share"}

    def bind(self, index: SemanticIndex) -> Self:
        """See :meth:`CodeModel.bind`; the titles are read by :meth:`reader`."""
        super().bind(index)
        bound = self if self._bound_to in (None, index.fingerprint) else copy.copy(self)  # shares the weights
        bound._bound_to = index.fingerprint
        return bound

    def reader(self, index: SemanticIndex, config: RunSettings) -> PromptReader:
        """See :meth:`LanguageBase.reader`; takes over the titles of the index, as the task asks for them."""
        reader = super().reader(index, config)
        self.set_titles([reader.renderer.target_ids(item) for item in range(len(index.item_ids))])
        return reader

    def set_titles(self, titles: Sequence[Sequence[int]]) -> None:
        """What is scored: tokens of every item's title with the end of the text."""
        nothing = [int(self.tokenizer.pad_token_id)]  # some tokenizers read nothing where there is no title
        self._titles = TitlePaths([title or nothing for title in titles])
        self._blocks, self._tree = [(block, {}) for block in self._titles.blocks(self.config.block)], None

    def prefill(self, input_ids: Tensor, attention_mask: Tensor) -> ItemScores:  # type: ignore[override]
        """Scores of all items for prompts ``(users, n)``."""
        return self.title_state(input_ids, attention_mask)

    def title_state(self, input_ids: Tensor, attention_mask: Tensor) -> ItemScores:
        """Log-probabilities of the titles of all items, as far as they are needed; arguments as in :meth:`prefill`."""
        if self.config.renormalize == "title":
            return ItemScores(self.title_scores(input_ids, attention_mask))
        scores, known_from = self.best_scores(input_ids, attention_mask, self._best)

        def exact(rows: Tensor) -> Tensor:
            return self.title_scores(input_ids[rows], attention_mask[rows])

        return ItemScores(scores, known_from=known_from, exact_for=exact)

    @property
    def _best(self) -> int:
        """Titles that are read to their end."""
        return self.config.best

    @property
    def known_titles(self) -> TitlePaths:
        """Titles of the catalogue.

        Raises:
            ModelError: There are none.
        """
        if self._titles is None:
            raise ModelError("The model knows no titles.", hint="Call reader(index, config).")
        return self._titles

    def title_scores(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """Log-probabilities of the titles of all items, ``(users, n_items)``; arguments as in :meth:`prefill`."""
        titles = self.known_titles
        predictor: HFCausalPredictor = self._predictor or self._make_predictor()
        if self.config.renormalize == "token" and not torch.is_grad_enabled():
            return self._by_token(input_ids, attention_mask, None)[0]
        state = predictor.prefill(input_ids, attention_mask)
        found = torch.empty(len(input_ids), len(titles.different), device=input_ids.device)
        for block, on_device in self._blocks:
            found[:, torch.from_numpy(block.titles).to(found.device)] = self._score(predictor, state, block, on_device)
        of_items, shared = torch.from_numpy(titles.of_items), torch.from_numpy(titles.shared)
        return found[:, of_items.to(found.device)] - shared.to(found).log()

    def best_scores(self, input_ids: Tensor, attention_mask: Tensor, best: int) -> tuple[Tensor, Tensor]:
        """As :meth:`title_scores`, where tokens are renormalised; exact from a score of every user on, ``(users,)``.

        Args:
            input_ids: ``(users, n)`` prompts.
            attention_mask: 1 at real tokens.
            best: How many titles are exact, at least; the others have their part of what their beginning has.
        """
        return self._by_token(input_ids, attention_mask, best)

    @torch.no_grad()
    def _by_token(self, input_ids: Tensor, attention_mask: Tensor, best: int | None) -> tuple[Tensor, Tensor]:
        titles, predictor = self.known_titles, self._predictor or self._make_predictor()
        tree = self._tree = self._tree or TitleTree.of(titles.different)
        shares = np.zeros(len(titles.different), dtype=np.float32)
        shares[titles.of_items] = -np.log(titles.shared)
        rows, known_from = [], []
        more = -input_ids.shape[1] % LENGTHS
        input_ids, attention_mask = F.pad(input_ids, (0, more)), F.pad(attention_mask, (0, more))
        for ids, mask in zip(input_ids.split(1), attention_mask.split(1), strict=True):
            state = predictor.prefill(ids, mask)
            search = TitleSearch(tree, TitleReader(predictor, state, tree))
            if best is None:
                search.everything(partial(TitleReader, predictor, state, tree, prompt_known=True))
            known_from.append(-np.inf if best is None else search.best(best, shares))
            rows.append((search.found + shares)[titles.of_items])
        scores = torch.from_numpy(np.stack(rows)).to(input_ids.device)
        return scores, scores.new_tensor(known_from)

    @torch.no_grad()
    def own_titles(
        self, input_ids: Tensor, attention_mask: Tensor, titles: Sequence[Sequence[Sequence[int]]], least: float
    ) -> list[np.ndarray]:
        """Probabilities of titles where every user has some of their own, which share out all at every token.

        Args:
            input_ids: ``(users, n)`` prompts.
            attention_mask: 1 at real tokens.
            titles: Of every user, as in :meth:`set_titles`.
            least: Probabilities above are exact. Others may be their part of what their beginning has.

        Returns:
            ``(titles,)`` float32 for every user; they add up to 1.
        """
        predictor = self._predictor or self._make_predictor()
        state, found = predictor.prefill(input_ids, attention_mask), []
        for user, own in enumerate(titles):
            paths = TitlePaths(own)
            tree = TitleTree.of(paths.different)
            search = TitleSearch(tree, TitleReader(predictor, state.of_user(user), tree))
            search.above(np.log(max(least, 1e-38)))
            found.append(np.exp(search.found)[paths.of_items] / paths.shared)
        return found

    def _score(
        self, predictor: HFCausalPredictor, state: HFCausalState, block: TitleBlock, on_device: dict[str, Tensor]
    ) -> Tensor:
        """Log-probabilities of the titles of a block, ``(users, titles)``."""
        if state.newest is None or state.tree is None or state.lengths is None:
            raise TypeError("The prompt was not read.")
        device = state.newest.device
        if not on_device or on_device["paths"].device != device:
            names = ("tokens", "ancestors", "depths", "parents", "following", "paths", "choices")
            on_device.update({name: torch.from_numpy(getattr(block, name)).to(device) for name in names})
        part, users = on_device, len(state.newest)
        hidden = state.newest[:, None]
        if n := len(part["tokens"]):
            prompt = state.tree.prefix_mask[:, None].expand(users, n, -1)
            mask = torch.cat([prompt, part["ancestors"].expand(users, n, n)], dim=2)
            read = predictor.backbone(
                input_ids=part["tokens"].expand(users, n),
                attention_mask=additive(mask, predictor.backbone.dtype),
                position_ids=state.lengths + part["depths"],
                past_key_values=fork(state.cache),
                use_cache=True,
            ).last_hidden_state
            hidden = torch.cat([hidden, read], dim=1)
        choices = part["choices"] if self.config.renormalize == "token" else None
        edges = self._edges(predictor, hidden, part["parents"], part["following"], choices)
        edges = torch.cat([edges, edges.new_zeros(users, 1)], dim=1)  # what padding points to
        return edges[:, part["paths"]].sum(2)

    def _edges(
        self,
        predictor: HFCausalPredictor,
        hidden: Tensor,
        parents: Tensor,
        following: Tensor,
        choices: Tensor | None = None,
    ) -> Tensor:
        """Log-probability of every token after its node, ``(users, edges)``, from states ``(users, nodes, dim)``.

        Args:
            predictor: Has the output layer.
            hidden: The states.
            parents: ``(edges,)`` node before each token.
            following: ``(edges,)`` the tokens.
            choices: ``(2, n)`` nodes and tokens among which probabilities are shared out; None: all words.
        """
        users, nodes = hidden.shape[:2]
        head = predictor.head
        if choices is None:
            without, size = self._no_words(hidden.device), max(1, _ROWS // users)
            starts = range(0, nodes, size)
            total = torch.cat([head.log_normalizer(hidden[:, at : at + size], without) for at in starts], dim=1)
        else:
            scores = self._pairs(head, hidden, *choices)
            own = choices[0].expand_as(scores)
            highest = scores.new_full((users, nodes), -torch.inf).scatter_reduce(1, own, scores.detach(), "amax")
            shares = torch.zeros_like(highest).scatter_add(1, own, (scores - highest.gather(1, own)).exp())
            total = shares.log() + highest
        return self._pairs(head, hidden, parents, following) - total[:, parents]

    def _pairs(self, head: Any, hidden: Tensor, parents: Tensor, following: Tensor) -> Tensor:
        """Score of every token after its node, ``(users, edges)`` float32; arguments as in :meth:`_edges`."""
        size = max(1, _CELLS // (hidden.shape[-1] * len(hidden)))
        starts = range(0, len(parents), size)
        found = [head.pair_logits(hidden[:, parents[at : at + size]], following[at : at + size]) for at in starts]
        return torch.cat([part.float() for part in found], dim=1)

    def _no_words(self, device: torch.device) -> Tensor:
        """``(vocabulary,)`` bool: tokens that are no part of the language."""
        found = torch.zeros(int(self.lm.get_output_embeddings().weight.shape[0]), dtype=torch.bool, device=device)
        found[torch.from_numpy(self.tokens.all_ids).to(device)] = True
        return found

    def plain_scores(self, input_ids: Tensor, attention_mask: Tensor, items: Sequence[int]) -> Tensor:
        """What :meth:`title_scores` says of some items, ``(users, n)``, by plain forwards: slow, the measure.

        Args:
            input_ids: ``(users, n)`` prompts.
            attention_mask: 1 at real tokens.
            items: Catalogue positions.
        """
        titles = self.known_titles
        no_words = self._no_words(input_ids.device)
        found = torch.zeros(len(input_ids), len(items))
        for user, (ids, mask) in enumerate(zip(input_ids, attention_mask.bool(), strict=True)):
            for place, item in enumerate(items):
                title = torch.tensor(titles.different[titles.of_items[item]], device=ids.device)[None]
                prompt = ids[mask][None]
                logits = own_logits(self.base, prompt, torch.ones_like(prompt), title)[:, :-1].float()
                logits[..., no_words] = -torch.inf
                if self.config.renormalize == "token":
                    legal = titles.legal(title[0].tolist(), logits.shape[-1]).to(ids.device)
                    logits = logits.masked_fill(~legal, -torch.inf)
                each = logits.log_softmax(-1).gather(-1, title[..., None])
                found[user, place] = each.sum() - float(np.log(titles.shared[item]))
        return found

    def step(self, state: StepState, codes: Tensor | None = None, parents: Tensor | None = None) -> Any:
        """There are no steps.

        Raises:
            TypeError: Always; decoding ranks the scores of :meth:`prefill`.
        """
        raise TypeError("Titles are scored at once; there are no codes to step through.")

    def _make_predictor(self) -> HFCausalPredictor:
        return HFCausalPredictor(self.lm, self.tokens.ids)

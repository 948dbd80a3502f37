"""Before the first step: does a language model score items as decoding needs it, alone and in a batch?

Families of models differ in caches, masks, positions and what stands after the last state. So nothing is believed: a
few items are scored after a few real prompts by one plain forward of the model, without cache and padding. What
decoding and the training loss say must be the same, or a slower way is taken, or the model is refused.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor

from genrec.data.histories import Histories
from genrec.decoding.device_trie import DeviceTrie
from genrec.decoding.exact import score_items
from genrec.errors import GenRecError, ModelError
from genrec.models.base import CodeModel
from genrec.models.hf.whole_rows import own_logits
from genrec.models.llm.readers import WAYS
from genrec.models.llm.whole_answers import order_of
from genrec.models.outputs import Reader
from genrec.models.predictor import ItemScores
from genrec.prompts.rendering import IGNORE
from genrec.trie import Trie

logger = logging.getLogger(__name__)

_PROMPTS, _ITEMS = 3, 3
_CLOSE, _PART = 1e-4, 1e-5  # what rounding moves a log-probability by, and which part of it
_LOW_PRECISION = 0.5
_MOVE = 0.1  # of the spread of what is trained

Batch = dict[str, Tensor]


def check_language_model(model: CodeModel, read: Reader, histories: Histories, codes: np.ndarray) -> None:
    """Choose how a model is decoded and trained, so that both say what its plain forward says; others are left alone.

    Args:
        model: Before training; ``decoding`` and ``own_logits`` of its configuration are set.
        read: Histories → a batch of prompts, as for recommending.
        histories: Of training.
        codes: ``(n_items, n_levels)`` semantic IDs.

    Raises:
        ModelError: The model cannot read prompts, or nothing that it says about items holds in every batch.
    """
    if not model.reads_prompts:
        return
    language: Any = model
    chosen = codes[np.unique(np.linspace(0, len(codes) - 1, _ITEMS).astype(np.int64))]
    batch = {name: tensor.to(model.device) for name, tensor in read(_a_few(histories)).items()}
    with torch.no_grad(), _at_rest(model), _moved(model):
        if language.codes_only or language.scores_items:
            _check_batch(language, batch, chosen)
        else:
            _LanguageCheck(language, batch, chosen).run()


def _a_few(histories: Histories) -> Histories:
    """The shortest history, one of the middle and the longest."""
    order = np.argsort(histories.lengths, kind="stable")
    places = np.unique(np.linspace(0, len(order) - 1, _PROMPTS).astype(np.int64))
    return histories.select(order[places])


@contextmanager
def _at_rest(model: Any) -> Iterator[None]:
    """Evaluation mode, and not a number drawn that training would draw otherwise."""
    was_training = model.training
    model.eval()
    try:
        with torch.random.fork_rng(devices=[]):
            yield
    finally:
        model.train(was_training)


@contextmanager
def _moved(model: Any) -> Iterator[None]:
    """With an adapter that has moved a little: at the start it adds nothing, and could be anywhere."""
    adapter = [] if model.lm is model.base else [value for value in model.lm.parameters() if value.requires_grad]
    before = [value.detach().clone() for value in adapter]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        for value in adapter:
            spread = float(value.float().std()) if value.numel() > 1 else 0.0
            value.add_((_MOVE * (spread or 1.0) * torch.randn(value.shape)).to(value))
    try:
        yield
    finally:
        for value, old in zip(adapter, before, strict=True):
            value.copy_(old)


class _LanguageCheck:
    """One model against its own plain forward.

    Args:
        model: In evaluation mode.
        batch: A few prompts.
        codes: ``(n, n_levels)`` of a few items.
    """

    def __init__(self, model: Any, batch: Batch, codes: np.ndarray) -> None:
        self.model, self.batch, self.codes = model, batch, codes
        self.answers = torch.from_numpy(model.tokens.ids_of(codes)).to(model.device)
        self.name = type(model.base).__name__
        self.tolerance = _LOW_PRECISION

    def run(self) -> None:
        """Set ``decoding`` and ``own_logits``.

        Raises:
            ModelError: No way is right.
        """
        with self.model.decoding():
            right = self._plain()
        if not bool(torch.isfinite(right).all()):
            raise self._refusal("It gives scores that are no numbers, before any training.")
        self.tolerance = _tolerance(self.model, right)
        self.model.config.decoding = self._first(WAYS, "decoding", self._decoded, right)
        one = torch.arange(len(right)) % len(self.answers)
        right = right.gather(1, one[:, None].to(right.device))
        self.model.config.own_logits = self._first((False, True), "own_logits", self._learned, right)
        if hasattr(self.model, "pack_prompts") and not self.model.config.own_logits and self.model.device.type == "cpu":
            self._first((True, False), "packing", self._packed, right)

    def _plain(self) -> Tensor:
        """Log-probabilities of items after prompts, ``(users, items)``, by the forward that is the measure."""
        rows = []
        try:
            for ids, mask in zip(self.batch["input_ids"], self.batch["attention_mask"].bool(), strict=True):
                prompt = ids[mask].expand(len(self.answers), -1)
                order = order_of(prompt, self.model.tokens.ids) if self.model.reads_whole else None
                logits = own_logits(self.model.base, prompt, torch.ones_like(prompt), self.answers, order)
                found = logits[:, :-1].float().log_softmax(-1).gather(-1, self.answers[..., None])
                rows.append(found[..., 0].sum(1))
        except GenRecError:
            raise
        except Exception as error:  # whatever a family of transformers raises means that it cannot read text alone
            raise self._refusal(f"It does not read a prompt of text: {_first_line(error)}") from None
        return torch.stack(rows)

    def _decoded(self, way: Any) -> Tensor:
        """The same by the search's own steps."""
        self.model.config.decoding = way
        trie = Trie.from_codes(self.codes.astype(np.int32), self.model.codebook_sizes)
        with self.model.decoding():
            state = self.model.prefill(**self.batch)
            return score_items(self.model, state, DeviceTrie(trie, self.model.device), len(self.batch["input_ids"]))

    def _learned(self, own: Any) -> Tensor:
        """Log-probability of one item after each prompt, ``(users, 1)``, as training has them, padded together."""
        self.model.config.own_logits = own
        prompts = zip(self.batch["input_ids"], self.batch["attention_mask"].bool(), strict=True)
        rows = [(ids[mask], self.answers[n % len(self.answers)]) for n, (ids, mask) in enumerate(prompts)]
        legal, self.model.legal = self.model.legal, None
        try:
            found: Tensor = self.model(**self._padded(rows)).log_likelihood
        finally:
            self.model.legal = legal
        return found[:, None]

    def _packed(self, packs: Any) -> Tensor:
        """The same with the rows of a batch in one sequence, or as before."""
        self.model.pack_prompts(packs)
        if packs:  # in training there may be dropout inside attention, which packed rows do not have
            self.model.train()
            try:
                self._learned(False)
            finally:
                self.model.eval()
        return self._learned(False)

    def _padded(self, rows: list[tuple[Tensor, Tensor]]) -> Batch:
        """Prompts with their answers as training has them, padded on the right."""
        apart = self.model.reads_apart
        inputs = [prompt if apart else torch.cat([prompt, answer]) for prompt, answer in rows]
        labels = [answer if apart else torch.cat([torch.full_like(prompt, IGNORE), answer]) for prompt, answer in rows]

        def pad(parts: list[Tensor], filler: int) -> Tensor:
            return torch.nn.utils.rnn.pad_sequence(parts, batch_first=True, padding_value=filler)

        return {
            "input_ids": pad(inputs, int(self.model.tokenizer.pad_token_id or 0)),
            "attention_mask": pad([torch.ones_like(part) for part in inputs], 0),
            "labels": pad(labels, IGNORE),
        }

    def _first(self, ways: Any, what: str, measure: Callable[[Any], Tensor], right: Tensor) -> Any:
        """The first of some ways that is right."""
        reasons = []
        for way in ways:
            try:
                found = measure(way)
            except GenRecError as error:
                reasons.append(error.what)
                continue
            except Exception as error:  # a cache or a mask that a family does not have: the next way does without
                reasons.append(_first_line(error))
                continue
            gap = _gap(found, right, self.tolerance)
            if gap <= self.tolerance:
                if reasons:
                    logger.info("%s: %s %s, because: %s", self.name, what, way, "; ".join(reasons))
                return way
            reasons.append(f"'{way}' gives log-probabilities that are {gap:.3g} away from the model's own")
        raise self._refusal(
            "What it says of an item depends on padding, on the rest of the batch or on what comes later: "
            + reasons[-1]
        )

    def _refusal(self, what: str) -> ModelError:
        return refusal(self.model, what)


def _check_batch(model: Any, batch: Batch, codes: np.ndarray) -> None:
    """A head or a decoder on an encoder must score a user alike, alone and padded in a batch."""
    trie = DeviceTrie(Trie.from_codes(codes.astype(np.int32), model.codebook_sizes), model.device)

    def scores(part: Batch) -> Tensor:
        state = model.prefill(**part)
        if isinstance(state, ItemScores):
            return state.known
        return score_items(model, state, trie, len(part["input_ids"]))

    try:
        with model.decoding():
            together = scores(batch)
            alone = []
            for ids, mask in zip(batch["input_ids"], batch["attention_mask"].bool(), strict=True):
                alone.append(scores({"input_ids": ids[mask][None], "attention_mask": torch.ones_like(ids[mask][None])}))
    except GenRecError:
        raise
    except Exception as error:  # whatever a family of transformers raises means that it cannot read text alone
        raise refusal(model, f"It does not read a prompt of text: {_first_line(error)}") from None
    right = torch.cat(alone)
    if not bool(torch.isfinite(right).all()):
        raise refusal(model, "It gives scores that are no numbers, before any training.")
    tolerance = _tolerance(model, right)
    if (gap := _gap(together, right, tolerance)) > tolerance:
        raise refusal(model, f"What it says of a user depends on padding or on the batch: scores are {gap:.3g} apart.")
    if hasattr(model, "plain_scores"):
        with model.decoding():
            state = model.title_state(**batch)
            few = state.scores.amax(0).topk(min(_ITEMS, state.scores.shape[1])).indices
            found, plain = state.known[:, few], model.plain_scores(**batch, items=few.tolist()).to(state.scores)
        exact = found == state.scores[:, few]
        if (gap := _gap(found[exact], plain[exact], tolerance)) > tolerance:
            raise refusal(model, f"Scores are {gap:.3g} away from those of the model's own forward.")


def refusal(model: Any, what: str) -> ModelError:
    """The error for a model that cannot be used, whatever the settings are."""
    return ModelError(
        f"{type(model.base).__name__} cannot be used here. {what}",
        where=str((model.config.source or {}).get("checkpoint", "model.checkpoint")),
        expected="a language model whose score of an item is the same alone, in a batch, and step by step",
        hint="Use another checkpoint, for example of Qwen, Llama, Gemma, GPT-2, T5 or BART.",
    )


def _tolerance(model: Any, right: Tensor) -> float:
    """How far apart equal log-probabilities may be, by how exact and how large they are."""
    if model.base.dtype not in (torch.float32, torch.float64):
        return _LOW_PRECISION
    return max(_CLOSE, _PART * float(right.abs().max()))


def _gap(found: Tensor, right: Tensor, tolerance: float) -> float:
    """How far apart log-probabilities are: the largest difference, or where rounding is coarse the median one."""
    gaps = (found.float() - right.float()).abs()
    if tolerance == _LOW_PRECISION:
        return float(gaps.median())
    return float(gaps.max()) if bool(torch.isfinite(gaps).all()) else float("inf")


def _first_line(error: Exception) -> str:
    text = str(error).strip()
    return f"{type(error).__name__}: {text.splitlines()[0][:200]}" if text else type(error).__name__

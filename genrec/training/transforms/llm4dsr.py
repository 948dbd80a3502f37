"""A language model leaves out of histories what does not belong there: LLM4DSR (arXiv 2408.08208)."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from pydantic import Field

from genrec.config import LARGEST_WIDTH, MOST_STEPS, Settings
from genrec.errors import ConfigError
from genrec.models.llm.title_model import TitleModel, title_model
from genrec.models.settings import LanguageModelSettings
from genrec.prompts import PromptRenderer, Sample, load_task
from genrec.prompts.examples import TextCollator
from genrec.prompts.padding import pad_prompts
from genrec.prompts.rendering import IGNORE
from genrec.training.row_parts import row_parts
from genrec.training.transforms import TRANSFORMS
from genrec.training.transforms.base import SequenceTransform

if TYPE_CHECKING:
    from genrec.data.histories import Histories
    from genrec.index.semantic_index import SemanticIndex

logger = logging.getLogger(__name__)

transform = TRANSFORMS.add

_NOTHING = " nothing"
_FEWEST = 2  # items that are left of a history
_TOGETHER = 16  # histories that are asked about at once


class LLM4DSRSettings(Settings):
    """Settings of ``llm4dsr``."""

    checkpoint: str | None = Field(None, description="folder or hub id of a pretrained decoder; has to be given")
    llm: LanguageModelSettings = Field(
        LanguageModelSettings(code_rows="random", train_code_rows=False), description="how it is loaded and tuned"
    )
    steps: int = Field(
        300, ge=0, le=MOST_STEPS, description="steps of teaching itself on swapped items; 0: asked as it comes"
    )
    batch_size: int = Field(8, ge=1, description="histories a step")
    learning_rate: float = Field(2e-4, gt=0, description="step size of AdamW")
    clean: float = Field(0.5, ge=0, lt=1, description="share of histories without a swapped item while it learns")
    threshold: float = Field(0.6, gt=0, le=1, description="probability from which an item is left out")
    most: int = Field(2, ge=1, description="most items that are left out of a history")
    max_items: int = Field(20, ge=2, le=LARGEST_WIDTH, description="newest items that are read")
    max_tokens: int = Field(512, ge=8, description="longest prompt with its answer")


@transform("llm4dsr")
class LLM4DSR(SequenceTransform):
    """Asks which item of a history does not belong, and leaves it out where the answer is sure.

    It teaches itself: one item of a history is swapped for a random one, and its title is the answer; where nothing is
    swapped, the answer is "nothing". The probability of an item is that of its title among the titles of the history
    and "nothing", as far as they differ, so items whose titles begin alike are told apart.
    """

    Config = LLM4DSRSettings
    settings: LLM4DSRSettings

    def check(self) -> None:
        """See :meth:`SequenceTransform.check`: a language model is given."""
        if self.settings.checkpoint is None:
            raise ConfigError(
                "The transform 'llm4dsr' asks a language model, and none is given.",
                where="transforms: llm4dsr.checkpoint",
                expected="a folder, or the id of a model on the Hugging Face hub",
            )

    def __call__(self, histories: Histories, index: SemanticIndex, seed: int) -> Histories:
        """See :meth:`SequenceTransform.__call__`.

        Raises:
            ConfigError: No checkpoint is given.
        """
        self.check()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            model = self._model(index)
            asked = _Asked(model, index, self.settings)
            self._teach(model, asked, histories, seed)
            keep = self._kept(asked, histories)
        logger.info("llm4dsr leaves out %d of %d events", int((~keep).sum()), len(keep))
        return histories.take(keep)

    def _model(self, index: SemanticIndex) -> TitleModel:
        settings = self.settings
        return title_model(str(settings.checkpoint), settings.llm, index, settings.max_tokens)

    def _teach(self, model: TitleModel, asked: _Asked, histories: Histories, seed: int) -> None:
        """Tune it on histories with swapped items."""
        rng, settings = np.random.default_rng([seed, 13]), self.settings
        usable = np.flatnonzero(histories.lengths >= _FEWEST)
        if not len(usable) or not settings.steps:
            return
        trained = [value for value in model.parameters() if value.requires_grad]
        if not trained:
            raise ConfigError("Nothing of the language model is trained.", where="transforms: llm4dsr.llm.tuning")
        optimizer, collate = torch.optim.AdamW(trained, lr=settings.learning_rate), TextCollator(model.tokenizer)
        model.train()
        for step in range(settings.steps):
            users = rng.choice(usable, settings.batch_size)
            batch = collate([asked.example(histories[user], rng) for user in users])
            loss = 0.0
            for part in row_parts(batch):
                of_part = model(**part, num_items_in_batch=(batch["labels"] != IGNORE).sum()).loss
                of_part.backward()
                loss += float(of_part.detach())
            torch.nn.utils.clip_grad_norm_(trained, 1.0)
            optimizer.step()
            optimizer.zero_grad()
            logger.debug("llm4dsr, step %d: loss %.4f", step + 1, loss)
        model.eval()

    def _kept(self, asked: _Asked, histories: Histories) -> np.ndarray:
        """Which events stay, ``(n_events,)`` bool."""
        keep, settings = np.ones(len(histories.items), dtype=bool), self.settings
        ends = histories.offsets[1:]
        begins = np.maximum(histories.offsets[:-1], ends - settings.max_items)
        places = [np.arange(begin, end) for begin, end in zip(begins, ends, strict=True)]
        asking = np.argsort(ends - begins, kind="stable").tolist()  # those of one length are read together
        with asked.model.decoding():
            for _ in range(settings.most):
                asking, users = [], [user for user in asking if len(places[user]) > _FEWEST]
                for begin in range(0, len(users), _TOGETHER):
                    some = users[begin : begin + _TOGETHER]
                    found = asked.probabilities([histories.items[places[user]] for user in some])
                    for user, noise in zip(some, found, strict=True):
                        worst = int(noise.argmax())
                        if noise[worst] > settings.threshold:
                            keep[places[user][worst]] = False
                            places[user] = np.delete(places[user], worst)
                            asking.append(user)
        return keep


class _Asked:
    """The question and its answers.

    Args:
        model: Gives likelihoods of titles.
        index: Of the catalogue.
        settings: Of the transform.
    """

    def __init__(self, model: TitleModel, index: SemanticIndex, settings: LLM4DSRSettings) -> None:
        self.model, self.settings, self.n_items = model, settings, len(index)
        most = min(settings.max_tokens, model.config.max_tokens or settings.max_tokens)
        task, texts = load_task("odd-one-out"), model.item_texts(index)
        self.renderer = PromptRenderer(
            task, texts, model.tokenizer, seq2seq=False, max_tokens=most, max_items=settings.max_items
        )
        end = [] if model.tokenizer.eos_token_id is None else [int(model.tokenizer.eos_token_id)]
        self.nothing = [*model.tokenizer(_NOTHING, add_special_tokens=False)["input_ids"], *end]

    def example(self, items: np.ndarray, rng: np.random.Generator) -> dict[str, list[int]]:
        """A history as it is or with one item swapped, and the answer."""
        items = items[-self.settings.max_items :].copy()
        answer = self.nothing
        if rng.random() >= self.settings.clean:
            place, other = int(rng.integers(len(items))), int(rng.integers(self.n_items))
            if other not in items:
                items[place] = other
                answer = self.renderer.target_ids(other)
        source = self.renderer.prompt_ids(Sample(items))
        return {"input_ids": source + answer, "labels": [IGNORE] * len(source) + answer}

    def probabilities(self, histories: Sequence[np.ndarray]) -> list[np.ndarray]:
        """That each item of every history does not belong; they add up to less than 1: all may be right."""
        titles = [[*(self.renderer.target_ids(int(item)) for item in items), self.nothing] for items in histories]
        prompts = pad_prompts(
            [self.renderer.prompt_ids(Sample(items)) for items in histories], self.model.tokenizer, "left"
        )
        return [found[:-1] for found in self.model.own_titles(**prompts, titles=titles, least=self.settings.threshold)]

"""Samples as text and as token ids, inside a budget that drops the oldest items, whole, and never the target."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from genrec.data.histories import Histories
from genrec.errors import ConfigError, DataError
from genrec.prompts.chat import in_chat, require_chat
from genrec.prompts.items import ItemTexts
from genrec.prompts.keywords import CodeTexts
from genrec.prompts.marks import MarkedText, TextTokens, as_codes, without_marks
from genrec.prompts.padding import pad_prompts
from genrec.prompts.samples import Sample, gaps, query_words, stated_preference
from genrec.prompts.settings import PromptSettings
from genrec.prompts.task import CODE, Task, load_task
from genrec.wording import count

if TYPE_CHECKING:
    import torch

IGNORE = -100
"""Label of a token that carries no loss."""


@dataclass(frozen=True)
class Rendered:
    """One example as text.

    Attributes:
        source: What the model reads, chat template included.
        target: What it has to write.
        items: How many items of the history are in ``source``.
    """

    source: str
    target: str
    items: int


class PromptRenderer:
    """Turns samples of one task into text and token ids of one tokenizer.

    Args:
        task: The task.
        items: Texts of the catalogue.
        tokenizer: Of transformers; knows the code tokens (``CodeTokens.add_to``).
        seq2seq: For an encoder-decoder: source and target apart. Else one sequence of both.
        max_tokens: Longest prompt, target included (seq2seq: target excluded).
        max_items: Longest history that is rendered at all; None: what fits.
        chat: Put the prompt into the tokenizer's chat template, as the user's turn.
        system: System message of the chat.
        whole: The codes of the history's items carry loss too (all but the oldest item's), so that one example teaches
            every item of a history. An encoder-decoder must be able to read it so.

    Raises:
        ModelError: ``chat`` is asked for and the tokenizer has no chat template.
        ConfigError: ``whole`` is asked for with a task or model that cannot.
    """

    def __init__(
        self,
        task: Task,
        items: ItemTexts,
        tokenizer: Any,
        *,
        seq2seq: bool,
        max_tokens: int = 512,
        max_items: int | None = None,
        chat: bool = False,
        system: str | None = None,
        whole: bool = False,
    ) -> None:
        if chat:
            require_chat(tokenizer)
        if whole and not (task.recommends and task.whole):
            raise ConfigError(
                f"The task '{task.name}' cannot be trained on whole histories here.",
                expected="a task that recommends and says 'whole: true' in its front matter",
                hint="Use examples.mode: prefixes.",
            )
        self.task, self.items, self.tokenizer, self.seq2seq = task, items, tokenizer, seq2seq
        self.max_tokens, self.max_items, self.chat, self.system, self.whole = max_tokens, max_items, chat, system, whole
        self.about: ItemTexts | CodeTexts = items.of_codes if task.kind == "code" else items
        self.targets = self.about.target_texts(task.target)
        self._code_ids = items.tokens.all_ids if whole else None
        self._tokens: TextTokens | None = None

    def _read(self, text: MarkedText, *, special: bool) -> list[int]:
        self._tokens = self._tokens or TextTokens(self.tokenizer)
        return self._tokens(text, special=special)

    # -- text --

    def render(self, sample: Sample) -> Rendered:
        """Source and target as text, cut to the budget; an empty target where the sample has none.

        Raises:
            DataError: The prompt does not fit even with one item, or the task tells times and there are none.
        """
        source, _, kept = self._fit(sample)
        return Rendered(source.text, "" if sample.target is None else self.targets[sample.target], kept)

    def source(self, sample: Sample) -> str:
        """The prompt of a sample, with all its items, without a budget."""
        return self._source(sample).text

    def source_length(self, sample: Sample) -> int:
        """Token ids of the prompt of a sample, with all its items."""
        return len(self._source_ids(self._source(sample)))

    def prompt_ids(self, sample: Sample) -> list[int]:
        """Token ids of the prompt of a sample, cut to the budget; see :meth:`render`."""
        return self._fit(sample)[1]

    def _source(self, sample: Sample) -> MarkedText:
        texts = [self._item(int(item)) for item in sample.history]
        if self.task.kind == "code":
            about = self.about[self._target(sample)]
            body = self.task.render_marked(code=as_codes(about["code"]), keywords=about["keywords"])
        elif self.task.kind == "item":
            item = self._item(self._target(sample))
            body = self.task.render_marked(item=item, query=query_words(item, sample.seed))
        else:
            if self.task.needs_times:
                times = self.require_times(sample.times)
                for text, gap in zip(texts, gaps(times), strict=True):
                    text["gap"] = gap
            body = self.task.render_marked(history=texts, preference=self._preference(sample))
        return self._in_chat(body) if self.chat else body

    def _item(self, item: int) -> dict[str, str]:
        """Texts of an item as a template sees them, its semantic ID marked as such."""
        texts = self.items[item]
        return {**texts, "codes": as_codes(texts["codes"])}

    def require_times(self, times: np.ndarray | None) -> np.ndarray:
        """``times``, or an empty array where the task does not need them.

        Raises:
            DataError: The task tells times and there are none.
        """
        if times is None and self.task.needs_times:
            raise DataError(
                f"The task '{self.task.name}' tells the time between items, and there are no times.",
                where="interactions",
                expected="a timestamp column with times, not an order",
                hint="Use the task 'next-item' instead.",
            )
        return np.zeros(0, dtype=np.int64) if times is None else times

    def _preference(self, sample: Sample) -> str | None:
        if sample.preference is not None or "preference" not in self.task.inputs:
            return None if sample.preference is None else without_marks(sample.preference)
        return stated_preference([self.items[int(item)] for item in sample.history])

    def _target(self, sample: Sample) -> int:
        if sample.target is None:
            raise DataError(f"The task '{self.task.name}' is about one item, and none is given.", expected="a target")
        return sample.target

    def _in_chat(self, body: MarkedText) -> MarkedText:
        return MarkedText.read(in_chat(self.tokenizer, body.marked(), self.system), strip=False)

    # -- budget --

    def _fit(self, sample: Sample) -> tuple[MarkedText, list[int], int]:
        """Prompt, its token ids and the number of items in it: as many of the newest as the budget takes."""
        room = self.max_tokens if self.seq2seq else self.max_tokens - self._target_room(sample)
        whole = replace(sample, preference=self._preference(sample))  # of all items: what is dropped below counts
        longest = len(sample.history) if self.max_items is None else min(len(sample.history), self.max_items)
        source, ids = self._newest(whole, longest)
        if len(ids) <= room:
            return source, ids, longest
        fits, too_many, best = 0, longest, None
        while too_many - fits > 1:
            middle = (fits + too_many) // 2
            source, ids = self._newest(whole, middle)
            if len(ids) <= room:
                fits, best = middle, (source, ids, middle)
            else:
                too_many = middle
        if best is None:
            raise self._too_long(sample, len(self._newest(whole, min(longest, 1))[1]), room)
        return best

    def _newest(self, sample: Sample, items: int) -> tuple[MarkedText, list[int]]:
        start = len(sample.history) - items
        times = None if sample.times is None else sample.times[start:]
        source = self._source(replace(sample, history=sample.history[start:], times=times))
        return source, self._source_ids(source)

    def _target_room(self, sample: Sample) -> int:
        return self._longest_answer if sample.target is None else len(self.target_ids(sample.target))

    @cached_property
    def _longest_answer(self) -> int:
        """Tokens of the longest answer that may come."""
        if self.task.generates_items:
            return int(self.items.codes.shape[1])
        return max(len(self.target_ids(item)) for item in range(len(self.items)))

    def _too_long(self, sample: Sample, tokens: int, room: int) -> DataError:
        if len(sample.history):
            title = self.items[int(sample.history[-1])]["title"]
        else:
            title = "" if sample.target is None else self.about[sample.target]["title"]
        return DataError(
            f"A prompt of the task '{self.task.name}' does not fit: {count(tokens, 'token')}"
            + (" with a single item." if len(sample.history) else "."),
            where=f"item '{title[:60]}'",
            expected=f"at most {count(room, 'token')} beside the target (max_tokens {self.max_tokens})",
            hint="Raise max_tokens if the model reads more, or use a task or template that shows less of an item.",
        )

    # -- tokens --

    def source_ids(self, source: str) -> list[int]:
        """Token ids of a prompt, with the special tokens that the tokenizer puts there; nothing of it is data."""
        return self._source_ids(MarkedText(source))

    def _source_ids(self, source: MarkedText) -> list[int]:
        ids = self._read(source, special=not self.chat)
        # A decoder goes on after its prompt: an end-of-text token there would say that nothing follows.
        return ids[:-1] if not self.seq2seq and ids and ids[-1] == self.tokenizer.eos_token_id else ids

    def target_ids(self, item: int) -> list[int]:
        """Token ids of the answer: one per level for codes, one for a code, else the text and the end-of-text token."""
        if self.task.generates_items:
            codes: list[int] = self.items.tokens.ids_of(self.items.codes[item]).tolist()
            return codes
        if isinstance(self.about, CodeTexts) and self.task.target == CODE:
            return [self.about.token_id(item)]
        # Text goes on after a prompt with a space, as it would in any sentence.
        text = self.targets[item] if self.seq2seq or self.chat else f" {self.targets[item]}"
        ids = self._read(MarkedText.whole(text), special=False)
        return ids if self.tokenizer.eos_token_id is None else [*ids, self.tokenizer.eos_token_id]

    @property
    def usable(self) -> np.ndarray:
        """Which items or codes can be the target, ``(n,)`` bool: those with the texts that are shown and asked for."""
        answerable = np.array([bool(text) for text in self.targets])
        return answerable if self.task.kind == "history" else answerable & self.about.titled

    def render_example(self, sample: Sample) -> dict[str, list[int]]:
        """A training example.

        Returns:
            ``input_ids`` and ``labels``. Decoder: prompt and target in one, labels -100 at every token of the prompt.
            Seq2seq: the prompt, and the targets alone, one after the other.

        Raises:
            DataError: See :meth:`render`, or the target item lacks the text that is asked for.
        """
        item = self._target(sample)
        if not self.targets[item]:
            raise DataError(
                f"The item {item} has no {self.task.target}.", where=f"task '{self.task.name}'", expected="a text"
            )
        _, source, _ = self._fit(sample)
        target = self.target_ids(item)
        if self.seq2seq:
            known = [label for label in self._prompt_labels(source) if label != IGNORE]
            return {"input_ids": source, "labels": known + target}
        return {"input_ids": source + target, "labels": self._prompt_labels(source) + target}

    def _prompt_labels(self, source: list[int]) -> list[int]:
        if self._code_ids is None:
            return [IGNORE] * len(source)
        ids = np.asarray(source)
        is_code = np.isin(ids, self._code_ids)
        is_code[np.flatnonzero(is_code)[: self.items.codes.shape[1]]] = False
        return np.where(is_code, ids, IGNORE).tolist()  # type: ignore[no-any-return]

    def render_for_generation(
        self,
        histories: Histories | Sequence[Sequence[int]],
        *,
        preferences: Sequence[str | None] | None = None,
        padding_side: str | None = None,
    ) -> dict[str, torch.Tensor]:
        """Prompts to be answered with the next item; the same tokens as in training.

        Args:
            histories: Catalogue positions, oldest first; may be empty.
            preferences: What every user says to like; None derives it from the history.
            padding_side: ``left`` or ``right``; None: left for decoders, right for encoder-decoders.

        Returns:
            ``input_ids`` and ``attention_mask``, ``(users, longest)`` int64.

        Raises:
            ConfigError: The task does not recommend.
            DataError: See :meth:`render`.
        """
        if not self.task.names_items:
            raise ConfigError(
                f"The task '{self.task.name}' does not name the next item.",
                expected="a task of kind 'history' whose target is codes or title, such as next-item",
            )
        users = histories if isinstance(histories, Histories) else Histories.from_lists(histories)
        rows = []
        for user in range(len(users)):
            part = slice(users.offsets[user], users.offsets[user + 1])
            times = None if users.timestamps is None else users.timestamps[part]
            stated = None if preferences is None else preferences[user]
            rows.append(self._fit(Sample(users.items[part], times=times, preference=stated))[1])
        return pad_prompts(rows, self.tokenizer, padding_side or ("right" if self.seq2seq else "left"))


def make_renderer(
    prompt: str,
    items: ItemTexts,
    tokenizer: Any,
    *,
    seq2seq: bool,
    prompts: PromptSettings | None = None,
    max_items: int | None = None,
    whole: bool = False,
) -> PromptRenderer:
    """A renderer by the name of a task and the prompt settings; for training and for recommending alike."""
    task, prompts = load_task(prompt), prompts or PromptSettings()
    return PromptRenderer(
        task,
        items,
        tokenizer,
        seq2seq=seq2seq,
        max_tokens=prompts.max_tokens,
        max_items=max_items,
        chat=prompts.chat,
        system=prompts.system,
        whole=whole and task.whole,
    )

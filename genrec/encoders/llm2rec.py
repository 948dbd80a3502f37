"""LLM2Rec: a language model that learns what is bought next becomes an item encoder (arXiv 2506.21579)."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
from pydantic import Field

from genrec.config import LARGEST_WIDTH, MOST_STEPS, Seed, Settings
from genrec.data.catalog import Catalog
from genrec.data.histories import Histories
from genrec.encoders.base import TextItemEncoder, normalize_rows
from genrec.encoders.sentence_model import MINILM, find_model
from genrec.encoders.text import TextTemplate, TextView
from genrec.errors import ModelError

if TYPE_CHECKING:
    from genrec.encoders.llm2rec_model import TitleReader

logger = logging.getLogger(__name__)

_BETWEEN = ", "


class Llm2RecSettings(Settings):
    """Settings of :class:`Llm2RecEncoder`."""

    name: Literal["llm2rec"] = "llm2rec"
    model: str = Field(default=MINILM, min_length=1, description="Hub id or folder of a language model, or 'minilm'.")
    revision: str | None = Field(default=None, description="Revision of a model of the hub.")
    text: TextTemplate = Field(TextTemplate(name="item-values", max_words=30), description="how items become text")
    next_title_steps: int = Field(
        1000, ge=0, le=MOST_STEPS, description="steps of predicting the next text of a history"
    )
    masked_steps: int = Field(
        200, ge=0, le=MOST_STEPS, description="steps of predicting blanked tokens, read in both directions"
    )
    contrast_steps: int = Field(
        200, ge=0, le=MOST_STEPS, description="steps of telling texts apart under dropout (SimCSE)"
    )
    batch_size: int = Field(16, ge=2, description="texts or histories a step")
    learning_rate: float = Field(1e-4, gt=0, description="step size of AdamW in all stages")
    last_layers: int | None = Field(default=None, ge=1, description="Layers that are tuned, from the end; None: all.")
    max_items: int = Field(10, ge=1, le=LARGEST_WIDTH, description="newest items of a history that are read")
    max_length: int = Field(32, ge=2, le=LARGEST_WIDTH, description="tokens that are read of a text")
    blank: float = Field(0.2, gt=0, lt=1, description="share of tokens that are blanked")
    dropout: float = Field(0.2, gt=0, lt=1, description="share of the input that SimCSE drops")
    scale: float = Field(10.0, gt=0, description="factor on cosines in SimCSE")
    seed: Seed = Field(default=0, description="seed of draws and dropout")


class Llm2RecEncoder(TextItemEncoder[Llm2RecSettings]):
    """Vectors of a language model that was tuned on training histories, of unit length; items without text get zeros.

    Three stages: the text of the next item after those of a history; blanked tokens, read both ways; texts told
    apart by their vectors (SimCSE). The vector of an item is the mean of the states of its tokens. The weights that
    have changed are kept with the index.
    """

    name: ClassVar[str] = "llm2rec"
    needs_interactions: bool = True
    settings_type: ClassVar[type[Settings]] = Llm2RecSettings
    _reader: TitleReader | None = None
    _tuned: dict[str, np.ndarray]
    _identity: dict[str, str]

    def _fit(self, catalog: Catalog, train: Histories | None) -> None:
        import torch

        self._freeze_text(self.settings.text, catalog)
        source = find_model(self.settings.model, self.settings.revision)
        self._identity = source.identity()
        reader = self._reader = self._read()
        before = {name: value.detach().clone() for name, value in reader.network.named_parameters()}
        texts = [reader.tokens(text) for text in self.texts(catalog)]
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.settings.seed)
            stages = _Stages(reader, texts, train or Histories.from_lists([]), self.settings)
            for what, steps, loss in stages.plan():
                self._tune(reader, what, steps, loss)
        self._tuned = {
            name: value.detach().cpu().numpy()
            for name, value in reader.network.named_parameters()
            if not torch.equal(value, before[name])
        }

    def _tune(self, reader: TitleReader, what: str, steps: int, loss: Callable[[], Any]) -> None:
        """One stage."""
        import torch

        trained = [value for value in reader.network.parameters() if value.requires_grad]
        optimizer = torch.optim.AdamW(trained, lr=self.settings.learning_rate, weight_decay=0.01)
        reader.train()
        total = 0.0
        for step in range(steps):
            value = loss()
            value.backward()
            torch.nn.utils.clip_grad_norm_(trained, 1.0)
            optimizer.step()
            optimizer.zero_grad()
            total += float(value.detach())
            self.tell(step + 1, steps, what)
        reader.eval()
        logger.info("llm2rec: mean loss %.4f (steps: %d)", total / max(1, steps), steps)

    def _encode(self, catalog: Catalog) -> np.ndarray:
        import torch

        reader = self._ready()
        texts = [reader.tokens(text) for text in self.texts(catalog)]
        order = sorted((n for n in range(len(texts)) if texts[n]), key=lambda n: len(texts[n]))
        size = int(reader.network.config.hidden_size)
        found, most = np.zeros((len(texts), size), dtype=np.float32), 4 * self.settings.batch_size
        with torch.no_grad():
            for at in range(0, len(order), most):
                part = order[at : at + most]
                found[part] = reader.pooled([texts[n] for n in part], both_ways=True).cpu().numpy()
                self.tell(min(at + most, len(order)), len(order))
        return normalize_rows(found)

    def state(self) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        """Weights that have changed; digests of the model's files and the frozen text template."""
        return dict(self._tuned), {"digests": self._identity, "text": self._view.to_dict()}

    def _load(self, tensors: dict[str, np.ndarray], rest: dict[str, Any]) -> None:
        self._tuned, self._identity = dict(tensors), dict(rest["digests"])
        self._view = TextView.from_dict(rest["text"])
        self._reader = None

    def _ready(self) -> TitleReader:
        """The tuned model; after loading the base is read again.

        Raises:
            ModelError: The base is another one, or a weight does not fit.
        """
        import torch

        if self._reader is None:
            source = find_model(self.settings.model, self.settings.revision)
            if source.identity()["weights"] != self._identity["weights"]:
                raise ModelError(
                    f"The language model '{self.settings.model}' is not the one that the index was built with.",
                    where=source.folder,
                    hint="Give the folder of the original model, or build the index again with this one.",
                )
            reader = self._read()
            weights = dict(reader.network.named_parameters())
            for name, value in self._tuned.items():
                if name not in weights or tuple(weights[name].shape) != value.shape:
                    raise ModelError("A tuned weight of this encoder does not fit its model.", where=name)
                with torch.no_grad():
                    weights[name].copy_(torch.from_numpy(np.array(value)))
            self._reader = reader
        return self._reader

    def _read(self) -> TitleReader:
        from genrec.encoders.llm2rec_model import TitleReader

        source = find_model(self.settings.model, self.settings.revision)
        return TitleReader(source, self.settings.max_length, self.settings.last_layers)


class _Stages:
    """What every stage learns from.

    Args:
        reader: Is tuned.
        texts: Tokens of every item's text.
        train: Training histories.
        settings: Of the encoder.
    """

    def __init__(
        self, reader: TitleReader, texts: list[list[int]], train: Histories, settings: Llm2RecSettings
    ) -> None:
        self.reader, self.texts, self.train, self.settings = reader, texts, train, settings
        self.rng = np.random.default_rng([settings.seed, 17])
        known = np.array([bool(text) for text in texts])
        self.items = np.flatnonzero(known)
        ends = np.arange(len(train.items))
        first = np.repeat(train.offsets[:-1], train.lengths)
        self.ends = ends[(ends > first) & known[train.items]] if len(ends) else ends
        self.first = first
        self.between = reader.tokens(_BETWEEN)

    def plan(self) -> list[tuple[str, int, Callable[[], Any]]]:
        """Name, steps and loss of every stage that has something to learn from."""
        settings = self.settings
        stages = [("tuning on next texts", settings.next_title_steps, self.next_title)] if len(self.ends) else []
        if len(self.items) > 1:
            stages.append(("tuning on blanked tokens", settings.masked_steps, self.masked))
            stages.append(("tuning by contrast", settings.contrast_steps, self.contrast))
        return [stage for stage in stages if stage[1]]

    def next_title(self) -> Any:
        """Of one batch of histories."""
        histories, answers = [], []
        for end in self.rng.choice(self.ends, self.settings.batch_size):
            begin = max(int(self.first[end]), int(end) - self.settings.max_items)
            shown = [self.texts[item] for item in self.train.items[begin:end] if self.texts[item]]
            histories.append([token for text in shown for token in [*text, *self.between]] or self.between)
            answers.append([*self.texts[self.train.items[end]], *self.reader.end])
        return self.reader.next_title(histories, answers)

    def masked(self) -> Any:
        """Of one batch of items."""
        return self.reader.masked(self._some(), self.settings.blank, self.rng)

    def contrast(self) -> Any:
        """Of one batch of items, all different."""
        return self.reader.contrast(self._some(), self.settings.dropout, self.settings.scale)

    def _some(self) -> list[list[int]]:
        chosen = self.rng.choice(self.items, min(self.settings.batch_size, len(self.items)), replace=False)
        return [self.texts[item] for item in chosen]

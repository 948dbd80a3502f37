"""What a network reads of histories: codes, or prompts from the recommender's own templates."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np

from genrec.data.histories import Histories
from genrec.errors import ConfigError
from genrec.generative.config import TrainConfig
from genrec.index.semantic_index import SemanticIndex
from genrec.models import CodeModel, LanguageBase
from genrec.models.history_batches import CodeCollator
from genrec.prompts import ItemTexts, PromptRenderer, load_task
from genrec.prompts.rendering import make_renderer
from genrec.prompts.task import task_path


def save_prompts(config: TrainConfig, folder: Path) -> None:
    """Copy the templates of a configuration's tasks into ``folder``, under their names."""
    folder.mkdir(parents=True)
    for task in config.tasks:
        path = task_path(task.prompt)
        shutil.copyfile(path, folder / path.name)


def with_saved_prompts(config: TrainConfig, folder: Path) -> TrainConfig:
    """The configuration with the templates that :func:`save_prompts` kept, whatever the shipped ones are by now."""
    tasks = tuple(
        task.model_copy(update={"prompt": str(kept)}) if (kept := _kept(task.prompt, folder)).is_file() else task
        for task in config.tasks
    )
    return config.model_copy(update={"tasks": tasks})


def _kept(prompt: str, folder: Path) -> Path:
    return folder / f"{Path(prompt).name.removesuffix('.jinja')}.jinja"


def item_texts(index: SemanticIndex, model: LanguageBase) -> ItemTexts:
    """Texts of an index with the code tokens of a model."""
    return ItemTexts(index.catalog, index.codes, model.tokens)


class PromptReader:
    """Histories → prompts, as in training.

    Args:
        config: Settings of the recommender.
        index: Its index.
        model: Its language model.

    Raises:
        ConfigError: No task of the configuration names the next item.
    """

    def __init__(self, config: TrainConfig, index: SemanticIndex, model: LanguageBase) -> None:
        name = next((task.prompt for task in config.tasks if load_task(task.prompt).recommends), None)
        if name is None:
            raise ConfigError(
                "None of the tasks names the next item's codes, so nothing can be recommended.",
                where="tasks",
                expected="a task such as next-item among them",
            )
        self.renderer: PromptRenderer = make_renderer(
            name, item_texts(index, model), model.tokenizer, seq2seq=model.reads_apart, prompts=config.prompts
        )

    def __call__(self, histories: Histories | list[np.ndarray]) -> dict[str, Any]:
        """``input_ids`` and ``attention_mask``, ``(users, longest)`` int64."""
        return dict(self.renderer.render_for_generation(histories))  # type: ignore[arg-type]


def make_reader(config: TrainConfig, index: SemanticIndex, model: CodeModel) -> PromptReader | CodeCollator:
    """What turns histories into the batches that a model's ``prefill`` reads: prompts or codes."""
    if isinstance(model, LanguageBase):
        model.check_items(len(index.item_ids))
        return PromptReader(config, index, model)
    return CodeCollator(index.codes, model.read_vectors(index) if config.model.item_vectors else None)

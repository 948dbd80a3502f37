"""Histories as prompts, by the task that a recommender was trained for; and its templates, kept beside it."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from genrec.data.histories import Histories
from genrec.errors import ArtifactError, ConfigError
from genrec.prompts.items import ItemTexts
from genrec.prompts.rendering import PromptRenderer, make_renderer
from genrec.prompts.settings import PromptSettings, TaskSettings
from genrec.prompts.task import CODES, load_task, task_path


class PromptReader:
    """Histories → prompts, as in training.

    Args:
        tasks: What was learned; the first that names the next item's codes is taken.
        items: Texts of the catalogue; their code tokens are known to ``tokenizer``.
        tokenizer: Of the model.
        seq2seq: Whether the model reads prompt and answer apart.
        prompts: Budget and chat.
        answer: What the task must name of the next item: ``codes`` or ``title``.

    Raises:
        ConfigError: No task names the next item.
    """

    def __init__(
        self,
        tasks: Sequence[TaskSettings],
        items: ItemTexts,
        tokenizer: Any,
        *,
        seq2seq: bool,
        prompts: PromptSettings,
        answer: str = CODES,
    ) -> None:
        loaded = ((task.prompt, load_task(task.prompt)) for task in tasks)
        name = next((name for name, task in loaded if task.kind == "history" and task.target == answer), None)
        if name is None:
            raise ConfigError(
                f"None of the tasks names the next item's {answer}, so nothing can be recommended.",
                where="tasks",
                expected=f"a task such as {'next-item' if answer == CODES else 'titles-to-title'} among them",
            )
        self.renderer: PromptRenderer = make_renderer(name, items, tokenizer, seq2seq=seq2seq, prompts=prompts)

    def __call__(self, histories: Histories | list[np.ndarray]) -> dict[str, Any]:
        """``input_ids`` and ``attention_mask``, ``(users, longest)`` int64."""
        return dict(self.renderer.render_for_generation(histories))  # type: ignore[arg-type]


def save_templates(tasks: Sequence[TaskSettings], folder: Path) -> None:
    """Copy the templates of tasks into ``folder``, under their names.

    Raises:
        ConfigError: Two templates have the same name and are not the same.
    """
    folder.mkdir(parents=True)
    for task in tasks:
        path = task_path(task.prompt)
        place = folder / path.name
        if place.is_file() and place.read_bytes() != path.read_bytes():
            raise ConfigError(
                f"Two tasks have templates of the name {path.name}.", where="tasks", hint="Rename one of the files."
            )
        shutil.copyfile(path, place)


def with_saved_templates(tasks: Sequence[TaskSettings], folder: Path) -> tuple[TaskSettings, ...]:
    """The tasks with the templates that :func:`save_templates` kept, whatever the shipped ones are by now.

    Raises:
        ArtifactError: One was not kept: a saved recommender names no files of other places.
    """
    kept = [_kept(task.prompt, folder) for task in tasks]
    for path in kept:
        if not path.is_file():
            raise ArtifactError("A template of this recommender is missing.", where=path)
    return tuple(task.model_copy(update={"prompt": str(path)}) for task, path in zip(tasks, kept, strict=True))


def _kept(prompt: str, folder: Path) -> Path:
    return folder / f"{Path(prompt).name.removesuffix('.jinja')}.jinja"

"""Language models from a training configuration: the network, its prompts, its examples."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np

from genrec.data.histories import Histories
from genrec.errors import ConfigError
from genrec.generative.config import TrainConfig
from genrec.index.semantic_index import SemanticIndex
from genrec.models import LANGUAGE_ARCHITECTURES, CodeModel, LanguageBase
from genrec.models.history_batches import CodeCollator
from genrec.models.llm.code_rows import RowStart
from genrec.models.llm.source import LanguageSource
from genrec.prompts import ItemTexts, PromptRenderer, load_task
from genrec.prompts.task import task_path
from genrec.training.text_examples import TextExamples, make_renderer, make_text_examples
from genrec.training.trainer import DEFAULTS

_SOURCE = ("revision", "random_weights", "trust_remote_code", "dtype", "quantize", "attention")


def build_language_model(config: TrainConfig, index: SemanticIndex) -> LanguageBase:
    """The network that a configuration asks for, ready to be trained on an index.

    Raises:
        ConfigError: No checkpoint is given, or a setting is wrong.
        ModelError: The checkpoint cannot be loaded.
        ArtifactError: The checkpoint speaks the codes of another index.
    """
    model_class, config_class = LANGUAGE_ARCHITECTURES[config.model.architecture]
    settings = config.model
    if settings.checkpoint is None:
        raise ConfigError(
            f"The architecture '{settings.architecture}' starts from a pretrained model, and none is given.",
            where="model.checkpoint",
            expected="a folder, or the id of a model on the Hugging Face hub such as Qwen/Qwen3-0.6B",
            hint="--set model.checkpoint=FOLDER",
        )
    llm = settings.llm
    folder = Path(settings.checkpoint).expanduser()
    # An absolute path, because the recommender is loaded from anywhere.
    checkpoint = str(folder.resolve()) if folder.is_dir() else settings.checkpoint
    network = config_class(
        codebook_sizes=list(index.codebook_sizes),
        backbone=dict(settings.backbone),
        dropout=settings.dropout,
        label_smoothing=settings.label_smoothing,
        max_items=settings.max_items,
        source={"checkpoint": checkpoint, **{name: getattr(llm, name) for name in _SOURCE}},
        tuning=llm.tuning,
        lora=dict(llm.lora),
        train_code_rows=llm.train_code_rows,
        keep_layers=llm.keep_layers,
        every_layer=llm.every_layer,
        index_fingerprint=index.fingerprint,
        n_items=len(index),
    )
    return model_class.build(network, _row_start(config, index))


def _row_start(config: TrainConfig, index: SemanticIndex) -> RowStart:
    how = config.model.llm.code_rows
    return RowStart(
        codebooks=index.codebooks if how == "codebooks" else None,
        texts=index.catalog.titles() if how == "titles" else None,
        codes=index.codes,
        seed=config.seed,
    )


def language_examples(
    config: TrainConfig, index: SemanticIndex, model: LanguageBase, histories: Histories
) -> TextExamples:
    """The mixture of tasks that a model is trained on; ``histories`` is the training part only."""
    others = [task.prompt for task in config.tasks if not load_task(task.prompt).generates_items]
    if model.codes_only and others:
        raise ConfigError(
            f"The architecture '{config.model.architecture}' answers with semantic IDs, not with text.",
            where=f"tasks: {', '.join(others)}",
            expected="tasks whose target is codes",
            hint="Leave these tasks out, or use architecture: language-model.",
        )
    return make_text_examples(
        config.tasks,
        histories,
        item_texts(index, model),
        model.tokenizer,
        seq2seq=model.reads_apart,
        prompts=config.prompts,
        max_items=config.model.max_items,
        epochs=float(config.trainer.get("num_train_epochs", DEFAULTS["num_train_epochs"])),
        whole=config.examples.mode == "whole" and not model.reads_apart,
        seed=config.seed,
    )


def checkpoint_fingerprint(config: TrainConfig) -> str | None:
    """What decides the start of a run beside its settings: the checkpoint's weights; None without a checkpoint."""
    if config.model.architecture not in LANGUAGE_ARCHITECTURES or config.model.checkpoint is None:
        return None
    return LanguageSource(config.model.checkpoint, revision=config.model.llm.revision).fingerprint()


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

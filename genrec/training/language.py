"""Language models from a training configuration: the network, its prompts, its examples."""

from __future__ import annotations

from pathlib import Path

from genrec.data.histories import Histories
from genrec.errors import ConfigError
from genrec.generative.config import TrainConfig
from genrec.generative.reader import item_texts
from genrec.index.semantic_index import SemanticIndex
from genrec.models import LANGUAGE_ARCHITECTURES, LanguageBase
from genrec.models.llm.code_rows import RowStart
from genrec.models.llm.source import LanguageSource
from genrec.prompts import load_task
from genrec.training.text_examples import TextExamples, make_text_examples
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

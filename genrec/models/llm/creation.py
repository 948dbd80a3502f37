"""A language model from the settings of a run: its configuration, the start of its code rows, its examples."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from genrec.data.histories import Histories
from genrec.errors import ConfigError, DataError
from genrec.models.llm.code_rows import RowStart
from genrec.models.llm.config import LanguageConfig
from genrec.models.llm.positions import reads_answers
from genrec.models.llm.source import LanguageSource
from genrec.models.settings import OF_LANGUAGE_MODELS, ModelSettings, RunSettings
from genrec.prompts import ItemTexts, PromptRenderer, load_task
from genrec.prompts.examples import TextExamples, make_text_examples
from genrec.prompts.keywords import code_keywords
from genrec.prompts.settings import PromptSettings
from genrec.wording import count

if TYPE_CHECKING:
    from genrec.index.semantic_index import SemanticIndex

_LONGEST = 20  # texts whose tokens are counted: those with the most characters
_SOURCE = ("revision", "random_weights", "dtype", "quantize", "attention")


def language_fields(config: RunSettings, index: SemanticIndex, known: type[LanguageConfig]) -> dict[str, Any]:
    """Fields of the configuration of a network around a language model, to be trained on an index.

    Args:
        config: Settings of the run.
        index: Of the catalogue.
        known: Configuration of the network.

    Raises:
        ConfigError: No checkpoint is given, or an option is wrong.
    """
    settings = config.model
    known.check_options(settings.options, settings.architecture)
    llm, given = settings.llm, named_checkpoint(settings)
    folder = Path(given).expanduser()
    # An absolute path, because the recommender is loaded from anywhere.
    checkpoint = str(folder.resolve()) if folder.exists() else given
    return {
        "codebook_sizes": list(index.codebook_sizes),
        "backbone": dict(settings.backbone),
        "dropout": settings.dropout,
        "label_smoothing": settings.label_smoothing,
        "max_items": settings.max_items,
        "source": {"checkpoint": checkpoint, **{name: getattr(llm, name) for name in _SOURCE}},
        "tuning": llm.tuning,
        "lora": dict(llm.lora),
        "train_code_rows": llm.train_code_rows,
        "keep_layers": llm.keep_layers,
        "every_layer": llm.every_layer,
        "index_fingerprint": index.fingerprint,
        "n_items": len(index),
        "max_tokens": config.prompts.max_tokens,
        **settings.options,
    }


def language_settings_read(config: RunSettings) -> frozenset[str]:
    """Settings, by dotted name, that make a difference to every network around a language model."""
    shared = {"model.dropout", "model.label_smoothing", "model.max_items", "model.trie_masked_loss"}
    idle = {"model.llm.fit_code_rows", "model.llm.trust_remote_code"}
    if config.model.llm.tuning != "lora":
        idle |= {"model.llm.lora", "model.llm.train_code_rows"}
    if not config.prompts.chat:
        idle.add("prompts.system")
    if config.examples.mode == "prefixes":  # which is what they do anyway
        shared.add("examples.mode")
    return (OF_LANGUAGE_MODELS | shared | {"examples.drop", "examples.bucket_pool"}) - idle


def named_checkpoint(settings: ModelSettings) -> str:
    """The pretrained model that settings name.

    Raises:
        ConfigError: There is none.
    """
    if not settings.checkpoint:
        raise ConfigError(
            f"The architecture '{settings.architecture}' starts from a pretrained model, and none is given.",
            where="model.checkpoint",
            expected="a folder, or the id of a model on the Hugging Face hub such as Qwen/Qwen3-0.6B",
            hint="Name it: genrec train … --set model.checkpoint=FOLDER.",
        )
    return settings.checkpoint


def row_start(config: RunSettings, index: SemanticIndex) -> RowStart:
    """What the rows of the code tokens start from."""
    how = config.model.llm.code_rows
    return RowStart(
        codebooks=index.codebooks if how == "codebooks" else None,
        texts=index.catalog.titles() if how == "titles" else None,
        codes=index.codes,
        code_texts=code_keywords(index.catalog.titles(), index.codes, index.codebook_sizes)
        if how == "keywords"
        else None,
        seed=config.seed,
    )


def check_answers(renderers: Sequence[PromptRenderer], base: Any) -> None:
    """Refuse texts that the decoder of an encoder-decoder has no positions for.

    Args:
        renderers: Of all tasks.
        base: Model of transformers.

    Raises:
        DataError: An answer is too long.
    """
    for renderer in renderers:
        if renderer.task.generates_items:
            continue
        order = np.argsort([-len(text) for text in renderer.targets], kind="stable")[:_LONGEST]
        lengths = [len(renderer.target_ids(int(item))) for item in order]
        if not reads_answers(base, max(lengths)):
            item, tokens = int(order[int(np.argmax(lengths))]), max(lengths)
            raise DataError(
                f"An answer of the task '{renderer.task.name}' has {count(tokens, 'token')}; the decoder "
                "has fewer positions.",
                where=f"item '{renderer.about[item]['title'][:60]}'",
                hint="Leave the task out, or shorten that text.",
            )


def checkpoint_fingerprint(settings: ModelSettings) -> str | None:
    """Of the checkpoint's weights; None without a checkpoint."""
    if settings.checkpoint is None:
        return None
    return LanguageSource(settings.checkpoint, revision=settings.llm.revision).fingerprint()


def prompt_settings(config: RunSettings, max_tokens: int | None) -> PromptSettings:
    """How prompts are rendered: as the configuration says, and never longer than the model reads."""
    most = min(config.prompts.max_tokens, max_tokens or config.prompts.max_tokens)
    return config.prompts.model_copy(update={"max_tokens": most})


def language_examples(
    config: RunSettings,
    items: ItemTexts,
    tokenizer: Any,
    histories: Histories,
    *,
    reads_apart: bool,
    whole: bool,
    codes_only: bool,
    max_tokens: int | None = None,
) -> TextExamples:
    """The mixture of tasks that a model is trained on.

    Args:
        config: Settings of the run.
        items: Texts of the catalogue with the code tokens of the model.
        tokenizer: Of the model.
        histories: The training part only.
        reads_apart: Whether an example is a prompt with a target apart.
        whole: Whether the model can learn all items of a history from one row.
        codes_only: Whether the model answers with semantic IDs alone.
        max_tokens: Longest prompt that the model reads.

    Raises:
        ConfigError: A task asks for text and the model has none to give.
    """
    others = [task.prompt for task in config.tasks if not load_task(task.prompt).generates_items]
    if codes_only and others:
        raise ConfigError(
            f"The architecture '{config.model.architecture}' answers with semantic IDs, not with text.",
            where=f"tasks: {', '.join(others)}",
            expected="tasks whose target is codes",
            hint="Leave these tasks out, or use architecture: language-model.",
        )
    return make_text_examples(
        config.tasks,
        histories,
        items,
        tokenizer,
        seq2seq=reads_apart,
        prompts=prompt_settings(config, max_tokens),
        max_items=config.model.max_items,
        epochs=config.epochs,
        whole=config.examples.mode == "whole" and whole,
        drop=config.examples.drop,
        seed=config.seed,
    )

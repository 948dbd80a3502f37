"""Training a generative recommender: index and interactions in, recommender out, resumable in between."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from transformers import TrainerCallback

from genrec.artifacts import read_manifest
from genrec.data.filters import drop_consecutive_repeats
from genrec.data.histories import Histories
from genrec.data.interactions import Interactions
from genrec.data.split import Split, make_split
from genrec.errors import ArtifactError, ConfigError, GenRecError
from genrec.generative import MANIFEST, GenerativeRecommender, make_validate
from genrec.index import SemanticIndex
from genrec.models import LANGUAGE_ARCHITECTURES, LanguageBase, build_model
from genrec.training.config import SplitSettings, TrainConfig
from genrec.training.distributed import in_pieces, on_main_process, save_whole
from genrec.training.examples import HistoryExamples
from genrec.training.language import build_language_model, checkpoint_fingerprint, language_examples
from genrec.training.session import TrainingFolder, differences, run_identity
from genrec.training.text_examples import TextCollator, TextExamples
from genrec.training.trainer import build_trainer, set_seed, usable_checkpoint

logger = logging.getLogger(__name__)


class TrainingStoppedError(GenRecError):
    """Training was stopped on request; a checkpoint is there and the same call continues."""


def split_for(interactions: Interactions | Histories, index: SemanticIndex, config: TrainConfig) -> Split:
    """The split that a configuration asks for, over the items of an index."""
    return split_interactions(interactions, index.item_ids, config.split, config.drop_consecutive_repeats)


def split_interactions(
    interactions: Interactions | Histories, item_ids: np.ndarray, split: SplitSettings, drop_repeats: bool
) -> Split:
    """Cut interactions into training, validation and test; items that are not in ``item_ids`` are left out."""
    if isinstance(interactions, Histories):
        known = drop_consecutive_repeats(interactions) if drop_repeats else interactions
    else:
        known = interactions.histories(item_ids, consecutive_repeats="drop" if drop_repeats else "keep")
    return make_split(known, split.name, **split.options)


def train(
    index: SemanticIndex,
    interactions: Interactions | Histories | Split,
    config: TrainConfig,
    out: Path | str,
    *,
    overwrite: bool = False,
    callbacks: Sequence[TrainerCallback] = (),
) -> GenerativeRecommender:
    """Train a recommender and save it; the same call again continues a stopped run or returns the finished one.

    Args:
        index: Semantic index of the catalogue; built without held-out interactions.
        interactions: All interactions (they are split as the configuration says), or a split.
        config: Settings.
        out: Folder of the recommender.
        overwrite: Replace what is at ``out`` and forget an unfinished run.
        callbacks: transformers callbacks, for progress.

    Raises:
        ArtifactError: ``out`` holds something else, or an unfinished run with other inputs.
        TrainingStoppedError: A callback stopped the run before its end; nothing is lost.
    """
    out = Path(out)
    split = interactions if isinstance(interactions, Split) else split_for(interactions, index, config)
    identity = run_identity(config, split.train, index.fingerprint, checkpoint_fingerprint(config))
    if (done := _finished(out, identity, overwrite)) is not None:
        return done
    recommender, examples = _untrained(index, split, config)
    model = recommender.model
    session = TrainingFolder(out)
    trainer = build_trainer(
        model,
        examples,
        TextCollator(model.tokenizer) if isinstance(model, LanguageBase) else recommender.collator,
        config,
        session.checkpoints,
        validate=make_validate(recommender, split.validation, config) if len(split.validation) else None,
        callbacks=callbacks,
    )
    # after everything that wrong settings can break
    on_main_process(lambda: session.open(identity, overwrite=overwrite))
    on_main_process(lambda: usable_checkpoint(session.checkpoints))
    began = time.monotonic()
    trainer.train(resume_from_checkpoint=usable_checkpoint(session.checkpoints))
    if any(getattr(callback, "requested", False) for callback in callbacks):
        raise TrainingStoppedError(
            f"Training stopped at step {trainer.state.global_step} of {trainer.state.max_steps}; nothing is lost.",
            where=session.folder,
            hint="Run the same command again to continue.",
        )
    recommender.model.eval()
    recommender.metrics.update(_summary(trainer, split, examples, identity, time.monotonic() - began))
    pieces = in_pieces(model)
    save_whole(model, lambda: recommender.save_pretrained(out, overwrite=overwrite))
    on_main_process(session.remove)
    return GenerativeRecommender.from_pretrained(out) if pieces else recommender


def _untrained(
    index: SemanticIndex, split: Split, config: TrainConfig
) -> tuple[GenerativeRecommender, HistoryExamples | TextExamples]:
    """The recommender with the weights that its seed gives, and what it will learn from."""
    set_seed(config.seed)
    if config.model.architecture in LANGUAGE_ARCHITECTURES:
        language = build_language_model(config, index)
        language.prepare(index.trie, trie_masked_loss=config.model.trie_masked_loss)
        return GenerativeRecommender(language, index, config), language_examples(config, index, language, split.train)
    model = build_model(config.model.architecture, index.codebook_sizes, **_model_settings(config, index))
    if config.model.init_from_codebooks and index.codebooks is not None:
        model.init_from_codebooks(index.codebooks, config.seed)
    model.restrict_loss(index.trie if config.model.trie_masked_loss else None)
    prefixes = config.examples.mode == "prefixes" or config.model.architecture == "seq2seq"
    examples = HistoryExamples(split.train, config.model.max_items, prefixes=prefixes)
    return GenerativeRecommender(model, index, config), examples


def _model_settings(config: TrainConfig, index: SemanticIndex) -> dict[str, Any]:
    others = {"architecture", "init_from_codebooks", "item_vectors", "checkpoint", "llm", "trie_masked_loss"}
    settings = config.model.model_dump(exclude=others)
    if config.model.item_vectors:
        if config.model.architecture != "item-decoder":
            raise ConfigError(
                f"The architecture '{config.model.architecture}' does not read item vectors.",
                where="model.item_vectors",
                hint="Use architecture: item-decoder, or leave item_vectors out.",
            )
        settings["vector_dim"] = index.vectors().shape[1]
    return {key: value for key, value in settings.items() if value is not None}


def _finished(out: Path, identity: dict[str, Any], overwrite: bool) -> GenerativeRecommender | None:
    if overwrite or not out.exists() or (out.is_dir() and not any(out.iterdir())):
        return None
    if not (out / MANIFEST).is_file():
        raise ArtifactError(
            "The output folder already exists and is not a recommender.",
            where=out,
            hint="Choose another --out, or pass --overwrite.",
        )
    before = read_manifest(out, MANIFEST, "recommender").get("run")
    changed = differences(before, json.loads(json.dumps(identity)))
    if changed:
        raise ArtifactError(
            "The output folder holds a recommender trained with other inputs.",
            where=out,
            expected="the same settings, interactions and index; different: " + "; ".join(changed[:5]),
            hint="Choose another --out, or pass --overwrite.",
        )
    logger.info("%s is already trained with these settings; nothing to do.", out)
    return GenerativeRecommender.from_pretrained(out)


def _summary(
    trainer: Any, split: Split, examples: HistoryExamples | TextExamples, identity: dict[str, Any], seconds: float
) -> dict[str, Any]:
    logs = [entry for entry in trainer.state.log_history if any(key.startswith("eval_ndcg") for key in entry)]
    best: dict[str, Any] = max(
        logs, key=lambda entry: next(v for k, v in entry.items() if k.startswith("eval_ndcg")), default={}
    )
    sampler = trainer._bucket_sampler
    return {
        "validation": {key.removeprefix("eval_"): v for key, v in best.items() if key.startswith("eval_")},
        "best_epoch": best.get("epoch"),
        "epochs": trainer.state.epoch,
        "steps": trainer.state.global_step,
        "seconds_this_session": round(seconds, 1),
        "trainable_parameters": sum(p.numel() for p in trainer.model.parameters() if p.requires_grad),
        "train_users": len(split.train),
        "train_rows": len(examples),
        "padding_ratio": round(sampler.padding_ratio(), 4),
        "log": trainer.state.log_history,
        "run": identity,
    }

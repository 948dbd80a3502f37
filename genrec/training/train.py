"""Training a generative recommender: index and interactions in, recommender out, resumable in between."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from transformers import TrainerCallback

from genrec.data.histories import Histories
from genrec.data.interactions import Interactions
from genrec.data.split import Split, split_for
from genrec.errors import ConfigError
from genrec.generative.config import ModelSettings, TrainConfig
from genrec.generative.prior_experience import PriorExperience
from genrec.generative.recommender import GenerativeRecommender
from genrec.index.recipe import TokenizerRecipe
from genrec.index.semantic_index import SemanticIndex
from genrec.models import LANGUAGE_ARCHITECTURES, CodeModel, LanguageBase, build_model
from genrec.models.history_batches import HistoryExamples
from genrec.models.recgpt.config import settings_for
from genrec.models.recgpt.network import RecGPT
from genrec.training.candidates import CandidateCollator
from genrec.training.distributed import in_pieces, on_main_process, save_whole
from genrec.training.divergence import learn
from genrec.training.language import build_language_model, checkpoint_fingerprint, language_examples
from genrec.training.prior import fit_prior
from genrec.training.session import TrainingFolder, check_stopped, is_finished, run_identity
from genrec.training.start import StartingPoint
from genrec.training.text_examples import TextCollator, TextExamples
from genrec.training.trainer import build_trainer, set_seed, usable_checkpoint
from genrec.training.validation import GeneratedValidation

logger = logging.getLogger(__name__)


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

    The best epoch on validation is kept. A RecGPT that pools texts or was pretrained recommends before it is trained.
    So there the weights at the start are a candidate, too, and an item prior is fitted to them first, so that weights
    are judged together with it; and where texts are pooled, the average of both is kept (``config.start_share``).

    Args:
        index: Semantic index of the catalogue; built without held-out interactions.
        interactions: All interactions (they are split as the configuration says), or a split.
        config: Settings.
        out: Folder of the recommender.
        overwrite: Replace what is at ``out`` and forget an unfinished run.
        callbacks: transformers callbacks, for progress.

    Raises:
        ArtifactError: ``out`` holds something else, or an unfinished run with other inputs; or ``config.init`` is no
            pretrained recommender for this index.
        TrainingStoppedError: A callback stopped the run before its end; nothing is lost.
        DivergedError: The loss became infinite or no number before an epoch was done.
    """
    out = Path(out)
    split = interactions if isinstance(interactions, Split) else split_for(interactions, index, config)
    identity = run_identity(config, split.train, index.fingerprint, checkpoint_fingerprint(config))
    if is_finished(out, identity, overwrite):
        return _with_prior(GenerativeRecommender.from_pretrained(out), split, config, out)
    recommender, examples = _untrained(index, split, config)
    model = recommender.model
    session = TrainingFolder(out)
    validate = GeneratedValidation(recommender, split.validation, config) if len(split.validation) else None
    trainer = build_trainer(
        model,
        examples,
        _training_collator(recommender),
        config,
        session.checkpoints,
        validate=validate,
        callbacks=callbacks,
    )
    # after everything that wrong settings can break
    on_main_process(lambda: session.open(identity, overwrite=overwrite))
    on_main_process(lambda: usable_checkpoint(session.checkpoints))
    began = time.monotonic()
    start, prior = None, config.generation.prior
    if validate is not None and isinstance(model, RecGPT) and (model.pooling is not None or config.init):
        if prior is not None and recommender.scores_all:
            fit_prior(recommender, split, prior, experience=_experience(config))
        start = StartingPoint(trainer, validate, 0.0 if model.pooling is None else config.start_share)
    broken = learn(trainer, session, usable_checkpoint(session.checkpoints), start)
    check_stopped(trainer, callbacks, session.folder)
    recommender.model.eval()
    recommender.metrics.update(_summary(trainer, split, examples, identity, time.monotonic() - began) | broken)
    if start is not None:
        recommender.metrics.update(start.settle(trainer))
    pieces = in_pieces(model)
    if prior is not None and not pieces:
        fit_prior(recommender, split, prior, experience=_experience(config))
    save_whole(model, lambda: recommender.save_pretrained(out, overwrite=overwrite))
    on_main_process(session.remove)
    return GenerativeRecommender.from_pretrained(out) if pieces else recommender


def _with_prior(
    recommender: GenerativeRecommender, split: Split, config: TrainConfig, out: Path
) -> GenerativeRecommender:
    """A trained recommender with the item prior that is asked for now; the network stays as it is."""
    wanted, has = config.generation.prior, recommender.options.prior
    if wanted is None or (has is not None and wanted.is_met_by(has)):
        return recommender
    fit_prior(recommender, split, wanted, experience=_experience(config))
    recommender.save_pretrained(out, overwrite=True)
    return recommender


def _experience(config: TrainConfig) -> PriorExperience | None:
    """What the pretrained recommender that training starts from knows about counts."""
    from genrec.generative.pretrained import read_experience

    return read_experience(config.init)


def _untrained(
    index: SemanticIndex, split: Split, config: TrainConfig
) -> tuple[GenerativeRecommender, HistoryExamples | TextExamples]:
    """The recommender with the weights that its seed gives, and what it will learn from."""
    set_seed(config.seed)
    if config.model.architecture in LANGUAGE_ARCHITECTURES:
        language = build_language_model(config, index)
        language.prepare(index.trie, trie_masked_loss=config.model.trie_masked_loss)
        return GenerativeRecommender(language, index, config), language_examples(config, index, language, split.train)
    model = _network(config, index)
    if config.model.init_from_codebooks and index.codebooks is not None:
        model.init_from_codebooks(index.codebooks, config.seed)
    model.restrict_loss(index.trie if config.model.trie_masked_loss else None)
    prefixes = config.examples.mode == "prefixes" or config.model.architecture == "seq2seq"
    examples = HistoryExamples(
        split.train, config.model.max_items, prefixes=prefixes, drop=config.examples.drop, seed=config.seed
    )
    recommender = GenerativeRecommender(model, index, config)
    recommender.options = recommender.options.model_copy(update={"prior": None})  # fitted when the network is trained
    return recommender, examples


def _network(config: TrainConfig, index: SemanticIndex) -> CodeModel:
    """With random weights, or with the weights of a pretrained recommender."""
    if config.init is None:
        settings = model_settings(config.model, index.recipe, index.vectors().shape[1])
        return build_model(config.model.architecture, index.codebook_sizes, **settings)
    from genrec.generative.pretrained import pretrained_network

    return pretrained_network(config, index)


def _training_collator(recommender: GenerativeRecommender) -> Callable[[list[Any]], dict[str, Any]]:
    """What makes training batches: of text, or with candidates, where the model asks for them."""
    index, config, model = recommender.index, recommender.config, recommender.model
    if isinstance(model, LanguageBase):
        return TextCollator(model.tokenizer)
    if not isinstance(model, RecGPT) or model.config.scores == "rows":
        return recommender.collator
    return CandidateCollator([model.domain_items(index)], config.examples.candidates, seed=config.seed)


_NOT_THE_NETWORKS = {
    "architecture",
    "init_from_codebooks",
    "item_vectors",
    "options",
    "checkpoint",
    "llm",
    "trie_masked_loss",
}


def model_settings(model: ModelSettings, recipe: TokenizerRecipe, vector_dim: int) -> dict[str, Any]:
    """Settings of :func:`genrec.models.build_model`, with what follows from the recipe of the codes.

    Args:
        model: Settings of the network.
        recipe: Of the item tokenizer.
        vector_dim: Dimension of the item vectors.

    Raises:
        ConfigError: The architecture does not read item vectors.
    """
    settings = model.model_dump(exclude=_NOT_THE_NETWORKS)
    if model.architecture == "recgpt":
        settings |= settings_for(recipe.quantizer)
    settings |= model.options
    if model.item_vectors:
        if model.architecture not in ("item-decoder", "recgpt"):
            raise ConfigError(
                f"The architecture '{model.architecture}' does not read item vectors.",
                where="model.item_vectors",
                hint="Use architecture: item-decoder or recgpt, or leave item_vectors out.",
            )
        settings["vector_dim"] = vector_dim
    return {key: value for key, value in settings.items() if value is not None}


def _summary(
    trainer: Any, split: Split, examples: HistoryExamples | TextExamples, identity: dict[str, Any], seconds: float
) -> dict[str, Any]:
    logs = [entry for entry in trainer.state.log_history if any(key.startswith("eval_ndcg") for key in entry)]
    best: dict[str, Any] = max(
        logs, key=lambda entry: next(v for k, v in entry.items() if k.startswith("eval_ndcg")), default={}
    )
    sampler = trainer.train_sampler
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

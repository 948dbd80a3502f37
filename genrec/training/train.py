"""Training a generative recommender: index and interactions in, recommender out, resumable in between."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from transformers import TrainerCallback

from genrec.data.histories import Histories
from genrec.data.interactions import Interactions
from genrec.data.split import Split, split_for
from genrec.data.unread import refuse_unread
from genrec.errors import ConfigError
from genrec.generative.config import TrainConfig, load_train_config
from genrec.generative.pretrained import pretrained_network, read_experience
from genrec.generative.prior_experience import PriorExperience
from genrec.generative.recommender import GenerativeRecommender
from genrec.generative.started import start_digest, started, started_network, starts_from_recommender
from genrec.index.semantic_index import SemanticIndex
from genrec.models import find_network
from genrec.models.outputs import TrainingBatches
from genrec.training.additions import fit_additions
from genrec.training.arguments import check_arguments
from genrec.training.checkpoints import usable_checkpoint
from genrec.training.checks import check_start
from genrec.training.distributed import in_pieces, is_main_process, on_main_process, save_whole
from genrec.training.learned import counting, what_was_learned
from genrec.training.learning import learn
from genrec.training.objectives import build_objective
from genrec.training.objectives.base import Objective
from genrec.training.policy.monitor import told_figures
from genrec.training.row_start import fit_start
from genrec.training.searched import Searched
from genrec.training.self_check import check_language_model
from genrec.training.session import (
    TrainingFolder,
    check_stopped,
    history_of,
    is_finished,
    one_at_a_time,
    run_identity,
)
from genrec.training.start import StartingPoint
from genrec.training.trainer import build_trainer, set_seed
from genrec.training.transforms import transformed
from genrec.training.unread import say_unread
from genrec.training.validation import GeneratedValidation
from genrec.trust import says_trust

logger = logging.getLogger(__name__)


@says_trust
@one_at_a_time
def train(
    index: SemanticIndex,
    interactions: Interactions | Histories | Split,
    config: TrainConfig | str = "item-decoder-small",
    out: Path | str | None = None,
    *,
    overrides: Sequence[str] = (),
    overwrite: bool = False,
    callbacks: Sequence[TrainerCallback] = (),
    trust_remote_code: bool = False,
) -> GenerativeRecommender:
    """Train a recommender and save it; the same call again continues a stopped run or returns the finished one.

    The best epoch on validation is kept. A network that pools texts or was pretrained recommends before it is trained.
    So there the weights at the start are a candidate, too, and an item prior is fitted to them first, so that weights
    are judged together with it; and where texts are pooled, the average of both is kept (``config.start_share``).

    Args:
        index: Semantic index of the catalogue; built without held-out interactions.
        interactions: All interactions (they are split as the configuration says), or a split.
        config: Settings, a shipped preset or a YAML path.
        out: Folder of the recommender.
        overrides: ``key.sub=value`` strings, when ``config`` is a name.
        overwrite: Replace what is at ``out`` and forget an unfinished run.
        callbacks: transformers callbacks, for progress.
        trust_remote_code: Run the Python code that the checkpoint brings. What settings say about it is not read.

    Raises:
        ArtifactError: ``out`` holds something else or a run with other inputs, or ``config.init`` does not fit.
        TrainingStoppedError: A callback stopped the run before its end; nothing is lost.
        DivergedError: The loss became infinite or no number before an epoch was done.
        ConfigError: ``out`` is missing, or there is no such preset.
        DataError: ``index`` or ``interactions`` is a path or a table.
    """
    out = _given(out, index, interactions)
    config = _settled(config, overrides)
    objective = build_objective(config.objective)
    check_start(objective, config)
    split = interactions if isinstance(interactions, Split) else split_for(interactions, index, config)
    checkpoint = start_digest(config) or find_network(config.model.architecture).start_fingerprint(config.model)
    identity = run_identity(config, split.train, index.fingerprint, checkpoint)
    if is_finished(out, identity, overwrite):
        return _with_prior(GenerativeRecommender.from_pretrained(out), split, config, out)
    recommender, batches = _untrained(index, split, config, objective)
    session = TrainingFolder(out)
    validate = GeneratedValidation(recommender, split.validation, config) if len(split.validation) else None
    watching: Any = {"validate": validate, "callbacks": callbacks, "objective": objective}
    trainer = build_trainer(recommender.model, *batches, config, session.checkpoints, **watching)
    # after everything that wrong settings can break
    on_main_process(lambda: session.open(identity, overwrite=overwrite))
    on_main_process(lambda: usable_checkpoint(session.checkpoints))
    began = time.monotonic()
    recommender.metrics |= fit_start(recommender.model, batches, config)
    start = None if validate is None else _start(trainer, validate, recommender, split, config)
    broken = learn(trainer, session, usable_checkpoint(session.checkpoints), start)
    check_stopped(trainer, callbacks, session.folder)
    settled = None if start is None else start.settle(trainer)
    objective.finish(recommender.model.eval())
    recommender.metrics |= _summary(trainer, split, len(batches.examples), identity, time.monotonic() - began) | broken
    return _finished(recommender, split, config, out, session, settled, overwrite)


def _settled(config: TrainConfig | str, overrides: Sequence[str]) -> TrainConfig:
    """The settings of the run, with those of its start."""
    config = load_train_config(config, overrides) if isinstance(config, str | Path) else config
    asked, config = config.asked, started(config)
    check_arguments(config)
    if is_main_process():
        say_unread(config, asked)
    return config


def _given(out: Path | str | None, index: object, interactions: object) -> Path:
    refuse_unread(index, "index", "genrec.SemanticIndex.load(folder)", SemanticIndex)
    made = "genrec.Interactions.read(path) or genrec.Interactions.from_frame(table)"
    refuse_unread(interactions, "interactions", made, (Interactions, Histories, Split))
    if out is None:
        raise ConfigError(
            "No folder for the recommender is given.", where="out", expected="a folder, such as runs/model"
        )
    return Path(out)


def _start(
    trainer: Any, validate: GeneratedValidation, recommender: GenerativeRecommender, split: Split, config: TrainConfig
) -> StartingPoint | None:
    """The weights at the start as a candidate, together with what is added to them; None where they say nothing yet."""
    model, goes_on = recommender.model, start_digest(config)
    if not (model.works_untrained or config.init):
        return None
    if _adds(config) and recommender.scores_all and not config.validation.network_alone:
        fit_additions(recommender, split, config.generation, experience=_experience(config))
    share = config.start_share if model.works_untrained and not goes_on else 0.0
    return StartingPoint(trainer, validate, share, errors=0.0 if goes_on else 2.0)


def _finished(
    recommender: GenerativeRecommender,
    split: Split,
    config: TrainConfig,
    out: Path,
    session: TrainingFolder,
    settled: dict[str, Any] | None,
    overwrite: bool,
) -> GenerativeRecommender:
    """Fit what is added to the network, say what was learned, and save.

    Args:
        recommender: Its network is trained.
        split: Additions are fitted on its training part and weighed on its validation part.
        config: Settings of the run.
        out: Folder of the recommender.
        session: Is removed when all is written.
        settled: What became of the weights at the start, where these were a candidate.
        overwrite: Replace what is at ``out``.
    """
    model, pieces = recommender.model, in_pieces(recommender.model)
    recommender.metrics.update(settled or {})
    searched = Searched(recommender, split.validation)
    if _adds(config) and not pieces:
        fit_additions(recommender, split, config.generation, experience=_experience(config), searched=searched)
    if not pieces:
        kept_start = settled is not None and recommender.metrics.get("best_epoch") == 0
        recommender.metrics["learned"] = what_was_learned(
            recommender, split.validation, kept_start=kept_start, searched=searched
        )
        if recommender.metrics["learned"] and config.generation.prior is None:
            recommender.metrics["learned"]["counting"] = counting(recommender, split)
    save_whole(model, lambda: recommender.save_pretrained(out, overwrite=overwrite))
    on_main_process(session.remove)
    model.stays_ready = True  # from now on it answers requests, as a loaded one does
    return GenerativeRecommender.from_pretrained(out) if pieces else recommender


def _with_prior(
    recommender: GenerativeRecommender, split: Split, config: TrainConfig, out: Path
) -> GenerativeRecommender:
    """A trained recommender with the words and counts that are asked for now; the network stays as it is."""
    wanted, has = config.generation, recommender.options
    counts = wanted.prior is None or (has.prior is not None and wanted.prior.is_met_by(has.prior))
    chosen = wanted.words is not None or "words" in recommender.metrics
    if counts and (chosen or not _adds(config)):
        return recommender
    searched = Searched(recommender, split.validation)
    fit_additions(recommender, split, wanted, experience=_experience(config), searched=searched)
    kept_start = recommender.metrics.get("best_epoch") == 0
    recommender.metrics["learned"] = what_was_learned(
        recommender, split.validation, kept_start=kept_start, searched=searched
    )
    recommender.save_pretrained(out, overwrite=True)
    return recommender


def _adds(config: TrainConfig) -> bool:
    """Whether anything is added to the network."""
    return config.generation.words != 0 or config.generation.prior is not None


def _experience(config: TrainConfig) -> PriorExperience | None:
    """What the pretrained recommender that training starts from knows about counts."""
    return read_experience(config.init)


def _untrained(
    index: SemanticIndex, split: Split, config: TrainConfig, objective: Objective
) -> tuple[GenerativeRecommender, TrainingBatches]:
    """The recommender with the weights that its seed gives, and what it will learn from."""
    set_seed(config.seed)
    network = find_network(config.model.architecture)
    if starts_from_recommender(config):
        model = started_network(config, index)
    else:
        model = network.create(index, config) if config.init is None else pretrained_network(config, index)
    objective.prepare(model, index, config)
    config = config.model_copy(update={"generation": objective.decoding(config.generation)})
    recommender = GenerativeRecommender(model, index, config)
    recommender.options = recommender.options.model_copy(
        update={"prior": None, "words": config.generation.words or 0.0}
    )
    learned_from = transformed(split.train, index, config.transforms, config.seed)
    batches = objective.batches(model, index, learned_from, config)
    if model.reads_prompts:
        recent = split.train.last(config.model.max_items)
        check_language_model(model, model.reader(index, config), recent, index.codes)
    return recommender, batches


def _told(logs: Sequence[dict[str, Any]]) -> dict[str, float]:
    """What post-training last told of itself."""
    return next((found for entry in reversed(logs) if (found := told_figures(entry))), {})


def _summary(trainer: Any, split: Split, rows: int, identity: dict[str, Any], seconds: float) -> dict[str, Any]:
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
        **({"max_steps": trainer.args.max_steps} if trainer.args.max_steps > 0 else {}),
        "still_rising": len(logs) > 1 and best is logs[-1],
        "seconds_this_session": round(seconds, 1),
        "trainable_parameters": sum(p.numel() for p in trainer.model.parameters() if p.requires_grad),
        "train_users": len(split.train),
        "train_rows": rows,
        "padding_ratio": round(sampler.padding_ratio(), 4),
        **({"post_training": told} if (told := _told(trainer.state.log_history)) else {}),
        "log": history_of(trainer),
        "run": identity,
    }

"""Pretraining on many catalogues at once: tables in, a recommender for any catalogue out, resumable in between."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from transformers import TrainerCallback

from genrec.errors import ConfigError, unknown_name
from genrec.generative.pretrained import FoundationModel
from genrec.generative.prior_experience import PriorExperience
from genrec.index.item_tokenizer import ItemTokenizer
from genrec.index.recipe import TokenizerRecipe, load_recipe
from genrec.models import find_network
from genrec.models.portable import PortableModel
from genrec.models.settings import PORTABLE
from genrec.models.vector_store import VectorStore
from genrec.progress import Progress
from genrec.quantizers import ItemContext
from genrec.training.arguments import check_arguments
from genrec.training.checkpoints import usable_checkpoint
from genrec.training.domains import Domain
from genrec.training.learning import learn
from genrec.training.packing import DomainSampler, PackedExamples
from genrec.training.pretrain_config import PretrainConfig
from genrec.training.prior_experience import gain_experience, pooled
from genrec.training.session import (
    TrainingFolder,
    check_stopped,
    differences,
    history_of,
    is_finished,
    one_at_a_time,
)
from genrec.training.start import StartingPoint
from genrec.training.trainer import build_trainer, set_seed
from genrec.training.unread import say_unread_in_pretraining
from genrec.training.validation import GeneratedValidation, validation_sample
from genrec.wording import count

logger = logging.getLogger(__name__)


@one_at_a_time
def pretrain(
    domains: Sequence[Domain],
    config: PretrainConfig,
    out: Path | str,
    *,
    overwrite: bool = False,
    callbacks: Sequence[TrainerCallback] = (),
    progress: Progress | None = None,
    trust_remote_code: bool = False,
) -> FoundationModel:
    """Pretrain and save; the same call again continues a stopped run or returns the finished one.

    The quantizer is fitted on all catalogues together and then frozen; interactions never reach it. When the network is
    done, it is measured how far counts of transitions can be trusted beside it, for few-shot training
    (:mod:`genrec.generative.prior_experience`).

    Args:
        domains: Catalogues and interactions.
        config: Settings; ``config.domains`` is not read.
        out: Folder of the pretrained recommender.
        overwrite: Replace what is at ``out`` and forget an unfinished run.
        callbacks: transformers callbacks, for progress of the training.
        progress: Called with what is being done afterwards, steps done, and steps in all.
        trust_remote_code: Run the Python code that a sentence model brings. What settings say about it is not read.

    Raises:
        ArtifactError: ``out`` holds something else, or an unfinished run with other inputs.
        TrainingStoppedError: A callback stopped the run before its end; nothing is lost.
        DivergedError: The loss became infinite or no number before an epoch was done.
    """
    out = Path(out)
    check_arguments(config.train_config())
    identity, all_domains = _identity(domains, config), domains
    domains, judges = _roles(domains, config)
    say_unread_in_pretraining(config, len(domains), len(judges))
    if is_finished(out, identity, overwrite, _differ, makes="pretrained"):
        return FoundationModel.from_pretrained(out)
    recipe = load_recipe(config.tokenizer, config.tokenizer_settings)
    examples = _examples(domains, config)
    session = TrainingFolder(out)
    session.open(identity, overwrite=overwrite, makes="pretrained")
    foundation, collator = _untrained(recipe, domains, config, session.folder)
    validate = _OnDomains(foundation, judges, config) if judges else None
    trainer = _trainer(foundation, collator, examples, config, session, validate=validate, callbacks=callbacks)
    began = time.monotonic()
    start = None if validate is None else StartingPoint(trainer, validate)
    broken = learn(trainer, session, usable_checkpoint(session.checkpoints), start)
    check_stopped(trainer, callbacks, session.folder)
    foundation.model.eval()
    foundation.metrics.update(_summary(trainer, domains, examples, identity, time.monotonic() - began) | broken)
    if start is not None:
        foundation.metrics.update(start.settle(trainer))

    stop = partial(check_stopped, trainer, callbacks, session.folder)
    foundation.experience = _experience(foundation, all_domains, config, stop, progress)
    foundation.save_pretrained(out, overwrite=overwrite)
    session.remove()
    return foundation


def _differ(before: Any, now: dict[str, Any]) -> list[str]:
    return differences(before, json.loads(json.dumps(now)))


def _examples(domains: Sequence[Domain], config: PretrainConfig) -> PackedExamples:
    """Training histories of all domains, packed into rows."""
    return PackedExamples(
        [domain.split.train for domain in domains],
        config.model.max_items,
        config.examples.row_items,
        novel=config.examples.novel,
        seed=config.seed,
    )


def _trainer(
    foundation: FoundationModel,
    collator: Any,
    examples: PackedExamples,
    config: PretrainConfig,
    session: TrainingFolder,
    **watching: Any,
) -> Any:
    """The trainer, which draws domains as the settings say."""
    return build_trainer(
        foundation.model,
        examples,
        collator,
        foundation.config,
        session.checkpoints,
        sampler=lambda batch: DomainSampler(
            examples.lengths_per_domain, batch, temperature=config.examples.temperature, seed=config.seed
        ),
        **watching,
    )


def _roles(domains: Sequence[Domain], config: PretrainConfig) -> tuple[list[Domain], list[Domain]]:
    """Domains to learn from, and domains to validate on."""
    names = [domain.name for domain in domains]
    for name in config.validate_on:
        if name not in names:
            raise unknown_name("domain", name, names, where="validate_on")
    learned = [domain for domain in domains if domain.name not in config.validate_on]
    if not learned:
        raise ConfigError("No domain is left to learn from.", where="validate_on", expected="fewer names")
    unseen = [domain for domain in domains if domain.name in config.validate_on]
    return learned, unseen or (learned if config.validate_generated else [])


def _untrained(
    recipe: TokenizerRecipe, domains: Sequence[Domain], config: PretrainConfig, folder: Path
) -> tuple[FoundationModel, Callable[[list[Any]], dict[str, Any]]]:
    """The network with the weights that its seed gives, its tokenizer, and what makes batches."""
    tokenizer, vectors = _tokenize(recipe, domains, folder)
    set_seed(config.seed)
    model = _network(config, tokenizer, vectors)
    store = _fill_store(model, tokenizer, domains, vectors, folder)
    items = [store.read(domain.name) for domain in domains]
    collator = model.domain_collator(items, config.examples.candidates, config.seed)
    return FoundationModel(model, tokenizer, config.train_config()), collator


def _tokenize(
    recipe: TokenizerRecipe, domains: Sequence[Domain], folder: Path
) -> tuple[ItemTokenizer, list[np.ndarray]]:
    """The quantizer fitted on all domains, and the vectors of each; fitted once a run."""
    tokenizer, vectors = ItemTokenizer.fit_many(
        recipe,
        [domain.catalog for domain in domains],
        fitted=ItemTokenizer.load(folder / "tokenizer") if (folder / "tokenizer").is_dir() else None,
    )
    if not (folder / "tokenizer").is_dir():
        work = folder / "tokenizer.tmp"
        tokenizer.save(work)
        work.rename(folder / "tokenizer")
    return tokenizer, vectors


def _network(config: PretrainConfig, tokenizer: ItemTokenizer, vectors: Sequence[np.ndarray]) -> PortableModel:
    network = find_network(config.model.architecture)
    if not issubclass(network, PortableModel):
        raise ConfigError(
            f"The architecture '{config.model.architecture}' cannot change catalogues.",
            where="model.architecture",
            expected=PORTABLE.architecture,
        )
    fields = network.fields(config.model, tokenizer.recipe.quantizer, vectors[0].shape[1])
    return network.of(tokenizer.quantizer.codebook_sizes, **fields)


def _fill_store(
    model: PortableModel, tokenizer: ItemTokenizer, domains: Sequence[Domain], vectors: list[np.ndarray], folder: Path
) -> VectorStore:
    """All items on disk; ``vectors`` is emptied on the way, so that one catalogue at a time is in memory twice."""
    store = VectorStore(folder / "vectors")
    for number, domain in enumerate(domains):
        raw = vectors[number]
        vectors[number] = raw[:0]
        if not store.holds(domain.name, domain.identity):
            codes = tokenizer.quantizer.encode(raw, items=ItemContext(domain.catalog.item_ids, domain.catalog))
            store.add(model.domain_items(domain.name, codes, raw), identity=domain.identity)
        logger.info("domain %s: %s in %s", domain.name, count(len(domain.catalog), "item"), store.folder)
    return store


class _OnDomains:
    """Measures what is generated for a sample of each domain's validation users.

    Attributes:
        ranks: ``(n,)`` of all targets when they were measured last, 0 for none.
    """

    def __init__(self, foundation: FoundationModel, domains: Sequence[Domain], config: PretrainConfig) -> None:
        settings = config.train_config()
        indexes = [foundation.build_index(domain.catalog, domain.split.train) for domain in domains]
        self.measuring = [
            GeneratedValidation(foundation.recommender(index), domain.split.validation, settings)
            for domain, index in zip(domains, indexes, strict=True)
        ]
        self.ranks = np.zeros(0, dtype=np.int64)

    def __call__(self) -> dict[str, float]:
        """Means over the domains by name of the metric."""
        measured, ranks = [], []
        for one in self.measuring:
            measured.append(one())
            ranks.append(one.ranks)
        self.ranks = np.concatenate(ranks)
        return {name: float(np.mean([one[name] for one in measured])) for name in measured[0]}


def _experience(
    foundation: FoundationModel,
    domains: Sequence[Domain],
    config: PretrainConfig,
    stop: Callable[[], None],
    progress: Progress | None,
) -> PriorExperience | None:
    """What counts add on every domain with validation users; None where that is not asked for. ``stop`` may raise."""
    gained = []
    for number, domain in enumerate(domains):
        if not config.prior_shares or not len(domain.split.validation):
            continue
        stop()
        if progress is not None:
            progress(f"counts of transitions in {domain.name}", number, len(domains))
        validation, cases = config.validation, domain.split.validation
        gained.append(
            gain_experience(
                foundation.recommender(foundation.build_index(domain.catalog, domain.split.train)),
                domain.name,
                domain.split.train,
                cases.select(validation_sample(validation.users, len(cases), config.seed)),
                config.prior_shares,
                k=validation.k,
                exclude_seen=validation.exclude_seen,
                seed=config.seed,
                progress=lambda *_: stop(),
            )
        )
    return pooled(gained)


def _identity(domains: Sequence[Domain], config: PretrainConfig) -> dict[str, Any]:
    settings = config.model_dump(mode="json", exclude={"generation", "domains"})
    return {"settings": settings, "domains": {domain.name: domain.identity for domain in domains}}


def _summary(
    trainer: Any, domains: Sequence[Domain], examples: PackedExamples, identity: dict[str, Any], seconds: float
) -> dict[str, Any]:
    sizes = [
        {
            "name": domain.name,
            "items": len(domain.catalog),
            "users": len(domain.split.train),
            "interactions": len(domain.split.train.items),
            "rows": rows,
            "batches_per_epoch": int(batches),
        }
        for domain, rows, batches in zip(
            domains, examples.lengths_per_domain, trainer.train_sampler.batches, strict=True
        )
    ]
    return {
        "domains": sizes,
        "epochs": trainer.state.epoch,
        "steps": trainer.state.global_step,
        "seconds_this_session": round(seconds, 1),
        "log": history_of(trainer),
        "run": identity,
    }

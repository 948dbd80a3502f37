"""Code rows of a language model fitted to its own states, before training begins."""

from __future__ import annotations

import logging
from dataclasses import asdict
from typing import Any

from genrec.generative.config import TrainConfig
from genrec.generative.started import starts_from_recommender
from genrec.models.base import CodeModel
from genrec.models.llm.fitted_rows import fit_code_rows
from genrec.models.outputs import TrainingBatches
from genrec.wording import count

logger = logging.getLogger(__name__)

_TOGETHER = 32


def fit_start(model: CodeModel, batches: TrainingBatches, config: TrainConfig) -> dict[str, Any]:
    """Fit the code rows of a language model that writes codes, see :mod:`genrec.models.llm.fitted_rows`.

    Args:
        model: Before training, on the device that it is trained on.
        batches: What it will learn from; the first examples of the first epoch are read.
        config: Says how many.

    Returns:
        Entries of a run's metrics: ``code_rows``, what the fit changed. Empty where nothing was fitted, as where
        training goes on from a recommender.
    """
    examples = config.model.llm.fit_code_rows
    if config.init is not None or starts_from_recommender(config):
        return {}
    if not examples or not model.fits_code_rows:
        return {}
    language: Any = model
    rows = range(min(examples, len(batches.examples)))
    logger.info(
        "Code rows are fitted first: %s are read, which learns nothing yet.", count(len(rows), "training example")
    )
    parts = [rows[start : start + _TOGETHER] for start in range(0, len(rows), _TOGETHER)]
    read = [batches.collate([batches.examples[row] for row in part]) for part in parts]
    found = fit_code_rows(language, read)
    if found is None:
        logger.info("Code rows stay as they start: nothing can be fitted to this output layer.")
        return {}
    logger.info(
        "Code rows fitted to %s: %.2f nats an item before, %.2f now, %.2f where all codes are alike.",
        *(count(found.items, "item"), found.before, found.after, found.guess),
    )
    return {"code_rows": asdict(found)}

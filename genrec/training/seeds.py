"""Several seeds of one run, each a recommender of its own in one folder."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from transformers import TrainerCallback

from genrec.data.split import Split
from genrec.errors import ArtifactError, ConfigError
from genrec.generative.config import TrainConfig
from genrec.generative.recommender import GenerativeRecommender
from genrec.index.semantic_index import SemanticIndex
from genrec.training.train import train

RESULTS = "seeds.json"
"""Figures of all seeds, in the folder that holds them."""


def seed_folder(out: Path, seed: int) -> Path:
    """Where the recommender of a seed is."""
    return out / f"seed-{seed}"


def check_seeds(seeds: Sequence[int], out: Path) -> None:
    """Refuse what cannot be several seeds, before anything is trained.

    Args:
        seeds: As given.
        out: Folder of all of them.

    Raises:
        ConfigError: A seed is given twice, or is negative.
        ArtifactError: The folder holds something else.
    """
    twice = next((seed for seed in seeds if list(seeds).count(seed) > 1), None)
    if twice is not None or min(seeds, default=0) < 0:
        wrong = f"Seed {twice} is given twice." if twice is not None else f"Seed {min(seeds)} is negative."
        raise ConfigError(wrong, where="--seeds", expected="different whole numbers from 0, such as 0 1 2")
    if not out.is_dir():
        return
    known = {RESULTS}
    others = sorted(path.name for path in out.iterdir() if path.name not in known and not _of_a_seed(path.name))
    if others:
        raise ArtifactError(
            f"The folder for several seeds holds something else: {', '.join(others[:5])}.",
            where=out,
            expected="nothing, or folders seed-0, seed-1 and so on",
            hint="Choose another place (--out).",
        )


def _of_a_seed(name: str) -> bool:
    number = name.removeprefix(".").removeprefix("seed-").split(".")[0]
    return "seed-" in name and number.isdigit()


def train_seeds(
    index: SemanticIndex,
    split: Split,
    config: TrainConfig,
    out: Path,
    seeds: Sequence[int],
    *,
    overwrite: bool = False,
    callbacks: Sequence[TrainerCallback] = (),
) -> Iterator[tuple[int, GenerativeRecommender]]:
    """Train one recommender a seed; those that are finished are only read, and a stopped one goes on.

    Args:
        index: Of the catalogue, the same for all.
        split: What is learned from.
        config: Settings; their seed is replaced.
        out: Folder; the recommender of seed 1 will be its ``seed-1``.
        seeds: Different ones.
        overwrite: Replace what is there.
        callbacks: transformers callbacks, for progress.

    Yields:
        Seed and recommender, when it is trained.

    Raises:
        ConfigError: Wrong seeds.
        ArtifactError: The folder holds something else, or runs with other settings.
    """
    check_seeds(seeds, out)
    for seed in seeds:
        own = config.model_copy(update={"seed": seed})
        folder = seed_folder(out, seed)
        yield seed, train(index, split, own, folder, overwrite=overwrite, callbacks=callbacks)

"""One training run: to its end, or to the last good weights."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from genrec.training.distributed import on_main_process
from genrec.training.divergence import DivergedError, logger

if TYPE_CHECKING:
    from genrec.training.session import TrainingFolder
    from genrec.training.start import StartingPoint
    from genrec.training.trainer import RecommenderTrainer


def learn(
    trainer: RecommenderTrainer, session: TrainingFolder, checkpoint: str | None, start: StartingPoint | None = None
) -> dict[str, Any]:
    """Train to the end, or until the loss breaks; the best weights until then are in the model afterwards.

    Args:
        trainer: Ready to train.
        session: Folder of the run.
        checkpoint: Of an earlier session of it, to go on from.
        start: Weights at the start, where those are good enough to be kept.

    Returns:
        Entries of a run's metrics: ``diverged``, what broke, where something earlier was kept.

    Raises:
        DivergedError: Nothing good was there to keep; the unfinished run is removed, so that another can begin.
    """
    try:
        trainer.train(resume_from_checkpoint=checkpoint)
    except DivergedError as error:
        if trainer.restore_good():
            kept = "the best epoch before it is kept"
        elif start is not None:
            cast(Any, trainer.model).load_state_dict(start.weights)
            kept = "the weights at the start are kept"
        else:
            on_main_process(session.remove)
            raise
        logger.warning("%s Training ends here and %s. To do: %s", error.what, kept, error.hint)
        return {"diverged": error.what}
    return {}

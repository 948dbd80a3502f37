"""Other defaults of decoding for a recommender that is there; what changes nothing is told."""

from __future__ import annotations

from collections.abc import Iterable

from genrec.config import differences
from genrec.decoding.options import say_idle
from genrec.generative.recommender import GenerativeRecommender


def change_decoding(recommender: GenerativeRecommender, changes: Iterable[str]) -> None:
    """Change decoding settings, and say which of the changes make no difference.

    Args:
        recommender: Whose ``options`` change.
        changes: ``key=value`` strings.

    Raises:
        ConfigError: An unknown setting, a wrong value, or settings that do not go together.
    """
    before, model = recommender.options, recommender.model
    after = before.changed(changes)
    say_idle(after.idle(searches=model.by_beam or not model.scores_items), differences(after, before))
    recommender.options = after
